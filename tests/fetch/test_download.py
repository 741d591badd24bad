"""Every way in which a server may respond, and what is made of it."""

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from blindfold.core.errors import BlindfoldError
from blindfold.fetch.download import RetryPolicy
from tests.fetch.conftest import BODY, Page, kept, make_card, sha256_and_size, status


@pytest.fixture
def pauses(monkeypatch):
    """Return the list of pauses, none of which is made."""
    made = []
    monkeypatch.setattr("tenacity.nap.time.sleep", made.append)
    return made


@pytest.mark.parametrize("code", [500, 502, 503, 429, 408])
def test_passing_errors_are_tried_again(server, workspace, card, code):
    server.script["/f"] = [status(code), status(code)]
    workspace.fetch(card)
    assert len(server.asked) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_lasting_errors_are_told_at_once(server, workspace, card, code):
    server.script["/f"] = [status(code)] * 9
    with pytest.raises(BlindfoldError, match=f"{code} ") as error:
        workspace.fetch(card)
    assert server.address + "/f" in str(error.value)
    assert "by hand" in str(error.value)
    assert len(server.asked) == 1


def test_pauses_double_and_differ(server, workspace, card, pauses):
    server.script["/f"] = [status(503)] * 4
    workspace.fetch(card, policy=RetryPolicy(attempts=9, first_wait=1, longest_wait=3))
    for pause, whole in zip(pauses, (1, 2, 3, 3), strict=True):
        assert whole / 2 <= pause <= whole
    assert len(set(pauses)) == 4


def test_the_servers_wish_for_a_pause_is_kept(server, workspace, card, pauses):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    server.script["/f"] = [status(429, Retry_After="7"), status(503, Retry_After=later)]
    workspace.fetch(card, policy=RetryPolicy(first_wait=0.1))
    assert pauses[0] == 7
    assert 25 < pauses[1] <= 30


def test_an_unreasonable_wish_ends_the_attempts(server, workspace, card, pauses):
    server.script["/f"] = [status(503, Retry_After="3600")] * 9
    with pytest.raises(BlindfoldError, match="come back in 3600 s"):
        workspace.fetch(card, policy=RetryPolicy())
    assert pauses == []


@pytest.mark.parametrize("body", [BODY[::-1], b"x" + BODY[1:]])
def test_wrong_bytes_are_refused_and_leave_nothing(server, workspace, card, body):
    server.site["/f"] = Page(body)
    with pytest.raises(BlindfoldError, match="instead of") as error:
        workspace.fetch(card)
    digests = [hashlib.sha256(content).hexdigest() for content in (body, BODY)]
    for word in (server.address + "/f", str(workspace.target), "by hand", *digests):
        assert word in str(error.value)
    assert kept(workspace) == []
    assert not workspace.record.exists()


@pytest.mark.parametrize(("body", "size"), [(BODY[:9], "9 bytes"), (BODY + b"x", "more than")])
def test_another_size_is_refused(server, workspace, card, body, size):
    server.site["/f"] = Page(body)
    with pytest.raises(BlindfoldError, match=size):
        workspace.fetch(card)
    assert kept(workspace) == []


def test_a_file_that_never_ends_is_given_up(server, workspace, card):
    def endless(handler):
        handler.respond(200, {})
        try:
            while True:
                handler.wfile.write(BODY)
        except OSError:
            pass

    server.script["/f"] = [endless]
    with pytest.raises(BlindfoldError, match="more than"):
        workspace.fetch(card)


@pytest.mark.parametrize("checksum", [{}, sha256_and_size()])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"Please log in", "text/html; charset=utf-8"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML><title>Log in</title>", "application/octet-stream"),
        (b"<html lang='en'>" + BODY + BODY, "text/plain"),
    ],
)
def test_a_login_page_is_no_file(server, workspace, body, kind, checksum):
    server.site["/login"] = Page(body, headers={"Content-Type": kind})
    server.script["/f"] = [status(302, Location="/login")]
    card = make_card(url=server.address + "/f", **checksum)
    with pytest.raises(BlindfoldError, match=r"web page \(HTML\) instead") as error:
        workspace.fetch(card)
    assert f"sent on to {server.address}/login" in str(error.value)
    assert kept(workspace) == []


def test_a_page_may_be_what_is_wanted(server, workspace):
    server.site["/f"] = Page(b"<html>data</html>", headers={"Content-Type": "text/html"})
    card = make_card(path="table.html", url=server.address + "/f")
    assert workspace.fetch(card)[0]["bytes"] == 17


def test_redirects_are_followed(server, workspace, card):
    server.site["/g"] = Page()
    server.script["/f"] = [status(302, Location="/g")]
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY


def test_redirects_without_end_are_told(server, workspace, card):
    server.script["/f"] = [status(302, Location="/f")] * 99
    with pytest.raises(BlindfoldError, match="TooManyRedirects"):
        workspace.fetch(card)


def test_gzip_as_transfer_encoding_is_not_undone(server, workspace):
    """Servers send .tsv.gz with ``Content-Encoding: gzip``: the .gz is the file."""
    import gzip

    body = gzip.compress(b"a\tb\n" * 1000)
    server.site["/f"] = Page(body, headers={"Content-Encoding": "gzip"})
    workspace.fetch(make_card(url=server.address + "/f", **sha256_and_size(body)))
    assert workspace.target.read_bytes() == body
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_a_closed_port_is_told(workspace):
    url = "http://127.0.0.1:9/f"
    with pytest.raises(BlindfoldError, match="ConnectionError") as error:
        workspace.fetch(make_card(url=url))
    assert url in str(error.value)


def test_an_address_of_no_known_kind_is_told(workspace):
    with pytest.raises(BlindfoldError, match="InvalidSchema"):
        workspace.fetch(make_card(url="ftp://127.0.0.1/f"))


def test_a_dead_proxy_is_named(workspace, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(BlindfoldError, match="proxy does not answer") as error:
        workspace.fetch(make_card(url="http://data.invalid/f"))
    assert "http_proxy=http://127.0.0.1:9" in str(error.value)
    assert "secret" not in str(error.value)


def test_passwords_in_addresses_are_not_shown(server, workspace):
    server.site["/f"] = Page()
    mirror = server.address.replace("//", "//me:secret@") + "/m"
    with pytest.raises(BlindfoldError) as error:
        workspace.fetch(make_card(by_hand="bring it"), [mirror])
    assert "/m/raw/x%20y.bin: 404" in str(error.value)
    assert "secret" not in str(error.value)
    assert server.asked[0][1]["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_gets_a_bar(workspace, card, monkeypatch, capsys, terminal):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert ("raw/x y.bin" in capsys.readouterr().err) is terminal

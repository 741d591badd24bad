"""Files whose checksum is not in the card: git's id, and trust on first use."""

import hashlib
import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindfold.core.errors import BlindfoldError
from blindfold.fetch.checksum import git_blob, is_web_page
from tests.fetch.conftest import BODY, Page, make_card


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def blob(body):
    return subprocess.run(
        ["git", "hash-object", "--stdin"], input=body, capture_output=True, check=True
    ).stdout.decode().strip()  # fmt: skip


@pytest.mark.parametrize("body", [b"x", b"", BODY, BODY * 9])
def test_git_agrees_on_the_id(tmp_path, body):
    (tmp_path / "f").write_bytes(body)
    assert git_blob(tmp_path / "f") == blob(body)


def test_a_file_with_the_right_id_is_taken(server, place):
    server.site["/f"] = Page()
    card = make_card(url=server.address + "/f", git_blob=blob(BODY))
    (row,) = place.fetch(card)
    assert row["sha256"] == sha256(BODY)
    assert not (place.cache / "downloads.lock.json").exists()


def test_a_file_with_another_id_is_refused(server, place):
    server.site["/f"] = Page(BODY[::-1])
    card = make_card(url=server.address + "/f", git_blob=blob(BODY))
    with pytest.raises(BlindfoldError, match="git blob") as error:
        place.fetch(card)
    assert blob(BODY) in str(error.value)
    assert blob(BODY[::-1]) in str(error.value)
    assert not place.target.exists()


def test_the_first_content_is_remembered(server, place):
    server.site["/f"] = Page()
    place.fetch(make_card(url=server.address + "/f"))
    (name, row) = json.loads((place.cache / "downloads.lock.json").read_text()).popitem()
    assert name == "raw/x y.bin"
    assert row.pop("first_seen").endswith("+00:00")
    assert row == {"sha256": sha256(BODY), "bytes": len(BODY), "url": server.address + "/f"}


def test_other_content_is_refused_later(server, place):
    server.site["/f"] = Page()
    card = make_card(url=server.address + "/f")
    place.fetch(card)
    place.target.unlink()
    server.site["/f"] = Page(BODY[::-1])
    with pytest.raises(BlindfoldError, match="as first seen") as error:
        place.fetch(card)
    words = ("raw/x y.bin", sha256(BODY), sha256(BODY[::-1]), "delete the file's entry in")
    for word in words:
        assert word in str(error.value)
    lock = place.cache / "downloads.lock.json"
    assert str(lock) in str(error.value)
    lock.write_text("{}")
    assert place.fetch(card)[0]["sha256"] == sha256(BODY[::-1])


def test_the_same_content_is_taken_from_anywhere_later(server, place):
    server.site["/f"] = Page()
    card = make_card(url=server.address + "/f")
    place.fetch(card)
    place.target.write_bytes(b"changed by accident")
    (place.root / "mirror/raw").mkdir(parents=True)
    (place.root / "mirror/raw/x y.bin").write_bytes(b"something else")
    (row,) = place.fetch(card, [str(place.root / "mirror")])
    assert row["source"] == server.address + "/f"
    assert place.target.read_bytes() == BODY


def test_a_file_put_there_by_hand_is_remembered_too(place):
    place.target.parent.mkdir(parents=True)
    place.target.write_bytes(BODY)
    card = make_card(by_hand="bring it")
    assert place.fetch(card)[0]["source"] == "cache"
    place.target.write_bytes(BODY[::-1])
    with pytest.raises(BlindfoldError, match=sha256(BODY)):
        place.fetch(card)


def test_a_checksum_in_the_card_rules(server, place):
    server.site["/f"] = Page()
    url = server.address + "/f"
    place.fetch(make_card(url=url))
    server.site["/f"] = Page(BODY[::-1])
    assert place.fetch(make_card(url=url, sha256=sha256(BODY[::-1])))[0]["bytes"] == len(BODY)


@pytest.mark.parametrize("text", ["{broken", "[]", '{"raw/x y.bin": {"sha256": 1}}'])
def test_a_damaged_list_is_told(place, text):
    place.cache.mkdir()
    (place.cache / "downloads.lock.json").write_text(text)
    with pytest.raises(BlindfoldError, match=r"downloads\.lock\.json"):
        place.fetch(make_card(by_hand="bring it"))


@given(st.binary(max_size=40))
def test_data_are_no_web_page(body):
    assert is_web_page(b"<hTmL" + body)
    assert not is_web_page(b"\x89" + body)

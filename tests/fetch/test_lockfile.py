"""Files whose card has no checksum: the lockfile keeps what they were when first downloaded."""

import hashlib
import json

import pytest

from blindfold.core.errors import BlindfoldError
from tests.fetch.conftest import BODY, Page, make_card


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def test_the_first_content_is_remembered(server, workspace):
    server.site["/f"] = Page()
    workspace.fetch(make_card(url=server.address + "/f"))
    (name, row) = json.loads((workspace.cache / "downloads.lock.json").read_text()).popitem()
    assert name == "raw/x y.bin"
    assert row.pop("first_seen").endswith("+00:00")
    assert row == {"sha256": sha256(BODY), "bytes": len(BODY), "url": server.address + "/f"}


def test_other_content_is_refused_later(server, workspace):
    server.site["/f"] = Page()
    card = make_card(url=server.address + "/f")
    workspace.fetch(card)
    workspace.target.unlink()
    server.site["/f"] = Page(BODY[::-1])
    with pytest.raises(BlindfoldError, match="as first seen") as error:
        workspace.fetch(card)
    words = ("raw/x y.bin", sha256(BODY), sha256(BODY[::-1]), "delete the file's entry in")
    for word in words:
        assert word in str(error.value)
    lock = workspace.cache / "downloads.lock.json"
    assert str(lock) in str(error.value)
    lock.write_text("{}")
    assert workspace.fetch(card)[0]["sha256"] == sha256(BODY[::-1])


def test_the_same_content_is_taken_from_anywhere_later(server, workspace):
    server.site["/f"] = Page()
    card = make_card(url=server.address + "/f")
    workspace.fetch(card)
    workspace.target.write_bytes(b"changed by accident")
    (workspace.root / "mirror/raw").mkdir(parents=True)
    (workspace.root / "mirror/raw/x y.bin").write_bytes(b"something else")
    (row,) = workspace.fetch(card, [str(workspace.root / "mirror")])
    assert row["source"] == server.address + "/f"
    assert workspace.target.read_bytes() == BODY


def test_a_file_put_there_by_hand_is_remembered_too(workspace):
    workspace.target.parent.mkdir(parents=True)
    workspace.target.write_bytes(BODY)
    card = make_card(by_hand="bring it")
    assert workspace.fetch(card)[0]["source"] == "cache"
    workspace.target.write_bytes(BODY[::-1])
    with pytest.raises(BlindfoldError, match=sha256(BODY)):
        workspace.fetch(card)


def test_a_checksum_in_the_card_rules(server, workspace):
    server.site["/f"] = Page()
    url = server.address + "/f"
    workspace.fetch(make_card(url=url))
    server.site["/f"] = Page(BODY[::-1])
    assert workspace.fetch(make_card(url=url, sha256=sha256(BODY[::-1])))[0]["bytes"] == len(BODY)


@pytest.mark.parametrize("text", ["{broken", "[]", '{"raw/x y.bin": {"sha256": 1}}'])
def test_a_damaged_list_is_told(workspace, text):
    workspace.cache.mkdir()
    (workspace.cache / "downloads.lock.json").write_text(text)
    with pytest.raises(BlindfoldError, match=r"downloads\.lock\.json"):
        workspace.fetch(make_card(by_hand="bring it"))

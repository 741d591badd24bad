"""Checksums: SHA-256, git's id of a file, and web pages in place of files."""

import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindfold.core.errors import BlindfoldError
from blindfold.fetch.checksum import git_blob, is_web_page
from tests.fetch.conftest import BODY, Page, make_card


def blob(body):
    return subprocess.run(
        ["git", "hash-object", "--stdin"], input=body, capture_output=True, check=True
    ).stdout.decode().strip()  # fmt: skip


@pytest.mark.parametrize("body", [b"x", b"", BODY, BODY * 9])
def test_git_agrees_on_the_id(tmp_path, body):
    (tmp_path / "f").write_bytes(body)
    assert git_blob(tmp_path / "f") == blob(body)


def test_a_file_with_the_right_id_is_taken(server, workspace):
    server.site["/f"] = Page()
    card = make_card(url=server.address + "/f", git_blob=blob(BODY))
    (row,) = workspace.fetch(card)
    assert row["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert not (workspace.cache / "downloads.lock.json").exists()


def test_a_file_with_another_id_is_refused(server, workspace):
    server.site["/f"] = Page(BODY[::-1])
    card = make_card(url=server.address + "/f", git_blob=blob(BODY))
    with pytest.raises(BlindfoldError, match="git blob") as error:
        workspace.fetch(card)
    assert blob(BODY) in str(error.value)
    assert blob(BODY[::-1]) in str(error.value)
    assert not workspace.target.exists()


@given(st.binary(max_size=40))
def test_data_are_no_web_page(body):
    assert is_web_page(b"<hTmL" + body)
    assert not is_web_page(b"\x89" + body)

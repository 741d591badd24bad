"""Interrupted downloads: what has come is kept, and nothing false is joined to it."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blindfold.core.errors import BlindfoldError
from blindfold.fetch.download import RetryPolicy
from tests.fetch.conftest import (
    BODY,
    Page,
    Workspace,
    cut,
    kept,
    make_card,
    ranges,
    sha256_and_size,
    stall,
    status,
)


@pytest.mark.parametrize("named", [{"etag": '"1"'}, {"modified": "Mon, 01 Jan 2024 00:00:00 GMT"}])
def test_a_body_cut_short_is_resumed(server, workspace, card, named):
    page = server.site["/f"] = Page(**named)
    server.script["/f"] = [cut(page, 100_000), cut(page, 50_000)]
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-"]
    assert {headers.get("If-Range") for _, headers in server.asked[1:]} == set(named.values())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.lists(st.integers(0, len(BODY)), max_size=5),
    resumable=st.booleans(),
    known=st.booleans(),
)
def test_however_it_is_cut_the_file_is_whole(server, tmp_path_factory, cuts, resumable, known):
    workspace = Workspace(tmp_path_factory.mktemp("cuts"))
    page = server.site["/f"] = Page(etag='"1"' if known else None, ranges=resumable)
    server.script["/f"] = [cut(page, upto) for upto in cuts]
    checksum = {} if known else sha256_and_size()
    card = make_card(url=server.address + "/f", **checksum)
    workspace.fetch(card, policy=RetryPolicy(attempts=9, first_wait=0, longest_wait=0))
    assert workspace.target.read_bytes() == BODY


def test_progress_starts_the_count_of_attempts_again(server, workspace, card):
    page = server.site["/f"] = Page(etag='"1"')
    server.script["/f"] = [cut(page, 50_000)] * 6
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY


def test_a_stalled_server_is_left_and_asked_again(server, workspace, card):
    page = server.site["/f"] = Page(etag='"1"')
    server.script["/f"] = [stall(page, 200_000)]
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert ranges(server)[1] in ("bytes=196608-", "bytes=200000-")


def test_a_server_without_ranges_is_asked_for_everything(server, workspace, card):
    page = server.site["/f"] = Page(etag='"1"', ranges=False)
    server.script["/f"] = [cut(page, 100_000)]
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-"]


def test_a_version_that_changed_meanwhile_is_not_joined(server, workspace):
    old, new = Page(etag='"1"'), Page(BODY[::-1], etag='"2"')
    server.site["/f"] = new
    server.script["/f"] = [cut(old, 100_000)]
    workspace.fetch(make_card(url=server.address + "/f"))
    assert workspace.target.read_bytes() == BODY[::-1]


def test_without_version_and_checksum_nothing_is_joined(server, workspace):
    server.site["/f"] = Page(BODY[::-1])
    server.script["/f"] = [cut(Page(), 100_000)]
    workspace.fetch(make_card(url=server.address + "/f"))
    assert workspace.target.read_bytes() == BODY[::-1]
    assert ranges(server) == [None, None]


def test_parts_from_two_addresses_are_not_joined(server, workspace):
    server.script["/m/raw/x%20y.bin"] = [cut(Page(etag='"1"'), 100_000), *[status(503)] * 9]
    server.site["/f"] = Page(BODY[::-1], etag='"1"')
    workspace.fetch(make_card(url=server.address + "/f"), [server.address + "/m"])
    assert workspace.target.read_bytes() == BODY[::-1]


def test_a_weak_tag_names_no_version(server, workspace):
    server.site["/f"] = Page(BODY[::-1], etag='W/"1"')
    server.script["/f"] = [cut(Page(etag='W/"1"'), 100_000)]
    workspace.fetch(make_card(url=server.address + "/f"))
    assert ranges(server) == [None, None]


def test_a_range_that_cannot_be_had_starts_anew(server, workspace, card):
    page = Page(etag='"1"')
    server.script["/f"] = [cut(page, 100_000), status(416)]
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-", None]


def test_another_range_than_asked_for_starts_anew(server, workspace, card):
    def wrong(handler):
        named = {"Content-Range": f"bytes 5-9/{len(BODY)}", "Content-Length": "5"}
        handler.respond(206, named)
        handler.wfile.write(b"wrong")

    server.script["/f"] = [cut(Page(etag='"1"'), 100_000), wrong]
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=100000-", None]


def test_a_part_that_is_complete_is_not_asked_for(server, workspace, card):
    workspace.fetch(card)
    workspace.target.rename(workspace.part)
    workspace.part.with_name(workspace.part.name + ".json").write_text(
        f'{{"url": "{server.address}/f", "validator": null, "total": {len(BODY)}}}'
    )
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert len(server.asked) == 1


def test_attempts_end_and_what_came_is_kept(server, workspace, card):
    page = server.site["/f"] = Page(etag='"1"')
    server.script["/f"] = [cut(page, 100_000), *[status(503)] * 9]
    with pytest.raises(BlindfoldError, match=r"503 .*given up after 3 attempts"):
        workspace.fetch(card)
    assert len(server.asked) == 3
    assert kept(workspace) == ["x y.bin.partial", "x y.bin.partial.json"]
    server.script.clear()
    workspace.fetch(card)
    assert ranges(server)[-1] == "bytes=100000-"
    assert kept(workspace) == ["x y.bin"]


def test_a_body_of_unknown_length_is_measured_by_the_card(server, workspace, card):
    def short(handler):
        handler.respond(200, {"ETag": '"1"'})
        handler.wfile.write(BODY[:100])

    server.site["/f"].etag = '"1"'
    server.script["/f"] = [short]
    workspace.fetch(card)
    assert ranges(server) == [None, "bytes=100-"]


class SmallDisk(io.FileIO):
    """A file on a disk with room for so many bytes."""

    room = 200_000

    def write(self, piece):
        left = self.room - self.tell()
        if left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(piece[:left])


def test_a_full_disk_is_told_and_the_part_goes_on(server, workspace, card, monkeypatch):
    server.site["/f"].etag = '"1"'
    real = Path.open

    def small(path, mode="r", *args, **kwargs):
        if path.name.endswith(".partial") and "a" in mode:
            return io.BufferedWriter(SmallDisk(path, mode))
        return real(path, mode, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", small)
        with pytest.raises(BlindfoldError, match="No space left") as error:
            workspace.fetch(card)
    assert "free some space" in str(error.value)
    assert str(workspace.part) in str(error.value)
    assert not workspace.target.exists()
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=200000-"]


def test_a_full_disk_is_told_when_a_mirror_is_copied(workspace, monkeypatch):
    (workspace.root / "mirror/raw").mkdir(parents=True)
    (workspace.root / "mirror/raw/x y.bin").write_bytes(BODY)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("blindfold.fetch.sources.shutil.copyfileobj", full)
    with pytest.raises(BlindfoldError, match="No space left"):
        workspace.fetch(make_card(by_hand="bring it"), [str(workspace.root / "mirror")])
    assert kept(workspace) == []


JOB = """
import sys
from pathlib import Path
from blindfold.core.datasets import DatasetCard
from blindfold.fetch.fetch import fetch

card, record, cache = sys.argv[1:]
fetch(DatasetCard.model_validate_json(card), Path(record), Path(cache), [], False)
"""


def start(card, workspace, name):
    text = card.model_dump_json(exclude_unset=True)
    arguments = [text, str(workspace.root / name), str(workspace.cache)]
    return subprocess.Popen([sys.executable, "-c", JOB, *arguments])


def test_two_processes_download_once(server, workspace, card):
    def slow(handler):
        handler.server.over.wait(0.5)
        handler.serve(Page())

    server.script["/f"] = [slow]
    jobs = [start(card, workspace, f"{number}.json") for number in range(2)]
    assert [job.wait(30) for job in jobs] == [0, 0]
    assert len(server.asked) == 1
    assert sorted(path.name for path in workspace.root.glob("*.json")) == ["0.json", "1.json"]


def test_a_killed_download_is_resumed(server, workspace, card):
    page = server.site["/f"] = Page(etag='"1"')
    server.script["/f"] = [stall(page, 250_000)]
    job = start(card, workspace, "killed.json")
    deadline = time.monotonic() + 20
    while not (workspace.part.exists() and workspace.part.stat().st_size > 100_000):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(job.pid, signal.SIGKILL)
    job.wait(10)
    assert not workspace.target.exists()
    workspace.fetch(card)
    assert workspace.target.read_bytes() == BODY
    first, second = ranges(server)
    assert first is None
    assert int(second.removeprefix("bytes=").rstrip("-")) > 100_000

"""Checksums that are remembered by what `stat` says."""

import json
import os
from pathlib import Path

from blindfold.core import io
from blindfold.core.content import content


def test_a_file_is_read_again_only_where_it_may_have_changed(tmp_path: Path):
    path, known = tmp_path / "a", tmp_path / "known.json"
    path.write_bytes(b"one")
    assert content(path, known) == io.sha256(path)
    remembered = json.loads(known.read_text())
    (seen,) = remembered[str(path)]
    remembered[str(path)][seen] = "remembered"
    known.write_text(json.dumps(remembered))
    assert content(path, known) == "remembered"
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `cp -p` of another file does
    assert content(path, known) == io.sha256(path)


def test_no_file_has_no_content_and_a_damaged_memory_is_no_obstacle(tmp_path: Path):
    known = tmp_path / "known.json"
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert content(tmp_path / "none", known) is None
    for damaged in ("{", "[]", json.dumps({str(path): 1})):
        known.write_text(damaged)
        assert content(path, known) == io.sha256(path)

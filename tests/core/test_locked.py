"""Mirrors beside what was fetched before."""

from pathlib import Path

from blindfold.core import io
from blindfold.core.datasets import DatasetCard, RawFile
from blindfold.core.locked import LOCKFILE, changed_mirrors

FACTS = dict.fromkeys(("title", "organism", "tissue", "technology", "paper", "licence"), "none")


def test_a_mirror_that_holds_something_else_is_named_and_what_to_do(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache, mirror = tmp_path / "data", tmp_path / "mirror"
    mirror.mkdir()
    file = RawFile(path="a.h5", role="cells", url="https://example.org/a.h5")
    card = DatasetCard(**FACTS, modality="scrna", reader="h5ad", files=[file])
    (mirror / "a.h5").write_bytes(b"one")
    assert list(changed_mirrors([card], cache, [str(mirror)])) == [], "nothing was fetched yet"
    entry = {"sha256": io.sha256(mirror / "a.h5"), "bytes": 3, "url": "x", "first_seen": "now"}
    io.write_json(cache / LOCKFILE, {"a.h5": entry})
    assert list(changed_mirrors([card], cache, [str(mirror)])) == []
    (mirror / "a.h5").write_bytes(b"two")
    (told,) = changed_mirrors([card], cache, [str(mirror)])
    assert str(mirror / "a.h5") in told
    assert str(cache / "a.h5") in told

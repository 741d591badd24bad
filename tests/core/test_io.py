import errno
import os
from pathlib import Path

import pandas as pd
import pytest

from blindfold.core import io
from blindfold.core.errors import BlindfoldError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    io.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), io.atomic(path) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "word"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "read-only"), (errno.EACCES, "permission")],
)
def test_a_full_disk_and_the_like_are_explained(tmp_path, code, word):
    path = tmp_path / "a.txt"
    with pytest.raises(BlindfoldError, match=word) as error, io.atomic(path):
        raise OSError(code, os.strerror(code))
    assert "a.txt" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_really_full_disk(tmp_path):
    """The kernel's own full device stands in for a full disk."""
    with pytest.raises(BlindfoldError, match="free some space"), io.atomic(tmp_path / "a"):
        Path("/dev/full").write_text("x")


def test_a_file_where_a_folder_is_needed(tmp_path):
    (tmp_path / "results").write_text("")
    with pytest.raises(BlindfoldError, match="cannot write"):
        io.write_text(tmp_path / "results" / "a.txt", "x")


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"status": "o')
    with pytest.raises(BlindfoldError, match=r"damaged[\s\S]*run\.json"):
        io.read_json(path)


def test_a_truncated_h5ad_is_named(tmp_path, blinded):
    cut = tmp_path / "cut.h5ad"
    cut.write_bytes(blinded.read_bytes()[:-3000])
    with pytest.raises(BlindfoldError, match=r"truncated[\s\S]*cut\.h5ad"):
        io.read_h5ad(cut)


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError):
        io.write_json(tmp_path / "a.json", {"value": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_table_is_read_or_its_fault_is_named(tmp_path):
    path = tmp_path / "scores.parquet"
    with pytest.raises(BlindfoldError, match=r"not found[\s\S]*scores\.parquet"):
        io.read_parquet(path)
    table = pd.DataFrame({"cell": ["c1"], "cluster": [0]})
    io.write_parquet(path, table)
    pd.testing.assert_frame_equal(io.read_parquet(path, ["cell", "cluster"]), table)
    with pytest.raises(BlindfoldError, match=r"is missing[\s\S]*scores\.parquet[\s\S]*epoch"):
        io.read_parquet(path, ["cell", "epoch"])
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(BlindfoldError, match=r"truncated or damaged[\s\S]*scores\.parquet"):
        io.read_parquet(path)

"""Matrices in blocks: nothing lost between memory and disk, whatever the block's size."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindfold.core import blocks
from blindfold.core.errors import BlindfoldError

COUNTS = arrays(
    np.int64, st.tuples(st.integers(1, 20), st.integers(1, 7)), elements=st.integers(0, 4)
)


def frame_of(matrix):
    rows, columns = matrix.shape
    obs = pd.DataFrame(index=[f"c{i}" for i in range(rows)])
    frame = anndata.AnnData(
        None, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(columns)])
    )
    frame.obsm["spatial"] = np.arange(2.0 * rows).reshape(rows, 2)
    frame.uns["blindfold"] = {"unit": "pixel", "pitch": 1.5}
    return frame


@settings(max_examples=30, deadline=None)
@given(COUNTS, st.integers(1, 40), st.sampled_from([np.asarray, sp.csr_matrix, sp.csc_matrix]))
def test_written_in_blocks_and_read_by_anndata(tmp_path_factory, matrix, size, kind):
    path = tmp_path_factory.mktemp("blocks") / "a.h5ad"
    matrix = matrix.astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", size)
        patch.setattr(blocks, "CHUNK", 16)
        blocks.write_blocks(path, frame_of(matrix), blocks.row_blocks(kind(matrix)))
        with blocks.open_blocks(path) as (frame, stored):
            again = sp.vstack(list(blocks.row_blocks(stored))).toarray()
    read = anndata.read_h5ad(path)
    np.testing.assert_array_equal(read.X.toarray(), matrix)
    np.testing.assert_array_equal(again, matrix)
    assert list(frame.obs_names) == list(read.obs_names)
    np.testing.assert_array_equal(frame.obsm["spatial"], read.obsm["spatial"])
    assert dict(frame.uns["blindfold"]) == {"unit": "pixel", "pitch": 1.5}


def test_the_file_is_what_anndata_itself_writes(tmp_path):
    """Same groups, types and attributes; so any reader of h5ad files reads it."""
    matrix = sp.random(40, 9, 0.4, format="csr", dtype=np.float32, random_state=0)
    whole = frame_of(matrix)
    blocks.write_blocks(tmp_path / "blocks.h5ad", whole, [matrix])
    whole.X = matrix
    whole.write_h5ad(tmp_path / "whole.h5ad")

    def described(name):
        found = {}
        with h5py.File(tmp_path / name) as file:
            found["/"] = dict(file.attrs)
            file.visititems(
                lambda place, item: found.update(
                    {place: ({key: str(value) for key, value in item.attrs.items()},
                             getattr(item, "dtype", None), getattr(item, "shape", None))}
                )
            )  # fmt: skip
        return found

    assert described("blocks.h5ad") == described("whole.h5ad")


def test_a_failing_block_leaves_no_file(tmp_path):
    def failing():
        yield sp.csr_matrix(np.eye(3, dtype=np.float32))
        raise BlindfoldError("the disk is gone")

    with pytest.raises(BlindfoldError):
        blocks.write_blocks(tmp_path / "a.h5ad", frame_of(np.eye(6)), failing())
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "a.h5ad"
    for content, message in ((None, "not found"), (b"", "cannot read"), (b"text", "cannot read")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BlindfoldError, match=message), blocks.open_blocks(path):
            pass
    with h5py.File(path, "w") as file:
        file["matrix"] = 1
    with pytest.raises(BlindfoldError, match="no AnnData"), blocks.open_blocks(path):
        pass

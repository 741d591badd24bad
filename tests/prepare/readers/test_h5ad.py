"""The h5ad reader: where counts may lie, old files, large files, and files that are none."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from blindfold.core.blocks import row_blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.readers import h5ad, reader
from tests.conftest import MIRROR, needs_mirror
from tests.prepare.conftest import CARD, small_counts

ANY = DatasetCard.model_validate(CARD)


def in_memory(matrix):
    return sp.vstack(list(row_blocks(matrix))).toarray()


@pytest.fixture
def file(tmp_path):
    """Return a function that writes an AnnData and reads it back with the given options."""

    def read(adata, **options):
        adata.write_h5ad(tmp_path / "a.h5ad")
        return reader("h5ad")({"cells": tmp_path / "a.h5ad"}, options, ANY)

    return read


@pytest.fixture
def layered():
    """Return cells with logarithms in X, counts in raw (more genes) and in a layer."""
    counts = small_counts()
    adata = counts[:, :8].copy()
    adata.raw = counts
    adata.layers["counts"] = adata.X.copy()
    adata.X = np.log1p(adata.X.toarray())
    return adata


def test_counts_in_x_raw_or_a_layer(file, layered):
    counts = small_counts().X.toarray()
    np.testing.assert_allclose(np.expm1(in_memory(file(layered).X)), counts[:, :8], rtol=1e-5)
    raw = file(layered, layer="raw")
    np.testing.assert_array_equal(in_memory(raw.X), counts)
    assert list(raw.var_names) == [f"g{i}" for i in range(12)]
    np.testing.assert_array_equal(in_memory(file(layered, layer="counts").X), counts[:, :8])
    with pytest.raises(BlindfoldError, match="did you mean 'counts'"):
        file(layered, layer="count")


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_every_form_of_matrix_large_or_small(file, monkeypatch, kind, large):
    if large:
        monkeypatch.setattr(h5ad, "IN_MEMORY", 10)
    adata = small_counts()
    expected = adata.X.toarray()
    adata.X = kind(expected)
    read = file(adata)
    np.testing.assert_array_equal(in_memory(read.X), expected)
    on_disk = large and kind is not sp.csc_matrix
    assert on_disk == (not isinstance(read.X, np.ndarray) and not sp.issparse(read.X))


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("value", [1, 1.0, "1"])
def test_cells_are_kept_by_a_column(file, monkeypatch, value, large):
    if large:
        monkeypatch.setattr(h5ad, "IN_MEMORY", 10)
    adata = small_counts()
    adata.obs["Valid"] = [1.0, 0.0, np.nan] * 10
    adata.obsm["spatial"] = np.arange(60.0).reshape(30, 2)
    read = file(adata, where={"Valid": value, "site": "x"})
    wanted = [i for i in range(30) if i % 3 == 0 and i % 2 == 0]
    assert list(read.obs_names) == [f"cell{i}" for i in wanted]
    np.testing.assert_array_equal(in_memory(read.X), adata.X[wanted].toarray())
    np.testing.assert_array_equal(read.obsm["spatial"], adata.obsm["spatial"][wanted])
    with pytest.raises(BlindfoldError, match="no cell is left"):
        file(adata, where={"Valid": 2})


def test_coordinates_and_names_from_columns(file):
    adata = small_counts()
    adata.obs["x"], adata.obs["y"] = np.arange(30.0), np.arange(30.0)[::-1]
    adata.obs["id"] = [f"id{i}" for i in range(30)]
    adata.obsm["places"] = np.ones((30, 2))
    assert "spatial" not in file(adata).obsm
    read = file(adata, coordinates=["x", "y"], cell_column="id")
    np.testing.assert_array_equal(read.obsm["spatial"], adata.obs[["x", "y"]])
    assert list(read.obs_names) == list(adata.obs.id)
    assert (file(adata, coordinates="places").obsm["spatial"] == 1).all()
    for options, words in (
        ({"coordinates": "place"}, "did you mean 'places'"),
        ({"coordinates": ["x", "z"]}, "there is no 'z'"),
        ({"cell_column": "ids"}, "did you mean 'id'"),
        ({"where": {"sites": "x"}}, "did you mean 'site'"),
    ):
        with pytest.raises(BlindfoldError, match=words):
            file(adata, **options)


@pytest.mark.parametrize(("log", "base"), [("log1p", np.e), ("log2p1", 2), ("log10p1", 10)])
def test_logarithms_are_undone(file, log, base):
    adata = small_counts()
    counts = adata.X.toarray().astype(float)
    for matrix in (np.log1p(counts) / np.log(base), sp.csr_matrix(np.log1p(counts) / np.log(base))):
        adata.X = matrix
        np.testing.assert_allclose(in_memory(file(adata, log=log).X), counts, rtol=1e-6)


def test_files_that_are_no_h5ad(tmp_path, file):
    file(small_counts())
    whole = (tmp_path / "a.h5ad").read_bytes()
    contents = {
        "empty": (b"", "the file is empty"),
        "page": (b"<!doctype html><title>Log in</title>", "a web page"),
        "zip": (b"PK\x03\x04rest", "unpack it first"),
        "text": (b"cell,gene\n", "not an HDF5 file"),
        "cut": (whole[: len(whole) // 2], "truncated or damaged"),
    }
    for name, (content, message) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BlindfoldError, match=message) as error:
            reader("h5ad")({"cells": path}, {}, ANY)
        assert str(path) in str(error.value)
    for path, message in (
        (tmp_path, "a folder, not a file"),
        (tmp_path / "nowhere", "file not found"),
    ):
        with pytest.raises(BlindfoldError, match=message):
            reader("h5ad")({"cells": path}, {}, ANY)


def test_another_hdf5_file_is_named(tmp_path):
    with h5py.File(tmp_path / "x.loom", "w") as other:
        other["matrix"] = np.eye(3)
    with pytest.raises(BlindfoldError, match=r"no AnnData(.|\n)*matrix"):
        reader("h5ad")({"cells": tmp_path / "x.loom"}, {}, ANY)


def test_a_file_of_a_later_version(tmp_path, file):
    file(small_counts())
    with h5py.File(tmp_path / "a.h5ad", "r+") as changed:
        changed["obs"].attrs["encoding-version"] = "9.9.9"
    with pytest.raises(BlindfoldError, match="another version of anndata"):
        reader("h5ad")({"cells": tmp_path / "a.h5ad"}, {}, ANY)


@needs_mirror
def test_an_old_file_equals_an_independent_reading():
    path = MIRROR / "paul15/paul15_cluster.h5ad"
    read = reader("h5ad")({"cells": path}, {}, ANY)
    with h5py.File(path) as old:
        np.testing.assert_array_equal(in_memory(read.X), old["X"][:])
        names = old["uns/paul15_clusters_categories"][:].astype(str)
        codes = old["obs"]["paul15_clusters"]
        genes = old["var"]["index"].astype(str)
    assert list(read.obs.paul15_clusters) == list(names[codes])
    assert list(read.var_names) == list(genes)


@needs_mirror
def test_a_log_normalised_file_is_brought_to_the_linear_scale():
    path = MIRROR / "merfish_hypo_p006/MERFISH_0.06_adata.h5ad"
    options = {"coordinates": ["x", "y"], "log": "log1p"}
    read = reader("h5ad")({"cells": path}, options, ANY)
    with h5py.File(path) as stored:
        expected = np.expm1(stored["X"][:].astype(float))
        places = np.column_stack([stored["obs/x"][:], stored["obs/y"][:]])
    np.testing.assert_allclose(in_memory(read.X), expected, rtol=1e-6)
    np.testing.assert_allclose(in_memory(read.X).sum(axis=1), 10_000, rtol=1e-4)
    np.testing.assert_array_equal(read.obsm["spatial"], places)


def test_the_index_may_be_numbers(file):
    adata = small_counts()
    adata.obs_names = [str(i) for i in range(30)]
    assert list(file(adata).obs_names[:2]) == ["0", "1"]
    assert isinstance(file(adata).obs, pd.DataFrame)

"""The standard form, and everything that is refused on the way to it."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from blindfold.core import cards
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.fetch.fetch import fetch
from blindfold.prepare.check import check_coordinates, check_counts
from blindfold.prepare.prepare import prepare
from blindfold.prepare.readers import find_readers, reader
from blindfold.prepare.standard import pitch, standardise


@pytest.fixture
def at(tmp_path):
    return Layout(tmp_path / "results")


def test_the_standard_form(small_card, at):
    cache, counts = small_card()
    adata = anndata.read_h5ad(prepare("small", cache, at))
    np.testing.assert_array_equal(adata.X.toarray(), counts)
    assert isinstance(adata.X, sp.csr_matrix)
    assert adata.X.dtype == np.float32
    assert list(adata.obs.columns) == ["kind"]
    assert list(adata.obs_names[:2]) == ["cell0", "cell1"]
    assert adata.uns["blindfold"] == {"technology": "t"}
    assert adata.raw is None
    assert not adata.obsm


def test_repetition_gives_the_same_bytes(small_card, at, tmp_path):
    cache, _ = small_card()
    other = Layout(tmp_path / "again")
    assert prepare("small", cache, at).read_bytes() == prepare("small", cache, other).read_bytes()


def test_permuting_changes_nothing_but_the_label(small_card, at, tmp_path):
    cache, _ = small_card(lambda raw: raw.obs.__setitem__("site", ["x", "y"] * 15), batch="site")
    plain = anndata.read_h5ad(prepare("small", cache, at))
    permuted = anndata.read_h5ad(prepare("small", cache, Layout(tmp_path / "p"), permute=True))
    assert (plain.obs.kind != permuted.obs.kind).any()
    assert plain.obs.kind.value_counts().to_dict() == permuted.obs.kind.value_counts().to_dict()
    pd.testing.assert_series_equal(plain.obs.site, permuted.obs.site)
    assert (plain.X != permuted.X).nnz == 0
    assert plain.obs_names.equals(permuted.obs_names)


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        ({"expected": {"cells": 31, "genes": 12}}, "expected.cells"),
        ({"expected": {"cells": 30, "genes": 13}}, "expected.genes"),
        ({"expected": {"cells": 30, "genes": 12, "classes": 4}}, "expected.classes"),
        ({"label": "kinds"}, "did you mean 'kind'"),
        ({"reader": "log_normalized"}, "did you mean 'log_normalised'"),
        ({"options": {"target_sums": 1}}, "did you mean 'target_sum'"),
        ({"options": {"target_sum": 1234}}, "no log-normalised counts"),
        ({"modality": "spatial"}, "no coordinates"),
        ({"image": True}, "no image"),
    ],
)
def test_what_differs_from_the_card_is_refused(small_card, at, differs, message):
    cache, _ = small_card(**differs)
    with pytest.raises(BlindfoldError, match=message):
        prepare("small", cache, at)
    assert not at.prepared("small").exists()


def test_raw_files_must_have_been_fetched(small_card, at, tmp_path):
    small_card()
    with pytest.raises(BlindfoldError, match="blindfold fetch small"):
        prepare("small", tmp_path / "elsewhere", at)


def test_a_role_that_the_reader_needs_is_named(small_card, at):
    file = {"path": "a.h5ad", "role": "spots", "sha256": "0" * 64, "bytes": 1, "url": "http://x"}
    cache, _ = small_card(files=[file])
    with pytest.raises(BlindfoldError, match="role 'cells'"):
        prepare("small", cache, at)


def test_a_damaged_raw_file_is_named(small_card, at):
    cache, _ = small_card()
    raw = cache / "small" / "a.h5ad"
    raw.write_bytes(raw.read_bytes()[:1000])
    with pytest.raises(BlindfoldError, match="truncated") as error:
        prepare("small", cache, at)
    assert str(raw) in str(error.value)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, -1], [1, 1]], "1 values are no counts"),
        ([[1, 0.5], [1, 1]], "no counts"),
        ([[1, np.nan], [np.inf, 1]], "2 values are no counts"),
        ([[1, 2**25], [1, 1]], "no counts"),
        ([[0, 0], [1, 1]], "1 cells without any count"),
    ],
)
def test_what_is_no_count_is_refused(tmp_path, matrix, message):
    names = pd.Index(["a", "b"])
    with pytest.raises(BlindfoldError, match=message):
        check_counts(sp.csr_matrix(np.array(matrix, dtype=float)), names, names, tmp_path)


def test_names_must_be_unique(tmp_path):
    one, two = pd.Index(["a", "a"]), pd.Index(["a", "b"])
    for cells, genes, what in (
        (one, two, "a cell stands twice"),
        (two, one, "a gene stands twice"),
    ):
        with pytest.raises(BlindfoldError, match=what):
            check_counts(sp.csr_matrix(np.eye(2)), cells, genes, tmp_path)


def test_positions_must_be_finite(tmp_path):
    with pytest.raises(BlindfoldError, match="row 1"):
        check_coordinates(np.array([[0, 1], [np.nan, 1]]), 2, tmp_path)
    with pytest.raises(BlindfoldError, match="wrong shape"):
        check_coordinates(np.zeros((2, 3)), 2, tmp_path)


def test_missing_and_empty_labels_stay_missing(small_card, tmp_path):
    small_card(expected={"cells": 4, "genes": 2, "classes": 2}, label="kind")
    obs = pd.DataFrame({"kind": pd.Categorical(["b", None, "", "a"])}, index=list("wxyz"))
    made = standardise(
        anndata.AnnData(np.ones((4, 2)), obs=obs), cards.dataset_card("small"), tmp_path
    )
    assert made.obs.kind.isna().tolist() == [False, True, True, False]
    assert list(made.obs.kind.cat.categories) == ["a", "b"]


def test_pitch_is_the_median_nearest_distance():
    assert pitch(np.array([[0.0, 0], [0, 2], [0, 4], [50, 0]])) == 2


def test_readers_are_found_by_looking():
    assert {"log_normalised", "mosaic"} <= set(find_readers())
    assert all(callable(reader(name)) for name in find_readers())


def test_the_packaged_cells(tmp_path, at):
    """Normalising the counts gives back what an independent reading finds in the file."""
    import h5py

    fetch("pbmc68k", tmp_path / "cache", [], True)
    adata = anndata.read_h5ad(prepare("pbmc68k", tmp_path / "cache", at))
    assert adata.shape == (700, 765)
    with h5py.File(tmp_path / "cache/pbmc68k/datasets/10x_pbmc68k_reduced.h5ad") as file:
        parts = [file["raw.X"][key][:] for key in ("data", "indices", "indptr")]
        obs = file["obs"][:]
    values = sp.csr_matrix(tuple(parts), shape=(700, 765))
    n_counts = obs["n_counts"].astype(float)
    assert list(adata.obs_names) == [name.decode() for name in obs["index"]]
    again = np.log1p(adata.X.toarray() * 1e4 / n_counts[:, None])
    np.testing.assert_allclose(again, values.toarray(), atol=6e-4)
    assert adata.obs.bulk_labels.nunique() == 10

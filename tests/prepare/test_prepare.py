"""The standard form, and everything that is refused on the way to it."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from blindfold.core.datasets import dataset_card
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.prepare.prepare import prepare
from blindfold.prepare.readers import find_readers, reader
from tests.prepare.conftest import PACKAGED, record, small_counts


def prepared(card, at, **how):
    return anndata.read_h5ad(prepare("small", card, at, **how))


def test_the_standard_form(small, at):
    raw = small_counts()
    raw.uns["kind_colors"] = ["red"]
    raw.obsm["X_umap"] = np.zeros((30, 2))
    raw.var["mean"] = 1.0
    adata = prepared(small(raw), at)
    np.testing.assert_array_equal(adata.X.toarray(), raw.X.toarray())
    assert isinstance(adata.X, sp.csr_matrix)
    assert (adata.X.dtype, adata.X.indices.dtype, adata.X.indptr.dtype) == ("f4", "i4", "i4")
    assert list(adata.obs.columns) == ["kind"]
    assert list(adata.obs_names[:2]) == ["cell0", "cell1"]
    assert list(adata.var_names[:2]) == ["g0", "g1"]
    assert adata.uns["blindfold"] == {"technology": "t"}
    assert adata.raw is None
    assert not adata.obsm
    assert not len(adata.var.columns)


def test_repetition_gives_the_same_bytes(small, at, tmp_path):
    card = small()
    other = Layout(tmp_path / "again")
    other.fetched("small").parent.mkdir(parents=True)
    other.fetched("small").write_bytes(at.fetched("small").read_bytes())
    assert prepare("small", card, at).read_bytes() == prepare("small", card, other).read_bytes()


def test_permuting_changes_nothing_but_the_labels(small, at):
    raw = small_counts()
    raw.obs["fine"] = raw.obs["kind"] + "1"
    card = small(raw, batch="site", label={"column": "kind", "more": ["fine"]})
    plain, permuted = prepared(card, at), prepared(card, at, permute=True)
    assert (plain.obs.kind != permuted.obs.kind).any()
    assert plain.obs.kind.value_counts().to_dict() == permuted.obs.kind.value_counts().to_dict()
    # both label columns move together
    assert (permuted.obs.fine.astype(str) == permuted.obs.kind.astype(str) + "1").all()
    pd.testing.assert_series_equal(plain.obs.site, permuted.obs.site)
    assert (plain.X != permuted.X).nnz == 0
    assert plain.obs_names.equals(permuted.obs_names)


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        ({"expected": {"cells": 31}}, "expected.cells"),
        ({"expected": {"genes": 13}}, "expected.genes"),
        ({"expected": {"classes": 4}}, "expected.classes"),
        ({"expected": {"labelled": 29}}, "expected.labelled"),
        ({"expected": {"class_sizes": {"a": 10, "b": 10, "c": 9}}}, "expected.class_sizes"),
        ({"expected": {"classes": 3}, "label": None}, "expected.classes"),
        ({"label": "kinds"}, "did you mean 'kind'"),
        ({"batch": "sit"}, "did you mean 'site'"),
        ({"reader": "h5a"}, "did you mean 'h5ad'"),
        ({"options": {"layers": "X"}}, "did you mean 'layer'"),
        ({"modality": "spatial"}, "no coordinates"),
        ({"quality": {"min_genes": 13}}, "no cell is left"),
        ({"quality": {"min_cells": 31}}, "no gene is left"),
    ],
)
def test_what_differs_from_the_card_is_refused(small, at, differs, message):
    card = small(**differs)
    with pytest.raises(BlindfoldError, match=message):
        prepare("small", card, at)
    assert not at.prepared("small").exists()


def test_what_the_card_expects_is_accepted(small, at):
    facts = {"cells": 30, "genes": 12, "classes": 3, "labelled": 30}
    prepare("small", small(expected=facts | {"class_sizes": dict.fromkeys("abc", 10)}), at)


def test_raw_files_must_have_been_fetched(small, at, tmp_path):
    card = small()
    (tmp_path / "a.h5ad").unlink()
    with pytest.raises(BlindfoldError, match="blindfold fetch"):
        prepare("small", card, at)
    record(at, "small", [])
    with pytest.raises(BlindfoldError, match="was not fetched"):
        prepare("small", card, at)


def test_a_role_that_the_reader_needs_is_named(small, at):
    card = small(files=[{"path": "small/a.h5ad", "role": "spots", "url": "http://x"}])
    with pytest.raises(BlindfoldError, match="role 'cells'"):
        prepare("small", card, at)


def test_unlabelled_cells_stay_unless_the_card_says_otherwise(small, at):
    raw = small_counts()
    raw.obs.loc["cell4", "kind"] = None
    assert prepared(small(raw), at).shape == (30, 12)
    audit = small(raw, drop_unlabelled=True)
    left = prepared(audit, at)
    assert list(left.obs_names) == [name for name in raw.obs_names if name != "cell4"]
    assert audit.audit == "unlabelled cells dropped"


def test_a_degraded_dataset_is_made_from_the_standard_form(small, at):
    whole = prepared(small(), at)
    card = small(degrade={"cells": 0.5}, expected={"cells": 30})
    half = prepared(card, at)
    assert half.n_obs == 15
    back = whole[half.obs_names]
    np.testing.assert_array_equal(half.X.toarray(), back.X.toarray())
    assert (half.obs.kind.astype(str) == back.obs.kind.astype(str)).all()


def test_readers_are_found_by_looking():
    assert {"h5ad", "log_normalised", "mosaic"} <= set(find_readers())
    assert all(callable(reader(name)) for name in find_readers())


def test_the_packaged_cells(at):
    """Normalising the counts gives back what an independent reading finds in the file."""
    card = dataset_card("pbmc68k")
    record(at, "pbmc68k", [(card.files[0].path, "cells", PACKAGED)])
    adata = anndata.read_h5ad(prepare("pbmc68k", card, at))
    assert adata.shape == (700, 765)
    with h5py.File(PACKAGED) as file:
        parts = [file["raw.X"][key][:] for key in ("data", "indices", "indptr")]
        obs = file["obs"][:]
    values = sp.csr_matrix(tuple(parts), shape=(700, 765))
    n_counts = obs["n_counts"].astype(float)
    assert list(adata.obs_names) == [name.decode() for name in obs["index"]]
    again = np.log1p(adata.X.toarray() * 1e4 / n_counts[:, None])
    np.testing.assert_allclose(again, values.toarray(), atol=6e-4)
    assert adata.obs.bulk_labels.nunique() == 10

"""R data files: what `rdata` writes, and the objects of the mirror."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import rdata
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.reading import match_rows
from tests.conftest import MIRROR, needs_mirror
from tests.prepare.readers.some_card import read

COUNTS = np.random.default_rng(3).poisson(1.0, (4, 3)).astype(float)
CELLS = ["d1_a", "d2_b", "d1_c", "d2_d"]
FRAME = pd.DataFrame(COUNTS, index=CELLS, columns=["g1", "g2", "g3"])
TABLE = pd.DataFrame(
    {"kind": ["x", "y", "z", "w"], "east": [1.0, 2, 3, 4], "north": [5.0, 6, 7, 8]},
    index=["d2_d", "d1_a", "d2_b", "d1_c"],
)


@pytest.fixture
def write(tmp_path):
    def write(**objects):
        rdata.write_rda(tmp_path / "a.rda", objects)
        return tmp_path / "a.rda"

    return write


def named(values, cells, genes):
    """Return genes x cells, as R keeps them."""
    coords = {"dim_0": genes, "dim_1": cells}
    return xarray.DataArray(values.T, dims=("dim_0", "dim_1"), coords=coords)


@pytest.fixture
def parsed(monkeypatch, tmp_path):
    """Make the parser return these objects: not all kinds can be written."""

    def parsed(**objects):
        monkeypatch.setattr(rdata, "read_rda", lambda file: objects)
        return tmp_path / "a.rda"

    return parsed


def test_data_frames_are_joined_by_name(write):
    path = write(count=FRAME, meta=TABLE)
    adata = read(
        "rdata", path, matrix=["count"], cells="rows", obs=["meta"], coordinates=["east", "north"]
    )
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert list(adata.obs_names) == CELLS
    assert list(adata.var_names) == ["g1", "g2", "g3"]
    assert list(adata.obs["kind"]) == ["y", "z", "w", "x"]
    np.testing.assert_array_equal(adata.obsm["spatial"], [[2, 6], [3, 7], [4, 8], [1, 5]])


def test_a_key_column_instead_of_row_names(write):
    table = TABLE.reset_index(names="id")
    path = write(count=FRAME, meta=table)
    adata = read("rdata", path, matrix=["count"], cells="rows", obs=["meta"], obs_key="id")
    assert list(adata.obs["kind"]) == ["y", "z", "w", "x"]


def test_a_bare_matrix_has_no_names(write):
    path = write(all={"in": [COUNTS.T.copy(), COUNTS.T + 1]}, truth=np.array(["a", "b", "a", "b"]))
    adata = read("rdata", path, matrix=["all", "in", 1], labels=["truth"])
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS + 1)
    assert list(adata.obs["kind"]) == ["a", "b", "a", "b"]
    assert list(adata.obs_names[:2]) == ["row-1", "row-2"]
    assert list(adata.var_names[:2]) == ["gene-1", "gene-2"]


def test_named_matrix_and_named_labels(parsed):
    labels = xarray.DataArray(["w", "z", "y", "x"], dims=("dim_0",), coords={"dim_0": CELLS[::-1]})
    path = parsed(m=named(COUNTS, CELLS, ["a", "b", "c"]), truth=labels)
    adata = read("rdata", path, matrix=["m"], labels=["truth"], name_part={"donor": "^(d[0-9])"})
    assert list(adata.obs["kind"]) == ["x", "y", "z", "w"]
    assert list(adata.obs["donor"]) == ["d1", "d2", "d1", "d2"]


def test_a_sparse_matrix_in_an_object(parsed):
    import scipy.sparse as sp

    columns = sp.csc_matrix(COUNTS.T)
    matrix = SimpleNamespace(
        x=columns.data, i=columns.indices, p=columns.indptr, Dim=np.array([3, 4]),
        Dimnames=[np.array(["a", "b", "c"]), np.array(CELLS)],
    )  # fmt: skip
    seurat = SimpleNamespace(**{
        "assays": {"RNA": SimpleNamespace(counts=matrix)},
        "meta.data": TABLE,
    })  # fmt: skip
    path = parsed(list=[seurat])
    adata = read(
        "rdata", path, matrix=["list", 0, "assays", "RNA", "counts"], obs=["list", 0, "meta.data"]
    )
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert list(adata.var_names) == ["a", "b", "c"]
    assert list(adata.obs["kind"]) == ["y", "z", "w", "x"]
    matrix.Dimnames = [None, None]
    adata = read("rdata", path, matrix=["list", 0, "assays", "RNA", "counts"])
    assert list(adata.obs_names[:1]) == ["row-1"]


def test_missing_numbers_and_labels_stay_missing(write):
    table = pd.DataFrame({"a": [1.0, np.nan], "b": [0.0, 2.0]}, index=["x", "y"])
    path = write(m=table, truth=np.array(["one", None], dtype=object))
    adata = read("rdata", path, matrix=["m"], cells="rows", labels=["truth"])
    assert np.isnan(adata.X.toarray()).tolist() == [[False, False], [True, False]]
    assert list(adata.obs["kind"]) == ["one", ""]


def test_logarithms_are_undone_and_wrong_genes_erased(write):
    path = write(m=np.log2(1 + FRAME))
    options = {"matrix": ["m"], "cells": "rows", "log": "log2p1"}
    np.testing.assert_allclose(read("rdata", path, **options).X.toarray(), COUNTS, atol=1e-12)
    erased = read("rdata", path, **options, erase=["g2"]).X.toarray()
    np.testing.assert_allclose(erased, COUNTS * [1, 0, 1], atol=1e-12)
    with pytest.raises(BlindfoldError, match=r"'g9'(.|\n)*erase"):
        read("rdata", path, **options, erase=["g9"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"matrix": ["cont"]}, r"no 'cont' in the file(.|\n)*did you mean 'count'"),
        ({"matrix": ["list", 7]}, r"no 7 in list"),
        ({"matrix": ["truth"]}, r"there is no matrix(.|\n)*ndarray at truth"),
        ({"matrix": ["count"], "labels": ["truth"]}, r"labels: another(.|\n)*found: +2"),
        ({"matrix": ["count"], "cells": "rows", "obs": ["few"]}, r"1 of 4 cells(.|\n)*'d2_d'"),
        ({"matrix": ["count"], "cells": "rows", "obs": ["meta"], "obs_key": "id"}, "no 'id'"),
        (
            {"matrix": ["count"], "cells": "rows", "name_part": {"donor": "^x(.)"}},
            r"4 cell names(.|\n)*d1_a",
        ),
        ({"matrix": ["count"], "coordinates": ["x", "y"]}, r"no 'x'(.|\n)*options\.coordinates"),
        ({"matrix": []}, "matrix"),
    ],
)
def test_what_is_wrong_is_told(write, options, message):
    few = TABLE.drop(index="d2_d")
    path = write(count=FRAME, meta=TABLE, few=few, truth=np.array(["a", "b"]), list=[COUNTS])
    with pytest.raises(BlindfoldError, match=message):
        read("rdata", path, **options)


def test_no_r_file(tmp_path):
    (tmp_path / "a.rda").write_text("<!doctype html>")
    with pytest.raises(BlindfoldError, match=r"cannot read the file(.|\n)*a\.rda(.|\n)*R data"):
        read("rdata", tmp_path / "a.rda", matrix=["m"])


@needs_mirror
def test_a_truncated_file_is_told(tmp_path):
    whole = (MIRROR / "goolam" / "Goolam.rda").read_bytes()
    (tmp_path / "a.rda").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BlindfoldError, match="truncated"):
        read("rdata", tmp_path / "a.rda", matrix=["Goolam", "data"])


@needs_mirror
def test_a_seurat_object_is_read_without_warnings(recwarn):
    folder = MIRROR / "dlpfc_151510"
    adata = read(
        "rdata", folder / "dlpfc151510.rda", label="annotation",
        matrix=["dlpfc151510", "assays", "RNA", "counts"], obs=["dlpfc151510", "meta.data"],
        coordinates=["col", "row"],
    )  # fmt: skip
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]
    assert adata.shape == (4634, 500)
    # a second source: the publisher's table of the slice
    table = pd.read_csv(folder / "metadata.tsv", sep="\t", index_col=0)
    layer = table["layer_guess"].reindex(adata.obs_names)
    assert (adata.obs["annotation"].fillna("") == layer.fillna("").to_numpy()).all()
    places = pd.read_csv(folder / "tissue_positions_list.csv", header=None, index_col=0)
    np.testing.assert_array_equal(adata.obsm["spatial"], places.loc[adata.obs_names, [3, 2]])
    # and sums over genes, kept by the packager
    found = adata.obs["nCount_RNA"].to_numpy(dtype=float)
    np.testing.assert_array_equal(np.asarray(adata.X.sum(axis=1)).ravel(), found)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_a_join_ignores_the_order_of_rows(order, n):
    table = pd.DataFrame({"value": [f"of c{i}" for i in order]})
    cells = [f"c{i}" for i in range(n)]
    joined = match_rows(table, [f"c{i}" for i in order], cells, "a.rda")
    assert list(joined["value"]) == [f"of {cell}" for cell in cells]


def test_a_cell_with_two_rows_is_refused():
    table = pd.DataFrame({"value": [1, 2]})
    with pytest.raises(BlindfoldError, match=r"several rows(.|\n)*c0"):
        match_rows(table, ["c0", "c0"], ["c0"], "a.rda")

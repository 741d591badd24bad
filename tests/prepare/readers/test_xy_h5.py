"""The HDF5 layouts of the deep clustering papers."""

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from blindfold.core.errors import BlindfoldError
from tests.prepare.readers.some_card import read

COUNTS = np.random.default_rng(0).poisson(0.7, (20, 9))


@pytest.fixture
def write(tmp_path):
    def write(**members):
        path = tmp_path / "data.h5"
        with h5py.File(path, "w") as file:
            for name, value in members.items():
                file[name.replace("__", "/")] = value
        return path

    return write


def names(stem, n):
    return np.array([f"{stem}{i}" for i in range(n)], dtype="S")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint16"])
def test_x_and_y(write, dtype):
    labels = np.arange(20) % 3 + 1.0
    adata = read("xy_h5", write(X=COUNTS.astype(dtype), Y=labels, ADT_X=np.ones((20, 4))))
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    np.testing.assert_array_equal(adata.obs["kind"], labels)
    assert list(adata.obs_names[:2]) == ["row-1", "row-2"]
    assert list(adata.var_names[-2:]) == ["gene-8", "gene-9"]


def test_labels_may_be_words_or_a_column(write):
    words = np.array(["T cell", "B cell"] * 10, dtype="S")
    assert list(read("xy_h5", write(X=COUNTS, Y=words)).obs["kind"][:2]) == ["T cell", "B cell"]
    column = np.arange(20)[:, None]
    assert list(read("xy_h5", write(X=COUNTS, Y=column)).obs["kind"]) == list(range(20))


def test_no_labels_are_no_fault_of_the_reader(write):
    assert "kind" not in read("xy_h5", write(X=COUNTS)).obs


def exprs(dense):
    if dense:
        return {"exprs": COUNTS.astype("float64")}
    matrix = sp.csr_matrix(COUNTS)
    parts = {part: getattr(matrix, part) for part in ("data", "indices", "indptr")}
    return {f"exprs__{name}": value for name, value in {**parts, "shape": COUNTS.shape}.items()}


@pytest.mark.parametrize("dense", [True, False])
def test_exprs_with_obs(write, dense):
    types = np.array(["alpha", "beta", "gamma", "delta"] * 5, dtype="S")
    path = write(
        **exprs(dense), obs__cell_type1=types, obs__age=np.arange(20), obs__plate__deep=types,
        obs_names=names("cell", 20), var_names=names("Gene", 9), var__length=np.ones(9),
        uns__note=np.bytes_("x"),
    )  # fmt: skip
    adata = read("xy_h5", path, label="cell_type1")
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert list(adata.obs["cell_type1"]) == [value.decode() for value in types]
    assert list(adata.obs["age"]) == list(range(20))
    assert set(adata.obs) == {"cell_type1", "age"}
    assert adata.obs_names[3] == "cell3"
    assert adata.var_names[8] == "Gene8"


def test_dictionary_encoded_types(write):
    codes = np.array([0, 1, -1, 1] * 5)
    path = write(
        **exprs(True), obs_names=names("cell", 20), var_names=names("Gene", 9),
        obs__cell_ontology_class__categories=np.array(["a", "b"], dtype="S"),
        obs__cell_ontology_class__codes=codes,
    )  # fmt: skip
    adata = read("xy_h5", path, label="cell_ontology_class")
    assert list(adata.obs["cell_ontology_class"][:4]) == ["a", "b", "", "b"]


def test_a_large_matrix_is_read_in_blocks(write, monkeypatch):
    path = write(X=COUNTS, Y=np.arange(20))
    monkeypatch.setattr("blindfold.core.blocks.BLOCK", 3 * 9)
    np.testing.assert_array_equal(read("xy_h5", path).X.toarray(), COUNTS)


def test_what_is_wrong_is_told(write, tmp_path):
    with pytest.raises(BlindfoldError, match=r"another length(.|\n)*found: +7(.|\n)*expected: +20"):
        read("xy_h5", write(X=COUNTS, Y=np.arange(7)))
    with pytest.raises(BlindfoldError, match=r"neither of the known(.|\n)*counts(.|\n)*X and Y"):
        read("xy_h5", write(counts=COUNTS))
    (tmp_path / "text.h5").write_text("cell,gene\n")
    with pytest.raises(BlindfoldError, match=r"HDF5(.|\n)*text\.h5"):
        read("xy_h5", tmp_path / "text.h5")
    with pytest.raises(BlindfoldError, match="unknown key 'layer'"):
        read("xy_h5", write(X=COUNTS), layer="X")

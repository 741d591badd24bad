"""MATLAB files of both kinds."""

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.io import savemat

from blindfold.core.errors import BlindfoldError
from tests.prepare.readers.some_card import read

COUNTS = np.random.default_rng(5).poisson(1.0, (5, 3)).astype(float)  # cells x genes
TYPES = ["a", "bb", "a", "", "ccc"]
GENES = ["Gad2", "Sox2", "x"]


def cellstr(words):
    """Return what MATLAB's cell array of strings is for `savemat`."""
    column = np.empty((len(words), 1), dtype=object)
    column[:, 0] = words
    return column


@pytest.fixture
def old(tmp_path):
    variables = {
        "in_X": COUNTS, "sparse": sp.csc_matrix(COUNTS.T), "types": cellstr(TYPES),
        "genes": cellstr(GENES).T, "true_labs": np.array([[1.0], [2], [1], [3], [2]]),
    }  # fmt: skip
    savemat(tmp_path / "old.mat", variables)
    return tmp_path / "old.mat"


@pytest.fixture
def new(tmp_path):
    """Write version 7.3 as MATLAB does: transposed, and strings as codes behind references."""
    path = tmp_path / "new.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["in_X"] = COUNTS.T
        columns = sp.csc_matrix(COUNTS.T)
        group = file.create_group("sparse")
        group.attrs["MATLAB_sparse"] = np.uint64(3)
        group["data"], group["ir"] = columns.data, columns.indices.astype(np.uint64)
        group["jc"] = columns.indptr.astype(np.uint64)
        empty = file.create_group("empty")
        empty.attrs["MATLAB_sparse"] = np.uint64(5)
        empty["jc"] = np.zeros(4, dtype=np.uint64)
        file["true_labs"] = np.array([[1.0, 2, 1, 3, 2]])
        for name, words, shape in (("types", TYPES, (1, 5)), ("genes", GENES, (3, 1))):
            references = np.empty(shape, dtype=h5py.ref_dtype)
            for i, word in enumerate(words):
                codes = np.array([[ord(c)] for c in word] or [[0], [0]], dtype=np.uint16)
                file[f"#refs#/{name}{i}"] = codes
                references[np.unravel_index(i, shape)] = file[f"#refs#/{name}{i}"].ref
            file.create_dataset(name, data=references, dtype=h5py.ref_dtype)
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["old", "new"])
def test_full_and_sparse_either_way_round(kind, request):
    path = request.getfixturevalue(kind)
    full = read("matlab", path, matrix="in_X", labels="true_labs")
    np.testing.assert_array_equal(full.X.toarray(), COUNTS)
    assert list(full.obs["kind"]) == [1, 2, 1, 3, 2]
    assert list(full.obs_names[:1]) == ["row-1"]
    sparse = read("matlab", path, matrix="sparse", cells="columns", labels="types", gene="genes")
    np.testing.assert_array_equal(sparse.X.toarray(), COUNTS)
    assert list(sparse.obs["kind"]) == TYPES
    assert list(sparse.var_names) == GENES


def test_a_sparse_matrix_without_entries(new):
    assert read("matlab", new, matrix="empty").X.nnz == 0


def test_logarithms_are_undone(tmp_path):
    savemat(tmp_path / "a.mat", {"X": np.log1p(COUNTS)})
    adata = read("matlab", tmp_path / "a.mat", matrix="X", log="log1p")
    np.testing.assert_allclose(adata.X.toarray(), COUNTS, atol=1e-12)


@pytest.mark.parametrize("kind", ["old", "new"])
def test_what_is_wrong_is_told(kind, request, tmp_path):
    path = request.getfixturevalue(kind)
    with pytest.raises(BlindfoldError, match=r"no 'inX'(.|\n)*did you mean 'in_X'"):
        read("matlab", path, matrix="inX")
    with pytest.raises(BlindfoldError, match=r"labels: another(.|\n)*found: +3"):
        read("matlab", path, matrix="in_X", labels="genes")
    (tmp_path / "no.mat").write_text("no MATLAB file at all, but long enough for a header" * 9)
    with pytest.raises(
        BlindfoldError, match=r"cannot read the file(.|\n)*no\.mat(.|\n)*a MATLAB file"
    ):
        read("matlab", tmp_path / "no.mat", matrix="X")

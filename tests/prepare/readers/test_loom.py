"""Loom files."""

import h5py
import numpy as np
import pytest

from blindfold.core.errors import BlindfoldError
from tests.conftest import MIRROR, needs_mirror
from tests.prepare.readers.some_card import read

COUNTS = np.random.default_rng(4).poisson(2.0, (6, 3))  # cells x genes


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "a.loom", "w") as file:
        file["matrix"] = COUNTS.T
        file["layers/spliced"] = COUNTS.T + 1
        file["row_attrs/Gene"] = np.array(["Gad2", "Sox\u03b2".encode(), "x"], dtype="S")
        file["col_attrs/CellID"] = np.array([f"c{i}" for i in range(6)], dtype="S")
        file["col_attrs/Region"] = np.array(["L1", "L2", "Excluded"] * 2, dtype="S")
        file["col_attrs/Valid"] = np.array([1, 1, 0, 1, 1, 0])
        file["col_attrs/X"] = np.arange(6) + 0.5
        file["col_attrs/Y"] = np.arange(6) * 10.0
        file["col_attrs/embedding"] = np.ones((6, 2))
    return tmp_path / "a.loom"


def test_cells_attributes_and_coordinates(path):
    adata = read("loom", path, label="Region", where={"Valid": 1}, coordinates=["X", "Y"])
    kept = [0, 1, 3, 4]
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS[kept])
    assert list(adata.obs_names) == ["c0", "c1", "c3", "c4"]
    assert list(adata.var_names) == ["Gad2", "Sox\u03b2", "x"]
    assert list(adata.obs["Region"]) == ["L1", "L2"] * 2
    np.testing.assert_array_equal(adata.obsm["spatial"], [[i + 0.5, i * 10] for i in kept])
    assert "embedding" not in adata.obs


def test_without_a_filter_all_cells_and_another_layer(path):
    adata = read("loom", path, layer="spliced")
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS + 1)
    assert "spatial" not in adata.obsm
    regions = read("loom", path, where={"Region": "L1"}).obs["Region"]
    assert list(regions) == ["L1", "L1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gene": "Symbol"}, r"no 'Symbol'"),
        ({"cell": "CellId"}, r"no 'CellId'(.|\n)*did you mean 'CellID'"),
        ({"layer": "unspliced"}, r"no 'layers/unspliced'"),
        ({"coordinates": ["X", "Z"]}, r"no 'Z'(.|\n)*options\.coordinates"),
        ({"where": {"Valid": 2}}, "no cell is left"),
    ],
)
def test_what_is_wrong_is_told(path, options, message):
    with pytest.raises(BlindfoldError, match=message):
        read("loom", path, **options)


@needs_mirror
def test_the_cortex_section_equals_the_file():
    file = MIRROR / "osmfish_ssp" / "osmFISH_SScortex_mouse_all_cells.loom"
    adata = read("loom", file, label="Region", where={"Valid": 1}, coordinates=["X", "Y"])
    assert adata.shape == (4839, 33)
    with h5py.File(file) as raw:
        rows = {cell.decode(): i for i, cell in enumerate(raw["col_attrs/CellID"][:])}
        order = [rows[cell] for cell in adata.obs_names]
        np.testing.assert_array_equal(adata.X.toarray(), raw["matrix"][()].T[order])
        region = raw["col_attrs/Region"][:][order]
        assert [value.decode() for value in region] == list(adata.obs["Region"])
        assert "Excluded" not in set(adata.obs["Region"])

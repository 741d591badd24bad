"""A good, a normalised and a broken file get the right answers."""

import anndata
import numpy as np
import pytest

from blindfold.prepare.inspect_file import inspect
from tests.conftest import MIRROR, needs_mirror
from tests.prepare.conftest import small_counts
from tests.prepare.test_geometry import grid


@pytest.fixture
def seen(tmp_path):
    """Return a function that writes an AnnData and returns findings and problems as text."""

    def look(adata, label=None):
        adata.write_h5ad(tmp_path / "my.h5ad")
        findings, problems = inspect(tmp_path / "my.h5ad", label)
        return "\n".join(findings), "\n".join(problems)

    return look


def test_a_good_file(seen):
    adata = small_counts()
    adata.obs["batch"] = ["1", "2", "3"] * 10
    adata.obsm["spatial"] = grid()
    image = {"images": {"hires": np.zeros((4, 4, 3), dtype=np.uint8)}}
    adata.uns["spatial"] = {"slice": image}
    findings, problems = seen(adata, "kind")
    assert problems == ""
    for words in (
        "X: 30 cells x 12 genes, counts",
        "could be labels: kind (3 values), site (2 values)",
        "could be batches: batch (3 values)",
        "label kind: 3 classes (a: 10, b: 10, c: 10), 0 cells without",
        "median pitch 10",
        "image uns/spatial/slice/images/hires",
    ):
        assert words in findings


def test_a_normalised_file(seen):
    adata = small_counts()
    counts = adata.X.copy()
    totals = np.asarray(counts.sum(axis=1))
    adata.X = np.log1p(counts.toarray() / totals * 1e4)
    findings, problems = seen(adata)
    assert "X: 30 cells x 12 genes, no counts (log(1 + counts normalised to 10000" in findings
    assert "values are no counts: fractional" in problems
    assert "values: expression" in problems
    # the counts may be in another place
    adata.layers["umi"] = counts
    findings, problems = seen(adata)
    assert "umi: 30 cells x 12 genes, counts" in findings
    assert "say layer: umi" in problems
    assert "fractional" not in problems
    adata.layers.clear()
    adata.raw = anndata.AnnData(counts, obs=adata.obs, var=adata.var)
    assert "say layer: raw" in seen(adata)[1]


def test_every_flaw_is_told_at_once(seen):
    adata = small_counts()
    adata.X[5] = 0
    adata.obs["same"] = "x"
    adata.obsm["spatial"] = grid()
    adata.obsm["spatial"][3] = np.nan
    adata.var_names = ["g0", "g0", *adata.var_names[2:]]
    adata.obs_names = ["c", "c", *adata.obs_names[2:]]
    _, problems = seen(adata, "same")
    for words in (
        "1 cells have the name of another", "1 genes have the name of another",
        "1 cells without any count",
        "labels all one class", "1 cells have no coordinates",
    ):  # fmt: skip
        assert words in problems, words
    assert "there is no 'kin'" in seen(adata, "kin")[1]


def test_broken_files(seen, tmp_path):
    seen(small_counts())
    whole = (tmp_path / "my.h5ad").read_bytes()
    for content, message in (
        (whole[: len(whole) // 3], "truncated or damaged"),
        (b"", "the file is empty"),
        (b"cell,gene\n", "not an HDF5 file"),
    ):
        (tmp_path / "broken.h5ad").write_bytes(content)
        findings, (problem,) = inspect(tmp_path / "broken.h5ad")
        assert findings == []
        assert message in problem
    assert "a folder" in inspect(tmp_path)[1][0]
    assert "not found" in inspect(tmp_path / "nowhere")[1][0]


@needs_mirror
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("paul15/paul15_cluster.h5ad", "X: 2730 cells x 3451 genes, counts, largest 168"),
        ("osmfish_ssp/osmfish.h5ad", "no counts (counts normalised to 53"),
        ("merfish_hypo_p006/MERFISH_0.06_adata.h5ad", "log(1 + counts normalised to 10000 in"),
    ],
)
def test_published_files(name, words):
    findings, problems = inspect(MIRROR / name)
    assert words in "\n".join(findings)
    assert bool(problems) == (not name.startswith("paul15"))


@needs_mirror
def test_files_of_other_formats_are_recognised():
    loom = MIRROR / "osmfish_ssp/osmFISH_SScortex_mouse_all_cells.loom"
    assert "reader loom" in inspect(loom)[1][0]
    bladder = MIRROR / "mouse_bladder_2100/mouse_bladder_cell_select_2100.h5"
    assert "reader xy_h5" in inspect(bladder)[1][0]

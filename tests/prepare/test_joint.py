"""Several sections as one dataset."""

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from blindfold.core import datasets
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.geometry import pitch
from blindfold.prepare.prepare import prepare
from tests.prepare.conftest import CARD, record, small_counts
from tests.prepare.test_geometry import grid


@pytest.fixture
def sections(tmp_path, at, monkeypatch):
    """Return a function that writes sections and the record, and gives the joint card."""
    folder = tmp_path / "cards"
    folder.mkdir()
    monkeypatch.setattr(datasets, "DATASETS", folder)

    def make(raws, modality="spatial", **differs):
        files = []
        for name, raw in raws.items():
            raw.write_h5ad(tmp_path / f"{name}.h5ad")
            path = f"all/{name}.h5ad"
            files.append((path, "cells", tmp_path / f"{name}.h5ad"))
            own = {"modality": modality,
                   "files": [{"path": path, "role": "cells", "url": "http://x"}]}  # fmt: skip
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(CARD | own))
        record(at, "all", files)
        joint = {"modality": modality, "sections": list(raws), "files": [], "reader": None}
        return DatasetCard.model_validate(CARD | joint | differs)

    return make


def section(seed, genes):
    raw = small_counts()
    raw.X = raw.X.multiply(seed + 1).tocsr()
    raw.var_names = genes
    raw.obsm["spatial"] = grid(10.0 + seed)
    return raw


def test_sections_become_batches_side_by_side(sections, at):
    genes = [f"g{i}" for i in range(12)]
    one, two = section(0, genes), section(1, [*genes[::-1][:-2], "only", "here"])
    adata = anndata.read_h5ad(prepare("all", sections({"s1": one, "s2": two}), at))
    assert adata.shape == (60, 10)
    assert list(adata.var_names) == genes[2:]
    assert list(adata.obs_names[[0, 30]]) == ["s1:cell0", "s2:cell0"]
    assert list(adata.obs.section) == ["s1"] * 30 + ["s2"] * 30
    np.testing.assert_array_equal(adata.X[:30].toarray(), one[:, genes[2:]].X.toarray())
    np.testing.assert_array_equal(adata.X[30:].toarray(), two[:, genes[2:]].X.toarray())
    assert list(adata.obs.kind) == list(one.obs.kind) + list(two.obs.kind)
    # each section keeps its shape; ten pitches lie between them
    places = adata.obsm["spatial"]
    for rows, step in ((slice(30), 10.0), (slice(30, 60), 11.0)):
        moved = places[rows] - grid(step)
        np.testing.assert_allclose(moved - moved[0], 0, atol=1e-9)
    assert places[30:, 0].min() - places[:30, 0].max() == pytest.approx(110)
    assert pitch(places) == pytest.approx(10.5)
    report = adata.uns["report"]
    assert report["genes_not_shared"] == 4
    assert set(report["sections"]) == {"s1", "s2"}


def test_cells_without_coordinates_are_joined_too(sections, at):
    genes = [f"g{i}" for i in range(12)]
    raws = {name: section(i, genes) for i, name in enumerate("abc")}
    card = sections(raws, modality="scrna", batch="donor", expected={"cells": 90, "genes": 12})
    adata = anndata.read_h5ad(prepare("all", card, at))
    assert list(adata.obs.donor.cat.categories) == ["a", "b", "c"]
    assert "spatial" not in adata.obsm


def test_a_section_may_have_one_class_but_the_whole_may_not(sections, at):
    genes = [f"g{i}" for i in range(12)]
    one, two = section(0, genes), section(1, genes)
    one.obs["kind"], two.obs["kind"] = "a", "b"
    adata = anndata.read_h5ad(prepare("all", sections({"s1": one, "s2": two}), at))
    assert adata.obs.kind.value_counts().to_dict() == {"a": 30, "b": 30}
    two.obs["kind"] = "a"
    with pytest.raises(BlindfoldError, match="labels all one class"):
        prepare("all", sections({"s1": one, "s2": two}), at)


def test_cells_that_have_none_of_the_shared_genes_are_found(sections, at):
    one, two = section(0, [f"g{i}" for i in range(12)]), section(1, [f"g{i}" for i in range(12)])
    two.var_names = ["g0", *(f"h{i}" for i in range(11))]
    one.X[4, 0] = 0
    with pytest.raises(BlindfoldError, match=r"1 cells without any count(.|\n)*s1:cell4"):
        prepare("all", sections({"s1": one, "s2": two}), at)
    card = sections({"s1": one, "s2": two}, repair={"empty_cells": "drop"})
    assert anndata.read_h5ad(prepare("all", card, at)).shape == (59, 1)


def test_sections_must_share_genes(sections, at):
    one, two = section(0, [f"g{i}" for i in range(12)]), section(1, [f"h{i}" for i in range(12)])
    with pytest.raises(BlindfoldError, match="share no gene"):
        prepare("all", sections({"s1": one, "s2": two}), at)


def test_a_section_is_no_joint_dataset(sections, at, tmp_path):
    raw = section(0, [f"g{i}" for i in range(12)])
    card = sections({"s1": raw})
    nested = CARD | {"sections": ["s1"], "files": [], "reader": None}
    (tmp_path / "cards" / "s2.yaml").write_text(yaml.safe_dump(nested))
    with pytest.raises(BlindfoldError, match="itself a joint dataset"):
        prepare("all", card.model_copy(update={"sections": ["s1", "s2"]}), at)


def test_one_file_may_hold_all_sections_under_other_roles(sections, at, tmp_path):
    """Two cards read one file, each by its own options and its own role."""
    raw = section(0, [f"g{i}" for i in range(12)])
    raw.obs["part"] = pd.Categorical(["1", "2"] * 15)
    card = sections({"s1": raw, "s2": raw})
    for number, name in enumerate(("s1", "s2"), start=1):
        own = {"modality": "spatial", "options": {"where": {"part": number}},
               "files": [{"path": "all/s1.h5ad", "role": "cells", "url": "http://x"}]}  # fmt: skip
        (tmp_path / "cards" / f"{name}.yaml").write_text(yaml.safe_dump(CARD | own))
    record(at, "all", [("all/s1.h5ad", "another", tmp_path / "s1.h5ad")])
    adata = anndata.read_h5ad(prepare("all", card, at))
    assert [name.split("cell")[1] for name in adata.obs_names] == [
        str(i) for start in (0, 1) for i in range(start, 30, 2)
    ]

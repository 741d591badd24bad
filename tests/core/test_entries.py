"""Datasets of a configuration: cards, own files, series."""

import anndata
import numpy as np
import pytest

from blindfold.core.config import check_config
from blindfold.core.entries import resolve_datasets
from blindfold.core.errors import BlindfoldError

BASE = {"name": "a", "methods": ["pca_kmeans"]}


def resolve(*entries):
    return resolve_datasets(check_config({**BASE, "datasets": list(entries)}).datasets)


def write(path, spatial):
    adata = anndata.AnnData(np.ones((6, 4), dtype=np.float32))
    if spatial:
        adata.obsm["spatial"] = np.zeros((6, 2))
    adata.write_h5ad(path)
    return str(path)


def test_an_own_file_is_spatial_where_it_has_coordinates(tmp_path):
    flat = {"id": "flat", "path": write(tmp_path / "a.h5ad", False), "label": "kind"}
    tissue = {"id": "tissue", "path": write(tmp_path / "b.h5ad", True)}
    cards = resolve("pbmc68k", flat, tissue)
    assert list(cards) == ["pbmc68k", "flat", "tissue"]
    assert (cards["flat"].modality, cards["flat"].label.column) == ("scrna", "kind")
    assert (cards["tissue"].modality, cards["tissue"].label) == ("spatial", None)
    assert cards["flat"].files[0].local == str(tmp_path / "a.h5ad")


@pytest.mark.parametrize("made", [None, "folder", "empty"])
def test_an_own_file_that_is_none(tmp_path, made):
    path = tmp_path / "mine.h5ad"
    if made == "folder":
        path.mkdir()
    elif made == "empty":
        path.write_bytes(b"")
    words = {None: "no such file", "folder": "a folder, not a file", "empty": "cannot read"}[made]
    with pytest.raises(BlindfoldError, match=words) as error:
        resolve({"id": "mine", "path": str(path)})
    assert str(path) in str(error.value)


def test_an_own_tissue_may_come_with_features_of_its_image(tmp_path):
    table = tmp_path / "features.parquet"
    tissue = {"id": "tissue", "path": write(tmp_path / "b.h5ad", True)}
    with pytest.raises(BlindfoldError, match="no such file") as error:
        resolve({**tissue, "image_features": str(table)})
    assert "datasets.tissue.image_features" in str(error.value)
    table.touch()
    files = resolve({**tissue, "image_features": str(table)})["tissue"].files
    assert [(file.role, file.local) for file in files][1] == ("image_features", str(table))
    cells = {"id": "cells", "path": write(tmp_path / "a.h5ad", False)}
    with pytest.raises(BlindfoldError, match="image_features are for modality spatial"):
        resolve({**cells, "image_features": str(table)})


def test_a_list_is_a_series_of_datasets():
    cards = resolve({"from": "mosaic", "options": {"signal": [0, 0.25], "domains": 4}})
    assert list(cards) == ["mosaic-signal-0", "mosaic-signal-0.25"]
    assert [card.options["signal"] for card in cards.values()] == [0, 0.25]
    assert all(card.options["domains"] == 4 for card in cards.values())
    assert all(card.expected.cells is None for card in cards.values())


def test_a_ladder_keeps_the_card_but_for_the_step():
    whole = resolve("pbmc68k")["pbmc68k"]
    steps = resolve({"from": "pbmc68k", "id": "rung", "degrade": {"thin": [0.5, 0.1]}})
    assert {name: card.degrade.thin for name, card in steps.items()} == {
        "rung-0.5": 0.5,
        "rung-0.1": 0.1,
    }
    for card in steps.values():
        assert (card.files, card.label, card.options) == (whole.files, whole.label, whole.options)


def test_a_mask_makes_an_imputation_task():
    cards = resolve(
        {"from": "pbmc68k", "mask": [0.1, 0.3]}, {"from": "goolam", "mask": 0.2, "genes": 500}
    )
    assert list(cards) == ["pbmc68k-mask-0.1", "pbmc68k-mask-0.3", "goolam-mask-0.2"]
    assert [card.mask.share for card in cards.values()] == [0.1, 0.3, 0.2]
    assert [card.mask.genes for card in cards.values()] == [2000, 2000, 500]
    assert {card.task for card in cards.values()} == {"imputation"}
    assert resolve("pbmc68k")["pbmc68k"].task == "clustering"


def test_no_filter_looks_at_what_is_to_be_masked():
    whole = resolve("her2st_h1_labelled")["her2st_h1_labelled"]
    masked = resolve({"from": "her2st_h1_labelled", "mask": 0.1, "degrade": {"thin": [0.5]}})
    assert whole.quality.min_cells == 1
    (card,) = masked.values()
    assert card.quality.min_cells == 0
    assert (card.degrade.thin, card.mask.share) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["pbmc68k", "pbmc68k"], "'pbmc68k' stands twice"),
        ([{"from": "mosaic"}], "nothing differs"),
        (["pbmc68"], "did you mean 'pbmc68k'"),
        ([{"from": "mosaic", "options": {"signal": [0, 1], "domains": [3, 4]}}], "one series"),
        ([{"from": "pbmc68k", "degrade": {"thinn": 0.5}}], "did you mean 'thin'"),
        ([{"from": "pbmc68k", "degrade": {"thin": 2}}], "degrade.thin"),
        ([{"from": "pbmc68k", "mask": 1.5}], "mask.share"),
        ([{"from": "pbmc68k", "mask": 0.1, "genes": 0}], "mask.genes"),
        ([{"from": "pbmc68k", "genes": 500, "degrade": {"thin": 0.5}}], "genes goes with mask"),
        ([{"from": "pbmc68k", "mask": [0.1], "degrade": {"thin": [0.5]}}], "one series"),
    ],
)
def test_entries_that_mean_nothing(entries, words):
    with pytest.raises(BlindfoldError, match=words):
        resolve(*entries)

"""Features of the image that the user brings, from the table to what methods see."""

import anndata
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from blindfold.blind.blind import blind
from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.image_features import read_image_features
from blindfold.prepare.prepare import prepare
from methods.runner import read_input
from tests.prepare.conftest import CARD, small_counts

CELLS = pd.Index(["s2", "s1", "s10"])
TABLE = pd.DataFrame(
    {"spot": ["s1", "s10", "s2", "elsewhere"], "a": [1, 10, 2, 5], "b": [0.5, np.nan, 0.25, 0.1]}
)
EXPECTED = np.array([[2, 0.25], [1, 0.5], [10, np.nan]], dtype=np.float32)


def write(table, place, **how):
    if place.suffix == ".parquet":
        table.to_parquet(place, **how)
    else:
        table.to_csv(place, sep="," if ".csv" in place.name else "\t", index=False)
    return place


@pytest.mark.parametrize("name", ["f.csv", "f.tsv", "f.csv.gz", "f.tsv.gz", "f.parquet"])
def test_tables_of_any_kind_are_joined_by_name(tmp_path, name):
    found = read_image_features(write(TABLE, tmp_path / name), CELLS)
    np.testing.assert_array_equal(found, EXPECTED)
    assert found.dtype == np.float32


def test_names_may_be_the_index_of_a_parquet_table(tmp_path):
    place = write(TABLE.set_index("spot"), tmp_path / "f.parquet")
    np.testing.assert_array_equal(read_image_features(place, CELLS), EXPECTED)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (pd.concat([TABLE, TABLE.iloc[[0]]]), "1 cells have several rows"),
        (TABLE.iloc[1:], "1 of 3 cells have no row"),
        (TABLE.assign(spot=[1, 2, 3, 4]), "3 of 3 cells have no row"),
        (TABLE.assign(region=["tumour", "fat", "fat", "fat"]), "'region'"),
        (TABLE[["spot"]], "no column beside the names"),
        (TABLE.assign(a=[np.inf, 1, 2, 3]), "infinite values"),
        (TABLE.assign(b=[np.nan] * 4), "no spot with all of them"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, table, told):
    place = write(table, tmp_path / "f.csv")
    with pytest.raises(BlindfoldError, match=told) as error:
        read_image_features(place, CELLS)
    assert str(place) in str(error.value)


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "f.parquet").write_bytes(b"no parquet")
    (tmp_path / "f.csv").write_text("")
    for place in tmp_path.iterdir():
        with pytest.raises(BlindfoldError, match="cannot read the image features") as error:
            read_image_features(place, CELLS)
        assert str(place) in str(error.value)


def test_methods_that_look_at_images_get_them_in_the_order_of_the_spots(tmp_path, at, small):
    raw = small_counts()
    raw.obsm["spatial"] = np.random.default_rng(1).random((30, 2))
    table = pd.DataFrame({"spot": raw.obs_names[::-1], "number": np.arange(30)[::-1]})
    place = write(table, tmp_path / "features.parquet")
    role = {"path": "small/features.parquet", "role": "image_features", "url": "http://x"}
    card = small(
        raw, [("small/features.parquet", "image_features", place)], modality="spatial",
        files=[*CARD["files"], role],
    )  # fmt: skip
    prepare("small", card, at, False)
    blind("small", card, at, 0)
    beside = at.beside("small")
    assert io.read_json(at.card("small"))["image_features_sha256"] == io.sha256(
        beside["image_features"]
    )
    job = {"input": str(at.input("small")), "needs": ["image"], **beside}
    data, cells = read_input(job)
    original = pd.read_parquet(at.truth("small")).set_index("cell").original[cells]
    assert data.image_features.ravel().tolist() == [int(name[4:]) for name in original]
    assert data.image is None
    hidden = read_input({**job, "needs": ["coordinates"]})[0]
    assert hidden.image_features is None
    assert set(anndata.read_h5ad(at.input("small")).obsm) == {"spatial"}
    bare = small(raw, modality="spatial")
    prepare("small", bare, at, False)
    blind("small", bare, at, 0)
    assert not beside["image_features"].exists()


def test_single_cells_have_no_image():
    role = {"path": "small/features.csv", "role": "image_features", "url": "http://x"}
    with pytest.raises(ValidationError, match="image_features are for modality spatial"):
        DatasetCard.model_validate({**CARD, "files": [*CARD["files"], role]})

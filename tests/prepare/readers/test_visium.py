"""Visium folders in every layout that Space Ranger writes."""

import json
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.readers import reader
from blindfold.prepare.readers._pixel_labels import labels_at, read_names

HEADER = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres"
SPOTS = [f"{a}{b}{c}ACGT-1" for a in "ACGT" for b in "ACG" for c in "AC"]


def write_h5(path, barcodes, counts):
    """Write a matrix as Cell Ranger 3 and later do: genes x cells, compressed columns."""
    genes = [f"ENSG{i}" for i in range(counts.shape[1])]
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, dtype="S")
        rows = [np.flatnonzero(row) for row in counts]
        group["indices"] = np.concatenate(rows)
        group["data"] = np.concatenate([row[row > 0] for row in counts]).astype(np.int32)
        group["indptr"] = np.cumsum([0, *map(len, rows)])
        group["shape"] = np.array([counts.shape[1], counts.shape[0]])
        features = {
            "id": genes,
            "name": ["TWICE", *genes[1:-1], "TWICE"],
            "feature_type": ["Gene Expression"] * len(genes),
            "genome": ["GRCh38"] * len(genes),
        }
        for name, values in features.items():
            group[f"features/{name}"] = np.array(values, dtype="S")
        group["features/_all_tag_keys"] = np.array(["genome"], dtype="S")


def visium_card(image=True, **differs):
    return DatasetCard(
        title="Slide", organism="o", tissue="t", technology="10x Visium", modality="spatial",
        paper="p", licence="l", files=[{"path": "a", "role": "counts", "url": "http://x"}],
        reader="visium", image=image, **differs,
    )  # fmt: skip


@pytest.fixture
def slide(tmp_path):
    """Write a slide; half of its spots are under tissue and in the matrix."""
    rng = np.random.default_rng(3)
    counts = 1 + rng.poisson(1.0, (12, 5))
    spatial = tmp_path / "spatial"
    spatial.mkdir()
    under = SPOTS[::2]
    write_h5(tmp_path / "filtered_feature_bc_matrix.h5", under, counts)
    # the positions stand in another order than the counts
    lines = [
        f"{name},{int(name in under)},{i // 6},{i % 6},{100 + 7 * i},{900 - 11 * i}"
        for i, name in reversed(list(enumerate(SPOTS)))
    ]
    (spatial / "tissue_positions_list.csv").write_text("\n".join(lines) + "\n")
    (spatial / "tissue_positions.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    pd.read_csv(spatial / "tissue_positions.csv").to_parquet(spatial / "tissue_positions.parquet")
    factors = {"tissue_lowres_scalef": 0.05, "tissue_hires_scalef": 0.2}
    (spatial / "scalefactors_json.json").write_text(json.dumps(factors))
    for name, size in (("lowres", (60, 40)), ("hires", (240, 160))):
        picture = np.full((size[1], size[0], 4), 255, np.uint8)
        picture[3, 5, :3] = 1, 2, 3
        Image.fromarray(picture).save(spatial / f"tissue_{name}_image.png")
    files = {
        "counts": tmp_path / "filtered_feature_bc_matrix.h5",
        "positions": spatial / "tissue_positions_list.csv",
        "scalefactors": spatial / "scalefactors_json.json",
        "image": spatial / "tissue_lowres_image.png",
    }
    return files, counts


@pytest.mark.parametrize(
    "name", ["tissue_positions_list.csv", "tissue_positions.csv", "tissue_positions.parquet"]
)
def test_every_form_of_positions(slide, name):
    files, counts = slide
    files["positions"] = files["positions"].with_name(name)
    options = {"counts": {"options": {"names": "id"}}}
    adata = reader("visium")(files, options, visium_card())
    assert list(adata.obs_names) == SPOTS[::2]
    assert list(adata.var_names) == [f"ENSG{i}" for i in range(5)]
    np.testing.assert_array_equal(adata.X.toarray(), counts)
    expected = [(900 - 22 * i, 100 + 14 * i) for i in range(12)]
    np.testing.assert_array_equal(adata.obsm["spatial"], np.array(expected, dtype=np.float64))
    assert adata.obsm["spatial"].dtype == np.float64
    assert adata.uns["scale"] == 0.05
    assert adata.uns["image"].shape == (40, 60, 3)
    assert adata.uns["image"].dtype == np.uint8
    assert adata.uns["image"][3, 5].tolist() == [1, 2, 3]


def test_symbols_that_stand_twice_are_left_to_be_seen(slide):
    files, _ = slide
    adata = reader("visium")(files, {}, visium_card())
    assert list(adata.var_names).count("TWICE") == 2


def test_the_large_image_has_its_own_scale(slide):
    files, _ = slide
    files["image"] = files["image"].with_name("tissue_hires_image.png")
    adata = reader("visium")(files, {"resolution": "hires"}, visium_card())
    assert adata.uns["scale"] == 0.2
    assert adata.uns["image"].shape == (160, 240, 3)


def test_without_an_image_nothing_but_positions_is_needed(slide):
    files, _ = slide
    files = {role: files[role] for role in ("counts", "positions")}
    assert "image" not in reader("visium")(files, {}, visium_card(image=False)).uns


def test_spots_off_the_tissue_are_left_out(slide):
    files, _ = slide
    write_h5(files["counts"], SPOTS, np.ones((len(SPOTS), 5), dtype=int))
    adata = reader("visium")(files, {}, visium_card())
    assert list(adata.obs_names) == SPOTS[::2]


def change(path, old, new):
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        # another suffix: a name of each side is shown
        (lambda f: change(f["positions"], "-1,", "-2,"), "(?s)12 of 12 .*'AAAACGT-1' in"),
        (lambda f: change(f["positions"], "GAAACGT-1", "none"), "(?s)1 of 12 .*'GAAACGT-1' in"),
        (lambda f: change(f["positions"], "AAAACGT-1", "AGAACGT-1"), "several rows"),
        (lambda f: f["positions"].write_text("a,b\n1,2\n"), "cannot read the spot positions"),
        (lambda f: f["positions"].write_text(""), "cannot read the spot positions"),
        (lambda f: f["scalefactors"].write_text("{}"), "tissue_lowres_scalef"),
        (lambda f: f["scalefactors"].write_text('{"tissue_lowres_scalef": 0}'), "positive number"),
        (lambda f: f["image"].write_bytes(f["image"].read_bytes()[:60]), "cannot read the image"),
        (lambda f: f["image"].write_text("<html>"), "cannot read the image"),
        (lambda f: f["counts"].write_bytes(f["counts"].read_bytes()[:500]), "filtered_feature"),
    ],
)  # fmt: skip
def test_what_is_no_visium_folder_is_refused(slide, damage, message):
    files, _ = slide
    damage(files)
    with pytest.raises(BlindfoldError, match=message):
        reader("visium")(files, {}, visium_card())


def test_a_damaged_parquet_is_refused(slide):
    files, _ = slide
    files["positions"] = files["positions"].with_name("tissue_positions.parquet")
    files["positions"].write_bytes(files["positions"].read_bytes()[:-20])
    with pytest.raises(BlindfoldError, match="cannot read the spot positions"):
        reader("visium")(files, {}, visium_card())


def test_unknown_options_are_refused(slide):
    with pytest.raises(BlindfoldError, match="did you mean 'resolution'"):
        reader("visium")(slide[0], {"resolutoin": "hires"}, visium_card())


def pixel_labels(folder, pixels, names):
    paths = folder / "names.npy", folder / "pixels.npy"
    np.save(paths[0], np.array(names, dtype=object), allow_pickle=True)
    np.save(paths[1], np.array(pixels, dtype=np.int64))
    return paths


def test_labels_are_found_through_their_pixels(slide, tmp_path):
    files, _ = slide
    order = np.random.default_rng(0).permutation(12)
    pixels = [(900 - 22 * i, 100 + 14 * i) for i in order]
    files["labels"], files["label_pixels"] = pixel_labels(
        tmp_path, pixels, [f"region {i}" for i in order]
    )
    card = visium_card(label="region")
    adata = reader("visium")(files, {"pixel_labels": True}, card)
    assert list(adata.obs["region"]) == [f"region {i}" for i in range(12)]


@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)),
        min_size=1, max_size=30, unique=True,
    ),
    st.randoms(),
)  # fmt: skip
def test_the_order_of_pixel_labels_does_not_matter(tmp_path_factory, pixels, chance):
    names = [f"{x}/{y}" for x, y in pixels]
    order = list(range(len(pixels)))
    chance.shuffle(order)
    paths = pixel_labels(
        tmp_path_factory.mktemp("labels"), [pixels[i] for i in order], [names[i] for i in order]
    )
    assert labels_at(np.array(pixels, dtype=np.float64), *paths) == names


@pytest.mark.parametrize(
    ("pixels", "names", "message"),
    [
        ([(1, 2), (3, 4)], ["a"], "do not agree"),
        ([(1, 2), (1, 2)], ["a", "b"], "two labels lie at one pixel"),
        # the two coordinates exchanged
        ([(2, 1), (4, 3)], ["a", "b"], r"(?s)2 of 2 spots have no label.*at \(1, 2\)"),
    ],
)
def test_pixel_labels_that_do_not_fit_are_refused(tmp_path, pixels, names, message):
    paths = pixel_labels(tmp_path, pixels, names)
    with pytest.raises(BlindfoldError, match=message):
        labels_at(np.array([(1, 2), (3, 4)], dtype=np.float64), *paths)


class _Harmful:
    def __reduce__(self):
        return (exec, ("open('harm', 'w')",))


@pytest.mark.parametrize("harm", [_Harmful(), np.array([_Harmful()], dtype=object)])
def test_a_pickle_that_runs_code_is_refused(tmp_path, monkeypatch, harm):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "names.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": (1,)}
        )
        pickle.dump(harm, file)
    with pytest.raises(BlindfoldError, match=r"builtins.exec is not allowed"):
        read_names(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array"])
def test_a_damaged_vector_is_refused(tmp_path, content):
    path = tmp_path / "names.npy"
    path.write_bytes(content)
    with pytest.raises(BlindfoldError, match="cannot read the labels"):
        read_names(path)


def test_labels_must_be_strings(tmp_path):
    np.save(tmp_path / "names.npy", np.array(["a", 1], dtype=object), allow_pickle=True)
    with pytest.raises(BlindfoldError, match=r"strings|found: +1"):
        read_names(tmp_path / "names.npy")

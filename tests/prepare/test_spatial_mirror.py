"""Every spatial dataset of the mirror: counts, labels and positions, cell by cell."""

import collections
import csv
import functools
import gzip
import warnings

import h5py
import numpy as np
import pytest
import rdata
import scipy.sparse as sp
from PIL import Image

from blindfold.core.datasets import dataset_card, find_datasets, raw_files
from blindfold.prepare.readers import reader
from tests.conftest import MIRROR, needs_mirror
from tests.prepare.mirrored import prepared, rejoined

pytestmark = needs_mirror

NO_CALL = "undetermined"


@functools.cache
def r_objects(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rdata.read_rda(MIRROR / path)


def dgc(matrix):
    """Return cells x genes of an R sparse matrix of genes x cells, and both names."""
    values = sp.csc_matrix((matrix.x, matrix.i, matrix.p), shape=tuple(matrix.Dim))
    return values.T.toarray(), list(matrix.Dimnames[1]), list(matrix.Dimnames[0])


def strings(values):
    return ["" if value is None or str(value) == "<NA>" else str(value) for value in values]


@functools.cache
def her2st(section):
    folder = MIRROR / f"her2st_{section}"
    with gzip.open(folder / f"{section}.tsv.gz", "rt") as file:
        genes = next(file).rstrip("\n").split("\t")[1:]
        rows = [line.rstrip("\n").split("\t") for line in file]
    counts = np.array([row[1:] for row in rows], dtype=np.float32)
    labels, pixels = {}, {}
    for row in csv.DictReader((folder / f"{section}_labeled_coordinates.tsv").open(), dialect=TAB):
        if row["x"] not in ("", "NA"):
            spot = f"{float(row['x']):.0f}x{float(row['y']):.0f}"
            labels[spot] = row["label"].replace(NO_CALL, "")
    for row in csv.DictReader((folder / f"{section}_selection.tsv").open(), dialect=TAB):
        pixels[f"{row['x']}x{row['y']}"] = float(row["pixel_x"]), float(row["pixel_y"])
    names = [row[0] for row in rows]
    return counts, names, genes, [labels[n] for n in names], [pixels[n] for n in names]


class TAB(csv.excel_tab):
    """Tab separated."""


def visium_slice(name, matrix):
    counts, names, genes = dgc(matrix)
    with (MIRROR / f"dlpfc_{name}/tissue_positions_list.csv").open() as file:
        pixels = {row[0]: (float(row[5]), float(row[4])) for row in csv.reader(file)}
    with (MIRROR / f"dlpfc_{name}/metadata.tsv").open() as file:
        header, *rows = csv.reader(file, delimiter="\t")
    # the header lacks a name for the row names
    label = 1 + header.index("layer_guess")
    layers = {row[0]: row[label].replace("NA", "") for row in rows}
    return counts, names, genes, [layers[n] for n in names], [pixels[n] for n in names]


def slice_80():
    matrix = r_objects("dlpfc_151673/exampleLIBD.rda")["exampleLIBD"]["count"]
    *rest, labels, pixels = visium_slice("151673", matrix)
    return *rest, [label.replace("Layer", "L") for label in labels], pixels


def slice_500():
    seurat = r_objects("dlpfc_151510/dlpfc151510.rda")["dlpfc151510"]
    return visium_slice("151510", seurat.assays["RNA"].counts)


def starmap(name):
    objects = r_objects("starmap_mpfc/starmap_mpfc.RData")
    matrix, info = objects["starmap_cnts"][name], objects["starmap_info"][name]
    names = list(matrix.coords["dim_1"].values)
    info = info.loc[names]
    return (
        matrix.values.T, names, list(matrix.coords["dim_0"].values), strings(info["z"]),
        info[["x", "y"]].to_numpy(),
    )  # fmt: skip


def olfactory_bulb():
    objects = r_objects("mob_st_rep12/mouse_olfactory_bulb_replicate_12.RData")
    counts, info = objects["count"], objects["metadata"]
    places = objects["loc"].loc[counts.index].to_numpy()
    layers = dict(zip(info.index, strings(info["Layer"]), strict=True))
    return (
        counts.to_numpy().astype(float), list(counts.index), list(counts.columns),
        [layers[name] for name in counts.index], places,
    )  # fmt: skip


def seqfish(number):
    seurat = r_objects("seqfish_embryo/seqFISH.rda")["seuList"][number]
    counts, names, genes = dgc(seurat.assays["RNA"].counts)
    info = vars(seurat)["meta.data"].loc[names]
    labels = strings(info["celltype_mapped_refined"])
    return counts, names, genes, labels, info[["col", "row"]].to_numpy()


def osmfish():
    with h5py.File(MIRROR / "osmfish_ssp/osmFISH_SScortex_mouse_all_cells.loom") as loom:
        columns = {name: values[:] for name, values in loom["col_attrs"].items()}
        valid = columns["Valid"] == 1
        text = {name: [v.decode() for v in columns[name][valid]] for name in ("CellID", "Region")}
        genes = [gene.decode() for gene in loom["row_attrs/Gene"][:]]
        counts = loom["matrix"][:].T[valid]
    places = np.column_stack([columns["X"], columns["Y"]])[valid]
    return counts, text["CellID"], genes, text["Region"], places


def h5ad(path, label, places, undo=lambda values: values):
    with h5py.File(MIRROR / path) as file:
        column = file["obs"][label]
        classes = [value.decode() for value in column["categories"][:]]
        labels = [classes[code] for code in column["codes"][:]]
        names = [value.decode() for value in file["obs/_index"][:]]
        genes = [value.decode() for value in file["var/_index"][:]]
        return undo(file["X"][:].astype(np.float64)), names, genes, labels, places(file)


RAW = {
    **{f"her2st_{s.lower()}": functools.partial(her2st, s) for s in ("A1", "C1", "D1", "F1", "H1")},
    "dlpfc_151510_500genes": slice_500,
    "dlpfc_151673_80genes": slice_80,
    "starmap_mpfc_bz5": functools.partial(starmap, "20180417_BZ5_control"),
    "starmap_mpfc_bz9": functools.partial(starmap, "20180419_BZ9_control"),
    "starmap_mpfc_bz14": functools.partial(starmap, "20180424_BZ14_control"),
    "mob_st_rep12": olfactory_bulb,
    "osmfish_ssp": osmfish,
    "osmfish_ssp_normalised": functools.partial(
        h5ad, "osmfish_ssp/osmfish.h5ad", "Region", lambda file: file["obsm/spatial"][:]
    ),
    "merfish_hypo_p006": functools.partial(
        h5ad, "merfish_hypo_p006/MERFISH_0.06_adata.h5ad", "Cell_type",
        lambda file: np.column_stack([file["obs/x"][:], file["obs/y"][:]]), np.expm1,
    ),
    **{f"seqfish_embryo_{i + 1}": functools.partial(seqfish, i) for i in range(3)},
}  # fmt: skip

SIZES = {
    "her2st_a1": (346, 15045, "282 24 21 12 2"),
    "her2st_c1": (176, 15557, "127 37 3"),
    "her2st_d1": (306, 15661, "139 109 7"),
    "her2st_f1": (691, 14861, "577 56 26"),
    "her2st_h1": (613, 15029, "169 112 97 90 39 23"),
    "dlpfc_151510_500genes": (4634, 500, "1774 1180 650 318 310 184 179"),
    "dlpfc_151673_80genes": (3611, 80, "989 692 673 513 273 253 218"),
    "starmap_mpfc_bz5": (1049, 166, "449 347 167 86"),
    "starmap_mpfc_bz9": (1053, 166, "503 353 115 82"),
    "starmap_mpfc_bz14": (1088, 166, "461 435 158 34"),
    "mob_st_rep12": (282, 16034, "80 75 67 55"),
    "osmfish_ssp": (4839, 33, "1015 1002 877 549 322 295 254 159 131 129 106"),
    "osmfish_ssp_normalised": (4839, 33, "1015 1002 877 549 322 295 254 159 131 129 106"),
    "merfish_hypo_p006": (5343, 155, "1745 997 703 648 605 229 180 124 112"),
    "seqfish_embryo_1": (
        2025, 351, "364 304 171 147 138 109 108 104 93 89 76 74 60 48 47 33 22 15 11 7 5"
    ),
    "seqfish_embryo_2": (1530, 351, "475 173 145 97 95 94 80 76 72 47 41 39 33 25 23 8 4 2 1"),
    "seqfish_embryo_3": (
        2221, 351, "232 227 174 166 153 139 138 135 126 124 102 100 87 68 67 53 50 46 21 8 5"
    ),
}  # fmt: skip
"""Cells, genes and class sizes, as published with the mirror."""


def test_every_set_whose_files_are_all_in_the_mirror_is_looked_at():
    cards = {name: dataset_card(name) for name in find_datasets()}
    whole = {
        name
        for name, card in cards.items()
        if card.modality == "spatial" and card.reader not in (None, "mosaic") and card.audit is None
        and all(file.package is None and (MIRROR / file.path).is_file() for file in card.files)
    }  # fmt: skip
    assert whole == set(RAW) == set(SIZES)


@pytest.mark.parametrize("dataset", RAW)
def test_cell_by_cell(dataset, tmp_path):
    card = dataset_card(dataset)
    adata, at = prepared(dataset, card, card.files, tmp_path)
    counts, names, genes, labels, places = RAW[dataset]()
    cells, width, sizes = SIZES[dataset]
    assert adata.shape == (cells, width) == np.shape(counts)
    assert list(adata.var_names) == list(genes)
    assert sorted(adata.obs_names) == sorted(names)
    adata = adata[names]
    np.testing.assert_array_equal(adata.X.toarray(), np.asarray(counts, dtype=np.float32))
    found = adata.obs[card.label.column].astype(object).fillna("")
    assert list(found) == list(labels)
    back = rejoined(dataset, card, at)[names]
    np.testing.assert_array_equal(back.X.toarray(), adata.X.toarray())
    np.testing.assert_array_equal(back.obsm["spatial"], adata.obsm["spatial"])
    assert list(back.obs["label"].fillna("")) == list(labels)
    counted = collections.Counter(label for label in labels if label)
    assert sorted(counted.values(), reverse=True) == [int(size) for size in sizes.split()]
    compare_places(adata, np.asarray(places, dtype=np.float64), card, at.prepared_image(dataset))


def compare_places(adata, places, card, image):
    """Compare positions, which a cropped image moves, and what the image shows there."""
    found = adata.obsm["spatial"]
    if not card.image:
        np.testing.assert_array_equal(found, places)
        return
    np.testing.assert_allclose(found - found[0], places - places[0], atol=1e-6)
    raw = next(file.path for file in card.files if file.role == "image")
    scale = adata.uns["blindfold"]["scale"]
    seen, there = (np.asarray(Image.open(path).convert("RGB")) for path in (image, MIRROR / raw))
    # the corner of a pixel belongs to either neighbour
    column, row = np.floor(found * scale + 1e-6).astype(int).T
    raw_column, raw_row = np.floor(places * scale + 1e-6).astype(int).T
    np.testing.assert_array_equal(seen[row, column], there[raw_row, raw_column])


def test_the_drawing_of_the_annotation_is_gone(tmp_path):
    card = dataset_card("her2st_a1")
    raw = np.asarray(Image.open(MIRROR / "her2st_A1/A1_HE_image_dark.png").convert("RGB"))
    assert raw[:540, 1480:].any(axis=2).mean() > 0.9
    files = {file.role: MIRROR / file.path for file in card.files}
    image = reader("st_table")(files, card.options, card).uns["image"]
    assert not image[:540, 1480:].any()
    outside = np.ones(raw.shape[:2], dtype=bool)
    outside[:540, 1480:] = False
    np.testing.assert_array_equal(image[outside], raw[outside])
    # saturated colours are the drawing's: none is left anywhere
    drawn = vivid(raw)[:540, 1480:].sum()
    assert drawn > 1000
    assert vivid(image).sum() < 0.01 * drawn


def vivid(image):
    """Tell pixels of pure red, blue, cyan, orange or yellow, as a pen draws them."""
    low, high = image.min(axis=2).astype(int), image.max(axis=2).astype(int)
    return (high > 180) & (low < 60) & (high - low > 150)


def test_the_published_preparation_of_h1(tmp_path):
    card = dataset_card("her2st_h1_labelled")
    adata, _ = prepared("her2st_h1_labelled", card, card.files, tmp_path)
    counts, names, _, labels, places = her2st("H1")
    kept = [i for i, label in enumerate(labels) if label]
    assert list(adata.obs_names) == [names[i] for i in kept]
    assert adata.shape == (530, int((counts[kept].sum(axis=0) > 0).sum())) == (530, 14465)
    places = np.array(places)[kept]
    distance = np.linalg.norm(places[:, None] - places, axis=2) + np.diag([np.inf] * 530)
    factor = 137 / np.median(distance.min(axis=1))
    found = adata.obsm["spatial"]
    np.testing.assert_allclose(found - found[0], factor * (places - places[0]), rtol=1e-9)
    assert card.audit == "unlabelled cells dropped; pitch rescaled to 137"


@pytest.mark.parametrize("dataset", ["her2st", "starmap_mpfc", "seqfish_embryo"])
def test_joint_sets_hold_their_sections(dataset, tmp_path):
    card = dataset_card(dataset)
    adata, at = prepared(dataset, card, raw_files(card), tmp_path)
    back = rejoined(dataset, card, at)
    assert list(adata.obs["section"].cat.categories) == sorted(card.sections)
    shared = set.intersection(*(set(RAW[name]()[2]) for name in card.sections))
    assert set(adata.var_names) == shared
    for name in card.sections:
        counts, names, genes, labels, _ = RAW[name]()
        part = adata[[f"{name}:{cell}" for cell in names]]
        column = {gene: i for i, gene in enumerate(genes)}
        columns = [column[gene] for gene in adata.var_names]
        np.testing.assert_array_equal(part.X.toarray(), np.asarray(counts)[:, columns])
        assert list(part.obs[card.label.column].astype(object).fillna("")) == list(labels)
        assert list(back[part.obs_names].obs["label"].fillna("")) == list(labels)

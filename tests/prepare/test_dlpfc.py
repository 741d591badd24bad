"""The twelve cortex slices: real labels, positions, scale factors and images."""

import collections
import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from blindfold.core.datasets import dataset_card
from blindfold.core.errors import BlindfoldError
from tests.conftest import MIRROR, needs_mirror
from tests.prepare.mirrored import prepared
from tests.prepare.readers.test_visium import write_h5

pytestmark = needs_mirror

# spots, without label, sizes of Layer1 to Layer6 and WM
SLICES = {
    "151507": (4226, 5, (817, 305, 1215, 369, 675, 486, 354)),
    "151508": (4384, 3, (866, 295, 1385, 373, 737, 525, 200)),
    "151509": (4789, 1, (1189, 602, 1884, 369, 363, 215, 166)),
    "151510": (4634, 39, (1180, 650, 1774, 318, 310, 179, 184)),
    "151669": (3661, 25, (0, 0, 2141, 364, 510, 391, 230)),
    "151670": (3498, 14, (0, 0, 2175, 211, 581, 308, 209)),
    "151671": (4110, 17, (0, 0, 1918, 245, 721, 760, 449)),
    "151672": (4015, 127, (0, 0, 1575, 304, 728, 882, 399)),
    "151673": (3639, 28, (273, 253, 989, 218, 673, 692, 513)),
    "151674": (3673, 38, (380, 224, 924, 247, 621, 614, 625)),
    "151675": (3592, 26, (328, 275, 771, 275, 732, 533, 652)),
    "151676": (3460, 29, (289, 254, 836, 254, 649, 616, 533)),
}
LAYERS = ["Layer1", "Layer2", "Layer3", "Layer4", "Layer5", "Layer6", "WM"]


def published_labels(name):
    """Return layer by barcode from the table of the slice; "" where there is none."""
    with (MIRROR / f"dlpfc_{name}/metadata.tsv").open() as file:
        header, *rows = csv.reader(file, delimiter="\t")
    column = 1 + header.index("layer_guess")
    return {row[0]: row[column].replace("NA", "") for row in rows}


def pixels_under_tissue(name):
    with (MIRROR / f"dlpfc_{name}/tissue_positions_list.csv").open() as file:
        rows = [row for row in csv.reader(file) if row[1] == "1"]
    return {row[0]: (float(row[5]), float(row[4])) for row in rows}


def synthetic(name, folder, barcodes):
    """Return the card with three genes, and the place of counts made up for the barcodes."""
    card = dataset_card(f"dlpfc_{name}")
    card = card.model_copy(update={"expected": card.expected.model_copy(update={"genes": 3})})
    counts = np.random.default_rng(int(name)).poisson(2.0, (len(barcodes), 3)) + 1
    write_h5(folder / "counts.h5", barcodes, counts)
    return card, counts, {f"dlpfc_{name}/filtered_feature_bc_matrix.h5": folder / "counts.h5"}


@pytest.mark.parametrize("name", SLICES)
def test_a_slice_with_made_up_counts(name, tmp_path):
    spots, unlabelled, sizes = SLICES[name]
    labels, pixels = published_labels(name), pixels_under_tissue(name)
    # another order than that of labels and positions
    barcodes = [str(b) for b in np.random.default_rng(1).permutation(sorted(labels))]
    card, counts, places = synthetic(name, tmp_path, barcodes)
    adata, at = prepared(f"dlpfc_{name}", card, card.files, tmp_path, places)
    assert list(adata.obs_names) == barcodes
    assert adata.n_obs == spots == len(pixels)
    np.testing.assert_array_equal(adata.X.toarray(), counts)
    found = adata.obs["layer_guess"].astype(object).fillna("")
    assert list(found) == [labels[barcode] for barcode in barcodes]
    counted = collections.Counter(found)
    assert counted.pop("") == unlabelled
    assert dict(counted) == {k: n for k, n in zip(LAYERS, sizes, strict=True) if n}
    assert list(card.label.order) == [k for k, n in zip(LAYERS, sizes, strict=True) if n]

    raw = np.array([pixels[barcode] for barcode in barcodes])
    moved = adata.obsm["spatial"]
    np.testing.assert_allclose(moved - moved[0], raw - raw[0], atol=1e-6)
    scale = adata.uns["blindfold"]["scale"]
    lowres = np.asarray(Image.open(MIRROR / f"dlpfc_{name}/tissue_lowres_image.png"))
    cut = np.asarray(Image.open(at.prepared_image(f"dlpfc_{name}")))
    (column, row), (raw_column, raw_row) = (
        np.floor(places * scale + 1e-6).astype(int).T for places in (moved, raw)
    )
    np.testing.assert_array_equal(cut[row, column], lowres[raw_row, raw_column, :3])
    assert max(cut.shape) < 600


@pytest.mark.parametrize("name", SLICES)
def test_both_published_label_files_agree(name):
    with (MIRROR / "dlpfc_all/barcode_level_layer_map.tsv").open() as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row[1] == name]
    labelled = {barcode: label for barcode, label in published_labels(name).items() if label}
    assert {row[0]: row[2].replace("L", "Layer") for row in rows} == labelled
    assert len(labelled) == SLICES[name][0] - SLICES[name][1]


def test_the_label_table_of_another_slice_is_refused(tmp_path):
    barcodes = sorted(published_labels("151673"))
    card, _, places = synthetic("151673", tmp_path, barcodes)
    # as one repository has it: the table of 151507 under the name of 151673
    shutil.copy(MIRROR / "dlpfc_151507/metadata.tsv", tmp_path / "metadata.tsv")
    places["dlpfc_151673/metadata.tsv"] = tmp_path / "metadata.tsv"
    with pytest.raises(BlindfoldError, match=r"cells and labels do not match(?s:.*)without a row"):
        prepared("dlpfc_151673", card, card.files, tmp_path, places)


def test_positions_of_another_slice_are_refused(tmp_path):
    barcodes = sorted(published_labels("151673"))
    # every slide has the same barcodes: what differs is which of them lie under tissue
    card, _, places = synthetic("151673", tmp_path, barcodes)
    other = "dlpfc_151507/tissue_positions_list.csv"
    places["dlpfc_151673/tissue_positions_list.csv"] = MIRROR / other
    with pytest.raises(BlindfoldError, match="rows without a cell"):
        prepared("dlpfc_151673", card, card.files, tmp_path, places)

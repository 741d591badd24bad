"""Tables of Spatial Transcriptomics arrays."""

import gzip

import numpy as np
import pytest
from PIL import Image

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.readers import reader


def array_card(**differs):
    return DatasetCard(
        **{
            "title": "Array", "organism": "o", "tissue": "t", "technology": "ST", "paper": "p",
            "modality": "spatial", "licence": "l", "reader": "st_table", "label": "label",
            "files": [{"path": "a", "role": "counts", "url": "http://x"}], **differs,
        }
    )  # fmt: skip


@pytest.fixture
def array(tmp_path):
    """Write four spots of three genes; labels and selection stand in other orders."""
    files = {
        "counts": tmp_path / "S.tsv.gz",
        "labels": tmp_path / "S_labeled_coordinates.tsv",
        "coordinates": tmp_path / "S_selection.tsv",
    }
    table = "\tA\tB\tC\n10x13\t0\t6\t1\n9x21\t2\t0\t0\n9x14\t0\t0\t3\n11x2\t4\t4\t0\n"
    files["counts"].write_bytes(gzip.compress(table.encode()))
    files["labels"].write_text(
        "Row.names\tx\ty\tpixel_x\tpixel_y\tlabel\n"
        "1002x2642\t9.018\t13.999\t1\t1\tlow\n1002x1762\t9.02\t20.994\t1\t1\thigh\n"
        "77x77\tNA\tNA\t1\t1\tnowhere\n30x30\t30.1\t29.8\t1\t1\tempty\n"
        "5x5\t11.4\t1.6\t1\t1\tundetermined\n6x6\t9.51\t12.52\t1\t1\thigh\n"
    )
    files["coordinates"].write_text(
        "x\ty\tnew_x\tnew_y\tpixel_x\tpixel_y\tselected\n"
        "11\t2\t11.1\t2.1\t440.5\t80.25\t1\n9\t14\t9\t14\t360\t560\t1\n"
        "10\t13\t10\t13\t400\t520\t1\n9\t21\t9\t21\t361\t840\t1\n"
    )
    return files


def test_labels_and_pixels_are_joined_by_the_array_position(array):
    adata = reader("st_table")(array, {}, array_card())
    assert list(adata.obs_names) == ["10x13", "9x21", "9x14", "11x2"]
    assert list(adata.var_names) == ["A", "B", "C"]
    assert adata.X.toarray().tolist() == [[0, 6, 1], [2, 0, 0], [0, 0, 3], [4, 4, 0]]
    assert list(adata.obs["label"]) == ["high", "high", "low", "undetermined"]
    expected = [(400, 520), (361, 840), (360, 560), (440.5, 80.25)]
    np.testing.assert_array_equal(adata.obsm["spatial"], expected)


def test_unlabelled_data_need_no_labels(array):
    del array["labels"]
    adata = reader("st_table")(array, {}, array_card(label=None))
    assert adata.obs.shape == (4, 0)


def test_the_image_is_scaled_and_covered(array, tmp_path):
    array["image"] = tmp_path / "image.png"
    Image.fromarray(np.full((50, 100, 3), 200, np.uint8)).save(array["image"])
    options = {"full_width": 500, "cover": [{"left": 80, "top": 0, "right": 100, "bottom": 10}]}
    adata = reader("st_table")(array, options, array_card(image=True))
    assert adata.uns["scale"] == 0.2
    image = adata.uns["image"]
    assert not image[:10, 80:].any()
    assert (image[10:] == 200).all()
    assert (image[:, :80] == 200).all()


def test_the_full_image_needs_no_scale(array, tmp_path):
    array["image"] = tmp_path / "image.jpg"
    Image.fromarray(np.zeros((50, 100, 3), np.uint8)).save(array["image"])
    assert reader("st_table")(array, {}, array_card(image=True)).uns["scale"] == 1.0


def test_a_gene_that_stands_twice_is_left_to_be_seen(array):
    text = gzip.decompress(array["counts"].read_bytes()).decode().replace("\tC\n", "\tA\n")
    array["counts"].write_bytes(gzip.compress(text.encode()))
    assert list(reader("st_table")(array, {}, array_card()).var_names) == ["A", "B", "A"]


def replaced(role, old, new):
    def damage(files):
        text = files[role].read_bytes()
        text = gzip.decompress(text) if role == "counts" else text
        text = text.replace(old, new)
        files[role].write_bytes(gzip.compress(text) if role == "counts" else text)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (replaced("labels", b"9.02\t", b"8.02\t"), "(?s)1 of 4 cells .*labeled.*'9x21' in"),
        (replaced("labels", b"9.02\t20.994", b"9.02\t14.1"), "several rows"),
        (replaced("labels", b"label\n", b"labels\n"), "did you mean 'labels'"),
        (replaced("coordinates", b"10\t13", b"10\t12"), "(?s)1 of 4 cells .*selection.*'10x13' in"),
        (replaced("coordinates", b"pixel_x", b"px"), "there is no 'pixel_x'"),
        (replaced("counts", b"\t6\t", b"\tsix\t"), r"cannot read the table(.|\n)*'six'"),
        (lambda f: f["counts"].write_bytes(f["counts"].read_bytes()[:-12]), r"(?s)cannot.*S\.tsv"),
        (lambda f: f["coordinates"].write_text(""), "cannot read the table"),
    ],
)  # fmt: skip
def test_what_is_no_such_table_is_refused(array, damage, message):
    damage(array)
    with pytest.raises(BlindfoldError, match=message):
        reader("st_table")(array, {}, array_card())

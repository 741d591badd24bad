"""Coordinates, their pitch, and images that move with them."""

import anndata
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.geometry import check_coordinates, crop_image, pitch
from blindfold.prepare.prepare import prepare
from blindfold.prepare.standard import standardise
from tests.prepare.conftest import CARD, small_counts

SPATIAL = {"modality": "spatial", "unit": "micrometre"}


def grid(step=10.0):
    """Return 30 positions, 6 x 5, with the given pitch."""
    return np.stack(np.divmod(np.arange(30), 5), axis=1)[:, ::-1] * step + 100.0


def spatial(coordinates):
    raw = small_counts()
    raw.obsm["spatial"] = coordinates
    return raw


def test_coordinates_keep_their_cells(small, at):
    card = small(spatial(grid()), **SPATIAL, pitch=10.4)
    adata = anndata.read_h5ad(prepare("small", card, at))
    np.testing.assert_array_equal(adata.obsm["spatial"], grid())
    assert adata.obsm["spatial"].dtype == np.float64
    assert adata.uns["blindfold"] == {"technology": "t", "unit": "micrometre", "pitch": 10.0}


def test_coordinates_of_dropped_cells_go_with_them(small, at):
    raw = spatial(grid())
    raw.X[3] = 0
    raw.obsm["spatial"][3] = np.nan
    adata = anndata.read_h5ad(prepare("small", small(raw, **SPATIAL, quality={"min_genes": 1}), at))
    np.testing.assert_array_equal(adata.obsm["spatial"], np.delete(grid(), 3, axis=0))


def test_positions_must_be_finite():
    with pytest.raises(BlindfoldError, match=r"1 cells have no coordinates(.|\n)*row 1 \('b'\)"):
        check_coordinates(np.array([[0, 1], [np.nan, 1]]), ["a", "b"], "f")
    with pytest.raises(BlindfoldError, match="wrong shape"):
        check_coordinates(np.zeros((2, 3)), ["a", "b"], "f")


def test_a_wrong_pitch_is_refused(small, at):
    with pytest.raises(BlindfoldError, match="the pitch differs"):
        prepare("small", small(spatial(grid()), **SPATIAL, pitch=10.6), at)


def test_one_position_alone_is_refused(small, at):
    raw = spatial(np.zeros((30, 2)))
    card = small(raw, **SPATIAL, repair={"duplicate_spots": "keep"})
    with pytest.raises(BlindfoldError, match="at one position"):
        prepare("small", card, at)


def test_repeated_positions(small, at):
    coordinates = grid()
    coordinates[7] = coordinates[2]
    with pytest.raises(
        BlindfoldError, match=r"1 cells have the coordinates of another(.|\n)*'cell7'"
    ):
        prepare("small", small(spatial(coordinates), **SPATIAL), at)
    card = small(spatial(coordinates), **SPATIAL, repair={"duplicate_spots": "keep"})
    adata = anndata.read_h5ad(prepare("small", card, at))
    assert adata.uns["report"]["flaws"]["duplicate_spots"] == {"found": 1, "repair": "keep"}
    assert adata.uns["blindfold"]["pitch"] == 10


def test_pitch_is_the_median_nearest_distance():
    assert pitch(np.array([[0.0, 0], [0, 2], [0, 4], [50, 0]])) == 2
    assert pitch(np.array([[0.0, 0], [0, 0], [0, 3]])) == 3


def test_the_pitch_is_rescaled_for_audits_alone(small, at):
    card = small(spatial(grid()), **SPATIAL, rescale_pitch=137)
    adata = anndata.read_h5ad(prepare("small", card, at))
    assert adata.uns["blindfold"]["pitch"] == 137
    assert pitch(adata.obsm["spatial"]) == pytest.approx(137)
    assert card.audit == "pitch rescaled to 137"


def painted(coordinates, scale, size):
    """Return an image in which the pixel of every spot tells the spot's number."""
    image = np.zeros((size, size, 3), dtype=np.uint8)
    x, y = np.floor(coordinates * scale).astype(int).T
    image[y, x, 0] = np.arange(1, len(coordinates) + 1)
    return image


@pytest.mark.parametrize("rescale", [None, 137.0])
def test_cropping_keeps_every_spot_on_its_pixel(rescale):
    raw = spatial(grid())
    scale = 1.7
    raw.uns |= {"image": painted(grid(), scale, 400), "scale": scale}
    card = DatasetCard.model_validate({**CARD, **SPATIAL, "image": True, "rescale_pitch": rescale})
    made = standardise(raw, card, {"cells": "f"})
    at_spots = made.frame.obsm["spatial"] * made.frame.uns["blindfold"]["scale"]
    x, y = np.floor(at_spots + 1e-9).astype(int).T
    assert list(made.image[y, x, 0]) == list(range(1, 31))
    # two pitches of 10 around 40 x 50, in pixels
    assert made.image.shape[:2] == pytest.approx((90 * scale, 80 * scale), abs=2)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.05, 4), st.floats(0, 60), st.floats(0, 60), st.floats(0, 100),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_a_crop_moves_pixels_and_coordinates_alike(scale, left, top, margin, seed):
    rng = np.random.default_rng(seed)
    coordinates = rng.random((20, 2)) * 50 + [left, top]
    image = rng.integers(0, 255, (1, 1, 3), dtype=np.uint8) + np.indices(
        (int(130 * scale) + 2, int(120 * scale) + 2)
    ).sum(0, dtype=np.int64)[..., None].astype(np.uint8)
    cut, moved = crop_image(image, coordinates, scale, margin, "f")
    # whole pixels are cut off
    shift = (coordinates - moved) * scale
    np.testing.assert_allclose(shift, np.rint(shift[0])[None].repeat(20, 0), atol=1e-6)
    x, y = np.rint(shift[0]).astype(int)
    np.testing.assert_array_equal(cut, image[y : y + cut.shape[0], x : x + cut.shape[1]])
    assert (moved * scale >= -1e-6).all()
    assert (moved * scale <= np.array(cut.shape[1::-1]) + 1e-6).all()


def test_spots_outside_the_image_are_refused():
    image = np.zeros((50, 50, 3), dtype=np.uint8)
    with pytest.raises(BlindfoldError, match=r"1 spots lie outside(.|\n)*row 1"):
        crop_image(image, np.array([[1.0, 1], [60, 1]]), 1.0, 2.0, "f")


def test_an_image_that_the_card_promises_must_be_there():
    card = DatasetCard.model_validate({**CARD, **SPATIAL, "image": True})
    with pytest.raises(BlindfoldError, match="no image"):
        standardise(spatial(grid()), card, {"cells": "f"})

"""Weight-free image features, tile by tile, and pictures that are awkward."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb_from_hed

from methods.shared.image import features as histology
from methods.shared.image.features import as_rgb, histology_features, nuclear_density, reduced
from methods.shared.image.spots import image_feature_components
from methods.shared.image.texture import REACH, stains
from tests.methods.toys import picture, tissue

PER_SCALE = 77


def test_nuclei_are_told_from_the_rest():
    """A fifth of the pixels has four times the hematoxylin: just these lie above the threshold."""
    pink, blue = 256 * np.exp(-np.array([[0.3], [1.2]]) * rgb_from_hed[:1]) - 1
    image = np.tile(np.rint(pink).astype(np.uint8), (50, 50, 1))
    image[:, :10] = np.rint(blue)
    above = stains(image)[:, :, 0] > nuclear_density(image)
    np.testing.assert_array_equal(above, np.tile(np.arange(50) < 10, (50, 1)))


def test_features_separate_textures_and_are_finite():
    data, _ = tissue(12)
    found = histology_features(picture(data), data.coordinates, 0.2, data.pitch)
    assert found.inside.all()
    assert found.features.shape == (144, 3 * PER_SCALE)
    assert np.isfinite(found.features).all()
    right = data.coordinates[:, 0] > data.coordinates[:, 0].mean()
    nuclei = found.features[:, 30 + 14]
    assert nuclei[right & (nuclei > 0)].mean() > 5 * max(nuclei[~right].mean(), 1e-3)
    scores = image_feature_components(found.features, 50)
    unit = scores / np.linalg.norm(scores, axis=1, keepdims=True)
    far = np.abs(data.coordinates[:, 0] - np.median(data.coordinates[:, 0])) > 300
    alike = unit[far & right] @ unit[far & right].T
    unlike = unit[far & right] @ unit[far & ~right].T
    assert alike.mean() > unlike.mean() + 0.4


@pytest.mark.parametrize("tile", [37, 100, 5000])
def test_tiles_change_nothing(tile):
    """The same features, to rounding, however the image is cut."""
    data, _ = tissue(8)
    image = picture(data)
    whole = histology_features(image, data.coordinates, 0.2, data.pitch).features
    cut = histology_features(image, data.coordinates, 0.2, data.pitch, tile=tile).features
    np.testing.assert_allclose(cut, whole, atol=1e-5)


def test_same_bytes_again_and_in_any_order_of_spots():
    data, _ = tissue(8)
    image = picture(data)
    order = np.random.default_rng(0).permutation(64)
    first, again = (
        histology_features(image, data.coordinates, 0.2, 100.0).features for _ in range(2)
    )
    assert first.tobytes() == again.tobytes()
    mixed = histology_features(image, data.coordinates[order], 0.2, 100.0).features
    np.testing.assert_array_equal(mixed, first[order])


def test_a_finer_copy_gives_about_the_same_features():
    """A pyramid level twice as fine is reduced to the same size."""
    data, _ = tissue(6)
    image = picture(data, 0.4)
    fine = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    coarse = histology_features(image, data.coordinates, 0.4, 100.0).features
    twice = histology_features(fine, data.coordinates, 0.8, 100.0).features
    np.testing.assert_allclose(twice, coarse, atol=1e-5)
    np.testing.assert_array_equal(reduced(fine, 2), image)
    assert reduced(fine[:-1, :-3], 2).shape == (image.shape[0], image.shape[1] - 1, 3)


def test_grey_rgba_and_float_images():
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    assert as_rgb(grey).shape == (4, 5, 3)
    np.testing.assert_array_equal(as_rgb(grey[:, :, None]), as_rgb(grey))
    clear = np.zeros((2, 2, 4), dtype=np.uint8)
    assert (as_rgb(clear) == 255).all()
    clear[..., 3] = 255
    assert (as_rgb(clear) == 0).all()
    np.testing.assert_array_equal(as_rgb(np.full((2, 2), 0.2)), np.full((2, 2, 3), 51))
    np.testing.assert_array_equal(
        as_rgb(np.full((2, 2), 65535, np.uint16)), np.full((2, 2, 3), 255)
    )
    for wrong in (np.zeros(4), np.zeros((2, 2, 2)), np.zeros((0, 2, 3)), np.full((2, 2), 7.0),
                  np.zeros((2, 2), dtype=int)):  # fmt: skip
        with pytest.raises(ValueError, match="image"):
            as_rgb(wrong)


@pytest.mark.parametrize("scale", [None, 0.0, -1.0, float("nan")])
def test_a_scale_that_is_none_is_named(scale):
    data, _ = tissue(6)
    with pytest.raises(ValueError, match="scale"):
        histology_features(picture(data), data.coordinates, scale, 100.0)


def test_a_wrong_scale_is_named():
    """Ten times too large: spots outside; a hundred times too small: spots in each other."""
    data, _ = tissue(8)
    with pytest.raises(ValueError, match=r"of 64 spots lie outside its .* check the scale"):
        histology_features(picture(data), data.coordinates, 2.0, 100.0)
    with pytest.raises(ValueError, match="pixels apart"):
        histology_features(picture(data), data.coordinates, 0.002, 100.0)


def test_spots_outside_the_image_have_no_features():
    """An image smaller than the tissue: what lies outside counts as the mean."""
    data, _ = tissue(8)
    image = picture(data)
    image = image[: int(0.7 * len(image))]
    found = histology_features(image, data.coordinates, 0.2, 100.0)
    assert 0 < (~found.inside).sum() < 32
    assert np.isnan(found.features[~found.inside]).all()
    assert np.isfinite(found.features[found.inside]).all()
    scores = image_feature_components(found.features, 50)
    assert (scores[~found.inside] == 0).all()
    assert np.isfinite(scores).all()


def test_a_blank_image_says_nothing():
    data, _ = tissue(6)
    blank = np.full((200, 200, 3), 255, dtype=np.uint8)
    found = histology_features(blank, data.coordinates, 0.2, 100.0)
    assert np.isfinite(found.features).all()
    np.testing.assert_allclose(image_feature_components(found.features, 50), 0, atol=1e-9)
    assert np.isfinite(nuclear_density(blank))


def test_duplicate_and_single_positions():
    data, _ = tissue(6)
    coordinates = np.repeat(data.coordinates[:3], 12, axis=0)
    found = histology_features(picture(data), coordinates, 0.2, 100.0).features
    np.testing.assert_array_equal(found[0], found[5])
    one = histology_features(picture(data), coordinates[:1], 0.2, 100.0)
    assert image_feature_components(one.features, 50).shape == (1, 1)


def test_small_tiles_keep_memory_small(monkeypatch):
    """No map is larger than a tile and its margin."""
    data, _ = tissue(10)
    seen = []
    original = histology.pixel_maps

    def watched(tile, nuclei):
        seen.append(max(tile.shape[:2]))
        return original(tile, nuclei)

    monkeypatch.setattr(histology, "pixel_maps", watched)
    histology_features(picture(data), data.coordinates, 0.2, 100.0, tile=50)
    side = round(3.5 * 0.55 * 20)
    assert max(seen) <= 50 + 2 * (REACH + side // 2 + 1) + 3
    assert len(seen) >= 16

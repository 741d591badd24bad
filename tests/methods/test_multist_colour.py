"""MultiST: an image mapped to the colours of its best patches."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import hsv2rgb

from methods.multist.colour import (
    Boxes,
    Colours,
    Patches,
    best_patches,
    colours_within,
    describe,
    even_colours,
    hue_saturation,
    mapping,
    tissue,
)
from tests.methods.toys import tissue_with_image


def test_colours_reach_their_targets():
    """Mean and deviation before clipping; the identity where both are the same."""
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal((150, 120, 180), 15, (40, 50, 3)), 0, 199).astype(np.uint8)
    image[:10] = 255
    everywhere = Boxes(np.array([[25.0, 20.0]]), 100, (40, 50))
    own = colours_within(image, everywhere, np.array([0]))
    within = image[tissue(image)].astype(float)
    np.testing.assert_allclose(own.mean, within.mean(axis=0))
    np.testing.assert_allclose(own.deviation, within.std(axis=0))
    wanted = Colours(np.array([140.0, 90.0, 160.0]), np.array([20.0, 10.0, 5.0]))
    levels = mapping(own, wanted)
    mapped = np.column_stack([levels[image[tissue(image)][:, c], c] for c in range(3)])
    np.testing.assert_allclose(mapped.mean(axis=0), wanted.mean)
    np.testing.assert_allclose(mapped.std(axis=0), wanted.deviation)
    same = np.tile(np.arange(256)[:, None], 3)
    np.testing.assert_allclose(mapping(own, own), same, atol=1e-9)
    flat = own._replace(deviation=np.zeros(3))
    np.testing.assert_allclose(mapping(flat, wanted), same - own.mean + wanted.mean)


def test_boxes_sum_as_slices_do():
    """Sums from corners, cut off at the edge."""
    rng = np.random.default_rng(0)
    values = rng.random((30, 40))
    centres = np.array([[5.0, 4.0], [20.2, 17.9], [39.5, 29.5]])
    boxes = Boxes(centres, 7, (30, 40))
    low = np.floor(centres - 3.5 + 0.5).astype(int)
    for i, (x, y) in enumerate(low):
        part = values[max(y, 0) : y + 7, max(x, 0) : x + 7]
        assert boxes.area[i] == part.size
        assert boxes.sums(values)[i] == pytest.approx(part.sum())
        assert boxes.means(values)[i] == pytest.approx(part.mean())
        assert boxes.deviations(values)[i] == pytest.approx(part.std())


def test_hue_and_saturation_of_known_colours():
    """As 8-bit images count them."""
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [128, 0, 128]]])
    hue, saturation = np.moveaxis(hue_saturation(colours.astype(np.uint8)), 2, 0)
    np.testing.assert_allclose(hue[0], [0, 60, 120, 0, 150])
    np.testing.assert_allclose(saturation[0], [255, 255, 255, 0, 255])


def test_best_patches_are_stained_and_structured():
    """Background is never among the patches that set the target."""
    data = tissue_with_image(10)
    image = data.image.copy()
    middle = image.shape[1] // 2
    image[:, :middle] = 250
    boxes = Boxes(0.2 * data.coordinates, 30, image.shape[:2])
    chosen = best_patches(describe(image, boxes), np.random.default_rng(0))
    assert 1 <= len(chosen) <= 5
    assert (0.2 * data.coordinates[chosen, 0] > middle - 15).all()
    one = Boxes(0.2 * data.coordinates[:1], 30, image.shape[:2])
    np.testing.assert_array_equal(best_patches(describe(image, one), np.random.default_rng(0)), [0])


def test_a_twentieth_of_the_patches_set_the_colours():
    """Groups are counted over all patches, the best 30 % fill them."""
    rng = np.random.default_rng(0)
    patches = Patches(rng.random(400), rng.normal(size=(400, 10)))
    chosen = best_patches(patches, np.random.default_rng(0))
    assert len(np.unique(chosen)) == 20
    assert np.isin(chosen, np.argsort(-patches.score)[:120]).all()


def test_blue_and_pink_are_stains():
    """Hues 100 to 140 and from 150 over 180 to 20 count, others do not."""
    hues = np.array([0, 10, 30, 60, 90, 110, 120, 135, 145, 155, 165, 175])
    hsv = np.column_stack([hues / 180, np.full((len(hues), 2), 0.6)])
    shades = np.rint(255 * hsv2rgb(hsv)).astype(np.uint8)
    image = np.repeat(np.repeat(shades[None], 40, axis=0), 40, axis=1)
    centres = np.column_stack([40 * np.arange(len(hues)) + 20, np.full(len(hues), 20)])
    score = describe(image, Boxes(centres.astype(float), 20, image.shape[:2])).score
    stained = ((hues >= 100) & (hues <= 140)) | (hues >= 150) | (hues <= 20)
    np.testing.assert_allclose(score - score[3], 0.25 * 0.7 * stained, atol=0.02)


def test_tissue_gets_the_colours_of_the_best_patches():
    """Mean and deviation of the tissue become those of the chosen patches."""
    data = tissue_with_image(10)
    image = data.image.copy()
    image[: len(image) // 2] = image[: len(image) // 2] // 4 + 130  # pale tissue at the top
    found = even_colours(image, data.coordinates, 0.2, 100.0, np.random.default_rng(0))
    boxes = Boxes(0.2 * data.coordinates, 60, image.shape[:2])
    chosen = best_patches(describe(image, boxes), np.random.default_rng(0))
    wanted = colours_within(image, boxes, chosen)
    pixels = image.sum(axis=2) < 600
    before, after = image[pixels].astype(float), found[pixels].astype(float)
    shift = np.abs(before.mean(axis=0) - wanted.mean)
    assert shift.max() > 5
    assert np.abs(after.mean(axis=0) - wanted.mean).max() < 0.3 * shift.max()
    np.testing.assert_allclose(after.std(axis=0), wanted.deviation, rtol=0.1)


def test_an_image_is_mapped_in_its_shape_or_left_as_it_is():
    """The shape never changes; with nothing to go by the image stays as it is."""
    data = tissue_with_image(10)
    found = even_colours(data.image, data.coordinates, 0.2, 100.0, np.random.default_rng(0))
    assert found.shape == data.image.shape
    assert found.dtype == np.uint8
    assert not np.array_equal(found, data.image)
    again = even_colours(data.image, data.coordinates, 0.2, 100.0, np.random.default_rng(0))
    np.testing.assert_array_equal(found, again)
    blank = np.full((200, 200, 3), 255, np.uint8)
    for image, scale in ((blank, 0.2), (data.image, None), (data.image, 1e4)):
        kept = even_colours(image, data.coordinates + 50, scale, 100.0, np.random.default_rng(0))
        np.testing.assert_array_equal(kept, image)

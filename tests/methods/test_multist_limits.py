"""MultiST with images: where they count, and awkward ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from methods.contract import Data, Job
from methods.multist.colour import Boxes
from methods.shared.image.features import histology_features
from tests.methods.test_multist_second_stage import SHORT
from tests.methods.toys import (
    AWKWARD_TISSUES,
    awkward_tissue,
    picture,
    run,
    tissue,
    tissue_with_image,
)


def position_picture(data: Data) -> Data:
    """Red tells x and green tells y, one level a pixel."""
    size = np.ceil(data.coordinates.max(axis=0) * 0.1).astype(int) + 20
    y, x = np.mgrid[: size[1], : size[0]]
    image = np.stack([x, y, np.full_like(x, 40)], axis=2).astype(np.uint8)
    return dataclasses.replace(data, image=image, scale=0.1)


@pytest.mark.parametrize("tile", [16, 64, 512])
def test_every_spot_gets_its_own_patch(tile):
    """Patch means tell the positions, however the work is divided or ordered."""
    data = position_picture(tissue(12)[0])
    data = dataclasses.replace(data, coordinates=data.coordinates + 60)
    order = np.random.default_rng(0).permutation(144)
    for spots in (np.arange(144), order):
        xy = data.coordinates[spots]
        found = histology_features(data.image, xy, data.scale, data.pitch, tile=tile)
        np.testing.assert_allclose(found.features[:, :2], 0.1 * xy, atol=1.0)
    boxes = Boxes(0.1 * data.coordinates, 5, data.image.shape[:2])
    means = np.column_stack([boxes.means(data.image[:, :, c]) for c in range(2)])
    np.testing.assert_allclose(means, 0.1 * data.coordinates, atol=1.0)


@pytest.mark.parametrize("variant", ["described", "released"])
def test_an_image_counts_where_it_is_used(variant):
    """Without one, and with one that is not used, the first stage alone is clustered."""
    data = tissue_with_image()
    bare = dataclasses.replace(data, image=None, scale=None)
    plain, used, unused = (
        run("multist", d, Job(0, 3), variant, use_image=use, **SHORT)
        for d, use in ((bare, True), (data, True), (data, False))
    )
    assert [r.notes["image"] for r in (plain, used, unused)] == ["none", "used", "not used"]
    assert plain.embedding.tobytes() == unused.embedding.tobytes()
    assert plain.embedding.shape == (64, 32)
    assert plain.embedding.tobytes() != used.embedding.tobytes()
    again = run("multist", data, Job(0, 3), variant, **SHORT)
    assert used.embedding.tobytes() == again.embedding.tobytes()
    first = plain.trace
    assert [row["loss"] for row in used.trace[: len(first)]] == [row["loss"] for row in first]


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("attention", ["img2gene", "bidirectional"])
def test_awkward_images(variant, attention):
    """Bad input: grey, RGBA and cut-off images work; wrong scales and far-off spots do not."""
    data = tissue_with_image(6)
    short = {**SHORT, "attention": attention}
    opaque = np.full(data.image.shape[:2], 255, np.uint8)
    for other in (data.image[:, :, 0], np.dstack([data.image, opaque])):
        given = dataclasses.replace(data, image=other)
        found = run("multist", given, Job(0, 2), variant, **short)
        assert found.notes["image"] == "used"
        assert np.isfinite(found.embedding).all()
    cut = dataclasses.replace(data, image=data.image[: int(0.7 * len(data.image))])
    found = run("multist", cut, Job(0, 2), variant, **short)
    assert 0 < found.notes["spots_outside_image"] < 18
    assert np.isfinite(found.embedding).all()
    for scale in (None, np.nan, -1.0, 3.0, 1e-4):
        wrong = dataclasses.replace(data, scale=scale)
        with pytest.raises(ValueError, match="scale"):
            run("multist", wrong, Job(0, 2), variant, **short)
    blank = dataclasses.replace(data, image=np.full_like(data.image, 255))
    found = run("multist", blank, Job(0, 2), variant, **short)
    assert np.isfinite(found.embedding).all()
    with pytest.raises(ValueError, match="image: shape"):
        run("multist", dataclasses.replace(data, image=data.image[:, :, :2]), Job(0, 2))


KINDS = [*AWKWARD_TISSUES, "sections"]


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_tissues_with_an_image(variant, kind):
    """Bad input: few, isolated, duplicate and collinear spots, pieces and tiny sections."""
    data = tissue_with_image(8) if kind == "sections" else awkward_tissue(kind)
    if kind == "sections":
        data = dataclasses.replace(data, batch=np.repeat([0, 1, 2], [1, 3, 60]))
    xy = data.coordinates
    inside = np.clip(xy, 0, 2000)  # the image does not reach the far pieces
    image = picture(dataclasses.replace(data, coordinates=inside), 0.1)
    given = dataclasses.replace(data, image=image, scale=0.1)
    far = (xy > 2000).any(axis=1).sum()
    clusters = min(2, data.n_cells)
    if 2 * far > len(xy):
        with pytest.raises(ValueError, match="outside"):
            run("multist", given, Job(0, clusters), variant, **SHORT)
        return
    found = run("multist", given, Job(0, clusters), variant, **SHORT)
    assert found.clusters.shape == (data.n_cells,)
    assert np.isfinite(found.embedding).all()
    assert np.isfinite([row["loss"] for row in found.trace]).all()

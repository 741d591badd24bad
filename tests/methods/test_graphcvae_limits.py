"""GraphCVAE on awkward tissues and images, several sections, and after a kill."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job
from methods.shared.image.features import histology_features
from tests.methods.interrupted import go_on_from_everywhere
from tests.methods.toys import SHORT, picture, run, tissue

VARIANTS = ["described", "released"]


def moved_tissue(change) -> Data:
    data, _ = tissue(8)
    return dataclasses.replace(data, coordinates=change(data.coordinates.copy()), pitch=None)


def onto(rows: slice, position: tuple[float, float]):
    def move(coordinates: np.ndarray) -> np.ndarray:
        coordinates[rows] = position
        return coordinates

    return move


AWKWARD = {
    "duplicate positions": onto(slice(0, 20), (0.0, 0.0)),
    "all at one position": onto(slice(None), (5.0, 5.0)),
    "a line": lambda xy: xy * [1.0, 0.0],
    "isolated spots": onto(slice(3, 5), (1e7, -1e7)),
    "disconnected tissue": lambda xy: xy + 1e6 * (np.arange(64) < 20)[:, None],
}


@pytest.mark.parametrize("n_clusters", [3, None])
@pytest.mark.parametrize("kind", AWKWARD)
@pytest.mark.parametrize("variant", VARIANTS)
def test_awkward_positions_get_a_whole_answer(variant, kind, n_clusters):
    data = moved_tissue(AWKWARD[kind])
    result = run("graphcvae", data, Job(0, n_clusters), variant, **SHORT)
    assert result.clusters.shape == (64,)
    assert np.isfinite(result.embedding).all()
    assert np.isfinite([row["loss"] for row in result.trace]).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_fewer_genes_than_asked_and_empty_spots(variant):
    data, _ = tissue(7)
    counts = data.counts.tolil()
    counts[[0, 9]] = 0
    few = Data(sp.csr_matrix(counts)[:, :12], data.genes[:12], data.coordinates, 100.0)
    assert np.isfinite(run("graphcvae", few, Job(0, 3), variant, **SHORT).embedding).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_cannot_be_done_is_named(variant):
    data, _ = tissue(5)
    with pytest.raises(ValueError, match="coordinates: none given"):
        run("graphcvae", dataclasses.replace(data, coordinates=None), Job(0, 2), variant)
    with pytest.raises(ValueError, match="n_clusters: 26 clusters asked of 25 cells"):
        run("graphcvae", data, Job(0, 26), variant)
    with pytest.raises(ValueError, match="every entry is zero"):
        run("graphcvae", dataclasses.replace(data, counts=data.counts * 0), Job(0, 2), variant)


def test_an_image_counts_where_it_is_used():
    data, _ = tissue(8)
    seen = dataclasses.replace(data, image=picture(data), scale=0.2)
    plain, used, unused = (
        run("graphcvae", d, Job(0, 3), use_image=use, **SHORT)
        for d, use in ((data, True), (seen, True), (seen, False))
    )
    assert [r.notes["image"] for r in (plain, used, unused)] == ["none", "used", "not used"]
    assert plain.embedding.tobytes() == unused.embedding.tobytes()
    assert plain.embedding.tobytes() != used.embedding.tobytes()
    again = run("graphcvae", seen, Job(0, 3), **SHORT)
    assert used.embedding.tobytes() == again.embedding.tobytes()


def test_features_of_the_user_take_the_place_of_the_image():
    """Those of the image itself give what the image gives, byte for byte."""
    data, _ = tissue(8)
    seen = dataclasses.replace(data, image=picture(data), scale=0.2)
    found = histology_features(seen.image, seen.coordinates, seen.scale, seen.pitch).features
    given = dataclasses.replace(data, image_features=found)
    by_image, by_features = (run("graphcvae", d, Job(0, 3), **SHORT) for d in (seen, given))
    assert by_features.notes["image"] == "features given"
    assert by_features.embedding.tobytes() == by_image.embedding.tobytes()
    assert run("graphcvae", given, Job(0, 3), use_image=False, **SHORT).notes["image"] == "not used"


def test_awkward_images():
    """Grey and RGBA images work; without scale, at a wrong one, or far off, they are refused."""
    data, _ = tissue(6)
    image = picture(data)
    for other in (image[:, :, 0], np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])):
        given = dataclasses.replace(data, image=other, scale=0.2)
        assert run("graphcvae", given, Job(0, 2), **SHORT).notes["image"] == "used"
    cut = dataclasses.replace(data, image=image[: int(0.7 * len(image))], scale=0.2)
    assert 0 < run("graphcvae", cut, Job(0, 2), **SHORT).notes["spots_outside_image"] < 18
    for scale in (None, 3.0, 1e-4):
        wrong = dataclasses.replace(data, image=image, scale=scale)
        with pytest.raises(ValueError, match="scale"):
            run("graphcvae", wrong, Job(0, 2), **SHORT)


def test_two_sections_train_together():
    """Same domains in two sections with other depths: found jointly, whatever the section.

    With more starts, because mclust's own weighs all 30 components alike and misses the domains.
    """
    first, truth = tissue(18, genes=90, signal=1.2, seed=0)
    second, _ = tissue(18, genes=90, signal=1.2, seed=1)
    counts = sp.csr_matrix(sp.vstack([first.counts, 2 * second.counts]))
    both = Data(
        counts, first.genes, np.concatenate([first.coordinates] * 2), 100.0,
        batch=np.repeat([0, 1], 324),
    )  # fmt: skip
    found = run("graphcvae", both, Job(0, 3), "more_starts", epochs=100).clusters
    assert adjusted_rand_score(np.tile(truth, 2), found) > 0.9


def test_a_section_smaller_than_a_neighbourhood():
    data, _ = tissue(6)
    batch = (np.arange(36) < 2).astype(int)
    result = run("graphcvae", dataclasses.replace(data, batch=batch), Job(0, 2), **SHORT)
    assert np.isfinite(result.embedding).all()
    single = dataclasses.replace(data, batch=(np.arange(36) < 1).astype(int))
    assert np.isfinite(run("graphcvae", single, Job(0, 2), **SHORT).embedding).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_run_goes_on_where_it_was(variant):
    """Weights, running statistics and all three random streams stand in the checkpoint."""
    assert go_on_from_everywhere("graphcvae", variant, tissue(7)[0], epochs=4) == 4

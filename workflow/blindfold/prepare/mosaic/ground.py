"""The ground of a tissue: where its spots lie, and which domain and batch each belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.mosaic.domains import domain_names, plant_domains
from blindfold.prepare.mosaic.layout import hexagonal, side_by_side
from blindfold.prepare.mosaic.options import Options

GAP = 10
"""Pitches between two sections, so that no spot of one neighbours a spot of another."""


@dataclass(frozen=True)
class Ground:
    """What is known of N spots before any expression.

    Parameters
    ----------
    coordinates
        N x 2.
    domain
        Domain code of each spot.
    place
        Place of each spot among the domains, see `plant_domains`.
    batch
        Batch code of each spot.
    """

    coordinates: np.ndarray
    domain: np.ndarray
    place: np.ndarray
    batch: np.ndarray


def lay_ground(knobs: Options, rng: np.random.Generator) -> Ground:
    """Lay out all spots.

    Parameters
    ----------
    knobs
        Options of the mosaic.
    rng
        Used by the layout ``none`` and by interleaved batches.

    Raises
    ------
    BlindfoldError
        Where there are too few spots for the domains.
    """
    apart = knobs.batches if knobs.batch_layout == "sections" else 1
    size = [len(part) for part in np.array_split(np.arange(knobs.spots), apart)]
    sections = [hexagonal(spots, knobs.pitch) for spots in size]
    planted = [
        plant_domains(knobs.layout, section, knobs.domains, knobs.evenness, rng)
        for section in sections
    ]
    code = [domain for domain, _ in planted]
    if any(len(np.unique(domain)) < knobs.domains for domain in code):
        raise BlindfoldError(
            "a domain would have no spot", field="options.domains", found=knobs.domains,
            expected=f"fewer domains, or more spots than {knobs.spots}",
        )  # fmt: skip
    batch = np.repeat(np.arange(apart), size)
    if knobs.batch_layout == "interleaved":
        batch = rng.permutation(np.arange(knobs.spots) % knobs.batches)
    coordinates = side_by_side(sections, GAP * knobs.pitch)
    place = np.concatenate([where for _, where in planted])
    return Ground(coordinates, np.concatenate(code), place, batch)


def labels(ground: Ground, knobs: Options) -> np.ndarray:
    """Return the name of each spot's domain."""
    return np.array(domain_names(knobs.layout, knobs.domains))[ground.domain]

"""The layout of a tissue: where its spots lie, and the domain and batch of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.geometry import SECTION_GAP, side_by_side
from blindfold.prepare.mosaic.domains import plant_domains
from blindfold.prepare.mosaic.lattice import hexagonal
from blindfold.prepare.mosaic.options import Options


@dataclass(frozen=True)
class Tissue:
    """What is known of N spots before any expression.

    Parameters
    ----------
    coordinates
        N x 2.
    domain
        Domain code of each spot.
    domain_position
        Position of each spot in the sequence of domains, see `plant_domains`.
    batch
        Batch code of each spot.
    """

    coordinates: np.ndarray
    domain: np.ndarray
    domain_position: np.ndarray
    batch: np.ndarray


def lay_out_tissue(options: Options, rng: np.random.Generator) -> Tissue:
    """Lay out all spots.

    Parameters
    ----------
    options
        Options of the mosaic.
    rng
        Used by the layout ``none`` and by interleaved batches.

    Raises
    ------
    BlindfoldError
        Where there are too few spots for the domains.
    """
    n_sections = options.batches if options.batch_layout == "sections" else 1
    sizes = [len(part) for part in np.array_split(np.arange(options.spots), n_sections)]
    sections = [hexagonal(size, options.pitch) for size in sizes]
    planted = [
        plant_domains(options.layout, section, options.domains, options.evenness, rng)
        for section in sections
    ]
    if any(len(np.unique(domain)) < options.domains for domain, _ in planted):
        raise BlindfoldError(
            "a domain would have no spot", field="options.domains", found=options.domains,
            expected=f"fewer domains, or more spots than {options.spots}",
        )  # fmt: skip
    domain, position = (np.concatenate(parts) for parts in zip(*planted, strict=True))
    batch = np.repeat(np.arange(n_sections), sizes)
    if options.batch_layout == "interleaved":
        batch = rng.permutation(np.arange(options.spots) % options.batches)
    coordinates = np.concatenate(side_by_side(sections, SECTION_GAP * options.pitch))
    return Tissue(coordinates, domain, position, batch)

"""A semi-synthetic tissue made from real, labelled cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.prepare.mosaic.options import Options

if TYPE_CHECKING:
    import scipy.sparse as sp
    from anndata import AnnData

    from blindfold.prepare.mosaic.ground import Ground
    from blindfold.prepare.mosaic.source import RealCells


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
    """Make the tissue.

    Parameters
    ----------
    files
        What the reader of the real cells asks for.
    options
        See `Options`.
    card
        The dataset's card; its label column receives the planted domains, and its batch column
        the batches.

    Returns
    -------
    anndata.AnnData
        Spots x genes with domains, batches, coordinates and, where the card has one, an image;
        ``layers["complete"]`` holds the counts before dropout.

    Raises
    ------
    BlindfoldError
        For an unknown option, a missing column, cells without counts, or too few spots.
    """
    import anndata
    import pandas as pd

    from blindfold.prepare.mosaic import ground, histology, source

    knobs = io.validate(Options, options, f"card {card.title!r}: options")
    real = source.read_cells(files, knobs.cells, card)
    # one generator each: changing the image's knobs leaves the counts as they are
    streams = np.random.SeedSequence(knobs.seed).spawn(4)
    chance, paint, site, bias = map(np.random.default_rng, streams)
    tissue = ground.lay_ground(knobs, site)
    seen, complete = _spots(real, tissue, knobs, chance, bias)
    columns = {
        card.label.column if card.label else "domain": ground.labels(tissue, knobs),
        card.batch or "batch": [f"batch {code + 1}" for code in tissue.batch],
    }
    obs = pd.DataFrame(columns, index=[f"spot-{i + 1}" for i in range(knobs.spots)])
    made = anndata.AnnData(seen, obs=obs, var=pd.DataFrame(index=real.genes))
    made.layers["complete"] = complete
    made.obsm["spatial"] = tissue.coordinates
    if card.image:
        made.uns["image"], made.uns["scale"] = histology.draw(
            tissue.coordinates, tissue.domain, knobs.pitch, knobs.image_width,
            knobs.image_informativeness, paint,
        )  # fmt: skip
    return made


def _spots(
    real: RealCells, tissue: Ground, knobs: Options, rng: np.random.Generator,
    bias: np.random.Generator,
) -> tuple[sp.csr_matrix, sp.csr_matrix]:  # fmt: skip
    """Return the counts of all spots, as they are seen and as they were before dropout."""
    from blindfold.prepare.mosaic import batches, spots

    frequency = np.bincount(real.types) / len(real.types)
    mixture = spots.mix_types(knobs.domains, frequency, knobs.signal, rng)
    mixed = spots.mix_spots(mixture, tissue.place)
    there = spots.choose_cells(mixed, real.types, knobs.cells_per_spot, rng) @ real.counts
    if knobs.batches > 1:
        shape = (knobs.batches, there.shape[1])
        factor = batches.draw_factors(*shape, knobs.batch_strength, bias)
        there = batches.scale_counts(there, factor, tissue.batch, bias)
    return spots.observe(there, knobs.capture, knobs.depth_spread, knobs.dropout, rng)

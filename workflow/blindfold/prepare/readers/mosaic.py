"""A semi-synthetic tissue made from real, labelled cells."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from blindfold.core.datasets import DatasetCard
from blindfold.prepare.mosaic import batches, histology, spots
from blindfold.prepare.mosaic.domains import domain_names
from blindfold.prepare.mosaic.options import Options
from blindfold.prepare.mosaic.real_cells import RealCells, read_cells
from blindfold.prepare.mosaic.tissue import Tissue, lay_out_tissue


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> anndata.AnnData:
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
    real = read_cells(files, options.cells, card)
    # one generator each: changing the options of the image leaves the counts as they are
    seeds = np.random.SeedSequence(options.seed).spawn(4)
    expression_rng, image_rng, layout_rng, batch_rng = map(np.random.default_rng, seeds)
    tissue = lay_out_tissue(options, layout_rng)
    measured, complete = _counts(real, tissue, options, expression_rng, batch_rng)
    names = np.array(domain_names(options.layout, options.domains))
    columns = {
        card.label.column if card.label else "domain": names[tissue.domain],
        card.batch or "batch": [f"batch {code + 1}" for code in tissue.batch],
    }
    obs = pd.DataFrame(columns, index=[f"spot-{i + 1}" for i in range(options.spots)])
    made = anndata.AnnData(measured, obs=obs, var=pd.DataFrame(index=real.genes))
    made.layers["complete"] = complete
    made.obsm["spatial"] = tissue.coordinates
    if card.image:
        made.uns["image"], made.uns["scale"] = histology.draw(
            tissue.coordinates, tissue.domain, options.pitch, options.image_width,
            options.image_informativeness, image_rng,
        )  # fmt: skip
    return made


def _counts(
    real: RealCells, tissue: Tissue, chosen: Options, rng: np.random.Generator,
    batch_rng: np.random.Generator,
) -> tuple[sp.csr_matrix, sp.csr_matrix]:  # fmt: skip
    """Return the counts of all spots, as measured and as they were before dropout."""
    frequency = np.bincount(real.types) / len(real.types)
    of_domains = spots.mix_types(chosen.domains, frequency, chosen.signal, rng)
    of_spots = spots.mix_spots(of_domains, tissue.domain_position)
    counts = spots.choose_cells(of_spots, real.types, chosen.cells_per_spot, rng) @ real.counts
    if chosen.batches > 1:
        shape = (chosen.batches, counts.shape[1])
        factors = batches.draw_factors(*shape, chosen.batch_strength, batch_rng)
        counts = batches.scale_counts(counts, factors, tissue.batch, batch_rng)
    return spots.observe(counts, chosen.capture, chosen.depth_spread, chosen.dropout, rng)

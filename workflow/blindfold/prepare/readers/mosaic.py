"""A semi-synthetic tissue made from real, labelled, log-normalised cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from blindfold.core import io
from blindfold.core.cards import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.mosaic.options import Options

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
    """Make the tissue.

    Parameters
    ----------
    files, options
        Role ``cells``: an h5ad whose ``raw`` holds log-normalised counts. See `Options`.
    card
        The dataset's card; its label column receives the planted domains.

    Returns
    -------
    anndata.AnnData
        Spots x genes with domains, coordinates and, where the card has one, an image.

    Raises
    ------
    BlindfoldError
        For an unknown option, a missing column, or counts that cannot be recovered.
    """
    import anndata
    import pandas as pd

    from blindfold.prepare.mosaic import histology, layout
    from blindfold.prepare.recover import read_raw_counts

    knobs = io.validate(Options, options, f"card {card.title!r}: options")
    source, real = read_raw_counts(files["cells"], knobs.total, knobs.target_sum)
    types = _type_codes(source.obs, knobs.cell_type, files["cells"])
    coordinates = layout.hexagonal(knobs.spots, knobs.pitch)
    domain = layout.plant_domains(coordinates, knobs.domains)
    # one generator each: changing the image's knobs leaves the counts as they are
    chance, paint = map(np.random.default_rng, np.random.SeedSequence(knobs.seed).spawn(2))
    counts = _spots(real, types, domain, knobs, chance)
    label = np.array(layout.domain_names(knobs.domains))[domain]
    names = [f"spot-{i + 1}" for i in range(knobs.spots)]
    obs = pd.DataFrame({card.label or "domain": label}, index=names)
    tissue = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=source.raw.var_names))
    tissue.obsm["spatial"] = coordinates
    if card.image:
        tissue.uns["image"], tissue.uns["scale"] = histology.draw(
            coordinates, domain, knobs.pitch, knobs.image_width, knobs.image_informativeness,
            paint,
        )  # fmt: skip
    return tissue


def _type_codes(obs: pd.DataFrame, column: str, file: Path) -> np.ndarray:
    if column not in obs:
        raise BlindfoldError(
            "no such column", file=file, field="options.cell_type", found=column,
            expected="one of " + ", ".join(obs.columns),
        )  # fmt: skip
    return np.unique(obs[column].astype(str), return_inverse=True)[1]


def _spots(
    real: sp.csr_matrix, types: np.ndarray, domain: np.ndarray, knobs: Options,
    rng: np.random.Generator,
) -> sp.csr_matrix:  # fmt: skip
    """Return the observed counts of all spots."""
    from blindfold.prepare.mosaic import spots

    frequency = np.bincount(types) / len(types)
    mixture = spots.mix_types(knobs.domains, frequency, knobs.signal, rng)
    chosen = spots.choose_cells(domain, mixture, types, knobs.cells_per_spot, rng)
    return spots.observe(chosen @ real, knobs.capture, knobs.depth_spread, knobs.dropout, rng)

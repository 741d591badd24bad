"""Synthetic counts of any size, made block by block: clusters of cells or stripes of a tissue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from methods.contract import Data

PITCH = 137.0
PITCH_PIXELS = 20  # of the drawn section
DISPERSION = 1.5
DENSITY = 0.1
BLOCK = 1000


def hexagonal(n_spots: int, rng: np.random.Generator) -> np.ndarray:
    """Return a hexagonal lattice with a little jitter, spots x 2, pitch 137."""
    width = int(np.ceil(np.sqrt(n_spots)))
    row, column = np.divmod(np.arange(n_spots), width)
    lattice = np.column_stack([column + 0.5 * (row % 2), row * np.sqrt(3) / 2]) * PITCH
    return lattice + rng.normal(0, 0.7, lattice.shape)


def counts(groups: np.ndarray, n_genes: int, rng: np.random.Generator) -> sp.csr_matrix:
    """Return negative binomial counts, about 10 % of them not zero, CSR float32.

    Parameters
    ----------
    groups
        Group of each cell, cells. A tenth of the genes is fourfold expressed in each group.
    n_genes
        Number of genes.
    rng
        Source of randomness.
    """
    mean = DISPERSION * ((1 - DENSITY) ** (-1 / DISPERSION) - 1)
    profiles = np.where(rng.random((groups.max() + 1, n_genes)) < 0.1, 4.0, 0.7) * mean
    blocks = []
    for start in range(0, len(groups), BLOCK):
        expected = profiles[groups[start : start + BLOCK]]
        drawn = rng.negative_binomial(DISPERSION, DISPERSION / (DISPERSION + expected))
        blocks.append(sp.csr_matrix(drawn.astype(np.float32)))
    return sp.csr_matrix(sp.vstack(blocks))


def dataset(
    modality: str, n_cells: int, n_genes: int, seed: int = 0, image: bool = False
) -> tuple[Data, int]:
    """Return a dataset and its number of groups: 8 clusters of cells, or 7 stripes of a tissue.

    With ``image`` the tissue has a drawn section, 20 pixels a pitch.
    """
    rng = np.random.default_rng(seed)
    genes = np.array([f"gene{i}" for i in range(n_genes)])
    if modality == "scrna":
        return Data(counts(rng.integers(0, 8, n_cells), n_genes, rng), genes), 8
    places = hexagonal(n_cells, rng)
    stripes = np.minimum((places[:, 0] / places[:, 0].max() * 7).astype(int), 6).clip(0)
    data = Data(counts(stripes, n_genes, rng), genes, places, PITCH)
    return (with_section(data, stripes, rng) if image else data), 7


def with_section(data: Data, stripes: np.ndarray, rng: np.random.Generator) -> Data:
    """Return the tissue with a section, its places moved into it."""
    from blindfold.prepare.mosaic.histology import draw

    assert data.coordinates is not None
    places = data.coordinates - data.coordinates.min(axis=0) + 2 * PITCH
    width = round((places[:, 0].max() / PITCH + 2) * PITCH_PIXELS)
    section, scale = draw(places, stripes, PITCH, width, 1.0, rng)
    return replace(data, coordinates=places, image=section, scale=scale)

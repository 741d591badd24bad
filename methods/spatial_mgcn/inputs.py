"""From counts and positions to features, a graph of near spots and one of similar spots."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.contract import Data
from methods.shared.graph import average, pitch_of
from methods.shared.hvg import seurat_v3
from methods.shared.preprocess import scale_to_total, take_genes, unit_deviation
from methods.shared.radius_graph import covering_radius, radius_graph

SHARE = 0.2  # of the spots; `min_spots` asks for no more than this
STEP = 5 / 273  # pitches; the authors search in steps of 5 pixels, on breast at a pitch of 273
LIMIT = 995 / 273  # pitches; their largest radius


def expression(counts: sp.csr_matrix, min_spots: int, n_genes: int) -> sp.csr_matrix:
    """
    Choose genes, scale spots to equal totals over them, then genes to unit deviation.

    Parameters
    ----------
    counts
        Raw counts, spots x genes.
    min_spots
        Spots a gene must be seen in, but no more than a fifth of all spots and half of those
        that the commonest gene is seen in: small and sparse tissues keep genes.
    n_genes
        Variable genes (seurat_v3); all where there are fewer.

    Returns
    -------
    Not logarithmic, not centred, at most 10; as sparse as the counts.
    """
    n, genes = counts.shape
    spots = np.bincount(counts.indices[counts.data > 0], minlength=genes)
    if not spots.any():
        raise ValueError("counts: every entry is zero; Spatial-MGCN needs an expressed gene")
    least = np.ceil(min(min_spots, SHARE * n, spots.max() / 2))
    seen = np.flatnonzero(spots >= least)
    counts = take_genes(counts, seen)
    chosen = take_genes(counts, seurat_v3(counts, n_genes))
    return unit_deviation(scale_to_total(chosen, 1e4)[0], clip=10.0)


def spatial_graph(
    data: Data, kind: str, radius: float, densest: int
) -> tuple[sp.csr_matrix, float]:
    """
    Join spots within a radius.

    Parameters
    ----------
    data
        Coordinates and pitch.
    kind
        ``radius``: the radius given; ``degree``: the least one within which every spot has two
        others and one spot `densest`.
    radius, densest
        In pitches, and in spots.

    Returns
    -------
    The graph and the radius in pitches.

    Raises
    ------
    ValueError
        Where no radius below 3.6 pitches will do: a spot lies apart, or there are few spots.
    """
    assert data.coordinates is not None
    pitch = data.pitch or pitch_of(data.coordinates)
    if kind == "degree":
        radius = covering_radius(data.coordinates, densest, step=STEP * pitch) / pitch
        if radius > LIMIT:
            raise ValueError(
                f"spatial_graph: no radius up to {LIMIT:.1f} pitches gives every spot two "
                f"neighbours and one spot {densest}; use spatial_graph: radius"
            )
    return radius_graph(data.coordinates, radius * pitch, pitch), radius


def propagation(graph: sp.csr_matrix, loops: int = 1) -> sp.csr_matrix:
    """Average over a spot, counted `loops` times, and its neighbours: D^-1 (A + loops I)."""
    own = loops * sp.eye_array(graph.shape[0], dtype=np.float32, format="csr")
    return average(sp.csr_matrix(graph + own))

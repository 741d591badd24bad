"""From positions to a graph of near spots."""

from __future__ import annotations

import scipy.sparse as sp

from methods.contract import Data
from methods.shared.graphs.neighbors import pitch_of
from methods.shared.graphs.radius import radius_graph
from methods.spatial_mgcn.radius import covering_radius

STEP = 5 / 273  # pitches; the authors search in steps of 5 pixels, on breast at a pitch of 273
LIMIT = 995 / 273  # pitches; their largest radius


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

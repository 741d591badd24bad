"""STAGATE on many spots and on awkward ones: memory, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from methods.contract import Data, Job
from methods.stagate.model import build
from tests.methods.test_stagate_inputs import SMALL
from tests.methods.toys import params, run, tissue
from tests.methods.watch import Largest


def test_no_tensor_is_spots_by_spots_or_spots_by_genes():
    """STAGATE, linear memory: above 5,000 spots the largest tensor is spots x width."""
    data, _ = tissue(73, genes=400)
    model, _ = build(data, params("stagate", width=24), Job(0, 3))
    with Largest() as largest:
        torch.stack(list(model.step(0).values())).sum().backward()
    entries = model.whole[0][1].features.matrix.forward.values().numel()
    assert largest.size <= max(73 * 73 * 24, entries)


def awkward(kind: str) -> Data:
    data, _ = tissue(8)
    counts, position = data.counts.toarray(), data.coordinates.copy()
    if kind == "duplicate positions":
        position[:30] = position[0]
    elif kind == "one position":
        position[:] = position[0]
    elif kind == "collinear":
        position[:, 1] = 0
    elif kind == "diagonal":
        position[:, 1] = position[:, 0] = np.arange(64) * 70.0
    elif kind == "isolated spots":
        position[:5] += 1e5 * np.arange(1, 6)[:, None]
    elif kind == "all isolated":
        position *= 1e3
    elif kind == "disconnected":
        position[:32] += 1e6
    elif kind == "empty spots":
        counts[:6] = 0
    elif kind == "one gene":
        counts = counts[:, :1]
    genes = np.arange(counts.shape[1]).astype(str)
    return Data(sp.csr_matrix(counts), genes, position, data.pitch)


KINDS = ["duplicate positions", "one position", "collinear", "diagonal", "isolated spots",
         "all isolated", "disconnected", "empty spots", "one gene"]  # fmt: skip


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_tissues_still_get_a_whole_answer(kind, variant):
    """Bad input: degenerate positions, isolated spots, separate pieces, few genes."""
    data = awkward(kind)
    for changes in ({}, {"grid_columns": 3, "grid_rows": 2}, {"graph": "knn"}):
        result = run("stagate", data, Job(0, 3), variant, **SMALL, **changes)
        assert result.clusters.shape == (64,)
        assert np.isfinite(result.embedding).all()


def test_fewer_genes_than_asked_for_and_more_clusters_than_spots():
    """Bad input: all genes are taken; the number of clusters is refused by name."""
    data, _ = tissue(6, genes=20)
    assert run("stagate", data, Job(0, 2), n_genes=3000, **SMALL).clusters.shape == (36,)
    with pytest.raises(ValueError, match="n_clusters: 37 clusters asked of 36"):
        run("stagate", data, Job(0, 37), **SMALL)


def test_missing_coordinates_and_unknown_number():
    """Bad input: no positions are named; without K the mixture's BIC decides."""
    data, _ = tissue(8, signal=4.0)
    with pytest.raises(ValueError, match="coordinates"):
        run("stagate", Data(data.counts, data.genes), Job(0, 2), **SMALL)
    result = run("stagate", data, Job(0, None), **SMALL)
    assert "BIC" in result.notes["k_rule"]

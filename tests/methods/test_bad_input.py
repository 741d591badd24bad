"""Awkward data and losses that are not finite, for the trained single-cell methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from methods.contract import Data, Job
from tests.methods.toys import SHORT, card, cells, run

TRAINED = [(name, v) for name in ("sctag", "scrcl", "scgnn") for v in card(name)["variants"]]
QUICK = {**SHORT, "width": 30, "iterations": 1}


def with_counts(change: Callable[[np.ndarray], np.ndarray]) -> Data:
    counts = change(cells()[0].counts.toarray())
    genes = np.arange(counts.shape[1]).astype(str)
    return Data(sp.csr_matrix(counts.astype(np.float32)), genes)


def apart(counts: np.ndarray) -> np.ndarray:
    """Four groups of cells that share no gene, one of them smaller than a neighbourhood."""
    group = np.searchsorted([4, 30, 60], np.arange(len(counts)), side="right")
    return np.where(np.arange(counts.shape[1]) % 4 == group[:, None], counts + 1, 0)


def silent(counts: np.ndarray) -> np.ndarray:
    """Some cells express one constant gene alone, which no choice of variable genes takes."""
    counts[:, 0] = 3
    counts[:12, 1:] = 0
    return counts


KINDS = {
    "three cells": lambda counts: counts[:3],
    "a disconnected graph": apart,
    "cells empty in the variable genes": silent,
    "every cell the same": lambda counts: np.repeat(counts[:1], 40, axis=0),
    "every gene constant": lambda counts: np.full((30, 8), 2.0),
    "one huge count": lambda counts: counts + 1e6 * np.eye(*counts.shape),
}


@pytest.mark.parametrize("n_clusters", [2, None])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "variant"), TRAINED)
def test_awkward_cells_get_a_whole_answer(name, variant, kind, n_clusters):
    """Fewer cells than neighbours and components, disconnected, empty after HVG, duplicates."""
    data = with_counts(KINDS[kind])
    job = Job(0, n_clusters, impute=True)
    result = run(name, data, job, variant, **QUICK, n_genes=20)
    assert result.clusters.shape == (data.n_cells,)
    assert len(np.unique(result.clusters)) <= (n_clusters or data.n_cells)
    assert np.isfinite(result.embedding).all()
    assert np.isfinite([row["loss"] for row in result.trace]).all()
    assert all(np.isfinite(block).all() for block in result.imputed or ())


@pytest.mark.parametrize("n_cells", [1, 2])
@pytest.mark.parametrize(("name", "variant"), TRAINED)
def test_one_cell_and_two(name, variant, n_cells):
    data = with_counts(lambda counts: counts[:n_cells])
    assert len(run(name, data, Job(0, None), variant, **QUICK).clusters) == n_cells


@pytest.mark.parametrize(("name", "variant"), TRAINED)
def test_no_expression_at_all_is_refused(name, variant):
    data = with_counts(lambda counts: counts * 0)
    with pytest.raises(ValueError, match="every entry is zero"):
        run(name, data, Job(0, 2), variant, **QUICK)


@pytest.mark.parametrize(("name", "variant"), TRAINED)
def test_fewer_cells_than_clusters_are_refused(name, variant):
    with pytest.raises(ValueError, match="n_clusters: 4 clusters asked of 3 cells"):
        run(name, with_counts(lambda counts: counts[:3]), Job(0, 4), variant, **QUICK)


@pytest.mark.parametrize(("name", "variant"), TRAINED)
def test_a_batch_of_one_cell_changes_nothing(name, variant):
    """None of the three uses batches."""
    data, _ = cells()
    single = dataclasses.replace(data, batch=(np.arange(90) == 7).astype(int))
    first, second = (run(name, d, Job(0, 3), variant, **QUICK).clusters for d in (data, single))
    np.testing.assert_array_equal(first, second)


PHASES = [
    ("sctag", 2, "zinb|graph"),
    ("sctag", 6, "clustering"),
    ("scrcl", 2, "consistency|distribution|neighbours"),
    ("scgnn", 2, "feature"),
    ("scgnn", 6, "graph|divergence"),
    ("scgnn", 10, "cluster"),
    ("scgnn", -2, "imputation|sparsity"),
]


@pytest.mark.parametrize(("name", "at", "component"), PHASES)
@pytest.mark.parametrize("variant", ["described", "released"])
def test_a_loss_that_is_not_finite_is_named_in_every_phase(
    monkeypatch, name, variant, at, component
):
    """The step before ruins the weights; the epoch after it is named, and what was computed."""
    if (name, variant, at) == ("scgnn", "released", 10):
        component = "feature"  # released trains no autoencoder per cluster
    job = Job(0, 3, impute=True)
    total = len(run(name, cells()[0], job, variant, **QUICK).trace)
    at %= total
    original, steps = torch.optim.Adam.step, []

    def step(self, *args, **kwargs):
        done = original(self, *args, **kwargs)
        steps.append(1)
        if len(steps) == at:
            for group in self.param_groups:
                for weight in group["params"]:
                    weight.data.fill_(float("nan"))
        return done

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    message = rf"loss component '({component})' is nan in epoch {at + 1} of \d+"
    with pytest.raises(FloatingPointError, match=message):
        run(name, cells()[0], job, variant, **QUICK)

"""Make a prepared dataset worse on purpose, without looking at its labels."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from anndata import AnnData
from scipy.stats import binom

from blindfold.core.datasets import DatasetCard, Degradation
from blindfold.core.errors import BlindfoldError
from blindfold.core.seeding import seed_sequence
from blindfold.prepare.geometry import pitch


def degrade(adata: AnnData, step: Degradation, card: DatasetCard, name: str) -> AnnData:
    """Return a copy of a prepared dataset after one step of a robustness ladder.

    Each kind of loss draws from a generator of its own. For one ``name`` and seed, more of one
    kind takes away all that less of it does, and further entries.

    Parameters
    ----------
    adata
        Prepared: ``X`` CSR, cells x genes; for spatial data ``obsm["spatial"]`` and
        ``uns["blindfold"]["pitch"]``.
    step
        What is done; in the order cells, genes, thin, dropout, jitter, shuffle, merge_batches.
    card
        The dataset's card.
    name
        Together with the step's seed it fixes what is lost at random.

    Returns
    -------
    anndata.AnnData
        What is left, with its labels; the pitch is measured again. A cell that would be emptied by
        the loss of genes, counts or entries keeps a 1, see `fill_empty`.

    Raises
    ------
    BlindfoldError
        Where thinning is asked of values that are no counts, coordinates that do not exist are to
        be moved, or batches are to be merged where there are none.
    """
    _check_possible(adata, step, card)
    made = _subset(adata, step, name)
    made.X = _thin_and_drop(sp.csr_matrix(made.X), step, name)
    if "spatial" in made.obsm:
        known = dict(made.uns["blindfold"])
        made.obsm["spatial"] = _perturb(made.obsm["spatial"], float(known["pitch"]), step, name)
        made.uns["blindfold"] = known | {"pitch": pitch(made.obsm["spatial"])}
    if step.merge_batches:
        del made.obs[card.batch]
    return made


def _check_possible(adata: AnnData, step: Degradation, card: DatasetCard) -> None:
    moved = step.jitter is not None or step.shuffle is not None
    for impossible, field, what in (
        (step.thin is not None and card.values != "counts", "thin", "its values are no counts"),
        (moved and "spatial" not in adata.obsm, "jitter, shuffle", "it has no coordinates"),
        (step.merge_batches and card.batch not in adata.obs, "merge_batches", "it has no batches"),
    ):
        if impossible:
            raise BlindfoldError(
                f"the dataset cannot be degraded so: {what}", file=card.title,
                field=f"degrade.{field}", remedy="leave this step out for this dataset",
            )  # fmt: skip


def _generator(step: Degradation, name: str, kind: str) -> np.random.Generator:
    """Return the generator of one kind of loss."""
    return np.random.default_rng(seed_sequence(step.seed, name, kind))


def _subset(adata: AnnData, step: Degradation, name: str) -> AnnData:
    """Return a copy of the cells and genes that are left."""
    cells, genes = np.arange(adata.n_obs), np.arange(adata.n_vars)
    if step.cells is not None:
        # two cells at least: one alone has no neighbour
        cells = choose(adata.n_obs, step.cells, 2, _generator(step, name, "cells"))
    if step.genes is not None:
        genes = choose(adata.n_vars, step.genes, 1, _generator(step, name, "genes"))
    return adata[cells, genes].copy()


def choose(number: int, share: float, least: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random share of the positions from 0 to ``number``, sorted; at least ``least``."""
    size = min(number, max(least, round(share * number)))
    return np.sort(rng.permutation(number)[:size])


def _thin_and_drop(before: sp.csr_matrix, step: Degradation, name: str) -> sp.csr_matrix:
    """Return what thinning and dropout leave."""
    left = before.copy()
    if step.thin is not None:
        left.data = thin(left.data, step.thin, _generator(step, name, "thin"))
    if step.dropout is not None:
        lost = _generator(step, name, "dropout").random(len(left.data)) < step.dropout
        left.data = np.where(lost, 0, left.data)
    left.eliminate_zeros()
    return fill_empty(left, before)


def thin(counts: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Keep each count with the same chance.

    Parameters
    ----------
    counts
        Non-negative integers.
    share
        The chance.
    rng
        One uniform number for each entry. The result is a binomial quantile at it, and so never
        falls as ``share`` rises.

    Returns
    -------
    numpy.ndarray
        What is kept, in the type of ``counts``.
    """
    kept = binom.ppf(rng.random(len(counts)), counts.astype(np.float64), share)
    # the quantile at exactly 0 is -1 by scipy's convention
    return np.asarray(np.maximum(kept, 0).astype(counts.dtype))


def fill_empty(left: sp.csr_matrix, before: sp.csr_matrix) -> sp.csr_matrix:
    """Give each empty cell one entry, so that no cell is lost.

    Parameters
    ----------
    left
        Cells x genes after a loss.
    before
        The same before it.

    Returns
    -------
    scipy.sparse.csr_matrix
        ``left``, float32; in an empty cell the largest entry of ``before`` as 1 (or as it was where
        it was less), or a 1 in the gene with the largest sum where it was empty before.
    """
    left = left.astype(np.float32)
    empty = np.flatnonzero(np.diff(left.indptr) == 0)
    if len(empty) == 0:
        return left
    common = int(np.asarray(before.sum(axis=0)).argmax())
    gene, value = np.full(len(empty), common), np.ones(len(empty), dtype=np.float32)
    for i, cell in enumerate(empty):
        span = slice(before.indptr[cell], before.indptr[cell + 1])
        if span.start < span.stop:
            largest = span.start + int(before.data[span].argmax())
            gene[i], value[i] = before.indices[largest], min(1, before.data[largest])
    filled = sp.csr_matrix(left + sp.coo_matrix((value, (empty, gene)), shape=left.shape))
    filled.sort_indices()
    return filled


def _perturb(coordinates: np.ndarray, distance: float, step: Degradation, name: str) -> np.ndarray:
    """Return the coordinates after jitter and shuffling."""
    moved = np.array(coordinates, dtype=np.float64)
    if step.jitter is not None:
        moved = jitter(moved, step.jitter * distance, _generator(step, name, "jitter"))
    if step.shuffle is not None:
        moved = shuffle_coordinates(moved, step.shuffle, _generator(step, name, "shuffle"))
    return moved


def jitter(coordinates: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise, reflected at the bounding box so that every spot stays on the image.

    Parameters
    ----------
    coordinates
        N x 2.
    spread
        Standard deviation along each axis, in the unit of the coordinates.
    rng
        Random generator.
    """
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    size = np.maximum(high - low, np.finfo(float).tiny)
    noisy = coordinates - low + spread * rng.standard_normal(coordinates.shape)
    # a triangle wave: however far the noise goes, it comes back into the box
    return np.asarray(low + size - np.abs(np.mod(noisy, 2 * size) - size))


def shuffle_coordinates(
    coordinates: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Give a random share of the cells each the coordinates of another one among them."""
    chosen = rng.permutation(len(coordinates))[: round(share * len(coordinates))]
    moved = coordinates.copy()
    moved[chosen] = coordinates[np.roll(chosen, 1)]
    return moved

"""Principal components of a matrix that exists only as blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from methods.shared.expression.pca import with_positive_loadings

OVERSAMPLING = 10
PASSES = 7
LOST = 1e-9


Blocks = Callable[[], Iterator[np.ndarray]]


def block_components(
    blocks: Blocks, n_columns: int, n_components: int, rng: np.random.Generator
) -> np.ndarray:
    """
    Project rows on the leading principal components of centred columns.

    Memory is one block and some hundred vectors of column length: neither the matrix nor its
    columns x columns Gram matrix is formed. Each of eight passes over the blocks multiplies by
    both the matrix and its transpose; the components come from the span of all those products,
    and are exact where that is everything.

    Parameters
    ----------
    blocks
        Called once a pass; yields blocks of consecutive rows, whose columns have mean 0.
    n_columns
        Columns of the matrix.
    n_components
        Components to keep; fewer where the matrix has no more.
    rng
        Draws the start.

    Returns
    -------
    Scores, rows x components, float64, largest variance first. The sign makes the largest
    loading of each component positive.

    Notes
    -----
    Randomised block Krylov iteration: Musco and Musco, Advances in Neural Information Processing
    Systems 28 (2015), arXiv 1504.05477.
    """
    width = min(n_components + OVERSAMPLING, n_columns)
    basis, images = np.zeros((n_columns, 0)), np.zeros((n_columns, 0))
    added = np.linalg.qr(rng.standard_normal((n_columns, width)))[0]
    for _ in range(PASSES):
        image = sum((block.T @ (block @ added) for block in blocks()), np.zeros(added.shape))
        basis, images = np.hstack([basis, added]), np.hstack([images, image])
        added = _new_directions(image, basis)
        if not added.shape[1]:
            break
    values, small = np.linalg.eigh(basis.T @ images)
    kept = np.argsort(-values, kind="stable")[:n_components]
    kept = kept[values[kept] > LOST * max(values.max(), 0.0)]
    vectors = basis @ small[:, kept] if kept.size else basis[:, :1]
    vectors = with_positive_loadings(vectors)
    return np.concatenate([block @ vectors for block in blocks()])


def _new_directions(image: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return orthonormal columns for what of `image` lies outside the span of `basis`."""
    scale = np.linalg.norm(image)
    for _ in range(2):  # once more for what rounding left
        image = image - basis @ (basis.T @ image)
    left, size, _ = np.linalg.svd(image, full_matrices=False)
    left = left[:, size > LOST * max(scale, np.finfo(float).tiny)]
    left = left - basis @ (basis.T @ left)
    return np.asarray(np.linalg.qr(left)[0])

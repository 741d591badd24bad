"""Own expression, mean and gradient of the neighbourhood, in blocks of spots."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from methods.shared.graphs.neighbors import spatial_knn

BLOCK_BYTES = 32 * 2**20
CONSTANT = 1e-9


def kernels(
    coordinates: np.ndarray, k_geom: int, pitch: float | None
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """
    Build the operators of the neighbourhood's mean and of its azimuthal Gabor gradient.

    Parameters
    ----------
    coordinates
        Positions, spots x 2.
    k_geom
        Nearest spots of the mean; the gradient has twice as many.
    pitch
        Median nearest distance; measured when None.

    Returns
    -------
    Real and complex weights, spots x spots. A spot's weights fall with distance r as
    exp(-(r / median r)^2) and sum to 1; the gradient's are turned by the angle of the direction,
    less their mean, which takes the neighbours' mean expression out.
    """
    weight, _, near = _decay(coordinates, k_geom, pitch)
    mean = _operator(weight, near)
    weight, angle, near = _decay(coordinates, 2 * k_geom, pitch)
    turned = weight * np.exp(1j * angle)
    if near.shape[1]:
        turned = turned - turned.mean(axis=1, keepdims=True)
    return mean, _operator(turned, near)


def _decay(
    coordinates: np.ndarray, k: int, pitch: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights, angles and indices of the k nearest spots, each spots x k."""
    near = spatial_knn(coordinates, k, pitch)
    step = coordinates[near] - coordinates[:, None]
    distance = np.linalg.norm(step, axis=2)
    if near.shape[1]:
        scale = np.median(distance, axis=1, keepdims=True)
        distance = distance / np.where(scale > 0, scale, 1.0)
    weight = np.exp(-(distance**2))
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return weight, np.arctan2(step[..., 1], step[..., 0]), near


def _operator(weight: np.ndarray, near: np.ndarray) -> sp.csr_matrix:
    n, k = near.shape
    return sp.csr_matrix((weight.ravel(), near.ravel(), k * np.arange(n + 1)), (n, n))


class Augmented:
    """
    The standardised expression of spots beside that of their neighbourhoods.

    Parameters
    ----------
    expression
        spots x genes.
    mean, gradient
        See `kernels`.
    mixing
        Share of all variance that the neighbourhood gets, two thirds of it the mean.

    Attributes
    ----------
    n_columns
        Three times the genes.
    """

    def __init__(
        self,
        expression: sp.csr_matrix,
        mean: sp.csr_matrix,
        gradient: sp.csr_matrix,
        mixing: float,
    ) -> None:
        self.expression, self.mean, self.gradient = expression, mean, gradient
        n, genes = expression.shape
        self.n_columns = 3 * genes
        self.rows = max(BLOCK_BYTES // (8 * self.n_columns), 1)
        self.centre = sum(block.sum(axis=0) for block in self._raw()) / n
        square = sum(((block - self.centre) ** 2).sum(axis=0) for block in self._raw())
        deviation = np.sqrt(np.asarray(square) / n)
        highest = np.tile(abs(expression).max(axis=0).toarray().ravel(), 3)
        constant = deviation <= CONSTANT * highest  # the gradient of a constant is rounding
        share = np.repeat([1 - mixing, 2 / 3 * mixing, 1 / 3 * mixing], genes)
        self.scale = np.where(constant, 0.0, np.sqrt(share) / np.where(constant, 1.0, deviation))

    def _raw(self) -> Iterator[np.ndarray]:
        for start in range(0, self.expression.shape[0], self.rows):
            rows = slice(start, start + self.rows)
            turned = (self.gradient[rows] @ self.expression).toarray()
            around = (self.mean[rows] @ self.expression).toarray()
            yield np.hstack([self.expression[rows].toarray(), around, np.abs(turned)])

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks of consecutive spots x columns, every column of mean 0 over all spots."""
        for block in self._raw():
            yield (block - self.centre) * self.scale

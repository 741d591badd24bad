"""Neighbours by cosine distance of expression, at any number of cells."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.cosine import cosine_knn
from methods.shared.graph import feature_knn
from methods.shared.pca import principal_components

EXACT_UP_TO = 20_000
N_COMPONENTS = 50


def expression_knn(
    features: sp.csr_matrix, k: int, exact_up_to: int = EXACT_UP_TO
) -> tuple[np.ndarray, str]:
    """
    List the k nearest other cells by cosine distance.

    Parameters
    ----------
    features
        cells x genes.
    k
        Neighbours per cell; at most cells - 1 are returned.
    exact_up_to
        Cells up to which all genes are compared; above, 50 principal components.

    Returns
    -------
    Indices, cells x k, nearest first, and the rule in words.
    """
    if features.shape[0] <= exact_up_to:
        return cosine_knn(features, k), "exact"
    components = principal_components(features, N_COMPONENTS)
    length = np.linalg.norm(components, axis=1, keepdims=True)
    unit = components / np.where(length > 0, length, 1.0)
    return feature_knn(unit, k)[0], f"{components.shape[1]} components"

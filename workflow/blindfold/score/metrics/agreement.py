"""How well clusters agree with classes, whatever either are called."""

from __future__ import annotations

from functools import partial

import numpy as np

from blindfold.score.metric import metric

_RAND = "Hubert & Arabie (1985), Journal of Classification 2, 193-218"
_INFORMATION = "Vinh, Epps & Bailey (2010), JMLR 11, 2837-2854"
_ENTROPY = "Rosenberg & Hirschberg (2007), EMNLP-CoNLL, 410-420"

_agreement = partial(metric, task="clustering", range=(0, 1), direction="higher")


@_agreement(title="Adjusted Rand index", range=(-0.5, 1), source=_RAND)
def ari(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the Rand index corrected for chance.

    0 is what a random partition with the same sizes is expected to get, 1 is agreement up to
    the names of clusters; -0.5 is the lower bound. Symmetric.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(truth, clusters))


@_agreement(title="Normalised mutual information", source=_INFORMATION)
def nmi(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the mutual information over the arithmetic mean of both entropies.

    Not corrected for chance: many clusters raise it. Symmetric.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(truth, clusters, average_method="arithmetic"))


@_agreement(title="Adjusted mutual information", range=(-1, 1), source=_INFORMATION)
def ami(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the mutual information corrected for chance, over the arithmetic mean of entropies.

    0 is what a random partition with the same sizes is expected to get. Symmetric.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(truth, clusters, average_method="arithmetic"))


@_agreement(title="Homogeneity", source=_ENTROPY)
def homogeneity(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return how far each cluster holds cells of one class only: 1 - H(class | cluster) / H(class).

    Swapping truth and clusters gives completeness.
    """
    from sklearn.metrics import homogeneity_score

    return float(homogeneity_score(truth, clusters))


@_agreement(title="Completeness", source=_ENTROPY)
def completeness(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return how far each class lies in one cluster: 1 - H(cluster | class) / H(cluster).

    A single cluster is complete. Swapping truth and clusters gives homogeneity.
    """
    from sklearn.metrics import completeness_score

    return float(completeness_score(truth, clusters))


@_agreement(title="V-measure", source=_ENTROPY)
def v_measure(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the harmonic mean of homogeneity and completeness.

    Equal to NMI with the arithmetic mean. Symmetric.
    """
    from sklearn.metrics import v_measure_score

    return float(v_measure_score(truth, clusters))


@_agreement(title="Fowlkes-Mallows index", source="Fowlkes & Mallows (1983), JASA 78, 553-569")
def fmi(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the geometric mean of pairwise precision and recall. Symmetric."""
    from sklearn.metrics import fowlkes_mallows_score

    return float(fowlkes_mallows_score(truth, clusters))


@_agreement(
    title="Adjusted Rand index of the partition that training began with",
    range=(-0.5, 1),
    source=_RAND,
)
def ari_start(truth: np.ndarray, initial_clusters: np.ndarray) -> float:
    """Return the adjusted Rand index of the start, snapshot 0, of methods that keep one.

    Beside ``ari`` it says what training added to, or took from, the start.
    """
    return ari(truth, initial_clusters)


@_agreement(
    title="Normalised mutual information of the partition that training began with",
    source=_INFORMATION,
)
def nmi_start(truth: np.ndarray, initial_clusters: np.ndarray) -> float:
    """Return the normalised mutual information of the start, as ``ari_start`` the index."""
    return nmi(truth, initial_clusters)


@_agreement(
    title="Adjusted Rand index after a majority vote of the nearest spots",
    range=(-0.5, 1),
    source=_RAND,
)
def ari_refined(truth: np.ndarray, refined_clusters: np.ndarray) -> float:
    """Return the adjusted Rand index of the partition that `majority_vote` smooths.

    The vote is the same for every method, whether or not it ends with one of its own: beside
    ``ari`` it says what a method owes to smoothing alone.
    """
    return ari(truth, refined_clusters)


@_agreement(
    title="Normalised mutual information after a majority vote of the nearest spots",
    source=_INFORMATION,
)
def nmi_refined(truth: np.ndarray, refined_clusters: np.ndarray) -> float:
    """Return the normalised mutual information of the smoothed partition, as ``ari_refined``."""
    return nmi(truth, refined_clusters)

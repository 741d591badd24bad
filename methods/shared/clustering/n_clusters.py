"""Three estimates of the number of clusters, for methods that have no rule of their own.

Each loads what it needs alone: k-means on given K needs neither mixtures nor Leiden.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.shared.training.seeding import seed_integer

if TYPE_CHECKING:
    from methods.shared.clustering.leiden import Leiden

MOST = 20
CELLS_PER_DIMENSION = 10
GRAPH_CELLS = 5000  # drawn where a graph has to be built for the estimate alone
RESOLUTIONS = 2.0 ** np.arange(-4, 2.01, 1 / 3)
DRAWS, SHARE = 10, 0.8
NO_GAP = 1e-9


class Estimate(NamedTuple):
    """
    An estimated number of clusters.

    Parameters
    ----------
    n_clusters
        The estimate, from 1 to 20.
    rule
        What decided, in words, with the range it chose from.
    scores
        What the rule compared, by number of clusters.
    """

    n_clusters: int
    rule: str
    scores: dict[int, float]

    @property
    def notes(self) -> dict[str, Any]:
        """What stands in `Result.notes`."""
        return {"k_rule": self.rule, "k_scores": self.scores}


def bic(features: np.ndarray, rng: np.random.Generator, most: int = MOST) -> Estimate:
    """
    Choose the number of components with the highest BIC of the EEE mixture.

    Parameters
    ----------
    features
        cells x d. At most 2,000 cells are drawn, and of their principal axes the leading ones
        are used, one to ten cells: with fewer cells to a dimension the covariance within
        components collapses and the BIC only grows.
    rng
        Draws the cells and the starts of EM.
    most
        Largest number tried; the least is 1.

    Notes
    -----
    Fraley and Raftery, The Computer Journal 41, 578 (1998). As in mclust, a fit whose covariance
    is singular is no candidate.
    """
    from methods.shared.clustering.mclust import SUBSAMPLE, HierarchicalStart, fit_mixture
    from methods.shared.expression.pca import dense_components

    rule = f"highest BIC of the EEE mixture, 1 to {most}"
    cells = _drawn(features, SUBSAMPLE, rng)
    axes = dense_components(cells, max(len(cells) // CELLS_PER_DIMENSION, 1))
    scores: dict[int, float] = {}
    if axes.any():
        hierarchy = HierarchicalStart(axes, rng)
        distinct = np.unique(np.round(axes / np.abs(axes).max(), 9), axis=0)
        free = len(distinct) - axes.shape[1]  # beyond, components have no inside
        for k in range(1, min(most, free) + 1):
            mixture = fit_mixture(axes, k, rng, hierarchy, kmeans_starts=3)
            if not mixture.ridge:
                scores[k] = mixture.bic
    return Estimate(max(scores, key=lambda k: scores[k], default=1), rule, scores)


def eigengap(graph: sp.csr_matrix, rng: np.random.Generator, most: int = MOST) -> Estimate:
    """
    Cut before the largest drop between eigenvalues of the normalised affinity.

    Parameters
    ----------
    graph
        Symmetric non-negative weights, cells x cells; only sparse products are formed.
    rng
        Draws the Lanczos start vector.
    most
        Largest number; the least is 2. It is also the answer where the leading eigenvalues are
        all equal: a graph of more components than that.

    Notes
    -----
    von Luxburg, Statistics and Computing 17, 395 (2007), section 8.3.
    """
    from methods.shared.clustering.spectral import Spectrum

    n = _checked_graph(graph)
    rule = f"largest eigengap of the neighbour graph, 2 to {most}"
    if n < 3:
        return Estimate(1, rule, {})
    values = Spectrum(graph, most + 1, rng).values
    scores = {k: float(values[k - 1] - values[k]) for k in range(2, len(values))}
    found = max(scores, key=lambda k: scores[k])
    if scores[found] < NO_GAP:
        found = max(scores)
    return Estimate(found, rule, scores)


def leiden_stability(features: np.ndarray, rng: np.random.Generator, most: int = MOST) -> Estimate:
    """
    Choose the finest of the most reproducible Leiden partitions.

    At each of 19 resolutions from 1/16 to 4 the partition of all cells is compared (ARI, which
    has the agreement by chance taken out) with the partitions of ten draws of 80 % of them, each
    with a neighbour graph of its own. A number of communities scores its best resolution's mean.
    The largest number wins that is within one standard error of the best: coarse partitions are
    reproducible as well, and say less.

    Parameters
    ----------
    features
        cells x d; 5,000 cells are drawn where there are more.
    rng
        Draws the cells and Leiden's seed.
    most
        Largest number; the least is 2. Where no resolution gives one in between, the number at
        resolution 1 counts, capped.

    Notes
    -----
    Lange et al., Neural Computation 16, 1299 (2004): stability corrected for chance. Tang et al.,
    Bioinformatics 37, 2212 (2021): draws of 80 % of the cells along the resolutions of a graph
    clustering.
    """
    from methods.shared.clustering.leiden import Leiden
    from methods.shared.graphs.weights import fuzzy_graph

    rule = f"Leiden stability over draws of 80 % of the cells, 2 to {most}"
    cells = _drawn(features, GRAPH_CELLS, rng)
    n, seed = len(cells), seed_integer(rng)
    if n < 3:
        return Estimate(1, rule, {})
    whole = Leiden(fuzzy_graph(cells), seed)
    draws = [np.sort(rng.choice(n, max(int(SHARE * n), 2), replace=False)) for _ in range(DRAWS)]
    parts = [Leiden(fuzzy_graph(cells[rows]), seed) for rows in draws]
    found = _agreements(whole, parts, draws, most)
    if not found:
        communities = int(whole.partition(1.0).max()) + 1
        return Estimate(min(communities, most), rule, {})
    scores = {k: float(values.mean()) for k, values in sorted(found.items())}
    best = max(scores, key=lambda k: scores[k])
    enough = scores[best] - found[best].std(ddof=1) / np.sqrt(DRAWS) - NO_GAP
    return Estimate(max(k for k, mean in scores.items() if mean >= enough), rule, scores)


def _agreements(
    whole: Leiden, parts: list[Leiden], draws: list[np.ndarray], most: int
) -> dict[int, np.ndarray]:
    """Return, by number of communities, the draws' ARIs at its most reproducible resolution."""
    from sklearn.metrics import adjusted_rand_score

    found: dict[int, np.ndarray] = {}
    for resolution in RESOLUTIONS:
        labels = whole.partition(resolution)
        k = int(labels.max()) + 1
        if k > most:
            break
        if k < 2:
            continue
        ari = np.array(
            [
                adjusted_rand_score(labels[rows], part.partition(resolution))
                for rows, part in zip(draws, parts, strict=True)
            ]
        )
        if k not in found or ari.mean() > found[k].mean():
            found[k] = ari
    return found


def estimate_n_clusters(
    rule: str,
    features: np.ndarray,
    rng: np.random.Generator,
    graph: sp.csr_matrix | None = None,
) -> Estimate:
    """
    Estimate the number of clusters by a rule chosen by name.

    Parameters
    ----------
    rule
        ``bic``, ``eigengap`` or ``leiden``.
    features
        cells x d, finite.
    rng
        Source of all draws.
    graph
        The method's own neighbour graph for the eigengap; without it the fuzzy graph of 15
        neighbours is built, of at most 5,000 cells.

    Raises
    ------
    ValueError
        For an unknown rule, features that are not a finite table, or a graph that is none.
    """
    if rule == "bic":
        return bic(features, rng)
    if rule == "leiden":
        return leiden_stability(features, rng)
    if rule == "eigengap":
        if graph is None:
            from methods.shared.graphs.weights import fuzzy_graph

            cells = _drawn(features, GRAPH_CELLS, rng)
            few = len(cells) < 3
            graph = sp.csr_matrix((len(cells), len(cells))) if few else fuzzy_graph(cells)
        return eigengap(graph, rng)
    raise ValueError(f"k_rule: {rule!r} is unknown; use bic, eigengap or leiden")


def _drawn(features: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Check the features and draw cells where there are too many."""
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
        raise ValueError(
            f"features: a table of {features.shape} that is empty or not finite; "
            "give cells x dimensions of finite numbers"
        )
    if len(features) <= most:
        return features
    return features[np.sort(rng.choice(len(features), most, replace=False))]


def _checked_graph(graph: sp.csr_matrix) -> int:
    """Return the number of cells of a graph that can be one."""
    rows, columns = graph.shape
    if rows != columns or not rows or not np.isfinite(graph.data).all() or (graph.data < 0).any():
        raise ValueError(
            f"graph: {rows} x {columns} weights, or some negative or not finite; "
            "give symmetric non-negative weights, cells x cells"
        )
    return int(rows)

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import mannwhitneyu

from blindfold.core.truth import Truth
from blindfold.score.evidence import Evidence, Reference
from blindfold.score.markers import COLUMNS, find_markers
from blindfold.score.metric import find_metrics
from blindfold.score.metrics.marker_jaccard import marker_jaccard


def expression(n: int = 60, genes: int = 30) -> tuple[ad.AnnData, np.ndarray]:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, n)
    counts = rng.gamma(2, 1, (n, genes)).astype(np.float32)  # no ties, so no tie correction
    for code in range(3):
        counts[codes == code, code * 5 : code * 5 + 5] += 2
    data = ad.AnnData(sp.csr_matrix(counts))
    data.var_names = [f"g{i}" for i in range(genes)]
    return data, codes


def test_agrees_with_scipy():
    data, codes = expression()
    table = find_markers(data, codes)
    assert list(table.columns) == list(COLUMNS)
    dense = data.X.toarray()
    for row in table[table["rank"] <= 5].itertuples():
        x = dense[:, data.var_names.get_loc(row.gene)]
        other = mannwhitneyu(
            x[codes == row.group],
            x[codes != row.group],
            method="asymptotic",
            use_continuity=False,
        )
        assert row.p_value == pytest.approx(other.pvalue, rel=1e-4)
    for code in range(3):
        first = table[(table["group"] == code) & (table["rank"] <= 5)]["gene"]
        assert set(first) == {f"g{i}" for i in range(code * 5, code * 5 + 5)}


def test_ties_keep_the_order_of_genes():
    data = ad.AnnData(sp.csr_matrix(np.tile([[5.0], [5], [0], [0]], (1, 6)).astype(np.float32)))
    data.var_names = list("fedcba")
    table = find_markers(data, np.array([0, 0, 1, 1]))
    assert table[table["group"] == 0]["gene"].tolist() == list("fedcba")


@pytest.mark.parametrize("codes", [np.zeros(60, int), np.arange(60), np.r_[np.zeros(59, int), 1]])
def test_degenerate_partitions(codes):
    data, _ = expression()
    table = find_markers(data, codes)
    assert list(table.columns) == list(COLUMNS)
    if len(np.unique(codes)) != 2:
        assert table.empty
    else:
        assert set(table["group"]) == {0}


def test_jaccard_by_hand():
    truth = {0: list("abcd"), 1: list("efgh"), 2: []}
    found = {5: list("abxy"), 6: list("q")}
    assert marker_jaccard(truth, found, {5: 0}) == pytest.approx((2 / 6 + 0) / 2)
    assert np.isnan(marker_jaccard({0: []}, found, {5: 0}))


@pytest.mark.parametrize("clusters", [np.zeros(60, int), np.arange(60)])
def test_degenerate_partitions_score_nothing(clusters):
    data, codes = expression()
    truth = Truth(np.arange(60).astype(str), np.array(["x", "y", "z"])[codes])
    inputs = Evidence(Reference(truth, data), clusters, {})
    assert find_metrics()["marker_jaccard"].evaluate(inputs) == 0
    assert find_metrics()["n_clusters"].evaluate(inputs) == len(np.unique(clusters))


@pytest.mark.parametrize("seed", range(3))
def test_matched_metrics_do_not_change_with_the_names_of_clusters_or_the_order_of_cells(seed):
    data, codes = expression()
    rng = np.random.default_rng(seed)
    # halves of every class: each of the two may stand for it
    half = np.zeros(60, dtype=int)
    for code in range(3):
        half[np.flatnonzero(codes == code)[1::2]] = 1
    clusters = 2 * codes + half
    order, names = rng.permutation(60), rng.permutation(6)
    cells, labels = np.array([f"c{i:02d}" for i in range(60)]), np.array(["x", "y", "z"])[codes]
    first = Evidence(Reference(Truth(cells, labels), data), clusters, {})
    moved = Reference(Truth(cells[order], labels[order]), data[order])
    again = Evidence(moved, names[clusters][order], {})
    assert {names[cluster]: code for cluster, code in first.matching.items()} == again.matching
    for name in ("accuracy", "macro_f1", "marker_jaccard"):
        metric = find_metrics()[name]
        assert metric.evaluate(again) == pytest.approx(metric.evaluate(first)), name

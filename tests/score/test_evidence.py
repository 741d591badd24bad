"""What metrics are given: by name, of labelled cells, and nothing that a run did not leave."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.truth import Truth
from blindfold.score.evidence import EVIDENCE, KEPT_BY_FEW, LABEL_FREE, Evidence, Reference
from blindfold.score.metric import Metric, find_metrics, metric
from blindfold.score.neighbours import majority_vote, nearest_spots, neighbour_graph
from blindfold.score.score import score
from methods.shared.graphs.sections import section_vote
from tests.score.synthetic import CELLS


def spots(rows: int = 12, columns: int = 10, batches: int = 2) -> ad.AnnData:
    """Return sections of a hexagonal lattice that lie on top of each other."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    one = np.column_stack([(x + 0.5 * (y % 2)).ravel(), y.ravel() * np.sqrt(3) / 2]) * 100
    counts = np.random.default_rng(0).poisson(2, (len(one) * batches, 30)).astype(np.float32)
    data = ad.AnnData(sp.csr_matrix(counts))
    data.obsm["spatial"] = np.tile(one, (batches, 1))
    data.obs["batch"] = pd.Categorical(np.repeat(np.arange(batches).astype(str), len(one)))
    return data


def reference(data: ad.AnnData, labels: np.ndarray | None = None) -> Reference:
    """Return what runs on these cells are compared with; the first five have no class."""
    if labels is None:
        labels = np.where(np.arange(data.n_obs) < 5, "", np.arange(data.n_obs) % 3).astype(str)
    return Reference(Truth(data.obs_names.to_numpy(dtype=str), labels), data)


def test_every_piece_of_evidence_is_explained():
    assert EVIDENCE.keys() >= LABEL_FREE
    assert EVIDENCE.keys() - LABEL_FREE == {"truth", "matching", "truth_markers"}
    assert LABEL_FREE >= KEPT_BY_FEW
    assert all(len(meaning) > 10 for meaning in EVIDENCE.values())


def test_an_unknown_need_is_told_in_one_line_with_the_nearest_name():
    declare = metric(task="embedding", title="t", range=(0, 1), direction="lower", source="s")
    with pytest.raises(BlindfoldError) as caught:

        @declare
        def spread(embeding):
            """Return nothing."""

    assert str(caught.value) == (
        "metric 'spread' in test_evidence.py asks for 'embeding', which no run leaves: "
        "did you mean 'embedding'?"
    )


def test_what_is_not_known_to_be_label_free_needs_labels(monkeypatch):
    monkeypatch.setitem(EVIDENCE, "rumours", "what somebody heard")
    heard = Metric("heard", "clustering", "t", (0, 1), "higher", "s", lambda rumours: 0.0)
    assert not heard.label_free
    unlabelled = reference(spots(), np.full(240, ""))
    assert not unlabelled.can_give(heard.needs)
    assert unlabelled.can_give({"clusters", "coordinates"})


def test_a_dataset_says_what_it_has():
    found = reference(spots())
    assert found.can_give({"truth", "coordinates", "batch", "refined_clusters"})
    assert not found.can_give({"imputed"})
    cells = spots()
    del cells.obsm["spatial"], cells.obs["batch"]
    assert not any(reference(cells).can_give({n}) for n in ("coordinates", "batch", "held_out"))


def test_evidence_is_of_labelled_cells_in_one_order(tmp_path):
    data = spots()
    labels = np.random.default_rng(1).permutation(np.arange(240) % 4).astype(str)
    labels[labels == "3"] = ""
    data.write_h5ad(tmp_path / "input.h5ad")
    found = Reference(Truth(data.obs_names.to_numpy(dtype=str), labels), data,
                      path=tmp_path / "input.h5ad")  # fmt: skip
    codes = np.arange(240)
    np.save(tmp_path / "embedding.npy", np.column_stack([codes, codes]))
    evidence = Evidence(found, codes, {"wall_s": 2.0}, tmp_path, {0: codes, 7: -codes}, [codes + 1])
    own = codes[labels != ""]
    assert np.array_equal(evidence.clusters, own)
    assert np.array_equal(evidence.partition, codes)
    assert np.array_equal(evidence.initial_clusters, own)
    assert np.array_equal(evidence.snapshots[7], -own)
    assert np.array_equal(evidence.siblings[0], own + 1)
    assert np.array_equal(evidence.embedding[:, 0], own)
    assert np.array_equal(evidence.coordinates, data.obsm["spatial"][own])
    assert np.array_equal(evidence.batch, own // 120)
    assert (evidence.counts != data.X[own]).nnz == 0
    assert evidence.neighbours.shape == (len(own), len(own))
    assert evidence.costs["wall_s"] == 2


def test_what_a_run_did_not_leave_is_none():
    evidence = Evidence(reference(spots()), np.zeros(240, int), {})
    for name in ("embedding", "snapshots", "initial_clusters", "siblings", "imputed"):
        assert getattr(evidence, name) is None
    assert find_metrics()["ari_start"].evaluate(evidence) is None
    assert find_metrics()["ari"].evaluate(evidence) == 0


def test_the_vote_is_that_of_the_methods():
    data, rng = spots(), np.random.default_rng(2)
    clusters = rng.integers(0, 4, 240)
    batch = data.obs["batch"].cat.codes.to_numpy()
    ours = majority_vote(clusters, data.obsm["spatial"], batch)
    assert np.array_equal(ours, section_vote(clusters, data.obsm["spatial"], 18, 100.0, batch))
    # neither does a section of one spot vote, nor one of two beyond its other spot
    few = majority_vote(np.array([1, 2, 3]), np.zeros((3, 2)), np.array([0, 1, 1]))
    assert few.tolist() == [1, 3, 2]


def test_nearest_spots_by_distance_then_by_position():
    points = np.array([[0, 0], [1, 0], [0, 1 + 1e-9], [-1, 0], [0, -5.0]])
    assert nearest_spots(points, 2)[0].tolist() == [1, 2]
    assert nearest_spots(points, 9).shape == (5, 4)


def test_neighbours_stay_within_sections():
    graph = neighbour_graph(spots())
    assert graph[:120, 120:].nnz == graph[120:, :120].nnz == 0
    assert set(np.diff(graph.indptr)) == {6}
    assert graph.diagonal().sum() == 0


def test_neighbours_of_cells_are_those_like_them():
    data = spots(batches=1)
    del data.obsm["spatial"]
    data.X = sp.csr_matrix(np.repeat(np.eye(4, 30) * 9, 30, axis=0))
    graph = neighbour_graph(data)
    assert set(np.diff(graph.indptr)) == {15}
    assert all(set(graph[i].indices // 30) == {i // 30} for i in (0, 45, 119))


def test_every_kept_partition_is_scored(plan):
    folder = plan.layout.run("cells", "sctag", "truth", 1)
    table = pd.read_parquet(folder / "clusters.parquet")
    parts = {0: table["cluster"].clip(upper=1), 4: table["cluster"], 9: table["cluster"] % 2}
    kept = [table[["cell"]].assign(epoch=e, cluster=p)[::-1] for e, p in parts.items()]
    io.write_parquet(folder / "snapshots.parquet", pd.concat(kept))
    score(plan.layout, "cells", "sctag", [("truth", 0), ("truth", 1), ("truth", 2)])
    found = pd.read_parquet(plan.layout.epochs("cells", "sctag"))
    assert set(found["seed"]) == {1}
    assert {"ari", "nmi", "ami"} <= set(found["metric"])
    assert not {"accuracy", "n_clusters", "ari_refined"} & set(found["metric"])
    truth = pd.read_parquet(plan.layout.truth("cells"))["label"].fillna("")
    by_epoch = found[found["metric"] == "ari"].set_index("epoch")["value"]
    for epoch, part in parts.items():
        expected = adjusted_rand_score(truth[truth != ""], part[truth != ""])
        assert by_epoch[epoch] == pytest.approx(expected)
    scores = pd.read_parquet(plan.layout.scores("cells", "sctag"))
    assert by_epoch[4] == scores.set_index(["metric", "seed"])["value"]["ari", 1]


def test_siblings_are_other_seeds_that_ended_ok(plan, monkeypatch):
    seen = []

    def agreement(clusters, siblings):
        """Return how many siblings there are."""
        seen.append((len(clusters), [len(one) for one in siblings]))
        return float(len(siblings))

    declared = Metric("agreement", "clustering", "t", (0, 9), "higher", "s", agreement)
    monkeypatch.setattr("blindfold.score.score.choose_metrics", lambda _: [declared])
    runs = [("truth", 0), ("truth", 1), ("truth", 2), ("estimate", 0)]
    score(plan.layout, "cells", "sctag", runs[:3])
    table = pd.read_parquet(plan.layout.scores("cells", "sctag")).set_index("seed")
    assert table["value"].tolist()[:2] == [1, 1]  # seed 2 went out of memory
    assert table["status"].tolist() == ["ok", "ok", "oom"]
    assert seen == [(CELLS - 6, [CELLS - 6])] * 2


def test_the_facts_of_metrics_travel_with_the_scores(plan):
    score(plan.layout, "tissue", "graphst", [("truth", 0)])
    facts = pd.read_parquet(plan.layout.scores("tissue", "graphst")).attrs["metrics"]
    assert facts["ari"]["direction"] == "higher"
    assert facts["wall_s"]["lowest"] == 0
    assert facts["wall_s"]["highest"] is None
    assert facts["ari_refined"]["needs"] == ["refined_clusters", "truth"]
    assert "cosine" not in facts  # nothing is masked

"""scGNN: rounds, feedback, imputation, order of cells and blindness."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import adjusted_rand_score

from blindfold.score.metrics.imputation import l1_mean
from methods.contract import Data, Job, Result
from methods.runner import read_input
from methods.scgnn import blocks as in_blocks
from methods.scgnn.autoencoder import Autoencoder
from methods.scgnn.blocks import expression_blocks
from methods.scgnn.cell_graph import cell_graph
from methods.scgnn.graph_autoencoder import GraphAutoencoder
from methods.scgnn.model import Model, spread
from methods.shared.training.seeding import random_stream, torch_stream
from tests.blind.masked import masked_files, sparse_cells
from tests.methods.test_scgnn_inputs import inputs
from tests.methods.toys import cells, params, run

QUICK = {"epochs": 15, "cluster_epochs": 6, "graph_epochs": 8, "iterations": 2}


VARIANTS = ["described", "released"]


def built(variant: str = "described", clusters: int | None = 3, **changes) -> Model:
    """Train on the first graph only."""
    settings = {**QUICK, **changes}
    chosen = params("scgnn", variant, **settings)
    model = Model(inputs(cells()[0], variant), chosen, Job(0, clusters))
    model.start()
    return model


def same(first: Result, second: Result) -> None:
    np.testing.assert_array_equal(first.clusters, second.clusters)
    np.testing.assert_array_equal(first.embedding, second.embedding)
    np.testing.assert_array_equal(*(np.concatenate(list(r.imputed)) for r in (first, second)))
    assert first.notes["rounds"] == second.notes["rounds"]


def test_streamed_blocks_give_the_same_answer(monkeypatch):
    """Above the size that fits: nothing dense kept."""
    data, _ = cells()
    dense = run("scgnn", data, Job(0, 3, impute=True), **QUICK)
    monkeypatch.setattr(in_blocks, "DENSE_UP_TO", 0)
    streamed = run("scgnn", data, Job(0, 3, impute=True), **QUICK)
    same(dense, streamed)


def test_cluster_autoencoders_are_independent():
    """Changing the cells of one cluster leaves another's reconstruction alone."""
    model = built()
    clusters = np.repeat([0, 1, 2], 30)
    first = model.cluster_output(np.flatnonzero(clusters == 1))
    hidden = model.output.hidden.clone()
    hidden[torch.as_tensor(clusters == 0)] += 5
    model.output = model.output._replace(hidden=hidden)
    second = model.cluster_output(np.flatnonzero(clusters == 1))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("variant", "feeds_back"), [("described", True), ("released", False)])
def test_clusters_change_the_next_embedding_only_as_described(variant, feeds_back):
    """Labels are permuted, their number is the same."""
    latents = []
    for permute in (False, True):
        model = built(variant)
        clusters = np.repeat([0, 1, 2], 30)
        if permute:
            clusters = np.random.default_rng(0).permutation(clusters)
        model.iterate(clusters)
        latents.append(model.output.latent)
    assert torch.equal(*latents) is not feeds_back


@pytest.mark.parametrize("variant", VARIANTS)
def test_labels_change_nothing(variant):
    """True, shuffled or absent labels beside the data give bit-identical results."""

    @dataclasses.dataclass(frozen=True)
    class Labelled(Data):
        truth: np.ndarray | None = None

    data, truth = cells()
    shuffled = np.random.default_rng(0).permutation(truth)
    job = Job(0, None, impute=True)
    results = [
        run("scgnn", Labelled(data.counts, data.genes, truth=labels), job, variant, **QUICK)
        for labels in (truth, shuffled, None)
    ]
    same(results[0], results[1])
    same(results[0], results[2])


@pytest.mark.parametrize("variant", [*VARIANTS, "normalized"])
def test_values_behind_the_mask_change_nothing(variant, tmp_path):
    """Other originals at held-out entries, blinded and run, give bit-identical results."""
    adata = sparse_cells()
    at = masked_files(adata, tmp_path / "one")
    held = pd.read_parquet(at.held_out("tiny")).astype({"cell": str, "gene": str})
    name = pd.read_parquet(at.truth("tiny")).set_index("cell")["original"]
    row = adata.obs_names.get_indexer(name[held["cell"]])
    other = adata.X.toarray()
    other[row, adata.var_names.get_indexer(held["gene"])] *= 50
    adata.X = sp.csr_matrix(other)
    folders = [at, masked_files(adata, tmp_path / "other")]
    results = []
    for folder in folders:
        data, _ = read_input({"input": str(folder.input("tiny")), "needs": []})
        results.append(run("scgnn", data, Job(0, 3, impute=True), variant, **QUICK))
    same(*results)


@pytest.mark.parametrize("variant", VARIANTS)
def test_graph_autoencoders_get_the_graph_of_the_variant(variant, monkeypatch):
    """Without the dropped neighbours as described, with them as released."""
    seen = []

    class Watched(GraphAutoencoder):
        def __init__(self, graph, *rest):
            seen.append(graph)
            super().__init__(graph, *rest)

    monkeypatch.setattr("methods.scgnn.model.GraphAutoencoder", Watched)
    model = built(variant, hold_out=0.0)
    unpruned = cell_graph(
        model.output.latent.numpy(), 10, "none", True, random_stream(0, "f")
    ).network
    dropped = unpruned - unpruned.multiply(model.graph.communities)
    assert dropped.nnz > 0
    assert (seen[0].multiply(dropped).nnz == 0) is (variant == "described")
    if variant == "released":
        assert abs(seen[0] - unpruned).nnz == 0


def test_cells_keep_their_order():
    """One marker gene per cell, followed through genes, states, blocks and output."""
    n = 40
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (n, 70)).astype(np.float32)
    counts[np.arange(n), np.arange(n)] = 200 + np.arange(n)
    data = Data(sp.csr_matrix(counts), np.arange(70).astype(str))
    found = inputs(data, n_genes=60)
    marker = found.genes[found.expression.toarray().argmax(axis=1)]
    np.testing.assert_array_equal(marker, np.arange(n))
    states = found.states.toarray()
    assert (states[np.arange(n), [list(found.genes).index(g) for g in range(n)]] > 0).all()
    blocks = expression_blocks(found.expression, found.states, 0.9, "cpu", rows=7)
    for block in blocks:
        top = found.genes[block.values().argmax(dim=1).numpy()]
        np.testing.assert_array_equal(top, block.cells.numpy())
    job = Job(0, 3, impute=True)
    result = run("scgnn", data, job, n_genes=60, **{**QUICK, "cluster_epochs": 150})
    imputed = np.concatenate(list(result.imputed))
    own = np.log1p(imputed[np.arange(n), np.arange(n)])
    others = np.log1p(imputed[:, :n]).sum(axis=0) - own
    assert (own > others / (n - 1)).mean() > 0.9
    kept = np.setdiff1d(np.arange(70), found.genes)
    np.testing.assert_array_equal(imputed[:, kept], counts[:, kept])


def test_imputation_starts_from_the_first_weights():
    """A copy, not an alias: trained weights differ, restored ones are those drawn."""
    model = built()
    fresh = Autoencoder(60, torch_stream(0, "weights"))
    for restored, trained, drawn in zip(
        model.initial.layers, model.network.layers, fresh.layers, strict=True
    ):
        assert torch.equal(restored, drawn)
        assert not torch.equal(trained, drawn)
    model.impute(np.repeat([0, 1, 2], 30))
    for restored, drawn in zip(model.initial.layers, fresh.layers, strict=True):
        assert torch.equal(restored, drawn)


@pytest.mark.parametrize("variant", VARIANTS)
def test_planted_groups_are_found_and_held_out_values_guessed(variant, record_property):
    """Three groups with an ARI of 0.95 or more; imputation beats the zero predictor."""
    data, truth = cells(150, 80)
    original = data.counts.toarray()
    held_out = (original > 0) & (np.random.default_rng(0).random(original.shape) < 0.1)
    counts = np.where(held_out, 0, original).astype(np.float32)
    schedule = {"epochs": 150, "cluster_epochs": 60, "graph_epochs": 120, "iterations": 2}
    job = Job(0, 3, impute=True)
    result = run("scgnn", Data(sp.csr_matrix(counts), data.genes), job, variant, **schedule)
    assert adjusted_rand_score(truth, result.clusters) >= 0.95
    wanted, masked = np.log1p(original)[held_out], Data(sp.csr_matrix(counts), data.genes)
    results = {"scgnn": result, **{m: run(m, masked, job) for m in ("gene_mean", "neighbour_mean")}}
    guesses = {
        name: np.log1p(np.concatenate(list(found.imputed)))[held_out]
        for name, found in results.items()
    }
    errors = {name: l1_mean(guess, wanted) for name, guess in guesses.items()}
    record_property("mean_absolute_error", errors)
    assert errors["scgnn"] < l1_mean(np.zeros_like(wanted), wanted) == pytest.approx(wanted.mean())


@pytest.mark.parametrize(("limit", "rounds"), [(0.0, 2), (1.0, 4)])
def test_rounds_end_when_two_partitions_in_a_row_agree(limit, rounds, monkeypatch):
    """The method's own partitions are compared, each with the one before."""
    compared = []

    def agreement(before, after):
        compared.append((before, after))
        return adjusted_rand_score(before, after)

    monkeypatch.setattr("methods.scgnn.model.adjusted_rand_score", agreement)
    settings = {**QUICK, "iterations": 4, "stop": "celltype", "stop_ari": limit}
    result = run("scgnn", cells()[0], Job(0, 3, snapshots=9), stale_labels=True, **settings)
    assert result.notes["rounds"] == rounds
    found = [clusters for _, clusters in result.snapshots]
    assert len(compared) == rounds - 1
    for pair, own in zip(compared, pairwise(found), strict=True):
        np.testing.assert_array_equal(pair, own)


def test_labels_of_the_last_round_or_of_the_final_embedding():
    """Released pairs the new embedding with clusters from before the last round."""
    results = {
        stale: run("scgnn", cells()[0], Job(0, 3, snapshots=9), stale_labels=stale, **QUICK)
        for stale in (True, False)
    }
    np.testing.assert_array_equal(results[True].embedding, results[False].embedding)
    before = dict(results[False].snapshots)
    np.testing.assert_array_equal(results[True].clusters, list(before.values())[-2])
    np.testing.assert_array_equal(results[False].clusters, list(before.values())[-1])


def test_snapshots_are_the_partitions_of_the_rounds():
    parts = [(epoch, np.zeros(2)) for epoch in range(1, 8)]
    assert [epoch for epoch, _ in spread(parts, 3)] == [2, 4, 7]
    assert spread(parts, 0) == []
    assert [epoch for epoch, _ in spread(parts, 50)] == list(range(1, 8))


@pytest.mark.parametrize("setting", [
    {"prune": "forest"}, {"prune": "none"}, {"graph_features": "raw"}, {"variational": False},
    {"ltmg": "none"}, {"ltmg_cut": "fitted"}, {"stop": "both"},
    {"exact_graph_up_to": 20},
])  # fmt: skip
def test_every_option_runs(setting):
    result = run("scgnn", cells()[0], Job(0, None), **QUICK, **setting)
    assert np.isfinite(result.embedding).all()
    assert result.imputed is None
    sampled = setting == {"exact_graph_up_to": 20}
    assert result.notes["graph_loss"] == ("sampled" if sampled else "exact")


def test_number_of_clusters_is_louvains_or_given():
    data, _ = cells()
    assert "Louvain" in run("scgnn", data, Job(0, None), **QUICK).notes["k_rule"]
    given = run("scgnn", data, Job(0, 7), **QUICK)
    assert given.notes["k_rule"] == "given"
    assert len(np.unique(given.clusters)) == 7


def test_no_counts_at_all_are_refused():
    empty = Data(sp.csr_matrix((12, 5), dtype=np.float32), np.arange(5).astype(str))
    with pytest.raises(ValueError, match="every entry is zero"):
        run("scgnn", empty, Job(0, 2), **QUICK)


def test_a_loss_that_is_not_finite_is_named():
    data = cells()[0]
    broken = data.counts.copy()
    broken.data[3] = np.nan
    with pytest.raises(FloatingPointError, match=r"feature.*epoch 1 "):
        run("scgnn", Data(broken, data.genes), Job(0, 2), ltmg="none", **QUICK)


def test_one_cell_and_two():
    for n in (1, 2):
        data = Data(cells()[0].counts[:n], cells()[0].genes)
        assert len(run("scgnn", data, Job(0, None), **QUICK).clusters) == n

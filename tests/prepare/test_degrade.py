"""Robustness ladders: what is lost is as much as was asked, and never depends on a label."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, kstest

from blindfold.core.config import read_config
from blindfold.core.datasets import DatasetCard, Degradation
from blindfold.core.entries import resolve_datasets
from blindfold.core.errors import BlindfoldError
from blindfold.prepare import degrade as parts
from blindfold.prepare.degrade import degrade
from tests.conftest import REPOSITORY

CARD = DatasetCard(
    title="Small", organism="o", tissue="t", technology="t", modality="spatial", paper="p",
    licence="l", reader="h5ad", files=[{"path": "a.h5ad", "role": "cells", "url": "http://x"}],
    label="kind", batch="site",
)  # fmt: skip
SHARES = st.sampled_from([0.02, 0.1, 0.3, 0.5, 0.8, 1.0])


def prepared(cells=80, genes=40, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(1.0, 2.0, genes), (cells, genes)).astype(np.float32)
    counts[:, 0] += 1
    kinds = rng.choice(["a", "b", "c"], cells)
    obs = {"kind": pd.Categorical(kinds), "site": pd.Categorical(["x", "y"] * (cells // 2))}
    adata = anndata.AnnData(
        sp.csr_matrix(counts),
        obs=pd.DataFrame(obs, index=[f"{kind}-{i}" for i, kind in enumerate(kinds)]),
        var=pd.DataFrame(index=[f"g{i}" for i in range(genes)]),
    )
    adata.obsm["spatial"] = np.column_stack([np.arange(cells) % 10, np.arange(cells) // 10]) * 50.0
    adata.uns["blindfold"] = {"technology": "t", "unit": "u", "pitch": 50.0, "scale": 0.5}
    return adata


def after(adata, name="small", card=CARD, **step):
    return degrade(adata, Degradation(**step), card, name)


EVERYTHING = {
    "thin": 0.5, "dropout": 0.3, "genes": 0.7, "cells": 0.6, "jitter": 0.4, "shuffle": 0.5,
    "merge_batches": True,
}  # fmt: skip


@pytest.mark.parametrize("step", [{kind: value} for kind, value in EVERYTHING.items()])
def test_labels_are_not_looked_at(step):
    plain, other = prepared(), prepared()
    other.obs["kind"] = other.obs.kind.to_numpy()[::-1]
    one, two = after(plain, **step), after(other, **step)
    np.testing.assert_array_equal(one.X.toarray(), two.X.toarray())
    np.testing.assert_array_equal(one.obsm["spatial"], two.obsm["spatial"])
    assert one.obs_names.equals(two.obs_names)
    assert one.uns["blindfold"] == two.uns["blindfold"]
    assert list(one.obs_names.str[0]) == list(one.obs.kind)


def test_the_dataset_itself_is_left_alone():
    adata, untouched = prepared(), prepared()
    after(adata, **EVERYTHING)
    np.testing.assert_array_equal(adata.X.toarray(), untouched.X.toarray())
    np.testing.assert_array_equal(adata.obsm["spatial"], untouched.obsm["spatial"])
    assert adata.uns["blindfold"] == untouched.uns["blindfold"]
    pd.testing.assert_frame_equal(adata.obs, untouched.obs)


def test_the_first_step_of_every_ladder_is_the_data_as_they_are():
    adata = prepared()
    same = after(adata, thin=1, dropout=0, genes=1, cells=1, jitter=0, shuffle=0)
    np.testing.assert_array_equal(same.X.toarray(), adata.X.toarray())
    np.testing.assert_allclose(same.obsm["spatial"], adata.obsm["spatial"], atol=1e-9)
    pd.testing.assert_frame_equal(same.obs, adata.obs)
    assert same.var_names.equals(adata.var_names)
    assert (same.X.dtype, same.X.format) == (np.float32, "csr")


def test_chance_depends_on_seed_and_name_and_on_no_other_kind():
    adata = prepared()
    plain = after(adata, thin=0.5).X.toarray()
    np.testing.assert_array_equal(plain, after(adata, thin=0.5, jitter=1).X.toarray())
    assert (plain != after(adata, thin=0.5, seed=1).X.toarray()).any()
    assert (plain != after(adata, "other", thin=0.5).X.toarray()).any()


@settings(max_examples=25, deadline=None)
@given(
    arrays(np.float32, st.integers(1, 60), elements=st.integers(0, 500).map(float)), SHARES, SHARES,
    st.integers(0, 99),
)  # fmt: skip
def test_thinning_keeps_no_more_and_steps_are_nested(counts, one, two, seed):
    less, more = (
        parts.thin(counts, share, np.random.default_rng(seed)) for share in sorted((one, two))
    )
    assert less.dtype == np.float32
    assert (less == np.rint(less)).all()
    assert (less >= 0).all()
    assert (less <= more).all()
    assert (more <= counts).all()


@pytest.mark.parametrize(("count", "share"), [(1, 0.3), (7, 0.5), (400, 0.05)])
def test_thinning_is_binomial(count, share):
    kept = parts.thin(np.full(20_000, float(count)), share, np.random.default_rng(0))
    found = np.bincount(kept.astype(int), minlength=count + 1) / 20_000
    expected = binom.pmf(np.arange(count + 1), count, share)
    np.testing.assert_allclose(found, expected, atol=0.015)
    assert kept.mean() == pytest.approx(count * share, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["thin", "dropout", "genes", "cells"]), SHARES, SHARES, st.integers(0, 5))
def test_a_harder_step_takes_what_an_easier_one_does(kind, one, two, seed):
    adata = prepared()
    easy, hard = max(one, two), min(one, two)
    if kind == "dropout":
        easy, hard = 1 - max(easy, 0.1), 1 - max(hard, 0.1)
    mild, harsh = (after(adata, **{kind: value}, seed=seed) for value in (easy, hard))
    assert set(harsh.obs_names) <= set(mild.obs_names)
    assert set(harsh.var_names) <= set(mild.var_names)
    assert np.asarray(harsh.X.sum(axis=1)).min() >= 1
    left = mild[harsh.obs_names, harsh.var_names].X.toarray()
    # a cell of one count may be one that was saved from being empty
    full = np.asarray(harsh.X.sum(axis=1)).ravel() > 1
    assert (harsh.X.toarray()[full] <= left[full]).all()


def test_as_much_is_lost_as_was_asked():
    adata = prepared(cells=400, genes=200)
    assert after(adata, thin=0.2).X.sum() / adata.X.sum() == pytest.approx(0.2, abs=0.01)
    assert after(adata, dropout=0.3).X.nnz / adata.X.nnz == pytest.approx(0.7, abs=0.01)
    assert after(adata, genes=0.35).shape == (400, 70)
    assert after(adata, cells=0.35).shape == (140, 200)
    assert after(adata, genes=0.0001, cells=0.0001).shape == (2, 1)


def test_what_dropout_leaves_is_unchanged():
    adata = prepared()
    left, there = after(adata, dropout=0.5).X.toarray(), adata.X.toarray()
    np.testing.assert_array_equal(left[left > 0], there[left > 0])


def test_cells_keep_everything_that_is_theirs():
    adata = prepared()
    some = after(adata, cells=0.4, genes=0.5)
    same = adata[some.obs_names, some.var_names]
    np.testing.assert_array_equal(some.obsm["spatial"], same.obsm["spatial"])
    np.testing.assert_array_equal(some.X.toarray(), same.X.toarray())
    assert list(some.obs.kind) == list(same.obs.kind)
    assert list(some.obs.site) == list(same.obs.site)
    assert list(adata.obs_names.get_indexer(some.obs_names)) == sorted(
        adata.obs_names.get_indexer(some.obs_names)
    )


def test_a_cell_that_would_be_empty_keeps_one_entry():
    there = sp.csr_matrix([[0.0, 3, 5, 0], [2, 0, 0, 0.4], [0, 0, 0, 0], [0, 0, 0, 0.4]])
    left = sp.csr_matrix([[0.0, 0, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    left.eliminate_zeros()
    expected = [[0, 0, 1, 0], [2, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0.4]]
    filled = parts.fill_empty(left, there)
    np.testing.assert_allclose(filled.toarray(), expected)
    assert filled.dtype == np.float32


def test_jitter_is_gaussian_inside_and_stays_on_the_tissue():
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 1_000, (20_000, 2))
    moved = parts.jitter(places, 10.0, np.random.default_rng(1))
    inside = ((places > 100) & (places < 900)).all(axis=1)
    assert kstest((moved - places)[inside].ravel() / 10, "norm").pvalue > 1e-3
    far = parts.jitter(places, 5_000.0, np.random.default_rng(1))
    for made in (moved, far):
        assert (made.min(axis=0) >= places.min(axis=0) - 1e-9).all()
        assert (made.max(axis=0) <= places.max(axis=0) + 1e-9).all()
    # far noise forgets the place
    assert abs(np.corrcoef(far[:, 0], places[:, 0])[0, 1]) < 0.03


def test_jitter_is_measured_in_pitches():
    adata = prepared(cells=400)
    shift = after(adata, jitter=0.1).obsm["spatial"] - adata.obsm["spatial"]
    within = (adata.obsm["spatial"] > 0) & (adata.obsm["spatial"] < [450, 1950])
    assert shift[within].std() == pytest.approx(5, rel=0.1)


@given(st.integers(2, 60), st.floats(0, 1), st.integers(0, 20))
def test_cells_exchange_their_coordinates(cells, share, seed):
    places = np.random.default_rng(0).random((cells, 2))
    moved = parts.shuffle_coordinates(places, share, np.random.default_rng(seed))
    assert sorted(map(tuple, moved)) == sorted(map(tuple, places))
    number = round(share * cells)
    assert (moved != places).any(axis=1).sum() == (number if number > 1 else 0)


def test_the_pitch_is_measured_again():
    adata = prepared()
    some = after(adata, cells=0.2)
    away = np.linalg.norm(some.obsm["spatial"][:, None] - some.obsm["spatial"], axis=2)
    expected = np.median((away + 1e9 * np.eye(len(away))).min(axis=1))
    assert some.uns["blindfold"]["pitch"] == pytest.approx(expected)
    assert expected > 50
    assert some.uns["blindfold"]["scale"] == 0.5


def test_merged_batches_are_gone():
    adata = prepared()
    assert list(after(adata, merge_batches=True).obs) == ["kind"]
    assert list(after(adata, merge_batches=False).obs) == ["kind", "site"]


@pytest.mark.parametrize(
    ("step", "changes", "message"),
    [
        ({"thin": 0.5}, {"values": "expression"}, "no counts"),
        ({"jitter": 0.5}, {}, "no coordinates"),
        ({"shuffle": 0.5}, {}, "no coordinates"),
        ({"merge_batches": True}, {"batch": None}, "no batches"),
    ],
)
def test_what_makes_no_sense_is_refused(step, changes, message):
    adata = prepared()
    del adata.obsm["spatial"]
    with pytest.raises(BlindfoldError, match=message) as error:
        after(adata, card=CARD.model_copy(update=changes), **step)
    assert f"degrade.{next(iter(step))}" in str(error.value) or "jitter, shuffle" in str(
        error.value
    )


def test_every_ladder_of_the_configuration_is_possible():
    config = read_config([REPOSITORY / "config.yaml", REPOSITORY / "configs" / "ladders.yaml"])
    cards = resolve_datasets(config.datasets)
    assert {"mosaic-thin-0.5", "mosaic_batches-merge_batches-true"} <= set(cards)
    for card in cards.values():
        step = card.degrade
        assert card.modality == "spatial" or (step.jitter is None and step.shuffle is None)
        assert card.batch is not None or not step.merge_batches
        assert card.values == "counts" or step.thin is None

"""Entries are held out first: nothing that a method sees depends on what they held."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from blindfold.blind.blind import blind
from blindfold.blind.mask import MaskedMatrix, held_out_table, mask_seed
from blindfold.core import blocks
from blindfold.core.datasets import DatasetCard, Mask
from blindfold.core.errors import BlindfoldError
from methods.scgnn.inputs import variable_genes
from tests.blind.conftest import CARD
from tests.blind.masked import MASK, masked_files, sparse_cells


def entries(at):
    """Return the held-out entries with the original name of their cell."""
    truth = pd.read_parquet(at.truth("tiny")).set_index("cell")["original"]
    table = pd.read_parquet(at.held_out("tiny")).astype({"cell": str, "gene": str})
    return table.assign(original=truth[table["cell"]].to_numpy())


def test_other_values_at_held_out_entries_change_no_byte_of_the_input(tmp_path):
    """Neither order, choice of genes, nor facts look at what is held out."""
    plain, other = sparse_cells(), sparse_cells()
    one = masked_files(plain, tmp_path / "one")
    dense = other.X.toarray()
    held = entries(one)
    row = other.obs_names.get_indexer(held["original"])
    column = other.var_names.get_indexer(held["gene"])
    dense[row, column] += np.random.default_rng(1).integers(1, 9_000, len(held))
    other.X = sp.csr_matrix(dense)
    two = masked_files(other, tmp_path / "two")
    assert one.input("tiny").read_bytes() == two.input("tiny").read_bytes()
    assert one.card("tiny").read_bytes() == two.card("tiny").read_bytes()
    assert one.held_out("tiny").read_bytes() != two.held_out("tiny").read_bytes()


def test_the_input_is_zero_there_and_the_vault_has_the_original(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 700)  # several blocks
    adata = sparse_cells()
    at = masked_files(adata, tmp_path / "r")
    shown, held = anndata.read_h5ad(at.input("tiny")), entries(at)
    assert shown.shape == (150, 30)
    assert shown.X.data.min() > 0, "a stored zero would tell where an entry was held out"
    masked = shown.to_df().stack()
    assert (masked.loc[list(zip(held["cell"], held["gene"], strict=True))] == 0).all()
    original = adata.to_df()
    wanted = [original.at[row.original, row.gene] for row in held.itertuples()]
    assert held["count"].tolist() == wanted
    assert min(wanted) > 0
    # put back, they make the whole: nothing else was lost
    truth = pd.read_parquet(at.truth("tiny"))["original"]
    whole = shown.to_df()
    for row in held.itertuples():
        whole.at[row.cell, row.gene] = row.count
    np.testing.assert_array_equal(whole, original.loc[truth, list(shown.var_names)])
    facts = json.loads(at.card("tiny").read_text())
    assert (facts["task"], facts["mask"]) == ("imputation", MASK)
    assert facts["held_out"] == len(held)
    assert facts["counts"]["density"] == pytest.approx((shown.X.toarray() > 0).mean())


def test_genes_are_those_scgnn_ranks_first_on_the_masked_counts():
    dense = sparse_cells(genes=300, seed=3).X.toarray()
    dense[:10, 2:] = 0  # cells of too few genes to enter the ranking
    dense[:10, :2] = 500
    matrix = sp.csr_matrix(dense)
    changed = 0
    for n_genes in (5, 20, 60, 120, 300):
        masked = MaskedMatrix(matrix, Mask(share=0.3, genes=n_genes), mask_seed("tiny", 0))
        rest = matrix.copy()
        rest.data[np.concatenate([held for _, held in masked._split()])] = 0
        rest.eliminate_zeros()
        expected = np.sort(variable_genes(rest, n_genes))
        np.testing.assert_array_equal(masked.genes, expected)
        changed += list(expected) != list(np.sort(variable_genes(matrix, n_genes)))
        shown = sp.vstack(list(masked.blocks())).toarray()
        np.testing.assert_array_equal(shown, rest.toarray()[:, expected])
    assert changed, "the unmasked counts would have chosen others"


@given(st.integers(2, 80), st.integers(1, 40), st.floats(0.02, 0.95), st.integers(0, 10**6))
def test_the_draw(cells, genes, share, seed):
    """A share of the non-zero entries, no cell or gene emptied, the same in blocks of any size."""
    rng = np.random.default_rng(seed)
    matrix = sp.csr_matrix(rng.poisson(0.5, (cells, genes)).astype(np.float32))
    matrix.data[rng.random(matrix.nnz) < 0.1] = 0  # stored zeros are no entries
    draws = []
    for size in (1, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "BLOCK", size)
            split = list(MaskedMatrix(matrix, Mask(share=share), [seed])._split())
        draws.append(np.concatenate([held for _, held in split]))
        whole = sp.vstack([block for block, _ in split]).tocsr()
    np.testing.assert_array_equal(draws[0], draws[1])
    held = draws[0]
    assert whole.nnz == np.count_nonzero(matrix.toarray()) == len(held)
    left = whole.copy()
    left.data[held] = 0
    left.eliminate_zeros()
    for axis in (0, 1):
        assert ((left.getnnz(axis=axis) > 0) == (whole.getnnz(axis=axis) > 0)).all()


def test_the_share_holds_and_seeds_differ():
    matrix = sp.csr_matrix(np.ones((400, 300), dtype=np.float32))
    held = {seed: MaskedMatrix(matrix, Mask(share=0.1), mask_seed("d", seed)) for seed in range(4)}
    first = {seed: masked.held_out() for seed, masked in held.items()}
    for table in first.values():
        # binomial: 120,000 entries, five standard deviations
        assert table.nnz == pytest.approx(12_000, abs=520)
        assert table.getnnz(axis=0).std() == pytest.approx(np.sqrt(400 * 0.09), rel=0.2)
    assert first[0].multiply(first[1]).nnz == pytest.approx(1_200, abs=180)
    other = MaskedMatrix(matrix, Mask(share=0.1), mask_seed("e", 0)).held_out()
    assert (other != first[0]).nnz > 10_000


def test_a_dataset_no_longer_masked_leaves_nothing_in_the_vault(tmp_path):
    at = masked_files(sparse_cells(), tmp_path / "r")
    assert at.held_out("tiny").is_file()
    blind("tiny", DatasetCard.model_validate({**CARD, "batch": None}), at, 0)
    assert not at.held_out("tiny").exists()
    facts = json.loads(at.card("tiny").read_text())
    assert (facts["task"], facts["mask"], facts["held_out"]) == ("clustering", None, None)


def test_permuted_labels_leave_the_mask_as_it_is(tmp_path):
    plain, other = sparse_cells(), sparse_cells()
    other.obs["kind"] = other.obs["kind"].to_numpy()[::-1]
    one, two = masked_files(plain, tmp_path / "a"), masked_files(other, tmp_path / "b")
    for name in ("input", "card", "held_out"):
        assert getattr(one, name)("tiny").read_bytes() == getattr(two, name)("tiny").read_bytes()


def test_nothing_to_hold_out_is_refused():
    matrix = sp.csr_matrix(np.eye(5, dtype=np.float32))  # the last entry of each cell stays
    masked = MaskedMatrix(matrix, Mask(share=0.9), [0])
    names = [f"c{i}" for i in range(5)]
    with pytest.raises(BlindfoldError, match="no entry could be held out"):
        held_out_table(masked.held_out(), np.arange(5), names, names)


def test_genes_that_nobody_shares_are_refused():
    matrix = sp.csr_matrix(np.kron(np.eye(300), np.ones((1, 2))).astype(np.float32))
    with pytest.raises(BlindfoldError, match="no gene is seen in 1 %"):
        _ = MaskedMatrix(matrix, Mask(share=0.1), [0]).genes

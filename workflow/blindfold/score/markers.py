"""Differential expression of the groups of a partition."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from blindfold.core.tables import GENE_TESTS, empty_table

if TYPE_CHECKING:
    import anndata
    import pandas as pd

KEEP = 100
"""Genes kept per group: more than any comparison or figure looks at."""

COLUMNS = {"group": "int64", **GENE_TESTS}


def find_markers(expression: anndata.AnnData, codes: np.ndarray) -> pd.DataFrame:
    """Test every gene in every group against the rest (Wilcoxon rank sum).

    Parameters
    ----------
    expression
        N cells x genes, log-normalised.
    codes
        N group codes from 0.

    Returns
    -------
    pandas.DataFrame
        At most `KEEP` genes per group with a positive score, best first, ties in the order of
        the genes; columns as in `COLUMNS`, p-values adjusted by Benjamini-Hochberg. A group of
        one cell, and a partition into one group, has none: there is nothing to test.

    References
    ----------
    Wilcoxon (1945), Biometrics Bulletin 1, 80-83, in scanpy's ``rank_genes_groups``.
    """
    import pandas as pd
    import scanpy

    sizes = np.bincount(codes)
    testable = [int(code) for code in np.flatnonzero(sizes > 1)]
    if np.count_nonzero(sizes) < 2 or not testable:
        return empty_table(COLUMNS)
    data = expression.copy()
    data.obs["group"] = pd.Categorical(codes.astype(str))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # log fold changes of absent genes divide by zero
        scanpy.tl.rank_genes_groups(
            data, "group", groups=[str(code) for code in testable], method="wilcoxon", pts=True
        )
    table = scanpy.get.rank_genes_groups_df(data, group=None).rename(columns=_NAMES)
    table["group"] = testable[0] if len(testable) == 1 else table["group"].astype("int64")
    return _best(table, data.var_names)


def _best(table: pd.DataFrame, genes: pd.Index) -> pd.DataFrame:
    """Return the best genes of every group, in the order of the groups."""
    table = table[table["score"] > 0]
    table = table.assign(position=genes.get_indexer(table["gene"]))
    order = ["group", "score", "position"]
    table = table.sort_values(order, ascending=[True, False, True], kind="stable")
    table = table.groupby("group", sort=False).head(KEEP)
    table = table.assign(rank=table.groupby("group", sort=False).cumcount() + 1)
    return table[list(COLUMNS)].reset_index(drop=True).astype(COLUMNS)


_NAMES = {
    "names": "gene",
    "scores": "score",
    "logfoldchanges": "log_fold_change",
    "pvals": "p_value",
    "pvals_adj": "p_adjusted",
    "pct_nz_group": "fraction_in",
    "pct_nz_reference": "fraction_out",
}


def gene_lists(markers: pd.DataFrame, groups: np.ndarray) -> dict[int, list[str]]:
    """Return the marker genes of each of ``groups``, best first; empty where there are none."""
    lists = {int(group): part["gene"].tolist() for group, part in markers.groupby("group")}
    return {int(group): lists.get(int(group), []) for group in groups}

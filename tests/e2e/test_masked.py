"""Masked data through the whole workflow."""

import anndata
import numpy as np
import pandas as pd
import pytest

CONFIG = """
name: masked
datasets:
  - {from: pbmc68k, mask: 0.1, genes: 200}
methods:
  - gene_mean
  - neighbour_mean
  - diffusion
  - pca_kmeans
  - name: scgnn
    params: {epochs: 20, cluster_epochs: 20, graph_epochs: 10, iterations: 1}
seeds: 1
"""
ID = "pbmc68k-mask-0.1"


@pytest.mark.slow
def test_imputation_from_the_mask_to_the_page(workflow):
    workflow.snakemake("--configfile", workflow.config("masked", CONFIG))
    results = workflow.folder / "results" / "masked"
    runs = pd.read_csv(results / "tables" / "runs.csv").set_index("method")
    imputers = ["gene_mean", "neighbour_mean", "diffusion", "scgnn"]
    assert (runs.loc[imputers, "status"] == "ok").all()
    assert set(runs.drop(imputers)["status"]) == {"unavailable"}

    table = pd.read_csv(results / "tables" / "imputation.csv")
    assert set(table["method"]) == set(imputers)
    scored = table.set_index(["metric", "method"])["mean"]
    assert scored["l1_mean", "neighbour_mean"] < scored["l1_mean", "gene_mean"]
    assert scored["l1_mean", "diffusion"] < scored["l1_mean", "gene_mean"]

    # the scores again, from the files alone
    held = pd.read_parquet(results / "vault" / ID / "held_out.parquet")
    held = held.astype({"cell": str, "gene": str})
    shown = anndata.read_h5ad(results / "datasets" / ID / "input.h5ad").to_df()
    entries = held["cell"].map(shown.index.get_loc), held["gene"].map(shown.columns.get_loc)
    assert (shown.to_numpy()[entries] == 0).all()
    for method in imputers:
        path = results / "runs" / ID / method / "truth" / "0" / "imputed.h5ad"
        error = np.log1p(anndata.read_h5ad(path).X[entries]) - np.log1p(held["count"])
        assert scored["l1_median", method] == pytest.approx(error.abs().median(), rel=1e-5)
    scores = pd.read_parquet(results / "tables" / "scores.parquet")
    ari = scores[(scores["metric"] == "ari") & scores["method"].isin(imputers)]
    assert ari["value"].notna().all(), "clusters of imputing methods are scored as usual"
    page = (results / "report" / "index.html").read_text()
    assert 'id="imputation"' in page
    assert (results / "figures" / "imputation.pdf").is_file()

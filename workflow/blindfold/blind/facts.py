"""The facts about a blinded dataset that may be known without its labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core import io
from blindfold.core.cards import DatasetCard
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def facts(
    dataset: str, card: DatasetCard, results: Layout, shown: AnnData, hidden: pd.DataFrame
) -> dict[str, Any]:
    """Return the content of ``card.json``.

    No label and no class name is in it, and permuting the labels leaves it as it is: so the
    prepared file, which holds them, is not among the checksums.

    Parameters
    ----------
    dataset
        Id of the dataset's card.
    card
        The card.
    results
        Where input and image have been written.
    shown
        The blinded data.
    hidden
        The truth, see `blindfold.blind.blind.truth`; only the number of classes is used.
    """
    labelled = int(hidden["label"].notna().sum()) if "label" in hidden else 0
    return {
        "dataset": dataset,
        "title": card.title,
        "modality": card.modality,
        "technology": card.technology,
        "licence": card.licence,
        "cells": shown.n_obs,
        "genes": shown.n_vars,
        "n_clusters": int(hidden["label"].nunique()) if labelled else None,
        "labelled": labelled,
        "batches": int(shown.obs["batch"].nunique()) if "batch" in shown.obs else 1,
        "image": card.image,
        "counts": count_summary(shown),
        "raw_sha256": {file.path: file.sha256 for file in card.files},
        "input_sha256": io.sha256(results.input(dataset)),
        "image_sha256": io.sha256(results.image(dataset)) if card.image else None,
    }


def count_summary(adata: AnnData) -> dict[str, float]:
    """Return medians over cells, and the share of entries that are not zero."""
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    detected = np.diff(adata.X.indptr)
    return {
        "median_total_counts": float(np.median(totals)),
        "median_genes": float(np.median(detected)),
        "density": float(adata.X.nnz / max(1, adata.n_obs * adata.n_vars)),
    }

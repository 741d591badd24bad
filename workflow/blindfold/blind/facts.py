"""The facts about a blinded dataset that may be known without its labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import Layout


def dataset_facts(
    dataset: str, card: DatasetCard, results: Layout, frame: AnnData, truth: pd.DataFrame,
    counts: CountSummary,
) -> dict[str, Any]:  # fmt: skip
    """Return the content of ``card.json``.

    It holds no label and no class name, and permuting the labels does not change it; therefore the
    prepared file, which holds them, is not among the checksums.

    Parameters
    ----------
    dataset
        Id of the dataset's card.
    card
        The card.
    results
        Where input and image have been written.
    frame
        The blinded data.
    truth
        See `blindfold.blind.blind.truth_table`; only the number of classes is used.
    counts
        Every block of the counts has been added to it.
    """
    labelled = int(truth["label"].notna().sum()) if "label" in truth else 0
    return {
        "dataset": dataset,
        "task": card.task,
        "mask": card.mask.model_dump() if card.mask else None,
        "title": card.title,
        "modality": card.modality,
        "technology": card.technology,
        "values": card.values,
        "audit": card.audit,
        "licence": card.licence,
        "cells": frame.n_obs,
        "genes": frame.n_vars,
        "n_clusters": int(truth["label"].nunique()) if labelled else None,
        "labelled": labelled,
        "batches": int(frame.obs["batch"].nunique()) if "batch" in frame.obs else 1,
        "image": card.image,
        "counts": counts.medians(),
        "raw_sha256": raw_checksums(results.fetched(dataset)),
        "input_sha256": io.sha256(results.input(dataset)),
        **{
            f"{kind}_sha256": io.sha256(file) if file.is_file() else None
            for kind, file in results.beside(dataset).items()
        },
    }


def raw_checksums(record: Path) -> dict[str, str]:
    """Return the checksum of every raw file as it was fetched; of an archive, its own."""
    return {row["path"]: row.get("archive_sha256") or row["sha256"] for row in io.read_json(record)}


def preparation_report(uns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `prepare` found and did, as plain numbers and strings."""
    report: dict[str, Any] = _plain(uns.get("report", {"flaws": {}, "quality": {}}))
    return report


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return value.item() if isinstance(value, np.generic) else value


class CountSummary:
    """Statistics of all counts, taken block by block.

    Parameters
    ----------
    cells, genes
        Shape of the whole matrix.
    """

    def __init__(self, cells: int, genes: int) -> None:
        self.entries = cells * genes
        self.totals: list[np.ndarray] = []
        self.detected: list[np.ndarray] = []

    def add(self, block: sp.csr_matrix) -> sp.csr_matrix:
        """Take a block into account and return it."""
        self.totals.append(np.asarray(block.sum(axis=1, dtype=np.float64)).ravel())
        self.detected.append(np.diff(block.indptr))
        return block

    def medians(self) -> dict[str, float]:
        """Return medians over cells, and the share of entries that are not zero."""
        detected = np.concatenate(self.detected)
        return {
            "median_total_counts": float(np.median(np.concatenate(self.totals))),
            "median_genes": float(np.median(detected)),
            "density": float(detected.sum() / max(1, self.entries)),
        }

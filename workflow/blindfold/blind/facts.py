"""The facts about a blinded dataset that may be known without its labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def facts(
    dataset: str, card: DatasetCard, results: Layout, shown: AnnData, hidden: pd.DataFrame,
    summary: Summary,
) -> dict[str, Any]:  # fmt: skip
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
    summary
        Has seen every block of the counts.
    """
    labelled = int(hidden["label"].notna().sum()) if "label" in hidden else 0
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
        "cells": shown.n_obs,
        "genes": shown.n_vars,
        "n_clusters": int(hidden["label"].nunique()) if labelled else None,
        "labelled": labelled,
        "batches": int(shown.obs["batch"].nunique()) if "batch" in shown.obs else 1,
        "image": card.image,
        "counts": summary.medians(),
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


def report(uns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `prepare` found and did, as plain numbers and words."""
    found: dict[str, Any] = _plain(uns.get("report", {"flaws": {}, "quality": {}}))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return value.item() if isinstance(value, np.generic) else value


class Summary:
    """What is said of the counts in all, taken from block after block.

    Parameters
    ----------
    cells, genes
        Shape of the whole matrix.
    """

    def __init__(self, cells: int, genes: int) -> None:
        self.entries = cells * genes
        self.totals: list[np.ndarray] = []
        self.detected: list[np.ndarray] = []

    def seen(self, block: sp.csr_matrix) -> sp.csr_matrix:
        """Note a block and return it."""
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

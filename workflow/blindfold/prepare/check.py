"""Checks of labels, batches and of what the card promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.prepare.reading import examples


def check_labels(labels: pd.Series, card: DatasetCard, file: Path) -> None:
    """Check that there are at least two classes, all of them in the card's order of classes.

    Raises
    ------
    BlindfoldError
        Where no cell has a label, all have the same, or a class is missing in ``label.order``.
    """
    assert card.label is not None
    classes = sorted(labels.dropna().unique())
    if len(classes) < 2:
        raise BlindfoldError(
            "labels all missing" if not classes else "labels all one class", file=file,
            field=f"label {card.label.column!r}", found=classes[0] if classes else None,
            expected="at least two classes",
            remedy="leave label out: then only metrics without labels are computed",
        )  # fmt: skip
    if card.label.order:
        unknown = [name for name in classes if name not in card.label.order]
        if unknown:
            raise BlindfoldError(
                "a class is missing in the order of classes", file=file, field="label.order",
                found=examples(unknown), remedy=did_you_mean(unknown[0], card.label.order),
            )  # fmt: skip


def check_batches(batches: pd.Series, file: Path) -> None:
    """Check that every cell has a batch.

    Raises
    ------
    BlindfoldError
        Where one has none.
    """
    missing = batches.index[batches.isna()]
    if len(missing):
        raise BlindfoldError(
            f"{len(missing)} cells have no batch", file=file, field=f"batch {batches.name!r}",
            found=examples(missing), expected="a batch for every cell",
            remedy="correct the column, or leave batch out",
        )  # fmt: skip


def check_expected(frame: AnnData, card: DatasetCard, file: Path) -> None:
    """Check the prepared dataset against what its card promises.

    Raises
    ------
    BlindfoldError
        Where cells, genes, classes, labelled cells or sizes of classes differ from ``expected``.
    """
    found = _facts(frame, card)
    for what, expected in card.expected.model_dump().items():
        if expected is not None and found[what] != expected:
            raise BlindfoldError(
                "the prepared data differ from the card", file=file, field=f"expected.{what}",
                found=found[what], expected=expected,
                remedy="correct the card, its options or the raw file",
            )  # fmt: skip


def _facts(frame: AnnData, card: DatasetCard) -> dict[str, Any]:
    """Return what `check_expected` compares."""
    facts: dict[str, Any] = {"cells": frame.n_obs, "genes": frame.n_vars}
    if card.label is None:
        return facts | {"classes": None, "labelled": 0, "class_sizes": None}
    sizes = frame.obs[card.label.column].value_counts()
    sizes = sizes[sizes > 0]
    return facts | {
        "classes": len(sizes),
        "labelled": int(sizes.sum()),
        "class_sizes": {str(name): int(size) for name, size in sizes.items()},
    }

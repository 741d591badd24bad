"""Prints what there is: methods, datasets, metrics and their cards."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from blindfold.core.cards import (
    dataset_card,
    find_datasets,
    find_methods,
    method_card,
)
from blindfold.core.errors import BlindfoldError, did_you_mean


def list_methods(methods_path: list[str]) -> None:
    """Print one line a method."""
    rows = []
    for name, folder in find_methods(methods_path).items():
        card = method_card(folder)
        kind = "control" if card.control else "method"
        data = ", ".join(card.modalities)
        rows.append([name, kind, data, ", ".join(card.variants), card.summary])
    _print(["method", "kind", "data", "variants", "summary"], rows)


def list_datasets() -> None:
    """Print one line a dataset."""
    rows = []
    for name in find_datasets():
        card = dataset_card(name)
        shape = card.expected
        classes = "-" if shape.classes is None else str(shape.classes)
        rows.append(
            [
                name,
                card.modality,
                str(shape.cells),
                str(shape.genes),
                classes,
                card.licence,
                card.title,
            ]
        )
    _print(["dataset", "modality", "cells", "genes", "classes", "licence", "title"], rows)


def explain(name: str, methods_path: list[str]) -> None:
    """Print the card of a method, a dataset or a metric.

    Raises
    ------
    BlindfoldError
        Where nothing has this name.
    """
    from blindfold.score.catalogue import explain_metric, find_metrics

    methods, datasets, metrics = find_methods(methods_path), find_datasets(), find_metrics()
    if name in methods:
        _print_card(name, "method", method_card(methods[name]))
    elif name in datasets:
        _print_card(name, "dataset", dataset_card(name))
    elif name in metrics:
        for heading, text in explain_metric(name).items():
            print(f"{heading}: {text}")
    else:
        known = [*methods, *datasets, *metrics]
        raise BlindfoldError(
            f"nothing is called {name!r}", expected="a method, a dataset or a metric",
            remedy=did_you_mean(name, known),
        )  # fmt: skip


def _print_card(name: str, kind: str, card: BaseModel) -> None:
    values: dict[str, Any] = card.model_dump(exclude_none=True)
    print(f"{kind} {name}\n")
    print(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=96).rstrip())


def _print(columns: list[str], rows: list[list[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for position, column in enumerate(columns):
        table.add_column(column, no_wrap=position == 0)
    for row in rows:
        table.add_row(*row)
    Console().print(table)

"""Print what there is: methods, datasets, metrics and their cards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from blindfold.core import io
from blindfold.core.available import obstacle
from blindfold.core.datasets import DatasetCard, dataset_card, find_datasets, raw_files
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.core.generated import markdown_table
from blindfold.core.layout import Layout
from blindfold.core.methods import find_methods, method_card, without_card
from blindfold.core.plan import read_plan

FACTS = ["modality", "cells", "genes", "classes", "download"]
"""What both tables of datasets say about each, by its card."""


def list_methods(methods_path: list[str]) -> None:
    """Print one line a method."""
    rows = []
    for name, folder in find_methods(methods_path).items():
        card = method_card(folder)
        kind = "control" if card.control else "method"
        data = ", ".join(card.modalities)
        word, variants = card.fidelity.word, ", ".join(card.variants)
        rows.append([name, kind, word, data, variants, card.summary])
    _print(["method", "kind", "fidelity", "data", "variants", "summary"], rows)
    for name, folder in without_card(methods_path).items():
        print(f"{name}: left out, for {folder} has a model.py and no method.yaml")


def list_datasets(cache: Path, mirror: list[str]) -> None:
    """Print one line a dataset: its size, its licence, and whether it can be had.

    Parameters
    ----------
    cache, mirror
        Where raw files may already lie.
    """
    rows = []
    for name, card in _dataset_cards():
        verified = "yes" if card.verified else f"no: {card.reason}"
        had = availability(card, cache, mirror)
        rows.append([name, *_facts(card), had, verified, card.licence])
    _print(["dataset", *FACTS, "availability", "verified", "licence"], rows)


def markdown_datasets() -> str:
    """Return the table of all datasets for the documentation, without what a machine adds."""
    rows = [
        [f"`{name}`", *_facts(card), "yes" if card.verified else "no", card.title]
        for name, card in _dataset_cards()
    ]
    return markdown_table(["dataset", *FACTS, "verified", "what"], rows)


def availability(card: DatasetCard, cache: Path, mirror: list[str]) -> str:
    """Say in a word how a dataset's files can be had."""
    if obstacle(card, cache, mirror, offline=True) is None:
        return "here"
    return "download" if obstacle(card, cache, mirror, offline=False) is None else "by hand"


def _dataset_cards() -> Iterator[tuple[str, DatasetCard]]:
    return ((name, dataset_card(name)) for name in find_datasets())


def _facts(card: DatasetCard) -> list[str]:
    """Return `FACTS`; where the bytes of a raw file are not known, the sum is a lower bound."""
    numbers = [card.expected.cells, card.expected.genes, card.expected.classes]
    sizes = [file.bytes for file in raw_files(card)]
    megabytes = sum(size or 0 for size in sizes) / 1e6
    download = ("> " if None in sizes else "") + f"{megabytes:.1f} MB"
    return [card.modality, *map(_number_or_dash, numbers), download]


def _number_or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def list_prepared(results: Layout) -> None:
    """Print what became of the datasets of a benchmark, those that cannot be had included."""
    plan = read_plan(results.root)
    rows = []
    for name, card in plan.datasets.items():
        path = results.card(name)
        facts = io.read_json(path) if path.is_file() else {}
        shape = [facts.get(key) for key in ("cells", "genes", "n_clusters", "labelled")]
        status = "prepared" if facts else "not yet prepared"
        rows.append([name, status, *map(_number_or_dash, shape), card.title])
    for name, reason in plan.unavailable.items():
        rows.append([name, "unavailable", "-", "-", "-", "-", reason])
    _print(["dataset", "status", "cells", "genes", "classes", "labelled", "title or reason"], rows)


def explain(name: str, methods_path: list[str]) -> None:
    """Print the card of a method, a dataset or a metric.

    Raises
    ------
    BlindfoldError
        Where nothing has this name.
    """
    from blindfold.score.metric import find_metrics

    methods, datasets, metrics = find_methods(methods_path), find_datasets(), find_metrics()
    if name in methods:
        _print_card(name, "method", method_card(methods[name]))
    elif name in datasets:
        _print_card(name, "dataset", dataset_card(name))
    elif name in metrics:
        for heading, text in metrics[name].explain().items():
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
    """Print a table, a line a row, as wide as it must be."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=Console(width=2_000).measure(table).maximum).print(table)

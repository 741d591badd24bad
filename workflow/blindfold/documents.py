"""The parts of the documentation that are made from cards and code."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from blindfold.catalogue import markdown_datasets
from blindfold.compare.columns import Columns
from blindfold.compare.figures import find_figures
from blindfold.compare.tables import find_tables
from blindfold.core import io
from blindfold.core.generated import fill_in, markdown_table
from blindfold.core.layout import REPOSITORY
from blindfold.core.methods import MethodCard, find_methods, method_card
from blindfold.score.evidence import EVIDENCE, LABEL_FREE
from blindfold.score.metric import find_metrics

DOCS = REPOSITORY / "docs"


def documents() -> dict[Path, str]:
    """Return the text that each document with a made part must have."""
    parts = {
        REPOSITORY / "README.md": {"methods": kinds_of_methods()},
        DOCS / "methods.md": {"methods": methods()},
        DOCS / "data.md": {"datasets": markdown_datasets()},
        DOCS / "tables.md": {"tables": tables(), "figures": figures()},
        DOCS / "extending.md": {"evidence": evidence(), "metrics": metrics()},
        DOCS / "honesty.md": {"attacks": attacks()},
    }
    return {path: fill_in(path, made) for path, made in parts.items()}


def write_documents() -> list[Path]:
    """Write the documents and return their paths."""
    for path, text in documents().items():
        io.write_text(path, text)
    return list(documents())


def _cards() -> dict[str, MethodCard]:
    return {name: method_card(folder) for name, folder in find_methods(["methods"]).items()}


def _kind(card: MethodCard) -> str:
    if card.control:
        return "controls"
    if "clustering" not in card.tasks:
        return "imputation"
    if card.fidelity.word != "baseline":
        return "published"
    return "generic graph neural" if card.resources.gpus else "baselines"


def _linked(name: str, card: MethodCard, folder: str) -> str:
    """Return the method's title, with a link to its document where it has one."""
    has_document = (DOCS / "methods" / f"{name}.md").is_file()
    return f"[{card.title}]({folder}/{name}.md)" if has_document else card.title


def kinds_of_methods() -> str:
    """Return the README's table: kinds of methods by the data that they run on."""
    cards = _cards()
    lines = []
    for kind in ("published", "generic graph neural", "baselines", "imputation", "controls"):
        of_kind = {name: card for name, card in cards.items() if _kind(card) == kind}
        cells = [
            ", ".join(
                _linked(name, card, "docs/methods")
                for name, card in of_kind.items()
                if modality in card.modalities
            )
            for modality in ("scrna", "spatial")
        ]
        lines.append([kind, *cells])
    return markdown_table(["", "cells", "tissues"], lines)


def methods() -> str:
    """Return one line per method."""
    lines = []
    for name, card in _cards().items():
        year = f", {card.fidelity.year}" if card.fidelity.year else ""
        doi = card.fidelity.doi
        paper = f"[{doi}](https://doi.org/{doi}){year}" if doi else (card.fidelity.paper or "-")
        lines.append([
            f"`{name}`", _linked(name, card, "methods"), _kind(card), ", ".join(card.modalities),
            ", ".join(card.variants), card.fidelity.word, paper,
        ])  # fmt: skip
    return markdown_table(
        ["name", "method", "kind", "data", "variants", "fidelity", "paper"], lines
    )


def tables() -> str:
    """Return the dictionary of the columns of all tables."""
    return "\n\n".join(
        part
        for name, module in find_tables().items()
        for part in _dictionary(f"{name}.csv", module.TITLE, module.build.__doc__, module.COLUMNS)
    )


def figures() -> str:
    """Return the dictionary of the columns of the data of all figures."""
    return "\n\n".join(
        part
        for name, module in find_figures().items()
        for part in _dictionary(name, module.TITLE, module.draw.__doc__, module.COLUMNS)
    )


def _dictionary(name: str, title: str, what: str, columns: Columns) -> Iterator[str]:
    yield f"### {title}: `{name}`"
    yield what.strip().splitlines()[0]
    lines = [[f"`{key}`", c.unit, c.heading, c.meaning] for key, c in columns.items()]
    yield markdown_table(["column", "unit", "on the page", "meaning"], lines)


def evidence() -> str:
    """Return what a metric may ask for."""
    lines = [
        [f"`{name}`", "no" if name in LABEL_FREE else "yes", meaning]
        for name, meaning in sorted(EVIDENCE.items())
    ]
    return markdown_table(["argument", "needs labels", "what it is"], lines)


def attacks() -> str:
    """Return what every attack achieves behind every wall, as tests/hostile checks it."""
    with (DOCS / "attacks.csv").open(newline="") as handle:
        header, *lines = csv.reader(handle)
    return markdown_table(header, [[line[0].replace("_", " "), *line[1:]] for line in lines])


def metrics() -> str:
    """Return one line per metric."""
    lines = [
        [f"`{each.name}`", each.task, each.title, each.explain()["range"], each.direction,
         "no" if each.label_free else "yes", each.source]
        for each in find_metrics().values()
    ]  # fmt: skip
    header = ["metric", "task", "what it is", "range", "better", "needs labels", "source"]
    return markdown_table(header, lines)

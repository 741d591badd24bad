"""From the datasets of a configuration to complete cards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.config import Dataset, DerivedData, OwnData
from blindfold.core.datasets import IMAGE_FEATURES, DatasetCard, dataset_card
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY


def resolve_datasets(entries: list[Dataset]) -> dict[str, DatasetCard]:
    """Return the complete card of every dataset that a configuration asks for.

    Parameters
    ----------
    entries
        Ids of cards, the user's own files, and datasets derived from cards.

    Returns
    -------
    dict
        By id, in the order of the configuration; series are spread out.

    Raises
    ------
    BlindfoldError
        For an unknown id, an id that stands twice, or a file that is not there.
    """
    cards: dict[str, DatasetCard] = {}
    for entry in entries:
        for name, card in _resolve(entry):
            if name in cards:
                raise BlindfoldError(f"dataset {name!r} stands twice", field="datasets")
            cards[name] = card
    return cards


def _resolve(entry: Dataset) -> Iterator[tuple[str, DatasetCard]]:
    if isinstance(entry, str):
        yield entry, dataset_card(entry)
    elif isinstance(entry, OwnData):
        yield entry.id, _own_card(entry)
    else:
        yield from _derived_cards(entry)


def _own_card(entry: OwnData) -> DatasetCard:
    """Return the card of a user's own file."""
    path = _own_file(entry.path, f"datasets.{entry.id}.path", "an h5ad file")
    files = [{"path": path.name, "role": "cells", "local": str(path)}]
    if entry.image_features is not None:
        field = f"datasets.{entry.id}.image_features"
        table = _own_file(entry.image_features, field, "a table as csv, tsv or parquet")
        files.append({"path": table.name, "role": IMAGE_FEATURES, "local": str(table)})
    spatial = entry.modality == "spatial" or (entry.modality is None and _has_coordinates(path))
    facts = {
        "title": f"own data: {path.name}", "organism": "not stated", "tissue": "not stated",
        "technology": "not stated", "paper": "own data", "licence": "the user's own",
        "modality": "spatial" if spatial else "scrna",
        "reader": "h5ad", "options": {"layer": entry.layer}, "files": files,
        "label": entry.label, "batch": entry.batch, "values": entry.values,
        "quality": entry.quality, "repair": entry.repair, "tags": ["own"],
    }  # fmt: skip
    return io.validate(DatasetCard, facts, f"datasets: {entry.id}")


def _own_file(name: str, field: str, expected: str) -> Path:
    """Return where a file of the user's lies."""
    path = (REPOSITORY / Path(name).expanduser()).resolve()
    if not path.is_file():
        raise BlindfoldError(
            "a folder, not a file" if path.is_dir() else "no such file", file=path,
            field=field, expected=expected, remedy="relative paths count from the repository root",
        )  # fmt: skip
    return path


def _has_coordinates(path: Path) -> bool:
    """Whether an h5ad has ``obsm["spatial"]``."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "obsm/spatial" in file
    except OSError as error:
        raise BlindfoldError(
            "cannot read the file", file=path, found=str(error), expected="an h5ad file",
            remedy="look at it with: blindfold check " + str(path),
        ) from error  # fmt: skip


def _derived_cards(entry: DerivedData) -> Iterator[tuple[str, DatasetCard]]:
    """Yield the dataset, or each step of the series."""
    card = dataset_card(entry.source)
    for name, step in _steps(entry):
        changed = card.model_dump(exclude_unset=True) | {
            "options": {**card.options, **step["options"]},
            "degrade": step["degrade"] or None,
            "tags": [*card.tags, "derived"],
            # another shape is to be expected, and only `prepare` knows it
            "expected": {},
        }
        if step["mask"]:
            sized = {} if entry.genes is None else {"genes": entry.genes}
            # filters would choose cells and genes by what is held out
            changed |= {"mask": {"share": step["mask"]["mask"], **sized}, "quality": {}}
        where = f"datasets: from {entry.source}"
        yield name, io.validate(DatasetCard, changed, where)


def _steps(entry: DerivedData) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Yield the id of each step and what changes, by kind."""
    kinds: dict[str, dict[str, Any]] = {
        "mask": {} if entry.mask is None else {"mask": entry.mask},
        "options": entry.options,
        "degrade": entry.degrade,
    }
    knobs = [(kind, key) for kind in kinds for key in kinds[kind]]
    if not knobs:
        raise BlindfoldError(
            "nothing differs", field=f"datasets: from {entry.source}",
            expected="options, degrade or mask", remedy=f"or only the id: {entry.source}",
        )  # fmt: skip
    series = [(kind, key) for kind, key in knobs if isinstance(kinds[kind][key], list)]
    if len(series) > 1:
        raise BlindfoldError(
            "more than one list", field=f"datasets: from {entry.source}",
            found=", ".join(key for _, key in series), expected="one series an entry",
        )  # fmt: skip
    if not series:
        kind, key = knobs[0]
        yield entry.id or f"{entry.source}-{key}-{kinds[kind][key]}".lower(), kinds
        return
    kind, key = series[0]
    for value in kinds[kind][key]:
        stem = entry.id or f"{entry.source}-{key}"
        name = f"{stem}-{value}".lower().replace(" ", "_")
        yield name, {**kinds, kind: {**kinds[kind], key: value}}

"""Report what is in a user's file, what is wrong with it, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from anndata import AnnData

from blindfold.core.blocks import numbered_blocks
from blindfold.core.datasets import DatasetCard, Repair
from blindfold.core.errors import BlindfoldError
from blindfold.prepare import geometry
from blindfold.prepare.check import check_labels
from blindfold.prepare.labels import read_labels
from blindfold.prepare.readers.h5ad import Options, layer_names, open_h5ad, read
from blindfold.prepare.reading import as_text, examples
from blindfold.prepare.select import select
from blindfold.prepare.value_check import ValueCheck, guess_normalisation

MAX_CLASSES = 200
"""Largest number of values of a column that could be labels."""

_BATCH = re.compile(r"batch|donor|patient|sample|section|slice|slide|library|replicate|chip", re.I)
_REPAIRS = [("duplicate_cells", "first"), ("duplicate_genes", "sum"), ("empty_cells", "drop")]
"""Flaws in the order in which they are found; each hides the following until it is repaired."""


@dataclass
class _Report:
    findings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def inspect(path: Path, label: str | None = None) -> tuple[list[str], list[str]]:
    """Inspect an h5ad as the preparation of a benchmark would.

    Parameters
    ----------
    path
        The file.
    label
        Column of obs that holds the labels, if any.

    Returns
    -------
    tuple of list of str
        What is in the file; and what is wrong with it, each with what to do. Where the second list
        is empty, the file can be used as it is.
    """
    report = _Report()
    try:
        layers = _layers(path)
        card = _card(path, label)
        contents = {layer: _describe(path, layer, card, report) for layer in layers}
        counts = [layer for layer, what in contents.items() if what == "counts"]
        chosen = counts[0] if counts else layers[0]
        raw = read({"cells": path}, Options(layer=chosen), card)
        _check_matrix(raw, chosen, counts, card, report, path)
        _find_columns(raw, report)
        _check_labels(raw, card, report, path)
        _check_coordinates(raw, path, report)
    except BlindfoldError as error:
        report.problems.append(str(error))
    return report.findings, report.problems


def _layers(path: Path) -> list[str]:
    """Return the names of all matrices; the one in ``X`` comes first."""
    with open_h5ad(path) as file:
        layers = layer_names(file)
    if not layers:
        raise BlindfoldError("there is no matrix", file=path, field="X, layers, raw")
    return layers


def _card(path: Path, label: str | None) -> DatasetCard:
    return DatasetCard.model_validate({
        "title": path.name, "organism": "", "tissue": "", "technology": "", "modality": "scrna",
        "paper": "", "licence": "", "reader": "h5ad", "label": label,
        "files": [{"path": path.name, "role": "cells", "local": str(path)}],
    })  # fmt: skip


def _describe(path: Path, layer: str, card: DatasetCard, report: _Report) -> str:
    """Say what a matrix holds, in words; ``counts`` where it is that."""
    raw = read({"cells": path}, Options(layer=layer), card)
    values, largest, stored, guess = ValueCheck(counts=True), 0.0, 0, None
    for rows, block in numbered_blocks(raw.X):
        values.add(block, rows.start)
        guess = guess or guess_normalisation(block)
        largest = max(largest, float(block.data.max(initial=0)))
        stored += int(np.count_nonzero(block.data))
    wrong = ", ".join(f"{count} {kind}" for kind, count in values.found.items())
    what = "counts" if not wrong else f"no counts ({guess or wrong})"
    density = stored / max(1, raw.n_obs * raw.n_vars)
    report.findings.append(
        f"{layer}: {raw.n_obs} cells x {raw.n_vars} genes, {what}, largest {largest:g}, "
        f"{density:.1%} not zero"
    )
    return what


def _check_matrix(
    raw: AnnData, chosen: str, counts: list[str], card: DatasetCard, report: _Report, path: Path
) -> None:
    """Note where the counts are, and every flaw of the matrix."""
    if counts and chosen != "X":
        report.problems.append(f"X holds no counts, {chosen} does\n  do:       say layer: {chosen}")
    everything = np.ones(raw.n_obs, dtype=bool)
    for repaired in range(len(_REPAIRS) + 1):
        repair = Repair.model_validate(dict(_REPAIRS[:repaired]))
        try:
            kept = select(raw, card.model_copy(update={"repair": repair}), everything, path)
        except BlindfoldError as error:
            if str(error) not in report.problems:
                report.problems.append(str(error))
        else:
            empty = kept.flaws.get("zero_genes", {}).get("found", 0)
            if empty:
                report.findings.append(f"{empty} genes are zero everywhere, which is allowed")
            return


def _find_columns(raw: AnnData, report: _Report) -> None:
    """Note which columns of obs could be labels or batches."""
    classes = {name: as_text(column).nunique() for name, column in raw.obs.items()}
    could = {
        str(name): number for name, number in classes.items()
        if 2 <= number <= min(MAX_CLASSES, raw.n_obs // 2)
    }  # fmt: skip
    for what, names in (
        ("labels", [name for name in could if not _BATCH.search(name)]),
        ("batches", [name for name in could if _BATCH.search(name)]),
    ):
        shown = ", ".join(f"{name} ({could[name]} values)" for name in names)
        report.findings.append(f"columns of obs that could be {what}: {shown or 'none'}")


def _check_labels(raw: AnnData, card: DatasetCard, report: _Report, path: Path) -> None:
    """Note what the label column holds."""
    if card.label is None:
        return
    name = card.label.column
    try:
        labels, _ = read_labels(raw.obs, card.label, {}, path)
        check_labels(labels[name], card, path)
    except BlindfoldError as error:
        report.problems.append(str(error))
    else:
        sizes = labels[name].value_counts()
        shown = examples([f"{value}: {size}" for value, size in sizes.items()], 6).replace("'", "")
        missing = int(labels[name].isna().sum())
        report.findings.append(
            f"label {name}: {len(sizes)} classes ({shown}), {missing} cells without"
        )


def _check_coordinates(raw: AnnData, path: Path, report: _Report) -> None:
    """Note coordinates and images, and what is wrong with them."""
    if "spatial" not in raw.obsm:
        report.findings.append("no coordinates in obsm['spatial']: single cells")
        return
    coordinates, names = raw.obsm["spatial"], [str(name) for name in raw.obs_names]
    card = _card(path, None)
    try:
        geometry.check_coordinates(coordinates, names, path)
        pitch = geometry.measure_pitch(coordinates, card, path)
        report.findings.append(f"coordinates in obsm['spatial'], median pitch {pitch:.5g}: spatial")
        geometry.count_repeated(coordinates, names, card, path)
    except BlindfoldError as error:
        report.problems.append(str(error))
    with open_h5ad(path) as file:
        images = [
            f"uns/spatial/{name}/images/{size}"
            for name, library in file.get("uns/spatial", {}).items()
            for size in library.get("images", {})
        ]
    if images:
        report.findings.append(f"image {', '.join(images)} (not used of an own file)")

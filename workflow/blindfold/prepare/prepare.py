"""Turn raw files into one standard AnnData, with its labels, in the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from blindfold.core import io
from blindfold.core.blocks import row_blocks, write_blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import Layout
from blindfold.prepare.check import check_expected
from blindfold.prepare.degrade import degrade
from blindfold.prepare.joint import join_sections
from blindfold.prepare.raw import files_of, read_raw
from blindfold.prepare.standard import StandardDataset, permute_labels, standardise


def prepare(dataset: str, card: DatasetCard, results: Layout, permute: bool = False) -> Path:
    """Write ``prepared.h5ad`` and, where the card says so, the prepared image.

    Parameters
    ----------
    dataset
        The dataset's id.
    card
        Its card.
    results
        Where the benchmark's files lie; `fetch` has been run.
    permute
        Permute the labels among the cells, for the canary; nothing else changes.

    Returns
    -------
    Path
        The prepared file, in the vault.

    Raises
    ------
    BlindfoldError
        Where a raw file is missing or flawed, or the data differ from the card.
    """
    card = card.model_copy(update={"batch": card.batch_column})
    made = _read_standardised(card, io.read_json(results.fetched(dataset)))
    if card.degrade is None:
        check_expected(made.frame, card, results.fetched(dataset))
    else:
        made = _degraded(made, card)
    if permute and card.label is not None:
        permute_labels(made.frame, [card.label.column, *card.label.more])
    if made.image is not None:
        _write_image(results.prepared_image(dataset), made.image)
    write_blocks(results.prepared(dataset), made.frame, made.blocks())
    return results.prepared(dataset)


def _read_standardised(card: DatasetCard, rows: list[dict[str, Any]]) -> StandardDataset:
    if card.sections:
        assert card.batch is not None
        return join_sections(card, rows, card.batch)
    files = files_of(card, rows)
    return standardise(read_raw(card, files), card, files)


def _degraded(made: StandardDataset, card: DatasetCard) -> StandardDataset:
    """Return the degraded dataset, its matrix in memory.

    What is lost at random depends on the title, which all steps of a robustness ladder share: each
    step loses what the step before lost and more, so that no new draw blurs the slope.
    """
    assert card.degrade is not None
    report = made.frame.uns["report"]
    frame = degrade(made.whole(), card.degrade, card, card.title)
    matrix = frame.X
    frame.X = None
    frame.uns["report"] = report
    return StandardDataset(frame, lambda: row_blocks(matrix), made.image)


def _write_image(path: Path, image: np.ndarray) -> None:

    with io.atomic(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")

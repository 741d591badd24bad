"""The hidden side of a dataset, as scoring needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.score.read import read_table


@dataclass(frozen=True)
class Truth:
    """The cells of a dataset and their hidden classes.

    Parameters
    ----------
    cells
        N anonymous cell names, in the order of the input.
    labelled
        N booleans: which cells have a class.
    codes
        Class code from 0 of each *labelled* cell.
    classes
        Class names, by code.
    """

    cells: np.ndarray
    labelled: np.ndarray
    codes: np.ndarray
    classes: list[str]

    @property
    def known(self) -> bool:
        """Whether any cell has a class."""
        return bool(self.classes)


def read_truth(results: Layout, dataset: str) -> Truth:
    """Read the hidden classes from the vault; missing and empty labels count as unlabelled.

    Raises
    ------
    BlindfoldError
        Where the table is missing, damaged, or lists a cell twice.
    """
    path = results.truth(dataset)
    table = read_table(path, ["cell"])
    cells = table["cell"].to_numpy(dtype=str)
    if len(np.unique(cells)) != len(cells):
        raise BlindfoldError("a cell is listed twice", file=path, field="cell")
    names = table["label"] if "label" in table else table["cell"].map(lambda _: None)
    names = names.astype(object).where(names.notna(), "").astype(str).to_numpy(dtype=str)
    labelled = names != ""
    classes, codes = np.unique(names[labelled], return_inverse=True)
    return Truth(cells, labelled, codes.astype(np.int64), classes.tolist())

"""The hidden classes of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout


@dataclass(frozen=True)
class Truth:
    """The cells of a dataset and their hidden classes.

    Parameters
    ----------
    cells
        N anonymous cell names, in the order of the input.
    labels
        Class name of each of the N cells; empty where a cell has none.
    """

    cells: np.ndarray
    labels: np.ndarray

    @cached_property
    def labelled(self) -> np.ndarray:
        """Which of the N cells have a class."""
        return self.labels != ""

    @cached_property
    def classes(self) -> list[str]:
        """Class names in alphabetical order; a class's position is its code."""
        return np.unique(self.labels[self.labelled]).tolist()

    @cached_property
    def codes(self) -> np.ndarray:
        """Class code of each *labelled* cell."""
        return np.searchsorted(self.classes, self.labels[self.labelled])

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
    table = io.read_parquet(path, ["cell"])
    if table["cell"].duplicated().any():
        raise BlindfoldError("a cell is listed twice", file=path, field="cell")
    labels = table["label"] if "label" in table else table["cell"].map(lambda _: None)
    labels = labels.astype(object).where(labels.notna(), "").astype(str)
    return Truth(table["cell"].to_numpy(dtype=str), labels.to_numpy(dtype=str))

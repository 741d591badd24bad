"""A figure and the files it becomes: the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from blindfold.compare.palette import QUIET
from blindfold.core import io

STYLE = Path(__file__).with_name("style.mplstyle")
_METADATA: dict[str, dict[str, None]] = {
    ".pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
}


class Drawing(NamedTuple):
    """One figure with what it was drawn from.

    Parameters
    ----------
    name
        ``<kind>`` or ``<kind>_<dataset>``.
    figure
        The figure.
    data
        The numbers in it.
    caption
        What it shows and how, in full sentences.
    """

    name: str
    figure: Figure
    data: pd.DataFrame
    caption: str


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, on no screen, with the same jitter every time."""
    state = np.random.get_state()  # seaborn knows no generator of its own
    np.random.seed(0)
    try:
        with mpl.rc_context():
            mpl.use("Agg", force=True)
            mpl.style.use(STYLE)
            yield
    finally:
        np.random.set_state(state)


def save(drawing: Drawing, folder: Path) -> None:
    """Write PDF, PNG, SVG and CSV atomically, without dates."""
    for suffix, metadata in _METADATA.items():
        with io.atomic(folder / f"{drawing.name}{suffix}") as path:
            drawing.figure.savefig(path, metadata=metadata)
    io.write_csv(folder / f"{drawing.name}.csv", drawing.data)


def footnote(figure: Figure, text: str) -> None:
    """Write a line below everything else."""
    figure.supxlabel(text, x=0.005, ha="left", fontsize=5, color=QUIET)


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """Return an empty figure of a size on paper."""
    return Figure(figsize=(width_mm / 25.4, height_mm / 25.4))

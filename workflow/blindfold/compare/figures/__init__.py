"""Figures: each is one module here with what it states and one function ``draw(data)``.

A module states ``TITLE``, ``ORDER`` on the page, and ``COLUMNS`` of the data it draws. They are
found by looking.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from blindfold.compare.columns import check_columns
from blindfold.compare.modules import find_modules
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    from blindfold.compare.drawing import Drawing


def draw_figures(results: Layout) -> None:
    """Write every figure as PDF, PNG, SVG and CSV, and ``captions.json`` beside them.

    Parameters
    ----------
    results
        The benchmark's files.

    Raises
    ------
    BlindfoldError
        Where the plan, a table or a dataset is missing or damaged, or a figure draws other
        columns than it states.
    """
    from blindfold.compare.drawing import footnote, house_style, save
    from blindfold.compare.figure_data import read_figure_data
    from blindfold.core import io
    from blindfold.core.log import log

    data = read_figure_data(results)
    captions = []
    with house_style():
        for kind, module in find_figures().items():
            for drawing in module.draw(data):
                check_columns(f"figure {drawing.name!r}", drawing.data, module.COLUMNS)
                footnote(drawing.figure, data.marks())
                save(drawing, results.figures)
                log.info("figure %s", drawing.name)
                captions.append(caption(kind, module, drawing, data.marks()))
    io.write_json(results.figures / "captions.json", captions)


def caption(kind: str, module: ModuleType, drawing: Drawing, marks: str) -> dict[str, str]:
    """Return what the page says of a figure."""
    told = f"{drawing.caption} Marks behind names: {marks.replace('   ', ', ')}."
    return {"name": drawing.name, "kind": kind, "title": module.TITLE, "caption": told}


def find_figures() -> dict[str, ModuleType]:
    """Return every kind of figure by name, in the order of the page.

    Raises
    ------
    BlindfoldError
        Where a module does not state what it must.
    """
    return find_modules(__name__, __path__, "figure", ("TITLE", "ORDER", "COLUMNS", "draw"))

"""Figures: each is one module here with one function ``draw(data)``; found by looking."""

from __future__ import annotations

import importlib
import pkgutil

from blindfold.core.layout import Layout


def draw_figures(results: Layout) -> None:
    """Write every figure as PDF, PNG, SVG and CSV, and ``captions.json`` beside them.

    Parameters
    ----------
    results
        The benchmark's files.

    Raises
    ------
    BlindfoldError
        Where the plan, a table or a dataset is missing or damaged.
    """
    from blindfold.compare.drawing import house_style, save
    from blindfold.compare.figure_data import read_figure_data
    from blindfold.core import io
    from blindfold.core.log import log

    data = read_figure_data(results)
    captions = []
    with house_style():
        for kind in find_figures():
            for drawing in importlib.import_module(f"{__name__}.{kind}").draw(data):
                save(drawing, results.figures)
                log.info("figure %s", drawing.name)
                captions.append({"name": drawing.name, "kind": kind, "caption": drawing.caption})
    io.write_json(results.figures / "captions.json", captions)


def find_figures() -> list[str]:
    """Return the kinds of figures there are."""
    return sorted(entry.name for entry in pkgutil.iter_modules(__path__))

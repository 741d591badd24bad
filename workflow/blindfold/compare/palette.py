"""Colours of methods and of classes by a rule; told apart by the colour-blind."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from blindfold.core.methods import split_variant

PAGE_MM = 174.0
COLUMN_MM = 85.0

INK = "#222222"
QUIET = "#757575"
FAINT = "#ececec"
FAILURE = "#b5332e"
UNLABELLED = "#dddddd"
VALUES = "YlGnBu"

# Okabe & Ito (2008) and Tol (2021), "muted" and "bright"; darker tones for small marks.
_CLASSES = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#e69f00", "#332288",
    "#44aa99", "#661100", "#999933", "#cc79a7", "#882255", "#88ccee", "#117733", "#ddcc77",
    "#6699cc", "#aa4466", "#d55e00", "#555555",
]  # fmt: skip
_MARKERS = "osD^vP<>Xhp"
_GREYS = ["#9a9a9a", "#6d6d6d", "#454545"]


MARKS = {"matches code": "", "described only": "†", "reconstruction": "‡", "package": "*",
         "baseline": "°"}  # fmt: skip
"""What stands behind a method's name in figures, by its fidelity."""


def method_colours(methods: Iterable[str], controls: Iterable[str]) -> dict[str, str]:
    """Return the colour of each method of a benchmark.

    Each takes the colour that its name asks for, or where that is taken the next free one, in
    alphabetical order: so a method mostly looks alike in all benchmarks, and no two in one share a
    colour while there are enough. Controls are grey.
    """
    controls = sorted(controls)
    colours = {name: _GREYS[index % len(_GREYS)] for index, name in enumerate(controls)}
    free = list(_CLASSES)
    for name in sorted(set(methods) - set(controls)):
        free = free or list(_CLASSES)
        wanted = zlib.crc32(name.encode()) % len(_CLASSES)
        after = [*_CLASSES[wanted:], *_CLASSES[:wanted]]
        colours[name] = next(colour for colour in after if colour in free)
        free.remove(colours[name])
    return colours


def method_style(name: str, colours: dict[str, str]) -> dict[str, Any]:
    """Return marker and colours of a method by its display name.

    The marker changes with the place in the alphabet, so that colour is never the only
    difference; hollow for variants other than the default one.
    """
    method, hollow = split_variant(name)[0], "@" in name
    colour = colours[method]
    return {
        "marker": _MARKERS[sorted(colours).index(method) % len(_MARKERS)],
        "mfc": "white" if hollow else colour,
        "mec": colour if hollow else "white",
        "mew": 1 if hollow else 0.4,
    }


def class_colour(index: int) -> str:
    """Return the colour of a class by its position; after 20 they repeat."""
    return _CLASSES[index % len(_CLASSES)]

"""Colours of methods by name and of classes by position; told apart by the colour-blind."""

from __future__ import annotations

import zlib
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

# Okabe & Ito (2008) and Tol (2021), "muted", "bright" and "light"; darker tones for small marks.
_METHODS = {
    "pca_kmeans": "#e69f00",
    "pca_leiden": "#882255",
    "pca_gmm": "#999933",
    "smoothed_pca_kmeans": "#009e73",
    "sctag": "#0072b2",
    "graphst": "#d55e00",
    "random_labels": "#9a9a9a",
    "coordinates_kmeans": "#6d6d6d",
    "depth_kmeans": "#454545",
    "stagate": "#ee6677",
    "smoothed_pca_gmm": "#44aa99",
    "spatial_leiden": "#332288",
    "potts_kmeans": "#661100",
    "banksy": "#117733",
    "scrcl": "#56b4e9",
    "scgnn": "#cc79a7",
    "graphcvae": "#aa7700",
    "stmfg": "#aa4499",
    "spatial_mgcn": "#6699cc",
    "multist": "#228833",
    "gene_mean": "#ccbb44",
    "neighbour_mean": "#4477aa",
    "diffusion": "#aa4466",
    "gae": "#77aadd",
    "vgae": "#ee8866",
    "dgi": "#ffaabb",
    "graphmae": "#aaaa00",
}
_OTHER_METHODS = ["#88ccee", "#ddcc77", "#66ccee", "#aa3377", "#bbcc33"]

_CLASSES = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#e69f00", "#332288",
    "#44aa99", "#661100", "#999933", "#cc79a7", "#882255", "#88ccee", "#117733", "#ddcc77",
    "#6699cc", "#aa4466", "#d55e00", "#555555",
]  # fmt: skip
_MARKERS = "osD^vP<>Xhp"


def method_colour(name: str) -> str:
    """Return the colour of a method, the same in every figure of every benchmark."""
    return _METHODS.get(name) or _OTHER_METHODS[_hash(name) % len(_OTHER_METHODS)]


def method_marker(name: str) -> str:
    """Return the marker of a method, so that colour is never the only difference."""
    known = list(_METHODS)
    index = known.index(name) if name in known else _hash(name)
    return _MARKERS[index % len(_MARKERS)]


def method_style(name: str) -> dict[str, Any]:
    """Return marker and colours of a method by its display name.

    Hollow for variants other than the default one.
    """
    method, hollow = split_variant(name)[0], "@" in name
    colour = method_colour(method)
    return {
        "marker": method_marker(method),
        "mfc": "white" if hollow else colour,
        "mec": colour if hollow else "white",
        "mew": 1 if hollow else 0.4,
    }


def class_colour(index: int) -> str:
    """Return the colour of a class by its position; after 20 they repeat."""
    return _CLASSES[index % len(_CLASSES)]


def _hash(name: str) -> int:
    return zlib.crc32(name.encode())

"""Tissue domains where they lie: truth against methods."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection

from blindfold.compare.columns import Column
from blindfold.compare.drawing import Drawing
from blindfold.compare.figure_data import ColouredPartition, FigureData
from blindfold.compare.panels import draw_maps
from blindfold.compare.representative_run import list_seeds

TITLE, ORDER = "Domains where they lie", 60
COLUMNS = {
    "cell": Column("name of the spot"),
    "x": Column("its position"),
    "y": Column("its position, downwards"),
    "truth": Column("its domain; empty where it has none"),
    "<method> seed <n>": Column("cluster of the cell in the run that is shown"),
    "<method> matched": Column("class that this cluster is matched to; empty where there is none"),
}
_CAPTION = (
    "Spots of {dataset} where they lie, each as wide as the spacing of spots. Each method is "
    "shown by its seed of median ARI (k: {k}; {seeds}); clusters are coloured by the domain "
    "they are matched to (optimal assignment), clusters beyond the number of domains in further "
    "colours. Methods in the order of their rank; controls are left out."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield one figure per dataset with coordinates."""
    for dataset in data.datasets:
        adata = data.expression(dataset)
        if "spatial" not in adata.obsm:
            continue
        xy = np.asarray(adata.obsm["spatial"], dtype=float)
        pitch = adata.uns.get("blindfold", {}).get("pitch") or nearest_distance(xy)
        width, height = np.ptp(xy, axis=0) + pitch

        paint = partial(paint_spots, xy=xy, pitch=float(pitch))
        aspect = float(np.clip(height / width, 0.05, 1.6))
        # sections side by side are wide
        columns = int(np.searchsorted([0.15, 0.4, 1 / 1.6], aspect)) + 1
        figure, cells = draw_maps(data, dataset, paint, aspect, columns)
        cells.insert(1, "x", xy[:, 0])
        cells.insert(2, "y", xy[:, 1])
        seeds = list_seeds(data.representative_runs(dataset))
        caption = _CAPTION.format(dataset=dataset, k=data.k(dataset), seeds=seeds)
        yield Drawing(f"spatial_{dataset}", figure, cells, caption)


def paint_spots(ax: Axes, partition: ColouredPartition, xy: np.ndarray, pitch: float) -> None:
    """Draw spots as discs of one pitch, y downwards as in the image, axes in equal units."""
    size = np.full(len(xy), pitch)
    spots = EllipseCollection(
        size, size, np.zeros(len(xy)), units="xy", offsets=xy, offset_transform=ax.transData,
        facecolors=partition.cell_colours, linewidths=0, rasterized=True,
    )  # fmt: skip
    ax.add_collection(spots)
    ax.set_xlim(xy[:, 0].min() - pitch, xy[:, 0].max() + pitch)
    ax.set_ylim(xy[:, 1].max() + pitch, xy[:, 1].min() - pitch)
    ax.set_aspect("equal", anchor="NW")


def nearest_distance(xy: np.ndarray) -> float:
    """Return the median distance to the nearest neighbour."""
    from scipy.spatial import cKDTree

    return float(np.median(cKDTree(xy).query(xy, k=2)[0][:, 1]))

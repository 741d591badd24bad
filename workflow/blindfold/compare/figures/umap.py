"""Cells in one shared UMAP: truth against methods."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from blindfold.compare.drawing import Drawing
from blindfold.compare.panels import draw_maps, scattered
from blindfold.compare.shown import seeds
from blindfold.compare.view import Partition, View

_CAPTION = (
    "UMAP of {dataset} from 50 principal components of the log-normalised counts of the "
    "2,000 most variable genes (all, where there are fewer): one layout for all panels, made "
    "without any method. Each method is shown by its seed of median ARI (k: {k}; {seeds}); "
    "clusters are coloured by the class they are matched to (optimal assignment), clusters beyond "
    "the number of classes in further colours. Methods in the order of rank, without controls."
)


def draw(view: View) -> Iterator[Drawing]:
    """Yield one figure per dataset."""
    for dataset in view.datasets:
        xy = layout(view, dataset)
        paint = partial(paint_cells, xy=xy)
        figure, data = draw_maps(view, dataset, paint, aspect=0.92)
        data.insert(1, "umap_1", xy[:, 0])
        data.insert(2, "umap_2", xy[:, 1])
        caption = _CAPTION.format(
            dataset=dataset, k=view.k(dataset), seeds=seeds(view.shown(dataset))
        )
        yield Drawing(f"umap_{dataset}", figure, data, caption)


def paint_cells(ax: Axes, partition: Partition, xy: np.ndarray) -> None:
    """Draw cells as dots, in a shuffled order so that no class is always on top."""
    order = scattered(len(xy))
    colours = np.array(partition.cell_colours)[order]
    size = float(np.clip(3000 / len(xy), 0.2, 5))
    ax.scatter(xy[order, 0], xy[order, 1], s=size, c=colours, linewidths=0, rasterized=True)


def layout(view: View, dataset: str) -> np.ndarray:
    """Return the N x 2 UMAP of a dataset, the same for all methods."""
    import scanpy

    data = view.expression(dataset).copy()
    if data.n_vars > 2000:
        scanpy.pp.highly_variable_genes(data, n_top_genes=2000, subset=True)
    scanpy.pp.pca(data, n_comps=min(50, data.n_obs - 1, data.n_vars - 1), random_state=0)
    scanpy.pp.neighbors(data, n_neighbors=min(15, data.n_obs - 1), random_state=0)
    scanpy.tl.umap(data, random_state=0)
    return np.asarray(data.obsm["X_umap"], dtype=float)

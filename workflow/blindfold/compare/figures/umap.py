"""Cells in one shared UMAP: truth against methods."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes

from blindfold.compare.columns import Column
from blindfold.compare.drawing import Drawing
from blindfold.compare.figure_data import ColouredPartition, FigureData
from blindfold.compare.panels import draw_maps, shuffled_order
from blindfold.compare.representative_run import list_seeds

TITLE, ORDER = "Cells in one layout", 70
COLUMNS = {
    "cell": Column("name of the cell"),
    "umap_1": Column("its position"),
    "umap_2": Column("its position"),
    "truth": Column("its class; empty where it has none"),
    "<method> seed <n>": Column("cluster of the cell in the run that is shown"),
    "<method> matched": Column("class that this cluster is matched to; empty where there is none"),
}
_CAPTION = (
    "UMAP of {dataset} from 50 principal components of the log-normalised counts of the "
    "2,000 most variable genes (all, where there are fewer): one layout for all panels, made "
    "without any method. Each method is shown by its seed of median ARI (k: {k}; {seeds}); "
    "clusters are coloured by the class they are matched to (optimal assignment), clusters beyond "
    "the number of classes in further colours. Methods in the order of rank, without controls."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield one figure per dataset."""
    for dataset in data.datasets:
        xy = umap_layout(data, dataset)
        paint = partial(paint_cells, xy=xy)
        figure, cells = draw_maps(data, dataset, paint, aspect=0.92)
        cells.insert(1, "umap_1", xy[:, 0])
        cells.insert(2, "umap_2", xy[:, 1])
        seeds = list_seeds(data.representative_runs(dataset))
        caption = _CAPTION.format(dataset=dataset, k=data.k(dataset), seeds=seeds)
        yield Drawing(f"umap_{dataset}", figure, cells, caption)


def paint_cells(ax: Axes, partition: ColouredPartition, xy: np.ndarray) -> None:
    """Draw cells as dots, in a shuffled order so that no class is always on top."""
    order = shuffled_order(len(xy))
    colours = np.array(partition.cell_colours)[order]
    size = float(np.clip(3000 / len(xy), 0.2, 5))
    ax.scatter(xy[order, 0], xy[order, 1], s=size, c=colours, linewidths=0, rasterized=True)


def umap_layout(data: FigureData, dataset: str) -> np.ndarray:
    """Return the N x 2 UMAP of a dataset, the same for all methods."""
    import scanpy

    adata = data.expression(dataset).copy()
    if adata.n_vars > 2000:
        scanpy.pp.highly_variable_genes(adata, n_top_genes=2000, subset=True)
    scanpy.pp.pca(adata, n_comps=min(50, adata.n_obs - 1, adata.n_vars - 1), random_state=0)
    scanpy.pp.neighbors(adata, n_neighbors=min(15, adata.n_obs - 1), random_state=0)
    scanpy.tl.umap(adata, random_state=0)
    return np.asarray(adata.obsm["X_umap"], dtype=float)

"""The skeleton of `fit` for generic methods: components and their graph in, k-means out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.graphs.components import ComponentGraph, component_graph
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import Trained


class GenericModel(Trained, Protocol):
    """A network on one set of cells, with what trains it and what comes of it."""

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """What trains it."""

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Return the losses of an epoch by name."""

    def embedding(self) -> np.ndarray:
        """Embed all cells."""


def fit_on_components(
    data: Data,
    params: Params,
    job: Job,
    build: Callable[[ComponentGraph, Params, Job], GenericModel],
) -> Result:
    """
    Train a model on the graph of all cells and run k-means on its embedding.

    Parameters
    ----------
    data, params, job
        What `fit` gets; the parameters say how many components and neighbours there are.
    build
        Makes the model.
    """
    check_data(data, job)
    reduced = (params.n_genes, params.n_components)
    nearest = (params.n_neighbors, params.n_spatial_neighbors)
    graph = component_graph(data, *reduced, *nearest, job.device)
    model = build(graph, params, job)

    def head() -> Result:
        found = kmeans_result(model.embedding(), job, params.k_rule, params.kmeans_starts)
        found.notes |= graph.notes
        return found

    phases = [Phase(model.optimiser, model.step, params.epochs)]
    return train_and_cluster(model, job, params.epochs, phases, head)

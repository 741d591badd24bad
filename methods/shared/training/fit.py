"""The skeleton of a method's `fit`: check, train in phases, cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import torch

from methods.contract import Data, Job, Result
from methods.shared.clustering.kmeans import check_clusters
from methods.shared.training.loop import Step, Trained, Training


class Phase(NamedTuple):
    """Epochs with one optimiser."""

    optimiser: torch.optim.Optimizer
    step: Step
    epochs: int


def check_data(data: Data, job: Job, spatial_method: str | None = None) -> None:
    """
    Refuse data that cannot be clustered as asked, before anything is computed.

    Parameters
    ----------
    data, job
        What `fit` gets.
    spatial_method
        Name of a method that needs coordinates.

    Raises
    ------
    ValueError
        Where coordinates are missing, or where more clusters than cells are asked for.
    """
    if spatial_method is not None:
        data.required_coordinates(spatial_method)
    if job.n_clusters is not None:
        check_clusters(job.n_clusters, data.n_cells)


def train_and_cluster(
    model: Trained,
    job: Job,
    epochs: int,
    phases: Iterable[Phase],
    head: Callable[[], Result],
    start: np.ndarray | None = None,
) -> Result:
    """
    Train a model phase by phase and cluster what it has learnt.

    Parameters
    ----------
    model
        Its state is kept in the checkpoint.
    job
        Seed, snapshots, progress and checkpoint.
    epochs
        Epochs of all phases together.
    phases
        Asked for one after the other, so that a phase can start from what the last one left.
    head
        Clusters, embedding and notes of the present state. It must take its randomness from a
        fresh `random_stream`, so that calling it for a snapshot changes nothing that follows.
    start
        Partition that training begins with, where there is one.

    Returns
    -------
    What `head` says at the end, with snapshots and trace.
    """
    training = Training(job, epochs, lambda: head().clusters, model)
    if start is not None:
        training.snapshots.append((0, start))
    for phase in phases:
        training.run(*phase)
    final = head()
    assert final.embedding is not None
    return training.result(final.clusters, final.embedding, final.notes)

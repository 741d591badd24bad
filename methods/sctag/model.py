"""scTAG: topology-adaptive graph autoencoder with a ZINB decoder, then self-training.

Yu et al., AAAI 2022, doi 10.1609/aaai.v36i4.20392.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import number_of_clusters
from methods.shared.clustering.spectral import spectral_partition
from methods.shared.graphs.weights import adjacency, row_normalized
from methods.shared.losses.self_training import mean_kl, sharpened_target, student_assignments
from methods.shared.nn.sparse import SparseMatrix
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import fused_adam
from methods.shared.training.seeding import random_stream, torch_stream

from .inputs import Inputs, prepare, zinb_target
from .losses import GraphLoss
from .network import WEIGHTS, Features, Network


class Model:
    """The two training phases around one network."""

    CHANGES = ("network", "graph_loss.generator", "centres", "wanted", "stale")

    def __init__(self, inputs: Inputs, params: Params, job: Job) -> None:
        device, n = job.device, len(inputs.neighbours)
        self.params, self.job = params, job
        self.graph = SparseMatrix(row_normalized(adjacency(inputs.neighbours, itself=True)), device)
        offset = torch.as_tensor(inputs.scaled.offset, dtype=torch.float32, device=device)
        self.features = Features(SparseMatrix(inputs.scaled.sparse, device), offset)
        self.target = zinb_target(inputs, params.zinb_target, device)
        neighbours = np.column_stack([np.arange(n), inputs.neighbours])
        self.graph_loss = GraphLoss(
            torch.as_tensor(neighbours, device=device),
            params.exact_graph_up_to,
            torch_stream(job.seed, "pairs"),
        )
        generator = torch_stream(job.seed, "weights")
        self.network = Network(len(offset), params, generator).to(device)
        self.centres: Tensor | None = None
        self.wanted: Tensor | None = None
        self.stale: np.ndarray | None = None

    def encode(self) -> Tensor:
        """Embed all cells."""
        return self.network.encode(self.features, self.graph)

    def pretrain_step(self, epoch: int) -> dict[str, Tensor]:
        """Reconstruct graph and expression."""
        return self.network.reconstruction(self.encode(), self.target, self.graph_loss)

    def cluster_step(self, epoch: int) -> dict[str, Tensor]:
        """Reconstruct and sharpen the assignments towards a target kept for some steps."""
        z = self.encode()
        assert self.centres is not None
        q = student_assignments(z, self.centres)
        if self.wanted is None or epoch % self.params.refresh == 0:
            self.wanted = sharpened_target(q.detach())
            self.stale = q.detach().argmax(dim=1).cpu().numpy()
        p = self.wanted
        divergence = mean_kl(p, q) if self.params.kl == "pq" else mean_kl(q, p)
        losses = self.network.reconstruction(z, self.target, self.graph_loss)
        return {**losses, "clustering": WEIGHTS["clustering"] * divergence}

    def class_means(self, labels: np.ndarray, n_clusters: int) -> Tensor:
        """Centre every class; a class without cells starts at the cell farthest from its own."""
        with torch.no_grad():
            z = self.encode().cpu().double().numpy()
        found = int(labels.max()) + 1
        centres = [z[labels == k].mean(axis=0) for k in range(found)]
        distance = np.linalg.norm(z - np.stack(centres)[labels], axis=1)
        farthest = np.argsort(-distance, kind="stable")[: n_clusters - found]
        centres += list(z[farthest])
        return torch.as_tensor(np.stack(centres), dtype=torch.float32, device=self.job.device)

    def clusters(self, start: np.ndarray, n_clusters: int) -> np.ndarray:
        """Assign cells; before the clustering phase, to the class means of the start."""
        if self.params.stale_labels and self.stale is not None:
            return self.stale
        with torch.no_grad():
            centres = self.centres
            if centres is None:
                centres = self.class_means(start, n_clusters)
            return student_assignments(self.encode(), centres).argmax(dim=1).cpu().numpy()


def loss_over_no_edges(
    trace: list[dict[str, float]], n_cells: int, n_neighbors: int
) -> dict[str, float]:
    """
    Compare the graph loss that ends each phase with that of predicting no edge at all.

    Parameters
    ----------
    trace
        Losses of every epoch.
    n_cells, n_neighbors
        Size of the graph, each cell its own neighbour: no edges at all cost n_neighbors / n_cells.

    Returns
    -------
    By phase the mean ratio of its last 20 epochs; 1 says that the decoder has collapsed.
    """
    phases = {
        "pretraining": [row["graph"] for row in trace if "clustering" not in row],
        "clustering": [row["graph"] for row in trace if "clustering" in row],
    }
    unit = WEIGHTS["graph"] * n_neighbors / n_cells
    return {name: float(np.mean(values[-20:])) / unit for name, values in phases.items()}


def fit(data: Data, params: Params, job: Job) -> Result:
    """Pretrain, start from spectral classes of the neighbour graph, self-train."""
    check_data(data, job)
    inputs = prepare(data.counts, params)
    directed = adjacency(inputs.neighbours)
    affinity = (directed + directed.T).tocsr() / 2
    n_clusters, number = number_of_clusters(inputs.components, job, params.k_rule, affinity)
    start = spectral_partition(affinity, n_clusters, random_stream(job.seed, "spectral"))
    model = Model(inputs, params, job)

    def phases() -> Iterator[Phase]:
        weights = list(model.network.parameters())
        yield Phase(fused_adam(weights, 1e-4), model.pretrain_step, params.epochs)
        centres = model.class_means(start, n_clusters)
        model.centres = centres.requires_grad_(params.train_centres)
        trained = [*weights, centres] if params.train_centres else weights
        yield Phase(fused_adam(trained, 5e-4), model.cluster_step, params.cluster_epochs)

    def head() -> Result:
        with torch.no_grad():
            z = model.encode().cpu().numpy()
        return Result(model.clusters(start, n_clusters), z, notes=number)

    epochs = params.epochs + params.cluster_epochs
    result = train_and_cluster(model, job, epochs, phases(), head, start)
    degree = inputs.neighbours.shape[1] + 1
    result.notes = {
        **number,
        "graph_loss": "exact" if model.graph_loss.exact else "sampled",
        "spectral_classes": int(start.max()) + 1,
        "graph_loss_over_no_edges": loss_over_no_edges(list(result.trace), data.n_cells, degree),
    }
    return result

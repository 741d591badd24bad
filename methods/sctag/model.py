"""scTAG: topology-adaptive graph autoencoder with a ZINB decoder, then self-training.

Yu et al., AAAI 2022, doi 10.1609/aaai.v36i4.20392.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from methods.contract import Data, Job, Params, Result
from methods.sctag.layers import Features, TagConv, glorot_linear
from methods.sctag.losses import GraphLoss
from methods.shared.clustering.kmeans import check_clusters
from methods.shared.clustering.n_clusters import number_of_clusters
from methods.shared.clustering.spectral import spectral_partition
from methods.shared.expression.counts import (
    Scaled,
    expressed_genes,
    log1p,
    scale_to_total,
    take_genes,
    zscores,
)
from methods.shared.expression.hvg import seurat_genes
from methods.shared.expression.pca import principal_components
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.weights import adjacency, row_normalized
from methods.shared.losses.self_training import mean_kl, sharpened_target, student_assignments
from methods.shared.losses.zinb import ZinbTarget, zinb_heads
from methods.shared.nn.layers import glorot
from methods.shared.nn.sparse import SparseMatrix
from methods.shared.training.loop import Training, fused_adam
from methods.shared.training.seeding import random_stream, torch_stream

WEIGHTS = {"graph": 0.3, "zinb": 1.0, "clustering": 1.5}


class Inputs(NamedTuple):
    """What the network sees."""

    scaled: Scaled  # z-scores of the variable genes
    counts: sp.csr_matrix  # their raw counts
    size_factors: np.ndarray
    neighbours: np.ndarray  # cells x k, the cell itself left out
    components: np.ndarray  # in which they are near, cells x d


def prepare(counts: sp.csr_matrix, params: Params) -> Inputs:
    """Normalise to the median library, choose genes, z-score and find neighbours."""
    expressed = expressed_genes(counts)
    normalised, size_factors = scale_to_total(take_genes(counts, expressed), None)
    chosen = seurat_genes(normalised, params.n_genes)
    scaled = zscores(take_genes(log1p(normalised), chosen))
    components = principal_components(scaled.sparse, params.n_components)
    neighbours, _ = feature_knn(components, params.n_neighbors - 1)
    counts = take_genes(counts, expressed[chosen])
    return Inputs(scaled, counts, size_factors, neighbours, components)


def zinb_target(inputs: Inputs, kind: str, device: str) -> ZinbTarget:
    """Use raw counts with size factors, or as released the z-scores, negative ones as zeros."""
    if kind == "counts":
        return ZinbTarget(inputs.counts, inputs.size_factors, device)
    positive = inputs.scaled.sparse.copy()
    positive.data += inputs.scaled.offset[positive.indices].astype(np.float32)
    np.maximum(positive.data, 0, out=positive.data)
    return ZinbTarget(positive, None, device)


class Network(nn.Module):
    """Encoder to 15 dimensions, graph decoder and expression decoder."""

    def __init__(self, n_genes: int, params: Params, generator: torch.Generator) -> None:
        super().__init__()
        repeat = params.hops == "repeat"
        self.first = TagConv(n_genes, 128, params.n_hops, repeat, generator)
        self.second = TagConv(128, 15, params.n_hops, repeat, generator)
        self.to_graph = glorot_linear(15, 32, generator)
        self.bilinear = glorot(32, 32, generator=generator)
        widths = [15, 128, 256, 512]
        layers = [glorot_linear(i, o, generator) for i, o in pairwise(widths)]
        self.decoder = nn.ModuleList(layers)
        self.head_weight = glorot(3, n_genes, widths[-1], generator=generator)
        self.head_bias = nn.Parameter(torch.zeros(3, n_genes))

    def encode(self, features: Features, graph: SparseMatrix) -> Tensor:
        """Embed cells, cells x 15."""
        return self.second(torch.relu(self.first(features, graph)), graph)

    def reconstruction(
        self, z: Tensor, target: ZinbTarget, graph_loss: GraphLoss
    ) -> dict[str, Tensor]:
        """Weighted losses of both decoders."""
        h = self.to_graph(z)
        hidden = z
        for layer in self.decoder:
            hidden = torch.relu(layer(hidden))
        zinb = zinb_heads(hidden, self.head_weight, self.head_bias, target)
        graph = graph_loss(h @ self.bilinear, h)
        return {"graph": WEIGHTS["graph"] * graph, "zinb": WEIGHTS["zinb"] * zinb}


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
    if job.n_clusters is not None:
        check_clusters(job.n_clusters, data.n_cells)
    inputs = prepare(data.counts, params)
    directed = adjacency(inputs.neighbours)
    affinity = (directed + directed.T).tocsr() / 2
    n_clusters, number = number_of_clusters(inputs.components, job, params.k_rule, affinity)
    start = spectral_partition(affinity, n_clusters, random_stream(job.seed, "spectral"))
    model = Model(inputs, params, job)
    epochs = params.epochs + params.cluster_epochs
    training = Training(job, epochs, lambda: model.clusters(start, n_clusters), model)
    training.snapshots.append((0, start))
    weights = list(model.network.parameters())
    training.run(fused_adam(weights, 1e-4), model.pretrain_step, params.epochs)
    centres = model.class_means(start, n_clusters)
    model.centres = centres.requires_grad_(params.train_centres)
    trained = [*weights, centres] if params.train_centres else weights
    training.run(fused_adam(trained, 5e-4), model.cluster_step, params.cluster_epochs)
    with torch.no_grad():
        z = model.encode().cpu().numpy()
    notes = {
        **number,
        "graph_loss": "exact" if model.graph_loss.exact else "sampled",
        "spectral_classes": int(start.max()) + 1,
        "graph_loss_over_no_edges": loss_over_no_edges(
            training.trace, data.n_cells, inputs.neighbours.shape[1] + 1
        ),
    }
    return training.result(model.clusters(start, n_clusters), z, notes)

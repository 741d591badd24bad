"""GraphST: linear graph autoencoder with local-summary contrastive learning (clustering).

Long et al., Nature Communications 14, 1155 (2023), doi 10.1038/s41467-023-36796-3.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import mixture_result
from methods.shared.clustering.kmeans import check_clusters
from methods.shared.expression.counts import log1p, scale_to_total, take_genes, unit_variance
from methods.shared.expression.hvg import seurat_v3_genes
from methods.shared.graphs.neighbors import spatial_knn
from methods.shared.graphs.sections import section_vote
from methods.shared.graphs.weights import (
    adjacency,
    normalized_adjacency,
    row_normalized,
    symmetrized,
)
from methods.shared.losses.gram import gram_mse
from methods.shared.nn.layers import glorot
from methods.shared.nn.sparse import SparseMatrix
from methods.shared.training.loop import Training, fused_adam
from methods.shared.training.seeding import torch_stream


def prepare(counts: sp.csr_matrix, n_genes: int) -> sp.csr_matrix:
    """Choose genes on raw counts, normalise, log and scale without centring; stays sparse."""
    chosen = seurat_v3_genes(counts, n_genes)
    logged = log1p(scale_to_total(counts, 1e4)[0])
    return unit_variance(take_genes(logged, chosen), clip=10.0)


def propagation(neighbours: np.ndarray, kind: str) -> sp.csr_matrix:
    """
    Normalise the symmetrised graph.

    Parameters
    ----------
    neighbours
        spots x k.
    kind
        ``visium``: D^-1/2 A D^-1/2 + I, the identity added afterwards; ``standard``: the same
        with A + I inside.
    """
    graph = symmetrized(adjacency(neighbours))
    identity = sp.eye_array(graph.shape[0], dtype=np.float32, format="csr")
    if kind == "visium":
        return sp.csr_matrix(normalized_adjacency(graph) + identity)
    return normalized_adjacency(sp.csr_matrix(graph + identity))


class Network(nn.Module):
    """Linear encoder and decoder around the graph, and the bilinear discriminator."""

    def __init__(self, n_genes: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = glorot(n_genes, width, generator=generator)
        self.decoder = glorot(width, n_genes, generator=generator)
        fans = (width * width, width)  # as torch counts them for a 1 x d x d bilinear form
        self.bilinear = glorot(width, width, generator=generator, scale=fans)
        self.bias = nn.Parameter(torch.zeros(()))


class Model:
    """One network on one tissue."""

    CHANGES = ("network", "shuffles")

    def __init__(self, features: sp.csr_matrix, neighbours: np.ndarray, params: Params, job: Job):
        device = job.device
        self.params = params
        self.features = SparseMatrix(features, device)
        self.square = float((features.data.astype(np.float64) ** 2).sum())
        self.graph = SparseMatrix(propagation(neighbours, params.adjacency), device)
        self.readout = SparseMatrix(row_normalized(adjacency(neighbours, itself=True)), device)
        generator = torch_stream(job.seed, "weights")
        self.network = Network(features.shape[1], params.width, generator).to(device)
        self.shuffles = torch_stream(job.seed, "corruption")

    def latent(self) -> Tensor:
        """Return the graph-smoothed latent before decoding, Y = A A X W, spots x d."""
        return self.graph @ (self.graph @ (self.features @ self.network.encoder))

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Reconstruct, and tell each spot's own surroundings from those of shuffled spots."""
        projected = self.features @ self.network.encoder
        order = torch.randperm(len(projected), generator=self.shuffles).to(projected.device)
        width = projected.shape[1]
        both = self.graph @ torch.cat([projected, projected[order]], dim=1)
        mse = gram_mse(
            self.graph @ both[:, :width], self.network.decoder, self.features, self.square
        )
        contrast = self.contrast(torch.relu(both))
        return {"reconstruction": self.params.alpha * mse, "contrast": contrast}

    def contrast(self, both: Tensor) -> Tensor:
        """
        Sum the two discriminator losses.

        Parameters
        ----------
        both
            Rectified embeddings of the tissue and of its corruption side by side, spots x 2d.
        """
        width = both.shape[1] // 2
        summary = self.readout @ both
        own, other = both[:, :width], both[:, width:]
        g = torch.sigmoid(normalize(summary[:, :width], dim=1)) @ self.network.bilinear.T
        g_other = torch.sigmoid(normalize(summary[:, width:], dim=1)) @ self.network.bilinear.T
        bias = self.network.bias
        logits = [torch.linalg.vecdot(e, s) + bias for s in (g, g_other) for e in (own, other)]
        # cross entropy of a positive logit is softplus(-l), of a negative one softplus(l)
        signs = (-1.0, 1.0, 1.0, -1.0)
        terms = [softplus(sign * logit).mean() for sign, logit in zip(signs, logits, strict=True)]
        return 0.5 * torch.stack(terms).sum()

    def components(self, count: int) -> np.ndarray:
        """
        Project the reconstruction on its principal components without forming it.

        With L L^T = W W^T (Cholesky), H = Y W and Y L have the same scores up to sign.
        """
        with torch.no_grad():
            y = self.latent().cpu().double().numpy()
            decoder = self.network.decoder.cpu().double().numpy()
        gram = decoder @ decoder.T
        gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram) / len(gram)
        compact = y @ np.linalg.cholesky(gram)
        if self.params.unit_rows:
            length = np.linalg.norm(compact, axis=1, keepdims=True)
            compact = compact / np.where(length > 0, length, 1.0)
        compact -= compact.mean(axis=0)
        u, s, _ = np.linalg.svd(compact, full_matrices=False)
        u *= np.sign(u[np.abs(u).argmax(axis=0), np.arange(u.shape[1])])
        return (u * s)[:, :count]


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train, reduce the reconstruction to 20 components and fit the mixture."""
    if data.coordinates is None:
        raise ValueError("coordinates: none given; GraphST runs on spatial data only")
    if job.n_clusters is not None:
        check_clusters(job.n_clusters, data.n_cells)
    place = (data.coordinates, params.refine, data.pitch, data.batch)
    neighbours = spatial_knn(data.coordinates, params.n_neighbors, data.pitch)
    model = Model(prepare(data.counts, params.n_genes), neighbours, params, job)

    def head() -> Result:
        components = model.components(params.n_components)
        found = mixture_result(components, job, params.k_rule, params.kmeans_starts)
        found.clusters = section_vote(found.clusters, *place)
        return found

    training = Training(job, params.epochs, lambda: head().clusters, model)
    training.run(fused_adam(list(model.network.parameters()), 1e-3), model.step, params.epochs)
    final = head()
    assert final.embedding is not None
    return training.result(final.clusters, final.embedding, final.notes)

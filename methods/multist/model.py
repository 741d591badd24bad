"""MultiST: graph autoencoder with self-training, then cross-attention between spots and image.

Wang et al., arXiv 2601.13331 (2026), code LabJunBMI/MultiST.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import mixture_result
from methods.shared.clustering.kmeans import kmeans
from methods.shared.expression.pca import dense_components
from methods.shared.graphs.weights import normalized_adjacency
from methods.shared.losses.self_training import mean_kl, sharpened_target, student_assignments
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import adam_with_decay
from methods.shared.training.seeding import random_stream, torch_stream

from .adversary import SAMPLE, Adversary, kernel_distance, mean_distance
from .inputs import expression, image_tokens, neighbor_graph
from .label_spreading import spread_labels
from .losses import agreement, cosine_error, draw_negatives, labelled_pairs, pair_entropy, prior
from .network import Dropout, Encoded, Network

if TYPE_CHECKING:
    from .second_stage import SecondStage

RECONSTRUCTION, GRAPH, ADVERSARIAL = 10.0, 0.1, 0.3
NOISE_FROM, CRITIC_EVERY = 10, 5
REFRESH = 20
STARTS = 20
COMPONENTS = 50


class Model:
    """
    The first stage on one tissue, and the second where there is an image.

    Parameters
    ----------
    data
        Counts, positions and perhaps an image.
    params, job
        Settings and seed.
    """

    def __init__(self, data: Data, params: Params, job: Job) -> None:
        self.params, self.job, device = params, job, job.device
        x = expression(data.counts, params.min_spots, params.n_genes, params.n_components)
        self.x = torch.as_tensor(x, dtype=torch.float32, device=device)
        self.square = self.x.square().sum(dim=1)
        looped = neighbor_graph(data, params.n_neighbors)
        self.graph = TiledMatrix(normalized_adjacency(looped), device)
        negatives = draw_negatives(looped, random_stream(job.seed, "negatives"))
        self.pairs = labelled_pairs(looped, negatives, device)
        n, width = x.shape
        self.norm = n**2 / (2 * max(n**2 - looped.nnz, 1))
        weights = torch_stream(job.seed, "weights")
        self.network = Network(width, min(params.n_centres, n), weights).to(device)
        self.adversary = Adversary(width, params.mmd == "kernel", weights, device)
        self.noise = torch_stream(job.seed, "noise", device)
        self.masks = torch_stream(job.seed, "masks", device)
        self.drop = Dropout(params.dropout, self.masks)
        self.target: Tensor | None = None
        self.second_stage: SecondStage | None = None
        self.in_second_stage = False
        self.notes = self._prepare_second_stage(data, weights)

    @property
    def CHANGES(self) -> tuple[str, ...]:
        """What training changes."""
        adversary = ("generator", "critic", "generator_optimiser", "critic_optimiser")
        changes = ("network", "noise", "masks", "target", *(f"adversary.{a}" for a in adversary))
        return (
            changes
            if self.second_stage is None
            else (*changes, "second_stage.network", "second_stage.genes")
        )

    def _prepare_second_stage(self, data: Data, weights: torch.Generator) -> dict[str, Any]:
        """Prepare the second stage where there is an image to be used; tell what was found."""
        params, job = self.params, self.job
        if not params.use_image:
            return {"image": "not used"}
        from .second_stage import SecondStage, Setting

        colours = random_stream(job.seed, "colours")
        tokens, notes = image_tokens(data, params.even_colours, colours)
        if tokens is not None:
            setting = Setting(
                params.fusion_epochs,
                params.attention,
                params.gene_weight,
                params.tokens,
                params.smoothing,
                params.reconstruction,
            )

            def shuffle(epoch: int, n: int) -> np.ndarray:
                return random_stream(job.seed, f"batches {epoch}").permutation(n)

            generators = (weights, self.masks)
            self.second_stage = SecondStage(tokens, data, setting, shuffle, generators, job.device)
        return notes

    def draw(self) -> Tensor:
        """Draw standard normal noise in the shape of the components."""
        return torch.randn(self.x.shape, generator=self.noise, device=self.x.device)

    def noise_latent(self) -> Tensor:
        """Embed generated spots; their statistics are not remembered."""
        projected = self.adversary.generator.projected(self.draw(), self.network.first.weight)
        return self.network.encode(projected, self.graph, self.drop, real=False).latent

    def distance(self, z: Tensor, noise: Tensor) -> Tensor:
        """Compare embeddings of spots and of noise; the gradient is by the noise alone."""
        z = z.detach()
        if self.params.mmd == "mean":
            return mean_distance(z, noise)
        drawn = [torch.randperm(len(z), generator=self.noise, device=z.device) for _ in range(2)]
        return kernel_distance(z[drawn[0][:SAMPLE]], noise[drawn[1][:SAMPLE]])

    def reconstruct(
        self, masked: Tensor | None = None
    ) -> tuple[Encoded, dict[str, Tensor], Tensor]:
        """Encode and decode; return the losses common to both phases, and the cosines."""
        net = self.network
        projected, against = net.project(self.x)
        if masked is not None:
            projected = net.masked(projected, masked)
        encoded = net.encode(projected, self.graph, self.drop)
        hidden = self.graph @ self.drop(encoded.latent)
        found = agreement(hidden, net.decoder, against, self.square)
        entropy = self.norm * pair_entropy(encoded.latent, self.pairs)
        losses = {
            "reconstruction": RECONSTRUCTION * found.error.mean() / self.x.shape[1],
            "graph": GRAPH * (entropy + prior(encoded.mean)),
        }
        return encoded, losses, found.cosine

    def train_adversary(self, epoch: int) -> None:
        """Let critic and generator take their turn, every fifth epoch."""
        if epoch % CRITIC_EVERY == 0:
            self.adversary.step(self.x, self.draw())

    def pretrain_step(self, epoch: int) -> dict[str, Tensor]:
        """Reconstruct components and graph, and draw noise towards the spots."""
        self.train_adversary(epoch)
        n, masked = len(self.x), None
        count = round(self.params.mask_rate * n)
        if count:
            masked = torch.randperm(n, generator=self.masks, device=self.x.device)[:count]
        encoded, losses, cosine = self.reconstruct(masked)
        losses["cosine"] = cosine_error(cosine if masked is None else cosine[masked])
        if epoch >= NOISE_FROM:
            distance = self.distance(encoded.latent, self.noise_latent())
            losses["adversarial"] = ADVERSARIAL * distance
        return losses

    def cluster_step(self, epoch: int) -> dict[str, Tensor]:
        """Reconstruct, and sharpen the assignments towards a target kept for some steps."""
        self.train_adversary(epoch)
        centres = self.network.centres
        if self.target is None or epoch % REFRESH == 0:
            self.target = sharpened_target(student_assignments(self.latent(), centres.detach()))
        encoded, losses, _ = self.reconstruct()
        noise = self.noise_latent()
        q, other = (student_assignments(z, centres) for z in (encoded.latent, noise))
        consistency = mean_kl(q.detach(), other) / len(centres)
        distance = self.distance(encoded.latent, noise)
        return {
            **losses,
            "clustering": mean_kl(self.target, q) / len(centres),
            "adversarial": ADVERSARIAL * (consistency + distance),
        }

    def latent(self) -> Tensor:
        """Embed all spots with the running statistics, without dropout, spots x 32."""
        net = self.network
        net.eval()
        with torch.no_grad():
            z = net.encode(net.project(self.x)[0], self.graph).latent
        net.train()
        return z

    def place_centres(self) -> None:
        """Start the self-training from k-means; missing groups start at the farthest spots."""
        z = self.latent().cpu().double().numpy()
        count = len(self.network.centres)
        labels = kmeans(z, count, random_stream(self.job.seed, "centres"), STARTS)
        found, labels = np.unique(labels, return_inverse=True)
        centres = np.stack([z[labels == k].mean(axis=0) for k in range(len(found))])
        distance = np.linalg.norm(z - centres[labels], axis=1)
        farthest = np.argsort(-distance, kind="stable")[: count - len(found)]
        placed = torch.as_tensor(np.concatenate([centres, z[farthest]]))
        self.network.centres.data.copy_(placed)

    def embedding(self) -> np.ndarray:
        """Return what is clustered: z, or components of the blend with the image."""
        if self.second_stage is not None and self.in_second_stage:
            return dense_components(self.second_stage.embedding(), COMPONENTS)
        return self.latent().cpu().double().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train both stages, fit the mixture and spread labels to the spots around."""
    check_data(data, job, "MultiST")
    model = Model(data, params, job)
    coordinates = data.required_coordinates("MultiST")
    around = (coordinates, params.refine, data.pitch, data.batch)
    second_stage = model.second_stage
    fusion = params.fusion_epochs if second_stage is not None else 0

    def phases() -> Iterator[Phase]:
        optimiser = adam_with_decay(model.network, params)
        yield Phase(optimiser, model.pretrain_step, params.epochs)
        model.place_centres()
        yield Phase(optimiser, model.cluster_step, params.cluster_epochs)
        if second_stage is not None:
            second_stage.genes = model.latent()
            model.in_second_stage = True
            yield Phase(second_stage.optimiser, second_stage.step, fusion)

    def head() -> Result:
        found = mixture_result(model.embedding(), job, params.k_rule, params.kmeans_starts)
        found.clusters = spread_labels(found.clusters, *around)
        found.notes |= {**model.notes, "components": model.x.shape[1]}
        return found

    epochs = params.epochs + params.cluster_epochs + fusion
    return train_and_cluster(model, job, epochs, phases(), head)

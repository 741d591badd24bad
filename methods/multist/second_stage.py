"""Training of the second stage: mini-batches of spots, the first stage frozen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from methods.contract import Data

from .fusion import Fusion, Tokens
from .losses import info_nce, similarity_divergence
from .neighborhoods import Neighborhoods, neighborhoods
from .network import LATENT, Dropout

BATCH = 128
AT_ONCE = 512  # spots embedded at a time
RATE, DECAY, CLIP = 1e-4, 1e-4, 1.0
DROPOUT = 0.1
AROUND = 7
DIVERGENCE, LENGTHS = 2.0, 0.005


class Setting(NamedTuple):
    """How the second stage works; the fields are the card's parameters."""

    epochs: int
    attention: str
    gene_weight: float
    tokens: str
    smoothing: str
    reconstruction: float


def tokens_of(spots: np.ndarray, around: Neighborhoods, alone: bool, device: str) -> Tokens:
    """
    List what is needed to fuse some spots.

    Parameters
    ----------
    spots
        Rows of `around`.
    around
        Neighborhoods; its indices are spots.
    alone
        Whether a spot looks at its own token only.
    device
        Torch device.
    """
    seen = around.near[spots, : 1 if alone else None]
    known = around.known[spots, : 1 if alone else None]
    tokens, seen = np.unique(seen, return_inverse=True)
    rows, near = np.unique(around.near[tokens], return_inverse=True)
    shapes = (len(tokens), -1), (len(spots), -1)
    arrays = (
        rows,
        near.reshape(shapes[0]),
        around.weight[tokens],
        tokens,
        seen.reshape(shapes[1]),
        known,
    )
    return Tokens(*(torch.as_tensor(array, device=device) for array in arrays))


class SecondStage:
    """
    The fusion network on one tissue.

    Parameters
    ----------
    image
        Components of every spot's image, spots x d.
    data
        Positions and sections.
    setting
        How it works.
    shuffle
        Returns the order of n spots in an epoch.
    generators
        On the CPU, draws the weights; and on the device, drops entries.
    device
        Torch device.
    """

    def __init__(
        self,
        image: np.ndarray,
        data: Data,
        setting: Setting,
        shuffle: Callable[[int, int], np.ndarray],
        generators: tuple[torch.Generator, torch.Generator],
        device: str,
    ) -> None:
        self.setting, self.shuffle, self.device = setting, shuffle, device
        self.image = torch.as_tensor(image, dtype=torch.float32, device=device)
        shape = (image.shape[1], setting.attention, setting.gene_weight)
        self.network = Fusion(*shape, generators[0]).to(device)
        self.drop = Dropout(DROPOUT, generators[1])
        self.positions = (data.required_coordinates("MultiST"), data.pitch, data.batch)
        self.slice = self.around(np.arange(len(image)))
        self.genes = torch.zeros(len(image), LATENT, device=device)  # of the frozen first stage
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), RATE, weight_decay=DECAY, fused=True
        )
        self.optimiser.register_step_pre_hook(self.clip)

    def clip(self, *_: Any) -> None:
        """Shorten the gradient, before any step."""
        clip_grad_norm_(self.network.parameters(), CLIP)

    def around(self, spots: np.ndarray) -> Neighborhoods:
        """List the surroundings that spots have among themselves."""
        coordinates, pitch, batch = self.positions
        sections = None if batch is None else batch[spots]
        return neighborhoods(coordinates[spots], AROUND, pitch, sections)

    def tokens(self, spots: np.ndarray) -> Tokens:
        """List what a batch needs in training."""
        alone = self.setting.tokens == "own"
        if self.setting.smoothing == "slice":
            return tokens_of(spots, self.slice, alone, self.device)
        found = tokens_of(np.arange(len(spots)), self.around(spots), alone, self.device)
        batch = torch.as_tensor(spots, device=self.device)
        return found._replace(rows=batch[found.rows], spots=batch[found.spots])

    def losses(self, spots: np.ndarray) -> dict[str, Tensor]:
        """Evaluate a batch: both views alike, each found from the other, lengths small."""
        tokens = self.tokens(spots)
        fused = self.network(self.genes, self.image, tokens, self.drop)
        own = tokens.spots[tokens.seen[:, 0]]
        error = (self.network.reconstruct(fused.blend) - self.genes[own]).square().mean()
        weight = self.setting.reconstruction
        return {
            "similarity": DIVERGENCE * similarity_divergence(fused.image, fused.gene),
            "contrast": info_nce(fused.image, fused.gene),
            "lengths": LENGTHS * fused.lengths,
            **({"embedding": weight * error} if weight else {}),
        }

    def step(self, epoch: int) -> dict[str, Tensor]:
        """
        Take a step for every batch but the last, whose gradient is left to the caller.

        Returns
        -------
        Losses of the last batch, their values those of the mean over all batches; or of the first
        batch with one that is not finite, for the caller to name it.
        """
        rate = RATE * (1 + math.cos(math.pi * epoch / self.setting.epochs)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        n = len(self.image)
        *before, last = np.split(self.shuffle(epoch, n), range(BATCH, n, BATCH))
        passed: list[dict[str, Tensor]] = []
        for spots in before:
            losses = self.losses(spots)
            values = torch.stack(list(losses.values()))
            if not values.isfinite().all():
                return losses
            values.sum().backward()
            self.optimiser.step()
            self.optimiser.zero_grad(set_to_none=True)
            passed.append({name: value.detach() for name, value in losses.items()})
        found = self.losses(last)
        for name, value in found.items():
            mean = torch.stack([*(losses[name] for losses in passed), value.detach()]).mean()
            found[name] = value + (mean - value.detach())
        return found

    def embedding(self) -> np.ndarray:
        """Return the blend of every spot, without dropout, spots x 256."""
        alone, n = self.setting.tokens == "own", len(self.image)
        parts = []
        with torch.no_grad():
            for start in range(0, n, AT_ONCE):
                spots = np.arange(start, min(start + AT_ONCE, n))
                tokens = tokens_of(spots, self.slice, alone, self.device)
                parts.append(self.network(self.genes, self.image, tokens).blend.cpu().numpy())
        return np.concatenate(parts)

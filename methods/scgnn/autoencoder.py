"""The autoencoder all phases share, trained on full-batch gradients summed over blocks of cells.

Forward and backward pass run together, block by block, so that nothing of size cells x genes is
kept; one optimiser step sees the gradient of all cells, whatever the block size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import Blocks, Output

WIDTHS = (512, 128, 512)


class Autoencoder(nn.Module):
    """
    Dense layers genes - 512 - 128 - 512 - genes, ReLU after each of them.

    Parameters
    ----------
    n_genes
        Width of input and output.
    generator
        Draws weights and biases uniformly within 1 / sqrt(fan in).
    """

    def __init__(self, n_genes: int, generator: torch.Generator) -> None:
        super().__init__()
        layers = []
        for n_in, n_out in pairwise((n_genes, *WIDTHS, n_genes)):
            for shape in ((n_out, n_in), (n_out,)):
                drawn = 2 * torch.rand(shape, generator=generator) - 1
                layers.append(nn.Parameter(drawn / n_in**0.5))
        self.layers = nn.ParameterList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the input and the output of every layer."""
        return activations([x], list(self.layers))

    def loss(self, blocks: Blocks) -> Tensor:
        """Sum the weighted squared errors of the reconstruction."""
        return _SquaredError.apply(blocks, *self.layers)

    @torch.no_grad()
    def output(self, blocks: Blocks) -> Output:
        """Run all blocks forward; cells come in ascending order."""
        found = [(b.cells, *self(b.values())[2:4]) for b in blocks.parts]
        cells, latent, hidden = (torch.cat(part) for part in zip(*found, strict=True))
        order = cells.argsort()
        weight, bias = (p.detach().clone() for p in list(self.layers)[-2:])
        return Output(cells[order], latent[order], hidden[order], weight, bias)


def activations(known: list[Tensor], layers: Sequence[Tensor]) -> list[Tensor]:
    """Return the input and the output of every layer, given the first one or more of them."""
    found = list(known)
    for i in range(len(known) - 1, len(layers) // 2):
        found.append(torch.addmm(layers[2 * i + 1], found[-1], layers[2 * i].T).relu_())
    return found


class _SquaredError(torch.autograd.Function):
    """Value and parameter gradients in one pass over the blocks."""

    @staticmethod
    def forward(ctx: Any, blocks: Blocks, *layers: Tensor) -> Tensor:
        gradients = [torch.zeros_like(layer) for layer in layers]
        total = torch.zeros((), dtype=torch.float64, device=layers[0].device)
        first, sparse = None, blocks.sparse
        if sparse is not None:  # the first layer of all cells at once
            first = torch.relu_(sparse.forward @ layers[0].T.contiguous() + layers[1])
        for block in blocks.parts:
            found = [block.values()]
            if first is not None:
                found.append(first[block.cells])
            found = activations(found, layers)
            error = found[-1] - found[0]
            slope = error * block.weight()
            total += torch.dot(slope.view(-1), error.view(-1))
            slope = _through_relu(slope.mul_(2), found[-1])
            for i in range(len(layers) // 2 - 1, 0, -1):
                gradients[2 * i].addmm_(slope.T, found[i])
                gradients[2 * i + 1] += slope.sum(dim=0)
                slope = _through_relu(slope @ layers[2 * i], found[i])
            gradients[1] += slope.sum(dim=0)
            if first is None:
                gradients[0].addmm_(slope.T, found[0])
            else:
                first[block.cells] = slope
        if first is not None and sparse is not None:
            gradients[0] = (sparse.transposed @ first).T.contiguous()
        ctx.save_for_backward(*gradients)
        return total.to(layers[0].dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(grads[0] * saved for saved in ctx.saved_tensors))


def _through_relu(slope: Tensor, output: Tensor) -> Tensor:
    """Zero the slope where the layer's output is zero."""
    return torch.ops.aten.threshold_backward(slope, output, 0)

"""The autoencoder all phases share, trained on full-batch gradients summed over blocks of cells.

Forward and backward pass run together, block by block, so that nothing of size cells x genes is
kept; one optimiser step sees the gradient of all cells, whatever the block size.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from methods.shared.losses.with_gradient import with_gradient

from .blocks import Blocks, Output
from .gradient import Pass

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
        found = [x]
        for weight, bias in zip(self.layers[::2], self.layers[1::2], strict=True):
            found.append(torch.addmm(bias, found[-1], weight.T).relu_())
        return found

    def loss(self, blocks: Blocks) -> Tensor:
        """Sum the weighted squared errors of the reconstruction."""
        layers = list(self.layers)
        with torch.no_grad():
            walk = Pass(layers)
            total = torch.zeros((), dtype=torch.float64, device=layers[0].device)
            for block in blocks:
                total += walk.add(block)
            gradients = walk.finish()
        return with_gradient(total.to(layers[0].dtype), layers, gradients)

    @torch.no_grad()
    def output(self, blocks: Blocks) -> Output:
        """Run all blocks forward; cells come in ascending order."""
        found = [(b.cells, *self(b.values())[2:4]) for b in blocks]
        cells, latent, hidden = (torch.cat(part) for part in zip(*found, strict=True))
        order = cells.argsort()
        weight, bias = (p.detach().clone() for p in list(self.layers)[-2:])
        return Output(cells[order], latent[order], hidden[order], weight, bias)

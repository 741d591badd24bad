"""The autoencoder all phases share, trained on full-batch gradients summed over blocks of cells.

Forward and backward pass run together, block by block, so that nothing of size cells x genes is
kept; one optimiser step sees the gradient of all cells, whatever the block size.
"""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn

from methods.shared.losses.with_gradient import with_gradient

from .blocks import Blocks, Output
from .compact import pick
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
        self.genes: Tensor | None = None  # columns of the data that enter, None for all

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the input and the output of every layer."""
        found = [x]
        entering = pick(x, self.genes, 1)
        for weight, bias in zip(self.layers[::2], self.layers[1::2], strict=True):
            entering = torch.addmm(bias, entering, weight.T).relu_()
            found.append(entering)
        return found

    def loss(self, blocks: Blocks) -> Tensor:
        """Sum the weighted squared errors of the reconstruction."""
        layers = list(self.layers)
        with torch.no_grad():
            walk = Pass(layers, self.genes, blocks.rest)
            total = torch.zeros((), dtype=torch.float64, device=layers[0].device)
            for block in blocks.parts:
                total += walk.add(block)
            gradients = walk.finish()
        return with_gradient(total.to(layers[0].dtype), layers, gradients)

    @torch.no_grad()
    def reduced(self, blocks: Blocks) -> Autoencoder:
        """
        Copy the network without first-layer units and genes at rest in all of `blocks`.

        Such units receive no gradient as long as the input is the same and the optimiser new,
        hence never wake: training the smaller copy is training the whole.
        """
        weight, bias = self.layers[:2]
        lit = torch.zeros(len(bias), dtype=torch.bool, device=bias.device)
        seen = torch.zeros(weight.shape[1], dtype=torch.bool, device=bias.device)
        for block in blocks.parts:
            values = block.values()
            seen |= (values != 0).any(dim=0)
            lit |= (self(values)[1] != 0).any(dim=0)
        units, genes = (torch.nonzero(part)[:, 0] for part in (lit, seen))
        small = copy.deepcopy(self)
        small.genes = genes
        kept = [weight[units][:, genes], bias[units], self.layers[2][:, units]]
        for i, part in enumerate(kept):
            small.layers[i] = nn.Parameter(part.contiguous())
        return small

    @torch.no_grad()
    def output(self, blocks: Blocks) -> Output:
        """Run all blocks forward; cells come in ascending order."""
        found = [(b.cells, *self(b.values())[2:4]) for b in blocks.parts]
        cells, latent, hidden = (torch.cat(part) for part in zip(*found, strict=True))
        order = cells.argsort()
        weight, bias = (p.detach().clone() for p in list(self.layers)[-2:])
        return Output(cells[order], latent[order], hidden[order], weight, bias)

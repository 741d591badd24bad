"""Forward and backward pass of the autoencoder over blocks of cells, without what rests.

The plain formula is autograd of ``sum weight (x - network(x))^2`` block by block
(`benchmarks/plain.py`): epochs take 1.2 to 1.7 times as long with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from methods.shared.nn.sparse import SparseMatrix

from .blocks import Block
from .compact import Compact, add_product, add_to, compact, pick


class Pass:
    """
    Gradients of one pass over all cells, units at rest in a block left out of its products.

    Parameters
    ----------
    layers
        Weights and biases in turn.
    """

    def __init__(self, layers: Sequence[Tensor]) -> None:
        self.weights, self.biases = layers[::2], layers[1::2]
        self.gradients = [torch.zeros_like(layer) for layer in layers]
        self.turned: Tensor | None = None  # first layer for sparse input, genes x units
        self.turned_gradient = torch.empty(0)

    def first(self, entering: Compact, sparse: SparseMatrix | None) -> Compact:
        """Apply the first layer."""
        weight, bias = self.weights[0], self.biases[0]
        if sparse is None:
            output = torch.addmm(bias, entering.values, pick(weight, entering.columns, 1).T)
        else:
            if self.turned is None:
                self.turned = weight.T.contiguous()
                self.turned_gradient = torch.zeros_like(self.turned)
            output = (sparse.forward @ self.turned).add_(bias)
        return compact(output.relu_())

    def add(self, block: Block) -> Tensor:
        """Return the loss of a block and add its gradients to those of the others."""
        target = block.values()
        dense = block.sparse is None
        passed = [compact(target) if dense else Compact(target, None)]
        passed.append(self.first(passed[0], block.sparse))
        used = [self.weights[0]]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            used.append(pick(weight, passed[-1].columns, 1))
            output = torch.addmm(bias, passed[-1].values, used[-1].T).relu_()
            passed.append(compact(output))
        error = output - target
        slope = error * block.weight()
        loss = torch.dot(slope.view(-1), error.view(-1))
        self.descend(pick(slope.mul_(2), passed[-1].columns, 1), passed, used, block.sparse)
        return loss

    def descend(
        self,
        slope: Tensor,
        passed: Sequence[Compact],
        used: Sequence[Tensor],
        sparse: SparseMatrix | None,
    ) -> None:
        """Carry the slope of the kept outputs back through all layers."""
        for i in range(len(used) - 1, -1, -1):
            slope, units = _through_relu(slope, passed[i + 1].values), passed[i + 1].columns
            weight, bias = self.gradients[2 * i : 2 * i + 2]
            add_to(bias, slope.sum(dim=0), units, 0)
            if i == 0 and sparse is not None:
                add_to(self.turned_gradient, sparse.transposed @ slope, units, 1)
            else:
                add_product(weight, slope, passed[i].values, units, passed[i].columns)
            if i > 0:
                slope = slope @ pick(used[i], units, 0)

    def finish(self) -> list[Tensor]:
        """Return the gradients in the order of the layers."""
        if self.turned is not None:
            self.gradients[0] += self.turned_gradient.T
        return self.gradients


def _through_relu(slope: Tensor, output: Tensor) -> Tensor:
    """Zero the slope where the layer's output is zero."""
    return torch.ops.aten.threshold_backward(slope, output, 0)

"""Cells in blocks, input and target of the autoencoders, made dense one block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from methods.shared.nn.sparse import SparseMatrix

from .compact import compact, pick

ROWS = 512
FEW = 128  # cells below which a block costs more by its weights than by its cells
DENSE_UP_TO = 5000  # cells; above, no dense cells x genes array is kept
SPARSE_BELOW = 0.12  # share of entries that are not zero below which sparse products are faster


class Block(NamedTuple):
    """Some cells: made on demand, or kept where the data are small."""

    cells: Tensor  # their indices
    values: Callable[[], Tensor]  # cells x genes, input and target
    weight: Callable[[], Tensor]  # of the squared errors; broadcasts to cells x genes
    sparse: SparseMatrix | None = None  # the values, where products with them are cheaper so


Blocks = Sequence[Block]
"""All cells of one phase."""


def constant(value: Tensor) -> Callable[[], Tensor]:
    """Return a function that returns `value`."""
    return lambda: value


def cached(parts: Sequence[Block], n_cells: int) -> Sequence[Block]:
    """Evaluate the blocks once where all cells fit."""
    if n_cells > DENSE_UP_TO:
        return parts
    return [b._replace(values=constant(b.values()), weight=constant(b.weight())) for b in parts]


def _filled(shape: tuple[int, int], fill: float, at: Tensor, value: Tensor) -> Tensor:
    """Return a dense array of `fill` with other values at flat positions."""
    dense = torch.full(shape, fill, dtype=torch.float32, device=value.device)
    dense.view(-1)[at] = value
    return dense


def expression_blocks(
    values: sp.csr_matrix,
    states: sp.csr_matrix | None,
    alpha: float,
    device: str,
    rows: int = ROWS,
) -> Blocks:
    """
    Cut expression into blocks of cells, weights by regulatory state.

    Parameters
    ----------
    values
        cells x genes.
    states
        Same entries as `values`; None for state 0 everywhere.
    alpha
        An entry of state s weighs (1 - alpha) + alpha s.
    device
        Of the tensors.
    rows
        Cells per block.
    """
    parts: list[Block] = []
    few = values.nnz < SPARSE_BELOW * values.shape[0] * values.shape[1]
    for start in range(0, values.shape[0], rows):
        part = values[start : start + rows].tocoo()
        shape = part.shape
        flat = part.row.astype(np.int64) * shape[1] + part.col
        at = torch.as_tensor(flat, device=device)
        value = torch.as_tensor(part.data, dtype=torch.float32, device=device)
        weight = constant(torch.tensor(1 - alpha, device=device))
        if states is not None:
            state = torch.as_tensor(states[start : start + rows].tocoo().data, device=device)
            weight = _weights(shape, alpha, at, state)
        cells = torch.arange(start, start + shape[0], device=device)
        sparse = SparseMatrix(part.tocsr().astype(np.float32), device) if few else None
        parts.append(Block(cells, _values(shape, at, value), weight, sparse))
    return cached(parts, values.shape[0])


def _values(shape: tuple[int, int], at: Tensor, value: Tensor) -> Callable[[], Tensor]:
    return lambda: _filled(shape, 0.0, at, value)


def _weights(shape: tuple[int, int], alpha: float, at: Tensor, state: Tensor) -> Callable:
    return lambda: _filled(shape, 1 - alpha, at, (1 - alpha) + alpha * state.float())


def weighted_cells(blocks: Blocks, weight: Tensor) -> Blocks:
    """Weigh all genes of a cell alike, `weight` having one value per cell."""
    return [b._replace(weight=constant(weight[b.cells, None])) for b in blocks]


class Output(NamedTuple):
    """What a trained autoencoder says of its cells, without the dense reconstruction."""

    cells: Tensor
    latent: Tensor  # cells x 128
    hidden: Tensor  # cells x 512, input of the last layer
    weight: Tensor  # the last layer
    bias: Tensor

    def reconstruct(self, rows: slice) -> Tensor:
        """Return the reconstruction of some of the cells."""
        hidden, units = compact(self.hidden[rows])
        return torch.addmm(self.bias, hidden, pick(self.weight, units, 1).T).relu_()

    def take(self, chosen: Tensor | slice) -> Output:
        """Keep some cells."""
        return self._replace(
            cells=self.cells[chosen], latent=self.latent[chosen], hidden=self.hidden[chosen]
        )


def reconstruction_blocks(outputs: Iterable[Output], n_cells: int, rows: int = ROWS) -> Blocks:
    """
    Offer reconstructions as input and target of the next autoencoder, weight 1.

    Cells of different outputs share a block only where an output has few.
    """
    pieces: list[list[Output]] = []
    for output in outputs:
        for start in range(0, len(output.cells), rows):
            piece = output.take(slice(start, start + rows))
            if pieces and sum(len(p.cells) for p in pieces[-1]) < min(FEW, rows):
                pieces[-1].append(piece)
            else:
                pieces.append([piece])
    parts = []
    for group in pieces:
        one = constant(torch.ones((), device=group[0].hidden.device))
        cells = torch.cat([piece.cells for piece in group])
        parts.append(Block(cells, _reconstruction(group), one))
    return cached(parts, n_cells)


def _reconstruction(group: list[Output]) -> Callable[[], Tensor]:
    every = slice(None)
    return lambda: torch.cat([piece.reconstruct(every) for piece in group])

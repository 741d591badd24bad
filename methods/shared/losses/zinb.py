"""Zero-inflated negative binomial decoder: heads and loss fused, over blocks of cells.

The loss is a sum over cells, so each block's gradient is formed together with its value and
nothing of size cells x genes outlives the block. The plain formula is autograd of
``-log ZINB(y; pi, theta, mu)`` block by block, with lgamma where counts are positive
(`benchmarks/plain.py`): epochs of scTAG take 1.5 times as long with it, at 20,000 cells
3.4 times, of stMFG 1.3.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from methods.shared.losses.with_gradient import with_gradient
from methods.shared.nn.layers import Affine, uniform

EPS = 1e-10
THETA_RANGE = (1e-4, 1e4)
LOG_MU_RANGE = (math.log(1e-5), math.log(1e6))


class Block(NamedTuple):
    """Targets of some consecutive cells."""

    rows: slice
    positions: Tensor  # flat positions of the positive entries within rows x genes
    value: Tensor  # the positive entries
    log_factorial: float  # sum of lgamma(value + 1)


class ZinbTarget:
    """
    Counts to be explained, cut into blocks.

    Parameters
    ----------
    counts
        cells x genes; entries below 1e-8 count as zeros.
    size_factors
        Factor of each cell's mean; None for 1.
    device, dtype
        Of the tensors.
    rows
        Cells per block.
    """

    def __init__(
        self,
        counts: sp.csr_matrix,
        size_factors: np.ndarray | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        rows: int = 256,
    ) -> None:
        self.shape = counts.shape
        factors = np.ones(counts.shape[0]) if size_factors is None else size_factors
        self.size_factors = torch.as_tensor(factors, dtype=dtype, device=device)[:, None]
        self.blocks = []
        for start in range(0, counts.shape[0], rows):
            part = counts[start : start + rows].tocoo()
            positive = part.data >= 1e-8
            flat = part.row[positive].astype(np.int64) * counts.shape[1] + part.col[positive]
            value = torch.as_tensor(part.data[positive], dtype=torch.float64)
            self.blocks.append(
                Block(
                    slice(start, start + part.shape[0]),
                    torch.as_tensor(flat, device=device),
                    value.to(dtype).to(device),
                    float(torch.lgamma(value + 1).sum()),
                )
            )


def zinb_block(
    a: Tensor, c: Tensor, b: Tensor, block: Block, size: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """
    Negative log-likelihood of one block and its gradient.

    Parameters
    ----------
    a, c, b
        Logits of pi (sigmoid), theta (softplus, clipped to [1e-4, 1e4]) and mu (exp, clipped to
        [1e-5, 1e6], then times `size`); cells x genes each.
    block
        The counts.
    size
        Size factors, cells x 1.

    Returns
    -------
    The sum over entries (without the constant lgamma(y + 1)) and its derivatives in `a`, `c`, `b`.
    """
    theta = softplus(c).clamp_(*THETA_RANGE)
    mu = b.clamp(*LOG_MU_RANGE).exp_().mul_(size)
    pi, slope = torch.sigmoid(a), torch.sigmoid(c)
    slope.mul_((theta > THETA_RANGE[0]) & (theta < THETA_RANGE[1]))
    log_ratio = (mu / theta).log1p_()
    share = mu / (theta + mu)
    empty = (log_ratio * theta).neg_().exp_()  # NB probability of a zero
    keep = 1 - pi
    zero = torch.addcmul(pi, keep, empty).add_(EPS)
    # Everywhere as if the count were zero; the few positive entries are overwritten below.
    weight = keep.mul_(empty).div_(zero)
    grad_a = (empty.sub_(1)).mul_(pi).mul_(1 - pi).div_(zero)
    grad_b = (weight * theta).mul_(share)
    grad_c = (log_ratio - share).mul_(weight)
    loss = zero.log_().neg_()
    at = block.positions
    value = _positive(loss, grad_a, grad_c, grad_b, block.value, at, a, pi, theta, mu, log_ratio)
    grad_b.mul_((b > LOG_MU_RANGE[0]) & (b < LOG_MU_RANGE[1]))
    return value, grad_a, grad_c.mul_(slope), grad_b


def _positive(
    loss: Tensor,
    grad_a: Tensor,
    grad_c: Tensor,
    grad_b: Tensor,
    y: Tensor,
    at: Tensor,
    a: Tensor,
    pi: Tensor,
    theta: Tensor,
    mu: Tensor,
    log_ratio: Tensor,
) -> Tensor:
    """Overwrite the entries with positive counts and return the block's sum."""
    logit, p, t, m, lr = (x.reshape(-1)[at] for x in (a, pi, theta, mu, log_ratio))
    both = t + y
    here = torch.lgamma(t) - torch.lgamma(both) + both * lr + y * (t.log() - m.log())
    here += softplus(logit)
    total = t + m
    loss.view(-1)[at] = here
    grad_a.view(-1)[at] = p
    grad_b.view(-1)[at] = t * (m - y) / total
    grad_c.view(-1)[at] = torch.digamma(t) - torch.digamma(both) + lr + (y - m) / total
    return loss.sum(dtype=torch.float64)


def zinb_heads(hidden: Tensor, weight: Tensor, bias: Tensor, target: ZinbTarget) -> Tensor:
    """
    Mean ZINB negative log-likelihood of linear heads on `hidden`.

    Parameters
    ----------
    hidden
        cells x d.
    weight, bias
        3 x genes x d and 3 x genes, in the order pi, theta, mu.
    target
        The counts.

    Notes
    -----
    Eraslan et al., Nature Communications 10, 390 (2019), doi 10.1038/s41467-018-07931-2.
    """
    with torch.no_grad():
        grad_h, grad_w = torch.empty_like(hidden), torch.zeros_like(weight)
        grad_bias = torch.zeros_like(bias)
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for block in target.blocks:
            h = hidden[block.rows]
            a, c, b = (torch.addmm(bias[i], h, weight[i].T) for i in range(3))
            value, *slopes = zinb_block(a, c, b, block, target.size_factors[block.rows])
            total += value + block.log_factorial
            into = grad_h[block.rows]
            torch.mm(slopes[0], weight[0], out=into)
            for i, slope in enumerate(slopes):
                grad_w[i].addmm_(slope.T, h)
                grad_bias[i] += slope.sum(dim=0)
                if i:
                    into.addmm_(slope, weight[i])
        entries = target.shape[0] * target.shape[1]
        gradients = [gradient.div_(entries) for gradient in (grad_h, grad_w, grad_bias)]
    value = (total / entries).to(hidden.dtype)
    return with_gradient(value, [hidden, weight, bias], gradients)


BATCH_EPS = 1e-5


class ZinbDecoder(nn.Module):
    """
    Explain expression from an embedding: linear, batch normalisation, ReLU, three heads.

    Parameters
    ----------
    n_in, width, n_genes
        Of the embedding, of the trunk, of the expression.
    generator
        Draws the weights.
    """

    def __init__(self, n_in: int, width: int, n_genes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.trunk = Affine(n_in, width, generator)
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))
        self.head = uniform(3, n_genes, width, fan=width, generator=generator)  # pi, theta, mu
        self.head_bias = uniform(3, n_genes, fan=width, generator=generator)

    def hidden(self, z: Tensor) -> Tensor:
        """Return the trunk, standardised over all cells, cells x width."""
        x = self.trunk(z)
        x = x - x.mean(dim=0)
        deviation = torch.sqrt(x.square().mean(dim=0) + BATCH_EPS)  # far faster than torch.var
        return torch.relu_(x * (self.scale / deviation) + self.shift)

    def loss(self, z: Tensor, target: ZinbTarget) -> Tensor:
        """Return the mean negative log-likelihood of the target."""
        return zinb_heads(self.hidden(z), self.head, self.head_bias, target)

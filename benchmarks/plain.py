"""The plain formula of every trick: what would stand there if speed and memory did not matter.

A trick is a hand-made gradient, a private operator, memory that is kept, or a product cut into
pieces. `benchmarks/tricks.py` puts the plain formula in its place and measures whole epochs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, softplus
from torch.nn.functional import normalize as unit_rows


class Plain(NamedTuple):
    """A trick and what stands for it."""

    where: str  # module:name that is replaced
    formula: str
    methods: tuple[str, ...]  # that it is measured on
    function: Callable[..., Any]


PLAIN: dict[str, Plain] = {}


def plain(name: str, where: str, formula: str, methods: str) -> Callable[[Callable], Callable]:
    """Register the decorated function as the plain formula of a trick."""

    def register(function: Callable) -> Callable:
        PLAIN[name] = Plain(where, formula, tuple(methods.split()), function)
        return function

    return register


def put_in_place(name: str, replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """
    Replace a trick by its plain formula in every module of this process that has imported it.

    Parameters
    ----------
    name
        Of the trick.
    replace
        Sets an attribute; in tests one that is set back.
    """
    where, _, _, function = PLAIN[name]
    module, _, attribute = where.partition(":")
    *path, last = attribute.split(".")
    # the runner gives the modules of a method's own folder a name of its own
    loaded = {module, module.replace("methods.", "blindfold_method_", 1)} & sys.modules.keys()
    for key in loaded:
        owner: Any = sys.modules[key]
        for part in path:
            owner = getattr(owner, part)
        original = getattr(owner, last)
        replace(owner, last, function)
        for other in list(sys.modules.values()):
            if vars(other).get(last) is original:
                replace(other, last, function)


@plain(
    "zinb gradient",
    "methods.shared.losses.zinb:zinb_heads",
    "autograd of the log-likelihood, block by block; lgamma where counts are positive",
    "sctag spatial_mgcn stmfg",
)
def zinb_heads(hidden: Tensor, weight: Tensor, bias: Tensor, target: Any) -> Tensor:
    """See `methods.shared.losses.zinb.zinb_heads`."""
    from methods.shared.losses.with_gradient import blockwise_loss
    from methods.shared.losses.zinb import EPS, LOG_MU_RANGE, THETA_RANGE

    entries = target.shape[0] * target.shape[1]

    def loss(block: Any, h: Tensor, w: Tensor, c: Tensor) -> Tensor:
        a, t, m = (torch.addmm(c[i], h[block.rows], w[i].T) for i in range(3))
        theta, pi = softplus(t).clamp(*THETA_RANGE), torch.sigmoid(a)
        mu = m.clamp(*LOG_MU_RANGE).exp() * target.size_factors[block.rows]
        log_ratio = torch.log1p(mu / theta)
        zero = -torch.log(pi + (1 - pi) * torch.exp(-theta * log_ratio) + EPS)
        at, y = block.positions, block.value
        th, mean, lr, logit = (x.reshape(-1)[at] for x in (theta, mu, log_ratio, a))
        positive = torch.lgamma(th) - torch.lgamma(th + y) + (th + y) * lr
        positive = positive + y * (th.log() - mean.log()) + softplus(logit)
        total = zero.sum() - zero.reshape(-1)[at].sum() + positive.sum() + block.log_factorial
        return total / entries

    return blockwise_loss(loss, [hidden, weight, bias], target.blocks).to(hidden.dtype)


@plain(
    "scRCL alignment gradient",
    "methods.scrcl.losses:alignment",
    "autograd of the linear form of both losses",
    "scrcl",
)
def alignment(
    x1: Tensor, x2: Tensor, graph: Any, temperature: float, weight: float
) -> dict[str, Tensor]:
    """See `methods.scrcl.losses.alignment`."""
    from methods.scrcl.losses import GUARD

    n, t = len(x1), temperature
    e1, e2 = unit_rows(x1, dim=1), unit_rows(x2, dim=1)
    logits = (e1 / t, e2 / t)
    p1, p2 = (torch.softmax(x, dim=1) for x in logits)
    shares = [torch.softmax(torch.logsumexp(x, dim=1), dim=0) + 0.5 / n for x in logits]
    gap = e1 - e2
    distribution = (
        shares[0] * torch.linalg.vecdot(p1, gap) - shares[1] * torch.linalg.vecdot(p2, gap)
    ).sum() / t
    mean_e = (e1.mean(dim=0) + e2.mean(dim=0)).detach() / 2
    mean_p = (p1.mean(dim=0) + p2.mean(dim=0)).detach() / 2
    e1, e2, p1, p2 = e1 - mean_e, e2 - mean_e, p1 - mean_p, p2 - mean_p
    u, v = (torch.linalg.vecdot(p, e).double() for p, e in ((p1, e1), (p2, e2)))
    own = torch.linalg.vecdot(p1 - p2, e1 - e2).double()
    cross = torch.linalg.vecdot(p1, graph.edges @ e2) + torch.linalg.vecdot(e1, graph.edges @ p2)
    every = (p1 @ e2.sum(dim=0) + e1 @ p2.sum(dim=0)).double()
    around = (graph.edges @ v.float()[:, None])[:, 0].double()
    near = (own + graph.degree * u - cross.double() + around) / t
    far = ((n * u - every + v.sum() - own) / t).clamp_min(0) + GUARD * n
    contrast = (max(n - 1, 1) / (n * (graph.degree + 1)) * near / far).sum()
    return {"distribution": distribution, "neighbours": weight * contrast.to(x1.dtype)}


@plain(
    "scGNN pass without units at rest",
    "methods.scgnn.autoencoder:Autoencoder.loss",
    "autograd of the network's own forward pass, block by block",
    "scgnn",
)
def autoencoder_loss(self: Any, blocks: Any) -> Tensor:
    """See `methods.scgnn.autoencoder.Autoencoder.loss`."""
    from methods.shared.losses.with_gradient import accumulated_loss

    def error(block: Any) -> Tensor:
        target = block.values()
        return (block.weight() * (self(target)[-1] - target).square()).sum()

    parts = [lambda block=block: error(block) for block in blocks]
    return accumulated_loss(parts, list(self.layers))


@plain(
    "known adjoint of sparse products",
    "methods.shared.nn.sparse:linear_map",
    "torch's own gradient of sparse products",
    "graphst sctag stagate",
)
def linear_map(dense: Tensor, apply: Callable, adjoint: Callable) -> Tensor:
    """See `methods.shared.nn.sparse.linear_map`."""
    return apply(dense)


@plain(
    "sparse products by bags and strips",
    "methods.shared.nn.sparse:_by_strips",
    "torch's product of a CSR matrix",
    "spatial_mgcn stmfg graphcvae stagate scrcl multist",
)
def by_strips(matrix: Tensor, weights: Tensor, dense: Tensor) -> Tensor:
    """See `methods.shared.nn.sparse._by_strips`."""
    starts, columns = matrix.crow_indices(), matrix.col_indices()
    weighted = torch.sparse_csr_tensor(starts, columns, weights.to(dense.dtype), size=matrix.shape)
    return weighted @ dense.contiguous()


@plain(
    "oneDNN's private product",
    "methods.shared.nn.matmul:multiply",
    "a @ b",
    "scrcl graphcvae stagate stmfg spatial_mgcn scgnn",
)
def multiply(a: Tensor, b: Tensor) -> Tensor:
    """See `methods.shared.nn.matmul.multiply`."""
    return a @ b


@plain(
    "activation in place",
    "methods.shared.nn.dropout:activate",
    "mask * leaky_relu(x + bias) by autograd",
    "scrcl",
)
def activate(x: Tensor, bias: Tensor, slope: float, mask: Any = None) -> Tensor:
    """See `methods.shared.nn.dropout.activate`."""
    active = leaky_relu(x + bias, slope)
    return active if mask is None else active * mask.keep * mask.scale


@plain(
    "product of a masked array",
    "methods.shared.nn.dropout:dropped_product",
    "(mask * x) @ weight by autograd",
    "scrcl",
)
def dropped_product(x: Tensor, weight: Tensor, mask: Any) -> Tensor:
    """See `methods.shared.nn.dropout.dropped_product`."""
    return x @ weight if mask is None else (x * mask.keep * mask.scale) @ weight


@plain(
    "blocks of rows that fit a cache",
    "methods.shared.training.device:cache_blocks",
    "all rows at once",
    "scrcl multist",
)
def cache_blocks(x: Tensor) -> list[slice]:
    """See `methods.shared.training.device.cache_blocks`."""
    return [slice(0, len(x))]


@plain(
    "STAGATE aggregation gradient",
    "methods.stagate.attention:aggregate",
    "sum of weighted neighbours by autograd, a vector an edge",
    "stagate",
)
def aggregate(weight: Tensor, dense: Tensor, graph: Any) -> Tensor:
    """See `methods.stagate.attention.aggregate`."""
    messages = weight[:, None] * dense[graph.columns]
    return dense.new_zeros(dense.shape).index_add(0, graph.rows, messages)

"""Weights of STAGATE: two matrices used on the way in and out, and the attention's vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.shared.nn.layers import glorot

GAIN = 1.414


def drawn(*shape: int, kind: str, fans: tuple[int, int], generator: torch.Generator) -> Tensor:
    """
    Draw Glorot weights.

    Parameters
    ----------
    shape
        Of the array.
    kind
        ``uniform``, as the TensorFlow code, or ``normal`` with gain 1.414, as the PyTorch code.
    fans
        Fan in and fan out.
    generator
        On the CPU.
    """
    if kind == "uniform":
        return glorot(*shape, generator=generator, scale=fans).data
    return torch.randn(shape, generator=generator) * (GAIN * (2 / sum(fans)) ** 0.5)


class Network(nn.Module):
    """
    Parameters of one model.

    Where they are split, the decoder's matrices are parameters of their own in the memory of the
    encoder's: each collects its own gradient, and each takes its own optimiser step.

    Parameters
    ----------
    n_genes, width, latent
        Sizes of the layers.
    kind
        See `drawn`.
    split
        Whether the decoder's matrices are parameters of their own.
    pruned
        Whether there is a second attention, on the pruned graph.
    generator
        Draws the weights, on the CPU.
    device
        Torch device.
    """

    def __init__(
        self,
        n_genes: int,
        width: int,
        latent: int,
        kind: str,
        split: bool,
        pruned: bool,
        generator: torch.Generator,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        vector_fans = (width, 1) if kind == "uniform" else (width, width)

        def draw(*shape: int, fans: tuple[int, int]) -> nn.Parameter:
            values = drawn(*shape, kind=kind, fans=fans, generator=generator)
            return nn.Parameter(values.to(device))

        self.first = draw(n_genes, width, fans=(n_genes, width))
        self.vectors = nn.ParameterList([draw(width, 2, fans=vector_fans)])
        self.second = draw(width, latent, fans=(width, latent))
        if pruned:
            self.vectors.append(draw(width, 2, fans=vector_fans))
        self.split = split
        if split:
            self.second_out = nn.Parameter(self.second.data)
            self.first_out = nn.Parameter(self.first.data)

    def way_out(self) -> tuple[Tensor, Tensor]:
        """Return the decoder's two matrices, second and first."""
        return (self.second_out, self.first_out) if self.split else (self.second, self.first)


def optimiser(
    network: Network, learning_rate: float, weight_decay: float, clip: float
) -> torch.optim.Adam:
    """
    Return Adam that clips the gradients before every step.

    Parameters that share memory are stepped one after the other, the decoder's last: groups are.

    Parameters
    ----------
    network
        What is trained.
    learning_rate
        Of Adam.
    weight_decay
        Times each parameter, added to its gradient.
    clip
        Largest norm of all gradients together.
    """
    weights = list(network.parameters())
    last = [network.second_out, network.first_out] if network.split else []
    before = [w for w in weights if all(w is not out for out in last)]
    groups = [{"params": group} for group in (before, last) if group]
    found = torch.optim.Adam(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)

    def clip_gradients(*_: object) -> None:
        torch.nn.utils.clip_grad_norm_(weights, clip)

    found.register_step_pre_hook(clip_gradients)
    return found

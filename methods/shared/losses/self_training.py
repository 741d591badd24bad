"""Self-training: soft assignments and their sharpened target."""

from __future__ import annotations

import torch
from torch import Tensor


def student_assignments(latent: Tensor, centres: Tensor) -> Tensor:
    """
    Soft assignment by Student's t kernel with one degree of freedom, rows summing to 1.

    Parameters
    ----------
    latent
        cells x d.
    centres
        clusters x d.

    Notes
    -----
    Xie et al., ICML 2016 (DEC), equation 1.
    """
    square = (latent[:, None, :] - centres[None]).square().sum(dim=2)
    kernel = 1 / (1 + square)
    return kernel / kernel.sum(dim=1, keepdim=True)


def sharpened_target(q: Tensor) -> Tensor:
    """Return DEC's target: squared assignments over cluster mass, rows summing to 1."""
    weight = q.square() / q.sum(dim=0)
    return weight / weight.sum(dim=1, keepdim=True)


def mean_kl(p: Tensor, q: Tensor) -> Tensor:
    """Average over rows the divergence of `p` from `q`."""
    tiny = torch.finfo(p.dtype).tiny
    return (p * (p.clamp_min(tiny).log() - q.clamp_min(tiny).log())).sum(dim=1).mean()

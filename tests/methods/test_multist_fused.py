"""MultiST's second stage in training: losses, batches, what is not finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from methods.contract import Job
from methods.multist.network import keep_all
from tests.methods import toys
from tests.methods.test_multist_image import SHORT, seen, stage


def test_losses_of_a_batch_by_hand():
    """MultiST, section 3: 2 times the divergence of similarities, InfoNCE, 0.005 of the lengths."""
    fused, spots = stage(), np.arange(20)
    fused.drop.rate = 0.0
    found = {name: loss.item() for name, loss in fused.losses(spots).items()}
    with torch.no_grad():
        made = fused.network(fused.genes, fused.image, fused.tokens(spots), keep_all)
        back = fused.network.reconstruct(made.blend)
    image, gene = (v / v.norm(dim=1, keepdim=True) for v in (made.image, made.gene))
    a, b = (np.asarray(torch.softmax(v @ v.T / 0.1, dim=1), dtype=float) for v in (image, gene))
    divergence = (entropy(a, b, axis=1) + entropy(b, a, axis=1)).mean() / 2
    across = np.exp(np.asarray(image @ gene.T, dtype=float) / 0.1)
    own = np.diag(across)
    contrast = -(np.log(own / across.sum(axis=1)) + np.log(own / across.sum(axis=0))).mean() / 2
    assert found["similarity"] == pytest.approx(2 * divergence, rel=1e-3)
    assert found["contrast"] == pytest.approx(contrast, rel=1e-3)
    assert found["lengths"] == pytest.approx(0.005 * made.lengths.item(), rel=1e-4)
    assert found["lengths"] > 0
    error = (back - fused.genes[:20]).square().mean().item()
    assert found["embedding"] == pytest.approx(error, rel=1e-3)


def test_every_batch_is_a_step_along_a_short_gradient():
    """MultiST, section 3: one step a batch of 128, no gradient longer than 1."""
    fused, norms = stage(side=12), []
    weights = list(fused.network.parameters())

    def remember(*_) -> None:
        grads = [w.grad for w in weights if w.grad is not None]
        norms.append(torch.stack([g.norm() for g in grads]).norm().item())

    fused.optimiser.register_step_pre_hook(remember)
    losses = fused.step(0)
    assert len(norms) == 1
    (1e4 * torch.stack(list(losses.values())).sum()).backward()
    fused.optimiser.step()
    assert norms[1] == pytest.approx(1, rel=1e-3)


def test_a_loss_that_is_not_finite_is_named_in_any_batch(monkeypatch):
    """Bad input: epoch and component, of both stages."""
    data, nan = seen(), float("nan")
    monkeypatch.setattr("methods.multist.second_stage.BATCH", 30)
    calls = []

    def lost(first, second):
        calls.append(1)
        return (first * (nan if len(calls) == 4 else 1)).mean()  # the first of the second epoch

    with monkeypatch.context() as patched:
        patched.setattr("methods.multist.second_stage.info_nce", lost)
        with pytest.raises(FloatingPointError, match="'contrast' is nan in epoch 12 of 12"):
            toys.run("multist", data, Job(0, 3), **SHORT)
    for name, component in (("prior", "graph"), ("cosine_error", "cosine")):
        with monkeypatch.context() as patched:
            patched.setattr(f"methods.multist.model.{name}", lambda x: (x * nan).mean())
            with pytest.raises(FloatingPointError, match=f"'{component}' is nan in epoch 1 of 12"):
                toys.run("multist", data, Job(0, 3), **SHORT)


def test_last_batch_reports_the_mean_of_all():
    """Section 3: batches of 128; an epoch's losses are means, its last gradient the last's."""
    fused = stage(side=12)
    losses = fused.step(0)
    assert set(losses) == {"similarity", "contrast", "lengths", "embedding"}
    assert all(weight.grad is None for weight in fused.network.parameters())
    torch.stack(list(losses.values())).sum().backward()
    assert fused.network.encoder.weight.grad.abs().sum() > 0
    rates = [group["lr"] for group in fused.optimiser.param_groups]
    fused.step(25)
    assert rates == [1e-4]
    assert fused.optimiser.param_groups[0]["lr"] == pytest.approx(5e-5)

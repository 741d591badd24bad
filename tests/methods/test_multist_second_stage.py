"""MultiST's second stage in training: losses, batches, what is not finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from methods.contract import Job
from methods.multist.model import Model
from methods.multist.network import keep_all
from methods.multist.second_stage import SecondStage, Setting
from tests.methods.test_multist_adversary import drawn
from tests.methods.toys import params, run, tissue, tissue_with_image
from tests.methods.watch import Largest

SHORT = {"epochs": 6, "cluster_epochs": 4, "fusion_epochs": 2}


def stage(variant: str = "described", side: int = 8, **changes) -> SecondStage:
    """Return a second stage with an embedding that means nothing."""
    chosen = params("multist", variant, **changes)
    second = Model(tissue_with_image(side), chosen, Job(0, 3)).second_stage
    second.genes = torch.randn(second.genes.shape, generator=drawn(1))
    return second


@pytest.mark.parametrize("variant", ["described", "released"])
def test_the_map_back_is_trained_only_as_described(variant):
    """The map back has no gradient as released; described trains it on the embedding."""
    second = stage(variant)
    torch.stack(list(second.losses(np.arange(40)).values())).sum().backward()
    weight = second.network.back.weight
    assert (weight.grad is None) == (variant == "released")
    before = weight.detach().clone()
    losses = second.step(0)
    torch.stack(list(losses.values())).sum().backward()
    second.optimiser.step()
    moved = not torch.equal(before, weight.detach())
    assert moved == (variant == "described")


@pytest.mark.parametrize("variant", ["described", "released"])
def test_a_batch_is_a_part_of_the_whole(variant):
    """What a spot becomes over the section does not depend on the batch."""
    second = stage(variant, smoothing="slice")
    whole = second.embedding()
    spots = np.random.default_rng(0).permutation(64)[:20]
    tokens = second.tokens(spots)
    np.testing.assert_array_equal(tokens.spots[tokens.seen[:, 0]], spots)
    with torch.no_grad():
        part = second.network(second.genes, second.image, tokens, keep_all).blend
    np.testing.assert_allclose(part, whole[spots], rtol=1e-4, atol=1e-4)


def test_smoothing_over_a_batch_stays_within_it():
    """Neighbours are sought among the spots of the batch."""
    second = stage("released")
    spots = np.random.default_rng(0).permutation(64)[:20]
    tokens = second.tokens(spots)
    assert np.isin(tokens.rows, spots).all()
    np.testing.assert_array_equal(tokens.spots[tokens.seen[:, 0]], spots)
    own = tokens.rows[tokens.near[:, 0]]
    np.testing.assert_array_equal(own, tokens.spots)
    around = second.around(spots)
    np.testing.assert_allclose(tokens.weight[tokens.seen[:, 0]], around.weight)


def test_no_tensor_is_spots_by_spots_or_spots_by_genes():
    """Above 5,000 spots the largest tensor is linear in spots; batches stay small."""
    data, _ = tissue(72, genes=60)
    image = np.random.default_rng(0).normal(size=(72**2, 50))
    chosen = params("multist")
    fields = ("fusion_epochs", *Setting._fields[1:])
    setting = Setting(*(getattr(chosen, field) for field in fields))
    second = SecondStage(image, data, setting, lambda *_: None, (drawn(), drawn()), "cpu")
    with Largest() as largest:
        torch.stack(list(second.losses(np.arange(0, 72**2, 41)).values())).sum().backward()
    assert largest.size <= 128 * 64 * 512
    with Largest() as largest:
        second.embedding()
    assert largest.size <= 72**2 * 256


def test_losses_of_a_batch_by_hand():
    """2 times the divergence of similarities, InfoNCE, 0.005 of the lengths."""
    second, spots = stage(), np.arange(20)
    second.drop.rate = 0.0
    found = {name: loss.item() for name, loss in second.losses(spots).items()}
    with torch.no_grad():
        made = second.network(second.genes, second.image, second.tokens(spots), keep_all)
        back = second.network.reconstruct(made.blend)
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
    error = (back - second.genes[:20]).square().mean().item()
    assert found["embedding"] == pytest.approx(error, rel=1e-3)


def test_every_batch_is_a_step_along_a_short_gradient():
    """One step a batch of 128, and no gradient longer than 1."""
    second, norms = stage(side=12), []
    weights = list(second.network.parameters())

    def remember(*_) -> None:
        grads = [w.grad for w in weights if w.grad is not None]
        norms.append(torch.stack([g.norm() for g in grads]).norm().item())

    second.optimiser.register_step_pre_hook(remember)
    losses = second.step(0)
    assert len(norms) == 1
    (1e4 * torch.stack(list(losses.values())).sum()).backward()
    second.optimiser.step()
    assert norms[1] == pytest.approx(1, rel=1e-3)


def test_a_loss_that_is_not_finite_is_named_in_any_batch(monkeypatch):
    """Bad input: epoch and component, of both stages."""
    data, nan = tissue_with_image(), float("nan")
    monkeypatch.setattr("methods.multist.second_stage.BATCH", 30)
    calls = []

    def lost(first, second):
        calls.append(1)
        return (first * (nan if len(calls) == 4 else 1)).mean()  # the first of the second epoch

    with monkeypatch.context() as patched:
        patched.setattr("methods.multist.second_stage.info_nce", lost)
        with pytest.raises(FloatingPointError, match="'contrast' is nan in epoch 12 of 12"):
            run("multist", data, Job(0, 3), **SHORT)
    for name, component in (("prior", "graph"), ("cosine_error", "cosine")):
        with monkeypatch.context() as patched:
            patched.setattr(f"methods.multist.model.{name}", lambda x: (x * nan).mean())
            with pytest.raises(FloatingPointError, match=f"'{component}' is nan in epoch 1 of 12"):
                run("multist", data, Job(0, 3), **SHORT)


def test_last_batch_reports_the_mean_of_all():
    """Of batches of 128 an epoch's losses are means, its last gradient the last's."""
    second = stage(side=12)
    losses = second.step(0)
    assert set(losses) == {"similarity", "contrast", "lengths", "embedding"}
    assert all(weight.grad is None for weight in second.network.parameters())
    torch.stack(list(losses.values())).sum().backward()
    assert second.network.encoder.weight.grad.abs().sum() > 0
    rates = [group["lr"] for group in second.optimiser.param_groups]
    second.step(25)
    assert rates == [1e-4]
    assert second.optimiser.param_groups[0]["lr"] == pytest.approx(5e-5)

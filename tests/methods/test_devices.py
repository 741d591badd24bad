"""Which device a run computes on."""

from __future__ import annotations

import pytest
import torch

from methods import runner

LEASED = {"lease": ["0"], "allow_cpu": False}


@pytest.fixture
def machine(monkeypatch):
    """Pretend which devices torch finds and which of them compute."""

    def pretend(found: set[str], compute: set[str]) -> None:
        original = torch.ones

        def ones(*shape, device="cpu", **options):
            if device in ("cpu", *compute):
                return original(*shape, **options)
            raise TypeError("no float64 here\nsecond line")

        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in found)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in found)
        monkeypatch.setattr(torch, "ones", ones)
        monkeypatch.setattr(torch.Tensor, "to", lambda self, device: self)

    return pretend


@pytest.mark.parametrize(
    ("found", "compute", "device"),
    [({"cuda"}, {"cuda"}, "cuda"), ({"mps"}, {"mps"}, "mps"), ({"cuda", "mps"}, {"mps"}, "mps")],
)
def test_a_leased_device_that_computes_is_taken(machine, found, compute, device):
    machine(found, compute)
    assert runner._device(LEASED) == device


def test_none_leased_is_the_cpu(machine):
    machine({"cuda"}, {"cuda"})
    assert runner._device({"lease": [], "allow_cpu": False}) == "cpu"


def test_a_device_without_what_methods_need_is_named(machine):
    machine({"mps"}, set())
    with pytest.raises(RuntimeError, match=r"cuda: torch does not find it; mps: no float64 here;"):
        runner._device(LEASED)
    assert runner._device({**LEASED, "allow_cpu": True}) == "cpu"

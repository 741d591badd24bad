"""The one training loop: losses, trace, snapshots, progress and going on after a kill."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from methods.contract import Job, Params, Result
from methods.shared.training.state import restore, state_of

Step = Callable[[int], dict[str, Tensor]]
"""Called with the epoch within the phase; returns weighted losses that are to be added."""


class Trained(Protocol):
    """A model that says what training changes."""

    @property
    def CHANGES(self) -> tuple[str, ...]:
        """Attributes, as `state_of` takes them: weights, generators, targets."""


def fused_adam(parameters: Iterable[Tensor], rate: float) -> torch.optim.Adam:
    """Return Adam in its fused form: one pass over the parameters a step."""
    return torch.optim.Adam(parameters, lr=rate, fused=True)


def adam_with_decay(network: torch.nn.Module, params: Params) -> torch.optim.Adam:
    """Return Adam with the card's `learning_rate`, and `weight_decay` added to the gradient."""
    rate, decay = params.learning_rate, params.weight_decay
    return torch.optim.Adam(network.parameters(), rate, weight_decay=decay, fused=True)


class Training:
    """
    Full-batch training, in one or several phases.

    After a kill the method runs again from its start, but `run` skips the phases and epochs that
    were done and puts back what they changed; what a method computes between two phases that
    are skipped comes from untrained weights, and is replaced where it stands in ``CHANGES``.

    Parameters
    ----------
    job
        Seed, snapshots, progress and checkpoint.
    epochs
        Epochs of all phases together.
    head
        Clusters of the present state. It must take its randomness from a fresh `stream`, so
        that calling it for a snapshot changes nothing that follows.
    model
        Its state is kept in the checkpoint; None where the method itself sees to that.
    """

    def __init__(
        self,
        job: Job,
        epochs: int,
        head: Callable[[], np.ndarray],
        model: Trained | None = None,
    ) -> None:
        self.job = job
        self.model = model
        self.phase = 0
        self._kept = job.checkpoint.load() if model is not None else None
        self.epochs = epochs
        self.head = head
        self.done = 0
        self.trace: list[dict[str, float]] = []
        self.snapshots: list[tuple[int, np.ndarray]] = []
        self.snapshot_s = 0.0
        count = min(job.snapshots, epochs)
        self._wanted = {epochs * (i + 1) // count for i in range(count)}

    def run(self, optimiser: torch.optim.Optimizer, step: Step, epochs: int) -> None:
        """
        Take `epochs` steps, or those of them that a killed run had still before it.

        Raises
        ------
        FloatingPointError
            When a loss is not finite; names the epoch and the component.
        """
        self.phase += 1
        for epoch in range(self._resume(optimiser, epochs), epochs):
            optimiser.zero_grad(set_to_none=True)
            losses = step(epoch)
            loss = torch.stack(list(losses.values())).sum()
            loss.backward()
            optimiser.step()
            self.done += 1
            self._record(losses, loss)
            if self.done in self._wanted:
                self.snapshot(self.done)
            self._keep(optimiser, epoch + 1)

    def _keep(self, optimiser: torch.optim.Optimizer, epoch: int) -> None:
        """Offer the present state to the checkpoint."""
        model = self.model
        if model is None:
            return
        self.job.checkpoint.save(
            lambda: {
                "phase": self.phase,
                "epoch": epoch,
                "optimiser": optimiser.state_dict(),
                "training": self.state_dict(),
                "model": state_of(model, model.CHANGES),
            }
        )

    def _resume(self, optimiser: torch.optim.Optimizer, epochs: int) -> int:
        """Return how many epochs of this phase are done; put back what they changed."""
        kept = self._kept
        if kept is None:
            return 0
        if self.phase < kept["phase"]:
            return epochs
        restore(self.model, kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        self.load_state_dict(kept["training"])
        self._kept = None
        return int(kept["epoch"])

    def state_dict(self) -> dict[str, Any]:
        """Return what was recorded so far."""
        names = ("done", "epochs", "trace", "snapshots", "snapshot_s")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        vars(self).update(state)

    def _record(self, losses: dict[str, Tensor], loss: Tensor) -> None:
        """Append to the trace, check and report."""
        names, tensors = ["loss", *losses], [loss, *losses.values()]
        values = torch.stack([tensor.detach() for tensor in tensors]).tolist()
        for name, value in list(zip(names, values, strict=True))[::-1]:
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"training: loss component {name!r} is {value} in epoch {self.done} of "
                    f"{self.epochs}; lower the learning rate or look for extreme counts"
                )
        self.trace.append({"epoch": self.done, **dict(zip(names, values, strict=True))})
        self.job.progress(self.done, self.epochs, values[0])

    def snapshot(self, epoch: int) -> None:
        """Keep the present partition; the time is not counted as training."""
        start = time.perf_counter()
        with torch.no_grad():
            self.snapshots.append((epoch, self.head()))
        self.snapshot_s += time.perf_counter() - start

    def result(self, clusters: np.ndarray, embedding: np.ndarray, notes: dict) -> Result:
        """Wrap what training left behind."""
        return Result(
            clusters=clusters,
            embedding=np.ascontiguousarray(embedding, dtype=np.float32),
            snapshots=self.snapshots,
            snapshot_s=self.snapshot_s,
            trace=self.trace,
            notes=notes,
        )

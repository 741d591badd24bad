"""The one training loop: losses, trace, snapshots and progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from methods.contract import Job, Result

Step = Callable[[int], dict[str, Tensor]]
"""Called with the epoch within the phase; returns weighted losses that are to be added."""


def adam(parameters: Iterable[Tensor], rate: float) -> torch.optim.Adam:
    """Return Adam in its fused form: one pass over the parameters a step."""
    return torch.optim.Adam(parameters, lr=rate, fused=True)


class Training:
    """
    Full-batch training, in one or several phases.

    Parameters
    ----------
    job
        Seed, snapshots and progress.
    epochs
        Epochs of all phases together.
    head
        Clusters of the present state. It must take its randomness from a fresh `stream`, so
        that calling it for a snapshot changes nothing that follows.
    """

    def __init__(self, job: Job, epochs: int, head: Callable[[], np.ndarray]) -> None:
        self.job = job
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
        Take `epochs` steps.

        Raises
        ------
        FloatingPointError
            When a loss is not finite; names the epoch and the component.
        """
        for epoch in range(epochs):
            optimiser.zero_grad(set_to_none=True)
            losses = step(epoch)
            loss = torch.stack(list(losses.values())).sum()
            loss.backward()
            optimiser.step()
            self.done += 1
            self._record(losses, loss)
            if self.done in self._wanted:
                self.snapshot(self.done)

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

"""What a method receives and returns. Nothing here can carry a label, a class name or a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.sparse as sp

Progress = Callable[[int, int, float], None]
"""Called as ``progress(done, total, loss)``; cheap, may be called every epoch."""


@dataclass(frozen=True)
class Data:
    """One blinded dataset.

    Parameters
    ----------
    counts
        Raw counts, cells x genes, CSR float32 with integer values.
    genes
        Gene names, one per column of ``counts``.
    coordinates
        Positions, cells x 2, float64; None unless the method's card needs or uses coordinates,
        and where it uses them None on data without.
    pitch
        Median distance to the nearest neighbour, in the unit of ``coordinates``.
    image
        Histology, height x width x 3, uint8; None unless the card needs or uses an image, and
        where it uses one None on data without.
    scale
        Image pixels per unit of ``coordinates``: ``pixel = coordinates * scale`` (x, y).
    batch
        Batch code per cell, int; None where there is one batch.
    image_features
        What a network of the user's made of the image around each spot, spots x d, float32, NaN
        where it saw nothing; None unless the card needs or uses an image and the user gave them.
    """

    counts: sp.csr_matrix
    genes: np.ndarray
    coordinates: np.ndarray | None = None
    pitch: float | None = None
    image: np.ndarray | None = None
    scale: float | None = None
    batch: np.ndarray | None = None
    image_features: np.ndarray | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells or spots."""
        return int(self.counts.shape[0])

    def required_coordinates(self, method: str) -> np.ndarray:
        """Return the coordinates that a method cannot do without.

        Raises
        ------
        ValueError
            Where there are none; names the method.
        """
        if self.coordinates is None:
            raise ValueError(f"coordinates: none given; {method} runs on spatial data only")
        return self.coordinates


class Params(SimpleNamespace):
    """The parameters of the method's card, checked and filled with defaults, as attributes."""


def silent(done: int, total: int, loss: float) -> None:
    """Report no progress."""


class Checkpoint:
    """Keeps the state of long work, so that a killed run goes on; this one keeps nothing."""

    def load(self) -> Any:
        """Return the state a killed run of the same job left, or None."""
        return None

    def save(self, state: Callable[[], Any]) -> None:
        """
        Keep a state instead of the last one, where that is some minutes old.

        Parameters
        ----------
        state
            Called only then, so `save` is cheap and may be called every epoch; what it returns
            is pickled at once and may share memory with what goes on changing.
        """


@dataclass(frozen=True)
class Job:
    """How to run.

    Parameters
    ----------
    seed
        The only source of randomness: derive every generator from it.
    n_clusters
        Number of clusters asked for; None when the method must estimate it.
    device
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    threads
        Threads that libraries may use (already set for torch, OpenMP and BLAS).
    snapshots
        Number of intermediate partitions to keep, evenly spaced over the epochs, the last included.
    impute
        Whether entries of the counts were held out and `Result.imputed` is asked for.
    progress
        Callback for long work.
    checkpoint
        Where long work keeps its state; what follows from a kept state must be, byte for byte,
        what would have followed without the kill.
    """

    seed: int
    n_clusters: int | None = None
    device: str = "cpu"
    threads: int = 1
    snapshots: int = 0
    impute: bool = False
    progress: Progress = silent
    checkpoint: Checkpoint = field(default_factory=Checkpoint)


class InvalidOutput(Exception):
    """What the method returned breaks the contract."""


@dataclass
class Result:
    """What a method returns.

    Parameters
    ----------
    clusters
        One integer per cell, in the order of the input.
    embedding
        cells x d, float32, finite; None where the method has none.
    imputed
        cells x genes on the scale of `Data.counts`: what each count is expected to be, finite and
        not negative. One array, or blocks of its consecutive rows, which alone may be used above
        5,000 cells; making them counts as fitting. Asked for by `Job.impute`, None without.
    snapshots
        Pairs (epoch, clusters), see `Job.snapshots`. Epoch 0 is the partition that training began
        with, where there is one: it is kept even if no snapshots are asked for.
    snapshot_s
        Seconds spent on snapshots; not counted as fitting time.
    trace
        One dictionary of floats per epoch: ``{"epoch": 1, "loss": 0.7, ...}``.
    notes
        Facts to stand in the run record, such as how K was estimated.
    """

    clusters: np.ndarray
    embedding: np.ndarray | None = None
    imputed: np.ndarray | Iterable[np.ndarray] | None = None
    snapshots: Sequence[tuple[int, np.ndarray]] = ()
    snapshot_s: float = 0.0
    trace: Sequence[dict[str, float]] = ()
    notes: dict[str, Any] = field(default_factory=dict)

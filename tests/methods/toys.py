"""Small planted data and parameters read off the cards."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
import yaml

from methods.contract import Data, Job, Params, Result

METHODS = Path(__file__).resolve().parents[2] / "methods"
NAMES = sorted(path.parent.name for path in METHODS.glob("*/method.yaml"))
SHORT = {"epochs": 4, "cluster_epochs": 4, "graph_epochs": 4, "iterations": 2}


def card(name: str) -> dict:
    return yaml.safe_load((METHODS / name / "method.yaml").read_text())


def params(name: str, variant: str = "described", **changes: object) -> Params:
    described = card(name)
    values = {key: spec["default"] for key, spec in described["parameters"].items()}
    changes = {key: value for key, value in changes.items() if key in values}
    return Params(**{**values, **(described["variants"][variant] or {}), **changes})


def run(name: str, data: Data, job: Job, variant: str = "described", **changes: object) -> Result:
    fit = importlib.import_module(f"methods.{name}.model").fit
    return fit(data, params(name, variant, **changes), job)


def cells(n: int = 90, genes: int = 60, k: int = 3, seed: int = 0) -> tuple[Data, np.ndarray]:
    """Planted groups of cells; each has its own highly expressed genes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    mean = np.full((k, genes), 0.4)
    for group in range(k):
        mean[group, group::k] = 4.0
    counts = rng.poisson(mean[labels] * rng.uniform(0.6, 1.5, (n, 1)))
    names = np.array([f"g{i}" for i in range(genes)])
    return Data(sp.csr_matrix(counts.astype(np.float32)), names), labels


def tissue(
    side: int = 12, genes: int = 60, k: int = 3, seed: int = 0, signal: float = 1.5
) -> tuple[Data, np.ndarray]:
    """Vertical stripes on a hexagonal lattice of pitch 100."""
    row, column = np.divmod(np.arange(side * side), side)
    x = (column + 0.5 * (row % 2)) * 100.0
    coordinates = np.column_stack([x, row * 100.0 * np.sqrt(3) / 2])
    labels = np.minimum(column * k // side, k - 1)
    rng = np.random.default_rng(seed)
    mean = np.full((k, genes), 0.4)
    for group in range(k):
        mean[group, group::k] = signal
    counts = sp.csr_matrix(rng.poisson(mean[labels]).astype(np.float32))
    names = np.array([f"g{i}" for i in range(genes)])
    return Data(counts, names, coordinates, 100.0), labels


def modalities(name: str) -> list[str]:
    """List the modalities that a method treats in different ways, the first of its card first."""
    described = card(name)
    spatial = "coordinates" in [*described["needs"], *described.get("uses", [])]
    return described["modalities"] if spatial else described["modalities"][:1]


def toy(name: str, modality: str | None = None) -> tuple[Data, np.ndarray]:
    """Return data of a modality, by default the first that the method's card names."""
    return tissue() if (modality or modalities(name)[0]) == "spatial" else cells()


def leaves(*shapes: tuple[int, ...], seed: int = 0) -> list[torch.Tensor]:
    """Draw float64 tensors that take gradients."""
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.normal(size=s)).requires_grad_() for s in shapes]


def same_gradients(ours: torch.Tensor, theirs: torch.Tensor, inputs: list[torch.Tensor]) -> None:
    """Check that two ways to a value agree, in gradients too."""
    first = torch.autograd.grad(ours, inputs)
    second = torch.autograd.grad(theirs, inputs)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b)


def random_graph(n: int, density: float = 0.05, seed: int = 0) -> np.ndarray:
    """Draw a symmetric 0/1 graph without loops."""
    upper = np.triu(np.random.default_rng(seed).random((n, n)) < density, 1)
    return (upper | upper.T).astype(np.float64)


AWKWARD_TISSUES = [
    "fewer spots than neighbours", "empty spots and genes", "identical spots", "spots on a line",
    "pairs of spots at one position", "isolated spots", "two far pieces", "one spot",
]  # fmt: skip


def awkward_tissue(kind: str) -> Data:
    """Return a tissue that is hard to build a graph on."""
    data, _ = tissue()
    counts, position = data.counts.toarray(), data.coordinates
    if kind == "fewer spots than neighbours":
        counts, position = counts[:5], position[:5]
    elif kind == "empty spots and genes":
        counts[:5], counts[:, 7:11] = 0, 0
    elif kind == "identical spots":
        counts[:], position = counts[:1], position * 0
    elif kind == "spots on a line":
        position = position * [1.0, 0.0]
    elif kind == "pairs of spots at one position":
        position = np.repeat(position[::2], 2, axis=0)
    elif kind == "isolated spots":
        position = position + np.outer(np.arange(len(position)) < 3, [1e5, 2e5])
        position[:3] *= np.array([[1.0], [2.0], [3.0]])
    elif kind == "two far pieces":
        position = position + np.where(np.arange(len(position)) < 40, 0, 1e6)[:, None]
    elif kind == "one spot":
        counts, position = counts[:1], position[:1]
    return Data(sp.csr_matrix(counts), data.genes[: counts.shape[1]], position, data.pitch)


def picture(data, scale: float = 0.2, seed: int = 0) -> np.ndarray:
    """Left half pink and smooth, right half full of dark grains."""
    rng = np.random.default_rng(seed)
    size = np.ceil(data.coordinates.max(axis=0) * scale).astype(int) + 20
    drawn = np.full((size[1], size[0], 3), (235, 180, 210)) + rng.normal(0, 4, (*size[::-1], 3))
    grains = rng.random(size[::-1]) < 0.2
    grains[:, : size[0] // 2] = False
    drawn[grains] = (90, 50, 140)
    return np.clip(drawn, 0, 255).astype(np.uint8)


def tissue_with_image(side: int = 8) -> Data:
    """Return the tissue of that side under its picture."""
    data, _ = tissue(side)
    return dataclasses.replace(data, image=picture(data), scale=0.2)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def blobs(n: int = 150, k: int = 4, d: int = 3, gap: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % k
    centres = gap * np.eye(k, d) - (gap * (np.arange(k) >= d))[:, None]
    return centres[labels] + rng().normal(size=(n, d)), labels

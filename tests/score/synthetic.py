"""A small results folder as the earlier steps would leave it, with failures of every kind."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zlib
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import yaml

from blindfold.core import datasets, io
from blindfold.core.config import check_config
from blindfold.core.layout import Layout
from blindfold.core.methods import split_variant
from blindfold.core.plan import Plan, make_plan, write_plan

CLASSES = ["B cells", "CD14+ monocytes", "CD4+ T cells", "Dendritic", "NK cells"]
CELLS, GENES, UNLABELLED = 240, 120, 6

# name: (modalities, control, share of cells put right, what goes wrong at (dataset, seed))
METHODS: dict[str, tuple[list[str], bool, float, dict[int, str]]] = {
    "random_labels": (["scrna", "spatial"], True, 0.0, {}),
    "coordinates_kmeans": (["spatial"], True, 0.3, {}),
    "pca_kmeans": (["scrna", "spatial"], False, 0.75, {}),
    "smoothed_pca_kmeans": (["spatial"], False, 0.85, {}),
    "sctag": (["scrna"], False, 0.7, {2: "oom"}),
    "graphst": (["spatial"], False, 0.9, {}),
    "crasher": (["scrna", "spatial"], False, 0.8, {0: "crash", 1: "crash", 2: "crash"}),
    "sleeper": (["scrna", "spatial"], False, 0.8, {0: "timeout", 1: "killed"}),
    "cheater": (["scrna", "spatial"], False, 0.8, {0: "invalid", 1: "invalid", 2: "invalid"}),
    "ghost": (["scrna", "spatial"], False, 0.8, {0: "lost", 1: "lost", 2: "lost"}),
}
REASONS = {
    "oom": "6.2 GiB used, 6.0 GiB allowed",
    "crash": "ValueError: <script>alert('x')</script> & more",
    "timeout": "no result after 20.0 minutes",
    "killed": "the scheduler ended the job",
    "invalid": "opened vault/cells/truth.parquet",
    "unavailable": "needs coordinates",
}


def write_cards(folder: Path) -> None:
    """Write the cards of two datasets and all methods."""
    for name, modality in (("cells", "scrna"), ("tissue", "spatial")):
        card = {
            "title": f"Synthetic {name}",
            "organism": "none",
            "tissue": "none",
            "technology": "none",
            "modality": modality,
            "paper": "none",
            "licence": "CC0-1.0",
            "files": [{"path": "x", "role": "x", "sha256": "0" * 64, "bytes": 1, "url": "file:x"}],
            "reader": "none",
            "label": "label",
            "expected": {"cells": CELLS, "genes": GENES, "classes": len(CLASSES)},
        }
        io.write_text(folder / "datasets" / f"{name}.yaml", yaml.safe_dump(card))
    for name, (modalities, control, _, _) in METHODS.items():
        card = {
            "title": name,
            "summary": "synthetic",
            "tasks": ["clustering"],
            "modalities": modalities,
            "environment": "main",
            "entry": "model:fit",
            "control": control,
            "resources": {"minutes": {"base": 1}},
            "fidelity": {"word": "baseline", "paper": None},
            "variants": {"described": {}, "released": {}},
        }
        io.write_text(folder / "methods" / name / "method.yaml", yaml.safe_dump(card))


def plan_results(folder: Path, **changes: object) -> Plan:
    """Write cards and plan; call with ``datasets.DATASETS`` pointing at ``folder/datasets``."""
    write_cards(folder)
    config = {
        "name": "synthetic",
        "datasets": ["cells", "tissue"],
        "methods": [*METHODS, {"name": "sctag@released", "seeds": 1}],
        "methods_path": [str(folder / "methods")],
        **changes,
    }
    plan = make_plan(check_config(config))
    plan = Plan(plan.config, Layout(folder / "results"), plan.datasets, plan.methods, plan.runs)
    write_plan(plan)
    return plan


def make_results(folder: Path, monkeypatch: object, **changes: object) -> Plan:
    """Write everything up to and including the runs."""
    monkeypatch.setattr(datasets, "DATASETS", folder / "datasets")  # type: ignore[attr-defined]
    plan = plan_results(folder, **changes)
    for dataset, card in plan.datasets.items():
        truth = write_dataset(plan.layout, dataset, spatial=card.modality == "spatial")
        for run in plan.runs:
            if run.dataset == dataset:
                write_run(plan, run.dataset, run.method, run.k, run.seed, truth)
    return plan


def write_dataset(results: Layout, dataset: str, spatial: bool) -> np.ndarray:
    """Write input, truth and card; return the class codes."""
    rng = np.random.default_rng(zlib.crc32(dataset.encode()))
    xy = rng.uniform(0, 100, (CELLS, 2)) if not spatial else _hexagons()
    truth = np.minimum(xy[:, 0] // 20, 4).astype(int) if spatial else rng.integers(0, 5, CELLS)
    rates = rng.gamma(1, 1, GENES) * np.ones((5, 1))
    for label in range(5):
        rates[label, label * 20 : label * 20 + 20] *= 3
    counts = rng.poisson(rates[truth]).astype(np.float32)
    names = [f"c{i + 1:07d}" for i in range(CELLS)]
    data = ad.AnnData(sp.csr_matrix(counts))
    data.obs_names, data.var_names = names, [f"GENE{i}" for i in range(GENES)]
    data.uns["blindfold"] = {"technology": "synthetic"}
    if spatial:
        data.obsm["spatial"] = xy
        data.uns["blindfold"] |= {"unit": "um", "pitch": 6.5}
    results.input(dataset).parent.mkdir(parents=True, exist_ok=True)
    data.write_h5ad(results.input(dataset))
    labels = np.array(CLASSES, dtype=object)[truth]
    labels[:UNLABELLED] = None
    table = pd.DataFrame({"cell": names, "original": names[::-1], "label": labels})
    io.write_parquet(results.truth(dataset), table)
    io.write_json(
        results.card(dataset),
        {
            "dataset": dataset,
            "title": f"Synthetic {dataset}",
            "modality": "spatial" if spatial else "scrna",
            "technology": "none",
            "licence": "CC0-1.0",
            "cells": CELLS,
            "genes": GENES,
            "n_clusters": 5,
            "labelled": CELLS - UNLABELLED,
            "image": False,
            "raw_sha256": {"x": "0" * 64},
        },
    )
    return truth


def _hexagons() -> np.ndarray:
    column, row = np.meshgrid(np.arange(15), np.arange(16))
    x = (column + 0.5 * (row % 2)) * 6.5
    return np.column_stack([x.ravel(), row.ravel() * 6.5 * np.sqrt(3) / 2])


def write_run(plan: Plan, dataset: str, method: str, k: str, seed: int, truth: np.ndarray) -> None:
    """Write one run: as its method's row in `METHODS` says."""
    name, variant = split_variant(method)
    modalities, _, right, failures = METHODS[name]
    status = failures.get(seed, "ok")
    if plan.datasets[dataset].modality not in modalities:
        status = "unavailable"
    if status == "lost":
        return
    rng = np.random.default_rng(zlib.crc32(f"{dataset}{method}{k}{seed}".encode()))
    folder = plan.layout.run(dataset, method, k, seed)
    if status == "ok":
        clusters = np.where(rng.random(CELLS) < right, truth, rng.integers(0, 5, CELLS))
        clusters = rng.permutation(5)[clusters]
        names = [f"c{i + 1:07d}" for i in range(CELLS)]
        table = pd.DataFrame({"cell": names, "cluster": clusters})
        io.write_parquet(folder / "clusters.parquet", table)
    ran = status != "unavailable"
    cost = float(3 + 40 * right**4 + rng.random())
    io.write_json(
        folder / "run.json",
        {
            "status": status,
            "reason": REASONS.get(status),
            "dataset": dataset,
            "method": name,
            "variant": variant,
            "k": k,
            "seed": seed,
            "params": {"seed": int(rng.integers(2**32))},
            "n_clusters": 5,
            "wall_s": cost if ran else None,
            "cpu_s": cost if ran else None,
            "fit_s": cost - 2 if status == "ok" else None,
            "peak_rss_mb": 300 + 900 * right,
            "peak_gpu_mb": None,
            "device": "cpu" if ran else None,
            "threads": 1,
            "attempt": 1,
            "scheduler": {"name": None, "job_id": None, "node": None},
            "exit": 0,
            "log_tail": "",
            "lease": [],
            "versions": {"python": "3.11"},
            "hashes": {"input": "0", "code": "1", "environment": "2"},
            "started": "2026-01-01T00:00:00",
            "ended": "2026-01-01T00:00:01",
            "sandbox": "tripwire",
            "notes": {"k_rule": "synthetic" if k == "estimate" else "given"},
        },
    )


def hold_out(results: Layout, dataset: str) -> pd.DataFrame:
    """Make a written dataset a masked one: a few entries go to the vault and are zero then."""
    data = io.read_h5ad(results.input(dataset))
    dense = data.X.toarray()
    row, column = np.nonzero(dense)
    chosen = np.sort(np.random.default_rng(0).permutation(len(row))[:300])
    row, column = row[chosen], column[chosen]
    table = pd.DataFrame(
        {
            "cell": pd.Categorical.from_codes(row, list(data.obs_names)),
            "gene": pd.Categorical.from_codes(column, list(data.var_names)),
            "count": dense[row, column],
        }
    )
    dense[row, column] = 0
    data.X = sp.csr_matrix(dense)
    data.write_h5ad(results.input(dataset))
    io.write_parquet(results.held_out(dataset), table)
    facts = io.read_json(results.card(dataset))
    io.write_json(results.card(dataset), {**facts, "task": "imputation"})
    return table


def write_imputed(
    results: Layout, dataset: str, method: str, seed: int, values: np.ndarray
) -> None:
    """Write what a run imputed."""
    path = results.run(dataset, method, "truth", seed) / "imputed.h5ad"
    ad.AnnData(values.astype(np.float32)).write_h5ad(path)


_SCORED: dict[str, Path] = {}
"""Results that were made before in this process, by what was asked for."""


def make_scored(folder: Path, monkeypatch: object, **changes: object) -> Plan:
    """Write everything up to and including the score tables; once, then as a copy."""
    from blindfold.score.oracle import oracle
    from blindfold.score.score import score

    asked = repr(sorted(changes.items()))
    if asked in _SCORED:
        shutil.copytree(_SCORED[asked], folder / "results")
        monkeypatch.setattr(datasets, "DATASETS", folder / "datasets")  # type: ignore[attr-defined]
        return plan_results(folder, **changes)
    plan = make_results(folder, monkeypatch, **changes)
    for dataset in plan.datasets:
        oracle(plan.layout, dataset, plan.config.metrics)
        for method in plan.methods:
            here = [(r.k, r.seed) for r in plan.runs if (r.dataset, r.method) == (dataset, method)]
            score(plan.layout, dataset, method, here, plan.config.metrics)
    kept = Path(tempfile.mkdtemp()) / "results"
    atexit.register(shutil.rmtree, kept.parent, ignore_errors=True)
    _SCORED[asked] = shutil.copytree(plan.layout.root, kept)
    return plan

"""The runs of the quality table: which, in what order, and how one is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.quality_rows import Key, finished
from blindfold.core import io
from blindfold.core.layout import REPOSITORY
from blindfold.core.plan import Plan, PlannedRun, derive_seed

# trained methods take long on more cells or spots than these: one seed
ONE_SEED_ABOVE = {"scgnn": 1000, "spatial": 1500}


def cells(plan: Plan, dataset: str) -> int:
    """Return the number of cells that a dataset's card promises."""
    return plan.datasets[dataset].expected.cells or 0


def minutes(plan: Plan, run: PlannedRun) -> float:
    """Return how long a run should take by the method's card."""
    return plan.methods[run.method].card.resources.minutes.at(cells(plan, run.dataset))


def spared(plan: Plan, run: PlannedRun) -> bool:
    """Whether a run is a further seed of a method that takes long on this dataset."""
    if run.seed == 0 or "epochs" not in plan.methods[run.method].params:
        return False
    limits = (
        ONE_SEED_ABOVE.get(name) for name in (run.method, plan.datasets[run.dataset].modality)
    )
    return any(limit is not None and cells(plan, run.dataset) > limit for limit in limits)


def wanted(plan: Plan, done: set[Key]) -> list[PlannedRun]:
    """Return the runs without a row, smallest datasets first, and cheap runs within them."""
    runs = [
        run
        for run in plan.runs
        if run.method != "random_labels" and not spared(plan, run) and finished(run) not in done
    ]
    return sorted(runs, key=lambda run: (cells(plan, run.dataset), minutes(plan, run), run.seed))


def stands(plan: Plan, run: PlannedRun) -> bool:
    """Whether this run ended by itself, by the same code and with the same parameters."""
    path = plan.layout.record(run.dataset, run.method, run.k, run.seed)
    if not path.is_file():
        return False
    method, record = plan.methods[run.method], io.read_json(path)
    settings = {name: value for name, value in record["params"].items() if name != "seed"}
    same = (record["hashes"]["code"], settings) == (method.code, method.params)
    return same and record["status"] != "killed"


def ready(plan: Plan, dataset: str) -> None:
    """Fetch, prepare and blind a dataset, once."""
    from blindfold.blind.blind import blind
    from blindfold.fetch.fetch import fetch
    from blindfold.prepare.prepare import prepare

    at, card, config = plan.layout, plan.datasets[dataset], plan.config
    if at.card(dataset).is_file():
        return
    print(f"preparing {dataset}", flush=True)
    fetch(card, at.fetched(dataset), Path(config.cache), config.mirror, config.offline)
    prepare(dataset, card, at, False)
    blind(dataset, card, at, config.seed)


def start(plan: Plan, run: PlannedRun) -> subprocess.Popen[bytes]:
    """Start one run with the command that the workflow's rule has."""
    config, method, at = plan.config, plan.methods[run.method], plan.layout
    seed = derive_seed(config.seed, run.dataset, run.method, run.seed)
    command = [
        sys.executable, "-m", "blindfold.cli", "run", f"--method={run.method}",
        f"--input={at.input(run.dataset)}", f"--seed={seed}", f"--repeat={run.seed}",
        f"--out={at.record(run.dataset, run.method, run.k, run.seed).parent}",
        f"--clusters={run.k}", f"--params={json.dumps(method.entry.params)}",
        f"--minutes={method.minutes(config)}", f"--memory-gb={method.memory_gb(config)}",
        f"--snapshots={config.snapshots}", f"--sandbox={config.sandbox}",
        *[f"--methods-path={place}" for place in config.methods_path],
        *[f"--hide={place}" for place in plan.labelled_paths()],
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow")}
    log = at.log("run", run.dataset, run.method, run.k, str(run.seed))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as written:
        # a session of its own: Ctrl-C reaches this process, which ends its runs itself
        return subprocess.Popen(
            command, env=env, stdout=written, stderr=subprocess.STDOUT, start_new_session=True
        )

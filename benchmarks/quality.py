"""Fill docs/results/scrna.csv run by run, smallest datasets first; rows that stand are kept.

python benchmarks/quality.py --minutes 60
python benchmarks/quality.py --summary

Steps and code are the benchmark's own. Each finished run becomes a row at once; what still runs
when the time is over is ended, leaves no row and is done the next time. Prepared datasets stay in
results/scrna_table; delete a row, or that folder, to have it made again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

from benchmarks.quality_rows import append, finished, row, standing  # noqa: E402
from benchmarks.quality_summary import summary  # noqa: E402
from blindfold.core import io  # noqa: E402
from blindfold.core.config import read_config  # noqa: E402
from blindfold.core.errors import BlindfoldError  # noqa: E402
from blindfold.core.plan import Plan, PlannedRun, derive_seed, make_plan  # noqa: E402

CONFIGURATIONS = ["config.yaml", "configs/scrna_table.yaml", "configs/offline.yaml"]
TABLE = REPOSITORY / "docs" / "results" / "scrna.csv"
# scGNN takes the better part of an hour on these: one seed
ONE_SEED_ABOVE = {"scgnn": 1000}


def cells(plan: Plan, dataset: str) -> int:
    """Return the number of cells that a dataset's card promises."""
    return plan.datasets[dataset].expected.cells or 0


def minutes(plan: Plan, run: PlannedRun) -> float:
    """Return how long a run should take by the method's card."""
    growth = plan.methods[run.method].card.resources.minutes
    return growth.base + growth.per_1000_cells * cells(plan, run.dataset) / 1000


def wanted(plan: Plan, done: set[tuple[str, str, str, int]]) -> list[PlannedRun]:
    """Return the runs without a row, smallest datasets first, and cheap runs within them."""
    runs = []
    for run in plan.runs:
        limit = ONE_SEED_ABOVE.get(run.method)
        spared = run.seed > 0 and limit is not None and cells(plan, run.dataset) > limit
        if run.method != "random_labels" and not spared and finished(run) not in done:
            runs.append(run)
    return sorted(runs, key=lambda run: (cells(plan, run.dataset), minutes(plan, run), run.seed))


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
        *[f"--hide={place}" for place in plan.hidden()],
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow")}
    log = at.log("run", run.dataset, run.method, run.k, str(run.seed))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as written:
        # a session of its own: Ctrl-C reaches this process, which ends its runs itself
        return subprocess.Popen(
            command, env=env, stdout=written, stderr=subprocess.STDOUT, start_new_session=True
        )


@dataclass
class Work:
    """Runs that wait, and those that go on."""

    plan: Plan
    table: Path
    deadline: float
    waiting: list[PlannedRun]
    active: list[tuple[PlannedRun, subprocess.Popen[bytes]]] = field(default_factory=list)

    def fill(self, workers: int) -> None:
        """Start the next runs that should end in time."""
        left = (self.deadline - time.monotonic()) / 60
        self.waiting = [run for run in self.waiting if minutes(self.plan, run) <= left]
        while self.waiting and len(self.active) < workers:
            run = self.waiting.pop(0)
            try:
                ready(self.plan, run.dataset)
            except BlindfoldError as error:
                print(f"{run.dataset} cannot be prepared: {error}", flush=True)
                self.waiting = [other for other in self.waiting if other.dataset != run.dataset]
                continue
            self.active.append((run, start(self.plan, run)))

    def collect(self) -> None:
        """Append a row for every run that has ended."""
        going = []
        for run, process in self.active:
            status = process.poll()
            if status is None:
                going.append((run, process))
            elif status != 0:
                name = "_".join((run.dataset, run.method, run.k, str(run.seed)))
                print(f"no result, exit {status}: see {self.plan.layout.log('run', name)}")
            else:
                append(self.table, found := row(self.plan.layout, run))
                print(" ".join(str(value) for value in found.values()), flush=True)
        self.active = going

    def end(self) -> None:
        """End what still runs; it leaves no row."""
        for _, process in self.active:
            process.terminate()
        for run, process in self.active:
            process.wait()
            print(f"ended without a row: {run.dataset} {run.method} {run.seed}", flush=True)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=60, help="stop after so long")
    parser.add_argument("--workers", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--configfile", type=Path, nargs="+", default=CONFIGURATIONS)
    parser.add_argument("--summary", action="store_true", help="only write the table's summary")
    options = parser.parse_args()
    table = options.table.resolve()
    if options.summary:
        io.write_text(table.with_suffix(".md"), summary(standing(table)))
        return
    os.chdir(REPOSITORY)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    deadline = time.monotonic() + 60 * options.minutes
    plan = make_plan(read_config([Path(path) for path in options.configfile]))
    for dataset, reason in plan.unavailable.items():
        print(f"{dataset} cannot be had: {reason}")
    work = Work(plan, table, deadline, wanted(plan, {finished(r) for r in standing(table)}))
    print(f"{len(work.waiting)} runs to do", flush=True)
    try:
        while (work.waiting or work.active) and time.monotonic() < deadline:
            work.fill(options.workers)
            time.sleep(0.5)
            work.collect()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    finally:
        work.end()


if __name__ == "__main__":
    main()

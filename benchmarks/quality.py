"""Fill a table of docs/results run by run, smallest datasets first; rows that stand are kept.

python benchmarks/quality.py --minutes 60
python benchmarks/quality.py --minutes 60 --table docs/results/tissues.csv
python benchmarks/quality.py --minutes 0      # only take runs that stand
python benchmarks/quality.py --summary

Steps and code are the benchmark's own. Each finished run becomes a row at once; what still runs
when the time is over is ended, leaves no row and is done the next time. Prepared datasets and runs
stay in results/scrna_table and the like; to have a row made again delete it and its run.
"""

from __future__ import annotations

import argparse
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
from benchmarks.quality_runs import minutes, ready, stands, start, wanted  # noqa: E402
from benchmarks.quality_summary import summary  # noqa: E402
from blindfold.core import io  # noqa: E402
from blindfold.core.config import read_config  # noqa: E402
from blindfold.core.errors import BlindfoldError  # noqa: E402
from blindfold.core.plan import Plan, PlannedRun, make_plan  # noqa: E402

TABLE = REPOSITORY / "docs" / "results" / "scrna.csv"


def configuration(table: Path) -> list[Path]:
    """Return the files that say what a table of docs/results holds."""
    names = ("config.yaml", f"configs/{table.stem}_table.yaml", "configs/offline.yaml")
    return [REPOSITORY / name for name in names]


@dataclass
class Work:
    """Runs that wait, and those that go on."""

    plan: Plan
    table: Path
    deadline: float
    waiting: list[PlannedRun]
    active: list[tuple[PlannedRun, subprocess.Popen[bytes]]] = field(default_factory=list)

    def take_standing(self) -> None:
        """Append a row for every run that is there already, whoever started it."""
        found = [run for run in self.waiting if stands(self.plan, run)]
        self.waiting = [run for run in self.waiting if run not in found]
        for run in found:
            self.note(run)

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
                self.note(run)
        self.active = going

    def note(self, run: PlannedRun) -> None:
        """Append the row of a finished run."""
        append(self.table, found := row(self.plan.layout, run))
        print(" ".join(str(value) for value in found.values()), flush=True)

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
    parser.add_argument("--configfile", type=Path, nargs="+", help="default: by the table's name")
    parser.add_argument("--summary", action="store_true", help="only write the table's summary")
    options = parser.parse_args()
    table = options.table.resolve()
    if options.summary:
        io.write_text(table.with_suffix(".md"), summary(table.stem, standing(table)))
        return
    os.chdir(REPOSITORY)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    deadline = time.monotonic() + 60 * options.minutes
    plan = make_plan(read_config(options.configfile or configuration(table)))
    for dataset, reason in plan.unavailable.items():
        print(f"{dataset} cannot be had: {reason}")
    work = Work(plan, table, deadline, wanted(plan, {finished(r) for r in standing(table)}))
    work.take_standing()
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

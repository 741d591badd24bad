"""Fill a table of docs/results from finished runs; rows that stand are kept.

snakemake --cores 2 --configfile configs/scrna_table.yaml configs/offline.yaml
python benchmarks/quality.py
python benchmarks/quality.py --table docs/results/tissues.csv
python benchmarks/quality.py --summary

The workflow runs what a table needs; to have a row made again delete it and its run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

from benchmarks.quality_rows import append, finished, row, standing  # noqa: E402
from benchmarks.quality_summary import summary  # noqa: E402
from blindfold.core import io  # noqa: E402
from blindfold.core.config import read_config  # noqa: E402
from blindfold.core.plan import Plan, PlannedRun, make_plan  # noqa: E402

TABLE = REPOSITORY / "docs" / "results" / "scrna.csv"


def configuration(table: Path) -> list[Path]:
    """Return the files that say what a table of docs/results holds."""
    names = ("config.yaml", f"configs/{table.stem}_table.yaml", "configs/offline.yaml")
    return [REPOSITORY / name for name in names]


def stands(plan: Plan, run: PlannedRun) -> bool:
    """Whether this run ended by itself, by the same code and with the same parameters."""
    path = plan.layout.record(run.dataset, run.method, run.k, run.seed)
    if not path.is_file():
        return False
    method, record = plan.methods[run.method], io.read_json(path)
    settings = {name: value for name, value in record["params"].items() if name != "seed"}
    same = (record["hashes"]["code"], settings) == (method.code, method.params)
    return same and record["status"] != "killed"


def take_standing(plan: Plan, table: Path) -> None:
    """Append a row for every run that is there and has none."""
    known = {finished(each) for each in standing(table)}
    for run in plan.runs:
        if run.method != "random_labels" and finished(run) not in known and stands(plan, run):
            append(table, found := row(plan.layout, run))
            print(" ".join(str(value) for value in found.values()), flush=True)


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--configfile", type=Path, nargs="+", help="default: by the table's name")
    parser.add_argument("--summary", action="store_true", help="only write the table's summary")
    options = parser.parse_args()
    table = options.table.resolve()
    if options.summary:
        io.write_text(table.with_suffix(".md"), summary(table.stem, standing(table)))
        return
    os.chdir(REPOSITORY)
    take_standing(make_plan(read_config(options.configfile or configuration(table))), table)


if __name__ == "__main__":
    main()

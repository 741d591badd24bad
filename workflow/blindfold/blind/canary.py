"""Check that permuted labels change nothing that a method sees or does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blindfold.core import io
from blindfold.core.config import Config, read_config
from blindfold.core.layout import REPOSITORY, Layout
from blindfold.core.plan import Plan, PlannedRun, make_plan


@dataclass(frozen=True)
class Finding:
    """One comparison between the benchmark and its canary."""

    what: str
    same: bool
    note: str = ""


def canary(configfiles: list[Path], cores: str) -> int:
    """Run the benchmark and its canary and compare them byte by byte.

    Parameters
    ----------
    configfiles
        As for Snakemake: they extend config.yaml, later ones win.
    cores
        Cores for Snakemake.

    Returns
    -------
    int
        0 where nothing differs, 1 where a method has seen the labels.
    """
    files = [REPOSITORY / "config.yaml", *configfiles]
    config = read_config(files)
    plan = make_plan(Config.model_validate({**config.model_dump(by_alias=True), "canary": True}))
    for extra in ([], ["--config", "canary=True"]):
        subprocess.run(command(files, cores, extra), check=True)
    findings = list(compare(make_plan(config).layout, plan))
    leaks = [finding for finding in findings if not finding.same]
    _write(plan.layout, findings)
    for finding in leaks:
        print(f"LEAK  {finding.what}: {finding.note}")
    print(
        f"canary: {len(findings) - len(leaks)} of {len(findings)} comparisons identical "
        f"with permuted labels ({plan.layout.root / 'canary.csv'})"
    )
    return 1 if leaks else 0


def command(files: list[Path], cores: str, extra: list[str]) -> list[str]:
    """Return the command line of Snakemake that makes every run of a configuration."""
    return [
        sys.executable, "-m", "snakemake", "runs", "--snakefile", str(REPOSITORY / "Snakefile"),
        "--cores", cores, "--rerun-incomplete", "--quiet", "rules", "host", "reason",
        "--configfile", *map(str, (path.resolve() for path in files)), *extra,
    ]  # fmt: skip


def compare(real: Layout, plan: Plan) -> Iterator[Finding]:
    """Yield a finding for every input and every run of the canary.

    Parameters
    ----------
    real
        The benchmark.
    plan
        The canary's plan.
    """
    for dataset in plan.datasets:
        yield _compare_files(f"input of {dataset}", real.input(dataset), plan.layout.input(dataset))
        for kind, file in real.beside(dataset).items():
            if file.exists():
                yield _compare_files(
                    f"{kind} of {dataset}", file, plan.layout.beside(dataset)[kind]
                )
    for run in plan.runs:
        yield _compare_run(real, plan, run)


def _compare_run(real: Layout, plan: Plan, run: PlannedRun) -> Finding:
    """Compare one run: the same status, and the same clusters."""
    what = f"{run.method} on {run.dataset}, K {run.k}, seed {run.seed}"
    folders = [
        layout.run(run.dataset, run.method, run.k, run.seed) for layout in (real, plan.layout)
    ]
    states = [io.read_json(folder / "run.json")["status"] for folder in folders]
    if states[0] != states[1]:
        return Finding(what, False, f"status {states[0]} became {states[1]}")
    if states[0] != "ok":
        return Finding(what, True, f"status {states[0]} both times")
    files = [folder / "clusters.parquet" for folder in folders]
    if plan.methods[run.method].card.determinism == "bitwise":
        return _compare_files(what, *files)
    return _compare_partitions(what, *files)


def _compare_files(what: str, one: Path, other: Path) -> Finding:
    same = io.sha256(one) == io.sha256(other)
    return Finding(what, same, "" if same else f"{one} and {other} differ")


def _compare_partitions(what: str, one: Path, other: Path) -> Finding:
    """Compare partitions of a method that is not deterministic: they must agree beyond doubt."""
    from sklearn.metrics import adjusted_rand_score

    clusters = [io.read_parquet(path, ["cluster"])["cluster"] for path in (one, other)]
    agreement = float(adjusted_rand_score(*clusters))
    return Finding(what, agreement > 0.5, f"declared non-deterministic; agreement {agreement:.3f}")


def _write(layout: Layout, findings: list[Finding]) -> None:
    import pandas as pd

    io.write_csv(layout.root / "canary.csv", pd.DataFrame([vars(finding) for finding in findings]))

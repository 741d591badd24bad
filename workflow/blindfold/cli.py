"""The command line. Every step runs by hand with the code that the workflow's rules call.

Imports stand inside the commands: ``blindfold run`` must start quickly and needs little.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from blindfold.core.errors import BlindfoldError
from blindfold.core.io import explain_os_error
from blindfold.core.layout import Layout
from blindfold.core.log import setup
from blindfold.upkeep import upkeep

app = typer.Typer(
    help="A label-blind benchmark of graph neural clustering.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(upkeep)

Results = Annotated[Path, typer.Option(help="folder of a benchmark, such as results/demo")]
Cache = Annotated[Path, typer.Option(help="folder of downloads")]
ConfigFiles = Annotated[list[Path], typer.Option("--configfile", help="may be given several times")]


def _json(option: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BlindfoldError("not JSON", field=option, found=text) from error


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("blindfold"))
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option(help="show tracebacks")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    setup(verbose=debug)


@app.command()
def plan(
    configfile: ConfigFiles, out: Annotated[Path, typer.Option(help="a results folder")]
) -> None:
    """Write the resolved configuration and every planned run, as the workflow does first."""
    from dataclasses import replace

    from blindfold.core.config import read_config
    from blindfold.core.plan import make_plan, write_plan

    write_plan(replace(make_plan(read_config(configfile)), layout=Layout(out)))


@app.command()
def fetch(
    dataset: str,
    results: Results,
    cache: Annotated[Path | None, typer.Option(help="folder of downloads")] = None,
    mirror: Annotated[list[str] | None, typer.Option(help="folders or addresses")] = None,
    offline: Annotated[bool | None, typer.Option(help="never ask a URL")] = None,
) -> None:
    """Make a dataset's raw files available, checksum-verified; by its plan where there is one."""
    from blindfold.core.plan import planned_card, planned_sources
    from blindfold.fetch.fetch import fetch as step

    at = Layout(results)
    planned = planned_sources(at)
    card, mirror = planned_card(at, dataset), planned.mirror if mirror is None else mirror
    offline = planned.offline if offline is None else offline
    print(step(card, at.fetched(dataset), cache or planned.cache, mirror, offline))


@app.command()
def prepare(
    dataset: str,
    results: Results,
    permute_labels: Annotated[bool, typer.Option(help="for the canary alone")] = False,
) -> None:
    """Turn raw files into one standard AnnData with labels, in the vault."""
    from blindfold.core.plan import planned_card
    from blindfold.prepare.prepare import prepare as step

    at = Layout(results)
    print(step(dataset, planned_card(at, dataset), at, permute_labels))


@app.command()
def blind(
    dataset: str,
    results: Results,
    seed: Annotated[int, typer.Option(help="the benchmark's seed")] = 0,
) -> None:
    """Write what methods see, and hide the labels."""
    from blindfold.blind.blind import blind as step
    from blindfold.core.plan import planned_card

    at = Layout(results)
    print(step(dataset, planned_card(at, dataset), at, seed))


@app.command()
def run(
    method: Annotated[str, typer.Option(help="name or name@variant")],
    input: Annotated[Path, typer.Option(help="input.h5ad as `blindfold blind` writes it")],
    seed: Annotated[int, typer.Option(help="the integer that the method gets")],
    out: Annotated[Path, typer.Option(help="folder for run.json and the output")],
    clusters: Annotated[str, typer.Option(help="an integer, truth or estimate")] = "truth",
    repeat: Annotated[int, typer.Option(help="number of the repeat, for the record")] = 0,
    plan: Annotated[
        Path | None, typer.Option(help="plan.json, for what stands in it: parameters and the like")
    ] = None,
    params: Annotated[str, typer.Option(help="parameters as JSON")] = "{}",
    methods_path: Annotated[list[str] | None, typer.Option(help="folders of methods")] = None,
    minutes: Annotated[float, typer.Option(help="wall-clock limit")] = 20,
    cpu_minutes: Annotated[float | None, typer.Option(help="limit of processor time")] = None,
    memory_gb: Annotated[float, typer.Option(help="memory limit, GiB")] = 6,
    gpus: Annotated[int, typer.Option(help="devices to lease")] = 0,
    allow_cpu: Annotated[bool, typer.Option(help="fall back to the CPU")] = False,
    snapshots: Annotated[int, typer.Option(help="intermediate partitions to keep")] = 0,
    reuse: Annotated[
        list[str] | None, typer.Option(help="results folders whose finished runs are taken over")
    ] = None,
    sandbox: Annotated[str, typer.Option(help="auto, bwrap, landlock, tripwire or none")] = "auto",
    protection: Annotated[
        Path | None, typer.Option(help="as `blindfold protection --out` wrote it, instead")
    ] = None,
    hide: Annotated[
        list[Path] | None, typer.Option(help="raw data that the method must not open")
    ] = None,
    attempt: Annotated[int, typer.Option(help="number of this attempt")] = 1,
    last_attempt: Annotated[int, typer.Option(help="the last attempt that may follow")] = 1,
    record_only: Annotated[
        bool, typer.Option(help="exit 0 wherever a record is written, whatever it says")
    ] = False,
) -> None:
    """Run one method on one blinded dataset, isolated and limited, and record how it went.

    Exits 0 where it ended ok or does not apply, 3 where it failed.
    """
    from blindfold.run.request import Request, planned
    from blindfold.run.run import run as step

    request = Request(
        method=method, input=input, out=out, seed=seed, clusters=clusters, repeat=repeat,
        params=_json("--params", params), methods_path=tuple(methods_path or ["methods"]),
        minutes=minutes, cpu_minutes=cpu_minutes, memory_gb=memory_gb, gpus=gpus,
        allow_cpu=allow_cpu, snapshots=snapshots, reuse=tuple(reuse or []), sandbox=sandbox,
        protection=protection, hide=tuple(hide) if hide else None, attempt=attempt,
        last_attempt=last_attempt, record_only=record_only,
    )  # fmt: skip
    raise typer.Exit(step(request if plan is None else planned(request, plan)))


@app.command()
def why(run: Annotated[Path, typer.Argument(help="a folder such as RESULTS/runs/D/M/K/S")]) -> None:
    """Say what would make a run of a benchmark be done again."""
    from blindfold.run.why import why as step

    print("\n".join(step(run)))


@app.command()
def score(
    dataset: str,
    results: Results,
    method: Annotated[str, typer.Option(help="name or name@variant, or oracle")],
    run: Annotated[list[str] | None, typer.Option(help="K/seed, such as truth/0")] = None,
    metric: Annotated[list[str] | None, typer.Option(help="metrics; all by default")] = None,
) -> None:
    """Score the runs of one method on one dataset against the hidden labels."""
    from blindfold.score.oracle import oracle
    from blindfold.score.score import score as step

    if method == "oracle":
        oracle(Layout(results), dataset, metric or "all")
        return
    runs = [(k, int(seed)) for k, seed in (word.split("/") for word in run or [])]
    step(Layout(results), dataset, method, runs, metric or "all")


@app.command()
def compare(results: Results) -> None:
    """Write rankings, statistics and every other table."""
    from blindfold.compare.compare import compare as step
    from blindfold.compare.provenance import provenance

    step(Layout(results))
    provenance(Layout(results))


@app.command()
def figures(results: Results) -> None:
    """Draw every figure, each with the table it was drawn from."""
    from blindfold.compare.figures import draw_figures

    draw_figures(Layout(results))


@app.command()
def report(results: Results) -> None:
    """Write the report, one page that works without a network."""
    from blindfold.report.report import report as step

    step(Layout(results))
    print(Layout(results).report)


@app.command()
def rescore(results: Results) -> None:
    """Score and draw a finished benchmark again from what its runs left; nothing is run."""
    from blindfold.rescore import rescore as step

    step(Layout(results))
    print(Layout(results).report)


@app.command()
def publish(
    table: Annotated[Path, typer.Argument(help="a table such as docs/results/tissues.csv")],
    results: Annotated[list[Path], typer.Option(help="folders of finished benchmarks")] = [],  # noqa: B006
) -> None:
    """Join finished benchmarks into a table of the documentation, and say what it shows."""
    from blindfold.compare.publish import publish as step

    step(table, [Layout(folder) for folder in results])
    print(table)


@app.command()
def finish(results: Results) -> None:
    """Record runs that a scheduler killed, so that the workflow can go on without them."""
    from blindfold.core.plan import read_plan
    from blindfold.run.finish import finish as step

    written = step(read_plan(results))
    print("\n".join([*map(str, written), f"{len(written)} runs recorded as killed"]))


@app.command()
def canary(
    configfile: ConfigFiles = [],  # noqa: B006
    cores: Annotated[str, typer.Option(help="cores for Snakemake")] = "all",
) -> None:
    """Permute the labels, run everything again, and check that no method noticed."""
    from blindfold.blind.canary import canary as step

    raise typer.Exit(step(configfile, cores))


@app.command()
def methods(
    methods_path: Annotated[list[str] | None, typer.Option(help="folders of methods")] = None,
) -> None:
    """List the methods."""
    from blindfold.catalogue import list_methods

    list_methods(methods_path or ["methods"])


@app.command()
def datasets(
    results: Annotated[
        Path | None, typer.Option(help="a benchmark: say what became of its datasets")
    ] = None,
    mirror: Annotated[list[str] | None, typer.Option(help="folders or addresses")] = None,
    cache: Cache = Path("data"),
) -> None:
    """List the datasets, or those of one benchmark."""
    from blindfold.catalogue import list_datasets, list_prepared

    if results is None:
        list_datasets(cache, mirror or [])
    else:
        list_prepared(Layout(results))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="a file of your own: h5ad")],
    label: Annotated[str | None, typer.Option(help="column of obs that holds the classes")] = None,
) -> None:
    """Say what Blindfold sees in a file of your own, and what is wrong with it."""
    from blindfold.prepare.inspect_file import inspect

    findings, problems = inspect(file, label)
    for finding in findings:
        print(finding)
    for problem in problems:
        print(f"PROBLEM  {problem}")
    print("this file can be used" if not problems else f"{len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(help="a method, a dataset or a metric")],
    methods_path: Annotated[list[str] | None, typer.Option(help="folders of methods")] = None,
) -> None:
    """Print the card of a method, a dataset or a metric."""
    from blindfold.catalogue import explain as step

    step(name, methods_path or ["methods"])


def main() -> None:
    """Run the command line: one message for a problem that a user can mend, no traceback."""
    debug = "--debug" in sys.argv[1:]
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        app(["--debug", *sys.argv[1:]] if debug else None)
    except BlindfoldError as error:
        if debug:
            raise
        sys.exit(f"error: {error}")
    except OSError as error:
        if debug or (told := explain_os_error(error)) is None:
            raise
        sys.exit(f"error: {told}")


if __name__ == "__main__":
    main()

"""Time and memory of methods on synthetic data, each in a fresh process.

python benchmarks/methods.py --methods sctag scrcl scgnn --cells 2500 5000 10000 20000

Prints a line for each phase of training: median seconds per epoch and their growth per doubling of
the cells, and processor seconds; then set-up (start of the process to the first epoch), peak
memory and its growth above the idle process (what the method needs on a hundred cells). Writes a
plot beside what the public code of the authors needs. With --repeats every size is measured so
often, in turn, and the least seconds count: other tenants of a machine can only slow it down.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

from benchmarks.measure import GENES, in_child  # noqa: E402

HEADER = (
    f"{'method':<16}{'cells':>7}{'genes':>6}  {'phase':<12}{'s/epoch':>9}{'x2':>6}{'cpu s':>9}"
    f"{'set-up s':>10}{'wall s':>8}{'peak MiB':>10}{'idle':>6}{'x2':>6}"
)


IDLE_CELLS = 100


def doubling(times: float, value: float | None, last: float | None) -> float | None:
    """Return the factor by which a value grows when the cells double; None where unknown.

    Parameters
    ----------
    times
        By how much the cells have grown.
    value, last
        Now, and before they grew.
    """
    if times <= 1 or not last or not value or min(last, value) <= 0:
        return None
    return float((value / last) ** (1 / math.log2(times)))


def lines(row: dict[str, Any], last: dict[str, Any] | None) -> list[str]:
    """Format one measurement; ``last`` is that of the same method on the size before."""
    variant = "" if row["variant"] == "described" else f"@{row['variant']}"
    last = last or {**row, "phases": {}}
    times, idle = row["cells"] / last["cells"], row["idle_mb"]
    above = doubling(times, row["peak_mb"] - idle, last["peak_mb"] - idle)
    start = f"{row['method'] + variant:<16}{row['cells']:>7}{row['genes']:>6}  "
    end = (
        f"{_number(row['setup_s'], 10, 1)}{_number(row['wall_s'], 8, 1)}"
        f"{_number(row['peak_mb'], 10, 0)}{_number(idle, 6, 0)}{_number(above, 6, 2)}"
    )
    told = []
    for phase, seconds in (row["phases"] or {"-": None}).items():
        growth = doubling(times, seconds, last["phases"].get(phase))
        cpu = row["cpu_phases"].get(phase)
        numbers = (_number(seconds, 9, 4), _number(growth, 6, 2), _number(cpu, 9, 4))
        told.append(f"{phase:<12}" + "".join(numbers))
    return [start + told[0] + end, *(" " * len(start) + line for line in told[1:])]


def least(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge repeats of one measurement: the least of all seconds, the largest of all memory."""
    merged = dict(rows[0])
    for field in ("seconds_per_epoch", "setup_s", "wall_s"):
        merged[field] = _of(min, [row[field] for row in rows])
    for field in ("peak_mb", "peak_gpu_mb"):
        merged[field] = _of(max, [row[field] for row in rows])
    for field in ("phases", "cpu_phases"):
        names = dict.fromkeys(name for row in rows for name in row[field])
        merged[field] = {name: _of(min, [row[field].get(name) for row in rows]) for name in names}
    return merged


def _of(choose: Callable[[list[float]], float], values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return choose(known) if known else None


def _number(value: float | None, width: int, digits: int) -> str:
    return f"{'-' if value is None else f'{value:.{digits}f}':>{width}}"


def main() -> None:
    """Measure what the command line asks for, print a table, draw it and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--methods", nargs="+", required=True, help="names, or name@variant")
    parser.add_argument("--cells", nargs="+", type=int, required=True)
    parser.add_argument(
        "--epochs", type=int, default=8, help="of each phase, and two rounds; 0: as published"
    )
    parser.add_argument("--repeats", type=int, default=1, help="measurements; the least count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--modality", choices=list(GENES), help="of methods that run on both")
    parser.add_argument("--image", action="store_true", help="tissues have a drawn section")
    parser.add_argument("--params", type=json.loads, help="of the methods, JSON", default={})
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument(
        "--plot",
        type=Path,
        default=Path("results/benchmarks/methods"),
        help="write pdf, png, svg and csv of this name",
    )
    options = parser.parse_args()
    print(HEADER)
    rows: list[dict[str, Any]] = []
    for name in options.methods:
        settings = (
            options.threads, options.modality, options.device, options.params, options.image
        )  # fmt: skip
        idle_mb = in_child(name, IDLE_CELLS, 1, *settings)["peak_mb"]
        sizes = sorted(options.cells)
        repeats = [
            [in_child(name, cells, options.epochs, *settings) for cells in sizes]
            for _ in range(options.repeats)
        ]
        last = None
        for found in zip(*repeats, strict=True):
            row = least(list(found)) | {"idle_mb": idle_mb}
            print("\n".join(lines(row, last)), flush=True)
            rows.append(row)
            last = row
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    from benchmarks.plot import plot

    print(f"plot: {plot(rows, options.plot)}")


if __name__ == "__main__":
    main()

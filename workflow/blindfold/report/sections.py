"""What each section of the page says, apart from the tables."""

from __future__ import annotations

from collections import Counter
from typing import Any

from blindfold.core.protections import WALLS, in_a_table
from blindfold.report.cells import Rows, method_name, values_of


def overview(runs: Rows, ranking: Rows) -> dict[str, Any]:
    """Count what ran.

    Returns
    -------
    dict
        Numbers of datasets, methods and runs, and how many runs ended how.
    """
    counts = Counter(row["status"] for row in runs)
    methods = {method_name(row) for row in runs}
    controls = {method_name(row) for row in ranking if row["control"] == "True"}
    return {
        "datasets": len(values_of(runs, "dataset")),
        "methods": len(methods - controls),
        "controls": len(methods & controls),
        "runs": len(runs),
        "ok": counts["ok"],
        "failed": len(runs) - counts["ok"] - counts["unavailable"],
        "unavailable": counts["unavailable"],
        "statuses": dict(sorted(counts.items())),
    }


def protection(runs: Rows) -> list[str]:
    """Return under which protection how many runs were started."""
    words = {in_a_table(wall): told for wall, told in WALLS.items()}
    counts = Counter(row["sandbox"] for row in runs if row["sandbox"])
    return [f"{words.get(kind, kind)}: {n} runs" for kind, n in sorted(counts.items())]


def verdicts(ranking: Rows) -> dict[str, list[str]]:
    """Return for each dataset the methods that do not beat (smoothed) PCA with k-means."""
    beaten: dict[str, list[str]] = {}
    for row in ranking:
        if row["dataset"] != "overall" and row["beats_smoothed_pca"] == "False":
            beaten.setdefault(row["dataset"], []).append(method_name(row))
    return {dataset: list(dict.fromkeys(names)) for dataset, names in beaten.items()}


def provenance(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what provenance says, as pairs of heading and value."""
    git, hardware = facts["repository"], facts["hardware"]
    state = {True: " with uncommitted changes", False: "", None: ""}[git["dirty"]]
    pairs = [
        ("Commit", (git["commit"] or "unknown: no git") + state),
        ("Python", facts["versions"]["python"]),
        ("System", hardware["system"]),
        ("Processor", f"{hardware['cpu']}, {hardware['cores']} cores"),
        ("Memory", f"{hardware['memory_gb']} GiB"),
        ("Devices used", ", ".join(hardware["devices"] + hardware["gpus"]) or "none"),
        ("Nodes", ", ".join(hardware["nodes"]) or "this machine"),
    ]
    pairs += [(f"Environment {file}", digest) for file, digest in facts["environments"].items()]
    inputs = {name: sums["input.h5ad"] for name, sums in facts["inputs"].items()}
    return pairs + [(f"Input {name}", digest or "missing") for name, digest in inputs.items()]

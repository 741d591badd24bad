"""Why steps of a workflow failed: a line each, for the end of the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_FAILED = re.compile(r"^Error in (?:group|rule) (\w+)", re.MULTILINE)
_LOG = re.compile(r"^\s+log: (.+?)(?: \(check log file\(s\) for error details\))?$", re.MULTILINE)


def reasons(workflow_log: Path) -> list[str]:
    """
    Return a line for each step that failed: its name, the reason, and where its log lies.

    Parameters
    ----------
    workflow_log
        What Snakemake wrote. The last attempt of a step tells.
    """
    try:
        text = workflow_log.read_text(errors="replace")
    except OSError:
        return []
    told: dict[str, str] = {}
    for step, part in _parts(text):
        found = _LOG.search(part)
        log = Path(found[1].split(", ")[0]) if found else None
        reason = _last_error(log) if log is not None else "see above"
        told[f"{step} {log or ''}"] = f"failed: {step}: {reason} (log: {log or workflow_log})"
    return list(told.values())


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield each failed step with what Snakemake says of it."""
    starts = list(_FAILED.finditer(text))
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        yield start[1], text[start.end() : end.start() if end else None]


def _last_error(log: Path) -> str:
    """Return the last error of a log in one line, else its last line."""
    try:
        lines = log.read_text(errors="replace").rstrip().splitlines()
    except OSError:
        return "it left no log"
    starts = [place for place, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        return lines[-1].strip() if lines else "its log is empty"
    return "; ".join(line.strip() for line in lines[starts[-1] :]).removeprefix("error: ")

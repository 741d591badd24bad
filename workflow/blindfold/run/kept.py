"""Finished runs that need not be done again: the run's own, or one of another benchmark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.run_files import KEPT, OUTPUTS, RECORD_SCHEMA, changed_outputs
from blindfold.run import outputs
from blindfold.run.leavings import Refused
from blindfold.run.request import ResolvedRequest

_FINAL = ("ok", "crash")
"""What the same code does again. Time, memory and what ended a run from outside may differ, and
what is invalid the supervisor decides, whose code may have changed."""

_IDENTITY = ("dataset", "method", "variant", "k", "seed")


def finished(resolved: ResolvedRequest, key: str) -> dict[str, Any] | None:
    """
    Return the record of a finished run of the same key, its files in place; None without one.

    An answer that was accepted is looked at again, by the code that would accept it now.

    Parameters
    ----------
    resolved
        The run.
    key
        Hash of all that decides its result.
    """
    out = resolved.request.out
    record = _with_key(out / KEPT, key)
    if record is None:
        found = next(_elsewhere(resolved, key), None)
        if found is None:
            return None
        folder, record = found
        outputs.remove_outputs(out)
        for name in (each for each in OUTPUTS if each in record["outputs"]):
            with io.atomic(out / name) as temporary:
                shutil.copyfile(folder / name, temporary)
        origin = record.get("reused_from") or str(folder)
        record |= {name: resolved.initial_record[name] for name in _IDENTITY}
        record["reused_from"] = origin
    if changed_outputs(out, record):
        return None
    return _looked_at_again(resolved, record)


def _with_key(path: Path, key: str) -> dict[str, Any] | None:
    """Read a record; None where it is not there, damaged, of another form, or of another key."""
    try:
        record: dict[str, Any] = io.read_json(path)
        same = record["key"] == key and record["schema"] == RECORD_SCHEMA
        return record if same and record["status"] in _FINAL else None
    except (BlindfoldError, OSError, KeyError, TypeError):
        return None


def _elsewhere(resolved: ResolvedRequest, key: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield finished runs of the key in other results folders.

    Dataset, method and repeat decide the seed and so are the same there.
    """
    request, dataset = resolved.request, resolved.initial_record["dataset"]
    for results in request.reuse:
        pattern = f"{dataset}/{request.method}/*/{request.repeat}/run.json"
        for path in sorted((Path(results) / "runs").glob(pattern)):
            record = _with_key(path, key)
            if record is not None and not changed_outputs(path.parent, record):
                yield path.parent, record


def _looked_at_again(resolved: ResolvedRequest, record: dict[str, Any]) -> dict[str, Any]:
    if record["status"] == "ok":
        try:
            outputs.check_kept(resolved.request.out, outputs.expected(resolved))
        except Refused as error:
            outputs.remove_outputs(resolved.request.out)
            return {**record, "status": "invalid", "reason": str(error), "n_clusters": None,
                    "outputs": {}}  # fmt: skip
    return record

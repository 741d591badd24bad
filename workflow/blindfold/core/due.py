"""What makes the output of a step due again, beside the files that it reads.

The code of ours that it runs, the libraries that it runs with, and what the cards say of its work:
one hash for each. What cannot matter is in none: comments and docstrings, limits, mirrors, and what
is hidden from methods.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.code_hash import step_hash
from blindfold.core.content import content
from blindfold.core.datasets import DatasetCard, dataset_card, raw_files
from blindfold.core.layout import ENVIRONMENTS
from blindfold.core.plan import Plan, PlannedMethod, written_plan

_TOLD = {"title", "organism", "tissue", "paper", "doi", "licence", "verified", "reason", "tags"}
"""What a dataset's card tells people, and no step computes with."""


def fetched(plan: Plan, dataset: str) -> str:
    """Return the hash for ``fetched.json``: the content of own files is in it.

    What was downloaded is pinned, by its card or by the lockfile of the cache.
    """
    files = raw_files(plan.datasets[dataset])
    asked = [file.model_dump(mode="json", exclude={"by_hand"}) for file in files]
    seen = [content(Path(file.local)) for file in files if file.local is not None]
    return _hash(step_hash("fetch/fetch.py"), lock("main"), asked, seen)


def prepared(plan: Plan, dataset: str) -> str:
    """Return the hash for ``prepared.h5ad``: of readers, only those of its card count."""
    cards = list(_with_sections(plan.datasets[dataset]))
    readers = sorted({f"prepare/readers/{card.reader}.py" for card in cards if card.reader})
    code = step_hash("prepare/prepare.py", readers)
    said = [card.model_dump(mode="json", exclude=_said_only(card)) for card in cards]
    return _hash(code, lock("main"), said, plan.config.canary)


def blinded(plan: Plan, dataset: str) -> str:
    """Return the hash for the blinded input and the truth, beside which the whole card is told."""
    said = plan.datasets[dataset].model_dump(mode="json")
    return _hash(step_hash("blind/blind.py"), lock("main"), said, plan.config.seed)


def accepted() -> str:
    """Return the hash of what decides whether an answer is accepted: kept ones are checked again.

    The rest of the supervisor is not in it: a run is the same however it was watched.
    """
    return step_hash("run/outputs.py")


def scored(plan: Plan) -> str:
    """Return the hash for the scores of a method on a dataset."""
    code = step_hash("score/score.py", ["score/oracle.py", "score/metrics/*.py"])
    return _hash(code, lock("main"), plan.config.canary)


def compared(plan: Plan) -> str:
    """Return the hash for tables: what was planned, and names and marks of all cards."""
    methods = [(name, _told_of(method)) for name, method in plan.methods.items()]
    code = step_hash("compare/compare.py", ["compare/provenance.py", "compare/tables/*.py"])
    return _hash(code, lock("main"), written_plan(plan), methods)


def drawn() -> str:
    """Return the hash for figures."""
    found = ["compare/figures/*.py", "compare/*.mplstyle"]
    return _hash(step_hash("compare/figures/__init__.py", found), lock("main"))


def reported() -> str:
    """Return the hash for the page."""
    found = ["report/*.html", "report/*.js", "report/*.css"]
    return _hash(step_hash("report/report.py", found), lock("main"))


@functools.cache
def lock(environment: str) -> str | None:
    """Return the hash of what is locked for an environment; None without a lock."""
    path = ENVIRONMENTS / f"{environment}.lock.txt"
    return io.sha256(path) if path.is_file() else None


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _with_sections(card: DatasetCard) -> Iterator[DatasetCard]:
    yield card
    for name in card.sections:
        yield from _with_sections(dataset_card(name))


def _said_only(card: DatasetCard) -> set[str]:
    """Return the fields that do not count; a degraded dataset is drawn by its title."""
    return _TOLD if card.degrade is None else _TOLD - {"title"}


def _told_of(method: PlannedMethod) -> tuple[str, dict[str, Any]]:
    return method.folder.name, method.card.model_dump(mode="json")

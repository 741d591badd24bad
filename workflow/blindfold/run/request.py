"""What to run, resolved against the cards and the input."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from blindfold.core import io, methods
from blindfold.core.code_hash import code_hash
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import BESIDE, REPOSITORY
from blindfold.run import record, validate

CHECKPOINT_S = 180.0
"""Seconds between two checkpoints of a run."""


@dataclass(frozen=True)
class Request:
    """What to run and within which limits; see `blindfold run --help`."""

    method: str
    input: Path
    out: Path
    seed: int
    clusters: str = "truth"
    repeat: int = 0
    params: dict[str, Any] = field(default_factory=dict)
    methods_path: tuple[str, ...] = ("methods",)
    minutes: float = 20
    memory_gb: float = 6
    gpus: int = 0
    allow_cpu: bool = False
    snapshots: int = 0
    sandbox: str = "auto"
    protection: Path | None = None
    hide: tuple[Path, ...] | None = None
    attempt: int = 1
    last_attempt: int = 1
    checkpoint_s: float = CHECKPOINT_S
    cpu_minutes: float | None = None
    reuse: tuple[str, ...] = ()
    record_only: bool = False


def planned(request: Request, plan: Path) -> Request:
    """Return a request with what the plan of its benchmark says of its method.

    Raises
    ------
    BlindfoldError
        Where an older version wrote the plan.
    """
    written = io.read_json(plan)
    if "params" not in written:
        raise BlindfoldError(
            "written by an older version", file=plan, field="params", found="no such key",
            remedy="start the workflow on this benchmark: it writes another",
        )  # fmt: skip
    config = written["config"]
    return replace(
        request,
        params=written["params"][request.method],
        methods_path=tuple(config["methods_path"]),
        allow_cpu=config["limits"]["allow_cpu"],
        cpu_minutes=config["limits"]["cpu_minutes"],
        snapshots=config["snapshots"],
        # a canary that takes over finished runs would have seen nothing
        reuse=() if config["canary"] else tuple(config["reuse"]),
        hide=tuple(map(Path, written["hidden"])),
    )


@dataclass(frozen=True)
class ResolvedRequest:
    """A request with the method's card and parameters and the facts about the input."""

    request: Request
    folder: Path
    card: methods.MethodCard
    params: dict[str, Any]
    facts: dict[str, Any]
    cells: list[str]
    has_coordinates: bool
    n_clusters: int | None

    @property
    def task(self) -> str:
        """What the dataset asks for."""
        return str(self.facts.get("task", "clustering"))

    @property
    def impute(self) -> bool:
        """Whether the method is to impute."""
        return self.task == "imputation"

    @cached_property
    def initial_record(self) -> dict[str, Any]:
        """The fields of the record that are known before the run."""
        request = self.request
        return record.initial_record(
            dataset=self.facts.get("dataset", request.input.parent.name), method=request.method,
            k=request.clusters, repeat=request.repeat, params=self.params, seed=request.seed,
            threads=self.card.resources.threads, code=code_hash(self.folder),
            input_hash=self.facts.get("input_sha256") or io.sha256(request.input),
            n_clusters=self.n_clusters, attempt=request.attempt,
        )  # fmt: skip


def resolve(request: Request) -> ResolvedRequest:
    """Look up the method's card and the facts about the input, and check both.

    Raises
    ------
    BlindfoldError
        For an unknown method or parameter, a damaged input, or an impossible number of clusters.
    """
    name, variant = methods.split_variant(request.method)
    folder = methods.method_folder(name, list(request.methods_path))
    card = methods.method_card(folder)
    params = methods.fill_params(card, variant, request.params, folder / "method.yaml")
    cells, has_coordinates = validate.read_cells(request.input)
    facts = _facts(request.input)
    k = _number_of_clusters(request.clusters, len(cells), facts, request.input)
    return ResolvedRequest(request, folder, card, params, facts, cells, has_coordinates, k)


def _facts(path: Path) -> dict[str, Any]:
    """Return the dataset's card.json, where there is one, after checking the input against it."""
    card = path.parent / "card.json"
    facts: dict[str, Any] = io.read_json(card) if card.exists() else {}
    for kind, name in {"input": path.name, **BESIDE}.items():
        file, expected = path.parent / name, facts.get(f"{kind}_sha256")
        found = io.sha256(file) if file.is_file() else "no file"
        if expected is not None and found != expected:
            raise BlindfoldError(
                "the input is damaged or was changed", file=file, found=found,
                expected=f"sha256 {expected} (card.json)", remedy=f"delete {path} and run again",
            )  # fmt: skip
    return facts


def _number_of_clusters(word: str, cells: int, facts: dict[str, Any], path: Path) -> int | None:
    """Return K for the method: None means that it must estimate K."""
    if word == "estimate":
        return None
    if word == "truth":
        if "n_clusters" in facts:
            known: int | None = facts["n_clusters"]
            return known
        raise BlindfoldError(
            "the number of classes is not known", file=path.parent / "card.json",
            field="n_clusters", remedy="give --clusters an integer or estimate",
        )  # fmt: skip
    if not word.isdigit() or not 2 <= int(word) <= cells:
        raise BlindfoldError(
            "impossible number of clusters", field="clusters", found=word,
            expected=f"an integer from 2 to {cells} (the cells of {path}), truth or estimate",
        )  # fmt: skip
    return int(word)


def why_unavailable(resolved: ResolvedRequest) -> str | None:
    """Return why the method cannot run here, or None where it can."""
    card, request = resolved.card, resolved.request
    if resolved.task not in card.tasks:
        return f"made for {', '.join(card.tasks)}; this dataset is for {resolved.task}"
    modality = resolved.facts.get("modality", "spatial" if resolved.has_coordinates else "scrna")
    if modality not in card.modalities:
        return f"runs on {', '.join(card.modalities)} data; this dataset is {modality}"
    if "coordinates" in card.needs and not resolved.has_coordinates:
        return "needs coordinates; this dataset has none"
    if "image" in card.needs and not (request.input.parent / BESIDE["image"]).exists():
        return "needs an image; this dataset has none"
    if "counts" in card.needs and resolved.facts.get("values", "counts") != "counts":
        return "needs counts; this dataset holds normalised expression"
    if interpreter(card.environment) is None:
        return f"its environment {card.environment!r} is not installed"
    return None


def interpreter(environment: str) -> Path | None:
    """Return the Python of an environment, or None where it is not installed."""
    if environment == "main":
        return Path(sys.executable)
    python = REPOSITORY / ".venvs" / environment / "bin" / "python"
    return python if python.exists() else None

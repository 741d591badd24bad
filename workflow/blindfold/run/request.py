"""What is to be run, resolved against the cards and the input."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blindfold.core import io, methods
from blindfold.core.code_hash import code_hash
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import BESIDE, REPOSITORY
from blindfold.run import record, validate
from blindfold.run.lease import scheduler

CHECKPOINT_S = 180.0
"""Seconds between two states that a run keeps for the case that it is killed."""


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
    hide: tuple[Path, ...] | None = None
    attempt: int = 1
    last_attempt: int = 1
    checkpoint_s: float = CHECKPOINT_S


@dataclass(frozen=True)
class Prepared:
    """A request, resolved against the cards and the input."""

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

    def blank(self) -> dict[str, Any]:
        """Return the fields of the record that are known before the run."""
        request = self.request
        method, variant = methods.split_variant(request.method)
        return {
            **record.FIELDS_WITHOUT_RUN,
            "dataset": self.facts.get("dataset", request.input.parent.name),
            "method": method,
            "variant": variant,
            "k": request.clusters,
            "seed": request.repeat,
            "params": {**self.params, "seed": request.seed},
            "n_clusters": self.n_clusters,
            "threads": self.card.resources.threads,
            "attempt": request.attempt,
            "scheduler": scheduler(),
            "log_tail": "",
            "lease": [],
            "sandbox": None,
            "versions": {},
            "notes": {},
            "hashes": {
                "input": self.facts.get("input_sha256") or io.sha256(request.input),
                "code": code_hash(self.folder),
                "environment": None,
            },
            "started": record.now(),
            "ended": record.now(),
            "reason": None,
        }


def resolve(request: Request) -> Prepared:
    """Resolve a request.

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
    return Prepared(request, folder, card, params, facts, cells, has_coordinates, k)


def _facts(path: Path) -> dict[str, Any]:
    """Return the dataset's card.json, where there is one, after checking the input against it."""
    beside = path.parent / "card.json"
    facts: dict[str, Any] = io.read_json(beside) if beside.exists() else {}
    for kind, name in {"input": path.name, **BESIDE}.items():
        file, expected = path.parent / name, facts.get(f"{kind}_sha256")
        found = io.sha256(file) if file.is_file() else "no file"
        if expected is not None and found != expected:
            raise BlindfoldError(
                "the input is damaged or was changed",
                file=file,
                found=found,
                expected=f"sha256 {expected} (card.json)",
                remedy=f"delete {path} and run again",
            )
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
            "the number of classes is not known",
            file=path.parent / "card.json",
            field="n_clusters",
            remedy="give --clusters an integer or estimate",
        )
    if not word.isdigit() or not 2 <= int(word) <= cells:
        raise BlindfoldError(
            "impossible number of clusters",
            field="clusters",
            found=word,
            expected=f"an integer from 2 to {cells} (the cells of {path}), truth or estimate",
        )
    return int(word)


def unavailable(prepared: Prepared) -> str | None:
    """Return why the method cannot run here, or None where it can."""
    card, request = prepared.card, prepared.request
    if prepared.task not in card.tasks:
        return f"made for {', '.join(card.tasks)}; this dataset is for {prepared.task}"
    modality = prepared.facts.get("modality", "spatial" if prepared.has_coordinates else "scrna")
    if modality not in card.modalities:
        return f"runs on {', '.join(card.modalities)} data; this dataset is {modality}"
    if "coordinates" in card.needs and not prepared.has_coordinates:
        return "needs coordinates; this dataset has none"
    if "image" in card.needs and not (request.input.parent / BESIDE["image"]).exists():
        return "needs an image; this dataset has none"
    if "counts" in card.needs and prepared.facts.get("values", "counts") != "counts":
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

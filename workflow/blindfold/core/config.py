"""The typed configuration of a benchmark."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from blindfold.core import io
from blindfold.core.datasets import Modality, Quality, Repair
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict, override


class Limits(Strict):
    """What one run may use."""

    minutes: float = Field(20, gt=0, description="wall-clock limit of one run")
    memory_gb: float = Field(6, gt=0, description="memory limit of one run's process tree, GiB")
    cpu_minutes: float | None = Field(
        None, gt=0, description="limit of one run's processor time, where other work may slow it"
    )
    gpus: int = Field(
        0, ge=0, description="most devices a run gets; methods that use none get none"
    )
    allow_cpu: bool = Field(
        False, description="compute on the CPU where a device is leased but CUDA does not answer"
    )


class MethodEntry(Strict):
    """A method of the benchmark, with what differs from the benchmark's settings."""

    name: str = Field(description="sctag, or sctag@released for a variant")
    seeds: int | None = Field(None, ge=1, description="number of repeats")
    params: dict[str, Any] = Field({}, description="parameters that differ from the method's card")
    gpus: int | None = Field(None, ge=0, description="devices asked for, instead of the card's")
    minutes: float | None = Field(None, gt=0, description="wall-clock limit")
    memory_gb: float | None = Field(None, gt=0, description="memory limit, GiB")


def _entry(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class OwnData(Strict):
    """A file of the user's."""

    id: Id
    path: str = Field(description="an h5ad; relative paths count from the repository root")
    label: str | None = Field(None, description="column of obs; without it no truth is scored")
    batch: str | None = Field(None, description="column of obs")
    layer: str = Field("X", description="where the counts are: X, raw, or the name of a layer")
    modality: Modality | None = Field(
        None, description="spatial where obsm has 'spatial', unless given"
    )
    image_features: str | None = Field(
        None, description="of a tissue: table of features of the image, a row a spot, name first"
    )
    values: Literal["counts", "expression"] = "counts"
    quality: Quality = Quality()
    repair: Repair = Repair()


class DerivedData(Strict):
    """A dataset made from another: other options of its reader, made worse, or masked.

    One value may be a list: then it is a series, a dataset for each.
    """

    source: str = Field(alias="from", description="id of a dataset card")
    id: Id | None = Field(None, description="default: from-key-value")
    options: dict[str, Any] = Field({}, description="options of the reader that differ")
    degrade: dict[str, Any] = Field({}, description="a step of a robustness ladder")
    mask: float | list[float] | None = Field(
        None, description="share of the non-zero entries to hold out: the task is imputation"
    )
    genes: int | None = Field(
        None, description="with mask: variable genes that stay, 2000 unless given"
    )

    @model_validator(mode="after")
    def _masked(self) -> DerivedData:
        if self.genes is not None and self.mask is None:
            raise ValueError("genes goes with mask: it says how many stay after the mask")
        return self


def _kind(value: Any) -> str:
    """Tell the three kinds of entry apart, so that errors speak of the kind that was meant."""
    if isinstance(value, DerivedData) or (isinstance(value, dict) and "from" in value):
        return "DerivedData"
    return "OwnData" if isinstance(value, dict | OwnData) else "Id"


Dataset = Annotated[
    Annotated[str, Tag("Id")]
    | Annotated[OwnData, Tag("OwnData")]
    | Annotated[DerivedData, Tag("DerivedData")],
    Discriminator(_kind),
]
Method = Annotated[MethodEntry, BeforeValidator(_entry, json_schema_input_type=str | MethodEntry)]
Clusters = Literal["truth", "estimate", "sweep"] | Annotated[int, Field(ge=2)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


def _expand(text: str) -> str:
    """Replace ``${VARIABLE}`` and ``${VARIABLE:-default}``, as a shell does."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda m: os.environ.get(m[1]) or m[2] or "", text)


Mirror = Annotated[str, AfterValidator(_expand), Field(min_length=1)]


class Config(Strict):
    """A benchmark: datasets x methods x K x seeds, and what each run may use."""

    name: Name = Field(description="results go to results/<name>")
    datasets: list[Dataset] = Field(
        min_length=1,
        description="ids of cards; {id, path, label}; {from, options, degrade, mask}",
    )
    methods: Literal["all"] | Annotated[list[Method], Field(min_length=1)] = Field(
        description="names of methods, name@variant, or mappings; or all"
    )
    seeds: int = Field(3, ge=1, description="repeats of each method")
    seed: int = Field(0, ge=0, description="the benchmark's seed, from which each job's is derived")
    clusters: list[Clusters] = Field(
        ["truth"], min_length=1, description="truth, estimate, sweep (2 to 2 x classes) or integers"
    )
    snapshots: int = Field(0, ge=0, description="intermediate partitions to keep per run")
    limits: Limits = Limits()
    sandbox: Literal["auto", "none", "tripwire", "landlock", "bwrap"] = Field(
        "auto", description="auto: bwrap where it works, else landlock, else the tripwire alone"
    )
    mirror: list[Mirror] = Field(
        [], description="folders or addresses tried before a URL; ${VARIABLE:-default} is replaced"
    )
    offline: bool = Field(False, description="never ask a URL")
    cache: str = Field("data", description="folder of downloads, shared between benchmarks")
    methods_path: list[str] = Field(["methods"], min_length=1, description="folders of methods")
    metrics: Literal["all"] | list[str] = Field("all", description="names of metrics")
    reuse: list[str] = Field(
        [], description="results folders of other benchmarks whose finished runs are taken over"
    )
    canary: bool = Field(
        False, description="permute the labels before blinding; set by the canary alone"
    )


DEFAULT_FILE = "config.yaml"


def check_config(value: dict[str, Any], file: Path | str = DEFAULT_FILE) -> Config:
    """Return the typed configuration.

    Raises
    ------
    BlindfoldError
        With the field, what was found, what was expected and the nearest valid key.
    """
    return io.validate(Config, value, file)


def read_config(paths: list[Path]) -> Config:
    """Read configuration files; keys of later files replace those of earlier ones."""
    return check_config(reduce(override, map(io.read_yaml, paths)), paths[-1])


def in_its_file(error: BlindfoldError, files: Sequence[Path | str]) -> BlindfoldError:
    """Name the configuration file in which the key of an error stands.

    Parameters
    ----------
    error
        What is wrong; nothing changes where it names another file already.
    files
        The files that make up the configuration; the first that has the key is named, and the
        first of all where none has it.
    """
    if error.field is not None and error.file in (None, DEFAULT_FILE):
        key = re.split(r"[.:]", error.field)[0]
        known = (file for file in files if key in io.read_yaml(Path(file)))
        error.file = next(known, files[0])
    return error

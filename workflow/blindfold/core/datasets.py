"""Dataset cards: what a dataset is, where its files come from, what it must look like."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from blindfold.core import io
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.core.layout import DATASETS
from blindfold.core.strict import Strict, override

Modality = Literal["scrna", "spatial"]
Positive = Annotated[int, Field(gt=0)]
IMAGE_FEATURES = "image_features"
"""Role of the file that holds a user's features of the image, and their place in ``obsm``."""


class RawFile(Strict):
    """One raw file of a dataset: packaged, behind an address, on this machine, or to be brought."""

    path: str = Field(description="name in the cache and in mirrors; for a package, path inside it")
    role: str = Field(description="what the reader uses it for")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    git_blob: str | None = Field(
        None, pattern=r"^[0-9a-f]{40}$", description="git's blob id, where only that is known"
    )
    bytes: Positive | None = None
    package: str | None = Field(None, description="installed package that contains the file")
    url: str | None = Field(None, description="where it is downloaded from")
    local: str | None = Field(None, description="a file of the user's, read where it lies")
    by_hand: str | None = Field(
        None, description="where no address is known: what to get, and from where"
    )
    members: dict[str, str] = Field(
        {}, description="of an archive (zip, tar): role of each member that is unpacked -> its path"
    )
    unpacked_bytes: Positive | None = Field(
        None, description="most bytes that its members may hold; by default 100 x bytes"
    )

    @model_validator(mode="after")
    def _one_source(self) -> RawFile:
        sources = (self.package, self.url, self.local, self.by_hand)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("exactly one of package, url, local and by_hand")
        return self


class LabelFile(Strict):
    """A table of labels, joined to the cells by name."""

    role: str = Field("labels", description="role of the file: csv or tsv, gzip allowed")
    key: str | None = Field(None, description="column of cell names; default: the first column")
    header: bool = Field(True, description="whether the first line names the columns")
    where: dict[str, str] = Field({}, description="keep the rows in which a column has this value")
    unmatched: Literal["refuse", "report"] = Field(
        "refuse", description="cells without a row, or rows without a cell"
    )


class Label(Strict):
    """The hidden classes."""

    column: str = Field(description="column of obs, or of the file")
    more: list[str] = Field([], description="further label columns: label_2, label_3 ...")
    missing: list[str] = Field([], description="values that mean: no label")
    merge: dict[str, str] = Field({}, description="classes that cannot be told apart: old -> new")
    order: list[str] = Field([], description="the classes in their natural order, such as layers")
    file: LabelFile | None = Field(None, description="where the columns are not in obs")


def _label(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class Quality(Strict):
    """Label-free filters, cells first."""

    min_genes: int = Field(0, ge=0, description="genes that a cell must have")
    min_cells: int = Field(0, ge=0, description="cells that a gene must be seen in")


class Repair(Strict):
    """What is done about flaws of the raw data; refused unless the card says otherwise."""

    duplicate_genes: Literal["refuse", "sum", "first"] = "refuse"
    duplicate_cells: Literal["refuse", "first"] = "refuse"
    empty_cells: Literal["refuse", "drop"] = "refuse"
    missing_values: Literal["refuse", "zero"] = "refuse"
    duplicate_spots: Literal["refuse", "keep"] = Field(
        "refuse", description="several cells at one position"
    )


class Expected(Strict):
    """What the prepared dataset must have; what is not given is not checked."""

    cells: Positive | None = None
    genes: Positive | None = None
    classes: Positive | None = Field(None, description="classes among labelled cells")
    labelled: int | None = Field(None, ge=0, description="cells with a label")
    class_sizes: dict[str, Positive] | None = None


class Degradation(Strict):
    """One step of a robustness ladder: the same dataset, made worse on purpose."""

    thin: float | None = Field(None, gt=0, le=1, description="share of counts that is kept")
    dropout: float | None = Field(None, ge=0, lt=1, description="share of entries that is lost")
    genes: float | None = Field(None, gt=0, le=1, description="share of genes that is kept")
    cells: float | None = Field(None, gt=0, le=1, description="share of cells that is kept")
    jitter: float | None = Field(None, ge=0, description="noise of coordinates, in pitches")
    shuffle: float | None = Field(
        None, ge=0, le=1, description="share of cells that exchange their coordinates"
    )
    merge_batches: bool = Field(False, description="hide which batch a cell belongs to")
    seed: int = Field(0, ge=0)


class Mask(Strict):
    """Entries that methods do not see and are asked to guess: the imputation task."""

    share: float = Field(gt=0, lt=1, description="chance of each non-zero entry to be held out")
    genes: Positive = Field(
        2000, description="genes that stay: of largest variance after the mask; all where fewer"
    )


def _requires_all_or_extends(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["extends"]}]


class DatasetCard(Strict):
    """``workflow/datasets/<id>.yaml``."""

    model_config = ConfigDict(json_schema_extra=_requires_all_or_extends)

    extends: str | None = Field(
        None, exclude=True, description="id of the card that holds for whatever is not stated here"
    )
    title: str
    organism: str
    tissue: str
    technology: str
    modality: Modality
    paper: str
    doi: str | None = None
    licence: str
    verified: bool = Field(True, description="whether files and facts were checked")
    reason: str | None = Field(None, description="why it is not verified")
    files: list[RawFile] = []
    sections: list[str] = Field(
        [], description="a joint dataset of these, with the section as batch; instead of a reader"
    )
    reader: str | None = Field(None, description="module of blindfold.prepare.readers")
    options: dict[str, Any] = Field({}, description="options of the reader")
    label: Annotated[
        Label | None, BeforeValidator(_label, json_schema_input_type=str | Label | None)
    ] = Field(None, description="the hidden classes: a column of obs, or more about them")
    batch: str | None = Field(None, description="obs column of batches")
    unit: str | None = Field(None, description="unit of the coordinates")
    pitch: float | None = Field(
        None, gt=0, description="expected median distance of neighbouring spots, within 5 %"
    )
    image: bool = False
    values: Literal["counts", "expression"] = Field(
        "counts", description="expression: non-negative, on a linear scale, but no counts"
    )
    quality: Quality = Quality()
    repair: Repair = Repair()
    drop_unlabelled: bool = Field(
        False, description="audit only: reproduces studies that dropped cells by their label"
    )
    rescale_pitch: float | None = Field(
        None, gt=0, description="audit only: scale the coordinates to this median distance"
    )
    degrade: Degradation | None = None
    mask: Mask | None = Field(None, description="hold entries out: the task is imputation")
    expected: Expected = Expected()
    tags: list[str] = []

    @model_validator(mode="after")
    def _whole(self) -> DatasetCard:
        if self.extends is not None:
            raise ValueError("only a card in workflow/datasets extends another")
        if bool(self.sections) == (self.reader is not None):
            raise ValueError("either a reader with files, or sections")
        if bool(self.files) != (self.reader is not None):
            raise ValueError("a reader needs files")
        if self.modality != "spatial" and any(f.role == IMAGE_FEATURES for f in self.files):
            raise ValueError(f"{IMAGE_FEATURES} are for modality spatial")
        if self.verified != (self.reason is None):
            raise ValueError("verified: false needs a reason, and only that")
        return self

    @property
    def batch_column(self) -> str | None:
        """The column of batches; in a joint dataset that names none, the section."""
        return self.batch or ("section" if self.sections else None)

    @property
    def task(self) -> Literal["clustering", "imputation"]:
        """What methods are asked for."""
        return "clustering" if self.mask is None else "imputation"

    @property
    def audit(self) -> str | None:
        """What was done to the data that no blind benchmark may do; shown in every table."""
        done = []
        if self.drop_unlabelled:
            done.append("unlabelled cells dropped")
        if self.rescale_pitch is not None:
            done.append(f"pitch rescaled to {self.rescale_pitch:g}")
        return "; ".join(done) or None


def find_datasets() -> dict[str, Path]:
    """Return the card of every dataset, by id."""
    return {path.stem: path for path in sorted(DATASETS.glob("*.yaml"))}


def dataset_card(name: str) -> DatasetCard:
    """Read a dataset's card, completed by the cards that it extends.

    Raises
    ------
    BlindfoldError
        Where no such card exists, it breaks the schema, or cards extend each other in a circle.
    """
    stated = _with_bases(name)
    whole = reduce(override, reversed(stated.values()))
    return io.validate(DatasetCard, whole, " extends ".join(map(str, stated)))


def _with_bases(name: str) -> dict[Path, dict[str, Any]]:
    """Return what a card states, and each card that it extends, by file; the nearest first."""
    known = find_datasets()
    stated: dict[Path, dict[str, Any]] = {}
    where: dict[str, Any] = {"field": "datasets"}
    base: str | None = name
    while base is not None:
        if base not in known:
            raise BlindfoldError(
                f"unknown dataset {base!r}", **where, remedy=did_you_mean(base, known)
            )
        if known[base] in stated:
            circle = [*(path.stem for path in stated), base]
            raise BlindfoldError(
                "dataset cards extend each other in a circle", **where,
                found=" -> ".join(circle), remedy="let one of them state everything",
            )  # fmt: skip
        stated[known[base]] = card = io.read_yaml(known[base])
        where = {"file": known[base], "field": "extends"}
        base = str(card.pop("extends")) if card.get("extends") is not None else None
    return stated


def raw_files(card: DatasetCard) -> list[RawFile]:
    """Return a dataset's raw files, those of its sections included, each once."""
    sections = [file for name in card.sections for file in raw_files(dataset_card(name))]
    files = [*card.files, *sections]
    return list({(f.path, f.role, *f.members.items()): f for f in files}.values())

"""Method cards: what a method is. Found by looking in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from blindfold.core import io
from blindfold.core.datasets import Modality
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.core.layout import REPOSITORY
from blindfold.core.strict import Strict


class Parameter(Strict):
    """One parameter of a method."""

    type: Literal["int", "float", "bool", "str"]
    default: int | float | bool | str | None
    meaning: str
    range: tuple[float | None, float | None] | None = None
    choices: list[int | float | bool | str] | None = None


class Growth(Strict):
    """A resource as a function of the number of cells."""

    base: float = Field(ge=0)
    per_1000_cells: float = Field(0, ge=0)

    def at(self, cells: int) -> float:
        """Return the expectation for a number of cells."""
        return self.base + self.per_1000_cells * cells / 1000


class Resources(Strict):
    """What a run is expected to use."""

    threads: int = Field(1, ge=1)
    gpus: int = Field(0, ge=0)
    minutes: Growth


Word = Literal["package", "matches code", "described only", "reconstruction", "baseline"]

WORDS: dict[Word, str] = {
    "package": "the authors' own package runs",
    "matches code": "losses and gradients equal those of the authors' public code, in the variant "
    "that reproduces it where there is one",
    "described only": "follows the paper; there is no public code, or it cannot be compared",
    "reconstruction": "what could be read of the paper leaves parts open, which are filled by us",
    "baseline": "a simple method or a control of ours, with nothing to be faithful to",
}
"""What each word says of a method's fidelity to its paper."""


class Fidelity(Strict):
    """Where a method comes from, how near ours is in a word (see `WORDS`), and how it differs."""

    word: Word = Field(description="; ".join(f"{word}: {says}" for word, says in WORDS.items()))
    paper: str | None
    doi: str | None = None
    year: int | None = None
    upstream: str | None = None
    commit: str | None = None
    licence: str | None = None
    deviations: list[str] = []
    selected_on_labels: list[str] = []


def _described(variants: Any) -> Any:
    return {name: change or {} for name, change in variants.items()}


class MethodCard(Strict):
    """``methods/<name>/method.yaml``."""

    title: str
    summary: str
    tasks: list[Literal["clustering", "imputation", "integration"]] = Field(min_length=1)
    modalities: list[Modality] = Field(min_length=1)
    needs: list[Literal["coordinates", "image", "counts"]] = []
    uses: list[Literal["coordinates", "image"]] = Field(
        [], description="given where the dataset has them; the method runs without as well"
    )
    environment: str
    entry: str = Field(pattern=r"^\w+:\w+$", description="module:function in the method's folder")
    control: bool = Field(False, description="a bound, not a competitor")
    parameters: dict[str, Parameter] = {}
    variants: Annotated[dict[str, dict[str, Any]], BeforeValidator(_described)] = {"described": {}}
    resources: Resources
    determinism: Literal["bitwise", "statistical"] = "bitwise"
    fidelity: Fidelity

    @model_validator(mode="after")
    def _variants(self) -> MethodCard:
        if "described" not in self.variants:
            raise ValueError("variants must contain 'described', the default")
        for name, change in self.variants.items():
            for key in change.keys() - self.parameters.keys():
                raise ValueError(f"variant {name!r} sets {key!r}, which is no parameter")
        return self


DEFAULT_VARIANT = "described"
"""The variant that follows the paper; a name leaves it out."""


def split_variant(name: str) -> tuple[str, str]:
    """Split ``sctag@released`` into method and variant; see `display_name`."""
    method, _, variant = name.partition("@")
    return method, variant or DEFAULT_VARIANT


def display_name(method: str, variant: str) -> str:
    """Return the name in tables, figures and paths: ``sctag`` or ``sctag@released``."""
    return method if variant == DEFAULT_VARIANT else f"{method}@{variant}"


def find_methods(methods_path: list[str] | list[Path]) -> dict[str, Path]:
    """Return the folder of every method, by name; the first folder of the search path wins.

    Raises
    ------
    BlindfoldError
        Where a folder of the search path does not exist.
    """
    found: dict[str, Path] = {}
    for entry in methods_path:
        folder = (REPOSITORY / entry).resolve()
        if not folder.is_dir():
            raise BlindfoldError(
                "no such folder", file=folder, field="methods_path",
                remedy="relative paths count from the repository root",
            )  # fmt: skip
        for card in sorted(folder.glob("*/method.yaml")):
            found.setdefault(card.parent.name, card.parent)
    return found


def without_card(methods_path: list[str] | list[Path]) -> dict[str, Path]:
    """Return folders that hold a ``model.py`` and no card, by name: methods that are not whole."""
    models = [path for at in methods_path for path in (REPOSITORY / at).glob("*/model.py")]
    folders = {path.parent.name: path.parent.resolve() for path in models}
    return {name: at for name, at in folders.items() if not (at / "method.yaml").is_file()}


def method_card(folder: Path) -> MethodCard:
    """Read the card in a method's folder."""
    path = folder / "method.yaml"
    return io.validate(MethodCard, io.read_yaml(path), path)


def method_folder(name: str, methods_path: list[str] | list[Path]) -> Path:
    """Return the folder of a method.

    Raises
    ------
    BlindfoldError
        Where no such method is found; the nearest name is suggested.
    """
    known = find_methods(methods_path)
    if name not in known and name in (unfinished := without_card(methods_path)):
        raise BlindfoldError(
            "a method needs a card", file=unfinished[name] / "method.yaml", found="no such file",
            remedy="docs/extending.md says what it holds",
        )  # fmt: skip
    if name not in known:
        raise BlindfoldError(
            f"unknown method {name!r}", field="methods", remedy=did_you_mean(name, known)
        )
    return known[name]


def fill_params(
    card: MethodCard, variant: str, changes: dict[str, Any], file: Path
) -> dict[str, Any]:
    """Return every parameter's value: default, then the variant's, then ``changes``.

    Raises
    ------
    BlindfoldError
        For an unknown variant or parameter, a wrong type, or a value out of range.
    """
    if variant not in card.variants:
        raise BlindfoldError(
            f"unknown variant {variant!r}", file=file, remedy=did_you_mean(variant, card.variants)
        )
    values = {name: parameter.default for name, parameter in card.parameters.items()}
    for name, value in {**card.variants[variant], **changes}.items():
        if name not in values:
            raise BlindfoldError(
                f"unknown parameter {name!r}", file=file, field="params",
                remedy=did_you_mean(name, values),
            )  # fmt: skip
        values[name] = _checked(name, card.parameters[name], value, file)
    return values


def _checked(name: str, parameter: Parameter, value: Any, file: Path) -> Any:
    """Return ``value`` as the parameter's type, or raise."""
    kinds: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "str": str}
    fits = isinstance(value, kinds[parameter.type]) and (
        parameter.type == "bool" or not isinstance(value, bool)
    )
    if value is None and parameter.default is None:
        return None
    expected: str = parameter.type
    if fits and parameter.choices is not None:
        fits, expected = value in parameter.choices, f"one of {parameter.choices}"
    if fits and parameter.range is not None:
        low, high = parameter.range
        fits = (low is None or value >= low) and (high is None or value <= high)
        expected = f"{parameter.type} from {low} to {high}"
    if not fits:
        raise BlindfoldError(
            "wrong parameter", file=file, field=f"params.{name}", found=repr(value),
            expected=expected,
        )  # fmt: skip
    return float(value) if parameter.type == "float" else value

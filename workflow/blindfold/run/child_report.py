"""What a child says of itself: a small file, held to a schema, and never believed on its costs."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from blindfold.core.strict import Strict
from blindfold.run.leavings import Refused, clean, opened

NAME = "report.json"
MOST_BYTES = 2**20
_LEVELS, _ENTRIES = 6, 500


def bounded(value: Any, levels: int = _LEVELS) -> Any:
    """
    Return a value from JSON with its texts cleaned.

    Raises
    ------
    ValueError
        Where it has too many levels or entries.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict | list):
        if not levels or len(value) > _ENTRIES:
            raise ValueError(f"more than {_LEVELS} levels or {_ENTRIES} entries")
        if isinstance(value, list):
            return [bounded(each, levels - 1) for each in value]
        return {clean(name): bounded(each, levels - 1) for name, each in value.items()}
    return value


def finite(value: Any, name: str, lost: list[str]) -> Any:
    """Return a value with None for every number that is not finite, and add their names."""
    if isinstance(value, float) and not math.isfinite(value):
        lost.append(name)
        return None
    if isinstance(value, list):
        return [finite(each, f"{name}[{i}]", lost) for i, each in enumerate(value)]
    if isinstance(value, dict):
        return {key: finite(each, f"{name}.{key}" if name else key, lost)
                for key, each in value.items()}  # fmt: skip
    return value


def _notes(value: Any) -> Any:
    lost: list[str] = []
    notes = finite(bounded(value), "", lost)
    return {**notes, "not_finite": lost} if lost else notes


Text = Annotated[str, BeforeValidator(bounded)]
Count = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ChildReport(Strict):
    """
    ``report.json`` as the runner writes it.

    Status, cost of the whole run and device are decided from outside; seconds of fitting are the
    child's word, and at most the seconds that the child ran.
    """

    failure: Literal["invalid", "oom", "crash"] | None = None
    reason: Text | None = None
    fit_s: Count | None = None
    snapshot_s: Count | None = None
    device: Literal["cpu", "cuda", "mps"] | None = None
    peak_gpu_mb: Count | None = None
    notes: Annotated[dict[str, Any], BeforeValidator(_notes)] = {}
    trace: Annotated[list[str], BeforeValidator(bounded)] = []

    @model_validator(mode="after")
    def _reasoned(self) -> ChildReport:
        if (self.failure is None) != (self.reason is None):
            raise ValueError("failure and reason go together")
        return self


def read_report(folder: int) -> ChildReport:
    """
    Return what the child reported of itself; an empty report where there is none.

    Parameters
    ----------
    folder
        Descriptor of the child's output folder, see `leavings.opened`.

    Raises
    ------
    Refused
        Where it is no regular file, too large, no JSON, or does not keep to the schema.
    """
    with opened(folder, NAME) as file:
        content = b"{}" if file is None else file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Refused(f"{NAME} has more than {MOST_BYTES} bytes")
    try:
        return ChildReport.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "as a whole"
        raise Refused(clean(f"{NAME}: {where}: {first['msg']}")) from error
    except (ValueError, RecursionError) as error:
        raise Refused(clean(f"{NAME} is not JSON: {error}")) from error

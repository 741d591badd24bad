"""Reading and writing files. Every write goes to a temporary name and is then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from blindfold.core.errors import BlindfoldError, did_you_mean

if TYPE_CHECKING:
    import anndata
    import pandas as pd
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")

_REMEDIES = {
    errno.ENOSPC: "free some space on that disk, or let cache: in the configuration name a folder "
    "on another, and run again: a download goes on where it stopped",
    errno.EDQUOT: "your quota on that disk is used up: free some space and run again",
    errno.EACCES: "give yourself write permission there, or run in another folder",
    errno.EPERM: "give yourself write permission there, or run in another folder",
    errno.EROFS: "the file system is read-only: run in another folder",
    errno.EEXIST: "a file stands where a folder is needed: move it away",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
}


def explain_os_error(error: OSError, path: Path | None = None) -> BlindfoldError | None:
    """Return the message for a full disk, a missing permission and the like, or None."""
    if error.errno not in _REMEDIES:
        return None
    return BlindfoldError(
        f"cannot write: {os.strerror(error.errno)}",
        file=path or error.filename,
        remedy=_REMEDIES[error.errno],
    )


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Raise a BlindfoldError where the block cannot write to ``path``."""
    try:
        yield
    except OSError as error:
        told = explain_os_error(error, path)
        if told is not None:
            raise told from error
        raise


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that becomes ``path`` when the block succeeds.

    Raises
    ------
    BlindfoldError
        Where the disk is full or the folder cannot be written.
    """
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name[:60]}.", suffix=".partial" + path.suffix
        )
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN is not allowed."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises
    ------
    BlindfoldError
        Where the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise BlindfoldError("file not found", file=path) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BlindfoldError(
            "file is damaged",
            file=path,
            found=str(error),
            expected="JSON",
            remedy="delete it and run again",
        ) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    BlindfoldError
        Where the file is missing, is not YAML or is not a mapping.
    """
    import yaml

    try:
        value = yaml.load(path.read_text(), yaml.CSafeLoader)  # ten times as fast as safe_load
    except FileNotFoundError as error:
        raise BlindfoldError("file not found", file=path) from error
    except yaml.YAMLError as error:
        raise BlindfoldError("not valid YAML", file=path, found=str(error)) from error
    if not isinstance(value, dict):
        raise BlindfoldError(
            "not a YAML mapping", file=path, found=type(value).__name__, expected="key: value lines"
        )
    return value


def must_exist(path: Path) -> None:
    """Raise a BlindfoldError where another step has not written its file."""
    if not path.is_file():
        raise BlindfoldError("file not found", file=path, remedy="run the step that writes it")


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a table as parquet, atomically, without its index."""
    with atomic(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_parquet(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table that another step wrote.

    Parameters
    ----------
    path
        The table.
    columns
        Columns that it must have.

    Raises
    ------
    BlindfoldError
        Where the file is missing, damaged or lacks a column.
    """
    import pandas as pd

    must_exist(path)
    try:
        table = pd.read_parquet(path)
    except Exception as error:
        raise _unreadable(path, "truncated or damaged", error, "a parquet table") from error
    for column in columns:
        if column not in table:
            raise BlindfoldError(
                "a column is missing", file=path, field=column, found=list(table.columns),
                remedy="delete it and run the step that writes it again",
            )  # fmt: skip
    return table


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, atomically, without its index, values unrounded."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False)


def read_h5ad(path: Path) -> anndata.AnnData:
    """Read an AnnData.

    Raises
    ------
    BlindfoldError
        Where the file is missing, truncated or no AnnData.
    """
    import anndata

    must_exist(path)
    try:
        return anndata.read_h5ad(path)
    except Exception as error:
        raise damaged_h5ad(path, error) from error


def damaged_h5ad(path: Path, error: Exception) -> BlindfoldError:
    """Return the message for an h5ad that cannot be read."""
    return _unreadable(path, "truncated, damaged or no AnnData", error, "an .h5ad file")


def _unreadable(path: Path, why: str, error: Exception, expected: str) -> BlindfoldError:
    return BlindfoldError(
        f"cannot read the file: {why}", file=path,
        found=f"{type(error).__name__}: {str(error).splitlines()[0]}", expected=expected,
        remedy="delete it and run the step that writes it again",
    )  # fmt: skip


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def validate(model: type[Model], value: Any, file: Path | str) -> Model:
    """Validate ``value`` with a pydantic model and tell the first problem in one message.

    Raises
    ------
    BlindfoldError
        With file, field, what was found, what was expected, and the nearest valid key.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = error.errors()
        first = max(problems, key=lambda p: (p["type"] == "extra_forbidden", len(p["loc"])))
        location = [part for part in first["loc"] if _is_key(part)]
        field = ".".join(str(part) for part in location)
        if first["type"] == "extra_forbidden":
            known = _keys_at(model, first["loc"][:-1])
            raise BlindfoldError(
                f"unknown key {location[-1]!r}",
                file=file,
                field=field,
                remedy=did_you_mean(str(location[-1]), known),
            ) from error
        missing = first["type"] == "missing"
        same = [p["msg"] for p in problems if p["loc"][: len(location)] == tuple(location)]
        raise BlindfoldError(
            "required field is missing" if missing else "wrong value",
            file=file,
            field=field or None,
            found=None if missing else repr(first["input"])[:200],
            expected=" or ".join(dict.fromkeys(same)) or first["msg"],
        ) from error


def _is_key(part: str | int) -> bool:
    """Tell keys and positions from the names of alternatives that pydantic puts among them."""
    return isinstance(part, int) or (part.isidentifier() and part.islower() and part != "int")


def _keys_at(model: Any, location: tuple[Any, ...]) -> set[str]:
    """Return the valid keys of the (possibly nested) model at ``location``."""
    from pydantic import BaseModel

    for part in location:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        nested = {each.__name__: each for each in _models_in(field.annotation)} if field else {}
        # of several alternatives, the location names the one that was taken
        model = next((nested[word] for word in location if word in nested), model)
        if len(nested) == 1:
            (model,) = nested.values()
    return set(model.model_fields) if issubclass(model, BaseModel) else set()


def _models_in(annotation: Any) -> list[Any]:
    """Return the pydantic models that a type annotation mentions."""
    from typing import get_args

    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]

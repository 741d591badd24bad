"""The part of a file that has arrived; it survives an interruption."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict


class Origin(Strict):
    """Of which version of which file this is a part."""

    url: str
    validator: str | None
    total: int | None


@dataclass(frozen=True)
class Partial:
    """``<file>.partial``, and beside it ``<file>.partial.json``, which says what it is a part of.

    Parameters
    ----------
    path
        The partial file.
    """

    path: Path

    @classmethod
    def of(cls, target: Path) -> Partial:
        """Return the partial file that is to become ``target``."""
        return cls(target.with_name(target.name + ".partial"))

    @property
    def _note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def origin(self) -> Origin | None:
        """Return what it is a part of, or None where that is not known."""
        try:
            origin: Origin = io.validate(Origin, io.read_json(self._note), self._note)
        except BlindfoldError:
            return None
        return origin

    def begin(self, origin: Origin) -> None:
        """Start a part of another version."""
        self.discard()
        io.write_json(self._note, origin.model_dump())

    def discard(self) -> None:
        """Throw it away."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        """Rename it: it is whole."""
        self.path.replace(target)
        self.discard()

"""One kind of error for everything a user can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class BlindfoldError(Exception):
    """A problem in the user's input, told in one message.

    Parameters
    ----------
    what
        What is wrong.
    file
        The file it was found in.
    field
        The field, key or column.
    found
        What stands there.
    expected
        What should stand there.
    remedy
        What to do.
    """

    def __init__(
        self,
        what: str,
        *,
        file: Path | str | None = None,
        field: str | None = None,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.file = file
        self.field = field
        self._rest = {"found": found, "expected": expected, "do": remedy}
        super().__init__(what)

    def __str__(self) -> str:
        parts = {"file": self.file, "field": self.field, **self._rest}
        told = [f"  {name + ':':<10}{value}" for name, value in parts.items() if value is not None]
        return "\n".join([self.what, *told])


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like ``word``, or None where nothing is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, or list all of them."""
    known = sorted(known)
    guess = nearest(word, known)
    return f"did you mean {guess!r}?" if guess else "known: " + ", ".join(known)

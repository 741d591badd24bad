"""Parts of documents that are made from the code, between marks that say which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from blindfold.core.errors import BlindfoldError


def fill_in(document: Path, parts: Mapping[str, str]) -> str:
    """Return a document with what stands between its marks replaced.

    Parameters
    ----------
    document
        Markdown; a part stands between ``<!-- made: NAME -->`` and ``<!-- end -->``.
    parts
        Its text, by name.

    Raises
    ------
    BlindfoldError
        Where the document does not exist or lacks a mark.
    """
    text = document.read_text() if document.is_file() else ""
    for name, content in parts.items():
        marks = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marks.search(text):
            raise BlindfoldError(
                "a mark is missing", file=document, field=name,
                remedy=f"write <!-- made: {name} --> and, on a line below, <!-- end --> there",
            )  # fmt: skip
        text = marks.sub(lambda found, new=content: f"{found[1]}{new}\n{found[2]}", text)  # type: ignore[misc]
    return text


def markdown_table(header: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    header = list(header)
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)

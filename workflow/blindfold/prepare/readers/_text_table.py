"""Tables of numbers as text: parsed in blocks, with the names around the numbers."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from blindfold.core.blocks import join_blocks
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.reading import lookup, reading

_BLOCK = 2**24
"""Values that are held dense at once."""

_EXPECTED = "text separated by commas, tabs or blanks, plain or gzip"


class TextTable(NamedTuple):
    """A parsed table."""

    values: sp.csr_matrix
    """rows x columns, without what is named below."""
    header_names: list[str]
    """Of each header line, the last filled field before the values; empty where there is none."""
    columns: list[list[str]]
    """Of each header line, the fields above the values."""
    leading: list[list[str]]
    """The columns before the values."""
    others: dict[str, list[str]]
    """Further columns that hold no values, by name."""


def read_text_table(file: Path, header: int, leading: int, others: list[str]) -> TextTable:
    """Parse a table.

    Parameters
    ----------
    file
        Separated by commas, tabs or, where there are neither, blanks; plain or gzip. Header lines
        may lack the leading fields, as R writes them.
    header
        Lines before the values, at least 1.
    leading
        Columns before the values.
    others
        Names of further columns that hold no values.

    Returns
    -------
    TextTable
        Values float64; everything else as strings.

    Raises
    ------
    BlindfoldError
        Where the file is empty, a value is no number, lines differ in length, or a column is not
        there.
    """
    lines, separator, width = _top(file, header, leading)
    names = [_split(line, width, leading, file) for line in lines]
    positions = {name: leading + i for i, name in reversed([*enumerate(names[0][1])])}
    apart = [lookup(positions, name, "options.obs", file) for name in others]
    numbers = np.setdiff1d(np.arange(leading, width), apart)
    values, words = _parse(file, separator, header, width, numbers)
    return TextTable(
        values,
        [name for name, _ in names],
        [[fields[i - leading] for i in numbers] for _, fields in names],
        [words[i] for i in range(leading)],
        {name: words[i] for name, i in zip(others, apart, strict=True)},
    )


def read_lines(file: Path) -> list[str]:
    """Return the lines of a text file, without surrounding space."""
    with _open(file) as handle:
        return [line.strip() for line in handle.read().splitlines()]


def _open(file: Path) -> IO[str]:
    with file.open("rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    # a byte order mark, as spreadsheets write it, is no part of the first name
    return (
        gzip.open(file, "rt", encoding="utf-8-sig") if packed else file.open(encoding="utf-8-sig")
    )


def _top(file: Path, header: int, leading: int) -> tuple[list[list[str]], str, int]:
    """Return the header lines, the separator, and how many fields the first line of values has."""
    with reading(file, "the table", _EXPECTED), _open(file) as handle:
        lines = [handle.readline() for _ in range(header + 1)]
    if not all(line.strip("\r\n ") for line in (lines[0], lines[-1])):
        raise BlindfoldError(
            "the table is empty", file=file, found=f"{sum(map(bool, lines))} lines",
            expected=f"{header} lines of names, then values",
        )  # fmt: skip

    def fit(separator: str) -> tuple[bool, int]:
        # names may hold any separator, numbers hold none: the lines agree under the right one
        names, values = _fields(lines[0], separator), _fields(lines[-1], separator)
        missing = len(values) - len(names)
        return missing in (0, leading) and len(values) > leading, len(values)

    separator = max("\t, ", key=fit)
    fields = [_fields(line, separator) for line in lines]
    return fields[:header], separator, len(fields[header])


def _fields(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _split(line: list[str], width: int, leading: int, file: Path) -> tuple[str, list[str]]:
    """Return a header line's name and its fields above the values."""
    if len(line) == width - leading:
        return "", line
    if len(line) == width:
        return next((field for field in reversed(line[:leading]) if field), ""), line[leading:]
    raise BlindfoldError(
        "header and values differ in length", file=file, found=f"{len(line)} names",
        expected=f"{width}, or {width - leading} without those of the leading columns",
        remedy="look at the options leading and header",
    )  # fmt: skip


def _parse(
    file: Path, separator: str, header: int, width: int, numbers: np.ndarray
) -> tuple[sp.csr_matrix, dict[int, list[str]]]:
    """Return the numbers, and every other column as strings by its position."""
    words = sorted(set(range(width)) - set(numbers.tolist()))
    with reading(file, "the table", _EXPECTED), _open(file) as handle:
        for _ in range(header):  # quoted names in them are not for the parser of numbers
            handle.readline()
        with pd.read_csv(
            handle, sep=separator, header=None, names=range(width),
            index_col=False, dtype=dict.fromkeys(numbers.tolist(), np.float64),
            # converters keep words such as NA, which is a gene's name too
            converters=dict.fromkeys(words, str), float_precision="round_trip",
            chunksize=max(1, _BLOCK // width),
        ) as blocks:  # fmt: skip
            parts = [(sp.csr_matrix(block[numbers].to_numpy()), block[words]) for block in blocks]
    values = join_blocks(value for value, _ in parts)
    return values, {i: [word for _, part in parts for word in part[i]] for i in words}

"""One AnnData from the parts that a reader found: matrix, names and columns."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.reading import as_text, lookup, text


def assemble(
    counts: sp.csr_matrix, cells: Sequence[str] | None, genes: Sequence[str] | None,
    obs: Mapping[str, Any] | pd.DataFrame, file: Path,
) -> AnnData:  # fmt: skip
    """Return one AnnData.

    Parameters
    ----------
    counts
        cells x genes.
    cells, genes
        Names, or None where the file has none: ``row-1`` ..., ``gene-1`` ...
    obs
        Columns in the order of the cells.
    file
        Named in errors.

    Raises
    ------
    BlindfoldError
        Where names or a column have another length than the matrix.
    """
    rows, columns = counts.shape
    cells = [f"row-{i + 1}" for i in range(rows)] if cells is None else text(cells)
    genes = [f"gene-{i + 1}" for i in range(columns)] if genes is None else text(genes)
    for what, values, length in (("cells", cells, rows), ("genes", genes, columns)):
        check_length(values, length, f"names of {what}", file)
    for column in obs:
        check_length(obs[column], rows, f"column {str(column)!r}", file)
    table = pd.DataFrame({str(column): np.asarray(obs[column]) for column in obs}, index=cells)
    with repeated_names_allowed():
        return AnnData(counts, obs=table, var=pd.DataFrame(index=genes))


@contextmanager
def repeated_names_allowed() -> Iterator[None]:
    """Silence anndata's warning of repeated names: `prepare` looks for them itself."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")
        yield


def check_length(values: Any, length: int, what: str, file: Path) -> None:
    """Check that there is one value for each row or column of the matrix.

    Raises
    ------
    BlindfoldError
        Where there are more or fewer.
    """
    if len(values) != length:
        raise BlindfoldError(
            f"{what}: another length than the matrix", file=file, found=len(values),
            expected=length, remedy="look at the card's options, such as the orientation",
        )  # fmt: skip


def coordinates_of(table: Any, names: Iterable[str], field: str, file: Path) -> np.ndarray:
    """Return the columns of x and y as one array, cells x 2."""
    columns = [lookup(table, name, field, file) for name in names]
    return np.column_stack(columns).astype(np.float64)


def cells_where(table: Any, where: Mapping[str, Any], n_cells: int, file: Path) -> np.ndarray:
    """Return which cells have all the values that the option ``where`` asks for.

    Raises
    ------
    BlindfoldError
        Where a column is missing, or no cell has the values.
    """
    kept = np.ones(n_cells, dtype=bool)
    for name, value in where.items():
        column = as_text(pd.Series(lookup(table, name, "options.where", file)))
        kept &= (column == as_text(pd.Series([value]))[0]).to_numpy()
    if not kept.any():
        raise BlindfoldError(
            "no cell is left", file=file, field="options.where", found=where,
            expected="values that occur in the columns",
        )  # fmt: skip
    return kept


def cut_names(
    cells: Sequence[str], patterns: Mapping[str, str], file: Path
) -> dict[str, list[str]]:
    """Return columns cut from cell names, such as the donor in ``human2_lib1_0001``.

    Parameters
    ----------
    cells
        Cell names.
    patterns
        Regular expression with one group for each column, searched for in each name.
    file
        Named in errors.

    Raises
    ------
    BlindfoldError
        Where a name does not match.
    """
    columns: dict[str, list[str]] = {}
    for column, pattern in patterns.items():
        found = [re.search(pattern, cell) for cell in cells]
        odd = [cell for cell, match in zip(cells, found, strict=True) if match is None]
        if odd:
            raise BlindfoldError(
                f"{len(odd)} cell names do not match", file=file, field=f"name_part.{column}",
                found=odd[0], expected=pattern,
            )  # fmt: skip
        columns[column] = [match.group(1) for match in found if match is not None]
    return columns

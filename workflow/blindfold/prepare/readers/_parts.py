"""What readers of plain formats share: names, joins by name, and one AnnData from its parts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core.errors import BlindfoldError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp
    from anndata import AnnData


def text(values: Iterable[Any]) -> list[str]:
    """Return values as strings; bytes are UTF-8, missing values are empty."""
    import pandas as pd

    plain = [_decoded(value) for value in values]
    return ["" if pd.isna(value) else str(value) for value in plain]


def _decoded(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value


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
    import anndata
    import pandas as pd

    rows, columns = counts.shape
    cells = [f"row-{i + 1}" for i in range(rows)] if cells is None else text(cells)
    genes = [f"gene-{i + 1}" for i in range(columns)] if genes is None else text(genes)
    for what, values, length in (("cells", cells, rows), ("genes", genes, columns)):
        check_length(values, length, f"names of {what}", file)
    for column in obs:
        check_length(obs[column], rows, f"column {str(column)!r}", file)
    table = pd.DataFrame({str(column): np.asarray(obs[column]) for column in obs}, index=cells)
    with warnings.catch_warnings():
        # `prepare` looks for repeated names itself
        warnings.filterwarnings("ignore", message=".*names are not unique")
        return anndata.AnnData(counts, obs=table, var=pd.DataFrame(index=genes))


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


def choose(table: Mapping[str, Any] | pd.DataFrame, name: str, field: str, file: Path) -> Any:
    """Return a column or member.

    Raises
    ------
    BlindfoldError
        Where there is none of this name; the nearest is suggested.
    """
    if name not in table:
        raise BlindfoldError(
            f"there is no {name!r}", file=file, field=field,
            remedy=did_you_mean(name, map(str, table)),
        )  # fmt: skip
    return table[name]


def join_by_name(
    frame: pd.DataFrame, names: Iterable[Any], cells: Sequence[str], file: Path
) -> pd.DataFrame:
    """Return a table's rows in the order of the cells.

    Parameters
    ----------
    frame
        One row a cell, in any order; more rows than cells are allowed.
    names
        The cell that each row speaks of.
    cells
        The wanted order.
    file
        Named in errors.

    Raises
    ------
    BlindfoldError
        Where a cell has no row, or two.
    """
    import pandas as pd

    index = pd.Index(text(names))
    wanted = pd.Index(cells)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise BlindfoldError("a cell has two rows in the table of cells", file=file, found=twice)
    absent = wanted[~wanted.isin(index)]
    if len(absent):
        raise BlindfoldError(
            f"{len(absent)} of {len(wanted)} cells are not in the table of cells", file=file,
            found=f"{absent[0]!r} in the matrix, {index[0]!r} in the table" if len(index) else None,
            expected="the same cell names on both sides",
        )  # fmt: skip
    return frame.set_axis(index, axis=0).loc[wanted]


def cut_names(
    cells: Sequence[str], patterns: Mapping[str, str], file: Path
) -> dict[str, list[str]]:
    """Return columns cut from cell names, such as the donor in ``human2_lib1_0001``.

    Parameters
    ----------
    cells
        Cell names.
    patterns
        Column -> regular expression with one group, searched for in each name.
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

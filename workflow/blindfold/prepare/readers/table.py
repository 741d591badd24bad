"""Matrices as text: csv or tsv, plain or gzip, cells in rows or in columns."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import scipy.sparse as sp
from anndata import AnnData
from pydantic import Field, model_validator

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import assemble, check_length
from blindfold.prepare.readers._logarithms import Log, linear
from blindfold.prepare.readers._text_table import TextTable, read_lines, read_text_table
from blindfold.prepare.reading import lookup


class Options(Strict):
    """Options of the reader. Tabs, commas or blanks: the first line tells."""

    cells: Literal["rows", "columns"] = Field("rows", description="what the cells are")
    leading: int = Field(
        1, ge=0, description="columns before the values; the first of them names the rows"
    )
    header: int = Field(
        1, ge=1, description="lines before the values: the names of the columns, or annotations"
    )
    cell: str | None = Field(
        None, description="cells in columns: annotation with their names; a single line needs none"
    )
    obs: list[str] = Field([], description="cells in rows: columns that are no genes")
    labels: bool = Field(
        False, description="role labels is a file of one label a line, in the order of the cells"
    )
    log: Log = Field("none", description="logarithm that is undone")

    @model_validator(mode="after")
    def _one_way_round(self) -> Self:
        if self.cells == "rows" and (self.header > 1 or self.cell is not None):
            raise ValueError("header and cell are for cells in columns")
        if self.cells == "columns" and self.obs:
            raise ValueError("obs is for cells in rows")
        return self


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read cells.

    Parameters
    ----------
    files
        Role ``counts``: the table. Role ``labels`` where the option says so.
    options
        See `Options`.
    card
        The dataset's card; its label column receives the lines of role ``labels``.

    Returns
    -------
    anndata.AnnData
        Values, with the columns or annotation lines that are no genes in ``obs``.

    Raises
    ------
    BlindfoldError
        Where a value is no number, a name is not there, or lengths do not agree.
    """
    file = files["counts"]
    parse = _cells_in_rows if options.cells == "rows" else _cells_in_columns
    adata = parse(
        read_text_table(file, options.header, options.leading, options.obs), options, file
    )
    if options.labels:
        labels = read_lines(files["labels"])
        check_length(labels, adata.n_obs, "labels", files["labels"])
        adata.obs[card.label.column if card.label is not None else "label"] = labels
    return adata


def _cells_in_rows(table: TextTable, chosen: Options, file: Path) -> AnnData:
    cells = table.leading[0] if table.leading else None
    values = linear(table.values, chosen.log)
    return assemble(values, cells, table.columns[0], table.others, file)


def _cells_in_columns(table: TextTable, chosen: Options, file: Path) -> AnnData:
    """Read annotation lines, named by the last filled field before the values, then genes."""
    annotations = dict(zip(table.header_names, table.columns, strict=True))
    cells = table.columns[0] if chosen.header == 1 else None
    if chosen.cell is not None:
        cells = lookup(annotations, chosen.cell, "options.cell", file)
    if chosen.header > 1 and len(annotations) < chosen.header:
        raise BlindfoldError(
            "annotation lines without distinct names", file=file, field="options.header",
            found=", ".join(map(repr, table.header_names)), expected=f"{chosen.header} names",
        )  # fmt: skip
    genes = table.leading[0] if table.leading else None
    values = linear(sp.csr_matrix(table.values.T), chosen.log)
    obs = annotations if chosen.header > 1 else {}
    return assemble(values, cells, genes, obs, file)

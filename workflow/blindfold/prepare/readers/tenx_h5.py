"""10x Genomics HDF5 matrices: Cell Ranger 2 (a group per genome) and later (``matrix``)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import scanpy as sc
from anndata import AnnData
from pydantic import Field

from blindfold.core.datasets import DatasetCard
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import repeated_names_allowed
from blindfold.prepare.readers._hdf5 import open_hdf5
from blindfold.prepare.reading import reading


class Options(Strict):
    """Options of the reader."""

    genome: str | None = Field(None, description="which genome, where the file holds several")
    names: Literal["symbol", "id"] = Field("symbol", description="what the genes are called")


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read cells; of several kinds of features, gene expression is kept.

    Parameters
    ----------
    files
        Role ``counts``: the HDF5 file.
    options
        See `Options`.
    card
        The dataset's card.

    Returns
    -------
    anndata.AnnData
        Counts, with barcodes as cell names.

    Raises
    ------
    BlindfoldError
        Where the file is no such matrix, or the genome has to be options.
    """
    file = files["counts"]
    with open_hdf5(file) as handle:
        groups = ", ".join(handle)
    expected = f"one group per genome (see options.genome) or the group 'matrix', among {groups}"
    with reading(file, "the file as a 10x matrix", expected), repeated_names_allowed():
        adata = sc.read_10x_h5(file, genome=options.genome, gex_only=True)
        if options.names == "id":
            adata.var_names = adata.var["gene_ids"].astype(str).to_numpy()
    return adata

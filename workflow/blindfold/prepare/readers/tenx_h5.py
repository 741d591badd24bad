"""10x Genomics HDF5 matrices: Cell Ranger 2 (a group per genome) and later (``matrix``)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers._hdf5 import opened

if TYPE_CHECKING:
    from anndata import AnnData


class Options(Strict):
    """Options of the reader."""

    genome: str | None = Field(None, description="which genome, where the file holds several")
    names: Literal["symbol", "id"] = Field("symbol", description="what the genes are called")


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
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
        Where the file is no such matrix, or the genome has to be chosen.
    """
    import scanpy as sc

    chosen = io.validate(Options, options, f"card {card.title!r}: options")
    file = files["counts"]
    with opened(file) as handle:
        groups = ", ".join(handle)
    try:
        with warnings.catch_warnings():
            # `prepare` looks for repeated names itself
            warnings.filterwarnings("ignore", message=".*names are not unique")
            adata = sc.read_10x_h5(file, genome=chosen.genome, gex_only=True)
            if chosen.names == "id":
                adata.var_names = adata.var["gene_ids"].astype(str).to_numpy()
    except Exception as error:
        raise BlindfoldError(
            "cannot read the file as a 10x matrix", file=file, field="options.genome",
            found=f"groups {groups}; {str(error).partition(chr(10))[0]}",
            expected="one group per genome (choose with option genome), or the group 'matrix'",
        ) from error  # fmt: skip
    return adata

"""10x Genomics matrix folders: a Matrix Market file with barcodes and genes or features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import scipy.sparse as sp
from pydantic import Field

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers._parts import assemble, check_length

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


class Options(Strict):
    """Options of the reader."""

    names: Literal["symbol", "id"] = Field("symbol", description="what the genes are called")


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
    """Read cells; of several kinds of features, gene expression is kept.

    Parameters
    ----------
    files
        Roles ``matrix`` (features x cells), ``barcodes``, ``features`` (``features.tsv``, or
        ``genes.tsv`` of Cell Ranger 2); each plain or gzip, in any folder.
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
        Where a file is damaged, or lengths do not agree.
    """
    chosen = io.validate(Options, options, f"card {card.title!r}: options")
    file = files["matrix"]
    counts = _matrix(file)
    features = _table(files["features"])
    check_length(features, counts.shape[1], "features", files["features"])
    if features.shape[1] > 2:
        kept = (features[2] == "Gene Expression").to_numpy()
        counts, features = counts[:, kept], features[kept]
    # a file of one column names the genes only once
    column = 0 if chosen.names == "id" or features.shape[1] == 1 else 1
    barcodes = _table(files["barcodes"])[0].tolist()
    return assemble(counts, barcodes, features[column].tolist(), {}, file)


def _matrix(file: Path) -> sp.csr_matrix:
    from scipy.io import mmread

    try:
        return sp.csr_matrix(sp.coo_matrix(mmread(file)).T)
    except (ValueError, OSError, EOFError) as error:
        raise BlindfoldError(
            "cannot read the file: truncated, damaged or no Matrix Market file", file=file,
            found=str(error).partition("\n")[0], expected="matrix.mtx or matrix.mtx.gz",
        ) from error  # fmt: skip


def _table(file: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(file, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3)
    except (ValueError, OSError, EOFError) as error:
        raise BlindfoldError(
            "cannot read the file", file=file, found=str(error).partition("\n")[0],
            expected="tab separated lines",
        ) from error  # fmt: skip

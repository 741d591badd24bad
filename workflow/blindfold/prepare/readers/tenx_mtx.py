"""10x Genomics matrix folders: a Matrix Market file with barcodes and genes or features."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from pydantic import Field
from scipy.io import mmread

from blindfold.core.datasets import DatasetCard
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import assemble, check_length
from blindfold.prepare.reading import reading


class Options(Strict):
    """Options of the reader."""

    names: Literal["symbol", "id"] = Field("symbol", description="what the genes are called")


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
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
    file = files["matrix"]
    with reading(file, "the matrix", "a Matrix Market file, plain or gzip"):
        counts = sp.csr_matrix(sp.coo_matrix(mmread(file)).T)
    features = _table(files["features"])
    check_length(features, counts.shape[1], "features", files["features"])
    if features.shape[1] > 2:
        kept = (features[2] == "Gene Expression").to_numpy()
        counts, features = counts[:, kept], features[kept]
    # a file of one column names the genes only once
    column = 0 if options.names == "id" or features.shape[1] == 1 else 1
    barcodes = _table(files["barcodes"])[0].tolist()
    return assemble(counts, barcodes, features[column].tolist(), {}, file)


def _table(file: Path) -> pd.DataFrame:

    with reading(file, "the table", "tab separated lines, plain or gzip"):
        return pd.read_csv(file, sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3)

"""An h5ad whose ``raw`` holds log-normalised counts, as scanpy's tutorials leave it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.strict import Strict

if TYPE_CHECKING:
    from anndata import AnnData


class Options(Strict):
    """Options of the reader."""

    total: str = Field("n_counts", description="obs column of each cell's total count")
    target_sum: float = Field(10_000, gt=0, description="what the totals were scaled to")


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
    """Read cells and recover their counts.

    Parameters
    ----------
    files
        Role ``cells``: the h5ad.
    options
        See `Options`.
    card
        The dataset's card.

    Returns
    -------
    anndata.AnnData
        Counts of the genes of ``raw``, with every column of ``obs``.

    Raises
    ------
    BlindfoldError
        For an unknown option, or where the counts cannot be recovered exactly.
    """
    import anndata
    import pandas as pd

    from blindfold.prepare.recover import read_raw_counts

    chosen = io.validate(Options, options, f"card {card.title!r}: options")
    source, counts = read_raw_counts(files["cells"], chosen.total, chosen.target_sum)
    genes = pd.DataFrame(index=source.raw.var_names)
    return anndata.AnnData(counts, obs=source.obs, var=genes)

"""One standard form for every dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from blindfold.core.cards import DatasetCard
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.prepare.check import check_coordinates, check_counts

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def standardise(read: AnnData, card: DatasetCard, file: Path) -> AnnData:
    """Keep of a reader's AnnData what the card names, checked and in fixed types.

    Parameters
    ----------
    read
        What a reader returned.
    card
        The dataset's card.
    file
        Named in errors.

    Returns
    -------
    anndata.AnnData
        ``X`` CSR float32; ``obs`` with the label and batch columns, as categories;
        ``obsm["spatial"]`` float64 for spatial data; ``uns["blindfold"]`` with technology and, for
        spatial data, unit, pitch and (with an image) scale.

    Raises
    ------
    BlindfoldError
        Where a column, the coordinates or the counts are missing or wrong.
    """
    import anndata
    import pandas as pd

    check_counts(sp.csr_matrix(read.X), read.obs_names, read.var_names, file)
    counts = sp.csr_matrix(read.X, dtype=np.float32)
    counts.eliminate_zeros()
    counts.sort_indices()
    obs = pd.DataFrame(index=pd.Index(read.obs_names.astype(str), name=None))
    for column in (card.label, card.batch):
        if column is not None:
            obs[column] = _category(read.obs, column, file)
    var = pd.DataFrame(index=pd.Index(read.var_names.astype(str), name=None))
    adata = anndata.AnnData(counts, obs=obs, var=var)
    adata.uns["blindfold"] = {"technology": card.technology}
    if card.modality == "spatial":
        adata.obsm["spatial"] = _coordinates(read, file)
        adata.uns["blindfold"] |= _geometry(read, card, adata.obsm["spatial"])
    return adata


def _geometry(read: AnnData, card: DatasetCard, coordinates: np.ndarray) -> dict[str, Any]:
    """Return unit, pitch and, with an image, its scale."""
    known = {"unit": card.unit or "unknown", "pitch": pitch(coordinates)}
    return known | ({"scale": float(read.uns["scale"])} if card.image else {})


def _category(obs: pd.DataFrame, column: str, file: Path) -> pd.Categorical:
    """Return a column as strings in sorted categories; missing and empty values stay missing."""
    import pandas as pd

    if column not in obs:
        raise BlindfoldError(
            f"no column {column!r}", file=file, field="obs",
            remedy=did_you_mean(column, map(str, obs.columns)),
        )  # fmt: skip
    values = obs[column].astype(object)
    text = values.where(values.notna(), "").astype(str)
    return pd.Categorical(text.where(text != "", None), categories=sorted(set(text) - {""}))


def _coordinates(read: AnnData, file: Path) -> np.ndarray:
    if "spatial" not in read.obsm:
        raise BlindfoldError("the reader gave no coordinates", file=file, field="obsm.spatial")
    coordinates = np.asarray(read.obsm["spatial"], dtype=np.float64)
    check_coordinates(coordinates, read.n_obs, file)
    return coordinates


def pitch(coordinates: np.ndarray) -> float:
    """Return the median distance to the nearest neighbour, in the unit of the coordinates.

    Parameters
    ----------
    coordinates
        N x 2, N at least 2.
    """
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(coordinates).query(coordinates, k=2)
    return float(np.median(distance[:, 1]))


def permute_labels(adata: AnnData, label: str, seed: int = 20_250_101) -> None:
    """Permute the label column among all cells, in place; nothing else changes."""
    order = np.random.default_rng(seed).permutation(adata.n_obs)
    adata.obs[label] = adata.obs[label].array[order]

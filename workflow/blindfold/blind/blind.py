"""Hide the labels: write what methods see, and put the rest into the vault."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blindfold.blind.facts import facts
from blindfold.core import cards, io
from blindfold.core.cards import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def blind(dataset: str, results: Layout, seed: int) -> Path:
    """Write the blinded input and image, the truth, and last the facts in ``card.json``.

    Parameters
    ----------
    dataset
        Id of the dataset's card.
    results
        Where the benchmark's files lie; `prepare` has been run.
    seed
        The benchmark's seed; with the dataset's id it fixes the order of the cells.

    Returns
    -------
    Path
        ``input.h5ad``.

    Raises
    ------
    BlindfoldError
        Where the prepared file or image is missing or damaged.
    """
    card = cards.dataset_card(dataset)
    prepared = io.read_h5ad(results.prepared(dataset))
    order = shuffled(dataset, seed, prepared.n_obs)
    shown = blinded(prepared, order, card.batch)
    io.write_h5ad(results.input(dataset), shown)
    if card.image:
        if not results.prepared_image(dataset).is_file():
            raise BlindfoldError(
                "file not found", file=results.prepared_image(dataset),
                remedy=f"run: blindfold prepare {dataset}",
            )  # fmt: skip
        with io.atomic(results.image(dataset)) as temporary:
            shutil.copyfile(results.prepared_image(dataset), temporary)
    hidden = truth(prepared, order, card)
    io.write_parquet(results.truth(dataset), hidden)
    io.write_json(results.card(dataset), facts(dataset, card, results, shown, hidden))
    return results.input(dataset)


def shuffled(dataset: str, seed: int, cells: int) -> np.ndarray:
    """Return the order in which a dataset's cells are shown: positions in the prepared file.

    It depends on the dataset's id, the benchmark's seed and the number of cells, on nothing else.
    """
    words = [seed, zlib.crc32(dataset.encode())]
    return np.random.default_rng(np.random.SeedSequence(words)).permutation(cells)


def anonymous(cells: int) -> list[str]:
    """Return running names, ``c0000001`` first; they sort as they run."""
    width = max(7, len(str(cells)))
    return [f"c{i:0{width}d}" for i in range(1, cells + 1)]


def blinded(prepared: AnnData, order: np.ndarray, batch: str | None) -> AnnData:
    """Return what methods may see, built from nothing but the slots that are allowed.

    Parameters
    ----------
    prepared
        With labels.
    order
        See `shuffled`.
    batch
        Column of batches, if any; its values become ``b01`` ... in the order of appearance.

    Returns
    -------
    anndata.AnnData
        ``X``, gene names, anonymous cells, ``obs["batch"]``, ``obsm["spatial"]`` and
        ``uns["blindfold"]``; no other slot.
    """
    import anndata
    import pandas as pd

    counts = prepared.X[order]
    counts.sort_indices()
    obs = pd.DataFrame(index=anonymous(len(order)))
    if batch is not None:
        codes, _ = pd.factorize(prepared.obs[batch].astype(object).to_numpy()[order])
        obs["batch"] = pd.Categorical([f"b{code + 1:02d}" for code in codes])
    shown = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=list(prepared.var_names)))
    if "spatial" in prepared.obsm:
        shown.obsm["spatial"] = np.asarray(prepared.obsm["spatial"], dtype=np.float64)[order]
    keys = ("unit", "pitch", "technology", "scale")
    known = prepared.uns["blindfold"]
    shown.uns["blindfold"] = {key: known[key] for key in keys if key in known}
    return shown


def truth(prepared: AnnData, order: np.ndarray, card: DatasetCard) -> pd.DataFrame:
    """Return the way back: anonymous and original names and, where there is one, the label.

    Parameters
    ----------
    prepared
        With labels.
    order
        See `shuffled`.
    card
        Names the label column.

    Returns
    -------
    pandas.DataFrame
        Columns cell, original [, label]; rows in the order of the input; missing labels are null.
    """
    import pandas as pd

    original = prepared.obs_names.to_numpy(dtype=object)[order]
    table = pd.DataFrame({"cell": anonymous(len(order)), "original": original})
    if card.label is not None:
        values = prepared.obs[card.label].astype(object)
        table["label"] = values.where(values.notna(), None).to_numpy(dtype=object)[order]
    return table

"""Hide the labels: write what methods see, and put the rest into the vault."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blindfold.blind.facts import Summary, facts, report
from blindfold.blind.mask import Masked, held_out_table, mask_words
from blindfold.blind.shuffle import shuffled_blocks
from blindfold.core import io
from blindfold.core.blocks import open_blocks, row_blocks, write_blocks
from blindfold.core.datasets import IMAGE_FEATURES, DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def blind(dataset: str, card: DatasetCard, results: Layout, seed: int) -> Path:
    """Write the blinded input and image, the truth, and last the facts in ``card.json``.

    Of a masked dataset entries are held out first: all that methods see is derived from the
    rest, and they go to the vault.

    Parameters
    ----------
    dataset
        The dataset's id.
    card
        Its card.
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
        Where the prepared file or image is missing or damaged, or nothing can be held out.
    """
    target = results.input(dataset)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_blocks(results.prepared(dataset)) as (prepared, matrix):
        order = shuffled(dataset, seed, prepared.n_obs)
        words = mask_words(dataset, seed)
        masked = Masked(matrix, card.mask, words) if card.mask is not None else None
        whole = prepared[:, masked.genes] if masked else prepared
        shown = blinded(whole, order, batch_column(card))
        summary = Summary(*shown.shape)
        rows = masked.blocks() if masked else row_blocks(matrix)
        blocks = shuffled_blocks(rows, shown.shape, order, target.parent)
        write_blocks(target, shown, map(summary.seen, blocks))
        hidden = truth(prepared, order, card)
        held = _keep_held_out(results.held_out(dataset), masked, order, shown)
        _lay_beside(results, dataset, card, prepared.obsm.get(IMAGE_FEATURES), order)
    io.write_parquet(results.truth(dataset), hidden)
    found = facts(dataset, card, results, shown, hidden, summary) | {"held_out": held}
    io.write_json(results.card(dataset), found | report(prepared.uns))
    return target


def _keep_held_out(
    path: Path, masked: Masked | None, order: np.ndarray, shown: AnnData
) -> int | None:
    """Write what is held out, if anything is, and return the number of entries."""
    if masked is None:
        path.unlink(missing_ok=True)
        return None
    names = list(shown.obs_names), list(shown.var_names)
    table = held_out_table(masked.held_out(), order, *names)
    io.write_parquet(path, table)
    return len(table)


def _lay_beside(
    results: Layout, dataset: str, card: DatasetCard, features: np.ndarray | None, order: np.ndarray
) -> None:
    """Put the image and features of it beside the input, and take away what is no longer there."""
    beside = results.beside(dataset)
    for file in beside.values():
        file.unlink(missing_ok=True)
    if card.image:
        _copy_image(results.prepared_image(dataset), beside["image"], dataset)
    if features is not None:
        with io.atomic(beside["image_features"]) as temporary, temporary.open("wb") as handle:
            np.save(handle, np.asarray(features)[order])


def _copy_image(prepared: Path, image: Path, dataset: str) -> None:
    if not prepared.is_file():
        raise BlindfoldError(
            "file not found", file=prepared, remedy=f"run: blindfold prepare {dataset}"
        )
    with io.atomic(image) as temporary:
        shutil.copyfile(prepared, temporary)


def batch_column(card: DatasetCard) -> str | None:
    """Return the column of batches that methods may see, if any."""
    if card.degrade is not None and card.degrade.merge_batches:
        return None
    return card.batch_column


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
        Column of batches, if any; its values become ``b01`` ... in the order of appearance before
        the shuffle: sections stay in their order.

    Returns
    -------
    anndata.AnnData
        Everything but ``X``: gene names, anonymous cells, ``obs["batch"]``, ``obsm["spatial"]``
        and ``uns["blindfold"]``; no other slot.
    """
    import anndata
    import pandas as pd

    obs = pd.DataFrame(index=anonymous(len(order)))
    if batch is not None:
        codes, _ = pd.factorize(prepared.obs[batch].astype(object).to_numpy())
        obs["batch"] = pd.Categorical([f"b{code + 1:02d}" for code in codes[order]])
    shown = anndata.AnnData(None, obs=obs, var=pd.DataFrame(index=list(prepared.var_names)))
    if "spatial" in prepared.obsm:
        shown.obsm["spatial"] = np.asarray(prepared.obsm["spatial"], dtype=np.float64)[order]
    keys = ("unit", "pitch", "technology", "scale")
    known = prepared.uns["blindfold"]
    shown.uns["blindfold"] = {key: known[key] for key in keys if key in known}
    return shown


def truth(prepared: AnnData, order: np.ndarray, card: DatasetCard) -> pd.DataFrame:
    """Return the way back: anonymous and original names and, where there are any, the labels.

    Parameters
    ----------
    prepared
        With labels.
    order
        See `shuffled`.
    card
        Names the label columns.

    Returns
    -------
    pandas.DataFrame
        Columns cell, original [, label, label_2 ...]; rows in the order of the input; missing
        labels are null.
    """
    import pandas as pd

    original = prepared.obs_names.to_numpy(dtype=object)[order]
    table = pd.DataFrame({"cell": anonymous(len(order)), "original": original})
    if card.label is not None:
        for number, column in enumerate([card.label.column, *card.label.more], start=1):
            values = prepared.obs[column].astype(object)
            name = "label" if number == 1 else f"label_{number}"
            table[name] = values.where(values.notna(), None).to_numpy(dtype=object)[order]
    return table

"""Hide the labels: write what methods may see, and put the rest into the vault."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from blindfold.blind.facts import CountSummary, dataset_facts, preparation_report
from blindfold.blind.mask import MaskedMatrix, held_out_table, mask_seed
from blindfold.blind.shuffle import shuffled_blocks
from blindfold.core import io
from blindfold.core.blocks import open_blocks, row_blocks, write_blocks
from blindfold.core.datasets import IMAGE_FEATURES, DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.core.seeding import seed_sequence


def blind(dataset: str, card: DatasetCard, results: Layout, seed: int) -> Path:
    """Write the blinded input and image, the truth, and last the facts in ``card.json``.

    Where the card asks for a mask, entries are held out first and go to the vault: all that methods
    see is derived from the rest.

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
        order = cell_order(dataset, seed, prepared.n_obs)
        mask = mask_seed(dataset, seed)
        masked = MaskedMatrix(matrix, card.mask, mask) if card.mask else None
        whole = prepared[:, masked.genes] if masked else prepared
        frame = blinded_frame(whole, order, batch_column(card))
        counts = CountSummary(*frame.shape)
        rows = masked.blocks() if masked else row_blocks(matrix)
        blocks = shuffled_blocks(rows, frame.shape, order, target.parent)
        write_blocks(target, frame, map(counts.add, blocks))
        truth = truth_table(prepared, order, card)
        held_out = _write_held_out(results.held_out(dataset), masked, order, frame)
        _write_images(results, dataset, card, prepared.obsm.get(IMAGE_FEATURES), order)
    io.write_parquet(results.truth(dataset), truth)
    facts = dataset_facts(dataset, card, results, frame, truth, counts)
    report = preparation_report(prepared.uns)
    io.write_json(results.card(dataset), facts | {"held_out": held_out} | report)
    return target


def _write_held_out(
    path: Path, masked: MaskedMatrix | None, order: np.ndarray, frame: AnnData
) -> int | None:
    """Write the held-out entries, if any, and return their number."""
    if masked is None:
        path.unlink(missing_ok=True)
        return None
    table = held_out_table(masked.held_out(), order, list(frame.obs_names), list(frame.var_names))
    io.write_parquet(path, table)
    return len(table)


def _write_images(
    results: Layout, dataset: str, card: DatasetCard, features: np.ndarray | None, order: np.ndarray
) -> None:
    """Write the image and its features beside the input, and remove what is no longer there."""
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


def cell_order(dataset: str, seed: int, cells: int) -> np.ndarray:
    """Return the position in the prepared file of each cell of the input.

    It depends on the dataset's id, the benchmark's seed and the number of cells, on nothing else.
    """
    return np.random.default_rng(seed_sequence(seed, dataset)).permutation(cells)


def anonymous_names(cells: int) -> list[str]:
    """Return numbered names, ``c0000001`` first; their order is the alphabetical one."""
    width = max(7, len(str(cells)))
    return [f"c{i:0{width}d}" for i in range(1, cells + 1)]


def blinded_frame(prepared: AnnData, order: np.ndarray, batch: str | None) -> AnnData:
    """Return what methods may see except for the counts, built from the allowed slots alone.

    Parameters
    ----------
    prepared
        With labels.
    order
        See `cell_order`.
    batch
        Column of batches, if any; its values become ``b01`` ... in the order in which they appear
        in the prepared file, so that sections stay in their order.

    Returns
    -------
    anndata.AnnData
        Everything but ``X``: gene names, anonymous cells, ``obs["batch"]``, ``obsm["spatial"]``
        and ``uns["blindfold"]``; no other slot.
    """
    obs = pd.DataFrame(index=anonymous_names(len(order)))
    if batch is not None:
        codes, _ = pd.factorize(prepared.obs[batch].astype(object).to_numpy())
        obs["batch"] = pd.Categorical([f"b{code + 1:02d}" for code in codes[order]])
    frame = AnnData(None, obs=obs, var=pd.DataFrame(index=list(prepared.var_names)))
    if "spatial" in prepared.obsm:
        frame.obsm["spatial"] = np.asarray(prepared.obsm["spatial"], dtype=np.float64)[order]
    keys = ("unit", "pitch", "technology", "scale")
    known = prepared.uns["blindfold"]
    frame.uns["blindfold"] = {key: known[key] for key in keys if key in known}
    return frame


def truth_table(prepared: AnnData, order: np.ndarray, card: DatasetCard) -> pd.DataFrame:
    """Return anonymous and original names of the cells and, where there are any, the labels.

    Parameters
    ----------
    prepared
        With labels.
    order
        See `cell_order`.
    card
        Names the label columns.

    Returns
    -------
    pandas.DataFrame
        Columns cell, original [, label, label_2 ...]; rows in the order of the input; missing
        labels are null.
    """
    original = prepared.obs_names.to_numpy(dtype=object)[order]
    table = pd.DataFrame({"cell": anonymous_names(len(order)), "original": original})
    if card.label is not None:
        for number, column in enumerate([card.label.column, *card.label.more], start=1):
            values = prepared.obs[column].astype(object)
            name = "label" if number == 1 else f"label_{number}"
            table[name] = values.where(values.notna(), None).to_numpy(dtype=object)[order]
    return table

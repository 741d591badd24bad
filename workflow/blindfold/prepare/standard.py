"""The standard form of every dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from blindfold.core.blocks import join_blocks
from blindfold.core.datasets import IMAGE_FEATURES, DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare import geometry
from blindfold.prepare.check import check_batches, check_labels
from blindfold.prepare.image_features import read_image_features
from blindfold.prepare.labels import read_labels, text_column
from blindfold.prepare.select import Report, select


@dataclass(frozen=True)
class StandardDataset:
    """A dataset in the standard form.

    Attributes
    ----------
    frame
        Everything but ``X``: ``obs`` with the label and batch columns, as categories;
        ``obsm["spatial"]`` float64 for spatial data, and ``obsm["image_features"]`` float32 where
        the user brought some; ``uns["blindfold"]`` with technology and, for spatial data, unit,
        pitch and (with an image) scale; ``uns["report"]``: flaws and quality.
    blocks
        Gives ``X`` in blocks of rows: CSR float32, no stored zeros, sorted columns.
    image
        height x width x 3, uint8, or None.
    """

    frame: AnnData
    blocks: Callable[[], Iterator[sp.csr_matrix]]
    image: np.ndarray | None = None

    def whole(self) -> AnnData:
        """Return the dataset with ``X`` in memory."""
        adata = self.frame.copy()
        adata.X = join_blocks(self.blocks())
        return adata


def standardise(
    read: AnnData, card: DatasetCard, files: dict[str, Path], part: bool = False
) -> StandardDataset:
    """Return what the card names of a reader's AnnData, checked, repaired and in fixed types.

    Parameters
    ----------
    read
        What a reader returned.
    card
        The dataset's card.
    files
        Raw files by role; the first is named in errors.
    part
        Whether it is a section of a joint dataset, which may have a single class.

    Raises
    ------
    BlindfoldError
        Where a column, the coordinates, the image or the values are missing or wrong.
    """
    file = next(iter(files.values()))
    labels, unmatched = read_labels(read.obs, card.label, files, file)
    eligible = np.ones(read.n_obs, dtype=bool)
    if card.drop_unlabelled and card.label is not None:
        eligible = labels[card.label.column].notna().to_numpy()
    kept = select(read, card, eligible, file)
    flaws = kept.flaws | {
        name: {"found": count, "repair": "report"} for name, count in unmatched.items() if count
    }
    table = labels.iloc[kept.cells]
    if card.batch is not None:
        # by position: names are not distinct before the selection
        batches = text_column(read.obs, card.batch, file).iloc[kept.cells]
        table = table.assign(**{card.batch: batches.to_numpy(dtype=object)})
        check_batches(table[card.batch], file)
    if card.label is not None and not part:
        check_labels(table[card.label.column], card, file)
    names = pd.Index(read.obs_names[kept.cells].astype(str), name=None)
    frame = AnnData(
        None, obs=categories(table).set_axis(names, axis=0), var=pd.DataFrame(index=kept.genes)
    )
    frame.uns["blindfold"] = {"technology": card.technology}
    image = None
    if card.modality == "spatial":
        image = _add_coordinates(frame, read, kept.cells, card, flaws, file)
    if IMAGE_FEATURES in files:
        frame.obsm[IMAGE_FEATURES] = read_image_features(files[IMAGE_FEATURES], names)
    frame.uns["report"] = {"flaws": flaws, "quality": kept.quality}
    return StandardDataset(frame, kept.blocks, image)


def categories(table: pd.DataFrame) -> pd.DataFrame:
    """Return text columns as categories, sorted."""
    columns: dict[str, Any] = {
        name: pd.Categorical(column, categories=sorted(set(column.dropna())))
        for name, column in table.items()
    }
    return pd.DataFrame(columns, index=table.index)


def _add_coordinates(
    frame: AnnData, read: AnnData, cells: np.ndarray, card: DatasetCard, flaws: Report, file: Path
) -> np.ndarray | None:
    """Add coordinates and what belongs to them, and return the image."""
    if "spatial" not in read.obsm:
        raise BlindfoldError(
            "the reader gave no coordinates", file=file, field="obsm.spatial",
            remedy="name them in the reader's options, or say modality: scrna",
        )  # fmt: skip
    found = np.asarray(read.obsm["spatial"], dtype=np.float64)
    coordinates, names = found[cells] if len(found) == read.n_obs else found, list(frame.obs_names)
    geometry.check_coordinates(coordinates, names, file)
    repeated = geometry.count_repeated(coordinates, names, card, file)
    if repeated:
        flaws["duplicate_spots"] = {"found": repeated, "repair": "keep"}
    pitch = geometry.measure_pitch(coordinates, card, file)
    known: dict[str, Any] = {"unit": card.unit or "unknown", "pitch": pitch}
    image = None
    if card.image:
        image, scale = _image(read, file), float(read.uns["scale"])
        margin = geometry.MARGIN * pitch
        image, coordinates = geometry.crop_image(image, coordinates, scale, margin, file)
        known["scale"] = scale
    if card.rescale_pitch is not None:
        factor = card.rescale_pitch / pitch
        coordinates = coordinates * factor
        known["pitch"] = card.rescale_pitch
        if "scale" in known:
            known["scale"] /= factor
    frame.obsm["spatial"] = coordinates
    frame.uns["blindfold"] = frame.uns["blindfold"] | known
    return image


def _image(read: AnnData, file: Path) -> np.ndarray:
    image: np.ndarray | None = read.uns.get("image")
    if image is None or image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8":
        raise BlindfoldError(
            "the reader gave no image", file=file, field="image",
            found=None if image is None else f"{image.dtype} {image.shape}",
            expected="uint8, height x width x 3",
        )  # fmt: skip
    return image


def permute_labels(frame: AnnData, columns: list[str], seed: int = 20_250_101) -> None:
    """Permute label columns among all cells, together and in place; nothing else changes."""
    order = np.random.default_rng(seed).permutation(frame.n_obs)
    for column in columns:
        frame.obs[column] = frame.obs[column].array[order]

"""Turn raw files into one standard AnnData, with its labels, in the vault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blindfold.core import cards, io, layout
from blindfold.core.cards import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.prepare.check import check_expected
from blindfold.prepare.readers import reader
from blindfold.prepare.standard import permute_labels, standardise

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData


def prepare(dataset: str, cache: Path, results: Layout, permute: bool = False) -> Path:
    """Write ``prepared.h5ad`` and, where the card says so, the prepared image.

    Parameters
    ----------
    dataset
        Id of the dataset's card.
    cache
        Folder of downloads, filled by `fetch`.
    results
        Where the benchmark's files lie.
    permute
        Permute the labels among the cells, for the canary; nothing else changes.

    Returns
    -------
    Path
        The prepared file, in the vault.

    Raises
    ------
    BlindfoldError
        Where a raw file is missing, the data are no counts, or they differ from the card.
    """
    card = cards.dataset_card(dataset)
    files = _raw_files(dataset, card, cache)
    raw = reader(card.reader)(files, card.options, card)
    first = next(iter(files.values()))
    adata = standardise(raw, card, first)
    check_expected(adata, card, first)
    if permute and card.label is not None:
        permute_labels(adata, card.label)
    if card.image:
        _write_image(results.prepared_image(dataset), _image(raw, first))
    path = results.prepared(dataset)
    io.write_h5ad(path, adata)
    return path


class _Roles(dict[str, Path]):
    """Raw files by role; a reader that asks for another role gets a clear message."""

    def __missing__(self, role: str) -> Path:
        raise BlindfoldError(
            f"the reader needs a file with role {role!r}", field="files.role", found=", ".join(self)
        )


def _raw_files(dataset: str, card: DatasetCard, cache: Path) -> dict[str, Path]:
    """Return the raw files by role."""
    files = _Roles({f.role: layout.cached(cache, dataset) / f.path for f in card.files})
    for path in files.values():
        if not path.is_file():
            raise BlindfoldError(
                "raw file not found", file=path, remedy=f"run: blindfold fetch {dataset}"
            )
    return files


def _image(raw: AnnData, file: Path) -> np.ndarray:
    image: np.ndarray | None = raw.uns.get("image")
    if image is None or image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8":
        raise BlindfoldError(
            "the reader gave no image", file=file, field="image",
            found=None if image is None else f"{image.dtype} {image.shape}",
            expected="uint8, height x width x 3",
        )  # fmt: skip
    return image


def _write_image(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    with io.atomic(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")

"""Several sections as one dataset, each a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
from anndata import AnnData

from blindfold.core.datasets import DatasetCard, dataset_card
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.geometry import SECTION_GAP, pitch, side_by_side
from blindfold.prepare.raw import files_of, read_raw
from blindfold.prepare.reading import examples
from blindfold.prepare.standard import StandardDataset, standardise


def join_sections(card: DatasetCard, rows: list[dict[str, Any]], batch: str) -> StandardDataset:
    """Read each section by its own card and standardise all of them as one dataset.

    Parameters
    ----------
    card
        The joint dataset's card.
    rows
        The record that `fetch` wrote for it: the files of all sections.
    batch
        Name of the column that says which section a cell is from.

    Returns
    -------
    StandardDataset
        The genes that all sections share, in the order of the first section; cells are named
        ``<section>:<cell>``; spatial sections lie side by side along x. There is no image, and no
        features of one.

    Raises
    ------
    BlindfoldError
        Where a section is refused, sections share no gene, or a label column is in none.
    """
    parts = {name: _section(name, rows) for name in card.sections}
    genes = _shared_genes(parts)
    reports = {name: part.uns.pop("report") for name, part in parts.items()}
    if card.modality == "spatial":
        _lay_out(parts)
    for name, part in parts.items():
        part.obs_names = [f"{name}:{cell}" for cell in part.obs_names]
        part.obs = part.obs.astype(object).assign(**{batch: name})
    whole = anndata.concat([part[:, genes] for part in parts.values()], join="outer", merge="same")
    files = {name: Path(f"{name}.yaml") for name in parts}
    joined = standardise(whole, card.model_copy(update={"batch": batch}), files)
    joined.frame.uns["report"] |= {"sections": reports} | {
        "genes_not_shared": len(set().union(*(part.var_names for part in parts.values())))
        - len(genes)
    }
    return joined


def _section(name: str, rows: list[dict[str, Any]]) -> AnnData:
    section = dataset_card(name)
    if section.reader is None:
        raise BlindfoldError(
            "a section is itself a joint dataset", file=f"{name}.yaml", field="sections",
            remedy="name its sections instead",
        )  # fmt: skip
    files = files_of(section, rows)
    return standardise(read_raw(section, files), section, files, part=True).whole()


def _shared_genes(parts: dict[str, AnnData]) -> list[str]:
    """Return the genes of every section."""
    first, *others = (part.var_names for part in parts.values())
    genes = [gene for gene in first if all(gene in names for names in others)]
    if not genes:
        shown = "; ".join(f"{name}: {examples(part.var_names, 2)}" for name, part in parts.items())
        raise BlindfoldError(
            "the sections share no gene", field="sections", found=shown,
            expected="the same kind of gene names in all sections",
        )  # fmt: skip
    return genes


def _lay_out(parts: dict[str, AnnData]) -> None:
    """Move the sections side by side along x, in place."""
    sections = [part.obsm["spatial"] for part in parts.values()]
    gap = SECTION_GAP * max(map(pitch, sections))
    moved = side_by_side([section - section.min(axis=0) for section in sections], gap)
    for part, section in zip(parts.values(), moved, strict=True):
        part.obsm["spatial"] = section

"""Reads a blinded dataset as `blindfold blind` writes it.

With h5py alone: anndata takes longer to import than many a method to run.
"""

from __future__ import annotations

from typing import NamedTuple

import h5py
import numpy as np
import scipy.sparse as sp


class Blinded(NamedTuple):
    """
    What stands in ``input.h5ad``.

    Parameters
    ----------
    counts
        cells x genes, CSR float32.
    cells, genes
        Names.
    batch
        Batch code per cell, or None.
    coordinates
        Positions, cells x 2, or None.
    facts
        Numbers that go with the positions: ``pitch`` and ``scale``, where known.
    """

    counts: sp.csr_matrix
    cells: list[str]
    genes: np.ndarray
    batch: np.ndarray | None
    coordinates: np.ndarray | None
    facts: dict[str, float]


def read_blinded(path: str) -> Blinded:
    """
    Read a blinded dataset.

    Raises
    ------
    ValueError
        Where its counts are not in CSR.
    """
    with h5py.File(path, "r") as file:
        x, obs, obsm = file["X"], file["obs"], file.get("obsm", {})
        if x.attrs.get("encoding-type") != "csr_matrix":
            raise ValueError("X of the input is no CSR matrix")
        parts = (x["data"][:].astype(np.float32), x["indices"][:], x["indptr"][:])
        counts = sp.csr_matrix(parts, shape=tuple(x.attrs["shape"]))
        facts = file.get("uns/blindfold", {})
        return Blinded(
            counts,
            list(_names(obs)),
            np.array(_names(file["var"]), dtype=str),
            obs["batch/codes"][:].astype(int) if "batch" in obs else None,
            obsm["spatial"][:].astype(float) if "spatial" in obsm else None,
            {name: float(facts[name][()]) for name in ("pitch", "scale") if name in facts},
        )


def _names(frame: h5py.Group) -> np.ndarray:
    return frame[frame.attrs["_index"]].asstr()[:]

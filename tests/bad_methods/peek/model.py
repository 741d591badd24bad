"""Opens the vault, whose place it has been told."""

import mmap
import os
from pathlib import Path

import numpy as np

from methods.contract import Data, Job, Params, Result


def fit(data: Data, params: Params, job: Job) -> Result:
    """Try to read the truth; swallow every error, as a cheat would."""
    try:
        peek(params.how, Path(params.vault))
    except Exception as error:
        print("caught", error)
    return Result(np.zeros(data.n_cells, dtype=int))


def peek(how: str, vault: Path) -> None:
    """Open a hidden file in one of many ways."""
    truth = vault / "truth.parquet"
    if how == "open":
        truth.read_bytes()
    elif how == "os_open":
        os.open(truth, os.O_RDONLY)
    elif how == "mmap":
        mmap.mmap(os.open(truth, os.O_RDONLY), 0, prot=mmap.PROT_READ)
    elif how == "h5py":
        import h5py

        h5py.File(vault / "prepared.h5ad", "r")
    elif how == "pyarrow":
        import pyarrow.parquet as pq

        pq.read_table(truth)
    elif how == "symlink":
        Path("innocent").symlink_to(vault)
        (Path("innocent") / "truth.parquet").read_bytes()
    elif how == "package":
        import scanpy

        scanpy.datasets.pbmc68k_reduced()

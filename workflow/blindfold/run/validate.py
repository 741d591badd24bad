"""Checks of what a run is given."""

from __future__ import annotations

from pathlib import Path

from blindfold.core.errors import BlindfoldError


def read_cells(path: Path) -> tuple[list[str], bool]:
    """Return the cell names of a blinded dataset and whether it has coordinates.

    Raises
    ------
    BlindfoldError
        Where the file is missing, truncated or not a blinded dataset.
    """
    import h5py

    if not path.is_file():
        raise BlindfoldError("file not found", file=path, remedy="run the steps prepare and blind")
    try:
        with h5py.File(path, "r") as file:
            obs = file["obs"]
            names = obs[obs.attrs["_index"]].asstr()[:]
            file["X"]["data"][-1:]
            return list(names), "spatial" in file.get("obsm", {})
    except (OSError, KeyError, TypeError) as error:
        raise BlindfoldError(
            "cannot read the input: truncated, damaged or not a blinded dataset", file=path,
            found=str(error).splitlines()[0], remedy="delete it and run again",
            expected="input.h5ad as `blindfold blind` writes it",
        ) from error  # fmt: skip

"""The raw files of a dataset by role, and the AnnData that its reader makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anndata import AnnData

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.readers import reader


class Roles(dict[str, Path]):
    """Raw files by role; asking for another role gives a clear message."""

    def __missing__(self, role: str) -> Path:
        raise BlindfoldError(
            f"the reader needs a file with role {role!r}", field="files.role", found=", ".join(self)
        )


def files_of(card: DatasetCard, rows: list[dict[str, Any]]) -> Roles:
    """Return a card's raw files by role.

    Parameters
    ----------
    card
        A dataset, or a section of one: several sections may use the same roles, and one file may
        have a different role in each.
    rows
        The record that `fetch` wrote. Members of an archive carry the archive's path.

    Raises
    ------
    BlindfoldError
        Where a file is not in the record or is not there any more.
    """
    files = Roles()
    for file in card.files:
        mine = [row for row in rows if row["path"] == file.path]
        for role in file.members or [file.role]:
            found = [row for row in mine if row["role"] == role] if file.members else mine
            if not found:
                raise BlindfoldError(
                    f"raw file {file.path!r} ({role}) was not fetched", field="files",
                    remedy="run: blindfold fetch",
                )  # fmt: skip
            files[role] = Path(found[0]["location"])
    for path in files.values():
        if not path.is_file():
            raise BlindfoldError("raw file not found", file=path, remedy="run: blindfold fetch")
    return files


def read_raw(card: DatasetCard, files: Roles) -> AnnData:
    """Read the raw files with the card's reader."""
    assert card.reader is not None
    return reader(card.reader)(files, card.options, card)

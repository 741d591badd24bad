"""The folder that a child works in: the same wherever it lies, and nothing in it says for whom.

Its name is drawn by chance, its files have one fixed time, and inside a wall that can rename paths
it is always ``/job``. So a method cannot tell from a path, an environment variable or a job file
which benchmark, dataset or repeat it works for, nor whether the labels were permuted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blindfold.core.io import explain_write_errors
from blindfold.core.layout import BESIDE, REPOSITORY, WORK

INSIDE = Path("/job")
"""Where a child inside bwrap finds its folder."""

_FOLDERS = ("given", "cwd", "output", "home", "tmp")
_TIME = 946_684_800
"""The time that every file given to a child has: the first second of 2000."""


@dataclass(frozen=True)
class Workspace:
    """
    The folder of one child.

    Parameters
    ----------
    outside, inside
        Where it lies, and where the child finds it.
    state
        Where the run's attempts keep their state, as it lies outside.
    output
        Descriptor of the folder of its answer, opened before the child starts.
    """

    outside: Path
    inside: Path
    state: Path
    output: int

    def given(self) -> list[Path]:
        """Return blinded data, image and features of the image, as the child finds them."""
        return [self.inside / "given" / name for name in ("input.h5ad", *BESIDE.values())]

    def code(self) -> Path:
        """Return the folder from which the child imports ``methods``, as the child finds it.

        It holds nothing else, so that a child need not be let into the repository.
        """
        return self.inside / "given" / "code"

    def inside_state(self) -> Path:
        """Return where the child finds the kept state."""
        return self.state if self.inside == self.outside else self.inside / "state"


@contextmanager
def workspace(input: Path, state: Path, renamed: bool) -> Iterator[Workspace]:
    """
    Yield a fresh folder with copies of what the child gets, and remove it afterwards.

    Parameters
    ----------
    input
        The blinded dataset; what belongs to it lies beside it.
    state
        Where the run's attempts keep their state.
    renamed
        Whether the child will find its folder at `INSIDE`.

    Raises
    ------
    BlindfoldError
        Where the disk is full or cannot be written.
    """
    with explain_write_errors(WORK):
        WORK.mkdir(parents=True, exist_ok=True)
        outside = Path(tempfile.mkdtemp(dir=WORK.resolve()))
    try:
        with explain_write_errors(outside):
            for name in _FOLDERS:
                (outside / name).mkdir()
            for name, path in {"input.h5ad": input, **beside(input)}.items():
                if path.exists():
                    _copy(path, outside / "given" / name)
            (outside / "given" / "code").mkdir()
            (outside / "given" / "code" / "methods").symlink_to(REPOSITORY / "methods")
        output = os.open(outside / "output", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            yield Workspace(outside, INSIDE if renamed else outside, state, output)
        finally:
            os.close(output)
    finally:
        shutil.rmtree(outside, ignore_errors=True)


def beside(input: Path) -> dict[str, Path]:
    """Return what may lie beside a blinded dataset, by its name."""
    return {name: input.parent / name for name in BESIDE.values()}


def _copy(path: Path, to: Path) -> None:
    """Copy a file, sharing its blocks where the file system can; set its time."""
    done = subprocess.run(["cp", "--reflink=auto", path, to], capture_output=True, check=False)
    if done.returncode:
        shutil.copyfile(path, to)  # raises what is wrong
    os.utime(to, (_TIME, _TIME))

"""What a child process left, read as hostile input.

A child may leave anything: links to what it must not see, files of any size, pipes that never end,
numbers that are none. Only regular files with one name are opened, no link is followed, and
nothing is read before its size is known to be what it must be. Arrays come as ``.npy``, whose size
follows from a header of a few bytes, so that there is nothing to unpack.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

import numpy as np

TEXT = 2000
"""Characters of a text that are kept."""

_HEADER_BYTES = 2**12
_BLOCK_BYTES = 2**24


class Refused(Exception):
    """What a child left cannot be used; the message says what and why."""


@contextmanager
def opened(folder: int, name: str) -> Iterator[IO[bytes] | None]:
    """
    Yield a file that a child left, opened for reading, or None where there is none.

    Parameters
    ----------
    folder
        Descriptor of the child's output folder, opened before the child started: whatever stands
        at its path now is not looked at.
    name
        The file's name.

    Raises
    ------
    Refused
        Where it is no regular file, or has another name elsewhere.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise Refused(f"{name} is no regular file: {os.strerror(error.errno or 0)}") from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise Refused(f"{name} is no regular file")
    with open(descriptor, "rb") as file:
        if found.st_nlink != 1:
            raise Refused(f"{name} is a link to a file that lies elsewhere, too")
        yield file


@dataclass(frozen=True)
class Array:
    """An array in a file whose header and size were checked; read by blocks of rows."""

    folder: int
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    finite: bool

    def blocks(self) -> Iterator[np.ndarray]:
        """
        Yield the rows in blocks of some megabytes.

        Raises
        ------
        Refused
            Where a value is not finite, or there is less to read than there was.
        """
        row = max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize)
        rows = max(1, _BLOCK_BYTES // row)
        with opened(self.folder, self.name) as file:
            if file is None:
                raise Refused(f"{self.name} is gone")
            file.seek(self.start)
            for first in range(0, self.shape[0], rows):
                here = (min(rows, self.shape[0] - first), *self.shape[1:])
                content = file.read(int(np.prod(here)) * self.dtype.itemsize)
                try:
                    block = np.frombuffer(content, self.dtype).reshape(here)
                except ValueError as error:
                    raise Refused(f"{self.name} is shorter than it was") from error
                if self.finite and not np.isfinite(block).all():
                    raise Refused(f"{self.name} has values that are NaN or infinite")
                yield block

    def whole(self) -> np.ndarray:
        """Return all rows at once."""
        return np.concatenate([np.empty((0, *self.shape[1:]), self.dtype), *self.blocks()])


def read_array(
    folder: int, name: str, kind: str, shape: tuple[int | range, ...], finite: bool = True
) -> Array | None:
    """
    Return an array that a child left, its header checked, or None where there is none.

    Parameters
    ----------
    folder, name
        As in `opened`.
    kind
        The type that it must have, such as ``<i8``.
    shape
        The shape that it must have; a range where there is a choice.
    finite
        Refuse NaN and infinity as they are read.

    Raises
    ------
    Refused
        Where header or size are not what they must be.
    """
    with opened(folder, name) as file:
        if file is None:
            return None
        head = BytesIO(file.read(_HEADER_BYTES))
        try:
            np.lib.format.read_magic(head)
            found, fortran, dtype = np.lib.format.read_array_header_1_0(head)
        except Exception as error:  # whatever parsing a made-up header may raise
            raise Refused(f"{name} has no readable header: {clean(repr(error))}") from error
        fits = len(found) == len(shape) and all(
            size in wanted if isinstance(wanted, range) else size == wanted
            for size, wanted in zip(found, shape, strict=True)
        )
        if dtype != np.dtype(kind) or fortran or not fits:
            raise Refused(
                f"{name} is {clean(str(dtype))} of shape {found}, expected {np.dtype(kind)} of "
                f"{tuple(_in_words(size) for size in shape)}"
            )
        array = Array(folder, name, dtype, found, head.tell(), finite)
        expected = array.start + int(np.prod(found, dtype=object)) * dtype.itemsize
        if (size := os.fstat(file.fileno()).st_size) != expected:
            raise Refused(f"{name} has {size} bytes, its header says {expected}")
        return array


def _in_words(size: int | range) -> str:
    return f"{size.start} to {size.stop - 1}" if isinstance(size, range) else str(size)


def clean(text: str) -> str:
    """Return a text that every file and terminal takes: bounded, without control characters."""
    kept = text[:TEXT].encode("utf-8", "replace").decode()
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in kept)

"""The part of a download that has arrived; it survives an interruption."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import requests

from blindfold.core import io
from blindfold.core.strict import Strict
from blindfold.fetch.errors import without_password


class Origin(Strict):
    """The version of a file that a part belongs to."""

    url: str
    validator: str | None
    total: int | None


@dataclass(frozen=True)
class PartialDownload:
    """``<target>.partial``, and beside it ``<target>.partial.json`` with its origin.

    Parameters
    ----------
    target
        The file that it will be.
    """

    target: Path

    @property
    def path(self) -> Path:
        """The file of what has arrived."""
        return self.target.with_name(self.target.name + ".partial")

    @property
    def _origin_path(self) -> Path:
        return self.target.with_name(self.target.name + ".partial.json")

    @property
    def size(self) -> int:
        """Number of bytes that have arrived."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def resumable_origin(self, url: str, checkable: bool) -> Origin | None:
        """Return the part's origin if the rest of the same version can be asked for.

        Otherwise discard the part: where the server names no version and no checksum is known,
        the pieces of two versions could be joined unseen.

        Parameters
        ----------
        url
            The address to ask.
        checkable
            Whether a checksum is known.
        """
        try:
            origin = Origin.model_validate_json(self._origin_path.read_text())
        except (OSError, ValueError):
            origin = Origin(url="", validator=None, total=None)
        known_version = checkable or origin.validator is not None
        if origin.url == url and known_version and self.size > 0:
            return origin
        self.discard()
        return None

    def begin(self, url: str, response: requests.Response) -> None:
        """Start anew, with the version of the file that a response sends."""
        self.discard()
        tag = response.headers.get("ETag", "")
        # a weak tag may name two versions
        validator = tag if tag.startswith('"') else response.headers.get("Last-Modified")
        _, total = content_range(response)
        origin = Origin(url=without_password(url), validator=validator, total=total)
        io.write_json(self._origin_path, origin.model_dump())

    def continues_with(self, response: requests.Response, total: int | None) -> bool:
        """Return False where a response sends another range than the rest, or has none."""
        if response.status_code not in (206, 416):
            return True
        start, size = content_range(response)
        return response.status_code == 206 and start == self.size and total in (None, size)

    def discard(self) -> None:
        """Delete what has arrived."""
        self.path.unlink(missing_ok=True)
        self._origin_path.unlink(missing_ok=True)

    def complete(self) -> None:
        """Rename the part, which is whole, to its target."""
        self.path.replace(self.target)
        self.discard()


def content_range(response: requests.Response) -> tuple[int, int | None]:
    """Return the first byte that is sent, and the size of the whole file where it is stated.

    The first byte is -1 where the response does not say which range it is.
    """
    if response.status_code == 206:
        pattern = r"bytes (\d+)-\d+/(\d+|\*)"
        found = re.match(pattern, response.headers.get("Content-Range", ""))
        start, total = found.groups() if found else ("-1", "*")
    else:
        start, total = "0", response.headers.get("Content-Length", "")
    return int(start), int(total) if total.isdecimal() else None

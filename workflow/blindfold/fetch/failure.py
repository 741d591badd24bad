"""What went wrong with a download, in words that say what to do."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.fetch.answer import shown
from blindfold.fetch.errors import InterruptedDownload, SourceError
from blindfold.fetch.partial import Partial

if TYPE_CHECKING:
    import requests


def request_failed(error: requests.RequestException, url: str) -> SourceError:
    """Return why a request failed, and whether another attempt may help."""
    import requests

    kinds = requests.exceptions
    if isinstance(error, kinds.ProxyError):
        return SourceError(f"the proxy does not answer ({_proxy(url)}): mend or unset it")
    problem = f"{type(error).__name__}: {error}"
    passing = isinstance(error, kinds.ConnectionError | kinds.Timeout | kinds.ChunkedEncodingError)
    if passing and not isinstance(error, kinds.SSLError):
        return InterruptedDownload(problem)
    return SourceError(problem)


def _proxy(url: str) -> str:
    """Return the environment variable that names the proxy of an address."""
    scheme = urlsplit(url).scheme
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
        if os.environ.get(name):
            return f"environment variable {name}={shown(os.environ[name])}"
    return "set in this system's network settings"


def write_failed(error: OSError, part: Partial) -> Exception:
    """Return why bytes could not be written; where the disk is full, what has arrived is kept."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BlindfoldError(
            f"cannot write: {os.strerror(error.errno)}", file=part.path,
            found=f"{part.size} bytes written",
            remedy="free some space on that disk and run again: the download goes on from there; "
            "or let cache: in the configuration name a folder on another disk",
        )  # fmt: skip
    return io.explain_os_error(error, part.path) or error

"""Download one file from one address: as many attempts as it takes, each going on from the last."""

from __future__ import annotations

import time

from blindfold.core.log import log
from blindfold.fetch.errors import InterruptedDownload, SourceError
from blindfold.fetch.partial import Partial
from blindfold.fetch.patience import Patience
from blindfold.fetch.promise import Promise
from blindfold.fetch.request import receive


def download(url: str, part: Partial, promised: Promise, patience: Patience) -> None:
    """Complete a partial file; its content is not verified yet.

    Raises
    ------
    SourceError
        Where the address refuses, or fails too often. What has arrived is kept.
    BlindfoldError
        Where the disk is full or the folder cannot be written.
    """
    failures, most = 0, 0
    while True:
        try:
            receive(url, part, promised, patience)
            return
        except InterruptedDownload as error:
            failures = 1 if part.size > most else failures + 1
            most = max(most, part.size)
            if failures >= patience.attempts:
                raise SourceError(f"{error} (given up after {failures} attempts)") from error
            pause = _pause(error, failures, patience)
            log.warning("%s: %s; trying again in %.1f s", promised.name, error, pause)
        time.sleep(pause)


def _pause(error: InterruptedDownload, failures: int, patience: Patience) -> float:
    """Return the seconds to wait: the server's wish, within reason, or an ever longer pause."""
    asked = error.retry_after
    if asked is None:
        return patience.pause(failures)
    if asked > patience.longest:
        raise SourceError(f"{error}; the server asks to come back in {asked:.0f} s") from error
    return max(asked, patience.pause(failures))

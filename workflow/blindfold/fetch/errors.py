"""Why one source of a file is no use; the next one is tried."""

from __future__ import annotations


class SourceError(Exception):
    """A source does not have the file, or gave something else."""


class InterruptedDownload(SourceError):
    """A failure that may pass: the same address is worth another attempt.

    Parameters
    ----------
    problem
        What happened.
    retry_after
        Seconds that the server asks to be left alone, where it says so.
    """

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after

"""Download one file from one address, in as many attempts as it takes."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass

import requests
import tenacity
import urllib3
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from blindfold.core import io
from blindfold.core.log import log
from blindfold.fetch import errors
from blindfold.fetch.checksum import ExpectedFile, is_web_page
from blindfold.fetch.errors import InterruptedDownload, SourceError, without_password
from blindfold.fetch.resume import PartialDownload, content_range

_CHUNK = 1 << 16


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and after how many seconds, a download is tried again.

    Parameters
    ----------
    attempts
        Failures in a row after which an address is given up; one that brought something new starts
        the count again.
    first_wait
        Longest wait after the first failure; each further one is twice as long.
    longest_wait
        Longest wait of all, also where a server asks for a longer one.
    connect_timeout
        Time for the connection to be made.
    read_timeout
        Time without a byte after which a download counts as interrupted.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    connect_timeout: float = 20.0
    read_timeout: float = 60.0


DEFAULT_POLICY = RetryPolicy()


def download(url: str, part: PartialDownload, expected: ExpectedFile, policy: RetryPolicy) -> None:
    """Complete a partial download; its content is not verified yet.

    Raises
    ------
    SourceError
        Where the address refuses, or fails too often. What has arrived is kept.
    BlindfoldError
        Where the disk is full or the folder cannot be written.
    """
    exponential = tenacity.wait_exponential(multiplier=policy.first_wait, max=policy.longest_wait)
    most = 0

    def count(state: tenacity.RetryCallState) -> None:
        nonlocal most
        # an attempt that brought something new starts the count again
        if part.size > most:
            state.attempt_number = 1
        most = max(most, part.size)

    def wait(state: tenacity.RetryCallState) -> float:
        # half of it is chance: jobs that failed together must not come back together
        return max(_failure(state).retry_after, exponential(state) * random.uniform(0.5, 1.0))

    def warn(state: tenacity.RetryCallState) -> None:
        pause = state.upcoming_sleep
        log.warning("%s: %s; trying again in %.1f s", expected.name, _failure(state), pause)

    def give_up(state: tenacity.RetryCallState) -> None:
        error = _failure(state)
        raise SourceError(f"{error} (given up after {state.attempt_number} attempts)") from error

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(InterruptedDownload),
        stop=tenacity.stop_after_attempt(policy.attempts),
        wait=wait, after=count, before_sleep=warn, retry_error_callback=give_up,
    )  # fmt: skip
    attempts(_request_rest, url, part, expected, policy)


def _failure(state: tenacity.RetryCallState) -> InterruptedDownload:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, InterruptedDownload)
    return error


def _request_rest(
    url: str, part: PartialDownload, expected: ExpectedFile, policy: RetryPolicy
) -> None:
    """Ask once for what is missing, which may be everything, and append what comes."""
    origin = part.resumable_origin(without_password(url), expected.digest is not None)
    # without `identity`, some servers compress on the fly and the bytes are not those of the card
    headers = {"Accept-Encoding": "identity", "User-Agent": "blindfold"}
    if origin is not None:
        if part.size == origin.total:
            return
        headers["Range"] = f"bytes={part.size}-"
        if origin.validator is not None:
            headers["If-Range"] = origin.validator
    timeout = (policy.connect_timeout, policy.read_timeout)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            if origin is not None and not part.continues_with(response, origin.total):
                part.discard()
                raise InterruptedDownload("the server does not send the rest; starting anew")
            errors.check_response(response, expected.html, policy.longest_wait)
            if response.status_code == 200:
                part.begin(url, response)
            with io.explain_write_errors(part.path):
                _append(response, part, expected)
    except requests.RequestException as error:
        raise errors.request_error(error, url) from error
    except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
        why = error.args[0] if error.args else type(error).__name__
        raise InterruptedDownload(f"interrupted after {part.size} bytes: {why}") from error


def _append(response: requests.Response, part: PartialDownload, expected: ExpectedFile) -> None:
    """Write the body of a response, and see that it is whole."""
    _, total = content_range(response)
    size = expected.bytes if total is None else total
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    task = bar.add_task(expected.name, total=size, completed=part.size)
    with part.path.open("ab") as out, bar:
        # undecoded: a .gz file is often sent with `Content-Encoding: gzip`
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            if out.tell() == 0 and not expected.html and is_web_page(chunk):
                part.discard()
                raise errors.web_page(response)
            if expected.bytes is not None and out.tell() + len(chunk) > expected.bytes:
                part.discard()
                raise SourceError(f"more than {expected.bytes} bytes, the size that the card says")
            out.write(chunk)
            bar.advance(task, len(chunk))
    if size is not None and part.size < size:
        raise InterruptedDownload(f"the connection ended after {part.size} of {size} bytes")

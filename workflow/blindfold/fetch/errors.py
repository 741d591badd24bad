"""Why a source cannot give a file; the next source is tried."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import requests
from requests import exceptions
from urllib3.util.retry import Retry

_TRANSIENT = {408, 425, 429}


class SourceError(Exception):
    """A source does not have the file, or gives something else."""


class InterruptedDownload(SourceError):
    """A failure that may pass: the same address is worth another attempt.

    Parameters
    ----------
    problem
        What happened.
    retry_after
        Seconds that the server asks to wait.
    """

    def __init__(self, problem: str, retry_after: float = 0.0) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


def without_password(url: str) -> str:
    """Return an address without user name and password."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def check_response(response: requests.Response, html: bool, longest_wait: float) -> None:
    """Refuse a response that is not the file.

    Parameters
    ----------
    response
        The response, its body unread.
    html
        Whether a web page is expected.
    longest_wait
        Seconds; where the server asks to wait longer, it is not asked again.

    Raises
    ------
    InterruptedDownload
        Where the server may respond otherwise later.
    SourceError
        Where it will not.
    """
    status = f"{response.status_code} {response.reason}"
    if response.status_code >= 500 or response.status_code in _TRANSIENT:
        wait = Retry().get_retry_after(response.raw) or 0.0
        if wait > longest_wait:
            raise SourceError(f"{status}; the server asks to come back in {wait:.0f} s")
        raise InterruptedDownload(status, wait)
    accepted = {200, 206} if "Range" in response.request.headers else {200}
    if response.status_code not in accepted:
        raise SourceError(status)
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "text/html" and not html:
        raise web_page(response)


def web_page(response: requests.Response) -> SourceError:
    """Return the error for a web page in place of a file."""
    by_way = f" (sent on to {without_password(response.url)})" if response.history else ""
    return SourceError(
        f"the server sent a web page (HTML) instead of the file{by_way}; it may ask for a log-in"
    )


def request_error(error: exceptions.RequestException, url: str) -> SourceError:
    """Return why a request failed, and whether another attempt may help."""
    if isinstance(error, exceptions.ProxyError):
        return SourceError(f"the proxy does not answer ({_proxy(url)}): mend or unset it")
    problem = f"{type(error).__name__}: {error}"
    passing = (exceptions.ConnectionError, exceptions.Timeout, exceptions.ChunkedEncodingError)
    if isinstance(error, passing) and not isinstance(error, exceptions.SSLError):
        return InterruptedDownload(problem)
    return SourceError(problem)


def _proxy(url: str) -> str:
    """Return the environment variable that names the proxy of an address."""
    scheme = urlsplit(url).scheme
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
        if os.environ.get(name):
            return f"environment variable {name}={without_password(os.environ[name])}"
    return "set in this system's network settings"

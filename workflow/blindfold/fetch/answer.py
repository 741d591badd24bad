"""What a server's answer says: whether it is the file, of which version, how large."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blindfold.fetch.errors import InterruptedDownload, SourceError

if TYPE_CHECKING:
    import requests

_TRANSIENT = {408, 425, 429}


def shown(url: str) -> str:
    """Return an address without user name and password."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def refuse_errors(answer: requests.Response, html: bool) -> None:
    """Refuse an answer that is no file.

    Parameters
    ----------
    answer
        The answer, its body unread.
    html
        Whether a web page is what is wanted.

    Raises
    ------
    InterruptedDownload
        Where the server may answer otherwise later.
    SourceError
        Where it will not.
    """
    from urllib3.util.retry import Retry

    said = f"{answer.status_code} {answer.reason}"
    if answer.status_code >= 500 or answer.status_code in _TRANSIENT:
        raise InterruptedDownload(said, Retry().get_retry_after(answer.raw))
    if answer.status_code not in (200, 206):
        raise SourceError(said)
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "text/html" and not html:
        raise web_page(answer)


def web_page(answer: requests.Response) -> SourceError:
    """Return the message for a page where a file was wanted."""
    by_way = f" (sent on to {shown(answer.url)})" if answer.history else ""
    return SourceError(
        f"the server sent a web page (HTML) instead of the file{by_way}; it may ask for a log-in"
    )


def sent_range(answer: requests.Response) -> tuple[int, int | None]:
    """Return the first byte that is sent, and the size of the whole where it is said.

    The first byte is -1 where the answer does not say which range it is.
    """
    found = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if found is None:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def whole_size(answer: requests.Response) -> int | None:
    """Return the size of the whole file, where the server says it."""
    if answer.status_code == 206:
        return sent_range(answer)[1]
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def validator(answer: requests.Response) -> str | None:
    """Return what names this version of the file: a strong entity tag, or its date."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified")

"""One request for what is still missing of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blindfold.core.errors import BlindfoldError
from blindfold.fetch import answer as said
from blindfold.fetch.errors import InterruptedDownload, SourceError
from blindfold.fetch.failure import request_failed, write_failed
from blindfold.fetch.partial import Origin, Partial
from blindfold.fetch.patience import Patience
from blindfold.fetch.progress import progress
from blindfold.fetch.promise import Promise, is_web_page

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 16


def receive(url: str, part: Partial, promised: Promise, patience: Patience) -> None:
    """Ask for the rest of a partial file, or for all of it, and append what comes.

    Raises
    ------
    InterruptedDownload
        Where another attempt may help.
    SourceError
        Where none would.
    BlindfoldError
        Where the disk is full or the folder cannot be written.
    """
    import requests
    import urllib3

    origin = _resumable(part, url, promised)
    if origin is not None and part.size == origin.total:
        return
    waits = (patience.connect, patience.silence)
    try:
        with requests.get(
            url, headers=_headers(part, origin), stream=True, timeout=waits
        ) as answer:
            useful = _follows(answer, part, origin)
            if useful:
                _store(answer, url, part, promised)
    except (BlindfoldError, SourceError):
        raise
    except requests.RequestException as error:
        raise request_failed(error, url) from error
    except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
        why = error.args[0] if error.args else type(error).__name__
        raise InterruptedDownload(f"interrupted after {part.size} bytes: {why}") from error
    except OSError as error:
        raise write_failed(error, part) from error
    if not useful:
        part.discard()
        receive(url, part, promised, patience)


def _resumable(part: Partial, url: str, promised: Promise) -> Origin | None:
    """Return what the part is of, where the rest of the same version can be asked for.

    Where the server names no version and no checksum would tell, the pieces of two versions could
    be joined unseen: such a part is thrown away.
    """
    origin = part.origin()
    known = origin is not None and (origin.validator is not None or promised.verifiable)
    if origin is not None and known and origin.url == said.shown(url) and part.size > 0:
        return origin
    part.discard()
    return None


def _headers(part: Partial, origin: Origin | None) -> dict[str, str]:
    # without `identity`, some servers compress on the fly and the bytes are not those of the card
    headers = {"Accept-Encoding": "identity", "User-Agent": "blindfold"}
    if origin is not None:
        headers["Range"] = f"bytes={part.size}-"
        if origin.validator is not None:
            headers["If-Range"] = origin.validator
    return headers


def _follows(answer: requests.Response, part: Partial, origin: Origin | None) -> bool:
    """Whether an answer is of use: anything but a range that does not continue the part."""
    if answer.status_code not in (206, 416):
        return True
    if origin is None:
        raise SourceError(f"{answer.status_code} {answer.reason}, though no range was asked for")
    start, total = said.sent_range(answer)
    return answer.status_code == 206 and start == part.size and origin.total in (None, total)


def _store(answer: requests.Response, url: str, part: Partial, promised: Promise) -> None:
    """Write the body of an answer, and see that it is whole."""
    said.refuse_errors(answer, promised.html)
    total = said.whole_size(answer)
    if answer.status_code == 200:
        part.begin(Origin(url=said.shown(url), validator=said.validator(answer), total=total))
    expected = promised.bytes if total is None else total
    with part.path.open("ab") as out, progress(promised.name, part.size, expected) as advance:
        # undecoded: a .gz file is often sent with `Content-Encoding: gzip`
        for chunk in answer.raw.stream(_CHUNK, decode_content=False):
            if out.tell() == 0 and not promised.html and is_web_page(chunk):
                part.discard()
                raise said.web_page(answer)
            if promised.bytes is not None and out.tell() + len(chunk) > promised.bytes:
                part.discard()
                raise SourceError(f"more than {promised.bytes} bytes, the size that the card says")
            out.write(chunk)
            advance(len(chunk))
    if expected is not None and part.size < expected:
        raise InterruptedDownload(f"the connection ended after {part.size} of {expected} bytes")

"""A local HTTP server that misbehaves on demand, and cards of one file."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blindfold.core.datasets import DatasetCard
from blindfold.fetch.download import RetryPolicy
from blindfold.fetch.fetch import fetch

BODY = bytes(range(256)) * 1200
QUICK = RetryPolicy(
    attempts=3, first_wait=0.001, longest_wait=0.01, connect_timeout=2, read_timeout=0.4
)


@dataclass
class Page:
    """What stands at an address."""

    body: bytes = BODY
    etag: str | None = None
    modified: str | None = None
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=dict)

    def same_version(self, wanted: str | None) -> bool:
        return wanted in (None, self.etag, self.modified)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        steps = self.server.script.get(self.path)
        if steps:
            steps.pop(0)(self)
        elif self.path in self.server.site:
            self.serve(self.server.site[self.path])
        else:
            self.send_error(404)

    def serve(self, page, upto=None, then=lambda: None):
        """Send a page, or its range; ``upto`` ends the connection after so many bytes."""
        body, start = page.body, 0
        asked = self.headers.get("Range")
        if asked and page.ranges and page.same_version(self.headers.get("If-Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.respond(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
                return
        headers = {"Content-Length": str(len(body) - start), **page.headers}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        named = {"ETag": page.etag, "Last-Modified": page.modified}
        headers |= {name: value for name, value in named.items() if value}
        self.respond(206 if start else 200, headers)
        self.wfile.write(body[start:][:upto])
        then()

    def respond(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


def cut(page: Page, upto: int) -> Callable[[Handler], None]:
    """Promise the whole page, and end after ``upto`` bytes."""
    return lambda handler: handler.serve(page, upto)


def stall(page: Page, upto: int) -> Callable[[Handler], None]:
    """Send ``upto`` bytes, then nothing more until the test ends."""
    return lambda handler: handler.serve(page, upto, lambda: handler.server.over.wait(20))


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    """Answer with an error."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.respond(code, {"Content-Length": "0", **named})


@pytest.fixture
def server():
    """Serve ``site``; ``script`` holds what happens first; ``asked`` lists every request."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        httpd.site, httpd.script, httpd.asked = {}, {}, []
        httpd.over = threading.Event()
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        httpd.address = f"http://127.0.0.1:{httpd.server_port}"
        yield httpd
        httpd.over.set()
        httpd.shutdown()
        thread.join()


def make_card(path="raw/x y.bin", **file) -> DatasetCard:
    """Return the card of a dataset with one file, of which no checksum is known."""
    return DatasetCard.model_validate({
        "title": "t", "organism": "o", "tissue": "t", "technology": "t", "modality": "scrna",
        "paper": "p", "licence": "l", "reader": "r",
        "files": [{"path": path, "role": "data", **file}],
    })  # fmt: skip


def sha256_and_size(body: bytes = BODY) -> dict[str, object]:
    """Return what a card says of a file with this content."""
    return {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}


@dataclass
class Workspace:
    """A cache, and fetching into it."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def target(self) -> Path:
        return self.cache / "raw" / "x y.bin"

    @property
    def part(self) -> Path:
        return self.cache / "raw" / "x y.bin.partial"

    @property
    def record(self) -> Path:
        return self.root / "fetched.json"

    def fetch(self, card, mirror=(), offline=False, policy=QUICK):
        fetch(card, self.record, self.cache, list(mirror), offline, policy)
        return json.loads(self.record.read_text())


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def card(server):
    """Return the card of one file at ``/f`` whose checksum is known."""
    server.site["/f"] = Page()
    return make_card(url=server.address + "/f", **sha256_and_size())


def ranges(server) -> list[str | None]:
    """Return the range that each request asked for."""
    return [headers.get("Range") for _, headers in server.asked]


def kept(workspace: Workspace) -> list[str]:
    """Return the names of what stands where the file belongs."""
    return sorted(path.name for path in workspace.target.parent.glob("*"))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

"""Downloads: every source, every way to go wrong, against a real local server."""

import hashlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from blindfold.core import cards
from blindfold.core.errors import BlindfoldError
from blindfold.fetch.fetch import fetch

BODY = bytes(range(256)) * 40


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """Serve tmp_path/site; ``asked`` lists every request."""
    (tmp_path / "site").mkdir()
    handler = partial(Handler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        httpd.asked = []
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        httpd.address = f"http://127.0.0.1:{httpd.server_port}"
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture
def make_card(tmp_path, monkeypatch):
    """Write the card of a dataset ``d`` with one file and return nothing."""
    folder = tmp_path / "cards"
    folder.mkdir()
    monkeypatch.setattr(cards, "DATASETS", folder)

    def make(body=BODY, path="raw/x y.bin", **source):
        digest = hashlib.sha256(body).hexdigest()
        file = {"path": path, "role": "data", "sha256": digest, "bytes": len(body), **source}
        card = {
            "title": "t", "organism": "o", "tissue": "t", "technology": "t", "modality": "scrna",
            "paper": "p", "licence": "l", "files": [file], "reader": "r",
            "expected": {"cells": 1, "genes": 1},
        }  # fmt: skip
        (folder / "d.yaml").write_text(yaml.safe_dump(card))

    return make


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def target(cache):
    return cache / "d" / "raw" / "x y.bin"


def publish(root, name, body=BODY):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(body)


def test_a_url_is_downloaded_once_and_recorded(tmp_path, server, make_card, cache):
    publish(tmp_path / "site", "here.bin")
    url = server.address + "/here.bin"
    make_card(url=url)
    record = fetch("d", cache, [], False)
    first = record.read_bytes()
    assert target(cache).read_bytes() == BODY
    (row,) = json.loads(first)
    assert (row["source"], row["role"], row["bytes"]) == (url, "data", len(BODY))
    fetch("d", cache, [], False)
    assert server.asked == ["/here.bin"]
    assert record.read_bytes() == first


def test_a_mirror_comes_before_the_url(tmp_path, server, make_card, cache):
    make_card(url=server.address + "/absent.bin")
    publish(tmp_path / "mirror", "raw/x y.bin")
    row = json.loads(fetch("d", cache, [str(tmp_path / "mirror")], True).read_text())[0]
    assert row["source"] == str(tmp_path / "mirror/raw/x y.bin")
    assert server.asked == []


def test_a_mirror_may_be_an_address(tmp_path, server, make_card, cache):
    make_card(url=server.address + "/absent.bin")
    publish(tmp_path / "site", "m/raw/x y.bin")
    fetch("d", cache, [server.address + "/m/"], False)
    assert target(cache).read_bytes() == BODY
    assert server.asked == ["/m/raw/x%20y.bin"]


def test_a_mirror_with_other_bytes_is_passed_over(tmp_path, server, make_card, cache):
    publish(tmp_path / "mirror", "raw/x y.bin", BODY[::-1])
    publish(tmp_path / "site", "here.bin")
    make_card(url=server.address + "/here.bin")
    fetch("d", cache, [str(tmp_path / "mirror")], False)
    assert target(cache).read_bytes() == BODY


@pytest.mark.parametrize("damage", [BODY[:-7], b"x" * len(BODY)])
def test_a_damaged_cached_file_is_replaced(tmp_path, server, make_card, cache, damage):
    publish(tmp_path / "site", "here.bin")
    make_card(url=server.address + "/here.bin")
    publish(cache, "d/raw/x y.bin", damage)
    fetch("d", cache, [], False)
    assert target(cache).read_bytes() == BODY


def test_an_unlisted_record_is_no_obstacle(tmp_path, make_card, cache):
    make_card(url="http://127.0.0.1:9/never.bin")
    publish(cache, "d/raw/x y.bin")
    publish(cache, "d/fetched.json", b"{broken")
    assert json.loads(fetch("d", cache, [], True).read_text())[0]["source"] == "cache"


@pytest.mark.parametrize("body", [BODY[::-1], BODY + b"x", b"<html>log in</html>", b""])
def test_wrong_bytes_are_refused_and_leave_nothing(tmp_path, server, make_card, cache, body):
    publish(tmp_path / "site", "here.bin", body)
    url = server.address + "/here.bin"
    make_card(url=url)
    with pytest.raises(BlindfoldError, match="instead of") as error:
        fetch("d", cache, [], False)
    for word in (url, str(target(cache)), "by hand", hashlib.sha256(BODY).hexdigest()):
        assert word in str(error.value)
    assert list(target(cache).parent.iterdir()) == []
    assert not (cache / "d" / "fetched.json").exists()


@pytest.mark.parametrize("port", [None, 9])
def test_an_unreachable_address_is_named(server, make_card, cache, port):
    url = (f"http://127.0.0.1:{port}" if port else server.address) + "/absent.bin"
    make_card(url=url)
    with pytest.raises(BlindfoldError, match="404" if port is None else "ConnectionError") as error:
        fetch("d", cache, [], False)
    assert url in str(error.value)


def test_offline_asks_no_address(server, make_card, cache):
    make_card(url=server.address + "/here.bin")
    with pytest.raises(BlindfoldError, match="offline") as error:
        fetch("d", cache, [server.address], True)
    assert "put it at" in str(error.value)
    assert server.asked == []


def test_a_package_that_is_not_installed_is_named(make_card, cache):
    make_card(package="no_such_package")
    with pytest.raises(BlindfoldError, match="install the version of no_such_package"):
        fetch("d", cache, [], False)


def test_a_path_that_leaves_the_cache_is_refused(make_card, cache):
    make_card(path="../../etc/x", url="http://127.0.0.1:9/x")
    with pytest.raises(BlindfoldError, match="leaves the cache"):
        fetch("d", cache, [], False)


def test_many_jobs_download_once(tmp_path, server, make_card, cache):
    publish(tmp_path / "site", "here.bin")
    make_card(url=server.address + "/here.bin")
    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda _: fetch("d", cache, [], False), range(8)))
    assert len(set(records)) == 1
    assert server.asked == ["/here.bin"]


def test_packaged_cells_come_without_importing_the_package(tmp_path):
    code = (
        "import sys; from pathlib import Path; from blindfold.fetch.fetch import fetch;"
        f"print(fetch('pbmc68k', Path({str(tmp_path)!r}), [], True));"
        "assert 'scanpy' not in sys.modules"
    )
    path = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()
    (row,) = json.loads((tmp_path / "pbmc68k/fetched.json").read_text())
    assert path == str(tmp_path / "pbmc68k/fetched.json")
    assert row["source"] == "package scanpy"
    raw = (tmp_path / "pbmc68k" / row["path"]).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == row["sha256"]

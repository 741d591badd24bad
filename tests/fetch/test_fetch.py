"""Where files come from, in which order, and what is said where none has them."""

import csv
import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from blindfold.core.available import obstacle
from blindfold.core.datasets import DatasetCard, dataset_card
from blindfold.core.errors import BlindfoldError
from blindfold.fetch.fetch import fetch
from tests.conftest import MIRROR, needs_mirror
from tests.fetch.conftest import BODY, QUICK, Page, make_card, sha256_and_size


def publish(path, body=BODY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def test_a_url_is_downloaded_once_and_recorded(server, workspace):
    server.site["/here.bin"] = Page()
    card = make_card(url=server.address + "/here.bin", **sha256_and_size())
    (row,) = workspace.fetch(card)
    first = workspace.record.read_bytes()
    assert workspace.target.read_bytes() == BODY
    assert row == {
        "path": "raw/x y.bin", "role": "data", "sha256": hashlib.sha256(BODY).hexdigest(),
        "bytes": len(BODY), "source": server.address + "/here.bin",
        "location": str(workspace.target.resolve()),
    }  # fmt: skip
    workspace.fetch(card)
    assert len(server.asked) == 1
    assert workspace.record.read_bytes() == first


def test_nothing_but_the_file_is_left(server, workspace):
    server.site["/here.bin"] = Page(etag='"1"')
    workspace.fetch(make_card(url=server.address + "/here.bin"))
    assert list(workspace.target.parent.iterdir()) == [workspace.target]


def test_the_cache_comes_first(server, workspace):
    publish(workspace.target)
    publish(workspace.root / "mirror/raw/x y.bin")
    card = make_card(url=server.address + "/here.bin", **sha256_and_size())
    (row,) = workspace.fetch(card, [str(workspace.root / "mirror"), server.address])
    assert row["source"] == "cache"
    assert server.asked == []


def test_a_mirror_comes_before_the_url(server, workspace):
    publish(workspace.root / "mirror/raw/x y.bin")
    card = make_card(url=server.address + "/here.bin", **sha256_and_size())
    (row,) = workspace.fetch(card, [str(workspace.root / "mirror")])
    assert row["source"] == str(workspace.root / "mirror/raw/x y.bin")
    assert server.asked == []


def test_mirrors_are_tried_in_order_and_may_be_addresses(server, workspace):
    server.site["/m/raw/x%20y.bin"] = Page()
    card = make_card(url=server.address + "/never.bin", **sha256_and_size())
    mirror = [str(workspace.root / "none"), server.address + "/n", server.address + "/m/"]
    workspace.fetch(card, mirror)
    assert [path for path, _ in server.asked] == ["/n/raw/x%20y.bin", "/m/raw/x%20y.bin"]


@pytest.mark.parametrize("body", [BODY[::-1], BODY[:-1], b"", b"<html>log in</html>"])
def test_a_mirror_with_other_bytes_is_passed_over(server, workspace, body):
    publish(workspace.root / "mirror/raw/x y.bin", body)
    server.site["/here.bin"] = Page()
    card = make_card(url=server.address + "/here.bin", **sha256_and_size())
    workspace.fetch(card, [str(workspace.root / "mirror")])
    assert workspace.target.read_bytes() == BODY


@pytest.mark.parametrize("damage", [BODY[:-7], b"x" * len(BODY), b""])
def test_a_damaged_cached_file_is_replaced(server, workspace, damage):
    server.site["/here.bin"] = Page()
    publish(workspace.target, damage)
    workspace.fetch(make_card(url=server.address + "/here.bin", **sha256_and_size()))
    assert workspace.target.read_bytes() == BODY


def test_a_damaged_record_is_no_obstacle(workspace):
    publish(workspace.target)
    for text in ("{broken", "[1]", "{}", '["x"]'):
        workspace.record.write_text(text)
        card = make_card(url="http://127.0.0.1:9/never.bin", **sha256_and_size())
        assert workspace.fetch(card, offline=True)[0]["source"] == "cache"


def test_offline_asks_no_address_and_says_what_to_put_where(server, workspace):
    url = server.address + "/here.bin"
    with pytest.raises(BlindfoldError, match="offline") as error:
        workspace.fetch(make_card(url=url, **sha256_and_size()), [server.address], offline=True)
    for word in (url, f"put it at {workspace.target}", "mirror: as raw/x y.bin"):
        assert word in str(error.value)
    assert server.asked == []
    assert not workspace.record.exists()


def test_a_file_to_be_brought_is_described(workspace):
    card = make_card(by_hand="ask the authors of the study for x y.bin")
    with pytest.raises(BlindfoldError, match="ask the authors") as error:
        workspace.fetch(card)
    assert f"put it at {workspace.target}" in str(error.value)
    publish(workspace.root / "mirror/raw/x y.bin")
    assert workspace.fetch(card, [str(workspace.root / "mirror")])[0]["bytes"] == len(BODY)


def test_a_package_that_is_not_installed_is_named(workspace):
    with pytest.raises(BlindfoldError, match="install the version of no_such_package"):
        workspace.fetch(make_card(package="no_such_package", **sha256_and_size()))


@pytest.mark.parametrize("path", ["../../etc/x", "/etc/x", ".."])
def test_a_path_that_leaves_the_cache_is_refused(workspace, path):
    with pytest.raises(BlindfoldError, match="leaves the cache"):
        workspace.fetch(make_card(path=path, url="http://127.0.0.1:9/x"))


def test_a_folder_in_the_files_place_is_refused(workspace):
    workspace.target.mkdir(parents=True)
    with pytest.raises(BlindfoldError, match="a folder stands where") as error:
        workspace.fetch(make_card(url="http://127.0.0.1:9/x"))
    assert str(workspace.target) in str(error.value)


def test_a_folder_in_a_mirror_is_no_file(workspace):
    (workspace.root / "mirror/raw/x y.bin").mkdir(parents=True)
    with pytest.raises(BlindfoldError, match="a folder, not a file"):
        workspace.fetch(make_card(by_hand="bring it"), [str(workspace.root / "mirror")])


def test_own_files_are_used_where_they_lie(workspace):
    own = workspace.root / "my data.h5ad"
    publish(own)
    (row,) = workspace.fetch(make_card(local=str(own)))
    assert (row["location"], row["source"]) == (str(own), str(own))
    assert row["sha256"] == hashlib.sha256(BODY).hexdigest()
    publish(own, BODY + b"more")
    assert workspace.fetch(make_card(local=str(own)))[0]["bytes"] == len(BODY) + 4
    assert not workspace.cache.exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "not there"),
        (lambda path: path.mkdir(), "a folder, not a file"),
        (lambda path: path.touch(), "the file is empty"),
        (lambda path: path.write_text("<!DOCTYPE html><p>log in"), "a web page"),
    ],
)
def test_own_files_that_are_none(workspace, make, message):
    own = workspace.root / "mine.h5ad"
    make(own)
    with pytest.raises(BlindfoldError, match=message) as error:
        workspace.fetch(make_card(local=str(own)))
    assert str(own) in str(error.value)


def test_availability_of_own_files(workspace):
    own = workspace.root / "mine.h5ad"
    card = make_card(local=str(own))
    assert obstacle(card, workspace.cache, [], True) == f"{own}: no such file"
    publish(own)
    assert obstacle(card, workspace.cache, [], True) is None


def test_many_threads_download_once(server, workspace):
    server.site["/here.bin"] = Page()
    card = make_card(url=server.address + "/here.bin", **sha256_and_size())

    def job(number):
        return fetch(
            card, workspace.root / f"{number}.json", workspace.cache, [], False, QUICK
        ).read_text()

    with ThreadPoolExecutor(8) as pool:
        records = [json.loads(text)[0]["sha256"] for text in pool.map(job, range(8))]
    assert set(records) == {hashlib.sha256(BODY).hexdigest()}
    assert len(server.asked) == 1


def test_files_are_locked_one_by_one(server, workspace):
    """Two datasets that share a file download it once, and their other files each once."""
    names = ["shared", "a", "b"]
    for name in names:
        server.site[f"/{name}"] = Page(name.encode() * 1000)
    files = {
        name: {"path": name, "role": name, "url": f"{server.address}/{name}"} for name in names
    }
    plain = make_card(by_hand="x").model_dump(exclude_unset=True)

    def job(name):
        card = DatasetCard.model_validate(plain | {"files": [files["shared"], files[name]]})
        return fetch(card, workspace.root / f"{name}.json", workspace.cache, [], False, QUICK)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(job, "ab"))
    assert sorted(path for path, _ in server.asked) == ["/a", "/b", "/shared"]


def test_packaged_cells_come_without_importing_the_package(tmp_path):
    code = (
        "import sys; from pathlib import Path; from blindfold.fetch.fetch import fetch;"
        "from blindfold.core.datasets import dataset_card;"
        f"root = Path({str(tmp_path)!r});"
        "print(fetch(dataset_card('pbmc68k'), root / 'record.json', root / 'cache', [], True));"
        "assert 'scanpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    (row,) = json.loads((tmp_path / "record.json").read_text())
    (file,) = dataset_card("pbmc68k").files
    raw = (tmp_path / "cache" / "scanpy" / file.path).read_bytes()
    assert row["source"] == "package scanpy"
    assert hashlib.sha256(raw).hexdigest() == row["sha256"] == file.sha256


@needs_mirror
def test_every_file_of_the_mirror_arrives_unchanged(workspace):
    table = MIRROR.parent / "SOURCES.tsv"
    with table.open(newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    files = [
        {"path": row["file"], "role": str(number), "url": row["url"], "sha256": row["sha256"],
         "bytes": int(row["bytes"])}
        for number, row in enumerate(rows)
    ]  # fmt: skip
    plain = make_card(by_hand="x").model_dump(exclude_unset=True)
    card = DatasetCard.model_validate(plain | {"files": files})
    record = workspace.fetch(card, [str(MIRROR)], offline=True)
    assert len(rows) > 80
    assert [(row["path"], row["sha256"]) for row in record] == [
        (row["file"], row["sha256"]) for row in rows
    ]

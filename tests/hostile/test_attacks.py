"""Every attack behind every wall: nothing wrong passes as right, and nothing is lost."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import psutil
import pytest

from blindfold.core import io
from blindfold.core.run_files import OUTPUTS
from blindfold.run.request import Request
from blindfold.run.run import run
from blindfold.run.walls import protect, write_protections
from tests.conftest import REPOSITORY, needs_bwrap, needs_landlock

TABLE = pd.read_csv(REPOSITORY / "docs" / "attacks.csv").set_index("attack")
NOTES = [Path(folder) / "hostile-note" for folder in ("/dev/shm", "/tmp", "/var/tmp")]
HERE = (str(REPOSITORY / "tests" / "hostile"),)
WALLS = [pytest.param("bwrap", marks=needs_bwrap), pytest.param("landlock", marks=needs_landlock),
         "tripwire"]  # fmt: skip


@pytest.fixture(scope="module")
def decided(tmp_path_factory) -> Callable[[str], Path]:
    """Return what protects the runs behind each wall, decided once as for a benchmark."""
    folder = tmp_path_factory.mktemp("protection")

    @cache
    def file(wall: str) -> Path:
        write_protections(folder / wall, {"main": protect(wall, Path(sys.executable))})
        return folder / wall

    return file


def one_run(blinded: Path, method: str, wall: str, **change) -> Request:
    out = blinded.parents[2] / "runs" / "d" / method / "2" / "0"
    return Request(
        method=method, input=blinded, out=out, seed=5, record_only=True,
        **{"clusters": "2", "methods_path": (*HERE, "methods"), "sandbox": wall, **change},
    )  # fmt: skip


@pytest.fixture
def scene(blinded):
    """Return a tiny benchmark with a finished run, and the truth once more in the prepared data."""
    other = one_run(blinded, "other", "none").out
    other.mkdir(parents=True)
    cells = list(anndata.read_h5ad(blinded).obs_names)
    pd.DataFrame({"cell": cells, "cluster": 0}).to_parquet(other / "clusters.parquet", index=False)
    np.save(other / "embedding.npy", np.zeros((len(cells), 2), np.float32))
    (other / "run.json").write_text("{}")
    vault = blinded.parents[2] / "vault" / "d"
    content = (vault / "truth.parquet").read_bytes().ljust(2**16, b"\0")
    with h5py.File(vault / "prepared.h5ad", "a") as file:
        file.create_dataset("uns/truth", data=np.frombuffer(content, "u1"))
    return blinded


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("attack", TABLE.index)
def test_attack(scene, work, decided, wall, attack):
    """What is declared, and always a record, no process left, and nothing left to clean up."""
    other = one_run(scene, "other", wall).out
    before = {path.name: io.sha256(path) for path in other.iterdir()}
    truth = scene.parents[2] / "vault" / "d"
    Path("/tmp/hostile-note-of-the-test").write_text("seen")
    for note in NOTES:
        note.unlink(missing_ok=True)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening,
    ):
        listening.bind(server.getsockname())
        port = Path(str(server.getsockname()[1]))
        reached = port if attack in ("socket_opened", "datagram_sent") else other
        params = {"how": attack, "vault": str(truth), "other": str(reached)}
        wanted = one_run(scene, "attacker", wall, params=params, minutes=0.1, memory_gb=0.5,
                         protection=decided(wall))  # fmt: skip
        assert run(wanted) == 0
    assert not [each for each in psutil.Process().children() if each.status() != "zombie"]
    assert not list(work.iterdir())
    record = json.loads((wanted.out / "run.json").read_text())
    after = {path.name: io.sha256(path) for path in other.iterdir()}
    assert told(record, wanted.out, scene, changed=before != after) == TABLE.loc[attack, wall]
    assert {name for name in OUTPUTS if (wanted.out / name).exists()} == set(record["outputs"])
    assert record["device"] in ("cpu", None)
    assert record["wall_s"] > 0
    assert record["wall_s"] < 60


def told(record: dict, out: Path, scene: Path, changed: bool) -> str:
    """Say in words how a run ended, and what it achieved."""
    words = [record["status"]]
    if any(note.exists() for note in NOTES):
        words.append("left a note")
    if record["status"] == "ok":
        clusters = pd.read_parquet(out / "clusters.parquet")["cluster"].to_numpy()
        labels = pd.read_parquet(scene.parents[2] / "vault" / "d" / "truth.parquet")["label"]
        truth = np.unique(labels, return_inverse=True)[1]
        if (clusters == truth).all() or (clusters == 1 - truth).all():
            words.append("truth")
        elif clusters[0] == 1 and not clusters[1:].any():
            words.append("reached")
    return ", ".join([*words, "changed another run"] if changed else words)


def test_no_attack_is_missing_from_the_table():
    from tests.hostile.attacker import leaving, reaching, reading

    tools = {"halves", "leave", "leave_error", "answer", "tried"}
    found = {
        name
        for module in (leaving, reading, reaching)
        for name, each in vars(module).items()
        if getattr(each, "__module__", None) == module.__name__ and callable(each)
    }
    assert found - tools == set(TABLE.index)


def test_nothing_behind_a_wall_sees_the_truth_or_changes_another_run():
    walls = TABLE[["bwrap", "landlock"]]
    assert not walls.map(re.compile("truth|changed|reached|note").search).to_numpy().any()

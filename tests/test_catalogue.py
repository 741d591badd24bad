"""`blindfold methods`, `datasets`, `explain`, and how the command line tells problems."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def blindfold(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "blindfold.cli", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )


def test_everything_is_listed():
    methods = blindfold("methods").stdout
    for folder in (REPOSITORY / "methods").glob("*/method.yaml"):
        assert folder.parent.name in methods
    datasets = blindfold("datasets").stdout
    assert "pbmc68k" in datasets
    assert "mosaic" in datasets


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sctag", ["method sctag", "released", "10.1609/aaai.v36i4.20392"]),
        ("pbmc68k", ["dataset pbmc68k", "scrna", "sha256"]),
        ("ari", ["Adjusted Rand index", "Hubert"]),
    ],
)
def test_cards_are_printed(name, words):
    printed = blindfold("explain", name).stdout
    for word in words:
        assert word in printed


def test_a_problem_is_one_message_unless_debug_is_asked_for():
    told = blindfold("explain", "scta")
    assert told.returncode == 1
    assert told.stderr.startswith("error: nothing is called 'scta'")
    assert "did you mean 'sctag'" in told.stderr
    assert "Traceback" not in told.stderr
    assert "Traceback" in blindfold("--debug", "explain", "scta").stderr


def test_protection_is_told():
    assert "tripwire" in blindfold("protection").stdout
    assert "as configured" in blindfold("protection", "--sandbox", "none").stdout

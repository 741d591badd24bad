"""Which wall holds is tried, and a wall lets in what the interpreter needs and no more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from blindfold.core.errors import BlindfoldError
from blindfold.run import landlock, walls
from blindfold.run.walls import describe, protect, read_protection, write_protections
from tests.conftest import needs_bwrap, needs_landlock

PYTHON = Path(sys.executable)


@pytest.mark.parametrize(
    "wall",
    [pytest.param("bwrap", marks=needs_bwrap), pytest.param("landlock", marks=needs_landlock)],
)
def test_a_wall_that_holds_is_taken(wall):
    found = protect(wall, PYTHON)
    assert (found.wall, found.why_not) == (wall, {})
    assert found.versions["python"]
    assert len(found.environment) == 64


def test_where_none_holds_the_runs_are_unprotected_and_it_says_why(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    found = protect("auto", PYTHON)
    assert found.wall == "tripwire"
    told = describe(found)
    assert "unprotected" in told
    assert "bwrap is not installed" in told
    assert "landlock: " in told
    with pytest.raises(BlindfoldError, match="sandbox"):
        protect("landlock", PYTHON)


@needs_landlock
def test_a_wall_behind_which_the_interpreter_does_not_start_is_not_taken(monkeypatch):
    """As where its libraries lie outside of what is let in."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(walls, "_SYSTEM", ())
    monkeypatch.setattr(walls, "_carved", lambda readable, hidden: ([], []))
    assert protect("auto", PYTHON).wall == "tripwire"


@needs_landlock
def test_a_wall_that_lets_the_forbidden_be_read_is_not_taken(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(walls, "_carved", lambda readable, hidden: ([Path("/")], []))
    found = protect("auto", PYTHON)
    assert found.wall == "tripwire"
    assert "lets a forbidden file be read" in found.why_not["landlock"]


def test_an_interpreter_that_does_not_start_is_told(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such library >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(BlindfoldError, match="no such library"):
        protect("none", broken)


def test_what_is_decided_is_read_back(tmp_path):
    decided = protect("none", PYTHON)
    write_protections(tmp_path / "p.json", {"main": decided})
    assert read_protection(tmp_path / "p.json", "main") == decided
    with pytest.raises(BlindfoldError, match="another"):
        read_protection(tmp_path / "p.json", "another")


def test_a_folder_that_holds_something_hidden_is_let_in_piece_by_piece(tmp_path):
    for name in ("a/x", "a/b/secret", "a/b/y", "c/z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    hidden = [tmp_path / "a/b/secret"]
    allowed, listed = walls._carved([tmp_path / "a", tmp_path / "c", tmp_path / "gone"], hidden)
    assert set(allowed) == {tmp_path / "a/x", tmp_path / "a/b/y", tmp_path / "c"}
    assert set(listed) == {tmp_path / "a", tmp_path / "a/b"}
    assert walls._carved(hidden, hidden) == ([], [])

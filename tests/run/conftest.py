from __future__ import annotations

import pytest

from blindfold.run import run, workspace


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    """Return the folder in which children of this test alone work."""
    folder = tmp_path / "work"
    for module in (run, workspace):
        monkeypatch.setattr(module, "WORK", folder)
    return folder

"""A copy of the repository, for tests that change what lies in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY


class Copy:
    """A copy of the repository, to be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("workflow", "methods", "docs", "envs", "configs"):
            shutil.copytree(
                REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for name in ("Snakefile", "config.yaml", "README.md"):
            shutil.copy(REPOSITORY / name, folder)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the copy."""
        env = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.folder / 'workflow'}:{self.folder}",
        }
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=self.folder, env=env, capture_output=True,
            text=True, timeout=600,
        )  # fmt: skip

"""What an interpreter needs in order to start, and what is installed for it, printed as JSON.

``python -I methods/probe.py`` runs in the open, before any method's code, so that a wall lets in
what this interpreter says, wherever its libraries lie.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

_VERSIONS = ("numpy", "scipy", "pandas", "scikit-learn", "anndata", "scanpy", "torch")


def needed() -> list[str]:
    """Return the files and folders that the interpreter reads: its own, and its libraries'."""
    import numpy  # noqa: F401  (its libraries are the ones that most often lie elsewhere)

    found = [sys.prefix, sys.base_prefix, sys.executable, *sys.path]
    found += os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    maps = Path("/proc/self/maps")
    for line in maps.read_text().splitlines() if maps.exists() else ():
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[5].startswith("/"):
            found.append(os.path.dirname(words[5]))
    found += [os.path.realpath(path) for path in found if path]
    found = [path for path in dict.fromkeys(found) if path.strip("/") and os.path.exists(path)]
    return [path for path in found if not any(is_inside(path, other) for other in found)]


def is_inside(path: str, other: str) -> bool:
    """Tell whether a path lies inside another."""
    return path.startswith(other.rstrip(os.sep) + os.sep)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide results."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def environment_hash() -> str:
    """Return a hash of every installed distribution and its version."""
    names = {
        f"{d.metadata['Name']}=={d.version}".lower() for d in importlib.metadata.distributions()
    }
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


if __name__ == "__main__":
    facts = {"needed": needed(), "versions": versions(), "environment": environment_hash()}
    print(json.dumps(facts))

"""Tables and figures are found by looking in a folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from blindfold.core.errors import BlindfoldError


def find_modules(
    package: str, path: Iterable[str], kind: str, stated: tuple[str, ...]
) -> dict[str, ModuleType]:
    """Return the modules of a package by name, in the order that they state.

    Parameters
    ----------
    package, path
        Its name, and where it lies.
    kind
        What a module is.
    stated
        What each must have; ``ORDER`` among it.

    Raises
    ------
    BlindfoldError
        Where a module lacks one of them.
    """
    found = {}
    for entry in pkgutil.iter_modules(list(path)):
        module = importlib.import_module(f"{package}.{entry.name}")
        for fact in stated:
            if not hasattr(module, fact):
                raise BlindfoldError(
                    f"{kind} {entry.name!r} does not state {fact}", file=module.__file__,
                    remedy="docs/extending.md says what a module states",
                )  # fmt: skip
        found[entry.name] = module
    return dict(sorted(found.items(), key=lambda item: (item[1].ORDER, item[0])))

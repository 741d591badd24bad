"""Hashes of code: what it made is current as long as they stay the same."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from blindfold.core import io
from blindfold.core.layout import REPOSITORY

LIBRARY = Path("workflow", "blindfold")


class Source(NamedTuple):
    """What counts of a Python file: a hash of its code, and the modules that it imports."""

    digest: str
    imports: frozenset[tuple[int, str]]
    """Level (0 for absolute, else the number of leading dots) and dotted name."""


def code_hash(folder: Path, repository: Path = REPOSITORY) -> str:
    """Return the hash of all code that can change a method's result.

    It covers the files of the method's folder, except for hidden files and caches, and the modules
    inside ``methods/`` that they import, directly or through other modules. ``methods/runner.py``
    and what it imports, the contract among it, belong to every method: they decide what a method
    sees, how its answer is read, and which files it must not open.

    Of Python files the syntax tree counts, and so comments, docstrings and formatting do not; of
    other files every byte counts. The hash is meant for one version of Python: another one may
    write the same tree differently. A missing module is left for the run to report.

    Parameters
    ----------
    folder
        The method's folder, inside ``methods/`` or anywhere else.
    repository
        The folder that holds ``methods/``. Names are relative to it, so that two checkouts agree;
        the files of a method outside ``methods/`` are named relative to the method's folder.
    """
    folder, methods = folder.resolve(), repository.resolve() / "methods"
    own = [path for path in folder.rglob("*") if path.is_file() and not _ignored(path, folder)]
    python = [path for path in own if path.suffix == ".py"]
    files = {*own, *import_closure([*python, methods / "runner.py"], methods)}
    return _digest(files, lambda path: methods.parent if path.is_relative_to(methods) else folder)


def step_hash(step: str, found: Iterable[str] = (), repository: Path = REPOSITORY) -> str:
    """Return the hash of all code of ours that a step of the workflow runs.

    Parameters
    ----------
    step
        The module that is called, such as ``score/score.py``.
    found
        Patterns of further files that it finds by looking, such as ``score/metrics/*.py``.
    repository
        The folder that holds ``workflow/blindfold``.
    """
    library = repository.resolve() / LIBRARY
    looked = [path for pattern in found for path in library.glob(pattern) if path.is_file()]
    python = [path for path in looked if path.suffix == ".py"]
    files = {*looked, *import_closure([library / step, *python], library)}
    return _digest(files, lambda _: library)


def _digest(files: set[Path], above: Callable[[Path], Path]) -> str:
    """Hash files with their names below a folder."""
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(above(path)), path) for path in files):
        content = _parse(path.read_bytes()).digest if path.suffix == ".py" else io.sha256(path)
        digest.update(f"{name.as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def import_closure(files: Iterable[Path], package: Path) -> set[Path]:
    """Return Python files and every module of a package that runs when they are imported."""
    found: set[Path] = set()
    waiting = [*files]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path, package)
    return found


def _imported(file: Path, package: Path) -> Iterator[Path]:
    """Yield the modules of a package that a file imports, with the packages around them."""
    for level, name in _parse(file.read_bytes()).imports:
        if not level and name.split(".")[0] != package.name:
            continue
        start = file.parents[level - 1] if level else package.parent
        module = start.joinpath(*name.split("."))
        for path in (module, *module.parents):
            if not path.is_relative_to(package):
                break
            for candidate in (path.parent / f"{path.name}.py", path / "__init__.py"):
                if candidate.is_file():
                    yield candidate


def _ignored(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return "__pycache__" in parts or any(part.startswith(".") for part in parts)


@functools.cache
def _parse(source: bytes) -> Source:
    """Return what counts of a Python file; where it cannot be parsed, every byte does."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return Source(hashlib.sha256(source).hexdigest(), frozenset())
    imports = frozenset(_imports(tree))
    code = ast.dump(_WithoutDocstrings().visit(tree))
    return Source(hashlib.sha256(code.encode()).hexdigest(), imports)


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield level and name of every import, wherever it stands.

    An imported name may be a module or not; `_imported` looks for the file.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            names = [(node.level, start + alias.name) for alias in node.names]
        else:
            continue
        yield from names


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes strings that are statements: docstrings, also those of attributes."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Keep every expression but a string."""
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_string else node

"""Ends the process when something opens a file that could carry labels.

Python's own opens raise audit events. C libraries (h5py, pyarrow, rdata) raise none, so their open
functions are wrapped. Everything is decided by real path, before the file is opened. The sandbox,
where there is one, is the wall; this is the bell.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

EXIT = 87
"""Exit status of a process that the tripwire ended."""

_EVENTS = {
    "open": (0,),
    "os.link": (0,),
    "os.rename": (0,),
    "os.listdir": (0,),
    "os.scandir": (0,),
    "shutil.copyfile": (0,),
    "sqlite3.connect": (0,),
    "subprocess.Popen": (0, 1),
    "os.exec": (0, 1),
    "os.posix_spawn": (0, 1),
    "os.system": (0,),
}
_WRAPPED: dict[str, tuple[str, ...]] = {
    "h5py.h5f": ("open", "is_hdf5"),
    "pyarrow": ("OSFile", "memory_map", "input_stream"),
    "pyarrow.parquet": (
        "read_table",
        "ParquetFile",
        "ParquetDataset",
        "read_metadata",
        "read_schema",
    ),
    "pyarrow.dataset": ("dataset", "parquet_dataset"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.json": ("read_json", "open_json"),
    "pyarrow.feather": ("read_table", "read_feather"),
    "pyarrow.orc": ("read_table", "ORCFile"),
    "pyarrow.fs": ("LocalFileSystem", "FileSystem", "SubTreeFileSystem"),
    "pyarrow.ipc": ("open_file", "open_stream"),
    "rdata": ("read_rda", "read_rds"),
    "rdata.parser": ("parse_file",),
}
_FILESYSTEMS = "pyarrow.fs"


def install(protected: Iterable[str], allowed: Iterable[str], report: int) -> None:
    """Watch this process and the Python processes it forks.

    Parameters
    ----------
    protected
        Files and folders that must not be opened.
    allowed
        Files and folders inside the protected ones that may be.
    report
        File descriptor that the first violation is written to.
    """
    guard = Guard(protected, allowed, report)
    sys.addaudithook(guard.on_event)
    _wrap_loaded(guard)
    sys.meta_path.insert(0, _WrapOnImport(guard))


class Guard:
    """Decides by real path, and ends the process."""

    def __init__(self, protected: Iterable[str], allowed: Iterable[str], report: int) -> None:
        self.protected = tuple(os.path.realpath(path) for path in protected)
        self.allowed = tuple(os.path.realpath(path) for path in allowed)
        self.report = report

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event; see `sys.addaudithook`."""
        for position in _EVENTS.get(event, ()):
            value = arguments[position] if position < len(arguments) else None
            if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
                self.check_words(value)
            else:
                self.check(value)

    def check_words(self, value: Any) -> None:
        """Check the words of a command line that are paths."""
        words = value.split() if isinstance(value, str) else value
        for word in words if isinstance(words, list | tuple) else ():
            text = os.fsdecode(word) if isinstance(word, str | bytes | os.PathLike) else ""
            if os.sep in text:
                self.check(text)

    def check(self, path: Any) -> None:
        """End the process where ``path`` is protected; other kinds of value pass."""
        if not isinstance(path, str | bytes | os.PathLike):
            return
        try:
            text = os.fsdecode(path)
            real = os.path.realpath(text.removeprefix("file://"))
        except (TypeError, ValueError, OSError):
            return
        if _inside(real, self.protected) and not _inside(real, self.allowed):
            self.trip(real)

    def trip(self, what: str) -> None:
        """Report and end the process at once: no handler can catch it."""
        os.write(self.report, (what + "\n").encode())
        os._exit(EXIT)


def _inside(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + os.sep) for root in roots)


def _wrap_loaded(guard: Guard) -> None:
    for name in _WRAPPED:
        if name in sys.modules:
            _wrap_module(guard, sys.modules[name])


def _wrap_module(guard: Guard, module: ModuleType) -> None:
    """Replace the module's open functions by ones that check their arguments first."""
    for name in _WRAPPED[module.__name__]:
        original = getattr(module, name, None)
        if original is None or getattr(original, "_tripwire", False):
            continue
        if module.__name__ == _FILESYSTEMS:
            _guard_filesystem(guard, module, name, original)
        elif isinstance(original, type) and original.__module__ != "pyarrow.lib":
            _guard_class(guard, original)
        else:
            setattr(module, name, _guarded(guard, original))


def _check_all(guard: Guard, arguments: Iterable[Any]) -> None:
    for value in arguments:
        for item in value if isinstance(value, list | tuple) else (value,):
            guard.check(item)


def _guarded(guard: Guard, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original, updated=())
    def checked(*args: Any, **kwargs: Any) -> Any:
        _check_all(guard, [*args, *kwargs.values()])
        return original(*args, **kwargs)

    checked._tripwire = True  # type: ignore[attr-defined]
    return checked


def _guard_class(guard: Guard, original: type) -> None:
    """Check the arguments of a Python class's constructor; the class stays itself."""
    original.__init__ = _guarded(guard, original.__init__)  # type: ignore[misc]
    original._tripwire = True  # type: ignore[attr-defined]


def _guard_filesystem(guard: Guard, module: ModuleType, name: str, original: type) -> None:
    """Replace a file system class, which opens files in C++, by a subclass that checks paths."""
    openers = ("open_input_file", "open_input_stream", "copy_file", "move", "get_file_info")
    methods: dict[str, Any] = {
        opener: _guarded(guard, getattr(original, opener))
        for opener in openers
        if hasattr(original, opener)
    }
    if name != "LocalFileSystem":
        original_from = getattr(original, "from_uri", None)
        if original_from is not None:
            methods["from_uri"] = staticmethod(_guarded(guard, original_from))
    methods["_tripwire"] = True
    setattr(module, name, type(name, (original,), methods))


class _WrapOnImport:
    """Wraps a watched module as soon as it has been imported."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find the module as everybody would, then wrap what it defines."""
        if name not in _WRAPPED:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                self._after(spec.loader)
                return spec
        return None

    def _after(self, loader: Any) -> None:
        original = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            original(module)
            _wrap_module(self.guard, module)

        loader.exec_module = exec_module

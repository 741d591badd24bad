"""Ends the process when something opens a file that could carry labels.

Python's own opens raise audit events. C libraries (h5py, pyarrow, rdata) raise none, so their open
functions are wrapped. Everything is decided by real path, before the file is opened. The sandbox,
where there is one, is the wall; this is the bell.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

EXIT = 87
"""Exit status of a process that the tripwire ended."""

_READS = {
    "open": (0,),
    "os.link": (0,),
    "os.rename": (0,),
    "os.listdir": (0,),
    "os.scandir": (0,),
    "os.chdir": (0,),
    "shutil.copyfile": (0,),
    "sqlite3.connect": (0,),
}
_STARTS = {"subprocess.Popen": (0, 1), "os.exec": (0, 1), "os.posix_spawn": (0, 1),
           "os.system": (0,)}  # fmt: skip
_WRITES: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.remove": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.rmdir": ((0, 1),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "os.utime": ((0, 3),),
    "shutil.move": ((0, None), (1, None)),
    "shutil.rmtree": ((0, 1),),
}
"""Events that change a file: where path and descriptor of its folder stand in the arguments."""

_FOLLOW = ("os.truncate", "os.chmod", "os.utime")
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FREE = ("/dev/null", "/dev/tty", "/dev/zero", "/proc/self")
"""Where writing changes no file."""

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


def install(
    protected: dict[str, Any], allowed: Iterable[str], report: int, writable: Iterable[str] | None
) -> None:
    """Watch this process and the Python processes it forks.

    Parameters
    ----------
    protected
        Files and folders that must not be opened: SHA-256 of ``salt`` and real path.
    allowed
        Files and folders inside the protected ones that may be.
    report
        File descriptor that the first violation is written to.
    writable
        The only folders in which anything may be changed; None where a wall sees to that.
    """
    guard = Guard(protected, allowed, report, writable)
    sys.addaudithook(guard.on_event)
    _wrap_loaded(guard)
    sys.meta_path.insert(0, _WrapOnImport(guard))


class Guard:
    """Decides by real path, and ends the process."""

    def __init__(
        self, protected: dict[str, Any], allowed: Iterable[str], report: int,
        writable: Iterable[str] | None = None,
    ) -> None:  # fmt: skip
        self.salt, self.hashes = protected["salt"], frozenset(protected["hashes"])
        self.allowed = tuple(os.path.realpath(path) for path in allowed)
        self.writable = None if writable is None else (*map(os.path.realpath, writable), *_FREE)
        self.report = report
        self.is_protected = functools.lru_cache(2**14)(self._is_protected)

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event; see `sys.addaudithook`."""
        for position in _READS.get(event, ()):
            self.check(_at(arguments, position))
        for position in _STARTS.get(event, ()):
            self.check_words(_at(arguments, position))
        if event == "subprocess.Popen":
            self.check(_at(arguments, 2))
        if self.writable is not None:
            self._check_changes(event, arguments)

    def _check_changes(self, event: str, arguments: tuple[Any, ...]) -> None:
        """End the process where an event changes what is not its own."""
        if event == "open" and _opens_to_write(arguments):
            self.check_write(arguments[0], None, follow=True)
        for path, folder in _WRITES.get(event, ()):
            where = None if folder is None else _at(arguments, folder)
            self.check_write(_at(arguments, path), where, follow=event in _FOLLOW)
        if event in ("os.kill", "os.killpg") and not _is_own(_at(arguments, 0)):
            self.trip(f"process {arguments[0]}")

    def check_words(self, value: Any) -> None:
        """Check the words of a command line that are paths."""
        if isinstance(value, bytes):
            value = os.fsdecode(value)
        words = value.split() if isinstance(value, str) else value
        for word in words if isinstance(words, list | tuple) else ():
            text = os.fsdecode(word) if isinstance(word, str | bytes | os.PathLike) else ""
            for part in text.split():
                if os.sep in part:
                    self.check(part.strip("'\"();<>|&"))

    def check(self, path: Any) -> None:
        """End the process where ``path`` is protected; other kinds of value pass."""
        real = _real(path)
        if real and self.is_protected(real) and not _inside(real, self.allowed):
            self.trip(real)

    def check_write(self, path: Any, folder: Any, follow: bool) -> None:
        """End the process where what it changes lies outside its own folders.

        Parameters
        ----------
        path
            What is changed.
        folder
            Descriptor of the folder that a relative path starts from; None or -1 for the working
            directory.
        follow
            Whether a link's target is changed, not the link.
        """
        text = _text(path)
        if not text or self.writable is None:
            return
        if isinstance(folder, int) and folder >= 0:
            text = os.path.join(f"/proc/self/fd/{folder}", text)
        parent, name = os.path.split(text)
        real = os.path.realpath(text) if follow else os.path.join(os.path.realpath(parent), name)
        if not _inside(real, self.writable):
            self.trip(f"{real} to change it")

    def _is_protected(self, real: str) -> bool:
        """Tell whether a path or a folder that it lies in is protected."""
        while True:
            if hashlib.sha256((self.salt + real).encode()).hexdigest() in self.hashes:
                return True
            parent = os.path.dirname(real)
            if parent == real:
                return False
            real = parent

    def trip(self, what: str) -> None:
        """Report and end the process at once: no handler can catch it."""
        try:
            os.write(self.report, (what + "\n").encode(errors="replace"))
        finally:
            os._exit(EXIT)


def _at(arguments: tuple[Any, ...], position: int) -> Any:
    return arguments[position] if position < len(arguments) else None


def _text(path: Any) -> str | None:
    """Return a path as text; None for what is no path."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    try:
        return os.fsdecode(path).removeprefix("file://")
    except (TypeError, ValueError):
        return None


def _real(path: Any) -> str | None:
    """Return the real path; None for what is no path."""
    text = _text(path)
    try:
        return os.path.realpath(text) if text else None
    except (ValueError, OSError):
        return None


def _opens_to_write(arguments: tuple[Any, ...]) -> bool:
    mode, flags = _at(arguments, 1), _at(arguments, 2)
    by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    return by_mode or (isinstance(flags, int) and bool(flags & _WRITE_FLAGS))


def _is_own(pid: Any) -> bool:
    """Tell whether a process is this one or descends from it."""
    while isinstance(pid, int) and pid > 1:
        if pid == os.getpid():
            return True
        try:
            with open(f"/proc/{pid}/stat") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            return False
    return False


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

"""The file in which a run keeps its state, so that a killed one goes on where it was."""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from methods.contract import Checkpoint

_DIGEST = hashlib.sha256().digest_size
_CHUNK = 1 << 20


class FileCheckpoint(Checkpoint):
    """
    A state in a file, written whole or not at all.

    The file ends with a digest of the job's key and of all before it: one that is damaged, or
    of another job, is not read.

    Parameters
    ----------
    folder
        Where the file lies; only this job's attempts may write there, because it is unpickled.
    key
        What decides the result: input, parameters, seed, code, versions, device.
    every_s
        Seconds between two states.
    """

    def __init__(self, folder: Path, key: str, every_s: float) -> None:
        self.path = folder / "state"
        self.key = key.encode()
        self.every_s = every_s
        self.start = self.last = time.monotonic()
        self.cpu_start = time.process_time()
        self.earlier = {"wall_s": 0.0, "cpu_s": 0.0}

    def load(self) -> Any:
        """See `Checkpoint.load`; what cannot be used is named in the log."""
        if not self.path.exists():
            return None
        kept: Any = None
        try:
            with self.path.open("rb") as file:
                size = self.path.stat().st_size - _DIGEST
                whole = _digest(self.key, file, size) == file.read()
                file.seek(0)
                if whole:
                    kept = pickle.load(file)
        except Exception as error:  # whatever a half-readable pickle may raise
            print(f"checkpoint: {type(error).__name__}: {error}", flush=True)
        if kept is None:
            print("checkpoint: damaged or of another job: ignored", flush=True)
            return None
        self.earlier = kept["spent"]
        print(f"checkpoint: going on after {self.earlier['wall_s']:.0f} s of training", flush=True)
        return kept["state"]

    def save(self, state: Callable[[], Any]) -> None:
        """See `Checkpoint.save`; a full disk costs the checkpoint, not the run."""
        if time.monotonic() - self.last < self.every_s:
            return
        partial = self.path.with_suffix(".partial")
        try:
            with partial.open("wb") as file:
                hashing = _Hashing(file, self.key)
                pickle.dump({"spent": self.spent(), "state": state()}, hashing, protocol=5)
                file.write(hashing.digest.digest())
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            print(f"checkpoint: not written: {error}", flush=True)
        self.last = time.monotonic()

    def spent(self) -> dict[str, float]:
        """Return the seconds since this object was made and before the state it loaded."""
        return {
            "wall_s": self.earlier["wall_s"] + time.monotonic() - self.start,
            "cpu_s": self.earlier["cpu_s"] + time.process_time() - self.cpu_start,
        }


class _Hashing:
    """Passes on what is written and hashes it, so that no second copy of a state is made."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        self.file = file
        self.digest = hashlib.sha256(key)

    def write(self, part: Any) -> int:
        self.digest.update(part)
        return self.file.write(part)


def _digest(key: bytes, file: IO[bytes], size: int) -> bytes:
    """Hash the key and the next `size` bytes of a file."""
    digest = hashlib.sha256(key)
    while size > 0 and (part := file.read(min(size, _CHUNK))):
        digest.update(part)
        size -= len(part)
    return digest.digest()

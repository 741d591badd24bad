"""The child process: reads one blinded dataset, runs one method, writes what it returned.

``python -m methods.runner JOB.json`` is started by the supervisor in an empty working directory.
The job file names the input, the method's folder and parameters; no label is in reach.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from methods.checkpoint import FileCheckpoint
from methods.contract import Data, InvalidOutput, Job, Params, Result
from methods.imputed import write_imputed

_OUT_OF_MEMORY = (
    "CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED", "cudaErrorMemoryAllocation", "DefaultCPUAllocator: can't allocate",
    "MPS backend out of memory",
)  # fmt: skip
"""What drivers and allocators say; torch raises RuntimeError for some of them."""


def main(job_file: Path) -> int:
    """Run the job and return the exit status; the reason of a failure goes to ``report.json``."""
    _die_with_parent()
    job = json.loads(job_file.read_text())
    output = Path(job["output"])
    report: dict[str, Any] = {}
    try:
        _arm(job)
        data, cells = read_input(job)
        report = _run(job, data, cells, output)
    except InvalidOutput as error:
        report = {"failure": "invalid", "reason": str(error)}
    except Exception as error:
        traceback.print_exc()
        kind = "oom" if is_out_of_memory(error) else "crash"
        report = {"failure": kind, "reason": f"{type(error).__name__}: {error}"[:2000]}
    report |= {"device": report.get("device"), "peak_gpu_mb": _peak_gpu_mb()}
    (output / "report.json").write_text(json.dumps(report, default=str))
    return 1 if "failure" in report else 0


def is_out_of_memory(error: Exception) -> bool:
    """Tell an allocation that failed, on CPU or device, by type or the driver's own words.

    A method's own text that speaks of memory is no such thing.
    """
    torch = sys.modules.get("torch")
    kinds: tuple[type, ...] = (MemoryError,)
    if torch is not None:
        kinds += (torch.OutOfMemoryError,)
    driver = type(error) is RuntimeError and any(word in str(error) for word in _OUT_OF_MEMORY)
    return isinstance(error, kinds) or driver


def _run(job: dict[str, Any], data: Data, cells: list[str], output: Path) -> dict[str, Any]:
    device = _device(job)
    fit = load_entry(Path(job["folder"]), job["entry"])
    key = json.dumps([job["checkpoint"]["key"], device])
    kept = FileCheckpoint(Path(job["checkpoint"]["folder"]), key, job["checkpoint"]["every_s"])
    settings = Job(device=device, progress=Printer(), checkpoint=kept, **job["job"])
    result = fit(data, Params(**job["params"]), settings)
    fit_s = kept.spent()["wall_s"] - result.snapshot_s
    trace = write_result(result, len(cells), output)
    if settings.impute:
        shape = (len(cells), len(data.genes))
        fit_s += write_imputed(result.imputed, shape, output / "imputed.npy")
    return {
        "fit_s": fit_s,
        "snapshot_s": result.snapshot_s,
        "device": device,
        "notes": result.notes | _resumed(kept),
        "trace": trace,
    }


def _resumed(kept: FileCheckpoint) -> dict[str, float]:
    """Say in the notes how much of the training an earlier attempt did."""
    return {"resumed_after_s": round(s, 1)} if (s := kept.earlier["wall_s"]) else {}


def _arm(job: dict[str, Any]) -> None:
    """Install the tripwire; what is imported later is watched as it is imported."""
    if job["tripwire"] is not None:
        from methods import tripwire

        tripwire.install(job["protected"], job["allowed"], job["tripwire"], job["writable"])


def read_input(job: dict[str, Any]) -> tuple[Data, list[str]]:
    """Return what the method may see, and the anonymous cell names.

    With h5py alone: anndata takes longer to import than many a method to run.

    Raises
    ------
    ValueError
        Where the counts are not in CSR.
    """
    import h5py
    import numpy as np
    import scipy.sparse as sp

    sees = "image" in job["needs"]
    wants_image = sees and Path(job["image"]).exists()
    has_features = sees and Path(job["image_features"]).exists()
    with h5py.File(job["input"], "r") as file:
        x, obs, place = file["X"], file["obs"], file.get("obsm/spatial")
        if x.attrs.get("encoding-type") != "csr_matrix":
            raise ValueError("X of the input is no CSR matrix")
        parts = (x["data"][:].astype(np.float32), x["indices"][:], x["indptr"][:])
        facts = {name: fact[()] for name, fact in file.get("uns/blindfold", {}).items()}
        wants_place = "coordinates" in job["needs"] and place is not None
        data = Data(
            counts=sp.csr_matrix(parts, shape=tuple(x.attrs["shape"])),
            genes=np.array(_names(file["var"]), dtype=str),
            coordinates=place[:].astype(float) if wants_place else None,
            pitch=float(facts["pitch"]) if wants_place and "pitch" in facts else None,
            image=_read_image(job["image"]) if wants_image else None,
            scale=float(facts["scale"]) if wants_image and "scale" in facts else None,
            batch=obs["batch/codes"][:].astype(int) if "batch" in obs else None,
            image_features=np.load(job["image_features"]) if has_features else None,
        )
        return data, list(_names(obs))


def _names(frame: Any) -> Any:
    return frame[frame.attrs["_index"]].asstr()[:]


def _read_image(path: str) -> Any:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def load_entry(folder: Path, entry: str) -> Any:
    """Load ``module:function`` from a method's folder, wherever it lies."""
    module, function = entry.split(":")
    package = f"blindfold_method_{folder.name}"
    parent = ModuleType(package)
    parent.__path__ = [str(folder)]
    sys.modules[package] = parent
    spec = importlib.util.spec_from_file_location(f"{package}.{module}", folder / f"{module}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {module}.py from the method's folder")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return getattr(loaded, function)


def write_result(result: Result, n_cells: int, output: Path) -> list[str]:
    """Check and write clusters, embedding, snapshots and trace as arrays.

    Arrays are all that the supervisor reads: whether one is whole follows from its header and size.

    Returns
    -------
    list of str
        The names of the trace's columns.

    Raises
    ------
    InvalidOutput
        Where a part has the wrong number of rows or values that are not finite.
    """
    import numpy as np

    if not isinstance(result, Result):
        raise InvalidOutput(f"fit returned {type(result).__name__}, not a Result")
    np.save(output / "clusters.npy", as_partition(result.clusters, n_cells))
    if result.embedding is not None:
        np.save(output / "embedding.npy", _as_finite(result.embedding, "embedding", n_cells))
    if result.snapshots:
        rows = [np.append(epoch, as_partition(part, n_cells)) for epoch, part in result.snapshots]
        np.save(output / "snapshots.npy", np.array(rows, dtype=np.int64))
    names = list(dict.fromkeys(name for step in result.trace for name in step))
    if result.trace:
        steps = [[step.get(name, np.nan) for name in names] for step in result.trace]
        np.save(output / "trace.npy", np.array(steps, dtype=np.float64))
    return names


def as_partition(clusters: Any, n_cells: int) -> Any:
    """Return one int64 per cell.

    Raises
    ------
    InvalidOutput
        Where rows are missing, or values are not integers.
    """
    import numpy as np

    values = np.asarray(clusters)
    if values.shape != (n_cells,):
        raise InvalidOutput(f"clusters has shape {values.shape}, expected ({n_cells},)")
    if values.dtype.kind not in "iuf":
        raise InvalidOutput(f"clusters has type {values.dtype}, expected integers")
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == values.round())).all():
        raise InvalidOutput("clusters has values that are NaN or no integers")
    return values.astype(np.int64)


def _as_finite(values: Any, what: str, n_cells: int) -> Any:
    import numpy as np

    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2 or len(array) != n_cells:
        raise InvalidOutput(f"{what} has shape {array.shape}, expected ({n_cells}, d)")
    if not np.isfinite(array).all():
        raise InvalidOutput(f"{what} has NaN or infinite values")
    return np.ascontiguousarray(array)


def _device(job: dict[str, Any]) -> str:
    """Return ``cuda`` or ``mps`` where a device was leased and computes what methods need.

    Raises
    ------
    RuntimeError
        Where a leased device does not and the CPU is not allowed instead.
    """
    if not job["lease"]:
        return "cpu"
    problems = {}
    for device in ("cuda", "mps"):
        problems[device] = _problem_with(device)
        if problems[device] is None:
            return device
    if job["allow_cpu"]:
        return "cpu"
    raise RuntimeError(
        f"device {','.join(job['lease'])} is leased but does not compute: "
        + "; ".join(f"{device}: {problem}" for device, problem in problems.items())
        + "; set limits.allow_cpu: true to compute on the CPU instead"
    )


def _problem_with(device: str) -> str | None:
    """Return why the methods cannot compute on a kind of device, or None where they can."""
    import torch

    backend = torch.cuda if device == "cuda" else torch.backends.mps
    if not backend.is_available():
        return "torch does not find it"
    try:
        torch.ones(2, dtype=torch.float64, device=device).sum().item()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "CSR support is in beta"
            sparse = torch.eye(2).to_sparse_csr().to(device)
        (sparse @ torch.ones(2, 2, device=device)).sum().item()
    except (RuntimeError, TypeError) as error:
        return str(error).splitlines()[0]
    return None


def _peak_gpu_mb() -> float | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return float(torch.cuda.max_memory_reserved()) / 2**20


class Printer:
    """Prints progress with its rate and the time left, every ten seconds at most."""

    def __init__(self, every: float = 10.0) -> None:
        self.every = every
        self.start = self.last = time.monotonic()
        self.before: int | None = None  # epochs that a killed run had done

    def __call__(self, done: int, total: int, loss: float) -> None:
        """See `methods.contract.Progress`."""
        now = time.monotonic()
        if self.before is None:
            self.before = done - 1
        if now - self.last < self.every and done != total:
            return
        self.last = now
        rate = (done - self.before) / max(now - self.start, 1e-9)
        left = (total - done) / max(rate, 1e-9)
        text = f"epoch {done} of {total}, loss {loss:.5g}, {rate:.1f}/s, {left:.0f} s left"
        print(text, flush=True)


def _die_with_parent() -> None:
    """Ask Linux to end this process when its supervisor ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # the answer is whole: what a library does at its end can no longer fail it

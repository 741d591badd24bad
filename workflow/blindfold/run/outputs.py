"""The files of a run, made by the supervisor from the arrays that its child left.

Not one byte of the child's is kept as it is: what later steps read was written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blindfold.core import io
from blindfold.core.run_files import OUTPUTS
from blindfold.run.leavings import Array, Refused, read_array

if TYPE_CHECKING:
    import numpy as np

    from blindfold.run.request import ResolvedRequest

_WIDEST = range(1, 2**16)
"""Columns of an embedding."""

_LONGEST = range(2**20)
"""Rows of a trace."""

_CHUNK_VALUES = 2**16


@dataclass(frozen=True)
class Expected:
    """What the answer of a run must hold.

    Parameters
    ----------
    input
        The blinded dataset.
    cells
        Names of its cells.
    impute
        Whether counts were to be imputed.
    snapshots
        How many partitions were to be kept during training, at most.
    """

    input: Path
    cells: list[str]
    impute: bool
    snapshots: int


def keep_outputs(folder: int, out: Path, expected: Expected, trace: list[str]) -> int:
    """
    Write the files of a run and return its number of clusters.

    Parameters
    ----------
    folder
        Descriptor of the child's output folder, see `leavings.opened`.
    out
        Where the files go.
    expected
        What must be there.
    trace
        The names of the trace's columns.

    Raises
    ------
    Refused
        Where something is missing or not what it must be; then nothing is left in ``out``.
    """
    try:
        return _keep(folder, out, expected, trace)
    except BaseException:
        remove_outputs(out)
        raise


def expected(resolved: ResolvedRequest) -> Expected:
    """Return what the answer to a request must hold."""
    request = resolved.request
    return Expected(request.input, resolved.cells, resolved.impute, request.snapshots)


def check_kept(out: Path, expected: Expected) -> None:
    """
    Look at the files of a finished run as if they had just been written.

    Raises
    ------
    Refused
        Where something is missing or not what it must be.
    """
    import numpy as np
    import pyarrow.parquet as pq

    n_cells = len(expected.cells)
    clusters = pq.read_table(out / "clusters.parquet", columns=["cell", "cluster"])
    if clusters["cell"].to_pylist() != expected.cells or clusters["cluster"].null_count:
        raise Refused("clusters.parquet does not hold every cell once")
    if (out / "embedding.npy").is_file():
        embedding = np.load(out / "embedding.npy", mmap_mode="r", allow_pickle=False)
        rows = max(1, _CHUNK_VALUES // embedding.shape[-1])
        parts = (embedding[at : at + rows] for at in range(0, len(embedding), rows))
        if len(embedding) != n_cells or not all(np.isfinite(part).all() for part in parts):
            raise Refused("embedding.npy is not finite, a row a cell")
    if (out / "snapshots.parquet").is_file():
        kept = pq.read_metadata(out / "snapshots.parquet").num_rows
        if kept % n_cells or kept > n_cells * (expected.snapshots + 1):
            raise Refused("snapshots.parquet holds other partitions than were asked for")
    if expected.impute and not (out / "imputed.h5ad").is_file():
        raise Refused("no imputed.h5ad is left")


def remove_outputs(out: Path) -> None:
    """Remove the files of a run."""
    for name in OUTPUTS:
        (out / name).unlink(missing_ok=True)


def checksums(out: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a run."""
    return {name: io.sha256(out / name) for name in OUTPUTS if (out / name).is_file()}


def _keep(folder: int, out: Path, expected: Expected, trace: list[str]) -> int:
    n_cells = len(expected.cells)
    clusters = read_array(folder, "clusters.npy", "<i8", (n_cells,))
    if clusters is None:
        raise Refused("no clusters.npy was written")
    found = clusters.whole()
    _write_partitions(out / "clusters.parquet", expected.cells, [(None, found)])
    if embedding := read_array(folder, "embedding.npy", "<f4", (n_cells, _WIDEST)):
        _write_array(out / "embedding.npy", embedding)
    kept = (range(expected.snapshots + 2), n_cells + 1)
    if snapshots := read_array(folder, "snapshots.npy", "<i8", kept):
        parts = [(int(row[0]), row[1:]) for block in snapshots.blocks() for row in block]
        _write_partitions(out / "snapshots.parquet", expected.cells, parts)
    steps = (_LONGEST, len(trace))
    if trace and (values := read_array(folder, "trace.npy", "<f8", steps, finite=False)):
        _write_trace(out / "trace.parquet", trace, values.whole())
    if expected.impute:
        _write_imputed(out / "imputed.h5ad", folder, expected)
    return len(set(found.tolist()))


def _write_partitions(
    path: Path, cells: list[str], parts: Sequence[tuple[int | None, np.ndarray]]
) -> None:
    """Write clusters by cell, one partition after the other, with their epochs where given."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = pa.array(cells)
    tables = []
    for epoch, clusters in parts:
        columns = {"cell": names, "cluster": pa.array(clusters)}
        if epoch is not None:
            columns = {"epoch": pa.array([epoch] * len(cells), pa.int64()), **columns}
        tables.append(pa.table(columns))
    if tables:
        with io.atomic(path) as temporary:
            pq.write_table(pa.concat_tables(tables), temporary)


def _write_trace(path: Path, names: list[str], values: np.ndarray) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if len(set(names)) != len(names):
        raise Refused("trace has two columns of one name")
    with io.atomic(path) as temporary:
        table = pa.table({name: pa.array(values[:, i]) for i, name in enumerate(names)})
        pq.write_table(table, temporary)


def _write_array(path: Path, array: Array) -> None:
    import numpy as np

    header = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
    with io.atomic(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in array.blocks():
            file.write(block.tobytes())


def _write_imputed(path: Path, folder: int, expected: Expected) -> None:
    import anndata
    import h5py
    import numpy as np
    import pandas as pd

    with h5py.File(expected.input, "r") as file:
        genes = list(file["var"][file["var"].attrs["_index"]].asstr()[:])
    shape = (len(expected.cells), len(genes))
    imputed = read_array(folder, "imputed.npy", "<f4", shape)
    if imputed is None:
        raise Refused("no imputed.npy was written")
    with io.atomic(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for key, names in (("obs", expected.cells), ("var", genes)):
            anndata.io.write_elem(file, key, pd.DataFrame(index=names))
        chunk = (min(shape[0], max(1, _CHUNK_VALUES // max(1, shape[1]))), shape[1])
        values: Any = file.create_dataset(
            "X", shape, np.float32, chunks=chunk, compression="gzip", compression_opts=1,
            shuffle=True,
        )  # fmt: skip
        values.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        done = 0
        for block in imputed.blocks():
            if (block < 0).any():
                raise Refused("imputed.npy has negative values")
            values[done : done + len(block)] = block
            done += len(block)

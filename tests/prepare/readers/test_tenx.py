"""10x matrices: HDF5 of both generations, and folders."""

import gzip

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.io import mmwrite

from blindfold.core.errors import BlindfoldError
from tests.prepare.readers.some_card import read

COUNTS = np.random.default_rng(1).poisson(0.8, (12, 6))
BARCODES = [f"{'ACGT' * 4}{i}-1" for i in range(12)]
IDS = [f"ENSG{i:03}" for i in range(6)]
SYMBOLS = ["CD3E", "CD19", "TWICE", "TWICE", "MS4A1", "ADT_CD3"]
KINDS = ["Gene Expression"] * 5 + ["Antibody Capture"]


def columns(counts):
    """Return genes x cells in compressed columns, which is cells x genes in rows."""
    matrix = sp.csr_matrix(counts.astype(np.int32))
    return {
        "data": matrix.data,
        "indices": matrix.indices.astype(np.int64),
        "indptr": matrix.indptr.astype(np.int64),
        "shape": np.array(counts.shape[::-1], dtype=np.int32),
        "barcodes": np.array(BARCODES, dtype="S"),
    }


def write(path, members):
    with h5py.File(path, "w") as file:
        for name, value in members.items():
            file[name] = value
    return path


@pytest.fixture
def new(tmp_path):
    features = {"id": IDS, "name": SYMBOLS, "feature_type": KINDS, "genome": ["GRCh38"] * 6}
    members = {f"matrix/{name}": value for name, value in columns(COUNTS).items()}
    members |= {f"matrix/features/{n}": np.array(v, dtype="S") for n, v in features.items()}
    members["matrix/features/_all_tag_keys"] = np.array(["genome"], dtype="S")
    return write(tmp_path / "new.h5", members)


def old(tmp_path, *genomes):
    members = {}
    for genome in genomes:
        members |= {f"{genome}/{name}": value for name, value in columns(COUNTS).items()}
        members[f"{genome}/genes"] = np.array(IDS, dtype="S")
        members[f"{genome}/gene_names"] = np.array(SYMBOLS, dtype="S")
    return write(tmp_path / "old.h5", members)


def test_new_h5_keeps_gene_expression_alone(new):
    adata = read("tenx_h5", new)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS[:, :5])
    assert list(adata.obs_names) == BARCODES
    assert list(adata.var_names) == SYMBOLS[:5]  # repeated names are for `prepare` to see
    assert list(read("tenx_h5", new, names="id").var_names) == IDS[:5]


def test_old_h5(tmp_path):
    adata = read("tenx_h5", old(tmp_path, "hg19"))
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert list(adata.var_names) == SYMBOLS
    assert list(adata.obs_names) == BARCODES


def test_of_several_genomes_one_is_chosen(tmp_path):
    path = old(tmp_path, "hg19", "mm10")
    with pytest.raises(BlindfoldError, match=r"options\.genome(.|\n)*hg19, mm10"):
        read("tenx_h5", path)
    assert read("tenx_h5", path, genome="mm10").shape == COUNTS.shape
    with pytest.raises(BlindfoldError, match="hg19, mm10"):
        read("tenx_h5", path, genome="rn6")


def test_another_hdf5_is_refused(tmp_path):
    path = write(tmp_path / "xy.h5", {"X": COUNTS})
    with pytest.raises(BlindfoldError, match=r"10x matrix(.|\n)*'matrix', among X\n"):
        read("tenx_h5", path)


def folder(tmp_path, generation, zipped):
    """Write the three files, each in a folder of its own."""
    lines = [f"{i}\t{s}" for i, s in zip(IDS, SYMBOLS, strict=True)]
    if generation == 3:
        lines = [f"{line}\t{kind}" for line, kind in zip(lines, KINDS, strict=True)]
    files = {
        "matrix": tmp_path / "a" / "matrix.mtx",
        "barcodes": tmp_path / "b" / "barcodes.tsv",
        "features": tmp_path / "c" / ("genes.tsv" if generation == 2 else "features.tsv"),
    }
    for file in files.values():
        file.parent.mkdir()
    mmwrite(files["matrix"], sp.coo_matrix(COUNTS.T))
    files["barcodes"].write_text("\n".join(BARCODES) + "\n")
    files["features"].write_text("\n".join(lines) + "\n")
    if zipped:
        for role, file in files.items():
            files[role] = file.with_name(file.name + ".gz")
            files[role].write_bytes(gzip.compress(file.read_bytes()))
    return files


@pytest.mark.parametrize(("generation", "zipped", "kept"), [(2, False, 6), (3, True, 5)])
def test_folder(tmp_path, generation, zipped, kept):
    files = folder(tmp_path, generation, zipped)
    adata = read("tenx_mtx", files)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS[:, :kept])
    assert list(adata.obs_names) == BARCODES
    assert list(adata.var_names) == SYMBOLS[:kept]
    assert list(read("tenx_mtx", files, names="id").var_names) == IDS[:kept]


def test_quotes_and_na_in_names_are_names(tmp_path):
    files = folder(tmp_path, 2, False)
    files["features"].write_text("a\tNA\nb\t5'-gene\nc\t\"x\nd\t\ne\tnan\nf\tF\n")
    assert list(read("tenx_mtx", files).var_names) == ["NA", "5'-gene", '"x', "", "nan", "F"]


def test_files_that_do_not_fit_are_refused(tmp_path):
    files = folder(tmp_path, 2, False)
    files["features"].write_text("a\tA\n")
    with pytest.raises(BlindfoldError, match=r"features: another length(.|\n)*expected: +6"):
        read("tenx_mtx", files)
    files["matrix"].write_text("no matrix\n")
    with pytest.raises(BlindfoldError, match=r"cannot read the matrix(.|\n)*Matrix Market"):
        read("tenx_mtx", files)

"""Tables as text, either way round."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindfold.core.errors import BlindfoldError
from tests.prepare.readers.some_card import read

COUNTS = pd.DataFrame(
    np.random.default_rng(2).poisson(1.5, (5, 4)),
    index=[f"cell{i}" for i in range(5)],
    columns=["Sox2", "NA", "Actb", "2-Mar"],
)


def check(adata, values=COUNTS):
    np.testing.assert_array_equal(adata.X.toarray(), values.to_numpy())
    assert list(adata.obs_names) == list(values.index)
    assert list(adata.var_names) == list(values.columns)


@pytest.mark.parametrize("separator", [",", "\t", " "])
@pytest.mark.parametrize("cells", ["rows", "columns"])
@pytest.mark.parametrize("zipped", [True, False])
def test_either_way_round(tmp_path, separator, cells, zipped):
    frame = COUNTS if cells == "rows" else COUNTS.T
    text = frame.to_csv(sep=separator).encode()
    path = tmp_path / "counts.txt"  # the ending says nothing
    path.write_bytes(gzip.compress(text) if zipped else text)
    check(read("table", path, cells=cells))


def test_a_header_as_r_writes_it(tmp_path):
    lines = ['"A","B","C"', '"g1",1,0,2', '"g2",0,3,4']
    (tmp_path / "a.csv").write_text("\n".join(lines))
    adata = read("table", tmp_path / "a.csv", cells="columns")
    expected = pd.DataFrame([[1, 0], [0, 3], [2, 4]], ["A", "B", "C"], ["g1", "g2"])
    check(adata, expected)


def test_a_byte_order_mark_is_no_name(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\ufeffg1,g2\nx,1,2\n", encoding="utf-8")
    assert list(read("table", path).var_names) == ["g1", "g2"]


def test_columns_that_are_no_genes(tmp_path):
    frame = COUNTS.copy()
    frame.insert(1, "kind", ["1.0", "01", "NA", "b", "b"])
    frame["barcode"] = list("ACGTA")
    frame.to_csv(tmp_path / "a.csv")
    adata = read("table", tmp_path / "a.csv", obs=["barcode", "kind"])
    check(adata)
    # labels stay the words that they are
    assert list(adata.obs["kind"]) == ["1.0", "01", "NA", "b", "b"]
    assert list(adata.obs["barcode"]) == list("ACGTA")


def test_leading_columns_are_skipped_and_may_be_absent(tmp_path):
    frame = COUNTS.T.reset_index(names="gene_id")
    frame.insert(1, "gene_name", "n")
    frame.insert(2, "gene_type", "t")
    frame.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    check(read("table", tmp_path / "a.tsv", cells="columns", leading=3))
    COUNTS.to_csv(tmp_path / "b.csv", index=False)
    adata = read("table", tmp_path / "b.csv", leading=0)
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)
    assert list(adata.obs_names[:2]) == ["row-1", "row-2"]


def test_label_lines_without_names(tmp_path):
    COUNTS.to_csv(tmp_path / "a.csv")
    (tmp_path / "labels.txt").write_text("0\n2\n2\n4\n0")
    files = {"counts": tmp_path / "a.csv", "labels": tmp_path / "labels.txt"}
    assert list(read("table", files, labels=True).obs["kind"]) == ["0", "2", "2", "4", "0"]
    assert "kind" not in read("table", files).obs
    (tmp_path / "labels.txt").write_text("0\n2\n")
    with pytest.raises(BlindfoldError, match=r"labels: another(.|\n)*labels\.txt(.|\n)*found: +2"):
        read("table", files, labels=True)


def test_annotation_lines_of_the_cortex_table(tmp_path):
    """Ten lines, named in the second column; then gene, group, counts."""
    names = ["tissue", "group #", "total mRNA mol", "well", "sex", "age", "diameter", "cell_id"]
    names += ["level1class", "level2class"]
    lines = [["", name, *(f"{name}-{i}" for i in range(5))] for name in names]
    lines += [[gene, "1", *map(str, COUNTS[gene])] for gene in COUNTS]
    (tmp_path / "a.txt").write_text("\n".join("\t".join(line) for line in lines))
    adata = read("table", tmp_path / "a.txt", cells="columns", header=10, leading=2, cell="cell_id")
    check(adata, COUNTS.set_axis([f"cell_id-{i}" for i in range(5)]))
    assert list(adata.obs["level1class"]) == [f"level1class-{i}" for i in range(5)]
    assert list(adata.obs["group #"]) == [f"group #-{i}" for i in range(5)]


def test_annotation_lines_without_cell_names(tmp_path):
    lines = ["sample_labels,1,1", "cell_label,3,0", "cluster_labels,2,2", "G1,0,7.5", "G2,1,0"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    adata = read("table", tmp_path / "a.csv", cells="columns", header=3)
    assert list(adata.obs_names) == ["row-1", "row-2"]
    assert list(adata.obs["cell_label"]) == ["3", "0"]
    np.testing.assert_array_equal(adata.X.toarray(), [[0, 1], [7.5, 0]])


def test_blocks_do_not_show(tmp_path, monkeypatch):
    COUNTS.to_csv(tmp_path / "a.csv")
    monkeypatch.setattr("blindfold.prepare.readers._text_table._BLOCK", 2 * 5)
    check(read("table", tmp_path / "a.csv"))


def test_logarithms_are_undone(tmp_path):
    np.log10(1 + COUNTS).to_csv(tmp_path / "a.csv")
    adata = read("table", tmp_path / "a.csv", log="log10p1")
    np.testing.assert_allclose(adata.X.toarray(), COUNTS, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "table is empty"),
        ("a,b\n", {}, "table is empty"),
        ("x,g1,g2\nc1,1,two\n", {}, r"cannot read the table(.|\n)*two"),
        ("x,g1,g2\nc1,1,2\nc2,1,2,3\n", {}, r"cannot read the table(.|\n)*line 2, saw 4"),
        ("g1,g2,g3\nc1,1\n", {}, r"differ in length(.|\n)*3 names(.|\n)*leading"),
        ("x,g1\nc1,1\n", {"obs": ["g2"]}, r"there is no 'g2'(.|\n)*did you mean 'g1'"),
        ("x,g1\nc1,1\n", {"header": 2}, "header and cell are for cells in columns"),
        ("x,g1\nc1,1\n", {"cells": "columns", "obs": ["g1"]}, "obs is for cells in rows"),
        ("a,b,c\na,b,c\ng,1,2\n", {"cells": "columns", "header": 2}, "distinct names"),
        ("x,1\ny,2\ng,1\n", {"cells": "columns", "header": 2, "cell": "z"}, "no 'z'"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, text, options, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BlindfoldError, match=message):
        read("table", tmp_path / "a.csv", **options)


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\x1f\x8bno gzip")
    with pytest.raises(BlindfoldError, match="cannot read the table"):
        read("table", tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(BlindfoldError, match="cannot read the table"):
        read("table", tmp_path / "b.csv")


def test_a_missing_number_stays_missing(tmp_path):
    (tmp_path / "a.csv").write_text("x,g1,g2\nc1,1,\nc2,NA,2\n")
    values = read("table", tmp_path / "a.csv").X.toarray()
    np.testing.assert_array_equal(np.isnan(values), [[False, True], [True, False]])


@example(values=np.zeros((3, 4)), names=[",", "X", "X", "X"])
@example(values=np.zeros((3, 4)), names=["\t", "\t", "\t", ",\t\t"])
@example(values=np.zeros((3, 4)), names=["X", "\t", "\t", "\t\t"])
@settings(max_examples=40, deadline=None)
@given(
    values=arrays(np.float64, (3, 4), elements=st.floats(0, 1e300, width=64)),
    names=st.lists(st.text("abcXYZ,\t \"'.-", min_size=1, max_size=6), min_size=4, max_size=4),
)
def test_every_number_and_name_comes_back(tmp_path_factory, values, names):
    path = tmp_path_factory.mktemp("any") / "a.csv"
    pd.DataFrame(values, index=["x", "y", "z"], columns=names).to_csv(path)
    adata = read("table", path)
    np.testing.assert_array_equal(adata.X.toarray(), values)
    assert list(adata.var_names) == names

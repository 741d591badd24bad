"""Labels are joined by name, never by position."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.core.datasets import Label, LabelFile
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.labels import match_labels, read_labels, read_table
from blindfold.prepare.prepare import prepare
from blindfold.prepare.reading import as_text
from tests.prepare.conftest import small_counts

LABELS = {"path": "small/labels.csv", "role": "labels", "url": "http://y"}
CELLS = {"path": "small/a.h5ad", "role": "cells", "url": "http://x"}


def from_file(small, at, tmp_path, text, name="labels.csv", raw=None, label=None, **source):
    """Prepare the small cells with labels from a file of this content."""
    place = tmp_path / name
    place.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    card = small(
        raw, others=[("small/labels.csv", "labels", place)], files=[CELLS, LABELS],
        label={"column": "layer", "file": source, **(label or {})},
    )  # fmt: skip
    return anndata.read_h5ad(prepare("small", card, at))


def table(names, separator=",", header="barcode,layer"):
    lines = [header.replace(",", separator)]
    return "\n".join([*lines, *(f"{name}{separator}L{name[4:]}" for name in names)]) + "\n"


CELL_NAMES = [f"cell{i}" for i in range(30)]


@pytest.mark.parametrize(
    ("name", "separator"),
    [("l.csv", ","), ("l.tsv", "\t"), ("l.txt", ","), ("l.txt", "\t"), ("l.tsv.gz", "\t"),
     ("l.csv.gz", ","), ("l.csv", "\t")],
)  # fmt: skip
def test_reordered_rows_find_their_cells(small, at, tmp_path, name, separator):
    text = table(np.random.default_rng(1).permutation(CELL_NAMES), separator)
    adata = from_file(small, at, tmp_path, text, name)
    assert list(adata.obs.layer) == [f"L{i}" for i in range(30)]


def test_rows_without_a_header_and_other_sections_rows(small, at, tmp_path):
    rows = [f"{cell},{section},{section}{i % 2}" for section in "AB"
            for i, cell in enumerate(CELL_NAMES)]  # fmt: skip
    adata = from_file(
        small, at, tmp_path, "\n".join(rows), header=False, key="0", where={"1": "B"},
        label={"column": "2"},
    )  # fmt: skip
    assert list(adata.obs["2"]) == ["B0", "B1"] * 15


def test_a_header_one_name_short_as_r_writes_it(small, at, tmp_path):
    text = table(CELL_NAMES, "\t", "layer")
    assert list(from_file(small, at, tmp_path, text, "l.tsv").obs.layer[:2]) == ["L0", "L1"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (CELL_NAMES[1:], r"1 cells without a row, such as 'cell0'"),
        ([*CELL_NAMES, "cell77", "cell78"], r"2 rows without a cell, such as 'cell77', 'cell78'"),
        ([*CELL_NAMES[2:], "cell99"], r"2 cells without a row, .*; 1 rows without a cell"),
        ([*CELL_NAMES, "cell3"], r"1 cells have several rows in the table"),
        ([f"spot{i}-1" for i in range(30)], r"such as 'cell0' \.\.\., rows such as 'spot0-1'"),
    ],
)
def test_names_that_do_not_match_are_refused(small, at, tmp_path, names, message):
    with pytest.raises(BlindfoldError, match=message):
        from_file(small, at, tmp_path, table(names))


def test_names_that_do_not_match_are_counted_where_the_card_allows_it(small, at, tmp_path):
    adata = from_file(
        small, at, tmp_path, table([*CELL_NAMES[2:], "cell99"]), unmatched="report"
    )  # fmt: skip
    assert adata.obs.layer.isna().sum() == 2
    found = adata.uns["report"]["flaws"]
    assert found["cells_without_row"] == {"found": 2, "repair": "report"}
    assert found["rows_without_cell"] == {"found": 1, "repair": "report"}


def test_no_name_in_common_is_refused_even_so(small, at, tmp_path):
    with pytest.raises(BlindfoldError, match="no cell is named in the label file"):
        from_file(small, at, tmp_path, table(["x", "y"]), unmatched="report")


@pytest.mark.parametrize(
    ("text", "source", "message"),
    [
        ("", {}, "cannot read the label file"),
        (table(CELL_NAMES), {"key": "barcodes"}, "did you mean 'barcode'"),
        (table(CELL_NAMES, header="barcode,layers"), {}, "did you mean 'layers'"),
        (table(CELL_NAMES), {"where": {"slice": "1"}}, "there is no 'slice'"),
    ],
)
def test_a_label_file_that_is_none(small, at, tmp_path, text, source, message):
    with pytest.raises(BlindfoldError, match=message):
        from_file(small, at, tmp_path, text, **source)


def test_a_damaged_gzip_file(tmp_path):
    place = tmp_path / "l.csv.gz"
    place.write_bytes(gzip.compress(table(CELL_NAMES).encode())[:40])
    with pytest.raises(BlindfoldError, match="cannot read the label file"):
        read_table(place, LabelFile())


def labels_of(values, tmp_path, **differs):
    obs = pd.DataFrame({"kind": values}, index=[f"c{i}" for i in range(len(values))])
    made, _ = read_labels(obs, Label(column="kind", **differs), {}, tmp_path)
    return list(made.kind)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, 2.0, np.nan], ["1", "2", None]),
        (["1.0", "2.", "3"], ["1", "2", "3"]),
        ([1, 2], ["1", "2"]),
        ([b"a", "b ", ""], ["a", "b", None]),
        (["1.0", "x"], ["1.0", "x"]),
        ([0.5, 1.0], ["0.5", "1.0"]),
        (pd.Categorical(["b", None]), ["b", None]),
        ([True, False], ["True", "False"]),
    ],
)
def test_labels_become_text(values, text):
    assert as_text(pd.Series(values)).tolist() == text


def test_missing_and_merged_classes(tmp_path):
    made = labels_of(
        ["1", "2", "3", "?", "none"],
        tmp_path,
        missing=["?", "none"],
        merge={"1": "1+2", "2": "1+2"},
    )
    assert made == ["1+2", "1+2", "3", None, None]
    with pytest.raises(BlindfoldError, match="no class '4' to merge"):
        labels_of(["1", "2"], tmp_path, merge={"4": "1"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a"] * 30, "labels all one class"),
        ([None] * 30, "labels all missing"),
        (["?"] * 29 + ["a"], "labels all one class"),
    ],
)
def test_labels_that_score_nothing_are_refused(small, at, values, message):
    raw = small_counts()
    raw.obs["kind"] = pd.Series(values, index=raw.obs_names, dtype=object).astype("category")
    card = small(raw, label={"column": "kind", "missing": ["?"]})
    with pytest.raises(BlindfoldError, match=message) as error:
        prepare("small", card, at)
    assert "leave label out" in str(error.value)


def test_every_class_has_a_place_in_the_order(small, at):
    prepare("small", small(label={"column": "kind", "order": ["c", "b", "a", "x"]}), at)
    with pytest.raises(BlindfoldError, match=r"label\.order"):
        prepare("small", small(label={"column": "kind", "order": ["c", "b"]}), at)


def test_every_cell_has_a_batch(small, at):
    raw = small_counts()
    raw.obs.loc["cell7", "site"] = None
    with pytest.raises(BlindfoldError, match="1 cells have no batch"):
        prepare("small", small(raw, batch="site"), at)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("abcxyz", min_size=1, max_size=4), unique=True, min_size=1), st.data())
def test_the_order_of_a_label_file_never_matters(names, data):
    rows = data.draw(st.permutations(names))
    found, counts = match_labels(
        pd.DataFrame({"of": rows}, index=rows), pd.Index(names), LabelFile(), "labels.csv"
    )
    assert list(found.of) == names
    assert set(counts.values()) == {0}

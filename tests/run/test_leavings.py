"""What a child left is read only where it is what it must be."""

from __future__ import annotations

import json
import math
import os
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindfold.run.child_report import ChildReport, read_report
from blindfold.run.leavings import TEXT, Refused, clean, opened, read_array

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def folder(tmp_path):
    """Return a folder and its descriptor."""
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield tmp_path, descriptor
    os.close(descriptor)


@contextmanager
def holding(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("left")
    (path / name).write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_nothing_is_none(folder):
    with opened(folder[1], "clusters.npy") as file:
        assert file is None
    assert read_array(folder[1], "clusters.npy", "<i8", (3,)) is None
    assert read_report(folder[1]) == ChildReport()


@pytest.mark.parametrize("shape", [(5,), (5, 3), (0, 4)])
def test_what_numpy_saves_is_read(folder, shape):
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.save(folder[0] / "a.npy", array)
    wanted = tuple(range(1, 9) if i else size for i, size in enumerate(shape))
    found = read_array(folder[1], "a.npy", "<f4", wanted)
    np.testing.assert_array_equal(found.whole(), array)


def test_large_arrays_come_in_blocks(folder):
    array = np.arange(6 * 2**20, dtype=np.int64).reshape(-1, 2)
    np.save(folder[0] / "a.npy", array)
    blocks = list(read_array(folder[1], "a.npy", "<i8", array.shape).blocks())
    assert len(blocks) == 3
    np.testing.assert_array_equal(np.concatenate(blocks), array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(4, np.int32), "expected int64"),
        (np.zeros(5, np.int64), "expected int64 of \\('4',\\)"),
        (np.zeros((4, 1), np.int64), "shape"),
        (np.zeros((2, 2), np.int64, order="F"), "shape"),
        (np.array([None] * 4), "object"),
    ],
)
def test_other_arrays_are_refused(folder, array, words):
    np.save(folder[0] / "a.npy", array, allow_pickle=True)
    with pytest.raises(Refused, match=words):
        read_array(folder[1], "a.npy", "<i8", (4,))


def test_more_or_less_than_the_header_says_is_refused(folder):
    np.save(folder[0] / "a.npy", np.zeros(4, np.int64))
    content = (folder[0] / "a.npy").read_bytes()
    for other in (content[:-1], content + b"x"):
        (folder[0] / "a.npy").write_bytes(other)
        with pytest.raises(Refused, match="its header says"):
            read_array(folder[1], "a.npy", "<i8", (4,))


@given(content=st.binary(max_size=300))
def test_any_bytes_are_an_array_or_refused(tmp_path_factory, content):
    head = b"\x93NUMPY\x01\x00"
    with holding(tmp_path_factory, "a.npy", head + content) as descriptor, suppress(Refused):
        assert read_array(descriptor, "a.npy", "<i8", (4,)).whole().shape == (4,)


@given(value=json_values)
def test_any_report_is_held_to_its_schema_or_refused(tmp_path_factory, value):
    content = json.dumps(value).encode()
    with holding(tmp_path_factory, "report.json", content) as descriptor, suppress(Refused):
        json.dumps(read_report(descriptor).model_dump(), allow_nan=False)


@given(notes=st.dictionaries(st.text(max_size=9), json_values, max_size=5))
def test_notes_never_hold_a_number_that_is_none(tmp_path_factory, notes):
    content = json.dumps({"notes": notes}).encode()
    with holding(tmp_path_factory, "report.json", content) as descriptor:
        found = read_report(descriptor).notes
    json.dumps(found, allow_nan=False)
    lost = [v for v in notes.values() if isinstance(v, float) and not math.isfinite(v)]
    assert len(found.get("not_finite", [])) >= bool(lost)


def test_lost_numbers_are_named(folder):
    text = '{"notes": {"loss": NaN, "k": {"3": [1.0, -Infinity]}, "fine": 2}}'
    (folder[0] / "report.json").write_text(text)
    assert read_report(folder[1]).notes == {
        "loss": None, "k": {"3": [1.0, None]}, "fine": 2, "not_finite": ["loss", "k.3[1]"],
    }  # fmt: skip


def test_texts_are_printable_and_bounded():
    assert clean("a\x1b[2J\n\ud800\0b") == "a\ufffd[2J\n?\ufffdb"
    assert len(clean("x" * 10**6)) == TEXT

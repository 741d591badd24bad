"""Memory of large arrays: lent again when nothing uses it, and not a moment before."""

from __future__ import annotations

import gc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.shared.nn import recycled
from methods.shared.nn.recycled import ALIGNED, LARGE, empty

LIKE = torch.zeros(1)


ROWS, WIDTH = 1100, LARGE // 4 // 1000


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(recycled, "_free", {})


def test_the_next_array_of_the_same_size_takes_the_memory():
    first = empty((ROWS, WIDTH), LIKE)
    at = first.data_ptr()
    assert first.shape == (ROWS, WIDTH)
    assert first.dtype == torch.float32
    assert first.is_contiguous()
    assert at % ALIGNED == 0
    del first
    other = empty((ROWS + 1, WIDTH), LIKE)
    again = empty((WIDTH, ROWS), LIKE)
    assert again.data_ptr() == at != other.data_ptr()
    doubled = empty((ROWS, WIDTH), LIKE.double())
    assert doubled.dtype == torch.float64
    assert doubled.data_ptr() not in (at, other.data_ptr())


def test_views_and_the_backward_pass_hold_the_memory():
    array = empty((ROWS, WIDTH), LIKE)
    at, view = array.data_ptr(), array[5:, 2:].T
    del array
    assert empty((ROWS, WIDTH), LIKE).data_ptr() != at
    del view
    factor = empty((ROWS, WIDTH), LIKE).fill_(3.0)
    held = factor.data_ptr()
    x = torch.ones(ROWS, WIDTH, requires_grad=True)
    total = (x * factor).sum()
    del factor
    gc.collect()
    taken = [empty((ROWS, WIDTH), LIKE).fill_(7.0) for _ in range(3)]
    assert held not in [array.data_ptr() for array in taken]
    total.backward()
    assert x.grad.eq(3).all()
    del total
    assert empty((ROWS, WIDTH), LIKE).data_ptr() == held


def test_small_arrays_are_ordinary_ones():
    assert empty((3, 4), LIKE).shape == (3, 4)
    assert empty((LARGE // 4, 1), LIKE).shape == (LARGE // 4, 1)
    assert not recycled._free


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=25))
def test_no_array_in_use_is_ever_overwritten(steps):
    """Taken and dropped in any order, every array in use keeps what was written to it."""
    recycled._free.clear()
    live: list[tuple[torch.Tensor, int]] = []
    most = 0
    for number, (take, which) in enumerate(steps):
        if take:
            live.append((empty((ROWS, WIDTH), LIKE).fill_(number), number))
            most = max(most, len(live))
        elif live:
            live.pop(which % len(live))
    assert all(array.eq(number).all() for array, number in live)
    live.clear()
    assert sum(map(len, recycled._free.values())) == most

"""Large arrays in memory that is kept for the next one of the same size."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

LARGE = 2**22  # bytes; memory of smaller arrays comes back from the C library fast
ALIGNED = 64  # bytes, as torch's own arrays


_free: dict[tuple[int, np.dtype], list[np.ndarray]] = {}


def empty(shape: Sequence[int], like: Tensor) -> Tensor:
    """
    Return an array without defined values, of the type and on the device of another one.

    The C library gives the memory of a large array back to the system when it is freed, and to be
    given it again page by page takes up to a third of a full-batch epoch. Here it goes to the next
    array of the same size, as soon as no tensor uses it, and never back: this is for sizes that
    come again in every epoch.

    Parameters
    ----------
    shape
        Its sizes.
    like
        Whose type and device it has. Accelerators keep freed memory already.
    """
    count, bytes_each = math.prod(shape), like.element_size()
    if like.device.type != "cpu" or count * bytes_each <= LARGE:
        return like.new_empty(shape)
    kind = like.new_empty(0).numpy().dtype
    free = _free.setdefault((count, kind), [])
    memory = free.pop() if free else np.empty(count + ALIGNED // bytes_each, dtype=kind)
    start = -memory.ctypes.data % ALIGNED // bytes_each
    lent = memory[start : start + count]
    weakref.finalize(lent, free.append, memory).atexit = False
    storage = torch.from_numpy(lent).untyped_storage()
    return like.new_empty(0).set_(storage).resize_(shape)

"""One thread everywhere."""

from __future__ import annotations

import pytest
import torch
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Results and times must not depend on the machine."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield

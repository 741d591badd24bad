"""One thread everywhere; tests are found by the methods whose specification they name."""

from __future__ import annotations

import re

import pytest
import torch
from threadpoolctl import threadpool_limits

NAMED = re.compile(
    r"\b(scTAG|scRCL|scGNN|GraphCVAE|stMFG|GraphST|STAGATE|Spatial-MGCN|MultiST)\b", re.IGNORECASE
)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let ``-k graphst`` find a test of shared code whose docstring says "GraphST 3".

    Those that run one method after the other are found by its name alone.
    """
    if hasattr(item, "callspec") and "name" in item.callspec.params:
        return
    text = getattr(getattr(item, "obj", None), "__doc__", None) or ""
    item.extra_keyword_matches.update(name.replace("-", "_") for name in NAMED.findall(text))


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Results and times must not depend on the machine."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield

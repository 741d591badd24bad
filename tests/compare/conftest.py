from __future__ import annotations

import pytest

from blindfold.core.plan import Plan
from tests.score.synthetic import make_scored


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Plan:
    """Return a plan whose runs are scored, and keep its cards in place for the module."""
    with pytest.MonkeyPatch.context() as patch:
        yield make_scored(tmp_path_factory.mktemp("compare"), patch)

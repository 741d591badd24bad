from __future__ import annotations

import pytest

from blindfold.core.plan import Plan
from tests.score.synthetic import make_results


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Plan:
    return make_results(tmp_path, monkeypatch)

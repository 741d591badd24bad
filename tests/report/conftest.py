from __future__ import annotations

import pytest

from blindfold.core.plan import Plan
from tests.score.synthetic import make_scored


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> Plan:
    """Return a plan with all tables and three figures."""
    from blindfold.compare.compare import compare
    from blindfold.compare.drawing import house_style, save
    from blindfold.compare.figure_data import read_figure_data
    from blindfold.compare.figures import caption, cost, seeds, summary
    from blindfold.compare.provenance import provenance
    from blindfold.core import io

    with pytest.MonkeyPatch.context() as patch:
        plan = make_scored(tmp_path_factory.mktemp("report"), patch)
        compare(plan.layout)
        provenance(plan.layout)
        captions = []
        with house_style():
            for kind in (summary, seeds, cost):
                data = read_figure_data(plan.layout)
                for drawing in kind.draw(data):
                    save(drawing, plan.layout.figures)
                    captions.append(caption(drawing.name, kind, drawing, data.marks()))
        io.write_json(plan.layout.figures / "captions.json", captions)
        yield plan

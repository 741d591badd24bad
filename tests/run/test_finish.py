import json
from dataclasses import replace

from blindfold.core.config import check_config
from blindfold.core.layout import Layout
from blindfold.core.plan import make_plan
from blindfold.run.finish import finish
from blindfold.run.record import journal


def test_begun_runs_without_a_record_become_killed_rows(tmp_path):
    config = check_config(
        {
            "name": "a",
            "datasets": ["pbmc68k"],
            "methods": ["random_labels", "pca_kmeans"],
            "seeds": 1,
        }
    )
    plan = replace(make_plan(config), layout=Layout(tmp_path))
    begun = plan.layout.run("pbmc68k", "pca_kmeans", "truth", 0)
    journal(begun, 1, "start")
    assert finish(plan) == [begun / "run.json"]
    record = json.loads((begun / "run.json").read_text())
    assert (record["status"], record["method"]) == ("killed", "pca_kmeans")
    assert record["reason"]
    assert finish(plan) == []

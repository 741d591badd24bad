"""Every trained method in every variant, found by looking in the folder, on planted data."""

import json

import pandas as pd
import pytest
import yaml

from tests.e2e.conftest import write_own
from tests.methods.toys import NAMES, SHORT, card

pytestmark = pytest.mark.slow
SETTINGS = {**SHORT, "width": 50, "kmeans_starts": 1}


def entries() -> list[dict]:
    """Return a shortened entry of a configuration for each variant of each trained method."""
    found = []
    for name in NAMES:
        described = card(name)
        if "epochs" not in described["parameters"]:
            continue
        params = {key: SETTINGS[key] for key in described["parameters"] if key in SETTINGS}
        for variant in described["variants"]:
            asked = name if variant == "described" else f"{name}@{variant}"
            found.append({"name": asked, "params": params})
    return found


def test_no_method_sees_the_labels_and_all_repeat(workflow):
    """The canary runs everything twice: with permuted labels every byte is the same."""
    datasets = []
    for name in ("cells", "tissue"):
        path = workflow.folder / f"{name}.h5ad"
        write_own(path, spatial=name == "tissue", seed=len(datasets))
        datasets.append({"id": name, "path": str(path), "label": "kind"})
    config = {"name": "every", "seeds": 1, "datasets": datasets, "methods": entries()}
    done = workflow.blindfold(
        "canary", "--configfile", workflow.config("every", yaml.safe_dump(config)), "--cores", "2"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = workflow.folder / "results"
    assert pd.read_csv(results / "every-canary" / "canary.csv").same.all()
    ended: dict[str, set[str]] = {}
    for path in (results / "every-canary").glob("runs/*/*/*/*/run.json"):
        ended.setdefault(path.parts[-4], set()).add(json.loads(path.read_text())["status"])
    assert set(ended) > {entry["name"] for entry in config["methods"]}  # the controls run too
    for name, statuses in ended.items():
        assert "ok" in statuses <= {"ok", "unavailable"}, name

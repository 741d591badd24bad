"""What docs/extending.md shows is added as it stands there, and found everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import REPOSITORY
from tests.e2e.checkout import Copy

pytestmark = pytest.mark.slow

CONFIG = """
name: extended
datasets: [mosaic_four]
methods: [pca_kmeans, halves]
seeds: 2
clusters: [truth]
"""
BLOCK = re.compile(r"^`([\w/]+\.(?:yaml|py))`:\n\n```\w+\n(.*?)```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def examples() -> dict[str, str]:
    """Return the text of each file that the document shows."""
    text = (REPOSITORY / "docs" / "extending.md").read_text()
    return dict(BLOCK.findall(text))


@pytest.fixture(scope="module")
def extended(tmp_path_factory, examples) -> Copy:
    """Return a copy with all examples in place, its benchmark run."""
    copy = Copy(tmp_path_factory.mktemp("extended") / "blindfold")
    (copy.folder / "extended.yaml").write_text(CONFIG)
    before = {path: path.read_bytes() for path in copy.folder.rglob("*") if path.is_file()}
    for name, content in examples.items():
        path = copy.folder / name
        path.parent.mkdir(exist_ok=True)
        assert not path.exists()
        path.write_text(content)
    done = copy.run("snakemake", "--cores", "2", "--configfile", "extended.yaml")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert all(path.read_bytes() == content for path, content in before.items())
    return copy


def test_the_document_shows_a_whole_example_of_each(examples):
    kinds = {str(Path(name).parent).replace("methods/halves", "methods") for name in examples}
    assert kinds == {
        "workflow/datasets", "methods", "workflow/blindfold/score/metrics",
        "workflow/blindfold/compare/tables", "workflow/blindfold/compare/figures",
    }  # fmt: skip
    assert len(examples) == 6  # a method is two files


def test_all_five_are_in_tables_figures_and_report(extended):
    results = extended.folder / "results" / "extended"
    ranking = pd.read_csv(results / "tables" / "ranking.csv")
    assert {"halves", "pca_kmeans"} <= set(
        ranking.loc[ranking["dataset"] == "mosaic_four", "method"]
    )
    summary = pd.read_csv(results / "tables" / "summary.csv")
    values = summary[summary["metric"] == "davies_bouldin"].set_index("method")
    assert values.loc["halves", "n"] == 2
    assert values.loc["halves", "mean"] > 0
    assert "random_labels" not in values.index  # it leaves no embedding
    metrics = pd.read_csv(results / "tables" / "metrics.csv").set_index("metric")
    assert metrics.loc["davies_bouldin", "direction"] == "lower"
    separation = pd.read_csv(results / "tables" / "separation.csv").set_index("method")
    assert separation.loc["halves", "davies_bouldin"] == values.loc["halves", "mean"]
    drawn = pd.read_csv(results / "figures" / "separation_mosaic_four.csv")
    assert set(drawn["name"]) == {"halves", "pca_kmeans"}
    assert (results / "figures" / "separation_mosaic_four.pdf").stat().st_size > 1000
    page = (results / "report" / "index.html").read_text()
    for told in ("halves", "mosaic_four", "davies_bouldin", "Separation of clusters",
                 'id="separation"', 'id="separation_mosaic_four"'):  # fmt: skip
        assert told in page, told


def test_all_five_are_in_the_made_documents(extended):
    done = extended.run("blindfold.cli", "docs")
    assert done.returncode == 0, done.stderr
    read = {
        name: (extended.folder / name).read_text() for name in done_names(done.stdout, extended)
    }
    assert "| `mosaic_four` |" in read["docs/data.md"]
    assert "| `halves` | Halves | baselines |" in read["docs/methods.md"]
    assert "| `davies_bouldin` | embedding |" in read["docs/extending.md"]
    assert read["docs/tables.md"].count("Separation of clusters") == 2
    assert "Halves" in read["README.md"]


def done_names(printed: str, copy: Copy) -> list[str]:
    return [str(Path(line).relative_to(copy.folder)) for line in printed.splitlines()]


def test_an_unknown_need_fails_the_plan_in_one_line(extended):
    path = extended.folder / "workflow" / "blindfold" / "score" / "metrics" / "broken.py"
    good = (path.parent / "davies_bouldin.py").read_text()
    path.write_text(good.replace("davies_bouldin(clusters", "broken(clusters").replace(
        "embedding: np.ndarray", "embeding: np.ndarray"))  # fmt: skip
    try:
        done = extended.run("snakemake", "-n", "--cores", "1", "--configfile", "extended.yaml")
    finally:
        path.unlink()
    assert done.returncode == 1
    told = [line for line in (done.stdout + done.stderr).splitlines() if "embeding" in line]
    assert told == [
        "metric 'broken' in broken.py asks for 'embeding', which no run leaves: "
        "did you mean 'embedding'?"
    ]
    assert "Traceback" not in done.stderr

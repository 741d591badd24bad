from pathlib import Path

import anndata
import numpy as np
import pytest

from blindfold.core.config import check_config
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY
from blindfold.core.plan import derive_seed, make_plan, read_plan, write_plan

BASE = {"name": "a", "datasets": ["pbmc68k"], "methods": ["random_labels", "pca_kmeans"]}


def plan(**change):
    return make_plan(check_config({**BASE, **change}))


def test_every_combination_is_planned_once():
    made = plan(clusters=["truth", "estimate", 4], seeds=2)
    assert len(made.runs) == len(set(made.runs)) == 2 * 3 * 2


def test_the_random_control_always_runs():
    made = plan(methods=["pca_kmeans"])
    assert list(made.methods) == ["random_labels", "pca_kmeans"]


def test_all_methods_are_those_with_a_task_here():
    imputers = {"gene_mean", "neighbour_mean", "diffusion"}
    clustering = set(plan(methods="all").methods)
    assert "sctag" in clustering
    assert not imputers & clustering
    masked = set(plan(methods="all", datasets=[{"from": "pbmc68k", "mask": 0.1}]).methods)
    assert imputers | {"scgnn"} <= masked
    assert "sctag" not in masked


def test_sweep_goes_to_twice_the_classes():
    made = plan(clusters=["sweep"], seeds=1, methods=["random_labels"])
    assert [run.k for run in made.runs] == [str(k) for k in range(2, 21)]


def test_own_number_of_seeds():
    made = plan(methods=["random_labels", {"name": "pca_kmeans", "seeds": 1}])
    assert sum(run.method == "pca_kmeans" for run in made.runs) == 1


def test_more_clusters_than_cells_is_refused():
    with pytest.raises(BlindfoldError, match="more clusters than cells"):
        plan(clusters=[10_000])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"datasets": ["pbmc68"]}, "did you mean 'pbmc68k'"),
        ({"methods": ["pca_kmean"]}, "did you mean 'pca_kmeans'"),
        ({"methods": ["pca_kmeans", "pca_kmeans"]}, "is listed twice"),
    ],
)
def test_unknown_names(change, word):
    with pytest.raises(BlindfoldError, match=word):
        plan(**change)


def test_a_method_with_a_syntax_error_is_planned_like_any_other(tmp_path):
    """Its run reports the error; other methods go on."""
    folder = tmp_path / "broken"
    folder.mkdir()
    card = (REPOSITORY / "tests/bad_methods/nosy/method.yaml").read_text()
    (folder / "method.yaml").write_text(card)
    (folder / "model.py").write_text("def fit(:\n")
    made = plan(methods=["broken"], methods_path=["methods", str(tmp_path)])
    assert list(made.methods) == ["random_labels", "broken"]
    assert made.methods["broken"].code


def test_the_canary_has_its_own_folder_and_one_seed():
    made = plan(canary=True)
    assert made.layout.root.name == "a-canary"
    assert {run.seed for run in made.runs} == {0}


def test_seeds_are_independent_and_stable():
    seeds = {derive_seed(0, d, m, r) for d in "ab" for m in "xy" for r in range(50)}
    assert len(seeds) == 200
    assert derive_seed(0, "pbmc68k", "sctag", 0) == derive_seed(0, "pbmc68k", "sctag", 0)
    assert derive_seed(1, "pbmc68k", "sctag", 0) != derive_seed(0, "pbmc68k", "sctag", 0)


def test_a_plan_reads_back(tmp_path):
    from dataclasses import replace

    from blindfold.core.layout import Layout

    made = replace(plan(), layout=Layout(tmp_path))
    write_plan(made)
    again = read_plan(tmp_path)
    assert again.runs == made.runs
    assert again.config == made.config
    assert again.layout.root == tmp_path


def test_everything_that_carries_labels_is_hidden(tmp_path):
    own = tmp_path / "own.h5ad"
    anndata.AnnData(np.ones((3, 2), dtype=np.float32)).write_h5ad(own)
    datasets = ["pbmc68k", {"id": "mine", "path": str(own)}]
    places = plan(
        datasets=datasets, mirror=["/some/mirror", "https://example.org"]
    ).labelled_paths()
    assert {REPOSITORY / "data", Path("/some/mirror"), own} <= set(places)
    assert any(path.name == "10x_pbmc68k_reduced.h5ad" for path in places)
    assert len(places) == 4

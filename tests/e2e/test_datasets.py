"""Real data through fetch, prepare and blind, and data of one's own through everything."""

from __future__ import annotations

import csv
import json
import os

import pandas as pd
import pytest

from blindfold.core.config import read_config
from blindfold.core.datasets import dataset_card, find_datasets
from blindfold.core.plan import make_plan
from tests.conftest import MIRROR, REPOSITORY, needs_mirror
from tests.e2e.conftest import write_own

CONFIGS = REPOSITORY / "configs"

PUBLISHED = {
    # cells, genes, classes, as the sources' own description gives them
    "mouse_bladder_2100": (2100, 20670, 16), "pbmc_4k": (4271, 2000, 8),
    "human_kidney": (5685, 2000, 11), "cite_cbmc": (8617, 2000, 15),
    "baron_mouse1": (822, 14878, 13), "baron_human_2000": (2812, 2000, 6),
    "segerstolpe_2000": (702, 2000, 6), "goolam": (124, 28218, 5),
    "camp_fetal_brain": (220, 12694, 7), "pdac_moncada": (1926, 7000, 20),
    "zheng500": (500, 32738, 3), "biase49": (49, 25737, 3),
    "cellbench_sc_celseq2": (274, 28204, 3), "cellbench_sc_dropseq": (225, 15127, 3),
    # mixes 1 and 2 have the same composition: seven classes that can be told apart
    "cellbench_rnamix_celseq2": (340, 14804, 7),
    "zeisel_1000": (1464, 1000, 3), "klein_900": (1000, 900, 4), "paul15": (2730, 3451, 19),
    "pollen249": (249, 6982, 11), "mecs182": (182, 8989, 3), "yan90": (90, 20214, 6),
    # without the class "undetermined"
    "her2st_a1": (346, 15045, 5), "her2st_c1": (176, 15557, 3), "her2st_d1": (306, 15661, 3),
    "her2st_f1": (691, 14861, 3), "her2st_h1": (613, 15029, 6),
    "her2st_h1_labelled": (530, 14465, 6),
    "dlpfc_151510_500genes": (4634, 500, 7), "dlpfc_151673_80genes": (3611, 80, 7),
    "starmap_mpfc_bz5": (1049, 166, 4), "starmap_mpfc_bz9": (1053, 166, 4),
    "starmap_mpfc_bz14": (1088, 166, 4), "osmfish_ssp": (4839, 33, 11),
    "osmfish_ssp_normalised": (4839, 33, 11),
    "mob_st_rep12": (282, 16034, 4), "merfish_hypo_p006": (5343, 155, 9),
    "seqfish_embryo_1": (2025, 351, 21), "seqfish_embryo_2": (1530, 351, 19),
    "seqfish_embryo_3": (2221, 351, 21),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_cards_expect_what_the_sources_describe(name):
    """Preparation refuses data that differ from what the card expects."""
    expected = dataset_card(name).expected
    assert (expected.cells, expected.genes, expected.classes) == PUBLISHED[name]


@needs_mirror
@pytest.mark.slow
@pytest.mark.parametrize("name", ["her2st", "dlpfc"])
def test_sets_of_the_mirror_are_prepared_and_the_others_are_listed(workflow, monkeypatch, name):
    """Two of the configurations; tests/prepare reads every set of the mirror."""
    monkeypatch.setenv("BLINDFOLD_MIRROR", str(MIRROR.resolve()))
    files = [str(CONFIGS / f"{each}.yaml") for each in (name, "offline")]
    printed = workflow.snakemake("datasets", "--configfile", *files)
    results = workflow.folder / "results" / name
    unavailable = json.loads((results / "plan.json").read_text())["unavailable"]
    wanted = read_config([REPOSITORY / "config.yaml", CONFIGS / f"{name}.yaml"]).datasets
    for dataset in wanted:
        if dataset in unavailable:
            assert unavailable[dataset] in printed
            continue
        card = json.loads((results / "datasets" / dataset / "card.json").read_text())
        truth = pd.read_parquet(results / "vault" / dataset / "truth.parquet")
        found = (card["cells"], card["genes"], truth["label"].nunique())
        assert found == PUBLISHED.get(dataset, found), dataset
        sizes = dataset_card(dataset).expected.class_sizes
        if sizes is not None:
            assert truth["label"].value_counts().to_dict() == sizes
    assert set(PUBLISHED) & set(wanted) <= set(wanted) - set(unavailable)


@needs_mirror
@pytest.mark.parametrize("name", ["scrna", "tissues"])
def test_what_cannot_be_had_offline_has_a_reason(monkeypatch, name):
    monkeypatch.setenv("BLINDFOLD_MIRROR", str(MIRROR.resolve()))
    files = [REPOSITORY / "config.yaml", CONFIGS / f"{name}.yaml", CONFIGS / "offline.yaml"]
    plan = make_plan(read_config(files))
    assert all(plan.unavailable.values())
    wanted = set(read_config(files).datasets)
    assert set(PUBLISHED) & wanted <= set(plan.datasets) - set(plan.unavailable)


@needs_mirror
def test_the_mirror_and_the_cards_name_the_same_files():
    named = {}
    for name in find_datasets():
        for file in dataset_card(name).files:
            named.setdefault(file.path, set()).add(file.sha256)
    assert all(len(sums) == 1 for sums in named.values())
    folders = {entry.name for entry in MIRROR.iterdir() if entry.is_dir()}
    assert folders <= {path.split("/")[0] for path in named}
    with (MIRROR.parent / "SOURCES.tsv").open(newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            if row["file"] in named:
                assert named[row["file"]] == {row["sha256"]}, row["file"]


# offline.yaml stands beside another configuration, never alone
@pytest.mark.parametrize(
    "name", sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != "offline")
)
def test_every_configuration_plans(name):
    config = read_config([REPOSITORY / "config.yaml", CONFIGS / f"{name}.yaml"])
    plan = make_plan(config)
    planned = {(run.dataset, run.method) for run in plan.runs}
    assert {dataset for dataset, _ in planned} == set(plan.datasets)
    assert {method for _, method in planned} == set(plan.methods)


def test_snakemake_plans_all_slices_of_dlpfc(workflow):
    output = workflow.snakemake("-n", "all", "--configfile", str(CONFIGS / "dlpfc.yaml"))
    assert output.count("rule blind:") == len(read_config([CONFIGS / "dlpfc.yaml"]).datasets) > 12


def test_the_papers_configuration_names_every_dataset_of_the_five_papers():
    tags = {f"papers-{name}" for name in ("sctag", "scrcl", "scgnn", "graphcvae", "stmfg")}
    wanted = {name for name in find_datasets() if tags & set(dataset_card(name).tags)}
    config = read_config([REPOSITORY / "config.yaml", CONFIGS / "papers.yaml"])
    assert set(config.datasets) == wanted
    assert config.methods == "all"


@pytest.mark.slow
def test_own_data_with_and_without_labels(workflow):
    write_own(workflow.folder / "labelled.h5ad", spatial=False, seed=0)
    write_own(workflow.folder / "tissue.h5ad", spatial=True, seed=1)
    config = workflow.config(
        "own",
        "name: own\n"
        "datasets:\n"
        f"  - {{id: mine, path: {workflow.folder / 'labelled.h5ad'}, label: kind}}\n"
        f"  - {{id: tissue, path: {workflow.folder / 'tissue.h5ad'}}}\n"
        "methods: [pca_kmeans, smoothed_pca_kmeans]\nseeds: 1\n",
    )
    workflow.snakemake("--configfile", config)
    results = workflow.folder / "results" / "own"
    scores = pd.read_parquet(results / "tables" / "scores.parquet")
    scores = scores[scores["status"] == "ok"]
    mine = scores[(scores["dataset"] == "mine") & (scores["method"] == "pca_kmeans")]
    assert mine.loc[mine["metric"] == "ari", "value"].min() > 0.9
    tissue = scores[(scores["dataset"] == "tissue") & (scores["task"] == "clustering")]
    assert "n_clusters" in set(tissue["metric"])
    assert "ari" not in set(tissue.dropna(subset="value")["metric"])
    datasets = pd.read_csv(results / "tables" / "datasets.csv").set_index("dataset")
    assert datasets.loc["tissue", "modality"] == "spatial"
    assert list(datasets.index) == ["mine", "tissue"]
    truth = pd.read_parquet(results / "vault" / "tissue" / "truth.parquet")
    assert list(truth.columns) == ["cell", "original"]
    statuses = pd.read_csv(results / "tables" / "runs.csv")["status"]
    assert set(statuses) <= {"ok", "unavailable"}
    assert os.path.getsize(results / "report" / "index.html") > 100_000

"""What every method in the folder must do, found by looking in the folder."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job, Params, Result
from methods.runner import read_input
from tests.methods.toys import (
    METHODS,
    NAMES,
    SHORT,
    card,
    cells,
    modalities,
    picture,
    run,
    tissue,
    toy,
)

VARIANTS = [
    (name, variant, modality)
    for name in NAMES
    for variant in card(name)["variants"]
    for modality in modalities(name)
]


def all_the_same(results: list[Result]) -> None:
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].clusters, other.clusters)
        np.testing.assert_array_equal(results[0].embedding, other.embedding)


@pytest.mark.parametrize(("name", "variant", "modality"), VARIANTS)
def test_same_seed_same_bytes_with_and_without_snapshots(name, variant, modality):
    """The contract: determinism, and snapshots that disturb nothing."""
    data, _ = toy(name, modality)
    results = [
        run(name, data, Job(11, 3, snapshots=count), variant, **SHORT) for count in (0, 0, 3)
    ]
    all_the_same(results)
    if results[2].snapshots:
        np.testing.assert_array_equal(results[2].snapshots[-1][1], results[2].clusters)


@pytest.mark.parametrize("clusters", [3, None])
@pytest.mark.parametrize("name", NAMES)
def test_output_keeps_the_contract(name, clusters):
    data, _ = toy(name)
    result = run(name, data, Job(0, clusters), **SHORT)
    assert isinstance(result, Result)
    assert result.clusters.shape == (data.n_cells,)
    assert np.issubdtype(result.clusters.dtype, np.integer)
    assert 1 <= len(np.unique(result.clusters)) <= data.n_cells
    assert (result.notes["k_rule"] == "given") == (clusters is not None)
    if result.embedding is not None:
        assert result.embedding.dtype == np.float32
        assert len(result.embedding) == data.n_cells
        assert np.isfinite(result.embedding).all()


def told(data: Data, truth: np.ndarray, folder: Path, **job: object) -> Iterator[Data]:
    """Read the same data with their labels beside them, with others, and with none."""
    for labels in (truth, truth[::-1] * 7, None):
        adata = anndata.AnnData(data.counts)
        if data.coordinates is not None:
            adata.obsm["spatial"] = data.coordinates
            adata.uns["blindfold"] = {"pitch": data.pitch, "scale": 0.2}
        if labels is not None:
            adata.obs["ground_truth"] = [str(label) for label in labels]
            adata.obs["label"] = labels
        adata.write_h5ad(folder / "input.h5ad")
        yield read_input({"input": str(folder / "input.h5ad"), **job})[0]


@pytest.mark.parametrize(("name", "variant", "modality"), VARIANTS)
def test_labels_beside_the_input_change_nothing(name, variant, modality, tmp_path):
    """Labels permuted or gone."""
    data, truth = toy(name, modality)
    needs = [*card(name)["needs"], *(["coordinates"] if modality == "spatial" else [])]
    inputs = told(data, truth, tmp_path, needs=needs)
    all_the_same([run(name, given, Job(0, 3), variant, **SHORT) for given in inputs])


SEEING = [(name, variant) for name, variant, _ in VARIANTS if "image" in card(name).get("uses", [])]


@pytest.mark.parametrize(("name", "variant"), SEEING)
def test_labels_beside_an_image_change_nothing(name, variant, tmp_path):
    """The same with an image in use."""
    data, truth = tissue(8)
    Image.fromarray(picture(data)).save(tmp_path / "image.png")
    files = {"image": tmp_path / "image.png", "image_features": tmp_path / "none.npy"}
    inputs = told(data, truth, tmp_path, needs=["coordinates", "image"], **files)
    results = [run(name, given, Job(0, 3), variant, **SHORT) for given in inputs]
    assert {result.notes["image"] for result in results} == {"used"}
    all_the_same(results)


RULES = {"bic": "BIC", "eigengap": "eigengap", "leiden": "Leiden stability"}
CHOICES = [
    (name, rule)
    for name in NAMES
    for rule in card(name)["parameters"].get("k_rule", {"choices": []})["choices"]
    if rule in RULES
]


def test_only_methods_with_a_rule_of_their_own_have_no_choice():
    assert set(NAMES) - {name for name, _ in CHOICES} == {"random_labels", "scgnn"}
    assert all(len([n for n, _ in CHOICES if n == name]) == 3 for name, _ in CHOICES)


@pytest.mark.parametrize(("name", "rule"), CHOICES)
def test_an_estimated_number_is_as_good_as_a_given_one(name, rule):
    """What a shared rule finds is noted, and asking for that number gives the same clusters."""
    data, _ = toy(name)
    alone = run(name, data, Job(5, None), **SHORT, k_rule=rule)
    assert RULES[rule] in alone.notes["k_rule"]
    scores = alone.notes["k_scores"]
    assert all(np.isfinite(value) for value in scores.values())
    asked = max(scores, key=scores.get) if rule != "leiden" else len(np.unique(alone.clusters))
    assert 1 <= asked <= 20
    told = run(name, data, Job(5, asked), **SHORT)
    np.testing.assert_array_equal(alone.clusters, told.clusters)


@pytest.mark.parametrize("name", NAMES)
def test_no_way_in_for_a_label(name):
    """`fit` takes data, parameters and a job; none has room for labels."""
    module = importlib.import_module(f"methods.{name}.model")
    assert list(inspect.signature(module.fit).parameters) == ["data", "params", "job"]
    fields = {field.name for kind in (Data, Job) for field in dataclasses.fields(kind)}
    assert not {f for f in fields if "label" in f or "class" in f or "truth" in f}
    for file in [*(METHODS / name).glob("*.py"), *(METHODS / "shared").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] != "blindfold", file


def shared_functions(file: Path) -> list[Callable[..., Any]]:
    """Return the functions of methods/shared that a file imports by name."""
    found = [
        getattr(importlib.import_module(node.module), each.name)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("methods.shared.")
        for each in node.names
    ]
    return [each for each in found if inspect.isfunction(each)]


@pytest.mark.parametrize("name", NAMES)
def test_card_and_code_name_the_same_parameters(name):
    described = card(name)
    assert next(iter(described["variants"])) == "described"
    files = list((METHODS / name).glob("*.py"))
    code = [file.read_text() for file in files]
    code += [inspect.getsource(shared) for file in files for shared in shared_functions(file)]
    read = set(re.findall(r"\bparams\.(\w+)", "\n".join(code)))
    assert read == set(described["parameters"])


@pytest.mark.parametrize("name", NAMES)
def test_more_clusters_than_cells_is_refused(name):
    data, _ = toy(name)
    with pytest.raises(ValueError, match="n_clusters"):
        run(name, data, Job(0, data.n_cells + 1), **SHORT)


@pytest.mark.parametrize("name", [n for n in NAMES if "coordinates" in card(n)["needs"]])
def test_missing_coordinates_are_named(name):
    data, _ = tissue(6)
    with pytest.raises(ValueError, match="coordinates"):
        run(name, Data(data.counts, data.genes), Job(0, 2), **SHORT)


def awkward(kind: str, name: str) -> Data:
    """Return a dataset with one thing wrong."""
    data, _ = toy(name)
    counts = data.counts.toarray()
    position = data.coordinates
    if kind == "tiny":
        counts, position = counts[:6], None if position is None else position[:6]
    elif kind == "constant genes":
        counts[:, :20] = 2
    elif kind == "empty cells and genes":
        counts[:5], counts[:, 7:11] = 0, 0
    elif kind == "one gene":
        counts = counts[:, :1]
    elif kind == "identical cells":
        counts[10:60] = counts[10]
    elif kind == "two far pieces" and position is not None:
        position = position + np.where(np.arange(len(position)) < 40, 0, 1e6)[:, None]
    genes = data.genes[: counts.shape[1]]
    return Data(sp.csr_matrix(counts), genes, position, data.pitch)


KINDS = ["tiny", "constant genes", "empty cells and genes", "one gene", "identical cells",
         "two far pieces"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_awkward_data_still_get_a_whole_answer(name, kind):
    """Fewer cells than neighbours and components, constant genes, empty cells, duplicates."""
    data = awkward(kind, name)
    result = run(name, data, Job(0, 2), **SHORT)
    assert result.clusters.shape == (data.n_cells,)
    assert result.embedding is None or np.isfinite(result.embedding).all()


BASELINES = [
    "pca_kmeans", "pca_leiden", "pca_gmm", "smoothed_pca_kmeans", "smoothed_pca_gmm",
    "spatial_leiden", "potts_kmeans",
]  # fmt: skip


@given(st.integers(0, 10**6))
@settings(max_examples=5, deadline=None)
def test_permuting_cells_permutes_clusters(seed):
    """On planted groups every baseline gives the same partition in any order of cells.

    K-means of a square lattice or of depth has several optima of almost equal inertia, so the
    controls are not held to it. Tissues have 324 spots: the mixture's 30 components on 144 have
    several optima too.
    """
    for name in BASELINES:
        data, _ = tissue(18) if "coordinates" in card(name)["needs"] else cells()
        order = np.random.default_rng(seed).permutation(data.n_cells)
        if data.coordinates is not None:  # equidistant neighbours are decided by index
            jitter = np.random.default_rng(0).normal(0, 5, data.coordinates.shape)
            data = dataclasses.replace(data, coordinates=data.coordinates + jitter)
        position = None if data.coordinates is None else data.coordinates[order]
        mixed = dataclasses.replace(data, counts=data.counts[order], coordinates=position)
        first, second = (run(name, d, Job(0, 3)).clusters for d in (data, mixed))
        assert adjusted_rand_score(first[order], second) > 0.99, name


@pytest.mark.parametrize("name", BASELINES)
def test_planted_groups_are_found(name):
    data, truth = toy(name)
    assert adjusted_rand_score(truth, run(name, data, Job(0, 3)).clusters) > 0.8


def test_params_are_attributes():
    assert Params(epochs=3).epochs == 3

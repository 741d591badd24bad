"""Dataset cards that extend each other."""

import json

import jsonschema
import pytest
import yaml

from blindfold.core import datasets, io
from blindfold.core.config import check_config
from blindfold.core.datasets import DatasetCard, dataset_card, find_datasets
from blindfold.core.entries import resolve_datasets
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import SCHEMAS

SLICE = """
title: Slice 1
organism: Homo sapiens
tissue: cortex
technology: Visium
modality: spatial
paper: none
licence: CC0-1.0
files: [{path: 1.h5, role: counts, url: "http://x"}, {path: 1.csv, role: labels, url: "http://x"}]
reader: visium
options: {counts: {reader: tenx_h5, options: {names: id}}, image: low}
label: {column: layer, order: [L1, L2]}
pitch: 137
expected: {genes: 10, classes: 2, class_sizes: {L1: 3, L2: 4}}
tags: [cortex]
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes a card."""
    monkeypatch.setattr(datasets, "DATASETS", tmp_path)

    def card(name, text):
        (tmp_path / f"{name}.yaml").write_text(text)

    card("slice1", SLICE)
    return card


def hashed(name):
    """Return the text by which the workflow tells that a dataset has changed."""
    config = {"name": "a", "methods": ["pca_kmeans"], "datasets": [name]}
    card = resolve_datasets(check_config(config).datasets)[name]
    return card.model_dump_json(exclude_defaults=True)


def test_what_a_card_does_not_state_is_as_in_the_card_that_it_extends(write):
    write("slice2", "extends: slice1\ntitle: Slice 2\ntags: []\n")
    one, two = dataset_card("slice1"), dataset_card("slice2")
    assert two == one.model_copy(update={"title": "Slice 2", "tags": []})


def test_the_keys_of_a_mapping_are_joined_and_all_else_is_replaced(write):
    write(
        "slice2",
        """
extends: slice1
files: [{path: 2.h5, role: counts, url: "http://x"}]
options: {counts: {reader: rdata, options: {matrix: [m]}}}
label: {order: [L2]}
pitch: null
expected: {classes: 1, class_sizes: {L2: 5}}
""",
    )
    card = dataset_card("slice2")
    assert [file.path for file in card.files] == ["2.h5"]
    assert card.options == {
        "counts": {"reader": "rdata", "options": {"matrix": ["m"]}},
        "image": "low",
    }
    assert (card.label.column, card.label.order) == ("layer", ["L2"])
    assert card.pitch is None
    assert (card.expected.genes, card.expected.classes) == (10, 1)
    assert card.expected.class_sizes == {"L2": 5}


def test_a_card_may_extend_one_that_extends_another(write):
    write("slice2", "extends: slice1\ntitle: Slice 2\nexpected: {genes: 20}\n")
    write("slice3", "extends: slice2\nexpected: {cells: 30}\n")
    card = dataset_card("slice3")
    assert (card.title, card.reader) == ("Slice 2", "visium")
    assert (card.expected.cells, card.expected.genes, card.expected.classes) == (30, 20, 2)


def test_a_changed_card_changes_what_is_hashed_of_those_that_extend_it(write):
    write("slice2", "extends: slice1\ntitle: Slice 2\n")
    write("slice3", "extends: slice2\ntitle: Slice 3\n")
    before = {name: hashed(name) for name in ("slice2", "slice3")}
    write("slice1", SLICE.replace("Visium", "Visium HD"))
    for name, text in before.items():
        assert hashed(name) == text.replace('"Visium"', '"Visium HD"') != text


def test_what_is_hashed_is_the_whole_card(write):
    write("slice2", "extends: slice1\n")
    assert hashed("slice2") == hashed("slice1")
    assert "extends" not in hashed("slice2")
    assert DatasetCard.model_validate_json(hashed("slice2")) == dataset_card("slice2")


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({"a": "slic1"}, ["unknown dataset 'slic1'", "a.yaml", "extends", "mean 'slice1'"]),
        ({"a": "[slice1, b]", "b": "slice1"}, ["unknown dataset \"['slice1', 'b']\"", "a.yaml"]),
        ({"a": "a"}, ["in a circle", "a.yaml", "a -> a"]),
        ({"a": "b", "b": "c", "c": "b"}, ["in a circle", "c.yaml", "a -> b -> c -> b"]),
    ],
)
def test_a_card_that_extends_none_or_itself(write, cards, words):
    for name, base in cards.items():
        write(name, f"extends: {base}\n")
    with pytest.raises(BlindfoldError) as error:
        dataset_card("a")
    for word in words:
        assert word in str(error.value)


def test_a_problem_names_every_file_it_may_come_from(write):
    write("slice1", SLICE.replace("pitch: 137", "pitch: wide"))
    write("slice2", "extends: slice1\n")
    with pytest.raises(BlindfoldError, match=r"slice2\.yaml extends .*slice1\.yaml") as error:
        dataset_card("slice2")
    assert "pitch" in str(error.value)


def test_a_misspelt_key_suggests_the_nearest(write):
    write("slice2", "extend: slice1\n")
    with pytest.raises(BlindfoldError, match="did you mean 'extends'"):
        dataset_card("slice2")


def test_only_a_file_extends_another(write):
    with pytest.raises(ValueError, match="only a card in workflow/datasets"):
        DatasetCard.model_validate({**yaml.safe_load(SLICE), "extends": "slice1"})


def test_every_card_fits_the_schema_and_states_only_what_differs():
    schema = json.loads((SCHEMAS / "dataset.schema.json").read_text())
    fits = jsonschema.Draft202012Validator(schema)
    for name, path in find_datasets().items():
        stated = io.read_yaml(path)
        fits.validate(stated)
        if "extends" not in stated:
            continue
        base = dataset_card(stated.pop("extends")).model_dump(exclude_unset=True)
        for key, value in stated.items():
            assert base.get(key) != value, f"{name} states {key} once more"
            if isinstance(value, dict) and isinstance(base.get(key), dict):
                # the schema asks for the column of every label that is a mapping
                same = {each for each in value if base[key].get(each) == value[each]}
                assert same <= {"column"}, f"{name} states {key}: {same} once more"

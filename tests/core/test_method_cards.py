from pathlib import Path
from typing import get_args

import pytest

from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY
from blindfold.core.methods import (
    WORDS,
    MethodCard,
    Word,
    display_name,
    fill_params,
    find_methods,
    method_card,
    method_folder,
    split_variant,
)

CARD = """
title: T
summary: S
tasks: [clustering]
modalities: [scrna]
environment: main
entry: model:fit
parameters:
  k: {type: int, default: 3, range: [1, 9], meaning: m}
  mode: {type: str, default: a, choices: [a, b], meaning: m}
  rate: {type: float, default: 0.5, meaning: m}
variants: {described: {}, released: {mode: b}}
resources: {minutes: {base: 1}}
fidelity: {word: baseline, paper: null}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "method.yaml").write_text(CARD)
    return tmp_path / "mine"


@pytest.mark.parametrize(
    ("name", "parts"),
    [("sctag", ("sctag", "described")), ("sctag@released", ("sctag", "released"))],
)
def test_a_name_is_split_into_method_and_variant_and_put_together_again(name, parts):
    assert split_variant(name) == parts
    assert display_name(*parts) == name


def test_defaults_then_variant_then_changes(folder):
    card = method_card(folder)
    assert fill_params(card, "described", {}, folder) == {"k": 3, "mode": "a", "rate": 0.5}
    assert fill_params(card, "released", {"k": 4}, folder) == {"k": 4, "mode": "b", "rate": 0.5}
    assert fill_params(card, "described", {"rate": 1}, folder)["rate"] == 1.0


@pytest.mark.parametrize(
    ("variant", "changes", "word"),
    [
        ("relased", {}, "did you mean 'released'"),
        ("described", {"kk": 1}, "unknown parameter 'kk'"),
        ("described", {"k": 0}, "int from 1"),
        ("described", {"k": 2.5}, "expected: int"),
        ("described", {"k": True}, "params.k"),
        ("described", {"mode": "c"}, "one of"),
    ],
)
def test_wrong_parameters(folder, variant, changes, word):
    with pytest.raises(BlindfoldError) as error:
        fill_params(method_card(folder), variant, changes, folder / "method.yaml")
    assert word in str(error.value)
    assert "method.yaml" in str(error.value)


@pytest.mark.parametrize("field", ["title", "entry", "resources", "fidelity"])
def test_a_card_without_a_required_field_names_it(folder, field):
    lines = [line for line in CARD.splitlines() if not line.startswith(field)]
    (folder / "method.yaml").write_text("\n".join(lines))
    with pytest.raises(BlindfoldError, match="required field is missing") as error:
        method_card(folder)
    assert field in str(error.value)
    assert "method.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("fidelity", "problem"),
    [("{paper: null}", "required field is missing"), ("{word: faithful, paper: null}", "baseline")],
)
def test_fidelity_in_one_word_of_five(folder, fidelity, problem):
    (folder / "method.yaml").write_text(CARD.replace("{word: baseline, paper: null}", fidelity))
    with pytest.raises(BlindfoldError, match=problem) as error:
        method_card(folder)
    assert "fidelity.word" in str(error.value)


def test_every_word_has_a_meaning_that_the_documentation_gives_too():
    assert set(WORDS) == set(get_args(Word))
    documented = (REPOSITORY / "docs" / "methods.md").read_text()
    for word, says in WORDS.items():
        assert f"| `{word}` | {says} |" in documented


def test_what_has_no_paper_is_a_baseline_and_so_is_every_control():
    for found in find_methods(["methods"]).values():
        card = method_card(found)
        if card.control or card.fidelity.paper is None:
            assert card.fidelity.word == "baseline", found.name
        if card.fidelity.word == "matches code":
            assert card.fidelity.commit is not None, found.name


def test_an_unknown_resource_is_refused(folder):
    (folder / "method.yaml").write_text(CARD.replace("{minutes", "{memory_mb: {base: 1}, minutes"))
    with pytest.raises(BlindfoldError, match="unknown key 'memory_mb'") as error:
        method_card(folder)
    assert "resources.memory_mb" in str(error.value)
    assert "method.yaml" in str(error.value)


def test_a_variant_cannot_set_what_is_no_parameter(folder):
    (folder / "method.yaml").write_text(CARD.replace("{mode: b}", "{mood: b}"))
    with pytest.raises(BlindfoldError, match="mood"):
        method_card(folder)


def test_unknown_method_suggests_the_nearest(folder):
    with pytest.raises(BlindfoldError, match="did you mean 'mine'"):
        method_folder("mime", [folder.parent])


def test_missing_folder_of_methods():
    with pytest.raises(BlindfoldError, match="methods_path"):
        find_methods(["no/such/folder"])


def test_every_card_of_the_repository_is_valid():
    for found in find_methods(["methods"]).values():
        card = method_card(found)
        assert isinstance(card, MethodCard)
        for variant in card.variants:
            fill_params(card, variant, {}, found)

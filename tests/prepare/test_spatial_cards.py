"""What the cards of tissues say, against the lists that came with the mirror."""

import csv

import pytest

from blindfold.core.datasets import dataset_card, find_datasets
from tests.conftest import MIRROR

LISTS = MIRROR.parent
CARDS = {
    name: card
    for name, card in ((name, dataset_card(name)) for name in find_datasets())
    if card.modality == "spatial" and card.reader != "mosaic"
}


def rows_of(name):
    path = LISTS / name
    if not path.is_file():
        pytest.skip(f"no {name} beside the mirror")
    with path.open() as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["modality"] == "spatial"]


def test_files_of_the_mirror_are_as_listed():
    listed = {row["file"]: row for row in rows_of("SOURCES.tsv")}
    named = {file.path: file for card in CARDS.values() for file in card.files}
    assert set(listed) <= set(named)
    for path, row in listed.items():
        file = named[path]
        assert (file.url, file.sha256, file.bytes) == (row["url"], row["sha256"], int(row["bytes"]))


def test_every_remote_file_is_in_a_card():
    listed = {row["url"]: row["git_blob_sha1"] for row in rows_of("REMOTE.tsv")}
    named = {file.url: file.git_blob for card in CARDS.values() for file in card.files}
    assert {url: named.get(url) for url in listed} == listed


def test_a_path_means_one_file():
    seen = {}
    for card in CARDS.values():
        for file in card.files:
            facts = file.model_copy(update={"role": ""})
            assert seen.setdefault(file.path, facts) == facts


def test_what_was_not_checked_says_so():
    for name, card in CARDS.items():
        known = all(file.sha256 is not None for file in card.files)
        if card.sections:
            known = all(CARDS[section].verified for section in card.sections)
        assert card.verified == known, name


def test_sections_agree_with_their_joint_sets():
    joint = {name: card for name, card in CARDS.items() if card.sections}
    assert {"her2st", "starmap_mpfc", "seqfish_embryo"} <= set(joint)
    assert sum(len(card.sections) for name, card in joint.items() if "dlpfc" in name) == 12
    for card in joint.values():
        sections = [CARDS[name] for name in card.sections]
        assert card.expected.cells == sum(section.expected.cells for section in sections)
        assert {section.label.column for section in sections} == {card.label.column}
        totals = {}
        for section in sections:
            for label, size in (section.expected.class_sizes or {}).items():
                totals[label] = totals.get(label, 0) + size
        assert (card.expected.class_sizes or {}) == totals


def test_class_sizes_add_up():
    for name, card in CARDS.items():
        facts = card.expected
        if facts.class_sizes is not None:
            assert len(facts.class_sizes) == facts.classes, name
            assert sum(facts.class_sizes.values()) == facts.labelled <= facts.cells, name
        if card.label is not None and card.label.order and facts.class_sizes:
            assert set(card.label.order) == set(facts.class_sizes), name


@pytest.mark.parametrize(
    ("dataset", "cells", "classes"),
    [
        ("human_breast_cancer", 3798, 20),
        ("mouse_brain_anterior", 2695, 52),
        ("mosta_e9_5", 5913, 12),
        ("her2st_h1_labelled", 530, 6),
    ],
)
def test_sizes_that_studies_report(dataset, cells, classes):
    facts = CARDS[dataset].expected
    assert (facts.cells, facts.classes) == (cells, classes)


@pytest.mark.parametrize(
    ("study", "datasets"),
    [
        ("graphst", {"dlpfc_151673", "human_breast_cancer", "mouse_brain_anterior", "mosta_e9_5",
                     "stereo_mob", "slideseq_hippocampus", "mouse_breast_cancer"}),
        ("stagate", {"dlpfc_151676", "dlpfc_br8100", "mouse_brain_coronal", "slideseq_mob",
                     "stereo_mob", "starmap_visual_cortex", "slideseq_hippocampus_3d"}),
        ("graphcvae", {"dlpfc_151673", "human_glioblastoma", "human_brain", "mosta_e10_5",
                       "human_colorectal_cancer", "mouse_brain_coronal"}),
        ("spatial-mgcn", {"dlpfc_151507", "human_breast_cancer", "stereo_mob"}),
        ("stmfg", {"dlpfc_151510", "human_breast_cancer"}),
        ("multist", {"dlpfc_151673", "human_breast_cancer", "visium_hd_colon"}),
        ("scrcl", {"dlpfc_151507", "human_breast_cancer", "mouse_brain_anterior", "mosta_e9_5"}),
    ],
)  # fmt: skip
def test_the_datasets_of_each_study_have_a_card(study, datasets):
    assert datasets <= {name for name, card in CARDS.items() if f"papers-{study}" in card.tags}

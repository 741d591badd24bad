"""The cards of single-cell data: checked against the raw files, parsed here a second way."""

import csv
import re
import zipfile
from collections import Counter
from importlib import import_module

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from blindfold.core.datasets import dataset_card, find_datasets
from blindfold.core.layout import Layout
from blindfold.prepare.prepare import prepare
from tests.conftest import MIRROR, needs_mirror
from tests.prepare.conftest import record
from tests.prepare.mirrored import rejoined
from tests.prepare.raw_scrna import FACTS, NO_COUNTS, PARSERS, sizes

pytestmark = pytest.mark.filterwarnings("ignore:Missing constructor")

CARDS = {name: dataset_card(name) for name in find_datasets()}
SCRNA = {name: card for name, card in CARDS.items() if card.modality == "scrna"}


def prepared(name, tmp_path):
    """Prepare a dataset of the mirror, as after `fetch`."""
    files = []
    for file in SCRNA[name].files:
        place = MIRROR / file.path
        if not file.members:
            files.append((file.path, file.role, place))
        for role, member in file.members.items():
            with zipfile.ZipFile(place) as archive:
                files.append((file.path, role, tmp_path / archive.extract(member, tmp_path)))
    at = Layout(tmp_path / "results")
    record(at, name, files)
    return anndata.read_h5ad(prepare(name, SCRNA[name], at))


@needs_mirror
@pytest.mark.parametrize("name", FACTS)
def test_prepared_data_equal_the_raw_file_cell_by_cell(name, tmp_path):
    values, cells, genes, labels = PARSERS[name](MIRROR / name)
    adata = prepared(name, tmp_path)
    assert list(adata.obs_names) == [str(cell) for cell in cells]
    assert list(adata.var_names) == [str(gene) for gene in genes]
    found = sp.csr_matrix(adata.X)
    wanted = sp.csr_matrix(np.asarray(values, dtype=np.float32))
    scale = np.abs(wanted.data).max()
    assert abs(found - wanted).max() <= (1e-6 * scale if name in NO_COUNTS else 0)
    label = adata.obs[SCRNA[name].label.column].astype(str)
    assert label.to_dict() == {str(cell): str(of) for cell, of in zip(cells, labels, strict=True)}
    n_cells, n_genes, classes = FACTS[name]
    assert adata.shape == (n_cells, n_genes)
    assert Counter(label) == sizes(classes)
    back = rejoined(name, SCRNA[name], Layout(tmp_path / "results"))[list(map(str, cells))]
    assert abs(sp.csr_matrix(back.X) - found).nnz == 0
    assert list(back.obs["label"]) == [str(of) for of in labels]
    whole = np.all(found.data == np.rint(found.data))
    assert whole == (name not in NO_COUNTS) == (SCRNA[name].values == "counts")


@needs_mirror
def test_donors_and_second_labels_are_kept(tmp_path):
    for name, donors in {
        "baron_human_2000": {"human2": 1582, "human4": 1230},
        "segerstolpe_2000": {"HP1526901T2D": 276, "HP1504101T2D": 234, "HP1504901": 192},
    }.items():
        adata = prepared(name, tmp_path / name)
        assert Counter(adata.obs["donor"].astype(str)) == donors
    second = prepared("cellbench_sc_celseq2", tmp_path).obs["cell_line"].astype(str)
    assert sorted(Counter(second).values()) == [79, 81, 114]


@needs_mirror
def test_stage_in_the_cell_names_agrees_with_the_labels(tmp_path):
    stage = prepared("goolam", tmp_path).obs["stage"].astype(str)
    for cell, label in stage.items():
        (inside,) = re.findall("[0-9]+cell", cell)
        assert label == {"32cell": "blast"}.get(inside, inside)


def table(name):
    path = MIRROR.parent / name
    if not path.is_file():
        pytest.skip(f"no {name} beside the mirror")
    with path.open() as file:
        return [row for row in csv.DictReader(file, delimiter="\t") if row["modality"] == "scrna"]


def files():
    return {file.path: file for card in SCRNA.values() for file in card.files}


def test_every_source_is_named_with_its_address_and_checksum():
    for row in table("SOURCES.tsv"):
        file = files()[row["file"]]
        assert (file.url, file.sha256, file.bytes) == (row["url"], row["sha256"], int(row["bytes"]))


def test_every_remote_file_is_named_once():
    rows = table("REMOTE.tsv")
    known = {file.git_blob: file.url for file in files().values() if file.git_blob}
    assert set(known) == {row["git_blob_sha1"] for row in rows}
    assert set(known.values()) <= {row["url"] for row in rows}
    paths = [file.path for file in files().values() if file.git_blob]
    assert len(paths) == len(known)


def test_one_path_means_one_file():
    for name, card in CARDS.items():
        for file in card.files:
            same = [each for other in CARDS.values() for each in other.files]
            others = [
                each for each in same if (each.package, each.path) == (file.package, file.path)
            ]
            assert {(each.url, each.sha256, each.git_blob) for each in others} == {
                (file.url, file.sha256, file.git_blob)
            }, name


@pytest.mark.parametrize("name", SCRNA)
def test_a_card_is_consistent(name):
    card = SCRNA[name]
    if card.reader is not None:
        reader = import_module(f"blindfold.prepare.readers.{card.reader}")
        reader.Options.model_validate(card.options)
    checked = [file.sha256 is not None for file in card.files]
    assert card.verified == (bool(checked) and all(checked))
    classes = card.expected.class_sizes
    if classes is not None:
        assert len(classes) == card.expected.classes
        assert sum(classes.values()) == card.expected.labelled <= card.expected.cells
        assert set(card.label.order) <= set(classes)
    for section in card.sections:
        assert CARDS[section].label.column == card.label.column


def test_facts_of_cards_equal_the_readme():
    for name, (cells, genes, classes) in FACTS.items():
        expected = SCRNA[name].expected
        assert (expected.cells, expected.genes) == (cells, genes)
        assert expected.class_sizes == sizes(classes)
        assert SCRNA[name].verified
    assert {name for name, card in SCRNA.items() if "mirror" in card.tags} == set(FACTS)


PAPERS = {
    "papers-sctag": """adam bach klein muraro plasschaert pollen quake_10x_bladder
        quake_10x_limb_muscle quake_10x_spleen quake_10x_trachea quake_smartseq2_diaphragm
        quake_smartseq2_heart quake_smartseq2_limb_muscle quake_smartseq2_lung
        quake_smartseq2_trachea romanov wang_lung young
        worm_neuron mouse_bladder 10x_pbmc mouse_es mouse_bladder_2100""",
    "papers-scrcl": """quake_smartseq2_diaphragm quake_smartseq2_lung quake_smartseq2_trachea
        quake_10x_bladder quake_10x_limb_muscle quake_10x_spleen li_tumor human_esc zeisel_3005
        baron_human""",
    "papers-scgnn": """chung kolodziejczyk klein klein_scgnn zeisel_3005 zeisel_scgnn
        alzheimer_gse138852""",
}


@pytest.mark.parametrize("tag", PAPERS)
def test_the_datasets_of_a_paper_are_covered(tag):
    assert {name for name, card in SCRNA.items() if tag in card.tags} == set(PAPERS[tag].split())

"""The made parts of the documentation are in step with cards and code."""

from __future__ import annotations

import re

import pytest

from blindfold.compare.figures import find_figures
from blindfold.compare.tables import find_tables
from blindfold.core.errors import BlindfoldError
from blindfold.core.generated import fill_in
from blindfold.core.layout import REPOSITORY
from blindfold.documents import documents
from blindfold.score.metric import find_metrics


def test_every_document_is_what_cards_and_code_say():
    for path, text in documents().items():
        assert path.read_text() == text, f"{path.name}: blindfold docs writes it anew"


def test_nothing_is_missing():
    made = {path.name: text for path, text in documents().items()}
    for folder in (REPOSITORY / "methods").glob("*/method.yaml"):
        assert f"| `{folder.parent.name}` |" in made["methods.md"]
    for path in (REPOSITORY / "workflow" / "datasets").glob("*.yaml"):
        assert f"| `{path.stem}` |" in made["data.md"]
    for name in find_metrics():
        assert f"| `{name}` |" in made["extending.md"]
    for module in (*find_tables().values(), *find_figures().values()):
        assert module.TITLE in made["tables.md"]
        for name, column in module.COLUMNS.items():
            assert f"| `{name}` |" in made["tables.md"]
            assert column.meaning


def test_links_of_documents_lead_somewhere():
    for path in [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
            if not link.startswith("http"):
                assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_a_missing_mark_is_one_message(tmp_path):
    document = tmp_path / "a.md"
    document.write_text("<!-- made: one -->\nold\n<!-- end -->\n<!-- made: two -->\n<!-- end -->\n")
    assert fill_in(document, {"two": r"a \1 b"}) == (
        "<!-- made: one -->\nold\n<!-- end -->\n<!-- made: two -->\na \\1 b\n<!-- end -->\n"
    )
    with pytest.raises(BlindfoldError, match="a mark is missing"):
        fill_in(document, {"three": ""})

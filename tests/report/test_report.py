from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from blindfold.core.errors import BlindfoldError
from blindfold.report.cells import cell, number, read_rows
from blindfold.report.report import report
from blindfold.report.sections import overview, verdicts


class Page(HTMLParser):
    """Collect what a page loads and holds."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.loads, self.rows = [], [], []

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        if tag in ("img", "script", "link", "iframe"):
            self.loads += [facts[key] for key in ("src", "href") if key in facts]
        if tag == "tr" and "data-status" in facts:
            self.rows.append(facts["data-status"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(compared) -> str:
    report(compared.layout)
    return compared.layout.report.read_text()


def test_it_is_one_file_that_loads_nothing(page):
    parser = Page()
    parser.feed(page)
    assert not parser.open
    assert len(parser.loads) == 3
    assert all(address.startswith("data:image/png;base64,") for address in parser.loads)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", page).split("Environment")[0]


def test_every_run_and_every_kind_of_failure(page, compared):
    parser = Page()
    parser.feed(page)
    assert len(parser.rows) == len(compared.runs)
    assert set(parser.rows) == {
        "ok",
        "oom",
        "crash",
        "timeout",
        "killed",
        "invalid",
        "unavailable",
    }
    for told in ("no record", "6.2 GiB used", "opened vault/cells/truth.parquet", "needs coord"):
        assert told in page


def test_reasons_are_escaped(page):
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_it_says_what_ran(page):
    for told in (
        "9 methods and 2 controls", "62 planned runs", "unprotected: the tripwire alone",
        "methods_path:", "not better than", "sctag@released", "ranking.csv", "clusters.csv",
        "Numbers of clusters",
    ):  # fmt: skip
        assert told in page, told


def test_downloads_are_the_unrounded_tables(page, compared):
    found = re.search(r'download="ranking.csv" href="data:text/csv;base64,([^"]+)"', page)
    assert base64.b64decode(found.group(1)) == compared.layout.table("ranking.csv").read_bytes()
    exact = read_rows(compared.layout.table("ranking.csv"))[0]["mean_ari"]
    assert f'data-v="{exact}" title="{exact}"' in page


def test_same_files_same_page(page, compared):
    report(compared.layout)
    assert compared.layout.report.read_text() == page


def test_a_missing_table_is_one_message(compared, tmp_path):
    with pytest.raises(BlindfoldError, match="run compare"):
        read_rows(tmp_path / "ranking.csv")


def test_counts(compared):
    runs = read_rows(compared.layout.table("runs.csv"))
    ranking = read_rows(compared.layout.table("ranking.csv"))
    told = overview(runs, ranking)
    assert told["ok"] + told["failed"] + told["unavailable"] == told["runs"] == 62
    assert "crasher" in verdicts(ranking)["cells"]


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        ("0.123456", "0.123"),
        ("-0.0001", "0.000"),
        ("12345", "12,345"),
        ("", "–"),
        ("-0.25", "-0.250"),
    ],
)
def test_numbers(exact, shown):
    assert number(exact).text == shown
    assert number(exact).exact == exact


def shown(column, row, digits=3, words=("yes", "no")):
    return cell(column, row, digits, words).text


def test_cells_say_what_their_neighbours_add():
    row = {
        "dataset": "tissue", "audit": "cut", "method": "sctag", "variant": "released",
        "ci_low": "0.12345", "ci_high": "0.5", "control": "False", "rank": "2.0", "reason": "1 2",
    }  # fmt: skip
    assert shown("dataset", row) == "tissue (audit: cut)"
    assert shown("method", row) == "sctag@released"
    assert shown("ci_low", row) == "0.123 to 0.500"
    assert shown("ci_low", row | {"ci_low": "", "ci_high": ""}) == "–"
    assert shown("control", row, words=("control", "")) == ""
    assert shown("rank", row, digits=1) == "2"
    assert shown("rank", row | {"rank": "2.5"}, digits=1) == "2.5"
    assert shown("reason", row) == "1 2"
    assert shown("reason", row | {"reason": "<b>"}) == "<b>"


def test_long_tables_are_downloads_alone(page):
    for name in ("deg", "summary"):
        assert f'<section id="{name}">' not in page
        assert f'download="{name}.csv"' in page
    assert '<section id="marker_genes">' in page
    assert '<section id="optimism">' not in page  # nothing was kept, so there is nothing to show

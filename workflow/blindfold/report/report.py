"""The report: one page that works from a file, without a network.

``report/index.html`` holds its style, its script, its figures and the data of its tables, so that
it can be sent around alone: there is no need for a second, single-file copy. Only the links to
the figures as PDF, SVG and CSV lead into the results folder beside it.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.report import sections
from blindfold.report.tables import read_tables

_HERE = Path(__file__).parent
_SHOWN = 0.52  # a page of 174 mm at 300 dpi fills the text width; all figures share the scale


def report(results: Layout) -> None:
    """Write the page from the plan, the tables, the figures and the provenance.

    Parameters
    ----------
    results
        The benchmark's files.

    Raises
    ------
    BlindfoldError
        Where one of them is missing or damaged.
    """
    import yaml

    plan = io.read_json(results.plan)
    rows, tables = read_tables(results)
    facts = io.read_json(results.provenance)
    page = render(
        name=plan["config"]["name"],
        overview=sections.overview(rows["runs"], rows["ranking"]),
        protection=sections.protection(rows["runs"]),
        verdicts=sections.verdicts(rows["ranking"]),
        tables=tables,
        figures=_figures(results.figures),
        configuration=yaml.safe_dump(plan["config"], sort_keys=False),
        provenance=sections.provenance(facts),
        packages=facts["versions"]["packages"],
        downloads={name: _data_address(results.table(f"{name}.csv"), "text/csv") for name in rows},
    )
    io.write_text(results.report, page)


def render(**values: Any) -> str:
    """Fill the template; every value is escaped."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    own = {
        "style": Markup((_HERE / "style.css").read_text()),
        "script": Markup((_HERE / "script.js").read_text()),
    }
    return environment.get_template("template.html").render(**own, **values)


def _figures(folder: Path) -> list[dict[str, Any]]:
    """Return name, caption, image (as a data address) and width of every figure, in order."""
    figures: list[dict[str, Any]] = io.read_json(folder / "captions.json")
    for figure in figures:
        path = folder / f"{figure['name']}.png"
        figure["image"] = _data_address(path, "image/png")
        figure["width"] = round(_SHOWN * _png_width(path))
    return figures


def _png_width(path: Path) -> int:
    """Return the width that a PNG's header states, in pixels."""
    with path.open("rb") as handle:
        return int.from_bytes(handle.read(20)[16:], "big")


def _data_address(path: Path, kind: str) -> str:
    """Return a file's content as a data address."""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"

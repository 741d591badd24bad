from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from blindfold.compare.compare import compare
from blindfold.compare.drawing import house_style, new_figure, save
from blindfold.compare.figure_data import FigureData, read_figure_data
from blindfold.compare.figures import (
    confusion,
    cost,
    draw_figures,
    find_figures,
    seeds,
    spatial,
    summary,
)
from blindfold.compare.method_order import MethodOrder, method_order
from blindfold.compare.palette import PAGE_MM, class_colour, method_colours, method_style
from blindfold.compare.panels import TITLE, panel_title
from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY
from blindfold.score.score import score
from tests.score.synthetic import CLASSES, make_scored

KINDS = {"summary", "seeds", "umap", "spatial", "confusion", "deg", "cost"}
# drawn where a number of clusters was estimated, where entries were held out
WHERE_ASKED = {"estimated", "imputation"}


@pytest.fixture(scope="module")
def figures(scored):
    compare(scored.layout)
    draw_figures(scored.layout)
    return scored.layout.figures


def test_every_kind_in_every_format(figures):
    captions = io.read_json(figures / "captions.json")
    assert {entry["kind"] for entry in captions} == KINDS == set(find_figures()) - WHERE_ASKED
    names = [entry["name"] for entry in captions]
    assert "spatial_tissue" in names
    assert "spatial_cells" not in names
    for name in names:
        for suffix in (".pdf", ".png", ".svg", ".csv"):
            assert (figures / f"{name}{suffix}").stat().st_size > 100
    assert all(len(entry["caption"]) > 80 for entry in captions)


def test_data_stand_beside(figures):
    umap = pd.read_csv(figures / "umap_cells.csv")
    assert {"cell", "umap_1", "umap_2", "truth", "sctag matched"} <= set(umap.columns)
    confusion = pd.read_csv(figures / "confusion_cells.csv")
    shares = confusion.groupby(["method", "class"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(np.ones(len(shares)))
    assert set(confusion["method"]) == {"pca_kmeans", "sctag", "sctag@released", "sleeper"}
    runs = pd.read_csv(figures / "seeds.csv")
    assert set(runs["status"]) == {
        "ok",
        "oom",
        "crash",
        "timeout",
        "killed",
        "invalid",
        "unavailable",
    }


def test_text_stays_text_and_no_date(figures):
    svg = (figures / "seeds.svg").read_text()
    assert "3 of 3 failed: crash" in svg
    assert "dc:date" not in svg
    pdf = (figures / "seeds.pdf").read_bytes()
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf


def test_same_numbers_same_bytes(scored, tmp_path):
    compare(scored.layout)
    for kind in (seeds, confusion, spatial):
        for folder in ("a", "b"):
            with house_style():
                for drawing in kind.draw(read_figure_data(scored.layout)):
                    save(drawing, tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_the_median_run_is_shown(scored):
    compare(scored.layout)
    data = read_figure_data(scored.layout)
    runs = {run.name: run for run in data.representative_runs("cells")}
    scores = data.benchmark.runs_with_scores()
    part = scores[(scores["dataset"] == "cells") & (scores["method"] == "pca_kmeans")]
    assert runs["pca_kmeans"].ari == part["ari"].median()
    assert runs["crasher"].seed is None
    assert runs["crasher"].failures == "crash x 3"
    assert "random_labels" not in runs
    assert "graphst" not in runs


def test_clusters_take_the_colours_of_the_classes_that_scoring_matched_them_to(scored):
    compare(scored.layout)
    data = read_figure_data(scored.layout)
    truth = data.truth("cells")
    for run in data.representative_runs("cells"):
        if run.seed is None:
            continue
        clusters = data.partition(run)
        markers = pd.read_parquet(scored.layout.markers("cells", run.name))
        markers = markers[(markers["k"] == run.k) & (markers["seed"] == run.seed)]
        told = dict(zip(markers["group"], markers["matched_class"], strict=True))
        shown = dict(zip(clusters.groups, clusters.matched, strict=True))
        assert {group: shown[group] for group in told} == told
        assert all(clusters.colours[group] == truth.colours[told[group]] for group in told)


def test_tied_clusters_are_matched_alike_in_scores_and_figures(tmp_path, monkeypatch):
    plan = make_scored(tmp_path, monkeypatch, methods=["pca_kmeans"], seeds=1)
    at = plan.layout
    truth = pd.read_parquet(at.truth("cells"))
    classes = truth["label"].astype("category").cat.codes.to_numpy()
    # every class falls into halves of the same size, and the unlabelled are on their own
    half = truth.groupby("label", dropna=False).cumcount().to_numpy() % 2
    clusters = np.where(classes < 0, 99, 2 * (4 - classes) + half)
    path = at.run("cells", "pca_kmeans", "truth", 0) / "clusters.parquet"
    io.write_parquet(path, pd.DataFrame({"cell": truth["cell"], "cluster": clusters}))
    score(at, "cells", "pca_kmeans", [("truth", 0)])
    compare(at)
    deg = pd.read_csv(at.table("deg.csv"), keep_default_na=False, dtype=str)
    deg = deg[(deg["dataset"] == "cells") & (deg["method"] == "pca_kmeans")]
    told = dict(zip(deg["group"], deg["matched_class"], strict=True))
    data = read_figure_data(at)
    drawn = data.partition(data.representative_runs("cells")[0])
    shown = dict(zip(drawn.groups, drawn.matched, strict=True))
    assert {group: shown[group] for group in told} == told
    assert sorted(told.values()) == [""] * 5 + sorted(CLASSES)
    assert shown["99"] == ""


def test_colours_follow_a_rule():
    shipped = [card.parent.name for card in (REPOSITORY / "methods").glob("*/method.yaml")]
    some = ["sctag", "graphst", "never_seen", "pca_kmeans", "random_labels"]
    colours = method_colours(some, {"random_labels"})
    assert len(set(colours.values())) == len(some)
    assert colours == method_colours(some[::-1], {"random_labels"})
    # another method takes no colour away unless both ask for the same
    more = method_colours([*some, "scgnn"], {"random_labels"})
    assert sum(more[name] == colours[name] for name in some) >= len(some) - 1
    everything = method_colours(shipped, {"random_labels", "depth_kmeans"})
    assert len(set(everything.values())) == min(len(shipped), 22)
    looks = {tuple(method_style(name, everything).values()) for name in shipped}
    assert len(looks) == len(shipped)
    assert method_style("sctag@released", everything)["mfc"] == "white"
    assert len({class_colour(i) for i in range(20)}) == 20


def test_sizes_on_paper():
    with house_style():
        assert new_figure(174, 85).get_size_inches() == pytest.approx([174 / 25.4, 85 / 25.4])


@pytest.mark.parametrize(
    "name", ["graphst", "smoothed_pca_kmeans", "smoothed_pca_kmeans@three_rings"]
)
def test_the_title_of_a_panel_does_not_reach_into_the_next(name):
    with house_style():
        figure = new_figure(PAGE_MM, 20)
        figure.dpi = 300
        run = SimpleNamespace(name=name, ari=0.123)
        said = panel_title(run, SimpleNamespace(label=str))
        wide = figure.text(0, 0, said, fontsize=TITLE).get_window_extent().width
    assert wide / figure.dpi * 25.4 < (PAGE_MM - 4) / 4
    assert said.split() == [name, "ARI", "0.123"]


def test_a_perfect_score_has_room(scored):
    compare(scored.layout)
    with house_style():
        (drawing,) = cost.draw(read_figure_data(scored.layout))
    panels = [ax for ax in drawing.figure.axes if ax.lines]
    assert panels
    assert all(ax.get_ylim()[1] > 1 for ax in panels)


def figure_data(datasets: list[str], ranking: pd.DataFrame | None = None, **parts) -> FigureData:
    """Return what figures of a made-up benchmark are drawn from."""
    runs = [SimpleNamespace(dataset=name, k="truth") for name in datasets]
    plan = SimpleNamespace(runs=runs, methods=["first"])
    parts = {
        "controls": set(),
        "fidelity": dict.fromkeys(("first", "second"), "matches code"),
        **parts,
    }
    return FigureData(SimpleNamespace(plan=plan, datasets=datasets, **parts), ranking)


def test_every_column_of_seeds_ends_in_numbers(monkeypatch):
    names = ["a", "b", "c", "d"]  # three columns: the second row has one panel
    runs = pd.DataFrame({"dataset": names, "ari": 0.5, "nmi": 0.5, "seed": 0}).assign(
        method="first", variant="described", k="truth", status="ok"
    )
    table = runs.assign(name="first", control=False, mean_ari=0.5, ci_low=0.4, ci_high=0.6)
    monkeypatch.setattr(seeds, "method_order", lambda _: MethodOrder(table, ["first"], []))
    with house_style():
        (drawing,) = seeds.draw(figure_data(names, runs_with_scores=runs.copy))
    told = [ax.xaxis.get_tick_params()["labelbottom"] for ax in drawing.figure.axes]
    assert told[:4] == [False, True, True, True]


def test_no_result_lies_beyond_the_axes(monkeypatch):
    names = ["a", "b", "c", "d"]  # the lowest is neither first nor last
    runs = pd.DataFrame(
        {"dataset": names, "ari": [0.5, 0.5, -0.3, 0.5], "nmi": 0.5, "seed": 0, "wall_s": 2.0}
    ).assign(
        method="first", variant="described", k="truth", status="ok", peak_rss_mb=200.0,
    )  # fmt: skip
    table = runs.assign(
        name="first", control=False, mean_ari=runs["ari"], ci_low=runs["ari"], ci_high=runs["ari"]
    )
    monkeypatch.setattr(seeds, "method_order", lambda _: MethodOrder(table, ["first"], []))
    scores = runs.drop(columns=["wall_s", "peak_rss_mb"])
    data = figure_data(names, runs=runs, runs_with_scores=scores.copy, controls=set())
    with house_style():
        (by_seed,) = seeds.draw(data)
        (by_cost,) = cost.draw(data)
    assert all(ax.get_xlim()[0] < -0.3 for ax in by_seed.figure.axes[:4])
    assert all(ax.get_ylim()[0] < -0.3 for ax in by_cost.figure.axes[:8])


def order_of(**runs: tuple[int, int]) -> MethodOrder:
    """Return the order of methods of which so many runs on one dataset ended ok and failed."""
    rows = [
        {"name": name, "dataset": dataset, "k": "truth", "rank": rank, "control": False, "ok": ok,
         "failed": failed}
        for dataset in ("cells", "overall")
        for rank, (name, (ok, failed)) in enumerate(runs.items())
    ]  # fmt: skip
    return method_order(figure_data(["cells"], pd.DataFrame(rows)))


def test_methods_that_apply_nowhere_are_named_and_not_drawn():
    shown = order_of(good=(3, 0), tissue_only=(0, 0), broken=(0, 3), image_only=(0, 0))
    assert shown.methods == ["good", "broken"]
    assert shown.note().endswith("(table of runs): tissue_only, image_only.")
    assert len(shown.table) == 4
    assert order_of(good=(1, 0)).note() == ""
    assert order_of(tissue_only=(0, 0)).methods == ["tissue_only"]


@pytest.mark.parametrize("count", [2, 5, 12, 40])
def test_the_summary_can_be_read_however_many_datasets(monkeypatch, count):
    names = [f"some_dataset_{i}" for i in range(count)]
    rows = [
        {"name": method, "dataset": name, "control": False, "ok": 2, "failed": 1, "mean_ari": 0.55,
         "mean_nmi": 0.66}
        for method in ("first", "second") for name in names
    ]  # fmt: skip
    order = MethodOrder(pd.DataFrame(rows), ["first", "second"], [])
    monkeypatch.setattr(summary, "method_order", lambda _: order)
    data = figure_data(names, audits={names[1]: "pitch rescaled to 137"})
    with house_style():
        (drawing,) = summary.draw(data)
        drawing.figure.canvas.draw()
        heat, quality = drawing.figure.axes[:2]
        numbers = [text for text in heat.texts if text.get_text() == "0.55"]
        cell = heat.get_window_extent().width / count
        assert all(text.get_window_extent().width < cell for text in numbers)
        assert bool(numbers) == (count < 40)
        beside = quality.get_position().x0 > heat.get_position().x1
        assert beside == (count <= 8)
    assert "some_dataset_1 (pitch rescaled to 137)" in drawing.caption
    assert drawing.figure.get_size_inches()[0] * 25.4 <= PAGE_MM + 1e-6


def test_names_carry_the_mark_of_fidelity(figures):
    for name in ("summary", "seeds", "cost", "confusion_cells"):
        svg = (figures / f"{name}.svg").read_text()
        assert "sctag°" in svg, name
        assert "°: baseline" in svg, name
    captions = io.read_json(figures / "captions.json")
    assert all("Marks behind names: °: baseline." in entry["caption"] for entry in captions)


def test_a_figure_of_other_columns_than_it_states_is_refused(scored, monkeypatch):
    monkeypatch.setattr(seeds, "COLUMNS", {**seeds.COLUMNS, "extra": None})
    with pytest.raises(BlindfoldError, match="figure 'seeds' has other columns than it states"):
        draw_figures(scored.layout)

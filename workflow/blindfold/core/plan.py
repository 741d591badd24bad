"""The runs that a configuration asks for; each of them must end as one record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from blindfold.core import io
from blindfold.core.available import cached, mirror_folders, obstacle, packaged
from blindfold.core.code_hash import code_hash
from blindfold.core.config import Config, MethodEntry, check_config
from blindfold.core.datasets import DatasetCard, dataset_card, raw_files
from blindfold.core.entries import resolve_datasets
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY, Layout
from blindfold.core.log import log
from blindfold.core.methods import (
    MethodCard,
    fill_params,
    find_methods,
    method_card,
    method_folder,
    split_variant,
    without_card,
)
from blindfold.core.seeding import seed_sequence


@dataclass(frozen=True)
class PlannedMethod:
    """A method entry of the configuration, resolved against its card."""

    name: str
    entry: MethodEntry
    folder: Path
    card: MethodCard
    params: dict[str, Any]
    code: str

    def gpus(self, config: Config) -> int:
        """Return the number of devices that each run asks for."""
        if self.entry.gpus is not None:
            return self.entry.gpus
        return min(self.card.resources.gpus, config.limits.gpus)

    def memory_gb(self, config: Config) -> float:
        """Return the memory limit of a run in GiB."""
        return self.entry.memory_gb or config.limits.memory_gb

    def minutes(self, config: Config) -> float:
        """Return the wall-clock limit of a run in minutes."""
        return self.entry.minutes or config.limits.minutes


@dataclass(frozen=True)
class PlannedRun:
    """One run of a method on a dataset."""

    dataset: str
    method: str
    k: str
    seed: int


@dataclass(frozen=True)
class Plan:
    """A configuration with its cards and runs.

    Parameters
    ----------
    unavailable
        Datasets of the configuration that cannot be obtained, with the reason; they are not among
        ``datasets``, and nothing is run on them.
    """

    config: Config
    layout: Layout
    datasets: dict[str, DatasetCard]
    methods: dict[str, PlannedMethod]
    runs: list[PlannedRun]
    unavailable: dict[str, str] = field(default_factory=dict)

    def environments(self) -> list[str]:
        """Return the environments of the methods."""
        return sorted({method.card.environment for method in self.methods.values()})

    def labelled_paths(self) -> list[Path]:
        """Return what holds labels outside the results and is hidden from every method."""
        cache = cache_folder(self.config)
        files = [file for card in self.datasets.values() for file in raw_files(card)]
        own = [cached(cache, file) for file in files if file.local is not None]
        installed = [path for file in files if (path := packaged(file)) is not None]
        return list(dict.fromkeys([cache, *mirror_folders(self.config.mirror), *own, *installed]))


def make_plan(config: Config, unavailable: dict[str, str] | None = None) -> Plan:
    """Resolve a configuration against the cards.

    Parameters
    ----------
    config
        The benchmark.
    unavailable
        Datasets that cannot be obtained, with the reason, where that was decided before.

    Raises
    ------
    BlindfoldError
        For an unknown dataset, method, variant or parameter, or an impossible number of clusters.
    """
    datasets = resolve_datasets(config.datasets)
    if unavailable is None:
        unavailable = unavailable_datasets(config, datasets)
    if len(unavailable) == len(datasets):
        name, reason = next(iter(unavailable.items()))
        raise BlindfoldError("no dataset is available", field=f"datasets: {name}", found=reason)
    datasets = {name: card for name, card in datasets.items() if name not in unavailable}
    methods = {}
    for entry in _method_entries(config, {card.task for card in datasets.values()}):
        if entry.name in methods:
            raise BlindfoldError(f"method {entry.name!r} is listed twice", field="methods")
        methods[entry.name] = _plan_method(entry, config)
    runs = [
        PlannedRun(dataset, name, k, seed)
        for dataset, card in datasets.items()
        for name, method in methods.items()
        for k in expand_clusters(config, dataset, card)
        for seed in range(1 if config.canary else method.entry.seeds or config.seeds)
    ]
    return Plan(config, results_layout(config), datasets, methods, runs, unavailable)


def cache_folder(config: Config) -> Path:
    """Return the folder of downloads; a relative one counts from the repository root."""
    return REPOSITORY / Path(config.cache).expanduser()


def unavailable_datasets(config: Config, datasets: dict[str, DatasetCard]) -> dict[str, str]:
    """Return the datasets that cannot be obtained, with the reason."""
    cache = cache_folder(config)
    return {
        name: reason
        for name, card in datasets.items()
        if (reason := obstacle(card, cache, config.mirror, config.offline)) is not None
    }


def results_layout(config: Config) -> Layout:
    """Return the layout of a configuration's results, relative to the repository."""
    return Layout(Path("results") / (config.name + "-canary" if config.canary else config.name))


def _method_entries(config: Config, tasks: set[str]) -> list[MethodEntry]:
    """Return the method entries, with the random control always among them.

    ``all`` stands for the methods that have one of the tasks.
    """
    if config.methods == "all":
        for name, folder in without_card(config.methods_path).items():
            log.warning("%s: left out, for %s has a model.py and no method.yaml", name, folder)
        found = find_methods(config.methods_path).items()
        return [MethodEntry(name=name) for name, at in found if tasks & {*method_card(at).tasks}]
    entries = list(config.methods)
    if not any(split_variant(entry.name)[0] == "random_labels" for entry in entries):
        entries.insert(0, MethodEntry(name="random_labels"))
    return entries


def _plan_method(entry: MethodEntry, config: Config) -> PlannedMethod:
    name, variant = split_variant(entry.name)
    folder = method_folder(name, config.methods_path)
    card = method_card(folder)
    params = fill_params(card, variant, entry.params, folder / "method.yaml")
    return PlannedMethod(entry.name, entry, folder, card, params, code_hash(folder))


def expand_clusters(config: Config, dataset: str, card: DatasetCard) -> list[str]:
    """Return the values of K to run on one dataset, as they are written in paths.

    Raises
    ------
    BlindfoldError
        Where more clusters than cells are asked for.
    """
    wanted: list[str] = []
    for k in config.clusters:
        if k == "sweep":
            wanted += [str(i) for i in range(2, 2 * (card.expected.classes or 10) + 1)]
        else:
            wanted.append(str(k))
        if isinstance(k, int) and card.expected.cells is not None and k > card.expected.cells:
            raise BlindfoldError(
                "more clusters than cells", field="clusters", found=k,
                expected=f"2 to {card.expected.cells} for dataset {dataset!r}",
            )  # fmt: skip
    return list(dict.fromkeys(wanted))


def derive_seed(benchmark: int, dataset: str, method: str, repeat: int) -> int:
    """Return the independent seed of one job, the same for every K."""
    return int(seed_sequence(benchmark, dataset, method, repeat).generate_state(1)[0])


def written_plan(plan: Plan) -> dict[str, Any]:
    """Return what ``plan.json`` holds: all that steps and readers need to know of a plan."""
    cards = {
        name: card.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for name, card in plan.datasets.items()
    }
    return {
        "config": plan.config.model_dump(by_alias=True),
        "unavailable": plan.unavailable,
        "datasets": cards,
        "params": {name: method.entry.params for name, method in plan.methods.items()},
        "hidden": [str(path) for path in plan.labelled_paths()],
        "runs": [asdict(run) for run in plan.runs],
    }


def write_plan(plan: Plan) -> None:
    """Write ``plan.json``, where another one stands there or none.

    The workflow does so before its first job: were it a step, whatever needs it would wait for it,
    and Snakemake asks nothing further of what waits for another step.
    """
    written = written_plan(plan)
    if not plan.layout.plan.is_file() or io.read_json(plan.layout.plan) != written:
        io.write_json(plan.layout.plan, written)


class Sources(NamedTuple):
    """Where raw files come from."""

    cache: Path
    mirror: list[str]
    offline: bool


def planned_sources(results: Layout) -> Sources:
    """Return where raw files come from as it was planned; without a plan, the defaults."""
    if not results.plan.is_file():
        return Sources(REPOSITORY / "data", [], False)
    config = check_config(io.read_json(results.plan)["config"], results.plan)
    return Sources(cache_folder(config), config.mirror, config.offline)


def planned_card(results: Layout, dataset: str) -> DatasetCard:
    """Return a dataset's card as it was planned; without a plan, that of ``workflow/datasets``."""
    if results.plan.is_file():
        cards = io.read_json(results.plan).get("datasets", {})
        if dataset in cards:
            return io.validate(DatasetCard, cards[dataset], f"{results.plan}: {dataset}")
    return dataset_card(dataset)


def read_plan(results: Path) -> Plan:
    """Read the plan of a results folder back."""
    path = Layout(results).plan
    written = io.read_json(path)
    plan = make_plan(check_config(written["config"], path), written["unavailable"])
    return replace(plan, layout=Layout(results))

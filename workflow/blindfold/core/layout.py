"""Every path of a benchmark, written once. Rules, command line and steps all ask here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
DATASETS = REPOSITORY / "workflow" / "datasets"
SCHEMAS = REPOSITORY / "workflow" / "schemas"
ENVIRONMENTS = REPOSITORY / "envs"
BESIDE = {"image": "image.png", "image_features": "image_features.npy"}
"""What may lie beside a dataset's blinded input and belongs to it: kind and name."""


WORK = Path("results/.work")
"""Where children work: the name says nothing of what they work for."""

STATES = Path("results/.states")
"""Where killed runs leave the state that they go on from, by a hash of all that decides them."""


@dataclass(frozen=True)
class Layout:
    """Paths under ``results/<benchmark>``.

    Parameters
    ----------
    root
        The folder of the benchmark. May hold Snakemake wildcards in what is asked of it.
    """

    root: Path

    def _at(self, *parts: str) -> Path:
        return self.root.joinpath(*parts)

    @property
    def plan(self) -> Path:
        """The resolved configuration and every planned run."""
        return self._at("plan.json")

    @property
    def protection(self) -> Path:
        """What protects the runs of this benchmark, and what is hidden from them."""
        return self._at("protection.json")

    @property
    def provenance(self) -> Path:
        """Versions, commit, configuration, hardware and checksums."""
        return self._at("provenance.json")

    @property
    def tables(self) -> Path:
        """Folder of tables."""
        return self._at("tables")

    @property
    def figures(self) -> Path:
        """Folder of figures."""
        return self._at("figures")

    @property
    def report(self) -> Path:
        """The report's page."""
        return self._at("report", "index.html")

    def table(self, name: str) -> Path:
        """Return the path of a table, such as ``ranking.csv``."""
        return self.tables / name

    def input(self, dataset: str) -> Path:
        """Return what methods see."""
        return self._at("datasets", dataset, "input.h5ad")

    def image(self, dataset: str) -> Path:
        """Return the histology image that methods see, where there is one."""
        return self.beside(dataset)["image"]

    def beside(self, dataset: str) -> dict[str, Path]:
        """Return the files that may lie beside the input, by kind."""
        return {kind: self._at("datasets", dataset, name) for kind, name in BESIDE.items()}

    def card(self, dataset: str) -> Path:
        """Return the facts about a blinded dataset; read by the supervisor, never by a method."""
        return self._at("datasets", dataset, "card.json")

    def fetched(self, dataset: str) -> Path:
        """Return the record of a dataset's verified raw files."""
        return self._at("vault", dataset, "fetched.json")

    def prepared(self, dataset: str) -> Path:
        """Return the prepared data with labels."""
        return self._at("vault", dataset, "prepared.h5ad")

    def prepared_image(self, dataset: str) -> Path:
        """Return the prepared image."""
        return self._at("vault", dataset, "image.png")

    def truth(self, dataset: str) -> Path:
        """Return the hidden labels."""
        return self._at("vault", dataset, "truth.parquet")

    def held_out(self, dataset: str) -> Path:
        """Return the entries that a masked dataset does not show."""
        return self._at("vault", dataset, "held_out.parquet")

    def run(self, dataset: str, method: str, k: str, seed: int | str) -> Path:
        """Return the folder of one run; ``method`` is ``sctag`` or ``sctag@released``."""
        return self._at("runs", dataset, method, k, str(seed))

    def record(self, dataset: str, method: str, k: str, seed: int | str) -> Path:
        """Return the record of one run."""
        return self.run(dataset, method, k, seed) / "run.json"

    def scores(self, dataset: str, method: str) -> Path:
        """Return the long table of metric values of one method on one dataset."""
        return self._at("scores", dataset, f"{method}.parquet")

    def markers(self, dataset: str, method: str) -> Path:
        """Return the differential expression of one method's clusters on one dataset."""
        return self._at("markers", dataset, f"{method}.parquet")

    def epochs(self, dataset: str, method: str) -> Path:
        """Return the metric values of the partitions that one method's runs kept in training."""
        return self._at("epochs", dataset, f"{method}.parquet")

    def log(self, step: str, *names: str) -> Path:
        """Return the log of one job of a step."""
        return (
            self._at("logs", step, "_".join(names) + ".log")
            if names
            else self._at("logs", f"{step}.log")
        )

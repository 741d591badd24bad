"""Preparing from the mirror, without the step that fetches."""

import anndata
import pandas as pd

from blindfold.blind.blind import blind
from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.prepare.prepare import prepare
from tests.conftest import MIRROR


def write_record(path, files, places=None):
    """Write what `fetch` would record of these files of the mirror; ``places``: others by path."""
    places = places or {}
    rows = [
        {
            "path": file.path, "role": file.role, "sha256": file.sha256, "bytes": file.bytes,
            "source": "mirror", "location": str(places.get(file.path, MIRROR / file.path)),
        }
        for file in files
    ]  # fmt: skip
    io.write_json(path, rows)


def prepared(dataset, card, files, folder, places=None):
    """Return a dataset as `prepare` writes it, and where its files lie."""
    at = Layout(folder / "results")
    write_record(at.fetched(dataset), files, places)
    return anndata.read_h5ad(prepare(dataset, card, at)), at


def rejoined(dataset, card, at):
    """Blind a prepared dataset and lead it back: original names, labels from the vault."""
    shown = anndata.read_h5ad(blind(dataset, card, at, seed=0))
    truth = pd.read_parquet(at.truth(dataset)).set_index("cell").loc[shown.obs_names]
    assert list(shown.obs_names) != list(truth["original"])
    shown.obs_names = pd.Index(truth["original"], name=None)
    shown.obs["label"] = truth["label"].to_numpy()
    return shown

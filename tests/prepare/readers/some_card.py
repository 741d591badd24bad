"""A card for tests of readers."""

from blindfold.core.datasets import DatasetCard
from blindfold.prepare.readers import reader


def some_card(label="kind", **differs):
    return DatasetCard(
        title="Some", organism="o", tissue="t", technology="t", modality="scrna", paper="p",
        licence="l", files=[{"path": "a", "role": "counts", "url": "http://x"}], reader="table",
        label=label, **differs,
    )  # fmt: skip


def read(name, files, label="kind", **options):
    files = files if isinstance(files, dict) else {"counts": files}
    return reader(name)(files, options, some_card(label))

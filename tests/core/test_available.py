"""Which datasets can be had, before anything is fetched."""

import pytest

from blindfold.core.available import cached, obstacle
from blindfold.core.config import check_config
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.plan import make_plan


def card(**source):
    return DatasetCard(
        title="t", organism="o", tissue="t", technology="t", modality="scrna", paper="p",
        licence="l", reader="r", files=[{"path": "d/x.h5", "role": "cells", **source}],
    )  # fmt: skip


def test_a_url_is_a_source_unless_offline(tmp_path):
    made = card(url="http://example.org/x.h5")
    assert obstacle(made, tmp_path, [], offline=False) is None
    told = obstacle(made, tmp_path, [], offline=True)
    assert "d/x.h5" in told
    assert "http://example.org/x.h5" in told


@pytest.mark.parametrize("place", ["cache", "mirror"])
def test_a_copy_on_disk_is_a_source_offline(tmp_path, place):
    (tmp_path / place / "d").mkdir(parents=True)
    (tmp_path / place / "d" / "x.h5").write_bytes(b"1")
    made = card(url="http://example.org/x.h5")
    assert obstacle(made, tmp_path / "cache", [str(tmp_path / "mirror")], offline=True) is None


def test_an_address_as_mirror_may_have_it_online_only(tmp_path):
    made = card(by_hand="ask the authors")
    assert obstacle(made, tmp_path, ["https://example.org"], offline=False) is None
    assert "ask the authors" in obstacle(made, tmp_path, ["https://example.org"], offline=True)


def test_a_packaged_file_is_cached_under_its_package(tmp_path):
    made = card(package="numpy")
    assert obstacle(made, tmp_path, [], offline=True) is None
    assert cached(tmp_path, made.files[0]) == tmp_path / "numpy" / "d" / "x.h5"
    assert "is not installed" in obstacle(card(package="no_such_package"), tmp_path, [], False)


def test_what_cannot_be_had_is_listed_and_the_rest_is_planned(tmp_path):
    base = {"name": "a", "methods": ["pca_kmeans"], "offline": True, "cache": str(tmp_path)}
    made = make_plan(check_config({**base, "datasets": ["pbmc68k", "adam"]}))
    assert list(made.datasets) == ["pbmc68k"]
    assert list(made.unavailable) == ["adam"]
    assert {run.dataset for run in made.runs} == {"pbmc68k"}
    with pytest.raises(BlindfoldError, match="no dataset is available"):
        make_plan(check_config({**base, "datasets": ["adam"]}))

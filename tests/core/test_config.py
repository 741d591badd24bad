import pytest

from blindfold.core.config import check_config, in_its_file, read_config
from blindfold.core.errors import BlindfoldError

GOOD = {"name": "a", "datasets": ["pbmc68k"], "methods": ["pca_kmeans"]}


def test_strings_become_method_entries_and_defaults_are_filled():
    config = check_config(GOOD)
    assert config.methods[0].name == "pca_kmeans"
    assert config.seeds == 3
    assert config.limits.memory_gb == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seedz": 1}, ["unknown key 'seedz'", "did you mean 'seed'"]),
        ({"limits": {"minute": 1}}, ["limits.minute", "did you mean 'minutes'"]),
        ({"methods": [{"nam": "x"}]}, ["methods.0.nam", "did you mean 'name'"]),
        ({"seeds": "many"}, ["field:    seeds", "'many'", "integer"]),
        ({"clusters": [1]}, ["clusters.0", "greater than or equal to 2"]),
        ({"datasets": [{"id": "m", "paht": "x"}]}, ["datasets.0.paht", "did you mean 'path'"]),
        ({"datasets": [{"from": "m", "option": 1}]}, ["datasets.0.option", "'options'"]),
        ({"datasets": [{"id": "Mine", "path": "x"}]}, ["datasets.0.id", "'Mine'"]),
        ({"datasets": [3]}, ["datasets.0", "found:    3"]),
        ({"name": "No Spaces"}, ["field:    name"]),
        ({"sandbox": "jail"}, ["sandbox", "'jail'", "bwrap"]),
    ],
)
def test_bad_values_name_file_field_found_and_expected(change, words):
    with pytest.raises(BlindfoldError) as error:
        check_config({**GOOD, **change}, "my.yaml")
    for word in ["my.yaml", *words]:
        assert word in str(error.value)


def test_missing_field():
    with pytest.raises(BlindfoldError, match="required field is missing") as error:
        check_config({"name": "a", "datasets": ["x"]})
    assert "methods" in str(error.value)


def test_later_files_win_and_mappings_merge(tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("name: a\ndatasets: [x]\nmethods: [m]\nlimits: {minutes: 5, gpus: 1}\n")
    two.write_text("datasets: [y]\nlimits: {minutes: 7}\n")
    config = read_config([one, two])
    assert config.datasets == ["y"]
    assert (config.limits.minutes, config.limits.gpus) == (7, 1)


def test_a_mirror_may_come_from_the_environment(monkeypatch):
    mirror = ["${BLINDFOLD_MIRROR:-../shared/data/mirror}", "plain/$HOME"]
    monkeypatch.delenv("BLINDFOLD_MIRROR", raising=False)
    assert check_config({**GOOD, "mirror": mirror}).mirror == [
        "../shared/data/mirror",
        "plain/$HOME",
    ]
    monkeypatch.setenv("BLINDFOLD_MIRROR", "/data")
    assert check_config({**GOOD, "mirror": mirror}).mirror[0] == "/data"


def test_broken_yaml_names_the_file(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("name: [")
    with pytest.raises(BlindfoldError, match=r"not valid YAML[\s\S]*broken\.yaml"):
        read_config([path])


def test_an_error_names_the_file_in_which_its_key_stands(tmp_path):
    default, mine = tmp_path / "config.yaml", tmp_path / "mine.yaml"
    default.write_text("name: demo\nseeds: 3\n")
    mine.write_text("seeds: many\n")
    with pytest.raises(BlindfoldError) as caught:
        check_config({**GOOD, "seeds": "many"})
    assert f"file:     {mine}" in str(in_its_file(caught.value, [mine, default]))
    with pytest.raises(BlindfoldError) as caught:
        check_config({**GOOD, "name": "A b"})
    assert f"file:     {default}" in str(in_its_file(caught.value, [mine, default]))
    elsewhere = BlindfoldError("no such file", file="x.h5ad", field="seeds")
    assert "x.h5ad" in str(in_its_file(elsewhere, [mine, default]))

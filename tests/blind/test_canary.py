import subprocess

from blindfold.blind.canary import command
from tests.conftest import REPOSITORY


def test_snakemake_takes_the_command_with_the_default_configuration_alone(tmp_path):
    """Both runs of the canary, planned only, in an empty folder."""
    for extra, folder in ([], "demo"), (["--config", "canary=True"], "demo-canary"):
        words = command([REPOSITORY / "config.yaml"], "1", extra)
        done = subprocess.run(
            [*words, "--summary"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert f"results/{folder}/runs/pbmc68k/sctag/truth/0/run.json" in done.stdout, done.stderr

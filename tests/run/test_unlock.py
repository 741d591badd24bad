import os
import subprocess
import sys
import time

from blindfold.run.unlock import unlock


def lock(folder):
    path = folder / ".snakemake" / "locks"
    path.mkdir(parents=True)
    (path / "0.input.lock").write_text("x")
    return path


def test_nothing_to_remove(tmp_path):
    assert unlock(tmp_path) == "no lock"


def test_a_stale_lock_goes(tmp_path):
    path = lock(tmp_path)
    assert "removed a stale lock" in unlock(tmp_path)
    assert not path.exists()


def test_a_live_snakemake_keeps_its_lock(tmp_path):
    path = lock(tmp_path)
    script = tmp_path / "snakemake"
    script.write_text("import time; time.sleep(30)")
    holder = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path)
    try:
        time.sleep(0.3)
        assert f"live process {holder.pid}" in unlock(tmp_path)
        assert path.exists()
    finally:
        holder.kill()
        holder.wait()
    assert os.path.exists(path)
    assert "removed" in unlock(tmp_path)

import subprocess
import sys

HEAVY = ("scanpy", "torch", "anndata", "sklearn", "matplotlib")


def test_the_supervisor_imports_nothing_heavy(blinded, tmp_path):
    """`blindfold run` itself stays light: the child imports what the method needs."""
    code = f"""
import sys
sys.argv = ["blindfold", "run", "--method", "misbehave@noisy", "--input", {str(blinded)!r},
            "--seed", "0", "--clusters", "3", "--out", {str(tmp_path / "out")!r},
            "--methods-path", "tests/bad_methods", "--sandbox", "tripwire"]
from blindfold.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Which changes of code make which methods' runs due again."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from blindfold.core.code_hash import code_hash, import_closure
from blindfold.core.methods import find_methods, method_card
from tests.conftest import REPOSITORY

METHODS = REPOSITORY / "methods"

MODEL = '''\
"""A method."""

from methods.contract import Result
from .helper import twice

SHIFT = 1  # of the clusters


def fit(data, params, job):
    """Return one cluster."""
    return Result(clusters=twice(SHIFT))
'''
HELPER = "def twice(value):\n    return 2 * value\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a repository with what every method needs and some shared modules."""
    files = {
        "contract.py": "class Result: ...\n",
        "__init__.py": "",
        "runner.py": "from methods.contract import Result\nfrom methods.checks import finite\n",
        "checks.py": "finite = True\n",
        "shared/__init__.py": "",
        "shared/graphs/__init__.py": "from . import defaults\n",
        "shared/graphs/defaults.py": "SIZE = 6\n",
        "shared/graphs/neighbors.py": "from .ties import first\n",
        "shared/graphs/ties.py": "first = 0\n",
        "shared/unused.py": "x = 1\n",
        "mine/method.yaml": "title: Mine\n",
        "mine/model.py": MODEL,
        "mine/helper.py": HELPER,
    }
    for name, text in files.items():
        write(tmp_path / "methods" / name, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def mine(checkout: Path) -> str:
    return code_hash(checkout / "methods" / "mine", checkout)


def changes_mine(checkout: Path, name: str, text: str) -> bool:
    """Tell whether writing a file below ``methods`` changes the hash."""
    before = mine(checkout)
    write(checkout / "methods" / name, text)
    return mine(checkout) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# of the clusters", "# another comment"),
        ('"""A method."""', '"""Another docstring,\n\nof several lines."""'),
        ('"""A method."""\n', ""),
        ('    """Return one cluster."""\n', ""),
        ("SHIFT = 1", '"""A string that documents nothing."""\nSHIFT = 1'),
        ("\n\n\n", "\n\n\n\n\n"),
        ("clusters=twice(SHIFT)", "\n        clusters = (twice(SHIFT)),\n    "),
    ],
)  # fmt: skip
def test_comments_docstrings_and_formatting_do_not_count(checkout, old, new):
    assert old in MODEL
    assert not changes_mine(checkout, "mine/model.py", MODEL.replace(old, new))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine/model.py", MODEL.replace("SHIFT = 1", "SHIFT = 2")),
        ("mine/model.py", MODEL.replace("twice(SHIFT)", "twice(-SHIFT)")),
        ("mine/model.py", MODEL.replace("twice(SHIFT)", '"text"')),
        ("mine/helper.py", HELPER.replace("2 *", "3 *")),
        ("mine/method.yaml", "title: Ours\n"),
        ("mine/method.yaml", "title: Mine\n# a comment\n"),
        ("mine/weights.csv", "1,2\n"),
        ("mine/parts/new.py", "x = 1\n"),
        ("contract.py", "class Result: x = 1\n"),
        ("runner.py", "from methods.contract import Result\nx = 1\n"),
        ("checks.py", "finite = False\n"),
    ],
)
def test_a_changed_constant_function_card_or_data_file_counts(checkout, name, text):
    assert changes_mine(checkout, name, text)


@pytest.mark.parametrize(
    "name", ["mine/.notes.txt", "mine/__pycache__/model.cpython-311.pyc", "mine/.cache/x.csv",
             "shared/unused.py", "other/model.py"],
)  # fmt: skip
def test_caches_hidden_files_and_what_is_not_imported_do_not_count(checkout, name):
    assert not changes_mine(checkout, name, "x = 2\n")


def test_a_renamed_file_counts(checkout):
    before = mine(checkout)
    folder = checkout / "methods" / "mine"
    (folder / "helper.py").rename(folder / "helpers.py")
    assert mine(checkout) != before


@pytest.mark.parametrize(
    "imported",
    [
        "import methods.shared.graphs.neighbors",
        "import methods.shared.graphs.neighbors as n",
        "from methods.shared.graphs import neighbors",
        "from methods.shared.graphs.neighbors import first",
        "def later():\n    from methods.shared.graphs.neighbors import first",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
        "    from methods.shared.graphs.neighbors import first",
        "try:\n    import methods.shared.graphs.neighbors\nexcept ImportError:\n    pass",
        "from ..shared.graphs import neighbors",
    ],
)
@pytest.mark.parametrize("changed", ["neighbors", "ties", "__init__", "defaults"])
def test_every_kind_of_import_is_followed(checkout, imported, changed):
    write(checkout / "methods" / "mine" / "helper.py", HELPER + imported + "\n")
    assert changes_mine(checkout, f"shared/graphs/{changed}.py", "from .ties import first\ny = 1\n")


def test_a_package_is_imported_without_its_modules(checkout):
    write(checkout / "methods" / "mine" / "helper.py", HELPER + "import methods.shared.graphs\n")
    assert changes_mine(checkout, "shared/graphs/defaults.py", "SIZE = 7\n")
    assert not changes_mine(checkout, "shared/graphs/ties.py", "first = 1\n")


def test_a_module_that_begins_to_exist_counts(checkout):
    """A missing one is for the run to report, not for the plan."""
    helper = HELPER + "from methods.shared.missing import x\nfrom .absent import y\n"
    write(checkout / "methods" / "mine" / "helper.py", helper)
    assert changes_mine(checkout, "shared/missing.py", "x = 1\n")


def test_a_file_that_cannot_be_parsed_counts_by_its_bytes(checkout):
    assert changes_mine(checkout, "mine/model.py", "def fit(:\n")
    assert changes_mine(checkout, "mine/model.py", "def fit(:  # why\n")
    assert changes_mine(checkout, "mine/model.py", "\0")


def test_imports_in_a_circle_end(checkout):
    write(checkout / "methods" / "shared" / "graphs" / "ties.py", "from . import neighbors\n")
    write(checkout / "methods" / "mine" / "helper.py", "from methods.shared.graphs import ties\n")
    assert mine(checkout)


def test_a_method_elsewhere_has_one_hash_wherever_it_lies(checkout, tmp_path):
    found = []
    for place in ("here", "there/and/deeper"):
        folder = tmp_path / place / "mine"
        shutil.copytree(checkout / "methods" / "mine", folder)
        write(folder / "helper.py", "from methods.shared.graphs import neighbors\n")
        found.append(code_hash(folder, checkout))
    assert found[0] == found[1]
    write(checkout / "methods" / "shared" / "graphs" / "ties.py", "first = 2\n")
    assert code_hash(folder, checkout) != found[0]


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """Return a second checkout of the methods of this repository."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(METHODS, root / "methods", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def hashes(root: Path) -> dict[str, str]:
    return {
        name: code_hash(root / "methods" / name, root)
        for name in find_methods([METHODS])
    }  # fmt: skip


def test_the_same_code_in_two_checkouts_has_one_hash(copied):
    found = hashes(REPOSITORY)
    assert hashes(copied) == found
    assert len(set(found.values())) == len(found)


def test_a_change_of_the_image_texture_makes_exactly_the_methods_due_that_use_images(copied):
    before = hashes(copied)
    (texture,) = (copied / "methods" / "shared").rglob("texture.py")
    texture.write_text(texture.read_text() + "\nCHANGED = True\n")
    due = {name for name, found in hashes(copied).items() if found != before[name]}
    cards = {name: method_card(folder) for name, folder in find_methods([METHODS]).items()}
    assert due == {name for name, card in cards.items() if "image" in {*card.needs, *card.uses}}
    assert "multist" in due


def test_the_closure_holds_every_module_that_python_loads():
    code = (
        "import sys\nfrom pathlib import Path\nfrom methods.runner import load_entry\n"
        f"load_entry(Path({str(METHODS / 'multist')!r}), 'model:fit')\n"
        "print(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded = {Path(file) for file in done.stdout.split()}
    loaded = {path for path in loaded if path.is_relative_to(METHODS)}
    assert METHODS / "multist" / "model.py" in loaded
    roots = [*(METHODS / "multist").rglob("*.py"), METHODS / "runner.py"]
    assert loaded <= import_closure(roots, METHODS)


def test_shared_code_reads_no_data_file():
    """Only modules are followed: a data file has to lie in the folder of the method."""
    files = [path for path in METHODS.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    own = tuple(find_methods([METHODS]).values())
    shared = [path for path in files if not any(path.is_relative_to(folder) for folder in own)]
    assert [path for path in shared if path.suffix != ".py"] == []


DYNAMIC = {"import_module", "__import__", "spec_from_file_location", "run_path", "run_module"}


def dynamic_imports(source: str) -> list[str]:
    """Return the names by which a file imports what its text does not say."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = {getattr(node, "attr", None), getattr(node, "id", None)} & DYNAMIC
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = {alias.name.rpartition(".")[2] for alias in node.names}
            names &= {*DYNAMIC, "importlib", "util", "runpy", "imp"}
            names |= {"*"} & {alias.name for alias in node.names}
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in {"exec", "eval"}:
            names |= {node.func.id}
        found += sorted(names)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import importlib",
        "import importlib.util",
        "from importlib import import_module as load",
        "from importlib.util import spec_from_file_location",
        "from importlib import util",
        "importlib.import_module(name)",
        "__import__('methods.' + name)",
        "exec('import ' + name)",
        "eval(text)",
        "import runpy",
        "from methods.shared import *",
    ],
)
def test_a_dynamic_import_is_seen(source):
    assert dynamic_imports(source)


@pytest.mark.parametrize(
    "source", ["model.eval()", "import importlib.metadata", "from methods.shared import pca"]
)
def test_other_code_is_no_dynamic_import(source):
    assert not dynamic_imports(source)


def test_no_method_imports_what_its_text_does_not_say():
    """Such an import would change results without a change of the hash.

    The runner alone loads modules by their path: those of the method's own folder.
    """
    found = {
        str(path.relative_to(METHODS)): names
        for path in sorted(METHODS.rglob("*.py"))
        if (names := dynamic_imports(path.read_text()))
    }
    assert set(found) == {"runner.py"}

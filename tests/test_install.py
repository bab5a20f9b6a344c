"""Installing on Colab, and doing without TensorFlow Probability."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import tensorflow as tf
from packaging.utils import canonicalize_name

import vae_helpers as vh

ROOT = Path(__file__).resolve().parents[1]
COLAB = ROOT / "tests" / "versions" / "colab.txt"
PACKAGE = ["pyproject.toml", "README.md", "LICENSE", "vae_helpers"]

spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
each_lesson = pytest.mark.parametrize("source", build.SOURCES, ids=[source.stem for source in build.SOURCES])


def setup_cell(source):
    return next(cell.source for cell in build.convert(source).cells if cell.cell_type == "code")


# The setup cell


@pytest.fixture
def commands(monkeypatch):
    """What is run as a child process, which does not run."""
    seen = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: seen.append((command, options)))
    return seen


@each_lesson
def test_the_setup_cell_does_nothing_on_ones_own_machine(source, commands):
    exec(setup_cell(source), {})
    assert commands == []


@each_lesson
def test_on_colab_the_setup_cell_installs_the_package_alone(source, commands, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    exec(setup_cell(source), {})
    name, branch = build.repository()
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", f"git+https://github.com/{name}@{branch}"]
    assert commands == [(install, {"check": True})]


# With the package index


def run(*arguments, cwd=None, **environment):
    """A child process; PIP_CONSTRAINT is the public CI's, for installing other sets than Colab's."""
    environment = {**os.environ, "PIP_CONSTRAINT": "", **environment}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


def would_install(*arguments):
    """{package: version} that pip would install on Colab, where nothing is there yet. Fails if pip finds no way."""
    on_colab = ["--python-version", "3.12", "--only-binary=:all:", "--target", "not-made", "--ignore-installed"]
    done = run("-m", "pip", "install", "--quiet", "--dry-run", "--report", "-", *on_colab, *arguments)
    assert done.returncode == 0, done.stderr
    found = [one["metadata"] for one in json.loads(done.stdout)["install"]]
    return {canonicalize_name(one["name"]): one["version"] for one in found}


@pytest.fixture(scope="module")
def index():
    """Skips where there is no pip, or no package index to ask."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this environment has no pip")
    ask = ["install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--timeout=5", "--retries=0"]
    asked = run("-m", "pip", *ask, "nbval")
    if asked.returncode:
        pytest.skip(f"the package index cannot be reached: {asked.stderr.strip().splitlines()[-1]}")


@pytest.fixture
def copy(tmp_path):
    """The package alone, so that pip builds it outside of the working tree."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in PACKAGE:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    return folder


@pytest.mark.long
@pytest.mark.usefixtures("index")
def test_what_the_package_needs_is_met_by_what_colab_has(copy):
    # pip fails if a constraint would have to give way.
    found = would_install("--constraint", COLAB, copy)
    assert found["tensorflow"] == "2.20.0" and found["vae-helpers"]


@pytest.mark.long
@pytest.mark.usefixtures("index")
def test_the_whole_course_can_be_installed_beside_what_colab_has(tmp_path):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (tmp_path / "requirements.txt").write_text("\n".join(line for line in lines if line != "-e ."), encoding="utf-8")
    found = would_install("--constraint", COLAB, "--requirement", tmp_path / "requirements.txt")
    assert found["tensorflow-probability"] == "0.25.0" and found["nbval"]


def files(folder):
    return {path.relative_to(folder) for path in folder.rglob("*.*") if path.suffix != ".pyc"}


ON_COLAB = """
import subprocess, sys
original = subprocess.run
subprocess.run = lambda command, **options: original([*command, "--target", sys.argv[1]], **options)
sys.modules["google.colab"] = sys
"""


def git(folder, *arguments):
    identity = ["-c", "user.name=course", "-c", "user.email=course@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.usefixtures("index")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_setup_cell_installs_a_package_that_can_be_imported_and_nothing_else(copy, tmp_path):
    """The cell as it is, but git takes the repository from a folder, and pip installs into an empty one."""
    name, branch = build.repository()
    git(copy, "init", "--initial-branch", branch)
    git(copy, "add", ".")
    git(copy, "commit", "--message", "the package")
    redirect = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{copy.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{name}",
    }
    target = tmp_path / "installed"
    done = run("-c", ON_COLAB + setup_cell(build.SOURCES[0]), target, **redirect)
    assert done.returncode == 0, done.stderr
    assert {path.name.partition("-")[0] for path in target.iterdir()} == {"vae_helpers"}
    assert files(target / "vae_helpers") == files(copy / "vae_helpers")

    use = "import vae_helpers as vh, matplotlib.pyplot as plt; plt.style.use('vae_helpers.course'); print(vh.__file__)"
    done = run("-c", use, cwd=tmp_path, PYTHONPATH=str(target))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == target / "vae_helpers"


# Without TensorFlow Probability


@pytest.fixture
def no_probability(monkeypatch, request):
    """TensorFlow Probability is missing, or raises one thing or another where it is used."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorflow_probability"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_probability", request.param)


class Lazy(types.ModuleType):
    """A library that loads its parts at their first use, as the real one does."""

    def __init__(self, problem):
        super().__init__("tensorflow_probability")
        self.problem = problem

    def __getattr__(self, name):
        raise self.problem


SERIES = ".".join(tf.__version__.split(".")[:2])
INSTALL = f'pip install tensorflow-probability "tf-keras=={SERIES}.*"'
MISSING = None  # for Python's import
WITHOUT_KERAS_2 = Lazy(ModuleNotFoundError("No module named 'tf_keras'", name="tf_keras"))
TOO_OLD = Lazy(ImportError("requires TensorFlow version >= 9\nand more"))
BROKEN = Lazy(AttributeError("module 'tensorflow' has no attribute 'old'"))
EMPTY = types.ModuleType("tensorflow_probability")
without = pytest.mark.parametrize(
    "no_probability, reason",
    [
        (MISSING, f"tensorflow_probability is not installed: {INSTALL}"),
        (WITHOUT_KERAS_2, f"tf_keras is not installed: {INSTALL}"),
        (TOO_OLD, "does not work here (ImportError: requires TensorFlow version >= 9). The versions in requirements"),
        (BROKEN, "does not work here (AttributeError: module 'tensorflow' has no attribute 'old')."),
        (EMPTY, "does not work here (AttributeError: "),
    ],
    indirect=["no_probability"],
    ids=["missing", "without tf-keras", "too old", "broken", "empty"],
)


@without
@pytest.mark.usefixtures("no_probability")
def test_a_lesson_says_in_one_line_what_it_leaves_out(reason, capsys):
    assert vh.tensorflow_probability(left_out="formula minus library") is None
    line = capsys.readouterr().out
    assert line.startswith("left out: formula minus library. ") and reason in line and line.count("\n") == 1


@without
@pytest.mark.usefixtures("no_probability")
def test_where_it_is_needed_the_error_says_what_to_install(reason):
    with pytest.raises(ImportError, match=r"^this needs TensorFlow Probability\. ") as raised:
        vh.tensorflow_probability()
    assert reason in str(raised.value)


def test_where_it_works_it_is_the_library_and_nothing_is_said(capsys):
    real = pytest.importorskip("tensorflow_probability", reason="TensorFlow Probability is not installed")
    assert vh.tensorflow_probability() is vh.tensorflow_probability(left_out="a check") is real
    assert capsys.readouterr().out == ""

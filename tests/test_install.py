"""Where the course lives, installing on Colab, and doing without TensorFlow Probability."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
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
each_edition = pytest.mark.parametrize("solved", [False, True], ids=["for students", "solved"])


# Where the course lives: [project.urls]

SOMEWHERE = ("a/b", "v1")
COMMIT = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
COLAB_LINK = re.compile(r"colab\.research\.google\.com/github/([^/]+/[^/]+)/blob/(.+?)/(notebooks/[^)\s\"]+)")
FILE_LINK = re.compile(r"(?:raw\.githubusercontent|//github)\.com/([^/]+/[^/]+)/(?:(?:blob|tree|raw)/)([^/)\s\"]+)")
PIP_LINK = re.compile(r"git\+https://github\.com/([^@]+)@([^\"]+)")


def addresses(text):
    """Every (owner/name, tag) that a text names in a Colab link, in a link to a file on GitHub, or to pip."""
    return [match[:2] for pattern in (COLAB_LINK, FILE_LINK, PIP_LINK) for match in pattern.findall(text)]


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


@pytest.mark.parametrize(
    "text",
    [
        "[badge](https://colab.research.google.com/github/a/b/blob/v1/notebooks/01.ipynb)",
        "see https://github.com/a/b/tree/v1 and read",
        '<img src="https://github.com/a/b/raw/v1/x.png">',
        'run_line_magic("pip", "install git+https://github.com/a/b@v1")',
    ],
)
def test_an_address_is_found(text):
    assert addresses(text) == [SOMEWHERE]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A function that writes an address into a pyproject.toml, and gives what build.py reads there."""

    def read(address):
        (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{address}"\n', encoding="utf-8")
        monkeypatch.setattr(build, "NOTEBOOKS", tmp_path / "notebooks")
        return build.repository()

    return read


@pytest.mark.parametrize(
    "address, found",
    [
        ("https://vae-course.invalid/", None),
        ("https://github.com/a/b/tree/v1", ("a/b", "v1")),
        ("https://github.com/a-1/b.c/tree/2027.1", ("a-1/b.c", "2027.1")),
        (f"https://github.com/a/b/tree/{COMMIT}", ("a/b", COMMIT)),
    ],
)
def test_a_placeholder_a_tag_and_a_commit_are_understood(address, found, repository):
    assert repository(address) == found


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/a/b",
        "https://github.com/a/b/tree/main",
        "https://github.com/a/b/tree/v1/notebooks",
        "https://github.com/a/tree/v1",
        "https://example.org/a/b/tree/v1",
        "https://vae-course.invalid.example.org/",
        "",
    ],
)
def test_an_address_that_is_no_tag_or_commit_on_github_is_refused(address, repository):
    with pytest.raises(SystemExit, match=r"Write https://github\.com/OWNER/NAME/tree/TAG"):
        repository(address)


@each_lesson
@each_edition
def test_a_built_lesson_names_no_other_address_than_the_projects(source, solved):
    built = nbformat.read(build.target_of(source, solved), as_version=4)
    known = build.repository()
    assert addresses(text_of(built)) == ([known] * 2 if known else []), "run python notebooks/build.py --text"


@pytest.mark.parametrize("page", ["README.md", "notebooks/teaching/TEACHING.md", "benchmarks/README.md"])
def test_the_links_of_a_page_to_files_on_github_are_to_this_repository(page):
    assert set(addresses((ROOT / page).read_text(encoding="utf-8"))) <= {build.repository()}


def test_one_command_writes_a_new_address_into_both_editions_and_runs_nothing(tmp_path, monkeypatch):
    source, notebooks = build.SOURCES[0], tmp_path / "notebooks"
    (notebooks / "source").mkdir(parents=True)
    (notebooks / "solutions").mkdir()
    shutil.copy(source, notebooks / "source")
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(ROOT / "notebooks" / "teaching", notebooks / "teaching")
    for solved in (False, True):
        shutil.copy(build.target_of(source, solved), notebooks / ("solutions" if solved else ""))
    monkeypatch.setattr(build, "NOTEBOOKS", notebooks)
    monkeypatch.setattr(build, "SOURCES", [notebooks / "source" / source.name])
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("a cell was run"))

    def editions():
        return [nbformat.read(build.target_of(source, solved), as_version=4) for solved in (False, True)]

    def outputs():
        return [[cell.get("outputs") for cell in edition.cells] for edition in editions()]

    before = outputs()
    for address, found in [("https://github.com/a/b/tree/v1", [SOMEWHERE] * 2), ("https://vae-course.invalid/", [])]:
        (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{address}"\n', encoding="utf-8")
        build.main(["--text"])
        assert [addresses(text_of(edition)) for edition in editions()] == [found] * 2
        assert outputs() == before


# The badge and the setup cell


@pytest.fixture(params=[None, SOMEWHERE], ids=["placeholder", "address"])
def where(request, monkeypatch):
    """The lessons as they are with a placeholder, and with an address."""
    monkeypatch.setattr(build, "repository", lambda: request.param)
    return request.param


@pytest.fixture
def with_address(monkeypatch):
    monkeypatch.setattr(build, "repository", lambda: SOMEWHERE)


@pytest.fixture
def without_package(monkeypatch):
    """Python does not find the package."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "vae_helpers" else find(name))


@pytest.fixture
def on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


def setup_code(source):
    return build.setup_cell(build.convert(source)).source


@pytest.fixture
def run_setup(capsys):
    """A function that runs the setup cell of a lesson. Returns what it gives to %pip, and what it prints."""

    def run_it(source):
        given = []
        shell = types.SimpleNamespace(run_line_magic=lambda magic, line: given.append((magic, line)))
        exec(setup_code(source), {"get_ipython": lambda: shell})
        return given, capsys.readouterr().out

    return run_it


@each_lesson
def test_with_a_placeholder_there_is_no_badge_and_no_install(source, monkeypatch):
    monkeypatch.setattr(build, "repository", lambda: None)
    text = text_of(build.convert(source))
    assert addresses(text) == [] and not re.search(
        r"colab-badge|pip install (?!-r requirements)|\{\{re|\{\{br|invalid/", text
    )


@each_lesson
@each_edition
@pytest.mark.usefixtures("with_address")
def test_with_an_address_the_badge_opens_the_lesson_at_the_tag_that_is_installed(source, solved):
    notebook = build.convert(source, solved)
    assert addresses(text_of(notebook)) == [SOMEWHERE] * 2
    title, _, badge = notebook.cells[0].source.splitlines()[:3]
    assert title.startswith("# ") and badge.startswith("[![Open In Colab]")
    assert COLAB_LINK.search(badge)[3] == f"notebooks/{source.stem}.ipynb"


@each_lesson
@pytest.mark.usefixtures("where")
def test_the_setup_cell_is_short_and_the_same_in_all_lessons(source):
    code = build.setup_cell(build.convert(source)).source
    assert code == build.setup_cell(build.convert(build.SOURCES[0])).source
    assert len([line for line in code.splitlines() if line and not line.startswith("#")]) <= 6
    assert max(map(len, code.splitlines())) <= 160


@each_lesson
@pytest.mark.usefixtures("where", "on_colab")
def test_the_setup_cell_does_nothing_where_the_package_is(source, run_setup):
    assert run_setup(source) == ([], "")


@each_lesson
@pytest.mark.usefixtures("where", "without_package")
def test_the_setup_cell_says_in_one_line_what_to_do_where_the_package_is_missing(source, run_setup):
    given, said = run_setup(source)
    assert given == [] and said.count("\n") == 1
    assert "needs the package vae_helpers" in said and "one-file edition" in said
    assert "`pip install -r requirements.txt`" in said


@pytest.mark.usefixtures("on_colab", "without_package")
def test_on_colab_the_setup_cell_installs_the_package_alone_from_its_address_only(where, run_setup):
    given, said = run_setup(build.SOURCES[0])
    if where is None:
        assert given == [] and "needs the package" in said
    else:
        assert given == [("pip", "install -q --no-deps git+https://github.com/a/b@v1")] and said == ""


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
import shlex, subprocess, sys, types

def pip(magic, line):
    command = [sys.executable, "-m", magic, *shlex.split(line), "--target", sys.argv[1]]
    subprocess.run(command, check=True)

get_ipython = lambda: types.SimpleNamespace(run_line_magic=pip)
sys.modules["google.colab"] = sys
"""


def git(folder, *arguments):
    identity = ["-c", "user.name=course", "-c", "user.email=course@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.mark.usefixtures("index")
@pytest.mark.usefixtures("with_address")
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_setup_cell_installs_a_package_that_can_be_imported_and_nothing_else(copy, tmp_path):
    """The cell as it is, but git takes the repository from a folder, and pip installs into an empty one."""
    name, tag = SOMEWHERE
    git(copy, "init")
    git(copy, "add", ".")
    git(copy, "commit", "--message", "the package")
    git(copy, "tag", tag)
    redirect = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{copy.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{name}",
    }
    target = tmp_path / "installed"
    hidden = {"PYTHONPATH": str(ROOT / "tests" / "without_package")}
    done = run("-c", ON_COLAB + setup_code(build.SOURCES[0]), target, cwd=tmp_path, **redirect, **hidden)
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

"""The one-file edition: a lesson that carries the package with it."""

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_PACKAGE = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "without_package")}

spec = importlib.util.spec_from_file_location("bundle", ROOT / "notebooks" / "bundle.py")
bundle = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bundle)
each_lesson = pytest.mark.parametrize("lesson", bundle.LESSONS, ids=[lesson.stem for lesson in bundle.LESSONS])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def run(code, folder):
    """What a Python that does not have the package prints, started in a folder."""
    options = {"input": code, "capture_output": True, "text": True, "cwd": folder, "env": WITHOUT_PACKAGE}
    done = subprocess.run([sys.executable, "-"], **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@each_lesson
def test_only_the_first_text_and_the_setup_cell_differ_from_the_built_lesson(lesson):
    made, built = bundle.bundle(lesson), nbformat.read(lesson, as_version=4)
    setup = code_cells(made)[0]
    rest = [(cell, other) for cell, other in zip(made.cells, built.cells) if cell is not setup][1:]
    assert len(made.cells) == len(built.cells) == len(rest) + 2
    assert all(cell == other for cell, other in rest)
    assert made.cells[0].source.startswith(built.cells[0].source.partition("\n")[0])
    assert "one-file edition" in made.cells[0].source and "colab-badge" not in made.cells[0].source
    nbformat.validate(made)


@each_lesson
def test_the_cell_with_the_package_is_folded_and_installs_nothing(lesson):
    setup = code_cells(bundle.bundle(lesson))[0]
    assert setup.source.startswith("#@title ") and setup.metadata["cellView"] == "form"  # Colab
    assert setup.metadata["jupyter"] == {"source_hidden": True}  # JupyterLab
    assert setup.metadata["_kg_hide-input"]  # Kaggle
    assert "pip" not in setup.source.replace("\n", " ").split() and "://" not in setup.source
    assert max(map(len, setup.source.split("\n"))) <= bundle.LINE


@each_lesson
def test_large_weights_go_along_only_with_the_lesson_that_looks_at_them(lesson):
    made = bundle.bundle(lesson)
    looks_at_them = any("burda_k" in cell.source for cell in code_cells(made))
    assert ("which make the file large" in made.cells[0].source) == looks_at_them
    assert looks_at_them == (lesson.stem[:2] == "07")
    limit = 6e6 if looks_at_them else 2.5e6
    assert len(nbformat.writes(made)) < limit


def test_the_same_lesson_gives_the_same_file():
    assert bundle.bundle(bundle.LESSONS[0]) == bundle.bundle(bundle.LESSONS[0])


def test_the_package_is_not_found_where_these_lessons_run(tmp_path):
    # Otherwise the tests below would prove nothing.
    code = "from importlib.util import find_spec; print([bool(find_spec(name)) for name in ('vae_helpers', 'keras')])"
    assert run(code, tmp_path) == "[False, True]\n"


FIND = """
from importlib.util import find_spec
import subprocess
child = [sys.executable, "-c", "from importlib.util import find_spec; print(find_spec('vae_helpers').origin)"]
print(find_spec("vae_helpers").origin, subprocess.run(child, capture_output=True, text=True).stdout.strip(), sep="\\n")
"""


def test_the_cell_unpacks_the_whole_package_for_this_process_and_its_children(tmp_path):
    lesson = next(lesson for lesson in bundle.LESSONS if lesson.stem.startswith("07"))
    own, child = map(Path, run(code_cells(bundle.bundle(lesson))[0].source + FIND, tmp_path).split())
    assert own == child and own.is_relative_to(tempfile.gettempdir()) and not own.is_relative_to(ROOT)
    package = ROOT / "vae_helpers"
    expected = {path.relative_to(package): path.read_bytes() for path in package.rglob("*.*") if path.suffix != ".pyc"}
    unpacked = {path.relative_to(own.parent): path.read_bytes() for path in own.parent.rglob("*.*")}
    assert unpacked == expected
    assert (own.parent / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert list(tmp_path.iterdir()) == []


ORIGIN = """
import sys
print(*sorted({module.__file__ for name, module in sys.modules.items() if name.startswith("vae_helpers")}), sep="\\n")
"""


def versions():
    importlib.invalidate_caches()
    return sorted((one.name, one.version) for one in importlib.metadata.distributions())


def runs_in_an_empty_folder(lesson, folder, whole=True):
    """A lesson in one file, on the quick profile: the package comes from it, the checks work, nothing is installed.

    whole: False for the cells that bring the package, and the exercises, alone.
    """
    bundle.main([lesson.stem, "--to", str(folder)])
    notebook = nbformat.read(folder / lesson.name, as_version=4)
    if not whole:
        needed = re.compile(r"vae_helpers|vh\.check\.")
        notebook.cells = [cell for cell in code_cells(notebook) if needed.search(cell.source)]
    cells = code_cells(notebook)
    exercises = [cell for cell in cells if "vh.check." in cell.source]
    for cell in cells:
        cell.outputs = []
    notebook.cells.append(nbformat.v4.new_code_cell(ORIGIN))
    before = versions()
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(env=WITHOUT_PACKAGE)
    assert versions() == before
    (output,) = notebook.cells[-1].outputs
    origins = [Path(line) for line in output.text.split()]
    (root,) = {origin.relative_to(tempfile.gettempdir()).parts[0] for origin in origins}
    assert root.startswith("vae_helpers-") and len(origins) > 10
    for cell in exercises:
        assert " · not yet" in "".join(output.get("text", "") for output in cell.outputs), cell.source
    assert exercises


def test_the_exercises_of_a_lesson_in_one_file_run_where_the_package_is_not_installed(tmp_path):
    runs_in_an_empty_folder(bundle.LESSONS[0], tmp_path, whole=False)


@pytest.mark.long
@each_lesson
def test_every_lesson_in_one_file_does_too(lesson, tmp_path):
    runs_in_an_empty_folder(lesson, tmp_path)


def test_the_command_writes_the_lessons_that_are_asked_for(tmp_path, capsys):
    bundle.main(["01", "03", "--to", str(tmp_path / "made")])
    written = {path.name[:2] for path in (tmp_path / "made").iterdir()}
    assert written == {"01", "03"} and capsys.readouterr().out.count(" MB\n") == 2


def test_a_lesson_that_does_not_exist_is_refused_before_anything_is_written(tmp_path, capsys):
    with pytest.raises(SystemExit):
        bundle.main(["77", "--to", str(tmp_path / "made")])
    assert "no lesson starts with 77; there are 01_autoencoder, " in capsys.readouterr().err
    assert not (tmp_path / "made").exists()

"""What holds the project together: requirements, built notebooks, public names."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vae_helpers as vh

ROOT = Path(__file__).resolve().parents[1]


def load_build():
    spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()
LESSONS = sorted((ROOT / "notebooks" / "source").glob("[0-9]*.py"))
each_lesson = pytest.mark.parametrize("source", LESSONS, ids=[source.stem for source in LESSONS])


# Requirements


def parsed(lines):
    """({name: bounds}, {what is installed as `-e`})."""
    lines = [line.split("#")[0].strip() for line in lines]
    editable = {line.removeprefix("-e").strip() for line in lines if line.startswith("-e")}
    requirements = [Requirement(line) for line in lines if line and not line.startswith("-")]
    bounds = {canonicalize_name(one.name): one.specifier for one in requirements}
    assert len(bounds) == len(requirements)  # nothing is named twice
    return bounds, editable


@pytest.fixture(scope="module")
def requirements():
    return parsed((ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="module")
def conda():
    """(from conda's own channels, through pip)."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    return parsed([entry for entry in entries if isinstance(entry, str)])[0], parsed(pip)


@pytest.fixture(scope="module")
def project():
    return build.tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_conda_and_pip_install_the_same_set_with_the_same_bounds(requirements, conda):
    own, (through_pip, editable) = conda
    named = {**{name: bounds for name, bounds in own.items() if name not in ("python", "pip")}, **through_pip}
    assert (named, editable) == requirements


def test_both_install_the_package_itself(requirements):
    assert requirements[1] == {"."}


def test_conda_and_the_package_agree_on_python(conda, project):
    floor = Requirement(f"python{project['requires-python']}").specifier
    assert set(floor) <= set(conda[0]["python"])


def test_what_the_package_needs_is_required(requirements, project):
    needed = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert needed and needed <= set(requirements[0])


def test_every_requirement_has_a_floor_and_a_ceiling(requirements):
    for name, specifier in requirements[0].items():
        assert {one.operator for one in specifier} == {">=", "<"}, name


# Lessons


def notebook(source):
    return nbformat.read(ROOT / "notebooks" / f"{source.stem}.ipynb", as_version=4)


def code_cells(source):
    return [cell for cell in notebook(source).cells if cell.cell_type == "code"]


def comparable(cell):
    return cell.cell_type, cell.source, cell.metadata.get("tags", []), cell.id


def test_there_are_lessons_and_each_notebook_has_a_source():
    built = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert LESSONS and built == {source.stem for source in LESSONS}


@each_lesson
def test_a_built_notebook_equals_its_source(source):
    built, expected = ([comparable(cell) for cell in one.cells] for one in (notebook(source), build.convert(source)))
    stale = [cell[1].partition("\n")[0] for cell in expected if cell not in built]
    assert not stale, f"not in the notebook; run python notebooks/build.py {source.stem}"
    assert built == expected


def test_new_text_keeps_the_outputs_of_unchanged_code():
    built, new = notebook(LESSONS[0]), build.convert(LESSONS[0])
    new.cells[0].source = "new text"
    build.keep_outputs(new, built)
    assert [cell.get("outputs") for cell in new.cells] == [cell.get("outputs") for cell in built.cells]


def test_changed_code_must_run_again():
    built, new = notebook(LESSONS[0]), build.convert(LESSONS[0])
    next(cell for cell in new.cells if cell.cell_type == "code").source += "\nprint()"
    with pytest.raises(SystemExit, match="without --text"):
        build.keep_outputs(new, built)


@each_lesson
def test_a_built_notebook_ran_on_the_full_profile_with_the_data_it_asks_for(source):
    text = "".join(output.get("text", "") for cell in code_cells(source) for output in cell.outputs)
    assert "full profile" in text and "(NOT " not in text


@each_lesson
def test_every_cell_of_a_built_notebook_has_run(source):
    # nbval never compares a cell whose execution_count is null.
    assert all(cell.execution_count is not None for cell in code_cells(source))


@each_lesson
def test_the_cells_of_a_built_notebook_ran_once_and_in_order(source):
    assert [cell.execution_count for cell in code_cells(source)] == list(range(1, len(code_cells(source)) + 1))


@each_lesson
def test_a_built_notebook_holds_no_widgets(source):
    # GitHub refuses to draw a notebook that does.
    assert "widgets" not in notebook(source).metadata


@each_lesson
def test_a_built_notebook_holds_no_errors_and_no_stderr(source):
    for output in (output for cell in code_cells(source) for output in cell.outputs):
        assert output.output_type != "error" and output.get("name") != "stderr"


@each_lesson
def test_a_built_notebook_is_small(source):
    assert (ROOT / "notebooks" / f"{source.stem}.ipynb").stat().st_size < 2_000_000


@each_lesson
def test_a_lesson_has_cells_whose_output_is_compared(source):
    checked = [cell for cell in code_cells(source) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert checked and all(cell.outputs for cell in checked)


@each_lesson
@pytest.mark.parametrize("words", ["if quick", "VAE_HELPERS_PROFILE"])
def test_a_lesson_leaves_the_profile_to_the_package(source, words):
    assert words not in source.read_text(encoding="utf-8")


def test_everything_the_readme_links_to_is_here():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links and [link for link in links if not (ROOT / link).exists()] == []


# Public names


def test_all_public_names_exist_and_are_documented():
    for name in vh.__all__:
        assert getattr(vh, name).__doc__, name


def test_public_names_are_sorted():
    def order(name):
        return not name.isupper(), not name[0].isupper(), name  # as ruff sorts: VAE, then Autoencoder, then functions

    assert vh.__all__ == sorted(set(vh.__all__), key=order)

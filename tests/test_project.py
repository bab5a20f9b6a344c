"""What holds the project together: requirements, built notebooks, public names."""

import base64
import importlib.util
import io
import re
import symtable
import types
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import yaml
from nbval.plugin import coalesce_streams
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from PIL import Image
from sklearn.metrics import pairwise_distances_argmin_min

import vae_helpers as vh

ROOT = Path(__file__).resolve().parents[1]


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load("build", ROOT / "notebooks" / "build.py")
LESSONS = sorted((ROOT / "notebooks" / "source").glob("[0-9]*.py"))
each_lesson = pytest.mark.parametrize("source", LESSONS, ids=[source.stem for source in LESSONS])
each_edition = pytest.mark.parametrize("solved", [False, True], ids=["for students", "solved"])


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


# Sets of versions, tests/versions/*.txt


def pins(name):
    """{package: version} of one set."""
    bounds, _ = parsed((ROOT / "tests" / "versions" / f"{name}.txt").read_text(encoding="utf-8").splitlines())
    return {package: Version(str(specifier).removeprefix("==")) for package, specifier in bounds.items()}


@pytest.mark.parametrize("name", ["oldest", "colab", "classroom"])
def test_the_requirements_admit_the_set(name, requirements):
    versions = pins(name)
    for package in set(versions) & set(requirements[0]):
        assert versions[package] in requirements[0][package], package


def test_the_oldest_set_stands_on_the_floors(requirements):
    versions = pins("oldest")
    for package, bounds in requirements[0].items():
        (floor,) = (one.version for one in bounds if one.operator == ">=")
        assert versions[package] in SpecifierSet(f"=={floor}.*"), package


def test_the_classroom_set_pins_all_that_is_required_and_what_that_requires(requirements):
    versions = pins("classroom")
    assert set(requirements[0]) <= set(versions)
    assert {"scipy", "pillow", "h5py", "ipykernel", "nbconvert"} <= set(versions)
    assert not {"vae-helpers", "ruff", "playwright"} & set(versions)


def test_the_colab_set_holds_what_the_package_needs_and_colab_has(project):
    needed = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert needed - set(pins("colab")) == {"scikit-learn"}  # its version there is not known here


# The public CI


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))


def test_the_workflow_may_read_only_and_ends(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 60 and "permissions" not in job for job in workflow["jobs"].values())


def test_the_workflow_runs_each_week(workflow):
    (schedule,) = workflow[True]["schedule"]  # YAML reads the key `on` as true
    assert schedule["cron"].split()[2:] == ["*", "*", "1"]


def test_the_actions_are_pinned_by_commit():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    for action in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_workflow_covers_each_python_and_each_set(workflow, conda):
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    allowed = [f"3.{minor}" for minor in range(20) if f"3.{minor}" in conda[0]["python"]]
    assert matrix["python"] == allowed
    sets = {path.stem for path in (ROOT / "tests" / "versions").glob("*.txt")}
    assert {row["set"] for row in matrix["include"]} == sets


def test_the_workflow_finds_the_test_command_of_the_readme(workflow):
    script = workflow["jobs"]["test"]["steps"][-1]["run"]
    start, end = re.search(r"'/(.*?)/,/(.*?)/p'", script).groups()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(f"{start}.*?{end}", readme, re.DOTALL | re.MULTILINE)[0]
    assert [line for line in block.splitlines() if line.startswith("pip install")] == [
        "pip install -r requirements.txt && pytest"
    ]


# Lessons


def notebook(source, solved=False):
    return nbformat.read(build.target_of(source, solved), as_version=4)


def code_cells(source, solved=False):
    return [cell for cell in notebook(source, solved).cells if cell.cell_type == "code"]


def exercises(source, solved=False):
    return [cell for cell in code_cells(source, solved) if build.is_exercise(cell)]


def comparable(cell):
    return cell.cell_type, cell.source, cell.metadata.get("tags", []), cell.metadata.get("alt"), cell.id


@pytest.mark.parametrize("folder", ["notebooks", "notebooks/solutions"])
def test_there_are_lessons_and_each_notebook_has_a_source(folder):
    built = {path.stem for path in (ROOT / folder).glob("*.ipynb")}
    assert LESSONS and built == {source.stem for source in LESSONS}


@each_lesson
@each_edition
def test_a_built_notebook_equals_its_source(source, solved):
    editions = notebook(source, solved), build.convert(source, solved)
    built, expected = ([comparable(cell) for cell in one.cells] for one in editions)
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
    [cell for cell in new.cells if cell.cell_type == "code"][1].source += "\nprint()"
    with pytest.raises(SystemExit, match="without --text"):
        build.keep_outputs(new, built)


# Both editions in one kernel: the conftest.py beside pyproject.toml


@pytest.fixture(scope="module")
def in_one_run():
    return load("root_conftest", ROOT / "conftest.py").in_one_run


def as_tests(*cells):
    """What nbval makes of cells: objects with a `cell`. cells: (source, tags)."""
    made = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source, *tags in cells]
    return [types.SimpleNamespace(cell=cell) for cell in made]


def test_a_solution_runs_before_its_empty_exercise_and_a_guard_where_it_stands(in_one_run):
    students = as_tests(("a",), ("... vh.check.f(f)",), ("b",))
    solved = as_tests(("a",), ("g", "guard"), ("f = 1; vh.check.f(f)",), ("b",), ("h", "guard"))
    order = in_one_run(students, solved)
    assert order == [students[0], solved[1], solved[2], students[1], students[2], solved[4]]


@pytest.mark.parametrize("students, solved", [(["a"], ["a", "b"]), (["a", "b"], ["a"]), (["a", "b"], ["a", "c"])])
def test_editions_that_are_not_of_one_source_are_refused(in_one_run, students, solved):
    with pytest.raises(ValueError, match="build the lesson again"):
        in_one_run(as_tests(*[(one,) for one in students]), as_tests(*[(one,) for one in solved]))


@each_lesson
def test_one_run_holds_each_cell_of_both_editions_once(source, in_one_run):
    students, solved = (
        [types.SimpleNamespace(cell=cell) for cell in code_cells(source, edition)] for edition in (False, True)
    )
    order = in_one_run(students, solved)
    assert [one for one in order if one in students] == students
    run = [one.cell.source for one in order]
    assert len(run) == len(students) + len(exercises(source)) + len(solved) - len(students)
    assert {one.cell.source for one in solved} <= set(run)


@each_lesson
def test_both_editions_store_the_same_outputs_where_they_are_compared(source):
    # Only those of the students' edition are compared again.
    def stored(solved):
        cells = [cell for cell in code_cells(source, solved) if not build.is_exercise(cell)]
        compared = [cell for cell in cells if "nbval-check-output" in cell.metadata.get("tags", [])]
        return {cell.id: coalesce_streams(cell.outputs) for cell in compared}

    assert stored(True) == stored(False)


@each_lesson
def test_an_empty_exercise_binds_the_names_of_its_solution(source):
    # Otherwise a later cell might need what only the solved edition has, and the one run would not find it.
    def names(cell):
        table = symtable.symtable(cell.source, "a cell", "exec")
        return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}

    pairs = zip(exercises(source), exercises(source, solved=True), strict=True)
    assert all(names(empty) == names(solved) for empty, solved in pairs)


# Lessons as they are built


@each_lesson
def test_a_built_notebook_ran_on_the_full_profile_with_the_data_it_asks_for(source):
    text = "".join(output.get("text", "") for cell in code_cells(source) for output in cell.outputs)
    assert "full profile" in text and "(NOT " not in text


@each_lesson
@each_edition
def test_the_cells_of_a_built_notebook_ran_once_and_in_order(source, solved):
    # nbval never compares a cell whose execution_count is null.
    counts = [cell.execution_count for cell in code_cells(source, solved)]
    assert counts == list(range(1, len(counts) + 1))


@each_lesson
def test_a_built_notebook_holds_no_widgets(source):
    # GitHub refuses to draw a notebook that does.
    assert "widgets" not in notebook(source).metadata


@each_lesson
def test_a_built_notebook_holds_no_errors_and_no_stderr(source):
    for output in (output for cell in code_cells(source) for output in cell.outputs):
        assert output.output_type != "error" and output.get("name") != "stderr"


@each_lesson
@pytest.mark.parametrize("solved, limit", [(False, 2_000_000), (True, 150_000)])
def test_a_built_notebook_is_small(source, solved, limit):
    assert build.target_of(source, solved).stat().st_size < limit


@each_lesson
def test_the_pictures_of_a_built_notebook_are_light(source):
    outputs = [output.get("data", {}) for cell in code_cells(source) for output in cell.outputs]
    pictures = [data["image/png"] for data in outputs if "image/png" in data]
    assert pictures
    for picture in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(picture))).mode == "P"


@pytest.fixture(scope="module")
def map_of_ten_classes():
    """The PNG of a map with ten classes, 3,000 half transparent dots, beside a picture of many other colours."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 3000)
    codes = 2.5 * rng.normal(size=(10, 2))[labels] + rng.normal(size=(3000, 2))
    file = io.BytesIO()
    with plt.style.context("vae_helpers.course"):
        figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5))
        vh.plot_latent_scatter(codes, labels, list("0123456789"), ax=left)
        right.imshow(rng.random((40, 40)), cmap="viridis")
        figure.savefig(file, format="png", bbox_inches="tight")
    plt.close(figure)
    return file.getvalue()


def pixels(png):
    """(number of pixels, 3), 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3).astype(int)


def test_the_colours_of_classes_are_exact_in_a_stored_picture(map_of_ten_classes):
    light = build.lighter(map_of_ten_classes)
    assert Image.open(io.BytesIO(light)).mode == "P" and len(light) < 0.5 * len(map_of_ten_classes)
    full, stored = pixels(map_of_ten_classes), pixels(light)
    for colour in build.class_colours():
        there = (full == colour).all(axis=1)
        assert there.sum() > 15  # in the legend at least
        assert (stored[there] == colour).all()


def test_a_dot_keeps_its_class_in_a_stored_picture(map_of_ten_classes):
    # Of a dot of one class, alone on white, every pixel lies between white and the colour of the class.
    ramps = 255 + np.linspace(0.45, 1, 23)[:, None, None] * (build.class_colours() - 255)  # (steps, classes, 3)
    full, stored = pixels(map_of_ten_classes), pixels(build.lighter(map_of_ten_classes))

    def distances(colours):
        """To the nearest colour of each class, (pixels, classes)."""
        return np.stack([pairwise_distances_argmin_min(colours, ramps[:, i])[1] for i in range(10)], axis=1)

    of_one_class = distances(full)
    sure = (np.sort(of_one_class, axis=1)[:, 0] < 2) & (np.sort(of_one_class, axis=1)[:, 1] > 12)
    before, after = of_one_class[sure].argmin(axis=1), distances(stored[sure]).argmin(axis=1)
    assert np.bincount(before, minlength=10).min() > 30
    assert np.mean(before == after) > 0.995


def test_a_picture_of_few_colours_is_stored_unchanged():
    picture = np.repeat(np.arange(256, dtype="uint8").reshape(16, 16, 1), 3, axis=2)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png")
    assert (pixels(build.lighter(file.getvalue())) == picture.reshape(-1, 3)).all()


def test_of_what_is_alive_only_the_text_is_stored():
    # GitHub shows neither JavaScript nor frames.
    cells = [cell for source in LESSONS for cell in code_cells(source) if "live" in cell.metadata.get("tags", [])]
    assert len(cells) >= 3
    for cell in cells:
        assert {kind for output in cell.outputs for kind in output.get("data", {})} == {"text/plain"}


@each_lesson
def test_the_solved_edition_holds_no_pictures(source):
    assert not any("data" in output for cell in code_cells(source, solved=True) for output in cell.outputs)


@each_lesson
def test_a_lesson_has_cells_whose_output_is_compared(source):
    checked = [cell for cell in code_cells(source) if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert checked and all(cell.outputs for cell in checked)


@each_lesson
@pytest.mark.parametrize("words", ["if quick", "VAE_HELPERS_PROFILE"])
def test_a_lesson_leaves_the_profile_to_the_package(source, words):
    assert words not in source.read_text(encoding="utf-8")


@each_lesson
def test_a_lesson_imports_tensorflow_probability_through_the_package(source):
    # So that it runs where there is none, and says what it leaves out.
    text = source.read_text(encoding="utf-8")
    assert "import tensorflow_probability" not in text and "from tensorflow_probability" not in text
    asked = re.findall(r"vh\.tensorflow_probability\((.*?)\)", text)
    assert all("left_out=" in arguments for arguments in asked)


@pytest.mark.parametrize("page", ["README.md", "notebooks/teaching/TEACHING.md"])
def test_everything_a_page_links_to_is_here(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r'src="([^":]+)"', text)
    assert links and [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


# Exercises


@each_lesson
@pytest.mark.parametrize("solved, verdict", [(False, "not yet"), (True, "right")])
def test_every_check_says_what_it_should_in_this_edition(source, solved, verdict):
    # nbval runs these cells again and compares.
    for cell in exercises(source, solved):
        assert f" · {verdict}" in cell.outputs[0].text
        assert "nbval-check-output" in cell.metadata.tags


@each_lesson
def test_a_lesson_has_three_to_six_exercises(source):
    headings = re.findall(r"^# #+ Exercise (\d+\.\d) · ", source.read_text(encoding="utf-8"), re.MULTILINE)
    # Sorted, because those of the side roads stand last.
    assert sorted(headings) == [f"{int(source.stem[:2])}.{i + 1}" for i in range(len(headings))]
    assert 3 <= len(headings) <= 6
    assert 3 <= len(exercises(source)) < len(headings)  # at least one asks to change something and explain


@each_lesson
def test_a_lesson_asks_for_predictions(source):
    text = source.read_text(encoding="utf-8")
    assert text.count("<details>") == text.count("</details>")
    assert text.count("**Predict.**") >= 2


def test_every_check_has_its_exercise():
    used = [build.re.findall(r"vh\.check\.(\w+)", cell.source) for source in LESSONS for cell in exercises(source)]
    assert sorted(name for names in used for name in names) == vh.check.__all__


@each_lesson
def test_no_solution_is_left_in_the_edition_for_students(source):
    text = source.read_text(encoding="utf-8")
    solutions = [match[0].splitlines()[1:-1] for match in build.SOLUTION.finditer(text)]
    code = "\n".join(cell.source for cell in code_cells(source))
    assert len(solutions) == len(exercises(source)) and "SOLUTION" not in code
    for solution in solutions:  # single lines of a long one may stand elsewhere, in another context
        assert not all(line.strip() in code for line in solution), solution


def test_a_stub_runs_and_returns_nothing():
    stub = build.SOLUTION.sub(build.STUB, "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n")
    namespace = {}
    exec(stub, namespace)
    assert namespace["f"](1) is None


@each_lesson
def test_the_solved_edition_can_be_handed_to_nbgrader(source):
    cells = exercises(source, solved=True)
    names = [cell.metadata.nbgrader.grade_id for cell in cells]
    assert len(set(names)) == len(names) == sum("### BEGIN SOLUTION" in cell.source for cell in cells)


@pytest.mark.parametrize("solved, verdict", [(False, "right"), (True, "not yet")])
def test_the_build_stops_at_a_check_with_another_verdict(solved, verdict):
    with pytest.raises(RuntimeError, match="should say"):
        build.require(notebook(LESSONS[0], solved), verdict)


# Public names


def test_all_public_names_exist_and_are_documented():
    for name in vh.__all__:
        assert getattr(vh, name).__doc__, name


def test_public_names_are_sorted():
    def order(name):
        return not name.isupper(), not name[0].isupper(), name  # as ruff sorts: VAE, then Autoencoder, then functions

    assert vh.__all__ == sorted(set(vh.__all__), key=order)

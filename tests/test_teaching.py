"""The teaching kit: what is made from the sources is up to date, fits its page, and grades as it should."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))
import build  # noqa: E402
import classroom  # noqa: E402
import grading  # noqa: E402
import lesson  # noqa: E402
import minutes  # noqa: E402
import sheets  # noqa: E402
import slides  # noqa: E402

IN_NEW_FORM = [source for source in build.SOURCES if minutes.in_new_form(source)]
each_lesson = pytest.mark.parametrize("source", IN_NEW_FORM, ids=[source.stem[:2] for source in IN_NEW_FORM])
BY_NUMBER = {source.stem[:2]: source for source in build.SOURCES}


# nbgrader

SUBMISSIONS = {  # of the exercises of a lesson, which are right
    "right": lambda n: range(n),
    "wrong": lambda n: [],
    "half": lambda n: range(n // 2),
    "raising": lambda n: range(1, n),
    "endless": lambda n: range(1, n),
    "copied": lambda n: [],
}


def answer(kind, place, solved, foreign):
    """The source of an exercise's cell in a submission. place: its number; foreign: a solved cell of another lesson."""
    if place in SUBMISSIONS[kind](len(solved)):
        return solved[place]
    body = {"raising": "raise ValueError('not like this')", "endless": "while True: pass"}.get(kind, "return 0")
    return foreign if kind == "copied" else minutes.SOLUTION.sub(rf"\1{body}", solved[place])


@pytest.mark.long
@pytest.mark.parametrize("number, other", [("01", "03"), ("03", "01")])
def test_nbgrader_gives_the_points_that_a_submission_deserves(number, other, tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader is not in requirements.txt: pip install nbgrader")
    from nbgrader.api import Gradebook

    source = BY_NUMBER[number]
    name = source.stem
    grading.write(source, tmp_path)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic by its name
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "VAE_HELPERS_PROFILE": "quick"}

    def nbgrader(*arguments):
        command = [sys.executable, "-m", "nbgrader", *arguments, "--ExecutePreprocessor.timeout=60"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    nbgrader("generate_assignment", name)
    released = nbformat.read(tmp_path / "release" / name / f"{name}.ipynb", as_version=4)
    solved, foreign = (
        [cell.source for cell in grading.edition(BY_NUMBER[n]).cells if "BEGIN SOLUTION" in cell.source]
        for n in (number, other)
    )
    exercises = [cell for cell in released.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    assert len(exercises) == len(solved) and "BEGIN SOLUTION" not in str(released)
    for kind in SUBMISSIONS:
        for place, cell in enumerate(exercises):
            cell.source = answer(kind, place, solved, foreign[0])
        folder = tmp_path / "submitted" / kind / name
        folder.mkdir(parents=True)
        nbformat.write(released, folder / f"{name}.ipynb")
    nbgrader("autograde", name)
    nbgrader("generate_feedback", name)
    points = [c.metadata["nbgrader"]["points"] for c in released.cells if c.metadata.get("nbgrader", {}).get("grade")]
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as book:
        found = {kind: book.find_submission(name, kind).score for kind in SUBMISSIONS}
    assert found == {kind: sum(points[i] for i in right(len(points))) for kind, right in SUBMISSIONS.items()}
    assert all((tmp_path / "feedback" / kind / name / f"{name}.html").exists() for kind in SUBMISSIONS)


@each_lesson
def test_every_checked_exercise_has_points_and_they_are_its_minutes(source):
    cells = grading.edition(source).cells
    points = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader.points for c in cells if "Points for" in c.source}
    declared = dict(re.findall(r"^# #+ Exercise (\d\.\d) · .* · (\d+) min$", source.read_text("utf-8"), re.MULTILINE))
    numbers = [re.search(r"Points for exercise (\d\.\d)", c.source)[1] for c in cells if "Points for" in c.source]
    assert [int(declared[number]) for number in numbers] == list(points.values())
    assert len(points) == sum(build.is_exercise(c) for c in build.convert(source).cells)

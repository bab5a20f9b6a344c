"""The edition of a lesson from which nbgrader makes an assignment: the solved one, with a graded cell for each check.

An exercise gives as many points as the minutes that it declares.
"""

import re

import build
import minutes
import nbformat

# The check never raises: nbgrader gives the points where the verdict is "right".
GRADED = """\
# Points for exercise {number}: the check once more.
from vae_helpers.exercises import verdicts

verdicts.forget()
{check}
assert verdicts.verdict("{name}") == "right", "the check says above what is missing\""""
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "vae"
c.ExecutePreprocessor.timeout = 120  # seconds for a cell: one that does not end is stopped, and the next one runs
c.ExecutePreprocessor.iopub_timeout = 60  # seconds for what a cell prints: 4 are too few on a busy machine
c.ClearSolutions.code_stub = {"python": "...  # write your code here, in place of the three dots"}
c.ClearSolutions.enforce_metadata = False
"""


def edition(source):
    """The notebook for nbgrader's folder `source`."""
    notebook = build.convert(source, solved=True, guards=False)
    cells, heading = [], None
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            heading = list(re.finditer(r"^#+ Exercise (\w+\.\d+) · .*", cell.source, re.MULTILINE))[-1:] or heading
        elif build.is_exercise(cell):
            cells.append(_graded(cell, heading[0]))
    notebook.cells = cells
    return notebook


def _graded(cell, heading):
    name = cell.metadata["nbgrader"]["grade_id"]
    check = re.search(r"^vh\.check\..*$", cell.source, re.MULTILINE)[0]
    points = int(minutes.EXERCISE.search(heading[0])[1] or minutes.UNDECLARED_EXERCISE)
    graded = {"schema_version": 3, "grade": True, "solution": False, "locked": True, "task": False, "points": points}
    source = GRADED.format(number=heading[1], check=check, name=name)
    metadata = {"nbgrader": {**graded, "grade_id": f"{name}_points"}}
    return nbformat.v4.new_code_cell(source, metadata=metadata, id=f"{cell.id}-points")


def write(source, course):
    """Write the lesson into a course folder of nbgrader; returns the path."""
    target = course / "source" / source.stem / source.name.replace(".py", ".ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    (course / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    nbformat.write(edition(source), target)
    return target

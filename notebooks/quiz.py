"""The tests of understanding as one notebook, made from their pages.

What stands in bold in the fold of a question is its answer: numbers, or single letters. The notebook checks them, and
shows the fold when they are right. A question without such an answer keeps its fold.
"""

import base64
import json
import re
from dataclasses import dataclass

import build
import nbformat

CHECKS = build.NOTEBOOKS / "templates" / "checks.py"
FOLD = "<details><summary>Open the answer</summary>"
QUESTION = re.compile(rf"^\*\*(\d+)\.\*\* (.*?)\n\n({FOLD}\n\n(.*?)\n\n</details>)$", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r"\*\*(.+?)\*\*")
HEAD = """\
# Tests of understanding

The entry test, the test of each lesson, and the final.
Where a question ends with *Give*, put your numbers in place of the dots: a letter in quotes, `"b"`, and no comma inside a number.
The line below it says whether they are right, and why.
All other questions have their answer behind a fold: write yours down first.

Run the two cells below first; nothing needs to be installed."""

PACKED = """\
# @title The answers, packed
import base64
import json

PACKED = "{packed}"
ANSWERS.update(json.loads(base64.b64decode(PACKED)))"""


@dataclass
class Question:
    """A question of a test page."""

    name: str  # 02.3, A1.3, entry.3 or final.3
    text: str
    fold: str  # with its tags
    why: str  # what stands in the fold
    answers: list  # as strings, in the order in which the question asks for them; [] if it is an open one


def test_pages(folder):
    """The pages of tests, in the order of the course."""
    return [path for kind in ("entry", "[0-9A][0-9]", "final") for path in sorted(folder.glob(f"{kind}_test.md"))]


def questions(page):
    """The questions of a page, in order."""
    test, found = page.stem.partition("_")[0], []
    for number, text, fold, why in QUESTION.findall(page.read_text(encoding="utf-8")):
        answers = [answer.replace("−", "-").replace(",", "") for answer in ANSWER.findall(why)]
        found.append(Question(f"{test}.{number}", text, fold, why, answers))
    return found


def head(page):
    """What stands on a page before its first question."""
    return page.read_text(encoding="utf-8").partition("**1.**")[0].strip()


def notebook(folder):
    """The notebook with all tests of a folder, as the text of its file."""
    asked = {page: questions(page) for page in test_pages(folder)}
    packed = _cell("answers", _packed([one for its in asked.values() for one in its]), code=True)
    packed.metadata = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # folded in JupyterLab, and in Colab
    cells = [_cell("head", HEAD), _cell("checks", CHECKS.read_text(encoding="utf-8").strip(), code=True), packed]
    for page, its in asked.items():
        name = page.stem.partition("_")[0]
        cells.append(_cell(f"{name}-head", f"#{head(page)}"))
        for number, one in enumerate(its, 1):
            cells.append(_cell(f"{name}-{number}", f"**{one.name}** {one.text}"))
            dots = ", ".join(["..."] * len(one.answers))
            call = f'check("{one.name}", {dots})'
            cells.append(_cell(f"{name}-{number}-answer", call if dots else one.fold, code=bool(dots)))
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=kernel)) + "\n"


def _cell(name, source, code=False):
    make = nbformat.v4.new_code_cell if code else nbformat.v4.new_markdown_cell
    return make(source, id=f"test-{name}")


def _packed(asked):
    """The answers and their reasons in one line that nobody reads by accident."""
    answers = {one.name: {"answers": one.answers, "why": one.why} for one in asked if one.answers}
    packed = base64.b64encode(json.dumps(answers).encode()).decode()
    return PACKED.format(packed=packed)

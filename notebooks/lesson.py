"""A lesson taken apart, for the pages that are made from it: its cells with outputs, its sections, what it asks."""

import re
from dataclasses import dataclass

import build
import minutes
import nbformat

CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)
FOLD = r"<details>\s*<summary>(?P<summary>.*?)</summary>\s*(?P<fold>.*?)\s*</details>"
PARAGRAPH = r"(?:.+\n?)+"
SETTLED = rf"(?m:^)(?P<answer>.*\bThe answers?(?:[^.:\n]*:\n?| is | are )(?:{PARAGRAPH})?(?:\n(?:-|\d\.) {PARAGRAPH})*)"
TOKEN = re.compile(rf"(?P<ask>{minutes.ASKS.pattern})(?P<question>{PARAGRAPH})|(?s:{FOLD})|{SETTLED}")


def cells(source):
    """(sitting, cell) of the students' edition as it is stored, its outputs in it."""
    sittings = [sitting for cell, sitting in minutes.cells_in_sittings(source) if not build.is_guard(cell)]
    stored = nbformat.read(build.target_of(source, solved=False), as_version=4).cells
    return list(zip(sittings, stored, strict=True))


def pieces(text):
    """(heading, body) for each heading of a text; what stands before the first one has the heading ""."""
    hidden = CODE_BLOCK.sub(lambda block: block[0].replace("\n#", "\n #"), text)  # a comment is no heading
    before, *rest = re.split(r"^#{1,3} (.+)$", hidden, flags=re.MULTILINE)
    found = [("", before), *zip(rest[::2], rest[1::2])]
    return [(heading, body.strip()) for heading, body in found if heading or body.strip()]


def formulas(text):
    """(the last two sentences before it, and the formula) for each displayed formula outside of the folds."""
    shown = re.sub(FOLD, "", text, flags=re.DOTALL)
    found = re.findall(r"(?m:^)((?:(?! *\$\$).+\n){0,2})\n* *((?s:\$\$.+?\$\$))", shown)
    return [(re.sub(r"^[a-z].*\n(?=.)", "", before), formula) for before, formula in found]  # no half a sentence


@dataclass
class Section:
    """A heading, and what stands under it until the next one."""

    sitting: str
    heading: str
    text: str  # of all its cells of markdown
    cells: list  # without the guards; of a markdown cell with two headings each gets its part
    minutes: float = 0.0  # without computing, which is measured for a sitting as a whole


def sections(source):
    """The sections of a lesson's source, in order."""
    found = []
    for cell, sitting in minutes.cells_in_sittings(source):
        if build.is_guard(cell):
            continue
        for heading, body in pieces(cell.source) if cell.cell_type == "markdown" else [("", "")]:
            if heading:
                found.append(Section(sitting, heading, "", []))
            part = cell.copy()
            if cell.cell_type == "markdown":
                part.source = f"### {heading}\n\n{body}" if heading else body
                found[-1].text += body + "\n\n"
            found[-1].cells.append(part)
    for section in found:
        counts = [minutes.of_cell(cell) for cell in section.cells]
        section.minutes = sum(minutes.MINUTES_EACH[what] * n for count in counts for what, n in count.items())
    return found


@dataclass
class Ask:
    """A prediction or a question, with its answer."""

    place: tuple  # the sitting and the heading of its section
    kind: str  # Predict or Question
    text: str
    answer: str = ""


def asks(source):
    """What a lesson asks, in order: what is marked as Predict or Question, and every other fold that is no hint.

    The answer of a mark is the next fold or "The answer" below its paragraph, in the same section.
    """
    found = []
    for section in sections(source):
        end, place, waiting = 0, (section.sitting, section.heading), None
        for match in TOKEN.finditer(section.text):
            before, end = section.text[end : match.start()].strip(), match.end()
            if match["ask"]:
                text = re.sub("^first: (.)", lambda rest: rest[1].upper(), match["question"].strip())
                waiting = Ask(place, match["ask"].strip("*. "), text)
                found.append(waiting)
            elif waiting:
                answer = match["fold"] or match["answer"].removeprefix("**What you see.** ")
                waiting.answer, waiting = answer.strip(), None
            elif match["fold"] and "hint" not in match["summary"]:
                text = before[max(before.rfind("\n\n**"), 0) :].strip()
                found.append(Ask(place, "Question", text, match["fold"]))
    return found

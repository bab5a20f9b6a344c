"""How long each sitting of a lesson takes, counted from its source. `python notebooks/build.py --minutes` prints it.

A second-language reader reads MINUTES_EACH. The seconds of computing are those of the last build on the full profile,
kept in seconds.json. The cells tagged `guard` count for nothing: students do not have them.
"""

import json
import math
import os
import re
from collections import Counter
from pathlib import Path

import jupytext
import nbformat

NOTEBOOKS = Path(__file__).resolve().parent
SECONDS = NOTEBOOKS / "seconds.json"
PAGES = ["../README.md", "teaching/TEACHING.md"]
MOST_MINUTES = 75  # of a sitting: it then fits a class of 90 minutes

MINUTES_EACH = {
    "words": 1 / 130,
    "displayed formulas": 30 / 60,
    "lines of code": 3 / 60,
    "pictures": 40 / 60,
    "predictions and questions": 1,
    "minutes of exercises": 1,
    "seconds of computing": 1 / 60,
}
UNDECLARED_EXERCISE = 10  # minutes, in a lesson that is not yet in sittings
SIDE_ROADS = "side roads"

SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION$", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r"\$\$.*?\$\$", re.DOTALL)
NOT_READ = re.compile(r"\]\([^)]*\)|<[^>]*>|\{\{\w+\}\}")  # where a link goes, HTML, what is stamped
ASKS = re.compile(r"\*\*(?:Predict|Question)\b[^*]*\*\*")
EXERCISE = re.compile(r"^#+ Exercise \w+\.\d+ · .*?(?: · (\d+) min)?$", re.MULTILINE)


def cells_in_sittings(source):
    """(cell, the sitting it is in) for each cell of a source file; what stands before the first mark is in A."""
    sitting, pairs = "A", []
    for cell in jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent").cells:
        sitting = cell.metadata.get("sitting", sitting)
        pairs.append((cell, sitting))
    return pairs


def in_new_form(source):
    """Whether a lesson is divided into sittings: its head then asks for the time."""
    return "{{time}}" in source.read_text(encoding="utf-8")


def count(source):
    """{sitting: {what: how much of it}}, in the order of the lesson."""
    drawn = set() if in_new_form(source) else _cells_with_stored_pictures(source)
    counts = {}
    for cell, sitting in cells_in_sittings(source):
        counts.setdefault(sitting, Counter()).update(of_cell(cell, cell.source in drawn))
    seconds = _read_seconds().get(source.stem, {})
    for sitting, counted in counts.items():
        counted["seconds of computing"] = seconds.get(sitting, 0)
    return counts


def of_cell(cell, drawn=False):
    """{what: how much of it} in one cell of a source. drawn: whether a picture is stored under it, where no alt says so."""
    return _in_text(cell.source) if cell.cell_type == "markdown" else _in_code(cell, drawn)


def _in_text(text):
    declared = [int(minutes or UNDECLARED_EXERCISE) for minutes in EXERCISE.findall(text)]
    words = NOT_READ.sub(" ", FORMULA.sub(" ", text))
    words = re.sub(r"\$[^$]+\$", " formula ", words)  # in a line of text: read as one word
    return {
        "words": len(re.findall(r"\S*\w\S*", words)),
        "displayed formulas": len(FORMULA.findall(text)),
        "predictions and questions": len(ASKS.findall(text)),
        "minutes of exercises": sum(declared),
    }


def _in_code(cell, drawn):
    if "guard" in cell.metadata.get("tags", []):
        return {}
    code = SOLUTION.sub("...", cell.source)
    lines = sum(1 for line in code.splitlines() if line.strip())
    return {"lines of code": lines, "pictures": int(drawn or "alt" in cell.metadata)}


def _cells_with_stored_pictures(source):
    built = NOTEBOOKS / f"{source.stem}.ipynb"
    cells = nbformat.read(built, as_version=4).cells if built.exists() else []
    return {cell.source for cell in cells if "image/png" in str(cell.get("outputs")) or "<img" in str(cell)}


def minutes(counted):
    """The minutes of one sitting, rounded up."""
    return math.ceil(sum(MINUTES_EACH[what] * number for what, number in counted.items()))


def sittings(counts):
    """The sittings without the side roads."""
    return {name: counted for name, counted in counts.items() if name != SIDE_ROADS}


# Seconds of computing


def _read_seconds():
    return json.loads(SECONDS.read_text(encoding="utf-8")) if SECONDS.exists() else {}


def record(source, seconds):
    """Keep what a build on the full profile measured. seconds: one number for each cell of the source, guards too."""
    sums = Counter()
    for (cell, sitting), of_cell in zip(cells_in_sittings(source), seconds, strict=True):
        if "guard" not in cell.metadata.get("tags", []):
            sums[sitting] += of_cell
    known = _read_seconds() | {source.stem: {sitting: round(sum_) for sitting, sum_ in sums.items()}}
    draft = SECONDS.with_suffix(".draft")
    draft.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(draft, SECONDS)


# Where the minutes are shown


def stamps(source):
    """For each cell of the source, {placeholder: the words that the build puts in its place}."""
    counts = count(source)
    words = time_in_words(counts)
    return [
        {"{{time}}": words, "{{minutes}}": str(minutes(counts[sitting]))} if cell.cell_type == "markdown" else {}
        for cell, sitting in cells_in_sittings(source)
    ]


def time_in_words(counts):
    """The line at the head of a lesson."""
    each = [minutes(counted) for counted in sittings(counts).values()]
    number = {2: "Two", 3: "Three", 4: "Four"}.get(len(each))
    if len(each) == 1:
        words = f"{each[0]} minutes in one sitting"
    else:
        words = f"{number} sittings of {', '.join(map(str, each[:-1]))} and {each[-1]} minutes"
    words += f", of which {_duration(_computing(sittings(counts)))} of computing on two cores."
    if SIDE_ROADS in counts:
        words += f" Side roads: {_duration(60 * minutes(counts[SIDE_ROADS]))} more."
    return words


def _computing(counts):
    return sum(counted["seconds of computing"] for counted in counts.values())


def _duration(seconds):
    """In words: 40 seconds, 1.3 minutes, 4 minutes."""
    if seconds < 55:
        return f"{max(10 * round(seconds / 10), 10)} seconds"
    number = round(seconds / 60, 1 if seconds < 180 else 0)
    return "1 minute" if number == 1 else f"{number:g} minutes"


def report(source):
    """A few lines for the command: each sitting, and what its minutes are made of."""
    lines = [source.stem]
    for name, counted in count(source).items():
        parts = ", ".join(f"{number} {what}" for what, number in counted.items() if number)
        long = f"  MORE THAN {MOST_MINUTES}" if minutes(counted) > MOST_MINUTES and name != SIDE_ROADS else ""
        lines.append(f"  {name:10s} {minutes(counted):4d} min{long}  ({parts})")
    return "\n".join(lines)


COLUMNS = {
    "sittings": lambda counts: " + ".join(str(minutes(one)) for one in sittings(counts).values()) + " min",
    "side roads": lambda counts: f"{minutes(counts[SIDE_ROADS])} min" if SIDE_ROADS in counts else "–",
    "of these, exercises": lambda counts: (
        f"{sum(one['minutes of exercises'] for one in sittings(counts).values())} min"
    ),
    "computing": lambda counts: (
        _duration(_computing(counts)).replace("seconds", "s").removesuffix("utes").removesuffix("ute")
    ),
}


def with_minutes(page, sources):
    """The text of a page, its table between the two markers with the minutes of these lessons.

    The table says by its head which columns it wants, see COLUMNS; the others are left as they are.
    """
    before, table, after = re.split(r"(?<=<!-- minutes -->\n)(.*?)(?=<!-- /minutes -->)", page, flags=re.DOTALL)
    by_number = {source.stem[:2]: source for source in sources}
    head, line, *rows = table.splitlines()
    columns = _cells(head)
    for i, row in enumerate(rows):
        lesson = re.match(r"\| \[?(\w\d) · ", row)
        if lesson and lesson[1] in by_number:
            counts = count(by_number[lesson[1]])
            cells = [COLUMNS[name](counts) if name in COLUMNS else cell for name, cell in zip(columns, _cells(row))]
            rows[i] = f"| {' | '.join(cells)} |"
    return before + "\n".join([head, line, *rows, after])


def _cells(row):
    return [cell.strip() for cell in row.strip("|").split("|")]


def write_tables(notebooks, sources):
    """Write the minutes into README.md and teaching/TEACHING.md."""
    for page in (notebooks / name for name in PAGES):
        page.write_text(with_minutes(page.read_text(encoding="utf-8"), sources), encoding="utf-8")

"""What a teacher shows, prints and hands out, made from the sources of the lessons.

    python notebooks/teach.py slides 02     handouts/02_slides.html: the main road for a projector, one file, no network
    python notebooks/teach.py figures 02    handouts/02_figures/: runs the lesson, and writes every picture, large;
                                            slides that are made afterwards take these pictures
    python notebooks/teach.py sheet 02      handouts/02_sheet.html: formulas and symbols on one page A4, and as PDF
                                            where Chromium or Chrome is installed

    python notebooks/teach.py test 02       handouts/02_test.html: the test without its answers, with room to write; also
                                            entry and final

    python notebooks/teach.py nbgrader 02   handouts/nbgrader/: a course folder for nbgrader, see grading.md
    python notebooks/teach.py pages         notebooks/teaching/: the answers, the skeletons of the plans, the minutes,
                                            the tests as a notebook; run it again when a lesson or a test has changed

Without a number: all lessons. Formulas are drawn by ziamath, which is not in requirements.txt: pip install ziamath.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build
import classroom
import grading
import quiz
import sheets
import slides

HANDOUTS = build.NOTEBOOKS.parent / "handouts"


def _write(name, text):
    HANDOUTS.mkdir(exist_ok=True)
    (HANDOUTS / name).write_text(text, encoding="utf-8")
    print(HANDOUTS / name)


def write_slides(source):
    _write(f"{source.stem[:2]}_slides.html", slides.slides(source, HANDOUTS / f"{source.stem[:2]}_figures"))


def write_figures(source):
    folder = HANDOUTS / f"{source.stem[:2]}_figures"
    print(f"{folder}: {slides.figures(source, folder)} pictures", flush=True)


def write_sheet(source):
    HANDOUTS.mkdir(exist_ok=True)
    name = f"{source.stem[:2]}_sheet"
    pdf = HANDOUTS / f"{name}.pdf"
    _write(f"{name}.html", sheets.on_one_page(source, pdf) if sheets.browser() else sheets.sheet(source))


def write_test(page):
    _write(f"{page.stem}.html", sheets.test(page))


def write_nbgrader(source):
    print(grading.write(source, HANDOUTS / "nbgrader"))


def write_pages():
    for path, text in classroom.pages().items():
        path.write_text(text, encoding="utf-8")


COMMANDS = {
    "slides": write_slides,
    "figures": write_figures,
    "sheet": write_sheet,
    "test": write_test,
    "nbgrader": write_nbgrader,
}


def main(arguments):
    """Run a command on the lessons, or tests, whose file names start with one of the other arguments, or on all."""
    command, *wanted = arguments or [""]
    if command == "pages":
        return write_pages()
    every = quiz.test_pages(classroom.TEACHING) if command == "test" else build.SOURCES
    sources = [source for source in every if not wanted or source.name.startswith(tuple(wanted))]
    if command not in COMMANDS or not sources:
        raise SystemExit(f"python notebooks/teach.py COMMAND 02, with a COMMAND of pages, {', '.join(COMMANDS)}.")
    for source in sources:
        COMMANDS[command](source)


if __name__ == "__main__":
    main(sys.argv[1:])

"""For paper: one page A4 of a lesson, with formulas, symbols and what to take away; and a test, with room to write."""

import re
import shutil
import subprocess
import tempfile

import build
import lesson
import minutes
import pages
import quiz

PAGE = build.NOTEBOOKS / "templates" / "sheet.html"  # how it looks
SIZES = (10, 9.5, 9, 8.5, 8, 7.5, 7, 6.5, 6)  # points: the largest with which all is on one page
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def sheet(source, size=SIZES[2]):
    """The page as HTML, its letters `size` points high."""
    sections = [section for section in lesson.sections(source) if section.sitting != minutes.SIDE_ROADS]
    title = sections[0].heading
    entries = "".join(f'<div class="entry">{pages.to_html(entry)}</div>' for entry in formulas(sections))
    rows = "".join(
        f"<tr>{''.join(f'<td>{pages.to_html(cell)}</td>' for cell in row)}</tr>" for row in symbols(title[:2])
    )
    taken = next(section.text for section in sections if section.heading.startswith("To take away"))
    parts = [
        f"<h1>{title}</h1>",
        f"<h2>Formulas</h2><div class='two'>{entries}</div>" if entries else "",
        f"<h2>Symbols that are new here</h2><div class='two'><table>{rows}</table></div>" if rows else "",
        f"<h2>To take away</h2>{pages.to_html(taken.split('**Where the ideas')[0])}",
    ]
    return pages.page(PAGE, title=source.stem, size=str(size), body="\n".join(parts))


def test(page):
    """A page of questions as HTML without its answers: under each question room to write.

    *Give* is left out too: it names what the notebook checks, which is not all that is asked.
    """
    texts = [quiz.head(page)] + [f"**{one.name.partition('.')[2]}.** {one.text}" for one in quiz.questions(page)]
    title, *asked = (pages.to_html(re.sub(r"^\*Give.*\n?", "", text, flags=re.MULTILINE)) for text in texts)
    body = [title, "<p>Name:</p>", *(f'<div class="question">{one}<div class="room"></div></div>' for one in asked)]
    return pages.page(PAGE, title=page.stem, size=str(SIZES[0]), body="\n".join(body))


def formulas(sections):
    """The displayed formulas outside of folds, each under the sentence before it."""
    for section in sections:
        for sentence, formula in lesson.formulas(section.text):
            yield f"{sentence}\n\n{formula}"


def symbols(number):
    """The rows of symbols.md for the lesson with this number: (symbol, meaning, in code)."""
    table = (build.NOTEBOOKS / "symbols.md").read_text(encoding="utf-8")
    rows = [re.split(r" *(?<!\\)\| *", line.strip("| ")) for line in table.splitlines() if re.match(r"\| [$]", line)]
    return [row[:3] for row in rows if number in row[-1]]


def browser():
    """A browser that prints, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def print_pdf(page, target):
    """Print HTML into a file; returns its number of pages."""
    with tempfile.TemporaryDirectory() as folder:
        written = f"{folder}/sheet.html"
        with open(written, "w", encoding="utf-8") as stream:
            stream.write(page)
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/user",
        ]
        subprocess.run(
            [browser(), *options, f"--print-to-pdf={target}", f"file://{written}"], check=True, capture_output=True
        )
    return len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))


def on_one_page(source, target):
    """The sheet with the largest letters with which it is one page, printed into the file `target`."""
    for size in SIZES:
        page = sheet(source, size)
        if print_pdf(page, target) == 1:
            return page
    raise SystemExit(f"{source.stem}: its formulas do not fit one page, with letters of {SIZES[-1]} points.")

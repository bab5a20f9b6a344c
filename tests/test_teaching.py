"""The teaching kit: what is made from the sources is up to date, fits its page, and grades as it should."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

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
PAGES = sorted(classroom.TEACHING.glob("*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


# Pages


def test_what_is_made_from_the_sources_is_up_to_date():
    made = classroom.pages()
    old = [path.name for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    assert old == [], "run python notebooks/teach.py pages"
    assert set(made) == {*PAGES, classroom.TEACHING / "tests.ipynb"}


@each_lesson
def test_the_answers_hold_every_question_exercise_and_mistake(source):
    page, asked = classroom.answers(source), lesson.asks(source)
    marked = minutes.ASKS.findall(
        "\n".join(c.source for c, _ in minutes.cells_in_sittings(source) if c.cell_type == "markdown")
    )
    assert len(asked) >= len(marked) > 2
    assert [ask for ask in asked if not ask.text or not ask.answer or ask.answer not in page] == []
    for cell in filter(build.is_exercise, build.convert(source, solved=True).cells):
        assert (written := classroom.solution(cell.source)) in page and "###" not in written and written[0] != " "
        known = classroom.mistakes(re.search(r"vh\.check\.(\w+)", cell.source)[1])
        assert len(known) >= 5 and all(f"\n- {mistake}" in page for mistake in known)


@each_lesson
def test_each_mark_fold_and_exercise_has_one_entry_with_its_own_answer(source):
    page, asked, sections = classroom.answers(source), lesson.asks(source), lesson.sections(source)
    answers = [ask.answer for ask in asked]
    assert len(set(answers)) == len(answers) == page.count("\n\n**Answer.** ")
    for ask in asked:  # its answer stands below it, and before the next heading
        text = next(s.text for s in sections if (s.sitting, s.heading) == ask.place)
        assert ask.answer in text.partition(ask.text.splitlines()[-1])[2], ask.text
    for section in sections:
        marked = re.findall(rf"{minutes.ASKS.pattern} *(?:first: )?.(.*)", section.text)
        here = [ask.text.splitlines()[0][1:] for ask in asked if ask.place == (section.sitting, section.heading)]
        assert [line for line in marked if here.count(line) != 1] == []
        folds = re.findall(lesson.FOLD, section.text, re.DOTALL)
        assert [fold for summary, fold in folds if "hint" not in summary and answers.count(fold) != 1] == []
        checked = any(cell.cell_type == "code" and build.is_exercise(cell) for cell in section.cells)
        if section.heading.startswith("Exercise") and (folds or checked):
            assert page.count(f"### {section.heading}\n") == 1


@pytest.mark.parametrize(
    "check, mistake",
    [
        ("squared_error", "you take the mean over the pixels; the error of an image is the sum over its pixels."),
        ("train_step", "you divide by beta; it should multiply the KL."),  # in a helper
        ("walk", "the points lie on the line through `start` and `end`, but the steps between them are not equal."),
        ("reparameterize", "exp(log_var) is the variance. The standard deviation is its square root."),  # in a table
        ("draw_fitted", "the result has shape …; asked for n = …, it should be (…, 2)."),  # an f-string
    ],
)
def test_a_mistake_that_a_check_tells_is_listed_and_praise_is_not(check, mistake):
    assert mistake in classroom.mistakes(check)
    assert not [told for told in classroom.mistakes(check) if "every call draws anew" in told]


@each_page
def test_everything_a_page_of_the_kit_links_to_is_here(page):
    text = page.read_text("utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^):]+)\)", text)]
    assert [link for link in links if link and not (page.parent / link).exists()] == []
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")


@each_page
def test_the_tables_of_a_plan_fill_ninety_minutes_and_name_every_exercise(page):
    if not page.name.endswith("_plan.md"):
        return
    hand, made = page.read_text("utf-8").split("## From the source")
    tables = re.split(r"^## Sitting ", hand, flags=re.MULTILINE)[1:]
    for table, skeleton in zip(tables, made.split("**Sitting ")[1:], strict=bool(tables)) if tables else []:
        rows = [(int(a), int(b), row) for row in table.splitlines() for a, b in re.findall(r"^\| (\d+)–(\d+) \|", row)]
        assert [a for a, _, _ in rows] == [0, *(b for _, b, _ in rows[:-1])] and rows[-1][1] == 90
        road = skeleton.split("**Side roads")[0]
        for exercise, declared in re.findall(r"Exercise (\w+\.\d) · .*? · (\d+) min", road):
            assert exercise in table
            given = [b - a for a, b, row in rows if f"Exercise {exercise}" in row or f"exercise {exercise}" in row]
            assert exercise in table.split("**Homework.**")[1] or max(given) >= int(declared), exercise
        for part in ("**Where to stop.**", "**Homework.**", "**Leave out first.**"):
            assert part in table


@pytest.mark.parametrize("page", sorted(classroom.TEACHING.glob("[0-9A]*_test.md")), ids=lambda page: page.stem)
def test_every_outcome_of_a_lesson_is_tested_somewhere(page):
    text, source = page.read_text("utf-8"), BY_NUMBER[page.stem[:2]].read_text("utf-8")
    promised = re.search(r"\*\*You will be able to\*\*\n#\n((?:# - .*\n)+)", source)[1]
    rows = dict(re.findall(r"^\| (.*) \| ((?:exercise|question).*) \|$", text, re.MULTILINE))
    assert list(rows) == [line[4:].rstrip(";.") for line in promised.splitlines()]
    questions, exercises = (
        re.findall(r"^\*\*(\d)\.\*\*", text, re.MULTILINE),
        re.findall(r"^# #+ Exercise (\w+\.\d) · ", source, re.MULTILINE),
    )
    assert questions == ["1", "2", "3", "4", "5"] and text.count("<details>") == 5
    named = [number for where in rows.values() for number in re.findall(r"\w+\.\d|\d", where)]
    assert set(named) <= {*questions, *exercises} and set(questions) <= set(named)


PROJECTS = re.findall(r"```python\n(.*?)```", (classroom.TEACHING / "projects.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("cell", PROJECTS, ids=["photographs", "table", "sound", "critique"])
def test_the_first_cell_of_a_project_runs(cell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = re.sub(r"epochs=\d+", "epochs=1", cell).replace("in (2, 5, 10)", "in (2,)")
    exec(compile(short, "a project", "exec"), {})


# Slides and sheets


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    pytest.importorskip("ziamath", reason="ziamath is not in requirements.txt: pip install ziamath")
    if not sheets.browser():
        pytest.skip("there is no Chromium or Chrome here")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=sheets.browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


@each_lesson
def test_slides_hold_the_road_fit_the_screen_and_need_no_network(source, chromium, tmp_path):
    path = tmp_path / "slides.html"
    path.write_text(slides.slides(source, tmp_path / "none"), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    asked_for = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(path.as_uri())
    sizes = page.evaluate(
        """slides.map((s, i) => { show(i); return [s.scrollHeight, s.clientHeight, parseInt(s.style.fontSize),
        Math.min(...[...s.children, ...s.querySelectorAll(".tall > *")].map(e => e.getBoundingClientRect().top))] })"""
    )
    assert all(inner <= outer and size >= 60 for inner, outer, size, _ in sizes)
    assert min(top for *_, top in sizes) >= 0  # what stands above the screen is in no scrollHeight
    assert [url for url in asked_for if not url.startswith(("file:", "data:"))] == []
    road = [
        cell for sitting, cell in lesson.cells(source) if sitting != minutes.SIDE_ROADS and cell.cell_type == "code"
    ]
    shown = page.evaluate("[...document.images].map(i => [i.alt, i.naturalWidth])")
    assert all(alt in {cell.metadata.get("alt") for cell in road} and width > 100 for alt, width in shown)
    assert len(shown) >= 0.8 * sum(1 for cell in road if list(build._pictures(cell)))
    text = page.evaluate("document.body.textContent")
    assert "$" not in re.sub(r"print\(.*", "", text) and "DRAWN" not in text and "{{" not in text
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("now") == 1 and page.url.endswith("#2")
    page.close()


def test_figures_are_large_and_slides_take_them(tmp_path, monkeypatch):
    pytest.importorskip("ziamath", reason="ziamath is not in requirements.txt: pip install ziamath")
    monkeypatch.delenv("MPLBACKEND")  # agg would show nothing in a notebook
    source = tmp_path / "00_small.py"
    draws = "import matplotlib.pyplot as plt\nplt.style.use('vae_helpers.course')\nplt.figure()\nplt.plot([1, 2]);\n"
    source.write_text(f"# %% [markdown]\n# # 00 · Small\n\n# %%\n{draws}", encoding="utf-8")
    assert slides.figures(source, tmp_path / "one", "quick") == 1
    assert Image.open(tmp_path / "one" / "01.png").width >= 1500
    lesson_01 = BY_NUMBER["01"]
    stored = [kind for _, cell in lesson.cells(lesson_01) for kind, _ in build._pictures(cell)]
    folder = tmp_path / "all"
    folder.mkdir()
    for number in range(len(stored)):
        Image.new("L", (10 + number, 9)).save(folder / f"{number:02d}.png")
    first = base64.b64encode((folder / "00.png").read_bytes()).decode()
    assert first in slides.slides(lesson_01, folder)
    (folder / "00.png").unlink()  # of another state of the lesson: not taken
    last = base64.b64encode((folder / "01.png").read_bytes()).decode()
    assert last not in slides.slides(lesson_01, folder)


@each_lesson
def test_a_sheet_is_one_page_with_every_formula_of_the_main_road(source, chromium, tmp_path):
    page = sheets.on_one_page(source, tmp_path / "sheet.pdf")
    assert (tmp_path / "sheet.pdf").stat().st_size > 5000
    text = "".join(s.text for s in lesson.sections(source) if s.sitting != minutes.SIDE_ROADS)
    shown = re.sub(lesson.FOLD, "", text, flags=re.DOTALL)
    assert page.count('class="displayed"') == len(minutes.FORMULA.findall(shown))
    assert "To take away" in page and page.count("<tr>") == len(sheets.symbols(source.stem[:2]))


# nbgrader

SUBMISSIONS = {  # of the exercises of a lesson, which are right
    "right": lambda n: range(n),
    "wrong": lambda n: [],
    "half": lambda n: range(n // 2),
    "raising": lambda n: range(1, n),
    "endless": lambda n: range(1, n),
    "copied": lambda n: [],
}
ALL_SIX = ("01", "03", "04", "07")  # of the other lessons only two submissions are graded, right and wrong


def answer(kind, place, solved, foreign):
    """The source of an exercise's cell in a submission. place: its number; foreign: a solved cell of another lesson."""
    if place in SUBMISSIONS[kind](len(solved)):
        return solved[place]
    body = {"raising": "raise ValueError('not like this')", "endless": "while True: pass"}.get(kind, "return 0")
    return foreign if kind == "copied" else minutes.SOLUTION.sub(rf"\1{body}", solved[place])


@pytest.mark.long
@pytest.mark.parametrize("number", BY_NUMBER)
def test_nbgrader_gives_the_points_that_a_submission_deserves(number, tmp_path):
    pytest.importorskip("nbgrader", reason="nbgrader is not in requirements.txt: pip install nbgrader")
    from nbgrader.api import Gradebook

    source, other = BY_NUMBER[number], "03" if number == "01" else "01"
    name, kinds = source.stem, [kind for kind in SUBMISSIONS if number in ALL_SIX or kind in ("right", "wrong")]
    grading.write(source, tmp_path)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # nbgrader calls alembic by its name
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "VAE_HELPERS_PROFILE": "quick"}

    def nbgrader(*arguments):
        command = [sys.executable, "-m", "nbgrader", *arguments, "--ExecutePreprocessor.timeout=45"]
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
    for kind in kinds:
        for place, cell in enumerate(exercises):
            cell.source = answer(kind, place, solved, foreign[0])
        folder = tmp_path / "submitted" / kind / name
        folder.mkdir(parents=True)
        nbformat.write(released, folder / f"{name}.ipynb")
    nbgrader("autograde", name)
    nbgrader("generate_feedback", name)
    points = [c.metadata["nbgrader"]["points"] for c in released.cells if c.metadata.get("nbgrader", {}).get("grade")]
    with Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as book:
        found = {kind: book.find_submission(name, kind).score for kind in kinds}
    assert found == {kind: sum(points[i] for i in SUBMISSIONS[kind](len(points))) for kind in kinds}
    assert all((tmp_path / "feedback" / kind / name / f"{name}.html").exists() for kind in kinds)


@each_lesson
def test_every_checked_exercise_has_points_and_they_are_its_minutes(source):
    cells = grading.edition(source).cells
    points = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader.points for c in cells if "Points for" in c.source}
    declared = dict(re.findall(r"^# #+ Exercise (\w+\.\d) · .* · (\d+) min$", source.read_text("utf-8"), re.MULTILINE))
    numbers = [re.search(r"Points for exercise (\w+\.\d)", c.source)[1] for c in cells if "Points for" in c.source]
    assert [int(declared[number]) for number in numbers] == list(points.values())
    assert len(points) == sum(build.is_exercise(c) for c in build.convert(source).cells)

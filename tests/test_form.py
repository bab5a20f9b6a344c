"""How the sources of the lessons are written: sentences, sittings, cells, text alternatives, answers, minutes.

The form holds for lessons whose head asks for {{time}}.
"""

import ast
import re
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))
import build  # noqa: E402
import minutes  # noqa: E402

IN_NEW_FORM = [source for source in build.SOURCES if minutes.in_new_form(source)]
each_lesson = pytest.mark.parametrize("source", IN_NEW_FORM, ids=[source.stem for source in IN_NEW_FORM])

LONGEST_LINE = 160
MOST_LINES_OF_A_CELL = 20
MOST_BOOKKEEPING = 12  # lines that a student sees and that teach nothing


# One sentence, one line

ABBREVIATIONS = ["e.g", "i.e", "vs", "al", "Eq", "Sec", "Fig", "Dr", "pp"]
NO_END = "".join(rf"(?<!\b{re.escape(one)})" for one in ABBREVIATIONS) + r"(?<![ (*][A-Z])(?<!^[A-Z])"  # initials, too
TWO_SENTENCES = re.compile(NO_END + r"[.!?][*)\"”]*\s+[*(\"“]*[A-Z]")
NOT_PROSE = re.compile(r"^\s*(#|\||<|```|!\[|\[!\[)")


def markdown_lines(source):
    """The lines of prose: no headings, tables, HTML, code, nor displayed formulas."""
    for cell, _ in minutes.cells_in_sittings(source):
        if cell.cell_type == "markdown":
            text = re.sub(r"```.*?```|\$\$.*?\$\$", "", cell.source, flags=re.DOTALL)
            yield from (line for line in text.splitlines() if not NOT_PROSE.match(line))


def without_code_and_links(line):
    return re.sub(r"`[^`]*`|\$[^$]*\$", "x", re.sub(r"\]\([^)]*\)", "]", line))


def holds_two_sentences(line):
    line = re.sub(r"^\s*(?:[-*]|\d+\.)\s+", "", without_code_and_links(line))  # the number of a list ends no sentence
    line = re.sub(r"^(\*\*[^*]+[.?:]\*\*|\*[^*]+[.?]\*|\*\"[^\"]+\"\*)\s", "", line)  # nor do bold words that open it
    return bool(TWO_SENTENCES.search(line))


@pytest.mark.parametrize(
    "line, two",
    [
        ("One sentence. Another one.", True),
        ("Is it so? No.", True),
        ("It ends (here). Then it goes on.", True),
        ("**Predict.** What comes out?", False),
        ("**Predict.** What comes out? Decide first.", True),
        ("1. A point of a list.", False),
        ("- A point of a list. With two sentences.", True),
        ("S. Kullback and R. Leibler.", False),
        ("By G. Hinton and R. Salakhutdinov, 2006.", False),
        ("It costs 1.5 nats, e.g. Here.", False),
        ("It costs 42. Then 43.", True),
        ("Call `a. B` and read [this. Page](https://a.b. C).", True),
        ("Call `a. B` once.", False),
    ],
)
def test_two_sentences_are_told_from_one(line, two):
    assert holds_two_sentences(line) == two


@each_lesson
def test_every_sentence_has_a_line_of_its_own(source):
    bad = [line for line in markdown_lines(source) if holds_two_sentences(line)]
    assert not bad, "\n".join(bad)


@each_lesson
def test_no_line_is_long(source):
    long = [line for line in markdown_lines(source) if len(without_code_and_links(line)) > LONGEST_LINE]
    for cell, _ in minutes.cells_in_sittings(source):
        if cell.cell_type == "code":
            long += [line for line in cell.source.splitlines() if len(line) > LONGEST_LINE]
    assert not long, "\n".join(long)


@each_lesson
def test_nothing_is_said_to_be_as_expected(source):
    assert "as expected" not in source.read_text(encoding="utf-8")


# Cells


def visible_code(source):
    """The code cells of the students' edition."""
    return [cell for cell in build.convert(source).cells if cell.cell_type == "code"]


def statements(code):
    """The source of each statement at the top of a cell, its lines joined."""
    lines = code.splitlines()
    return ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in ast.parse(code).body]


BOOKKEEPING = re.compile(r"(?:\w+ = )?vh\.(?:expect|figures_compared|run_settings)\(")


def bookkeeping(cell):
    return [statement for statement in statements(cell.source) if BOOKKEEPING.match(statement)]


def is_setup(cell):
    return "google.colab" in cell.source


@each_lesson
def test_few_lines_are_bookkeeping(source):
    cells = visible_code(source)
    kept = [line for cell in cells for one in bookkeeping(cell) for line in one.splitlines()]
    kept += [line for cell in cells if is_setup(cell) for line in cell.source.splitlines() if line.strip()]
    assert len(kept) <= MOST_BOOKKEEPING, "\n".join(kept)


@each_lesson
def test_no_cell_is_bookkeeping_alone_but_the_one_that_counts(source):
    alone = [c.source for c in visible_code(source) if len(bookkeeping(c)) == len(statements(c.source))]
    assert alone == ["vh.figures_compared()"]


@each_lesson
def test_the_figures_are_counted_after_the_last_one(source):
    after = source.read_text(encoding="utf-8").partition("vh.figures_compared()")[2]
    assert "vh.expect(" not in after and "vh.figures_compared" not in after


@each_lesson
def test_cells_are_short(source):
    long = [cell.source for cell in visible_code(source) if len(cell.source.splitlines()) > MOST_LINES_OF_A_CELL]
    assert long == [], "\n\n".join(long)


@each_lesson
def test_students_need_nothing_that_a_guard_defines(source):
    assert build.names_of_guards(build.convert(source, guards=True)) == []


@pytest.mark.parametrize(
    "guard, cell, names",
    [
        ("a = 1", "print(a)", ["a"]),
        ("def f(): pass", "f()", ["f"]),
        ("import numpy as np", "np.ones(3)", ["np"]),
        ("a = 1", "def f():\n    return a", ["a"]),
        ("for i in x: pass", "[i for _ in x]", ["i"]),
        ("import numpy as np", "import numpy as np\nnp.ones(3)", []),
        ("a = 1", "a = 2\nprint(a)", []),
        ("a = 1", "def f(a):\n    return a", []),
        ("def f():\n    a = 1", "print(a)", []),
        ("vh.expect(a)", "print(a)", []),
    ],
)
def test_what_a_guard_defines_is_found_elsewhere(guard, cell, names):
    cells = [nbformat.v4.new_code_cell(guard, metadata={"tags": ["guard"]}), nbformat.v4.new_code_cell(cell)]
    assert build.names_of_guards(nbformat.v4.new_notebook(cells=cells)) == names


# Pictures


NAME_OF_AN_OBJECT = re.compile(r"<[\w.]+(:| at 0x|.* object).*>|Text\(")


@each_lesson
def test_no_stored_cell_shows_the_name_of_an_object(source):
    """A cell that draws ends in a semicolon: Jupyter would print `<Axes: >` under it."""
    notebook = nbformat.read(build.target_of(source, solved=False), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result" and set(output.data) == {"text/plain"}:
                assert not NAME_OF_AN_OBJECT.match(output.data["text/plain"]), cell.source


@each_lesson
def test_every_stored_picture_has_a_text_alternative(source):
    for cell in nbformat.read(build.target_of(source, False), as_version=4).cells:
        pictures = list(build._pictures(cell))
        assert not pictures or len(cell.metadata.get("alt", "")) > 20, cell.source
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"] == cell.metadata["alt"]


# Sittings, minutes, answers


@each_lesson
def test_a_sitting_fits_a_class(source):
    for name, counted in minutes.sittings(minutes.count(source)).items():
        assert minutes.minutes(counted) <= minutes.MOST_MINUTES, f"sitting {name}:\n{minutes.report(source)}"


@each_lesson
def test_a_lesson_is_one_or_two_sittings_which_are_shown(source):
    names = list(minutes.sittings(minutes.count(source)))
    assert names in (["A"], ["A", "B"])
    shown = re.findall(r"^# #+ Sitting ([AB])\b.*\{\{minutes\}\} min", source.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown == names or (names == ["A"] and not shown)  # one sitting: the head says how long it is


@each_lesson
def test_every_exercise_declares_its_minutes(source):
    headings = re.findall(r"^# #+ Exercise .*", source.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings and [heading for heading in headings if not re.search(r" · \d+ min$", heading)] == []


@pytest.mark.parametrize("name", minutes.PAGES)
def test_the_minutes_of_a_page_are_those_of_the_count(name):
    page = (ROOT / "notebooks" / name).read_text(encoding="utf-8")
    assert page == minutes.with_minutes(page, build.SOURCES), "run python notebooks/build.py --minutes"
    rows = page.partition("<!-- minutes -->")[2].partition("<!-- /minutes -->")[0]
    assert [re.search(r"\w\d(?= · )", row)[0] for row in rows.splitlines()[3:]] == [s.stem[:2] for s in build.SOURCES]


EXAMPLE = """# %% [markdown]
# # Title
#
# {{time}} One two [three](https://a.b) $x + y$.
#
# $$ a = b $$
#
# **Predict.** What?

# %% alt="A picture."
plot(1)

# comment

# %% tags=["guard"]
vh.expect("a", 1, at_least=0)

# %% [markdown] sitting="B"
# ## Sitting B · {{minutes}} min
#
# ### Exercise 1.1 · Do it · 8 min

# %%
def f():
    ### BEGIN SOLUTION
    a = 1
    return a
    ### END SOLUTION

# %% [markdown] sitting="side roads"
# Only for some.
"""


@pytest.fixture
def example(tmp_path, monkeypatch):
    """A source file whose build took these seconds, one for each cell."""
    path = tmp_path / "01_example.py"
    path.write_text(EXAMPLE, encoding="utf-8")
    monkeypatch.setattr(minutes, "SECONDS", tmp_path / "seconds.json")
    minutes.record(path, [0, 70.2, 1000, 0, 120, 0])
    return path


def test_a_sitting_is_counted_from_its_cells(example):
    first, second, side = minutes.count(example).values()
    assert first == {
        "words": 7,  # Title, One two three, a formula, Predict, What
        "displayed formulas": 1,
        "predictions and questions": 1,
        "minutes of exercises": 0,
        "lines of code": 2,
        "pictures": 1,
        "seconds of computing": 70,  # not those of the guard
    }
    assert second["lines of code"] == 2 and second["minutes of exercises"] == 8
    assert side["words"] == 3
    # 7 / 130 + 0.5 + 1 + 0.1 + 0.67 + 1.17
    assert minutes.minutes(first) == 4


def test_the_head_of_a_lesson_says_how_long_it_takes(example):
    counts = minutes.count(example)
    two = "Two sittings of 4 and 11 minutes, of which 3 minutes of computing on two cores. Side roads: 1 minute more."
    assert minutes.time_in_words(counts) == two
    one = "4 minutes in one sitting, of which 1.2 minutes of computing on two cores."
    assert minutes.time_in_words({"A": counts["A"]}) == one


def test_the_minutes_are_stamped_into_text_and_change_no_code_and_no_id(example):
    source = example.read_text(encoding="utf-8")
    before = build.convert(example).cells
    assert "Two sittings" in before[0].source and "Sitting B · 11 min" in before[2].source
    example.write_text(source.replace("Exercise 1.1 · Do it · 8 min", "Exercise 1.1 · Do it · 9 min"), encoding="utf-8")
    minutes.record(example, [0, 3000, 0, 0, 0, 0])
    after = build.convert(example).cells
    assert "50 minutes of computing" in after[0].source and after[0].id == before[0].id
    assert [cell for cell in after if cell.cell_type == "code"] == [c for c in before if c.cell_type == "code"]


def test_text_alternatives_reach_the_cell_and_guards_only_the_solved_edition(example):
    students, solved = build.convert(example), build.convert(example, solved=True)
    assert students.cells[1].metadata == {"alt": "A picture."}
    assert [cell.id for cell in solved.cells if not build.is_guard(cell)][:2] == [c.id for c in students.cells][:2]
    assert len(solved.cells) == len(students.cells) + 1 == 6


ANSWER = re.compile(r"<summary>|\bThe answers?(?: to [^.:\n]*)?(?::| is | are )")


def unanswered(text):
    """The predictions and questions after which no answer comes before the next one."""
    parts = re.split(f"({minutes.ASKS.pattern})", text)
    asked = zip(parts[1::2], parts[2::2])
    return [f"{mark} {rest.strip().splitlines()[0]}" for mark, rest in asked if not ANSWER.search(rest)]


@each_lesson
def test_every_prediction_and_question_has_its_answer(source):
    text = "\n\n".join(cell.source for cell, _ in minutes.cells_in_sittings(source) if cell.cell_type == "markdown")
    assert unanswered(text) == []


def test_a_question_without_an_answer_is_found():
    asked = "**Predict.** What?\n\n{}\n\n**Question.** Why?\n\n<details><summary>Open</summary>\n\nSo.\n\n</details>"
    assert unanswered(asked.format("")) == ["**Predict.** What?"]
    assert unanswered(asked.format("**What you see.** The answer: three.")) == []

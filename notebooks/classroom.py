"""What is made for teachers from the sources: answers, the mistakes that the checks know, the skeletons of plans."""

import ast
import re
import textwrap

import build
import lesson
import minutes
import quiz

TEACHING = build.NOTEBOOKS / "teaching"
CHECKS = build.NOTEBOOKS.parent / "vae_helpers" / "exercises"
SKELETON = re.compile(r"(?<=<!-- skeleton -->\n).*?(?=<!-- /skeleton -->)", re.DOTALL)
STAMP = re.compile(r"<!-- (\w\d) (A|B|side roads) -->\d+")  # <!-- 02 A -->73: the minutes of that sitting


def answers(source):
    """The page of answers of one lesson: predictions, questions, folds, solutions, mistakes."""
    parts = [
        f"# Answers: {title(source)}",
        "*For teachers. Made by `python notebooks/teach.py pages` from the source of the lesson and from its checks.*",
        "<!-- fmt: off -->",  # the code is that of the lesson: ruff leaves it as it is
    ]
    asked, sitting = lesson.asks(source), None
    for section in lesson.sections(source):
        checks = [cell for cell in section.cells if cell.cell_type == "code" and build.is_exercise(cell)]
        here = [ask for ask in asked if ask.place == (section.sitting, section.heading)]
        if not here and not checks:
            continue
        if section.sitting != sitting:
            sitting = section.sitting
            parts.append(f"## {'Side roads' if sitting == minutes.SIDE_ROADS else f'Sitting {sitting}'}")
        parts.append(f"### {without_minutes(section.heading)}")
        parts += [f"**{ask.kind}.** {ask.text}\n\n**Answer.** {ask.answer}" for ask in here]
        for cell in checks:
            name = re.search(r"vh\.check\.(\w+)", cell.source)[1]
            parts.append(f"```python\n{solution(cell.source)}\n```")
            parts.append(f"What `vh.check.{name}` says to wrong answers, among others:\n")
            parts[-1] += "".join(f"\n- {sentence}" for sentence in mistakes(name))
    return "\n\n".join(parts) + "\n"


def solution(code):
    """What stands between the two marks of an exercise's cell."""
    return textwrap.dedent("\n".join(minutes.SOLUTION.search(code)[0].splitlines()[1:-1]))


def title(source):
    return lesson.sections(source)[0].heading


def without_minutes(heading):
    return heading.replace(" · {{minutes}} min", "")


def mistakes(name):
    """The sentences with which the check of this name tells mistakes; … is what it fills in.

    First those of the tables that it looks up, which name a mistake by its result; then those of its code, in order.
    """
    module = next(
        path for path in sorted(CHECKS.glob("*_[0-9A]*.py")) if f"def {name}(report)" in path.read_text("utf-8")
    )
    parts = {}  # the functions and tables of the module
    for node in ast.parse(module.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            parts[node.name] = node
        elif isinstance(node, ast.Assign):
            parts[node.targets[0].id] = node
    met = [name]  # grows while it is read
    for part in met:
        names = (node.id for node in _nodes(parts[part]) if isinstance(node, ast.Name))
        met += dict.fromkeys(one for one in names if one in parts and one not in met)
    tables = sorted((part for part in met if isinstance(parts[part], ast.Assign)), key=lambda part: parts[part].lineno)
    code = [part for part in met if part not in tables]
    texts = [_text(node) for part in tables + code for node in _nodes(parts[part])]
    return list(dict.fromkeys(t for t in texts if len(t.split()) > 5 and t[0] != "…" and t[-1] in ".?:)"))


def _nodes(part):
    """What a table or a function's code holds, in its order, without its docstring and the sentence that it returns."""
    statements = [part.value] if isinstance(part, ast.Assign) else part.body[isinstance(part.body[0], ast.Expr) :]
    for statement in statements:
        if not (isinstance(statement, ast.Return) and _text(statement.value)):
            yield from _walk(statement)


def _walk(node):
    yield node
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from _walk(child)


def _text(node):
    """A string of the code, with … where a value is put in; "" for other nodes."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    else:
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return re.sub(r"^…\n", "", text).replace("\n", " ").strip()


def skeleton(source):
    """For each sitting a table of its sections: minutes by the count, what is asked, what is done alone, pictures."""
    asked, parts = lesson.asks(source), []
    for name, counted in minutes.count(source).items():
        rows, start = [], 0.0
        for section in (section for section in lesson.sections(source) if section.sitting == name):
            marks = [ask.kind for ask in asked if ask.place == (section.sitting, section.heading)]
            pictures = sum("alt" in cell.metadata for cell in section.cells)
            cells = [
                f"{start:.0f}",
                f"{section.minutes:.0f}",
                without_minutes(section.heading),
                ", ".join(marks),
                pictures or "",
            ]
            rows.append("| " + " | ".join(map(str, cells)) + " |")
            start += section.minutes
        head = "Side roads" if name == minutes.SIDE_ROADS else f"Sitting {name}"
        computing = f", of which {counted['seconds of computing'] / 60:.0f} computing (not in the rows)"
        parts.append(f"**{head}: {minutes.minutes(counted)} min by the count{computing}**\n")
        parts.append("| from | min | section | asked | pictures |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n" + "\n".join(parts) + "\n"


def pages():
    """{path: its text} of every page of the folder that is made or filled in."""
    made = {TEACHING / f"{source.stem[:2]}_answers.md": answers(source) for source in build.SOURCES}
    for source in build.SOURCES:
        path = TEACHING / f"{source.stem[:2]}_plan.md"
        text = path.read_text("utf-8") if path.exists() else _new_plan(source)
        made[path] = SKELETON.sub(lambda _: skeleton(source), text)  # noqa: B023 - called at once
    for path in sorted(TEACHING.glob("*.md")):
        made[path] = with_stamps(made.get(path) or path.read_text("utf-8"))
    made[TEACHING / "tests.ipynb"] = quiz.notebook(TEACHING)
    return made


def _new_plan(source):
    return f"# Plan: {title(source)}\n\n## From the source\n\n<!-- skeleton -->\n<!-- /skeleton -->\n"


def with_stamps(text):
    """The text with the minutes of the sittings that it names."""
    counts = {source.stem[:2]: minutes.count(source) for source in build.SOURCES} if STAMP.search(text) else {}
    return STAMP.sub(lambda m: f"<!-- {m[1]} {m[2]} -->{minutes.minutes(counts[m[1]][m[2]])}", text)

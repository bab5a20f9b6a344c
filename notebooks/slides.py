"""Slides of a lesson's main road, and every picture of it alone and large."""

import base64
import html
import io
import re

import build
import lesson
import minutes
import pages
from PIL import Image

DPI = 220  # stored are 80: a picture of 7.5 inches is then 1650 pixels wide
MOST_SENTENCES = 4  # of those under a picture; one that answers a prediction comes in any case
MOST_WORDS = 120  # of an answer that stands beside other sentences; a longer one stands alone
PAGE = build.NOTEBOOKS / "templates" / "slides.html"  # how they look, and how one goes through them


def slides(source, folder):
    """The slides as one HTML page. Pictures come from `folder`, where `figures` has written them, else as stored."""
    road = [(sitting, cell) for sitting, cell in lesson.cells(source) if sitting != minutes.SIDE_ROADS]
    large = sorted(folder.glob("*.png")) if folder.exists() else []
    if len(large) != sum(1 for _, cell in lesson.cells(source) for kind, _ in build._pictures(cell) if kind == "png"):
        large = []  # of another state of the lesson, or none
    pictures = iter([path.read_bytes() for path in large])
    parts, heading, shown = [_title(road[0][1].source)], "", []
    for (_, cell), (_, following) in zip(road, [*road[1:], road[-1]]):
        if cell.cell_type == "code":
            shown += _results(cell, pictures if large else None, following)
            continue
        for new, body in lesson.pieces(cell.source):
            if new:
                heading, shown = new, []
                parts += _opening(heading, body)
            if shown and "**What you see" in body:
                words = [""] * (len(shown) - 1) + [pages.to_html(_what_one_sees(body))]  # they stand under the last one
                parts += [_section(heading, one.replace("{{words}}", said)) for one, said in zip(shown, words)]
                shown = []
            if "Exercise" not in heading:
                parts += [_section(heading, block, "ask") for block in _asked(body)]
            parts += [_section(heading, f'<div class="fill">{group}</div>') for group in _formulas(body)]
    return pages.page(PAGE, title=source.stem, body="\n".join(parts))


def _section(heading, body, kind=""):
    inner = f'<div class="ask">{body}</div>' if kind == "ask" else body
    return f'<section class="{kind}"><h2>{pages.to_html(heading).strip()[3:-4]}</h2>{inner}</section>'


def _title(text):
    heading, body = lesson.pieces(text)[0]
    promise, outcomes = body.partition("**You will be able to**")[::2]
    words = promise.split("**Time.**")[0].split("\n\n")  # without a badge
    words = "\n\n".join(word for word in words if "colab" not in word)
    return _section(
        heading, pages.to_html(words + "\n\n**You will be able to**" + outcomes.split("\n\n**You need")[0]), "title"
    )


def _opening(heading, body):
    """A slide for the head of a sitting, for an exercise, and for what to take away."""
    if heading.startswith("Sitting"):
        return [_section(heading, pages.to_html(body.split("\n\n**")[0]), "title")]
    if heading.startswith("Exercise"):
        task = re.split(r"<details>|\n\nUseful:", body)[0]
        return [_section(heading, pages.to_html(task))]
    if heading.startswith("To take away"):
        return [_section(heading, pages.to_html(body.split("**Where the ideas")[0]))]
    return []


def _asked(body):
    """Predictions and questions, each with its fold, closed."""
    matches = [match for match in lesson.TOKEN.finditer(body) if match["ask"] or match["fold"]]
    for match, following in zip(matches, [*matches[1:], None]):
        if match["ask"]:
            fold = following["fold"] if following else None
            answer = f"<details><summary>answer</summary>{pages.to_html(fold)}</details>" if fold else ""
            yield pages.to_html(f"{match['ask']} {match['question'].strip()}") + answer


def _formulas(body):
    """The displayed formulas outside of folds, at most three on a slide, each with the sentence before it."""
    found = ["\n\n".join(pair) for pair in lesson.formulas(body)]
    for start in range(0, len(found), 3):
        yield pages.to_html("\n\n".join(found[start : start + 3]))


def _results(cell, large, following):
    """What a cell shows, each with {{words}} where the words about it go: pictures, or what it prints if they say so."""
    alt, found = html.escape(cell.metadata.get("alt", "")), []
    for kind, data in build._pictures(cell):
        png = next(large) if large and kind == "png" else base64.b64decode(data)
        width, height = Image.open(io.BytesIO(png)).size
        layout = "tall" if height > 0.62 * width else "wide"
        source = f"data:image/{kind};base64,{base64.b64encode(png).decode()}"
        found.append(
            f'<div class="{layout}"><img src="{source}" alt="{alt}"><div class="words">{{{{words}}}}</div></div>'
        )
    printed = "".join(output.get("text", "") for output in cell.outputs)
    if printed and not found and "**What you see" in following.source and "vh.check." not in cell.source:
        found.append(f'<pre>{html.escape(printed)}</pre><div class="words">{{{{words}}}}</div>')
    return found


def _what_one_sees(body):
    """The first sentences after "What you see", and what answers a prediction."""
    text = body.partition("**What you see")[2].partition("**")[2].strip()
    answer = next((match for match in lesson.TOKEN.finditer(text) if match["answer"]), None)
    before = text[: answer.start()] if answer else text
    sentences = before.split("\n\n")[0].splitlines()[:MOST_SENTENCES]
    said = re.sub(r"\n +.*", "", answer["answer"]) if answer else ""  # of each point of a list its first sentence
    return "\n\n".join([said] if len(said.split()) > MOST_WORDS else ["\n".join(sentences), said])


def figures(source, folder, profile="full"):
    """Run the lesson, and write each picture of it into the folder, large. Takes as long as the lesson computes."""
    notebook = build.convert(source)
    sizes = f"InlineBackend.print_figure_kwargs = {{'bbox_inches': 'tight', 'dpi': {DPI}}}"
    notebook.cells.insert(0, build.nbformat.v4.new_code_cell(f"%config {sizes}"))
    build.execute(notebook, profile)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9]*"):
        old.unlink()
    number = 0
    for cell in notebook.cells:
        for kind, data in build._pictures(cell):
            number += 1
            (folder / f"{number:02d}.{kind}").write_bytes(base64.b64decode(data))
    return number

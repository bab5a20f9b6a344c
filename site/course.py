"""The course as pages: what stands in notebooks/, README.md and the package becomes Markdown for Sphinx.

Nothing is executed and nothing is written a second time: the text, the code, the outputs and the pictures of a lesson
are those of its stored notebook. `write_pages` puts everything into site/course/, which git ignores.
"""

import base64
import importlib.util
import io
import itertools
import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import api
import nbformat
from PIL import Image

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
NOTEBOOKS = ROOT / "notebooks"
PAGES = SITE / "course"

BADGE = re.compile(r"\[!\[Open In Colab\]\([^)]*\)\]\((?P<address>[^)]*)\)\n*")
DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
TIME = re.compile(r"^\*\*Time\.\*\* (.*)$", re.MULTILINE)
HEADING = re.compile(r"^(#{2,6} .*)$", re.MULTILINE)
FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
SIDE_ROADS = re.compile(r"^#{2,3} Side roads\b", re.MULTILINE)
LESSON_ROW = re.compile(
    r"^\| \[\w\d · .*?\]\(notebooks/(\w+)\.ipynb\) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE
)
GIF = re.compile(r"data:image/gif;base64,([^\"]+)")
NAME_OF_AN_OBJECT = re.compile(r"<[\w.]+|\[<|Text\(")  # which tells a reader nothing, such as <Axes: >
NOT_DESCRIBED = "A picture. The text below it says what it shows."
LANGUAGES = ("繁體中文", "简体中文", "한국어", "ไทย")  # the columns of the glossary


def lessons():
    """The names of the lessons, in their order, such as 01_autoencoder."""
    return [path.stem for path in sorted(NOTEBOOKS.glob("[0-9A]*.ipynb"))]


def project_urls():
    """[project.urls] of pyproject.toml, without placeholders: nobody can own a name under .invalid (RFC 2606)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {name: url for name, url in project["urls"].items() if not urlsplit(url).netloc.endswith(".invalid")}


def read_notebook(name):
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def title_of(name):
    """The first line of a lesson, such as 01 · Autoencoder."""
    return read_notebook(name).cells[0].source.partition("\n")[0].removeprefix("# ").strip()


def promise_of(name):
    """The first paragraph under the title of a lesson, in one line."""
    text = BADGE.sub("", read_notebook(name).cells[0].source)
    return " ".join(text.split("\n\n")[1].split())


def colab_address(name):
    """Where the badge of a built lesson leads; None where the project names no address."""
    found = BADGE.search(read_notebook(name).cells[0].source)
    return found and found["address"]


def rows_of_the_map():
    """{lesson: (question, sittings, side roads, computing)}, from the table of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return {name: cells for name, *cells in LESSON_ROW.findall(text)}


# A notebook as Markdown


def fence(text, opening, mark="`"):
    """A fenced block. opening: what stands behind the fence, such as python. The fence is longer than any inside."""
    longest = max(map(len, re.findall(rf"^\s*({re.escape(mark)}{{3,}})", text, re.MULTILINE)), default=2)
    bars = mark * max(3, longest + 1)
    return f"{bars}{opening}\n{text}\n{bars}"


def with_options(name, argument, body="", **options):
    """A directive of Sphinx with its options."""
    lines = [f":{key}: {value}" for key, value in options.items()]
    return fence("\n".join([*lines, *([body] if body else [])]), f"{{{name}}} {argument}".rstrip())


def lesson_page(name):
    """The Markdown of a lesson. Its pictures are written beside it."""
    cells = read_notebook(name).cells
    live = live_pages(name)
    parts = []
    for number, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            parts.append(as_markdown(TIME.sub(r"```{lesson-time} \1\n```", cell.source)))
        else:
            parts.append(code(cell, folded="find_spec(" in cell.source))
            parts += list(outputs(cell, f"{name}_{number:03}", live))
    title, _, rest = BADGE.sub("", parts[0]).partition("\n")
    parts[0] = f"{title}\n\n{with_options('lesson-links', name)}\n{rest}"
    last = parts.pop() if "figures_compared" in cells[-1].source else ""
    last = "\n\n".join([parts.pop(), last]) if last else ""
    page = fold_side_roads("\n\n".join(parts)) + f"\n\n{last}\n"
    return f"---\nlesson: {name[:2]}\n---\n{page}"


def as_markdown(text):
    """The text of a cell; what stands in <details> becomes a directive, so that its first line can be translated."""
    return DETAILS.sub(lambda found: fence(found[2].strip(), "{fold} " + found[1].strip(), ":"), text)


def code(cell, folded=False):
    block = fence(cell.source, "python")
    return fence(block, "{fold} What the first cell does", ":") if folded else block


def fold_side_roads(text):
    """Fold what stands on the side roads; in view remain each heading and the paragraph that says for whom it is."""
    if not (found := SIDE_ROADS.search(text)):
        return text
    start = found.start()
    in_code = FENCED.sub(lambda block: block[0].replace("\n#", "\n\0#"), text[start:])  # a comment is no heading
    before, headings = text[:start], HEADING.split(in_code)
    first, introduction, *rest = headings[1:]
    parts = [before + first + introduction.rstrip()]
    for heading, body in zip(rest[::2], rest[1::2]):
        for_whom, _, road = body.strip().partition("\n\n")
        parts.append(f"{heading}\n\n{for_whom}")
        if road.strip():
            parts.append(fence(road.strip(), "{fold} Take this side road", ":"))
    return "\n\n".join(parts).replace("\0", "")


def outputs(cell, stem, live):
    """The outputs of a code cell as Markdown. live: an iterator over the pages that its explorers have left."""
    alive = "live" in cell.metadata.get("tags", [])
    for kind, group in itertools.groupby(enumerate(cell.outputs), key=lambda pair: pair[1].output_type):
        if kind == "stream":
            yield printed("".join(output.text for _, output in group))
        else:
            for number, output in group:
                yield from shown(output, f"{stem}_{number}", cell, live if alive else iter(()))


def printed(text):
    """What a cell printed. A table keeps its lines whole, so that its columns stand below one another."""
    kind = "output columns" if re.search(r"\S {2,}\S", text) else "output"
    return with_options("code-block", "text", text.rstrip(), **{"class": kind})


def shown(output, stem, cell, live):
    """What a cell shows: a film, a picture, the page of an explorer, HTML, or text."""
    data = output.get("data", {})
    page = data.get("text/html", "")
    if gif := GIF.search(page):
        yield picture(f"{stem}.gif", gif[1], cell)
    elif "image/png" in data:
        yield picture(f"{stem}.png", data["image/png"], cell)
    elif file_name := next(live, None):
        yield with_options("explorer", file_name)
    elif page:
        yield fence(page, "{raw} html")
    elif "text/plain" in data and not NAME_OF_AN_OBJECT.match(data["text/plain"]):
        yield printed(data["text/plain"])


def picture(file_name, encoded, cell):
    """Write a picture; returns the directive that shows it, with its size, so that the page does not jump."""
    held = base64.b64decode(encoded)
    write(PAGES / "pictures" / file_name, held)
    width, height = Image.open(io.BytesIO(held)).size
    alt = json.dumps(cell.metadata.get("alt", NOT_DESCRIBED), ensure_ascii=False)
    sizes = {"width": width, "height": height, "loading": "lazy"}
    return with_options("image", f"pictures/{file_name}", alt=alt, **{"class": "output"}, **sizes)


def live_pages(name):
    """The explorer pages that the build of a lesson has saved, in order, as names of files."""
    return iter([path.name for path in sorted((NOTEBOOKS / "live").glob(f"{name}*.html"))])


# The other pages


def glossary_rows():
    """[(term, its four translations, the sentence)] of notebooks/glossary.md."""
    text = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return [(row[0], row[1:5], row[5]) for row in ([cell.strip() for cell in row] for row in rows[2:])]


def glossary_page():
    """The glossary as a list of terms, to which other pages can link; a table of seven columns fits no phone."""
    text = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
    entries = [
        f"{term}\n  {sentence}\n\n  ["
        + "]{.in-other-languages} [".join(map(labelled, LANGUAGES, words))
        + "]{.in-other-languages}\n"
        for term, words, sentence in glossary_rows()
    ]
    return (
        text.partition("\n|")[0].rstrip()
        + "\n\n"
        + fence("\n".join(entries).replace("\\|", "|"), "{glossary}", ":")
        + "\n"
    )


def labelled(language, word):
    return f"{language}: {word}"


def symbols_page():
    return (NOTEBOOKS / "symbols.md").read_text(encoding="utf-8")


def teaching_pages():
    """{file name: text} of notebooks/teaching; its front becomes teaching.md, with the others below it."""
    folder = NOTEBOOKS / "teaching"
    texts = {path.name: as_markdown(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.md"))}
    front = texts.pop("TEACHING.md").replace("](../solutions)", "](downloads.md)")
    for name in lessons():  # the headings of the lessons lead to them
        front = re.sub(rf"^## ({name[:2]} · .*)$", rf"## [\1]({name}.md)", front, flags=re.MULTILINE)
    below = with_options("toctree", "", "\n".join(name.removesuffix(".md") for name in texts), hidden="")
    texts = {name: text.replace("](TEACHING.md", "](teaching.md") for name, text in texts.items()}
    return {"teaching.md": f"{front}\n\n{below}\n", **texts}


def benchmarks_page():
    """The benchmarks' README; its links to files lead to the repository, or nowhere while it has no address."""
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    repository = project_urls().get("Repository")

    def link(found):
        words, target = found.groups()
        if urlsplit(target).scheme or target.startswith("#"):
            return found[0]
        path = os.path.relpath(ROOT / "benchmarks" / target, ROOT)
        return f"[{words}]({repository}/{Path(path).as_posix()})" if repository else f"`{words.strip('`')}`"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)", link, text)


def downloads_page():
    """Three files for each lesson, and what each is good for; and the tests of understanding."""
    spec = importlib.util.spec_from_file_location("bundle", NOTEBOOKS / "bundle.py")
    bundle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bundle)
    lines = ["| lesson | one file | notebook | solved |", "|---|---|---|---|"]
    for name in lessons():
        one_file = nbformat.writes(bundle.bundle(NOTEBOOKS / f"{name}.ipynb")).encode()
        write(PAGES / "one-file" / f"{name}.ipynb", one_file)
        links = [
            f"{{download}}`{size(len(one_file))} <one-file/{name}.ipynb>`",
            *(
                stored(f"{folder}{name}.ipynb")
                for folder in ("", "solutions/")
                if (NOTEBOOKS / folder / f"{name}.ipynb").exists()
            ),
        ]
        lines.append(f"| [{title_of(name)}]({name}.md) | {' | '.join(links)} |")
    page = (SITE / "downloads.txt").read_text(encoding="utf-8").replace("{{table}}", "\n".join(lines))
    return page.replace("{{tests}}", stored("teaching/tests.ipynb"))


def stored(path):
    """A link that downloads a file of notebooks/, with its size as the words."""
    return f"{{download}}`{size((NOTEBOOKS / path).stat().st_size)} <../../notebooks/{path}>`"


def size(count):
    return f"{count / 1e6:.1f} MB" if count > 950_000 else f"{count / 1e3:.0f} kB"


def package_page():
    """The public names of the package, module by module."""
    parts = [(SITE / "package.txt").read_text(encoding="utf-8").rstrip()]
    for module, first_line, definitions in api.public_names():
        entries = "\n\n".join([".. py:currentmodule:: vae_helpers", *map(api.as_directive, definitions)])
        parts.append(f"## {module}\n\n{first_line}\n\n" + fence(entries, "{eval-rst}"))
    return "\n\n".join(parts) + "\n"


def write(path, content):
    """Write bytes or a text, unless the file holds it already: what has not changed is not read again by Sphinx."""
    held = content.encode() if isinstance(content, str) else content
    if not path.exists() or path.read_bytes() != held:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(held)
    return path


def write_pages():
    """Fill site/course/, and take away what no longer belongs there."""
    made = {
        **{f"{name}.md": lesson_page(name) for name in lessons()},
        "glossary.md": glossary_page(),
        "symbols.md": symbols_page(),
        **teaching_pages(),
        "benchmarks.md": benchmarks_page(),
        "downloads.md": downloads_page(),
        "package.md": package_page(),
    }
    for file_name, text in made.items():
        write(PAGES / file_name, text)
    for path in (NOTEBOOKS / "live").glob("*.html"):
        write(PAGES / "static" / "live" / path.name, path.read_bytes())
    for path in (NOTEBOOKS / "pictures").glob("manifold.*"):
        write(PAGES / "static" / path.name, path.read_bytes())
    for path in PAGES.glob("*.md"):
        if path.name not in made:
            path.unlink()

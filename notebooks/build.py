"""Build the lessons from notebooks/source/*.py, in two editions.

    python notebooks/build.py            all lessons
    python notebooks/build.py 01 02      these
    python notebooks/build.py --text 01  only the text has changed: keep the outputs of the code, run nothing
    python notebooks/build.py --text     after a change of [project.urls]: stamps badges and setup cells, runs nothing
    python notebooks/build.py --minutes  how long each sitting takes, see minutes.py; writes the tables of the two pages
    python notebooks/build.py --front    notebooks/live/trained_vae.html, the explorer on the front page of the site

    notebooks/*.ipynb            for students: what stands between ### BEGIN SOLUTION and ### END SOLUTION is taken out;
                                 executed on the full profile, outputs kept. The cells tagged `guard`, which only test the
                                 course, run with the others, and are then left out
    notebooks/solutions/*.ipynb  solved, with the guards: executed on the quick profile, to prove the solutions. Of the
                                 outputs only those that do not depend on the data are kept; the pictures are those of
                                 the other edition.

The build stops at the first exception, at a figure that `vh.expect` finds off, at anything printed to stderr, at a check
that does not say "not yet" to a student's stub, and at a solution that its check does not find right.
A notebook is replaced only when all of its cells have run. The picture under a cell tagged `picture-NAME` also goes to
notebooks/pictures/, for the README. Under a cell tagged `live` only the text is kept: GitHub shows no JavaScript. The
page itself goes to notebooks/live/, from where the site takes it.

In the source, `# %% alt="What the picture shows."` is the text alternative of a picture, `# %% [markdown] sitting="A"`
begins a sitting, and {{time}} and {{minutes}} stand for what minutes.py counts.
"""

import base64
import hashlib
import html
import io
import os
import re
import symtable
import sys
import time
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import jupytext
import nbformat
import numpy as np
from matplotlib.colors import to_rgb
from nbclient import NotebookClient
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_argmin, pairwise_distances_argmin_min

sys.path.insert(0, str(Path(__file__).resolve().parent))
import minutes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # jupytext brings it

NOTEBOOKS = Path(__file__).resolve().parent
SOURCES = sorted((NOTEBOOKS / "source").glob("[0-9A]*.py"))
CELL_TIMEOUT_SECONDS = 600
SOLUTION = minutes.SOLUTION
ADDRESS = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/tree/(v?\d[\w.-]*|[0-9a-f]{7,40})")
BADGE = (
    "[![Open In Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{name}/blob/{tag}/notebooks/{lesson}.ipynb)"
)
SETUP = """\
# Where the package of the course is installed, this cell does nothing. On Colab it installs the package, and nothing else.
import sys
from importlib.util import find_spec

if find_spec("vae_helpers") is None and "google.colab" in sys.modules:
    get_ipython().run_line_magic("pip", "install -q --no-deps git+https://github.com/{name}@{tag}")
elif find_spec("vae_helpers") is None:
    {advice}"""
FRAME = re.compile(r'<iframe srcdoc="([^"]*)"')
STUB = r"\1...  # write your code here, in place of the three dots"


def repository():
    """("owner/name", "tag or commit"), from [project.urls] in pyproject.toml; None while a placeholder stands there."""
    project = tomllib.loads((NOTEBOOKS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project["urls"]["Repository"]
    if urlsplit(address).netloc.endswith(".invalid"):  # nobody can own such a name (RFC 2606)
        return None
    if match := ADDRESS.fullmatch(address):
        return match.groups()
    raise SystemExit(
        f"pyproject.toml: Repository in [project.urls] is {address!r}. Write https://github.com/OWNER/NAME/tree/TAG, "
        "with a tag that begins like a version (v1.0) or a commit: what a branch holds may change during the course."
    )


def setup_cell(notebook):
    """The first code cell."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code")


def add_address(notebook, lesson):
    """Where the course has an address: the badge under the title, and a setup cell that installs on Colab."""
    if (found := repository()) is None:
        return
    name, tag = found
    title, _, text = notebook.cells[0].source.partition("\n")
    badge = BADGE.format(name=name, tag=tag, lesson=lesson)
    notebook.cells[0].source = f"{title}\n\n{badge}\n\n{text.lstrip()}"
    cell = setup_cell(notebook)
    advice = cell.source.partition("\n    ")[2]
    cell.source = SETUP.format(name=name, tag=tag, advice=advice)


def target_of(source, solved):
    """The notebook that is built from a source file."""
    return NOTEBOOKS / ("solutions" if solved else "") / f"{source.stem}.ipynb"


def is_exercise(cell):
    """Whether a code cell ends in a check."""
    return cell.cell_type == "code" and "vh.check." in cell.source


def is_guard(cell):
    """Whether a code cell only tests the course."""
    return "guard" in cell.metadata.get("tags", [])


def convert(source, solved=False, guards=None):
    """One edition of a source file, without outputs. Cell ids come from the text, so that rebuilding keeps them.

    guards: whether the cells that only test the course are in it; by default in the solved edition only.
    """
    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    add_address(notebook, source.stem)
    stamps = minutes.stamps(source)
    seen = set()
    for cell, stamp in zip(notebook.cells, stamps, strict=True):
        kept = ("tags", "alt") if cell.cell_type == "code" else ("tags",)
        cell.metadata = {key: cell.metadata[key] for key in kept if cell.metadata.get(key)}
        if is_exercise(cell):
            _as_exercise(cell, solved)
        digest = hashlib.sha1(cell.source.encode()).hexdigest()
        cell.id = next(digest[:n] for n in range(8, 41) if digest[:n] not in seen)
        seen.add(cell.id)
        for placeholder, words in stamp.items():  # after the id, which must not change with the minutes
            cell.source = cell.source.replace(placeholder, words)
    if not (solved if guards is None else guards):
        drop_guards(notebook)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def drop_guards(notebook):
    """Leave out the cells that only test the course, and number the others as if they had run alone."""
    notebook.cells = [cell for cell in notebook.cells if not is_guard(cell)]
    ran = [cell for cell in notebook.cells if cell.get("execution_count")]
    for count, cell in enumerate(ran, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


def names_of_guards(notebook):
    """The names that a guard binds and that another cell reads: without the guard, it would read something else.

    A module that both import is no harm, and neither is a name that the other cell binds itself.
    """
    bound, imported, read = set(), set(), set()
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        table = symtable.symtable(cell.source, "a cell", "exec")
        own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        if is_guard(cell):
            bound |= own - imported
        else:
            imported |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_imported()}
            read |= _names_read(table) - own
    return sorted(bound & read)


def _names_read(table):
    """Names of the module that a symbol table and those inside it read."""
    here = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global())
    }
    return here.union(*(_names_read(child) for child in table.get_children()))


def _as_exercise(cell, solved):
    """Take the solution out, or mark the cell for nbgrader; nbval compares what the check says."""
    exercise = re.search(r"vh\.check\.(\w+)", cell.source)[1]
    cell.metadata["tags"] = ["nbval-check-output"]
    if solved:
        graded = {"schema_version": 3, "grade": False, "solution": True, "locked": False, "task": False}
        cell.metadata["nbgrader"] = {**graded, "grade_id": exercise}
    else:
        cell.source = SOLUTION.sub(STUB, cell.source)


# A guard of the students' edition: what comes after it must be as if it had not run, because students do not have it.
ASIDE = """with __import__("vae_helpers.settings", fromlist=["aside"]).aside():
    exec(compile({!r}, "guard", "exec"))"""


def execute(notebook, profile, aside=False):
    """Run all cells in place, in the folder of the notebooks; returns the seconds that each took, 0 for text.

    aside: the guards leave neither random numbers nor counted figures behind.
    """
    os.environ["VAE_HELPERS_PROFILE"] = profile
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # steadier seconds on two virtual cores: benchmarks/README.md
    guards = {cell.id: cell.source for cell in notebook.cells if aside and is_guard(cell)}
    for cell in notebook.cells:
        if cell.id in guards:
            cell.source = ASIDE.format(cell.source)
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    ).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    seconds = []
    for cell in notebook.cells:
        cell.source = guards.get(cell.id, cell.source)
        seconds.append(_seconds(cell.metadata.pop("execution", None)))
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise RuntimeError(f"a cell printed to stderr:\n{cell.source}\n\n{output.text}")
    return seconds


def _seconds(timing):
    """From the two times that nbclient has noted, such as 2026-01-31T10:00:00.123456Z."""
    if not timing:
        return 0.0
    start, end = (timing[key].replace("Z", "+00:00") for key in ("iopub.execute_input", "shell.execute_reply"))
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def require(notebook, verdict):
    """Stop unless every check gives this verdict: "not yet" or "right"."""
    for cell in filter(is_exercise, notebook.cells):
        printed = "".join(output.get("text", "") for output in cell.outputs)
        if f" · {verdict}" not in printed:
            raise RuntimeError(f"a check should say {verdict!r}, and says\n{printed}\n{cell.source}")


def prove_without_guards(source):
    """Run the students' edition as students have it: what a guard changes, no other cell may need."""
    if any(map(is_guard, convert(source, guards=True).cells)):
        alone = convert(source)
        execute(alone, "quick")
        require(alone, "not yet")


def keep_what_is_compared(notebook):
    """Drop the outputs that nbval does not compare: they depend on the profile."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbval-check-output" not in cell.metadata.get("tags", []):
            cell.outputs = []


def keep_text_of_live_cells(notebook):
    for cell in notebook.cells:
        if is_live(cell):
            for output in cell.outputs:
                if "data" in output:
                    output.data = {kind: data for kind, data in output.data.items() if kind == "text/plain"}


def export_live_pages(notebook, lesson):
    """Write the explorers of a lesson to notebooks/live/LESSON.html, LESSON_2.html and so on, and take away old ones."""
    shown = [html_of(output) for cell in notebook.cells if is_live(cell) for output in cell.outputs]
    pages = [html.unescape(found[1]) for found in map(FRAME.search, shown) if found]
    folder = NOTEBOOKS / "live"
    folder.mkdir(exist_ok=True)
    for path in folder.glob(f"{lesson}*.html"):
        path.unlink()
    for number, page in enumerate(pages, start=1):
        name = f"{lesson}.html" if number == 1 else f"{lesson}_{number}.html"
        (folder / name).write_text(page, encoding="utf-8", newline="\n")


def is_live(cell):
    return "live" in cell.metadata.get("tags", [])


def html_of(output):
    return output.get("data", {}).get("text/html", "")


def build_front():
    """The explorer on the front page of the site: the model that comes with the package, and the test images."""
    import vae_helpers as vh  # here, because it starts TensorFlow

    data = vh.load_images("mnist", binarize="threshold")
    if data.name != "mnist":
        raise SystemExit("the page was not written: it shows test images of MNIST.")
    model = vh.trained_vae()
    explorer = vh.latent_explorer(model, data.x_test, data.y_test, data.class_names, title="Draw a digit")
    (NOTEBOOKS / "live").mkdir(exist_ok=True)
    print(explorer.save(NOTEBOOKS / "live" / "trained_vae.html"))


def describe_pictures(notebook):
    """Put a cell's text alternative beside its pictures, too: pages that are made from a notebook read it there."""
    for cell in (cell for cell in notebook.cells if "alt" in cell.metadata):
        for output in (output for output in cell.outputs if "data" in output):
            if "image/png" in output.data:
                output.metadata["image/png"] = {"alt": cell.metadata["alt"]}
            if "<img" in (page := output.data.get("text/html", "")):
                words = html.escape(cell.metadata["alt"]).replace("\\", r"\\")
                output.data["text/html"] = re.sub(r'alt="[^"]*"', f'alt="{words}"', page)


def lighten_pictures(notebook):
    """Store each PNG with 256 colours: half the size or less, and git keeps every version of every picture."""
    for cell in notebook.cells:
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if "image/png" in data:
                data["image/png"] = base64.b64encode(lighter(base64.b64decode(data["image/png"]))).decode()


def class_colours():
    """The colours of the classes, (10, 3), 0 to 255."""
    from vae_helpers.plots import CLASS_COLORS  # here, because it starts TensorFlow, which the minutes do not need

    return np.rint([255 * np.array(to_rgb(colour)) for colour in CLASS_COLORS]).astype(int)


def lighter(png):
    """The same picture with a palette of 256 colours.

    Unchanged among them: the colours of the classes, pure and as a half transparent dot and its edge show them, and
    the most frequent vivid ones. A class has its colour in a few dots: averages would lose it, or join two classes.
    """
    full = Image.open(io.BytesIO(png))
    if full.mode == "P":
        return png
    pixels = np.asarray(full.convert("RGB")).astype(int)
    colours, places, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    if len(colours) > 256:
        wanted = np.concatenate([255 + share * (class_colours() - 255) for share in (1, 0.75, 0.5, 0.25)])
        places_of_wanted, distances = pairwise_distances_argmin_min(wanted, colours)
        vivid = np.flatnonzero(np.ptp(colours, axis=1) > 40)
        frequent = vivid[np.argsort(-counts[vivid])][:64]
        kept = np.unique([*places_of_wanted[distances < 2], *frequent])
        means = KMeans(256 - len(kept), init="k-means++", n_init=1, max_iter=10, random_state=0)
        means.fit(colours, sample_weight=np.sqrt(counts))
        palette = np.concatenate([colours[kept], np.rint(means.cluster_centers_)]).astype(int)
        nearest = np.concatenate([pairwise_distances_argmin(part, palette) for part in np.array_split(colours, 20)])
    else:
        palette, nearest = colours, np.arange(len(colours))
    light = Image.fromarray(nearest[places].reshape(pixels.shape[:2]).astype("uint8"), "P")
    light.putpalette(palette.astype("uint8").ravel().tolist())
    small = io.BytesIO()
    light.save(small, "png", optimize=True)
    return small.getvalue()


def export_pictures(notebook):
    """Write the pictures of the cells tagged `picture-NAME`: a PNG, or a GIF shown by `vh.show_gif`."""
    for cell in notebook.cells:
        names = [tag.removeprefix("picture-") for tag in cell.metadata.get("tags", []) if tag.startswith("picture-")]
        for name, (kind, picture) in zip(names, _pictures(cell)):
            path = NOTEBOOKS / "pictures" / f"{name}.{kind}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(base64.b64decode(picture))


def _pictures(cell):
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            yield "png", data["image/png"]
        elif match := re.search(r"data:image/gif;base64,([^\"]+)", data.get("text/html", "")):
            yield "gif", match[1]


def keep_outputs(notebook, built):
    """Copy the outputs of a built notebook, whose code must be the same, cell by cell.

    The setup cell may differ: where a notebook is built it does nothing.
    """
    new, old = ([cell for cell in one.cells if cell.cell_type == "code"] for one in (notebook, built))
    if [cell.source for cell in new[1:]] != [cell.source for cell in old[1:]]:
        raise SystemExit("the code has changed, not only the text: build the lesson without --text.")
    for cell, before in zip(new, old):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count


def write(notebook, target):
    target.parent.mkdir(exist_ok=True)
    draft = target.with_suffix(".draft")
    nbformat.write(notebook, draft)
    os.replace(draft, target)


def build(source, solved, text_only, profile):
    """Convert, execute, and write one edition of one lesson, in one step at the end."""
    started = time.perf_counter()
    notebook, target = convert(source, solved), target_of(source, solved)
    if text_only:
        keep_outputs(notebook, nbformat.read(target, as_version=4))
    else:
        ran = convert(source, solved, guards=True)
        if names := names_of_guards(ran):
            raise SystemExit(f"{source.name}: a guard binds {', '.join(names)}, which a cell that students have reads.")
        seconds = execute(ran, "quick" if solved else profile, aside=not solved)
        require(ran, "right" if solved else "not yet")
        if not solved and profile == "full":
            minutes.record(source, seconds)
            notebook = convert(source)  # with the new minutes
        if not solved:
            prove_without_guards(source)
            drop_guards(ran)
        keep_outputs(notebook, ran)
        if solved:
            keep_what_is_compared(notebook)
        elif profile == "full":
            export_live_pages(notebook, source.stem)
        keep_text_of_live_cells(notebook)
    describe_pictures(notebook)
    lighten_pictures(notebook)
    write(notebook, target)
    export_pictures(notebook)
    seconds, size = time.perf_counter() - started, target.stat().st_size / 1e6
    print(f"{target.relative_to(NOTEBOOKS)}: {seconds:.0f} s, {size:.2f} MB", flush=True)


def main(arguments):
    """Build the lessons whose file names start with one of the arguments, or all; or count their minutes."""
    text_only = "--text" in arguments
    wanted = tuple(argument for argument in arguments if not argument.startswith("--"))
    sources = [s for s in SOURCES if not wanted or s.name.startswith(wanted)]
    if unknown := set(arguments) - {*wanted, "--text", "--minutes", "--front"}:
        raise SystemExit(f"{', '.join(unknown)}: there are --text, --minutes and --front.")
    if not sources:
        known = ", ".join(s.stem for s in SOURCES)
        raise SystemExit(f"no lesson starts with {' or '.join(wanted)}; there are {known}.")
    if "--front" in arguments:
        return build_front()
    if "--minutes" in arguments:
        print(*map(minutes.report, sources), sep="\n")
    else:
        os.environ["VAE_HELPERS_STRICT"] = "1"
        profile = os.environ.get("VAE_HELPERS_PROFILE", "full")
        for solved in (False, True):
            for source in sources:
                build(source, solved, text_only, profile)
    return minutes.write_tables(NOTEBOOKS, SOURCES)


if __name__ == "__main__":
    main(sys.argv[1:])

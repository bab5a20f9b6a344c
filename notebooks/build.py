"""Build the lessons: notebooks/source/*.py → notebooks/*.ipynb, executed on the full profile, outputs kept.

    python notebooks/build.py            all lessons
    python notebooks/build.py 01 02      these
    python notebooks/build.py --text 01  only the text has changed: keep the outputs of the code, run nothing

The build stops at the first exception, at a figure that `vh.expect` finds off, and at anything printed to stderr.
A notebook is replaced only when all of its cells have run. The picture under a cell tagged `picture-NAME` also goes to
notebooks/pictures/NAME.png, for the README.
"""

import base64
import hashlib
import os
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # jupytext brings it

NOTEBOOKS = Path(__file__).resolve().parent
SOURCES = sorted((NOTEBOOKS / "source").glob("[0-9]*.py"))
CELL_TIMEOUT_SECONDS = 600


def repository():
    """("owner/name", "branch"), from [project.urls] in pyproject.toml."""
    project = tomllib.loads((NOTEBOOKS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, _, branch = project["urls"]["Repository"].removeprefix("https://github.com/").partition("/tree/")
    return name, branch


def convert(source):
    """The notebook of one source file, without outputs. Cell ids come from the text, so that rebuilding keeps them."""
    name, branch = repository()
    text = source.read_text(encoding="utf-8").replace("{{repository}}", name).replace("{{branch}}", branch)
    notebook = jupytext.reads(text, fmt="py:percent")
    seen = set()
    for cell in notebook.cells:
        digest = hashlib.sha1(cell.source.encode()).hexdigest()
        cell.id = next(digest[:n] for n in range(8, 41) if digest[:n] not in seen)
        seen.add(cell.id)
        cell.metadata = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(notebook):
    """Run all cells in place, in the folder of the notebooks."""
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        record_timing=False,
    ).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise RuntimeError(f"a cell printed to stderr:\n{cell.source}\n\n{output.text}")


def export_pictures(notebook):
    """Write the pictures of the cells tagged `picture-NAME`."""
    for cell in notebook.cells:
        names = [tag.removeprefix("picture-") for tag in cell.metadata.get("tags", []) if tag.startswith("picture-")]
        pictures = [o.data["image/png"] for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        for name, picture in zip(names, pictures):
            path = NOTEBOOKS / "pictures" / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(base64.b64decode(picture))


def keep_outputs(notebook, built):
    """Copy the outputs of a built notebook, whose code must be the same, cell by cell."""
    new, old = ([cell for cell in one.cells if cell.cell_type == "code"] for one in (notebook, built))
    if [cell.source for cell in new] != [cell.source for cell in old]:
        raise SystemExit("the code has changed, not only the text: build the lesson without --text.")
    for cell, before in zip(new, old):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count


def build(source, text_only=False):
    """Convert, execute, and write the notebook of one source file, in one step at the end."""
    started = time.perf_counter()
    notebook = convert(source)
    target = NOTEBOOKS / f"{source.stem}.ipynb"
    if text_only:
        keep_outputs(notebook, nbformat.read(target, as_version=4))
    else:
        execute(notebook)
    draft = target.with_suffix(".draft")
    nbformat.write(notebook, draft)
    os.replace(draft, target)
    export_pictures(notebook)
    print(f"{target.name}: {time.perf_counter() - started:.0f} s, {target.stat().st_size / 1e6:.2f} MB")


def main(arguments):
    """Build the lessons whose file names start with one of the arguments, or all."""
    text_only = "--text" in arguments
    wanted = tuple(argument for argument in arguments if argument != "--text")
    sources = [s for s in SOURCES if not wanted or s.name.startswith(wanted)]
    if not sources:
        known = ", ".join(s.stem for s in SOURCES)
        raise SystemExit(f"no lesson starts with {' or '.join(wanted)}; there are {known}.")
    os.environ["VAE_HELPERS_STRICT"] = "1"
    os.environ.setdefault("VAE_HELPERS_PROFILE", "full")
    for source in sources:
        build(source, text_only)


if __name__ == "__main__":
    main(sys.argv[1:])

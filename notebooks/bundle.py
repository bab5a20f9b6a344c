"""One lesson in one file: the notebook with its pictures, and in its first cell the package, zipped.

    python notebooks/bundle.py 02               writes one-file/02_mlp_vae.ipynb
    python notebooks/bundle.py                  all lessons
    python notebooks/bundle.py 02 --to FOLDER   into another folder

Such a file runs wherever the libraries of the course are: on Colab, on Kaggle, in JupyterLab. Its first cell is shown
folded. It unpacks the package into a temporary folder and installs nothing. The lesson itself is taken as it was built,
see build.py. Trained weights of more than half a megabyte go along only with a lesson that names them.
"""

import argparse
import base64
import hashlib
import io
import textwrap
import zipfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9A]*.ipynb"))
LARGE_BYTES = 500_000
LINE = 20_000  # characters: few lines to scroll over where the cell is not folded, and none too long for an editor

NOTE = """\


*This is the one-file edition: the folded cell below holds the package of the course{weights}.
It unpacks it into a temporary folder and installs nothing.*"""
WEIGHTS = ", and the trained models that this lesson looks at, which make the file large"
CELL = '''\
#@title Run this first: it unpacks the package of the course, and installs nothing
import base64, io, os, sys, tempfile, zipfile

package = """
{package}
"""
sys.path.insert(0, tempfile.mkdtemp(prefix="vae_helpers-"))
zipfile.ZipFile(io.BytesIO(base64.b64decode(package))).extractall(sys.path[0])
os.environ["PYTHONPATH"] = sys.path[0] + os.pathsep + os.environ.get("PYTHONPATH", sys.path[0])  # for child processes'''
FOLDED = {"cellView": "form", "jupyter": {"source_hidden": True}, "_kg_hide-input": True}  # Colab, JupyterLab, Kaggle


def is_large(path):
    """Whether a file of the package is too large to go along with every lesson."""
    return path.stat().st_size > LARGE_BYTES


def files_for(code):
    """The package for a lesson with this code, as {name in the archive: path}. Large files only where it names them."""
    files = (path for path in sorted((ROOT / "vae_helpers").rglob("*.*")) if path.is_file() and path.suffix != ".pyc")
    needed = [path for path in files if not is_large(path) or path.name.partition("_")[0] in code]
    return {"vae_helpers/LICENSE": ROOT / "LICENSE", **{path.relative_to(ROOT).as_posix(): path for path in needed}}


def zipped(files):
    """{name in the archive: path} as the bytes of a zip file; the same files always give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, path in files.items():
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return packed.getvalue()


def bundle(lesson):
    """The one-file edition of a built notebook, given by its path."""
    notebook = nbformat.read(lesson, as_version=4)
    first = notebook.cells[0]
    setup, *others = (cell for cell in notebook.cells if cell.cell_type == "code")
    files = files_for("\n".join(cell.source for cell in others))
    lines = [line for line in first.source.split("\n") if "colab-badge.svg" not in line]  # it opens another edition
    first.source = "\n".join(lines).rstrip() + NOTE.format(
        weights=WEIGHTS if any(map(is_large, files.values())) else ""
    )
    package = base64.b64encode(zipped(files)).decode()
    setup.source = CELL.format(package="\n".join(textwrap.wrap(package, LINE)))
    setup.metadata.update(FOLDED)
    for cell in (first, setup):
        cell.id = hashlib.sha1(cell.source.encode()).hexdigest()[:16]
    return notebook


def main(arguments=None):
    """Write the lessons whose file names start with one of the arguments, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", help="for example 02; all, if none is given")
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=ROOT / "one-file")
    options = parser.parse_args(arguments)
    lessons = [path for path in LESSONS if not options.lessons or path.name.startswith(tuple(options.lessons))]
    if not lessons:
        known = ", ".join(path.stem for path in LESSONS)
        parser.error(f"no lesson starts with {' or '.join(options.lessons)}; there are {known}.")
    options.to.mkdir(parents=True, exist_ok=True)
    for lesson in lessons:
        target = options.to / lesson.name
        nbformat.write(bundle(lesson), target)
        print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

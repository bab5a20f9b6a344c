"""Every lesson on the full profile: minutes, peak memory, size of the stored file.

    python -m benchmarks.course [01 02 …] [--profile full|quick]

Each lesson (the student's edition) runs in a fresh kernel, all in one temporary folder, which takes the files that the
lessons save. The stored notebooks are read and not changed. The time is that of the whole run, the start
of the kernel included; the memory is the most that the kernel has held at a time.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks import common

NOTEBOOKS = common.ROOT / "notebooks"
CELL_TIMEOUT_SECONDS = 1200
# The last cell, added for the measurement: the kernel itself says how much memory it has held.
ASK_FOR_MEMORY = f"""
import sys
sys.path.insert(0, {str(common.ROOT)!r})
from benchmarks.common import peak_memory_mb
print("peak memory, MB:", peak_memory_mb())
"""


def lessons(wanted=()):
    """The stored notebooks whose names start with one of `wanted`, or all."""
    paths = [path for path in sorted(NOTEBOOKS.glob("[0-9A]*.ipynb")) if path.name.startswith(tuple(wanted) or "")]
    if not paths:
        raise SystemExit(f"no lesson starts with {' or '.join(wanted)}.")
    return paths


def run(path, folder, profile):
    """Run one lesson in `folder`; a dict of its figures. Raises nbclient's CellExecutionError if a cell fails."""
    os.environ["VAE_HELPERS_PROFILE"] = profile
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(ASK_FOR_MEMORY))
    started = time.perf_counter()
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=CELL_TIMEOUT_SECONDS, kernel_name="python3", resources=resources).execute()
    minutes = (time.perf_counter() - started) / 60
    printed = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    return {
        "minutes": minutes,
        "peak_mb": float(printed[-1].split(":")[1]),
        "stored_mb": path.stat().st_size / 1e6,
        "figures_off": sum(text.count(" · OFF") for text in printed),
        "stand_in": any("(NOT " in text for text in printed),
    }


def report(figures, profile):
    """The table and the JSON. figures: {lesson: what `run` returned}."""
    stand_in = any(one["stand_in"] for one in figures.values())
    if stand_in:
        print("NOT THE REAL DATA: digits stand in. Compare these figures with nothing.")
    print(f"{profile} profile · " + common.machine("tensorflow", "keras") + "\n")
    rows = [
        (name, f"{one['minutes']:.1f}", f"{one['peak_mb']:,.0f} MB", f"{one['stored_mb']:.2f} MB", one["figures_off"])
        for name, one in figures.items()
    ]
    total = sum(one["minutes"] for one in figures.values())
    peak = max(one["peak_mb"] for one in figures.values())
    stored = sum(one["stored_mb"] for one in figures.values())
    rows.append(("all", f"{total:.1f}", f"{peak:,.0f} MB at most", f"{stored:.2f} MB", ""))
    common.table(("lesson", "minutes", "peak memory", "stored file", "figures off"), rows)
    print()
    longest = max(one["minutes"] for one in figures.values())
    data = "digits" if stand_in else "mnist, fashion_mnist"
    common.json_line(profile=profile, data=data, minutes=total, longest=longest, peak_mb=peak, lessons=figures)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="the beginnings of their names; all by default")
    parser.add_argument("--profile", choices=("full", "quick"), default="full")
    wanted = parser.parse_args()
    common.limit_threads()
    if folder := os.environ.get("VAE_HELPERS_DATA"):
        os.environ["VAE_HELPERS_DATA"] = str(Path(folder).resolve())  # the lessons run elsewhere
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in lessons(wanted.lessons):
            figures[path.stem] = run(path, folder, wanted.profile)
            print(f"{path.stem}: {figures[path.stem]['minutes']:.1f} min", flush=True)
    report(figures, wanted.profile)


if __name__ == "__main__":
    main()

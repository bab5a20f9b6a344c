"""What of a notebook is right, wrong or not yet: a table for the reader, and a file for a teacher."""

import csv
import sys
from pathlib import Path

_verdicts = {}  # by the name of the exercise: the last verdict of its check in this session


def record(name, verdict):
    """Keep a verdict, "right", "wrong" or "not yet"."""
    _verdicts[name] = verdict


def verdict(name):
    """The last verdict of this exercise's check, "not yet" if it did not run."""
    return _verdicts.get(name, "not yet")


def forget():
    """Begin again, as in a new notebook."""
    _verdicts.clear()


def progress(name=None, file=None):
    """Print a table: which exercises of this notebook are right, wrong or not yet written.

    Those of a notebook are the exercises of the lessons of which a check ran; one whose check did not run is not yet
    written. With `name` and `file`, for example vh.check.progress("Ada", "ada.csv"), the same goes to a file with the
    columns name, exercise, function and verdict, for a teacher who collects them.

    Raises ValueError if a file is asked for without a name.
    """
    if file is not None and not name:
        raise ValueError('a file needs your name: vh.check.progress("Ada", "ada.csv")')
    rows = _rows()
    if not rows:
        print("No exercise was checked yet: run the cells with vh.check first.")
    else:
        width = max(len(function) for _, function, _ in rows)
        print(f"exercise  {'function':{width}}  verdict")
        for exercise, function, verdict in rows:
            print(f"{exercise:8}  {function:{width}}  {verdict}")
        print(f"{sum(row[2] == 'right' for row in rows)} of {len(rows)} right")
    if file is not None:
        with Path(file).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["name", "exercise", "function", "verdict"])
            writer.writerows([name, *row] for row in rows)


def _rows():
    """(number, function, verdict) of each exercise of the lessons that were met, in their order."""
    checks = sys.modules[__package__]  # the list of all of them, which imports this module
    numbers = {name: getattr(checks, name).__doc__.split()[1].rstrip(".") for name in checks.__all__}
    met = {numbers[name].split(".")[0] for name in _verdicts}
    mine = [name for name in numbers if numbers[name].split(".")[0] in met]
    mine.sort(key=lambda name: numbers[name].zfill(4))  # 02.1 before 10.1 before A1.1
    return [(numbers[name], name, verdict(name)) for name in mine]

"""Every test, lessons included, runs on the quick profile, and a figure that is off fails it.

Of a lesson, nbval runs the notebook that students open, and in the same kernel what the solved edition has besides:
the guards where they stand, and each solution right before the empty exercise in its place. So each cell of both
editions runs, once, and after an exercise the kernel holds what a student has who left it out.
A solved notebook that is named on the command line runs by itself.
"""

import os
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

os.environ["VAE_HELPERS_PROFILE"] = "quick"
os.environ["VAE_HELPERS_STRICT"] = "1"
os.environ["MPLBACKEND"] = "agg"

NOTEBOOKS = Path(__file__).resolve().parent / "notebooks"


class BothEditions(IPyNbFile):
    """A notebook for students, together with the solved one."""

    def collect(self):
        solved = IPyNbFile.from_parent(self.parent, path=NOTEBOOKS / "solutions" / self.path.name)
        for test in in_one_run(list(super().collect()), list(solved.collect())):
            if test.parent is not self:
                parts = {name: getattr(test, name) for name in ("cell_num", "cell", "options")}
                test = IPyNbCell.from_parent(self, name=f"{test.name} of the solved edition", **parts)
            yield test


def in_one_run(students, solved):
    """The tests of both editions' cells in the order in which one kernel can run them.

    students, solved: lists of objects with a `cell`. Raises ValueError where the editions are not of one source.
    """
    rest, order = iter(students), []
    for one in solved:
        if is_guard(one.cell):
            order.append(one)
            continue
        twin = next(rest, None)
        if twin is None or not (is_exercise(one.cell) or one.cell.source == twin.cell.source):
            raise ValueError(f"only the solved edition has this cell, build the lesson again:\n{one.cell.source}")
        order += [one, twin] if is_exercise(one.cell) else [twin]
    if left := next(rest, None):
        raise ValueError(f"only the students' edition has this cell, build the lesson again:\n{left.cell.source}")
    return order


def is_guard(cell):
    return "guard" in cell.metadata.get("tags", [])


def is_exercise(cell):
    return "vh.check." in cell.source


def pytest_configure(config):
    # xdist would begin with the files that have most tests, which are not the slow ones.
    config.option.loadscopereorder = False


# The slow files of tests/: with a long one at the end, one of two workers would have nothing to do.
SLOW = ("test_inputs", "test_training", "test_models", "test_callbacks", "test_explorer_drawing", "test_explorer_page")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Lessons first, then the slow files, then the others as they come: what is short fills the gaps at the end."""

    def place(item):
        return 0 if item.path.suffix == ".ipynb" else 1 if item.path.stem in SLOW else 2

    items.sort(key=place)


@pytest.hookimpl(hookwrapper=True)
def pytest_collect_file(file_path, parent):
    outcome = yield
    if file_path.suffix != ".ipynb" or not outcome.get_result():
        return
    if file_path.parent == NOTEBOOKS:
        outcome.force_result([BothEditions.from_parent(parent, path=file_path)])
    elif file_path.parent == NOTEBOOKS / "solutions" and not named(file_path, parent.config):
        outcome.force_result([])


def named(path, config):
    """Whether the command line names this file or a folder in which solutions stand."""
    return any("solutions" in Path(argument.partition("::")[0]).parts for argument in config.args)

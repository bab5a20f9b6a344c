"""Every test, lessons included, runs on the quick profile, and a figure that is off fails it."""

import functools
import os

import pytest

os.environ["VAE_HELPERS_PROFILE"] = "quick"
os.environ["VAE_HELPERS_STRICT"] = "1"
os.environ["MPLBACKEND"] = "agg"


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items):
    """Which tests go to one worker, in order: those of a file."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path)))


@functools.cache
def _group(path):
    """Lessons that hand a saved model on are one group."""
    hands_on = path.suffix == ".ipynb" and "settings.saved(" in path.read_text(encoding="utf-8")
    return f"{path.parent.name}/{'saved' if hands_on else path.name}"

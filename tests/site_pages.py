"""What the tests of the site share: its pages as they were built, their links, and axe."""

import importlib.util
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "site"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
LOADED = {
    ("img", "src"),
    ("script", "src"),
    ("link", "href"),
    ("source", "srcset"),
    ("iframe", "src"),
    ("video", "src"),
}
NOT_LOADED = {"canonical", "next", "prev", "index", "search"}


def load(name):
    """A module of the folder site/."""
    sys.path.insert(0, str(SITE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(SITE))


def build(target, *options):
    """Build the site as its reader's command does, with warnings as errors. Skips where Sphinx is not installed."""
    needed = ("sphinx", "myst_parser", "furo", "sphinx_copybutton", "a11y_pygments")
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        pytest.skip(f"the site needs {', '.join(missing)}: pip install -r site/requirements.txt")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", *options, str(SITE), str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


class Page(HTMLParser):
    """The links, anchors, pictures and loaded files of one HTML page."""

    def __init__(self, path):
        super().__init__()
        self.path, self.anchors, self.links, self.loaded, self.pictures = path, set(), [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes[key] for key in ("id", "name") if key in attributes}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "img":
            self.pictures.append(attributes)
        if "data-page" in attributes:
            self.links.append(attributes["data-page"])
        if attributes.get("rel") not in NOT_LOADED:
            self.loaded += [attributes[key] for of, key in LOADED if of == tag and key in attributes]

    def target(self, link):
        """(the file that a link means, its anchor); None for another site."""
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            return None
        return (self.path.parent / unquote(parts.path)).resolve() if parts.path else self.path, unquote(parts.fragment)


def pages_of(folder):
    """{path: Page} of a built site."""
    return {
        path.resolve(): Page(path.resolve()) for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts
    }

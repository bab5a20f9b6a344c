"""The course as a website: what stands on its pages, and what a browser makes of them.

The pages are made from the stored notebooks. What needs Sphinx, a browser or axe is skipped where it is missing.
"""

import html
import re
from importlib.machinery import SourceFileLoader

import nbformat
import pytest
import yaml
from explorer_pages import open_browser
from packaging.requirements import Requirement
from site_pages import AXE, ROOT, SITE, build, load, pages_of

import vae_helpers as vh
from vae_helpers import explorer

course, api = load("course"), load("api")
LESSONS = course.lessons()
each_lesson = pytest.mark.parametrize("lesson", LESSONS)
HEAVIEST_BYTES = 2_000_000  # of a page with all it loads, before its explorer
HEAVIEST_EXPLORER_BYTES = 2_100_000  # git keeps every version
NARROWEST = 360  # CSS pixels


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory, monkeypatch):
    """The pages that a test makes do not go into the folder of the site."""
    monkeypatch.setattr(course, "PAGES", tmp_path_factory.mktemp("course"))


def code_cells(lesson):
    return [cell for cell in course.read_notebook(lesson).cells if cell.cell_type == "code"]


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


@pytest.fixture
def page_of(monkeypatch):
    """A function that gives the page of a notebook with these cells."""

    def make(*cells, name="01_test"):
        monkeypatch.setattr(course, "read_notebook", lambda name: notebook(*cells))
        return course.lesson_page(name)

    return make


def text(source):
    return nbformat.v4.new_markdown_cell(source)


def code(source, *outputs, **metadata):
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


# A lesson as a page


@each_lesson
def test_a_page_holds_all_code_and_all_that_was_printed(lesson):
    page = course.lesson_page(lesson)
    for cell in code_cells(lesson):
        assert cell.source in page
        assert all(output.text.rstrip() in page for output in cell.outputs if output.output_type == "stream")


@each_lesson
def test_a_page_holds_every_picture_with_its_text_alternative(lesson):
    page = course.lesson_page(lesson)
    shown = [
        cell for cell in code_cells(lesson) if "image/png" in str(cell.outputs) or "image/gif" in str(cell.outputs)
    ]
    files = re.findall(r"\{image\} (\S+)", page)
    assert len(files) >= len(shown) > 0 and len(set(files)) == len(files)
    assert all((course.PAGES / file).stat().st_size for file in files)
    described = [cell.metadata["alt"] for cell in shown if "alt" in cell.metadata]
    assert all(course.json.dumps(alt, ensure_ascii=False) in page for alt in described)


@each_lesson
def test_a_page_folds_each_answer(lesson):
    source = "".join(cell.source for cell in course.read_notebook(lesson).cells if cell.cell_type == "markdown")
    page = course.lesson_page(lesson)
    assert "<details>" not in page and "<summary>" not in page
    for summary in re.findall(r"<summary>(.*?)</summary>", source, re.DOTALL):
        assert f"{{fold}} {summary.strip()}" in page


TITLE = text("# 01 · Test\n\nA promise\nin two lines.\n\nMore.")
LAST = code("vh.figures_compared()", nbformat.v4.new_output("stream", text="4 figures\n"))


def test_a_side_road_is_folded_after_the_words_that_say_for_whom_it_is(page_of):
    road = text(
        "## Side roads · 5 min\n\nNothing needs these.\n\n### One\n\n*For you.* First.\n\nHidden.\n\n### Two\n\nShort."
    )
    page = page_of(TITLE, text("## Main"), road, code("x = 1"), LAST)
    before, fold, after = page.partition(":::{fold} Take this side road\nHidden.\n:::")
    assert fold and "*For you.* First." in before and "Nothing needs these." in before and "## Main" in before
    assert ":::{fold} Take this side road\n```python\nx = 1\n```\n:::" in after
    assert after.rstrip().endswith(
        "```python\nvh.figures_compared()\n```\n\n```{code-block} text\n:class: output\n4 figures\n```"
    )


def test_a_comment_on_a_side_road_is_no_heading(page_of):
    road = text("## Side roads\n\nWords.\n\n### One\n\nFor.\n\nMore.")
    page = page_of(TITLE, road, code("## not a heading\nx = 1"), LAST)
    assert ":::{fold} Take this side road\nMore.\n\n```python\n## not a heading\nx = 1\n```\n:::" in page


def test_a_fold_can_hold_another(page_of):
    page = page_of(
        TITLE,
        text("## Side roads\n\nWords.\n\n### One\n\nFor.\n\n<details><summary>Open</summary>\n\nIt.\n\n</details>"),
        LAST,
    )
    assert "::::{fold} Take this side road\n:::{fold} Open\nIt.\n:::\n::::" in page


def test_the_first_cell_is_folded_and_the_badge_becomes_a_link(page_of):
    badge = "# 01 · Test\n\n[![Open In Colab](https://c.org/badge.svg)](https://c.org/open)\n\nA promise."
    page = page_of(text(badge), code('if find_spec("vae_helpers") is None:\n    pass'), LAST)
    assert "badge" not in page and ":::{fold} What the first cell does\n```python" in page
    assert course.colab_address("01_test") == "https://c.org/open"
    assert course.promise_of("01_test") == "A promise."


def test_the_promise_of_a_lesson_is_one_line(page_of):
    page_of(TITLE, LAST)
    assert course.promise_of("01_test") == "A promise in two lines." and course.colab_address("01_test") is None


def test_the_page_of_an_explorer_stands_where_the_notebook_keeps_its_text(page_of, tmp_path, monkeypatch):
    kept = nbformat.v4.new_output("execute_result", data={"text/plain": "LatentExplorer(tiles=0)"})
    monkeypatch.setattr(course, "NOTEBOOKS", tmp_path)
    cells = (TITLE, code("explorer", kept, tags=["live"]), LAST)
    assert "LatentExplorer(tiles=0)" in page_of(*cells) and "{explorer}" not in page_of(*cells)
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "01_test.html").write_text("a page")
    assert "```{explorer} 01_test.html" in page_of(*cells) and "LatentExplorer" not in page_of(*cells)


def test_a_printed_table_keeps_its_lines_whole(page_of):
    def prints(words):
        return page_of(TITLE, code("x", nbformat.v4.new_output("stream", text=words)), LAST)

    assert ":class: output columns\na  b\n" in prints("a  b\n") and ":class: output\na b\n" in prints("a b\n")


def test_the_name_of_an_object_is_not_shown(page_of):
    def shows(words):
        return page_of(TITLE, code("x", nbformat.v4.new_output("execute_result", data={"text/plain": words})), LAST)

    names = ("<Axes: >", "<keras.src.History at 0x7ff4>", "Text(0.5, 0, 'nats')", "[<matplotlib.lines.Line2D at 0x7f>]")
    assert all(words not in shows(words) for words in names)
    assert all(words in shows(words) for words in ("0.5 < 1", "array([1])", "LatentExplorer(tiles=0)"))


def test_minutes_are_no_part_of_what_is_translated(page_of):
    head = text("# 01 · Test\n\nA promise.\n\n**Time.** 75 minutes in one sitting.\n\nMore.")
    assert "```{lesson-time} 75 minutes in one sitting.\n```\n\nMore." in page_of(head, LAST)


def test_an_appendix_is_a_lesson_and_comes_last(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "NOTEBOOKS", tmp_path)
    for name in ("10_today", "A1_more", "09_larger", "Untitled"):
        (tmp_path / f"{name}.ipynb").touch()
    assert course.lessons() == ["09_larger", "10_today", "A1_more"]
    row = "| [A1 · More](notebooks/A1_more.ipynb) | Why? | 5 min | – | 1 min |"
    assert course.LESSON_ROW.findall(row) == [("A1_more", "Why?", "5 min", "–", "1 min")]


def test_a_build_saves_the_pages_of_its_explorers(tmp_path, monkeypatch):
    notebooks = SourceFileLoader("build", str(ROOT / "notebooks" / "build.py")).load_module()
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    pages = ['<p title="a">1 & 2</p>', "<p>second</p>"]
    shown = [
        nbformat.v4.new_output(
            "execute_result", data={"text/html": f'<iframe srcdoc="{html.escape(page)}" x></iframe>'}
        )
        for page in pages
    ]
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "02_a_3.html").write_text("of an earlier build")
    notebooks.export_live_pages(
        notebook(code("x", shown[0], tags=["live"]), code("y", shown[1], tags=["live"])), "02_a"
    )
    kept = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "live").iterdir()}
    assert kept == {"02_a.html": pages[0], "02_a_2.html": pages[1]}


def test_the_explorer_of_the_front_page_is_that_of_the_package():
    page = (ROOT / "notebooks" / "live" / "trained_vae.html").read_text(encoding="utf-8")
    assert all(part in page for part in explorer._template().split("{{data}}")), "run python notebooks/build.py --front"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks" / "live").glob("*.html")), ids=lambda path: path.stem)
def test_the_page_of_an_explorer_is_light_and_belongs_to_a_lesson(path):
    assert path.stat().st_size < HEAVIEST_EXPLORER_BYTES
    assert path.stem == "trained_vae" or any(path.name in course.live_pages(lesson) for lesson in LESSONS)


def test_code_with_a_fence_in_it_stays_whole():
    assert course.fence("a\n````\nb", "python") == "`````python\na\n````\nb\n`````"


# The other pages


def test_the_map_knows_the_minutes_of_every_lesson():
    assert set(course.rows_of_the_map()) == set(LESSONS)


def test_the_glossary_keeps_every_term_and_translation():
    page, rows = course.glossary_page(), course.glossary_rows()
    assert len(rows) > 60
    for term, translations, sentence in rows:
        assert f"\n{term}\n  {sentence}".replace("\\|", "|") in page
        assert len(translations) == 4 and all(word and word in page for word in translations)


def test_the_package_page_documents_every_public_name():
    page = course.package_page()
    documented = re.findall(r"^\.\. py:(?:class|function):: (\w+)\(", page, re.MULTILINE)
    assert sorted(documented) == sorted(set(vh.__all__) - {"check"})
    assert ":param mean,log_var:" in page and "   .. py:method:: fit(" in page


def test_a_docstring_becomes_fields_and_literals():
    lines = ["Do `x`, never *y* or z_.", "", "a, b: two", "    lines.", "Returns c.", "Raises: nothing"]
    assert api.as_rst(lines) == [
        r"Do ``x``, never \*y\* or z\_.", "", "", ":param a,b: two", "    lines.", "", "Returns c.", "Raises: nothing",
    ]  # fmt: skip
    assert api.as_rst(['"one": a', "    and b.", '"two": c.']) == ['"one": a', "and b.", "", '"two": c.']


@pytest.mark.parametrize(
    "address, shown",
    [(None, "`reference.py`"), ("https://h.org/r", "[reference.py](https://h.org/r/benchmarks/reference.py)")],
)
def test_a_link_to_a_file_leads_to_the_repository_or_nowhere(address, shown, monkeypatch):
    monkeypatch.setattr(course, "project_urls", lambda: {"Repository": address} if address else {})
    page = course.benchmarks_page()
    assert shown in page.replace("`reference.py`" if address else "\0", "reference.py")


def test_every_file_that_the_downloads_offer_is_here_and_the_tests_of_understanding_are_among_them():
    page = course.downloads_page()
    offered = re.findall(r"{download}`[\d.]+ [kM]B <(.*?)>`", page)
    assert page.count("{download}") == len(offered) == 3 * len(LESSONS) + 1 and "{{" not in page
    made = [path for path in offered if path.startswith("one-file/")]
    assert len(made) == len(LESSONS) and all((course.PAGES / path).exists() for path in made)
    assert [path for path in offered if path not in made and not (SITE / "course" / path).resolve().exists()] == []
    assert "../../notebooks/teaching/tests.ipynb" in offered


def test_placeholders_are_no_addresses():
    assert all(".invalid" not in address for address in course.project_urls().values())


# What builds it


def test_every_requirement_of_the_site_has_a_floor_and_a_ceiling():
    lines = (SITE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for requirement in (Requirement(line) for line in lines if line and not line.startswith("#")):
        assert {one.operator for one in requirement.specifier} == {">=", "<"}, requirement


def test_the_workflow_pins_its_actions_and_builds_as_the_readme_says():
    workflow = (ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8")
    actions = re.findall(r"uses: (\S+)", workflow)
    assert actions and all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action) for action in actions)
    command = "sphinx-build site site/_build"
    assert "sphinx-build -W --keep-going site site/_build" in workflow
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(workflow)["permissions"] == {"contents": "read"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the built site, in all its languages."""
    return build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def pages(built):
    return pages_of(built)


def test_every_lesson_has_its_page_in_every_language(built, pages):
    for folder in (built, built / "zh_TW"):
        assert {(folder / "course" / f"{lesson}.html").resolve() for lesson in LESSONS} <= set(pages)


def test_the_table_of_contents_has_the_lessons_and_no_teaching_page_among_them(built):
    page = (built / "index.html").read_text(encoding="utf-8")
    course_tree = page.partition('class="sidebar-tree"')[2].partition("</ul>")[0]
    assert re.findall(r'href="course/(\w+)\.html"', course_tree) == LESSONS


def test_every_link_and_every_anchor_within_the_site_resolves(pages):
    broken = []
    for page in pages.values():
        for path, anchor in filter(None, map(page.target, page.links)):
            if not path.is_file() or (anchor and path in pages and anchor not in pages[path].anchors):
                broken.append((page.path.name, path.name, anchor))
    assert broken == []


def test_no_page_loads_anything_from_elsewhere(built, pages):
    for page in pages.values():
        assert all(page.target(address) and page.target(address)[0].is_file() for address in page.loaded), page.path
    for path in (built / "_static").rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//", path.read_text(encoding="utf-8")), path


def test_every_picture_says_what_it_shows(pages):
    for page in pages.values():
        assert all(picture.get("alt", "").strip() for picture in page.pictures), page.path


def test_no_page_is_heavy(built, pages):
    fonts = sum(path.stat().st_size for path in (built / "_static" / "katex" / "fonts").iterdir())
    for page in pages.values():
        files = {page.target(address)[0] for address in page.loaded}
        weight = page.path.stat().st_size + fonts + sum(file.stat().st_size for file in files)
        assert weight < HEAVIEST_BYTES, (page.path, weight)


@pytest.mark.long
def test_the_text_is_divided_into_messages_for_translators(tmp_path):
    build(tmp_path, "-b", "gettext")
    messages = (tmp_path / "course" / "01_autoencoder.pot").read_text(encoding="utf-8")
    assert 'msgid "Open the answer when you have one"' in messages and 'msgid "Take this side road"' in messages
    assert messages.count("\nmsgid ") > 100


# In a browser


@pytest.fixture(scope="module")
def walked(built, pages):
    """The pages that the browser visits: all in English, and what is translated."""
    other = built / "zh_TW"
    translated = {other / "index.html", other / "course" / "01_autoencoder.html"}
    return [path for path in pages if other.resolve() not in path.parents or path in translated]


SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FORMULAS = """[".math", ".math > .katex, .math > .katex-display", ".katex-error"]
  .map((one) => document.querySelectorAll(one).length)"""
VIOLATIONS = """axe.run(document, { preload: false, runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] })
  .then((found) => found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => [one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser("chromium", tmp_path_factory.mktemp("browser")) as chromium:
        yield chromium


@pytest.fixture
def visit(browser):
    """A function that opens a page without a network; afterwards no error and no request may have come up."""
    contexts, trouble = [], []

    def note(request):
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            trouble.append(request.url)

    def open_page(path, width=1000, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append((path.name, message.text)))
        page.on("pageerror", lambda error: trouble.append((path.name, str(error))))
        page.on("request", note)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.mark.long
def test_every_formula_is_drawn_and_no_page_scrolls_sideways(walked, visit):
    drawn = 0
    for path in walked:
        page = visit(path, width=NARROWEST)
        asked, shown, wrong = page.evaluate(FORMULAS)
        assert asked == shown and wrong == 0, path
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert page.evaluate(SIDEWAYS) <= 0, path
        drawn += shown
        page.context.close()
    assert drawn > 500


@pytest.mark.long
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(theme, walked, visit):
    if not AXE.exists():
        pytest.skip("axe-core is not here: npm install --no-save axe-core@4")
    found = {}
    for path in walked:
        page = visit(path, color_scheme=theme)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        if violations := page.evaluate(VIOLATIONS):
            found[path.name] = violations
        page.context.close()
    assert found == {}


@pytest.mark.long
@pytest.mark.parametrize("folder, words, lesson", [(".", "posterior collapse", "06"), ("zh_TW", "自編碼器", "01")])
def test_the_search_finds(folder, words, lesson, built, visit):
    page = visit(built / folder / "search.html")
    page.locator(".search-again input").fill(words)
    page.locator(".search-again button").click()
    page.wait_for_selector("#search-results li a")
    titles = page.locator("#search-results li a").all_inner_texts()
    assert any(title.startswith(lesson) for title in titles), titles


@pytest.mark.long
@pytest.mark.parametrize(
    "name", ["index", *(f"course/{lesson}" for lesson in LESSONS if list(course.live_pages(lesson)))]
)
def test_an_explorer_is_loaded_when_it_comes_into_view_and_answers_to_a_drawing(name, built, visit):
    page = visit(built / f"{name}.html", width=390)
    assert page.locator("iframe").count() == 0
    page.locator(".explorer").scroll_into_view_if_needed()
    page.wait_for_selector(".explorer iframe")
    inside = page.frame_locator(".explorer iframe")
    inside.locator("html[data-ready]").wait_for()
    before = inside.locator("#position").inner_text()
    pad = inside.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=10)
    page.mouse.up()
    page.wait_for_timeout(500)
    assert inside.locator("#position").inner_text() != before
    assert "nats" in inside.locator("#cost").inner_text()


@pytest.mark.long
def test_on_a_touch_screen_a_tap_opens_the_explorer(built, visit):
    page = visit(built / "index.html", width=390, has_touch=True, is_mobile=True)
    page.locator(".explorer").scroll_into_view_if_needed()
    page.locator(".explorer .begin span").tap()
    assert page.locator(".explorer .begin").is_hidden()


@pytest.mark.long
def test_a_link_into_a_fold_opens_it(built, visit):
    page = visit(built / "course" / "01_autoencoder.html")
    page.evaluate("""() => {
      const fold = document.querySelector("details.fold");
      fold.append(Object.assign(document.createElement("p"), { id: "inside" }));
      location.hash = "inside";
    }""")
    page.wait_for_selector("details.fold[open] #inside", state="attached")


@pytest.mark.long
def test_the_first_page_and_lesson_01_are_in_chinese(built, visit):
    for name in ("index", "course/01_autoencoder"):
        page = visit(built / "zh_TW" / f"{name}.html")
        paragraphs = page.locator("article p:not(:has(a:only-child))").all_inner_texts()
        chinese = [one for one in paragraphs if re.search(r"[\u4e00-\u9fff]", one)]
        assert len(chinese) > 0.85 * len(paragraphs), name
        assert page.locator(".untranslated").count() == 0
    assert visit(built / "zh_TW" / "course" / "06_objectives.html").locator(".untranslated").count() == 1

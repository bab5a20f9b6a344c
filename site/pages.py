"""What Sphinx needs beyond Markdown to show the course: folds, live explorers, links to terms, formulas by KaTeX."""

import re
import subprocess
import sys

import course
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.directives.other import TocTree
from sphinx.locale import get_translation
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.i18n import CatalogInfo
from sphinx.util.osutil import relative_uri

_ = get_translation("site")

# Words with another meaning in daily or in Python's language: linked only where a lesson prints them bold or italic.
AMBIGUOUS = {"channel", "code", "factor", "kernel", "mixture", "rate"}
LESSON_MENTION = re.compile(r"\b(?:[Ll]essons?|[Aa]ppendix) ([\dA]\d)\b|第 ?(\d\d) ?課")
NOT_LINKED = (
    nodes.literal,
    nodes.literal_block,
    nodes.reference,
    nodes.title,
    nodes.math,
    nodes.math_block,
    nodes.term,
)
# How a paragraph begins, and the class that it gets. The beginning is bold, or stands in the plain text.
ASIDES = {"Predict": "predict", "Question": "predict", "What you see": "seen", "The answer": "answer", "Target": "seen"}


class fold(nodes.General, nodes.Element):  # noqa: N801 - as docutils names its nodes
    """What <details> holds. Its first child is a `fold_title`."""


class fold_title(nodes.Part, nodes.TextElement):  # noqa: N801
    """The line in view."""


class explorer(nodes.General, nodes.Element):  # noqa: N801
    """A page of an explorer; `page` is its file in _static/live."""


class Fold(SphinxDirective):
    """Text behind a line that opens at a click."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        words = self.arguments[0]
        children, _messages = self.parse_inline(words)
        title = fold_title(words, "", *children)
        self.set_source_info(title)
        return [fold("", title, *self.parse_content_to_nodes())]


class Explorer(SphinxDirective):
    """A live explorer, loaded when it comes into view."""

    required_arguments = 1

    def run(self):
        return [explorer(page=self.arguments[0])]


class MovingManifold(SphinxDirective):
    """The film of the plane that a VAE learns; its last picture for those who want nothing to move."""

    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012 - as docutils has it

    def run(self):
        film = nodes.image(uri="course/static/manifold.gif", alt=self.options["alt"], width="336", height="336")
        self.set_source_info(film)
        still = '<picture><source media="(prefers-reduced-motion: reduce)" srcset="_static/manifold.png" />'
        return [nodes.raw("", still, format="html"), film, nodes.raw("", "</picture>", format="html")]


class LessonLinks(SphinxDirective):
    """The row of links under the title of a lesson."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        links = [
            f"{{download}}`{_('One file to run')} <one-file/{name}.ipynb>`",
            f"[{_('All downloads')}](downloads.md)",
            f"[{_('Glossary')}](glossary.md)",
            f"[{_('Symbols')}](symbols.md)",
        ]
        if address := course.colab_address(name):
            links.insert(0, f"[{_('Run in Colab')}]({address})")
        (row,) = in_own_words(self.parse_text_to_nodes("\n".join(f"- {link}" for link in links)))
        row["classes"].append("lesson-links")
        return [row]


class LessonTree(TocTree):
    """The lessons in the table of contents. A pattern would find the teaching pages of a lesson as well."""

    def run(self):
        self.env.note_reread()  # a lesson that is added changes no file of this page
        self.content = StringList([f"course/{name}" for name in course.lessons()])
        return super().run()


class LessonTime(SphinxDirective):
    """The minutes of a lesson. They change with each build of it, so a message for translators has none of them."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        sentences = re.split(r"(?<=\.) (?=[A-Z])", self.arguments[0])
        words = [f"**{_('Time.')}**", *map(in_own_language, sentences)]
        return in_own_words(self.parse_text_to_nodes(" ".join(words)))


def in_own_language(sentence):
    """A sentence whose numbers are {} in the catalogue of the site."""
    number = re.compile(r"\d+(?:\.\d+)?")
    return str(_(number.sub("{}", sentence))).format(*number.findall(sentence))


class LessonMap(SphinxDirective):
    """Cards of the lessons between two numbers, such as 01-05, with the minutes that the README states."""

    required_arguments = 1

    def run(self):
        first, last = self.arguments[0].split("-")
        names = [name for name in course.lessons() if first <= name[:2] <= last]
        return [nodes.container("", *map(self.card, names), classes=["cards"])]

    def card(self, name):
        question, *times = course.rows_of_the_map().get(name, ("", "", "", ""))
        labels = (_("in class {}"), _("side roads {}"), _("computing {}"))
        times = [time.replace("min", str(_("min"))) for time in times]
        times = [str(label).format(time) for label, time in zip(labels, times) if time.strip("–")]
        links = [f"[{_('Read')}](course/{name}.md)", f"{{download}}`{_('Download')} <course/one-file/{name}.ipynb>`"]
        if address := course.colab_address(name):
            links.insert(1, f"[{_('Run in Colab')}]({address})")
        words = self.parse_text_to_nodes(f"[{course.title_of(name)}](course/{name}.md)\n\n{question}")
        rest = in_own_words(self.parse_text_to_nodes(" · ".join(times) + "\n\n" + " ".join(links)))
        return nodes.container("", *words, *rest, classes=["card"])


def in_own_words(made):
    """Nodes whose words come from the catalogue of the site itself: they are no messages of the page."""
    for node in made:
        for paragraph in node.findall(nodes.paragraph):
            paragraph["translatable"] = False
    return made


# HTML


def visit_fold(self, node):
    self.body.append("<details class='fold'>")


def depart_fold(self, node):
    self.body.append("</details>\n")


def visit_fold_title(self, node):
    self.body.append("<summary>")


def depart_fold_title(self, node):
    self.body.append("</summary>\n")


def visit_explorer(self, node):
    here = self.builder.get_target_uri(self.builder.current_docname)
    address = relative_uri(here, f"_static/live/{node['page']}")
    self.body.append(
        f'<div class="explorer" data-page="{address}" data-title="{_("Latent explorer")}" '
        f'data-begin="{_("Tap to draw")}">'
        f'<p class="alone"><a href="{address}">{_("Open the explorer in a page of its own")}</a></p></div>\n'
    )
    raise nodes.SkipNode


def visit_math(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math") + self.encode(node.astext()) + "</span>")
    raise nodes.SkipNode


def visit_math_block(self, node):
    self.body.append(self.starttag(node, "div", "", CLASS="math display") + self.encode(node.astext()) + "</div>\n")
    raise nodes.SkipNode


def skip(self, node):
    pass


# What is added to a page


class MarkAsides(SphinxTransform):
    """Give the paragraphs that ask, answer or tell what is seen a class."""

    default_priority = 15  # before the translation, which keeps classes

    def apply(self):
        for paragraph in self.document.findall(nodes.paragraph):
            if isinstance(paragraph.parent, nodes.entry):  # a cell of a table has no room for it
                continue
            beginning = paragraph.astext()[:20]
            for words, name in ASIDES.items():
                if re.match(rf"{words}\b", beginning):
                    paragraph["classes"].append(name)


def link(app, doctree, docname):
    """Link the first use of each term and of each function in a lesson, and what mentions another lesson."""
    if docname.startswith("course/") and app.builder.format == "html":
        if app.env.metadata[docname].get("lesson"):
            link_terms(app, doctree, docname)
        if docname != "course/package":
            link_functions(app, doctree, docname)
            link_lessons(app, doctree, docname)


def free_texts(doctree):
    """The texts that may become a link."""
    for text in list(doctree.findall(nodes.Text)):
        parent, ancestors = text.parent, []
        while parent is not None:
            ancestors.append(parent)
            parent = parent.parent
        if not any(isinstance(one, (*NOT_LINKED, fold_title)) for one in ancestors):
            yield text


def spellings(app):
    """{a word as it is written: the term of the glossary}, in the language of the page."""
    words = {}
    for term, translations, _sentence in course.glossary_rows():
        if app.config.language == "zh_TW":
            words[re.sub("（.*", "", translations[0])] = term
        else:
            outside, _bracket, inside = term.replace("\\|", "|").partition(" (")
            written = [part for part in (outside, inside.rstrip(")")) if part]
            words |= {word: term for group in written for word in group.split(",")[:1]}
    return words


def link_terms(app, doctree, docname):
    words = spellings(app)
    chinese = app.config.language == "zh_TW"
    longest_first = sorted(words, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    pattern = re.compile(pattern if chinese else rf"\b({pattern})s?\b", re.IGNORECASE)
    lower, linked = {word.lower(): term for word, term in words.items()}, set()

    def target(found, only=None):
        term = lower.get(found[0].lower()) or lower.get(found[0].lower().removesuffix("s"))
        place = term and app.env.domains["std"].objects.get(("term", term))
        if not place or term in linked or (only is not None and not only(term)):
            return None
        linked.add(term)
        return app.builder.get_relative_uri(docname, place[0]) + "#" + place[1]

    for text in free_texts(doctree):
        if isinstance(text.parent, (nodes.strong, nodes.emphasis)) and pattern.fullmatch(text.astext().strip()):
            replace(text, pattern, target)
    for text in free_texts(doctree):
        replace(text, pattern, lambda found: target(found, lambda term: term not in AMBIGUOUS))


def link_lessons(app, doctree, docname):
    by_number = {name[:2]: f"course/{name}" for name in course.lessons()}

    def target(found):
        page = by_number.get(found[1] or found[2])
        return app.builder.get_relative_uri(docname, page) if page and page != docname else None

    for text in free_texts(doctree):
        replace(text, LESSON_MENTION, target, "")


def link_functions(app, doctree, docname):
    """The first `vh.name` of each name in the text."""
    known, linked = app.env.domains["py"].objects, set()
    for literal in list(doctree.findall(nodes.literal)):
        found = re.match(r"vh\.(\w+)", literal.astext())
        name = found and f"vae_helpers.{found[1]}"
        if name in known and name not in linked and not isinstance(literal.parent, nodes.reference):
            linked.add(name)
            address = app.builder.get_relative_uri(docname, known[name].docname) + "#" + known[name].node_id
            literal.replace_self(nodes.reference("", "", literal.deepcopy(), refuri=address, internal=True))


def replace(text, pattern, target, css="term-link"):
    """Make links of those matches in a text for which target(match) gives an address."""
    words, parts, end = text.astext(), [], 0
    for found in pattern.finditer(words):
        if address := target(found):
            made = nodes.reference("", found[0], refuri=address, internal=True, classes=[css] if css else [])
            parts += [nodes.Text(words[end : found.start()]), made]
            end = found.end()
    if parts:
        text.parent.replace(text, [part for part in [*parts, nodes.Text(words[end:])] if part.astext()])


def describe(app, pagename, templatename, context, doctree):
    """The description that search engines show, and where the page stands in the other languages."""
    words = course.promise_of(pagename.partition("/")[2]) if pagename.partition("/")[2] in course.lessons() else ""
    words = re.sub(r"[$*`]", "", words) or app.config.site_description
    context["metatags"] = (
        context.get("metatags", "") + f'\n<meta name="description" content="{nodes.unescape(words)}" />'
    )
    progress = (doctree or {}).get("translation_progress", {"translated": 1, "total": 1})  # the search has no text
    up = "../" * pagename.count("/")
    target = app.builder.get_target_uri(pagename)
    if app.config.language == "en":
        context["languages"] = [("繁體中文", f"{up}zh_TW/{target}", "zh-Hant-TW")] if other_languages() else []
    else:
        context["languages"] = [("English", f"{up}../{target}", "en")]
        context["untranslated"] = progress["translated"] <= 0.5 * progress["total"]
    # Sphinx gives the captions the role of a heading, and no level.
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
    context["words"] = {
        "site": _("The site"),
        "lessons": _("Lessons"),
        "glossary": _("Glossary"),
        "teaching": _("Teaching"),
        "downloads": _("Downloads"),
        "search": _("Search"),
        "untranslated": _("This page is not translated yet; here it is in English."),
    }


# Other languages


def other_languages():
    return [path.name for path in sorted((course.SITE / "locale").glob("*")) if path.is_dir()]


def in_its_language(app, config):
    """The title of the site in the language of the pages, which lie in a folder of their own."""
    config.html_title = str(_("Variational autoencoders"))
    # Sphinx's own search for Chinese needs jieba, and its script names a stemmer that is not there.
    config.html_search_language = "en"
    if config.html_baseurl and config.language != "en":
        config.html_baseurl = f"{config.html_baseurl.rstrip('/')}/{config.language}/"


def build_other_languages(app, exception):
    """The English site brings the others, each in a folder of its name."""
    if exception or app.builder.name != "html" or app.config.language != "en":
        return
    for language in other_languages():
        command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-D", f"language={language}"]
        command += ["--fail-on-warning", "--keep-going"] if app.warningiserror else []
        command += ["-d", str(app.outdir / ".doctrees" / language), str(app.srcdir), str(app.outdir / language)]
        if subprocess.run(command, check=False).returncode:
            raise RuntimeError(f"the pages in {language} could not be built; what is wrong stands above.")


def setup(app):
    app.add_config_value("site_description", "", "html")
    for language in other_languages():  # before Sphinx does it: the words are needed from the beginning
        CatalogInfo(str(course.SITE / "locale" / language / "LC_MESSAGES"), "site", "utf-8").write_mo(language)
    app.add_message_catalog("site", str(course.SITE / "locale"))
    app.add_directive("fold", Fold)
    app.add_directive("explorer", Explorer)
    app.add_directive("moving-manifold", MovingManifold)
    app.add_directive("lesson-links", LessonLinks)
    app.add_directive("lesson-map", LessonMap)
    app.add_directive("lesson-time", LessonTime)
    app.add_directive("lesson-tree", LessonTree)
    others = {"gettext": (skip, skip), "text": (skip, skip), "latex": (skip, skip)}
    app.add_node(fold, html=(visit_fold, depart_fold), **others)
    app.add_node(fold_title, html=(visit_fold_title, depart_fold_title), **others)
    app.add_node(explorer, html=(visit_explorer, None), **others)
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.add_transform(MarkAsides)
    app.connect("doctree-resolved", link)
    app.connect("html-page-context", describe, priority=900)  # after the theme
    app.connect("config-inited", in_its_language)
    app.connect("build-finished", build_other_languages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

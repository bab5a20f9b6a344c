"""Markdown with formulas as HTML that needs no network: each formula is drawn as an SVG picture."""

import functools
import html
import re

import mistune

FORMULA = re.compile(r"(?s:```.*?```)|`[^`\n]*`|(?s:\$\$(?P<displayed>.+?)\$\$)|\$(?P<inline>[^$\n]+)\$")
_markdown = mistune.create_markdown(escape=False, plugins=["table"])


def to_html(text):
    """A text in markdown as HTML."""
    drawn = []

    def draw(match):
        if not (match["displayed"] or match["inline"]):
            return match[0]  # code
        drawn.append(formula(match["displayed"] or match["inline"], bool(match["displayed"])))
        return f"DRAWN{len(drawn) - 1}FORMULA"

    page = _markdown(FORMULA.sub(draw, text))
    return re.sub(r"DRAWN(\d+)FORMULA", lambda match: drawn[int(match[1])], page)


@functools.cache
def formula(tex, displayed):
    """A formula as SVG, as large as the text around it and on its line. What a screen reader says is the TeX."""
    try:
        import ziamath

        ziamath.config.svg2 = False  # every formula brings its own letters, also where another one is hidden
    except ImportError:
        raise SystemExit("The formulas are drawn by ziamath: run pip install ziamath.") from None
    size, tex = 100, " ".join(tex.split())
    label, box = html.escape(tex), re.fullmatch(r"\\boxed\{(.*)\}", tex)
    tex = re.sub(r"\\(math\w+) (\w)", r"\\\1{\2}", box[1] if box else tex)  # what ziamath draws otherwise than TeX
    tex = re.sub(r"\\Vert\b|\\,\\\|\\,", r"\\parallel ", tex)  # of a KL; ziamath makes it as high as what it stands in
    drawn = ziamath.Latex(tex, size=size, inline=not displayed)
    width, height = (n / size for n in drawn.getsize())
    svg = re.sub(r' (width|height)="[^"]*"', "", drawn.svg(), count=2)
    style = f"width:{width:.3f}em;height:{height:.3f}em;vertical-align:{drawn.getyofst() / size:.3f}em"
    style += ";border:.06em solid" if box else ""
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{label}" style="{style}" ', 1)
    return f'<span class="displayed">{svg}</span>' if displayed else svg


def page(template, **values):
    """A whole HTML file, from a template that holds {{name}} for each of the values."""
    text = template.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text

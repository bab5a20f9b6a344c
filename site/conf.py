"""The course as a website: pip install -r site/requirements.txt && sphinx-build site site/_build"""

import sys
from pathlib import Path

SITE = Path(__file__).resolve().parent
sys.path.insert(0, str(SITE))

import course

course.write_pages()

project = "Variational autoencoders"
html_title = "Variational autoencoders"
site_description = (
    "A course on variational autoencoders that runs: ten lessons with pictures, exercises, and a model to draw with."
)
language = "en"

extensions = ["myst_parser", "sphinx_copybutton", "pages"]
exclude_patterns = ["_build", "*.txt", "README.md", "locale"]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
smartquotes_action = "D"  # dashes only
suppress_warnings = ["config.cache", "myst.header", "myst.nested_header"]  # a heading in an answer is no fault

add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static", "course/static"]
html_css_files = ["katex/katex.min.css", "site.css"]
html_js_files = [("katex/katex.min.js", {"defer": "defer"}), ("site.js", {"defer": "defer"})]
html_math_renderer = "katex"
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_show_sphinx = False
html_show_copyright = False
html_baseurl = course.project_urls().get("Documentation", "")
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1d4f9e", "color-brand-content": "#1d4f9e"},
    "dark_css_variables": {"color-brand-primary": "#8dbbff", "color-brand-content": "#8dbbff"},
    "navigation_with_keys": True,
    "top_of_page_buttons": [],
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "languages.html",
        "sidebar/scroll-end.html",
    ]
}
copybutton_selector = ".highlight-python pre, .highlight-bash pre"

locale_dirs = ["locale"]
gettext_compact = False
gettext_uuid = False
gettext_location = False

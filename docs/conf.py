"""Sphinx: the pages of this folder and the reference from the docstrings, built offline."""

import re
import sys
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import fastgd

sys.path.append(str(Path(__file__).parent))

project = "fastgd"
author = "The fastgd maintainers"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name
version = release = fastgd.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_reredirects",
    "command_reference",
    "live_article",
    "parameter_anchors",
]
exclude_patterns = ["build"]
html_theme = "furo"
man_pages = [("command-line", "fastgd", "train small neural networks", author, 1)]
html_title = f"fastgd {release}"
html_show_sourcelink = False
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
# Plots are drawn dark on white; in the dark mode they are inverted, and their hues turned back.
html_theme_options = {"dark_css_variables": {"plot-filter": "invert(0.92) hue-rotate(180deg)"}}
smartquotes = False  # quotes and dashes are often code: '--', "8x8"

# Addresses of pages that were merged into others.
redirects = {
    "from-matlab": "coming-from.html",
    "gallery": "plots.html",
    "which-function": "index.html#which-function",
}

# Headings down to the third level can be linked to, by the names that code hosts give them.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]  # the cards of the front page

# The button copies the input of a doctest, without prompts and output, and all of a bash block.
copybutton_prompt_text = r">>> |\.\.\. ?"
copybutton_prompt_is_regexp = True

# Docstrings say what arguments are; the annotations would say it again, at length.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
nitpicky = True
nitpick_ignore = [("py:mod", "scipy.optimize")]  # no inventory of another project offline

_BASH = re.compile(r"^```bash\n.*?^```$", re.MULTILINE | re.DOTALL)
_FOR_THE_TESTS = re.compile(
    r"^(#.*?) *\((?:the tests add .+|\.ci/(?:run|nightly) runs this)\)$\n", re.MULTILINE
)
_END_OF_DOCTEST = re.compile(r"^\n```$", re.MULTILINE)
_CODE = re.compile(r"^Code: \[.+?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"\]\((?P<path>\.\./examples/\w+/(?P<name>\w+\.(?P<language>py|sh)))\)")


def without_remarks(block: re.Match[str]) -> str:
    """Remove what a comment tells the tests (docs/contributing.md, "Documents")."""
    return _FOR_THE_TESTS.sub(lambda found: "" if found[1] == "#" else f"{found[1]}\n", block[0])


def with_files(code: re.Match[str]) -> str:
    """Include the files that a line "Code: ..." links to, for pages outside a repository."""
    return "\n\n".join(
        f":::{{dropdown}} {file['name']}\n```{{literalinclude}} {file['path']}\n"
        f":language: {file['language']}\n```\n:::"
        for file in _FILE.finditer(code[0])
    )


def for_readers(_app: Sphinx, _docname: str, source: list[str]) -> None:
    """Hide what is in a page for the tests and code hosts: remarks, ends of doctests, links."""
    shown = _END_OF_DOCTEST.sub("```", _BASH.sub(without_remarks, source[0]))
    source[0] = _CODE.sub(with_files, shown)


def for_readers_of_included(app: Sphinx, _path: Path, docname: str, source: list[str]) -> None:
    """Hide it in a file that a page includes, too."""
    for_readers(app, docname, source)


def describe(
    _app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Give a page the description that search engines show: how its first paragraph begins."""
    if doctree and (first := next(doctree.findall(nodes.paragraph), None)):
        text = escape(shorten(first.astext(), 160, placeholder="..."))
        context["metatags"] += f'<meta name="description" content="{text}">'


def without_links(app: Sphinx, page: nodes.document, _docname: str) -> None:
    """Leave the text of links in a man page, where they lead nowhere."""
    if app.builder.format == "man":
        for link in list(page.findall(nodes.reference)):
            link.replace_self(link.children)


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("html-page-context", describe)
    app.connect("doctree-resolved", without_links)
    app.connect("source-read", for_readers)
    app.connect("include-read", for_readers_of_included)

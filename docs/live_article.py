"""Sphinx: the article's live page next to the other pages, as ``fastgd tutorial --html`` writes it.

That takes about a minute, so it is written anew only after a change of the package.
"""

from pathlib import Path
from shutil import copyfile

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

import fastgd
from fastgd.article import page

NAME = "article-live.html"
HEADING = "\n## Live in your browser\n"
BUTTON = f"""
:::{{button-link}} {NAME}
:color: primary
Open the live page
:::
"""


def write_page(app: Sphinx) -> None:
    """Write the page, or copy the one that the configuration names."""
    if app.builder.name != "html":
        return
    path = Path(app.outdir, NAME)
    if app.config.article_page:
        copyfile(app.config.article_page, path)
    elif not path.exists() or path.stat().st_mtime < _changed():
        logging.getLogger(__name__).info("writing %s", NAME)
        page.prepare()
        page.write(path)


def link_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add a button to the page's document; on a code host, a link there would lead nowhere."""
    if docname == "article" and app.builder.name == "html":
        before, heading, after = source[0].partition(HEADING)
        if not heading:
            raise ExtensionError(f"article.md has no heading{HEADING}")
        source[0] = before + heading + BUTTON + after


def _changed() -> float:
    """When a file of the package was changed last."""
    folder = Path(fastgd.__file__).parent
    return max(f.stat().st_mtime for f in folder.rglob("*") if f.suffix != ".pyc" and f.is_file())


def setup(app: Sphinx) -> ExtensionMetadata:
    """Sphinx calls this."""
    app.add_config_value("article_page", "", "", str)
    app.connect("builder-inited", write_page)
    app.connect("source-read", link_page)
    return {"parallel_read_safe": True}

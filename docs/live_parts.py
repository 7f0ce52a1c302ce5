"""Write the article's page with only its live parts, in seconds: to work on their JavaScript.

python docs/live_parts.py live.html
"""

import sys
from pathlib import Path

from fastgd.article import comparison, page
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page import live
from fastgd.article.page.markup import Markup, element, join
from fastgd.article.page.sections import SECTIONS, Section
from fastgd.article.page.words import explained


def place(section: Section) -> Markup:
    """A section's title, and what the page's script fills."""
    filled = element("div", id=f"live-{section.live}", class_="live", hidden="")
    return element("section", element("h2", section.title), filled, id=section.name)


def main() -> None:
    """Write the page to the file that is named."""
    published = [comparison.run(each) for each in EXPERIMENTS if each.published]
    places = [place(section) for section in SECTIONS if section.live]
    opening = element("div", id="live-opening", class_="live", hidden="")
    title = element("h1", page.TITLE)
    sentence = element("p", page.SENTENCE)
    main = explained(join([title, sentence, opening, *places]))
    html = page.whole_page(element("main", main), live.make(published))
    Path(sys.argv[1]).write_text(html, encoding="utf-8")


if __name__ == "__main__":
    main()

"""The gallery shows every image of the documents, with commands that other pages run."""

import re

from document import DOCUMENTS, ROOT, blocks

GALLERY = ROOT / "docs" / "gallery.md"
OTHERS = [path for path in DOCUMENTS if path != GALLERY]


def lines_of(paths):
    """All lines of code in these documents, without prompts."""
    return {
        line.removeprefix(">>> ")
        for path in paths
        for block in blocks(path)
        for line in block.text.splitlines()
    }


def test_code_of_the_gallery_is_that_of_pages_that_are_tested():
    assert lines_of([GALLERY]) <= lines_of(OTHERS)


def test_every_plot_of_the_documents_is_in_the_gallery():
    shown = set(re.findall(r"images/([\w.-]+)", GALLERY.read_text(encoding="utf-8")))
    images = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    assert shown == images - {"page-live.gif", "page-phone.png", "performance.png"}

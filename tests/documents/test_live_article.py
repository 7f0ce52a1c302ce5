"""The documents have the article's live page: written anew after a change of the package only."""

from os import utime
from types import SimpleNamespace

import pytest

from document import ROOT


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A function that builds as far as the page; gives back how often it was written."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    import live_article

    said = []
    monkeypatch.setattr(live_article.page, "prepare", lambda: said.append("prepared"))

    def write(path):
        path.write_text("a page")
        said.append("written")

    monkeypatch.setattr(live_article.page, "write", write)

    def build(article_page=""):
        config = SimpleNamespace(article_page=article_page)
        app = SimpleNamespace(builder=SimpleNamespace(name="html"), outdir=tmp_path, config=config)
        live_article.write_page(app)
        assert said == ["prepared", "written"] * (len(said) // 2)
        return len(said) // 2

    return build


def test_it_is_written_once_and_again_after_a_change(built, tmp_path):
    page = tmp_path / "article-live.html"
    assert built() == 1
    assert page.read_text() == "a page"
    assert built() == 1
    utime(page, (0, 0))  # older than the package
    assert built() == 2


def test_one_that_there_is_takes_its_place(built, tmp_path):
    other = tmp_path / "other.html"
    other.write_text("another page")
    assert built(other) == 0
    assert (tmp_path / "article-live.html").read_text() == "another page"

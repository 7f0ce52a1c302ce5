import pytest

from article_live import Live


@pytest.fixture
def live(visit, article_page):
    """Open the page at an address."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)  # machines may be busy
    return lambda place="", **options: Live(visit(article_page, place, **options))

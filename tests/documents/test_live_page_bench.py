"""bench/live_page.py checks what it measures, and writes the tables of the live page."""

from argparse import Namespace

import pytest

from benches import bench
from chromium import needs_chromium

live_page = bench("live_page")


@pytest.mark.slow
@needs_chromium
def test_the_page_is_measured_in_both_modules(article_page):
    with live_page.sync_playwright() as playwright:
        text = live_page.tables(playwright, article_page, Namespace(quick=True))
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows if row[0].startswith("train")] == ["train 3-4-1", "train 3-32-1"]
    assert all(len(row) == 5 for row in rows[:4])
    assert "size of the file" in rows[-1]
    assert text.endswith("SMOKE RUN: figures mean nothing.")


@pytest.mark.slow
@needs_chromium
def test_an_error_that_is_not_pythons_is_seen(article_page):
    with (
        live_page.sync_playwright() as playwright,
        live_page.opened(playwright, article_page) as page,
    ):
        opened = live_page.Opened(page)
        _, error = live_page.here(4)
        assert opened.seconds(4, error) > 0
        with pytest.raises(AssertionError, match="isn't Python's"):
            opened.seconds(32, error)


def test_the_document_has_its_tables():
    documents = live_page.documents
    text = documents.report.between_markers(documents.PERFORMANCE.read_text(), "live")[1]
    for work in ("train 3-4-1", "train 3-32-1", "the first curve after opening"):
        assert f"| {work} | " in text
    assert "SMOKE" not in text

"""Chromium without a window, where there is one, and what a page does in it."""

import os
import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("FASTGD_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: set FASTGD_CHROMIUM, or have chromium on the PATH"
)


@contextmanager
def chromium(*flags):
    """A browser, driven by Playwright, which downloads none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *flags]
        )
        yield browser
        browser.close()


class Visit:
    """A page that is open, with all that it says and asks for meanwhile.

    Attributes
    ----------
    page : playwright.sync_api.Page
    messages : list of str
        Messages on the console and errors that nobody caught, also those of its workers.
    requests : list of str
        Addresses that it asked for, but for its own and what it made itself.
    """

    def __init__(self, browser, address, *, width=1200, script=None, **options):
        self.file = address.partition("#")[0]
        self.messages, self.requests = [], []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        if script is not None:
            self.context.add_init_script(script)
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", self._requested)
        self.page.goto(address)

    def _requested(self, request):
        if not request.url.startswith((self.file, "blob:", "data:")):
            self.requests.append(request.url)


class Visitor:
    """Opens pages in a browser; at the end all of them must have been silent."""

    def __init__(self, browser):
        self.browser = browser
        self.visits = []

    def __call__(self, path, place="", **options):
        visit = Visit(self.browser, path.as_uri() + place, **options)
        self.visits.append(visit)
        return visit

    def leave(self):
        for visit in self.visits:
            visit.context.close()
        for visit in self.visits:
            assert visit.messages == []
            assert visit.requests == []

"""The article's live page in Chromium: the tables in docs/performance.md.

    python bench/live_page.py                 two minutes; nothing else should run
    python bench/live_page.py --page FILE     with a page that is already there
    python bench/live_page.py --quick         a smoke run
    python bench/live_page.py --write         write the tables

Trainings are timed by the page's own worker, in turn with those in Python, many times; the figures
are the smallest ones, since whatever else runs can only add to them. Each final error is compared
with Python's. The first curve is timed from the start of the navigation, in a new browser each
time, alone and with two processes that keep both cores busy; the figures are medians.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from playwright.sync_api import Page, Playwright, sync_playwright

import documents
import fastgd
import report
from fastgd.article import page as article
from fastgd.article.page.live import XOR

NAMES = ("chromium", "chromium-browser", "google-chrome")
UNFUSED = "--js-flags=--no-enable-fma3"
"""Without this instruction of Intel's processors relaxed SIMD doesn't fuse."""

ALPHA, ITERATIONS = 10.0, 60_000
HIDDEN = (4, 32)

FIRST = """
globalThis.first = new Promise((resolve) => {
  const watcher = new MutationObserver(() => {
    if (document.querySelector("#experiment-final-error")?.textContent) {
      watcher.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    }
  });
  watcher.observe(document, { subtree: true, childList: true, characterData: true });
});
"""
"""The time after the first frame with a number, from the start of the navigation."""

STARTS = """
(async () => {
  %s
  const pack = await Pack.decode(document.getElementById("live-pack").textContent);
  const trainer = await Trainer.start(document.getElementById("live-worker").textContent, pack);
  globalThis.timed = (settings) => new Promise((resolve) =>
    trainer.train("bench", settings, (result) => result.finished && resolve(result)));
  return trainer.fused;
})()
"""


def settings_of(hidden: int) -> dict[str, Any]:
    """What the page's trainer takes."""
    fixed = {"optimizer": "GradientDescent", "bias": False, "dropout": 0, "path": False, "seed": 1}
    sizes = {"hidden": hidden, "alpha": ALPHA, "iterations": ITERATIONS, "recordEvery": 100}
    return {"X": XOR[0], "y": XOR[1], **fixed, **sizes}


class Opened:
    """The page, whose trainer does what it is asked for."""

    def __init__(self, page: Page) -> None:
        script = page.locator("script[type=module]").text_content() or ""
        self.page = page
        self.fused = page.evaluate(STARTS % script.replace("\nstart();\n", "\n"))

    def seconds(self, hidden: int, final_error: float) -> float:
        """Train, and return how long it took."""
        result = self.page.evaluate(f"timed({json.dumps(settings_of(hidden))})")
        if result["finalError"] != final_error:
            raise AssertionError(f"{result['finalError']!r} isn't Python's {final_error!r}")
        return float(result["seconds"])


def here(hidden: int) -> tuple[float, float]:
    """Train in Python: the seconds, and the final error."""
    began = perf_counter()
    run = fastgd.train(*XOR, hidden_size=hidden, alpha=ALPHA, record_every=100)
    return perf_counter() - began, float(run.final_error)


@contextmanager
def opened(playwright: Playwright, path: Path, *flags: str) -> Iterator[Page]:
    """Open the page in a browser of its own."""
    program = os.environ.get("FASTGD_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if program is None:
        raise SystemExit("no Chromium: set FASTGD_CHROMIUM, or have chromium on the PATH")
    browser = playwright.chromium.launch(
        executable_path=program, args=["--no-sandbox", "--disable-gpu", *flags]
    )
    page = browser.new_page()
    page.add_init_script(FIRST)
    page.goto(path.absolute().as_uri())
    yield page
    browser.close()


def first_curve(playwright: Playwright, path: Path) -> float:
    """The seconds from the start of the navigation to the first number on the page."""
    with opened(playwright, path) as page:
        return float(page.evaluate("first")) / 1000


def spin() -> None:
    """Keep a core busy."""
    while True:
        pass


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep this number of cores busy."""
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=spin, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    yield
    for process in processes:
        process.kill()


def speeds(playwright: Playwright, path: Path, repeats: int) -> list[list[str]]:
    """Nanoseconds per iteration: here, and in both modules."""
    rows = []
    with opened(playwright, path) as fast, opened(playwright, path, UNFUSED) as slow:
        relaxed, exact = Opened(fast), Opened(slow)
        if not relaxed.fused or exact.fused:
            raise SystemExit("this processor or this browser doesn't have both modules")
        for hidden in HIDDEN:
            times: list[list[float]] = []
            for _ in range(repeats):
                seconds, error = here(hidden)
                times.append([seconds, *(way.seconds(hidden, error) for way in (relaxed, exact))])
            least = [1e9 / ITERATIONS * min(column) for column in zip(*times[1:], strict=True)]
            cells = [report.figure(ns, "ns") for ns in least]
            ratio = f"{report.digits(least[1] / least[0])}x"
            rows.append([f"train 3-{hidden}-1", cells[0], cells[1], ratio, cells[2]])
    return rows


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page", type=Path, metavar="FILE", help="a page that is already there")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="a smoke run, no figures")
    parser.add_argument("--write", action="store_true", help="write the document's tables")
    given = parser.parse_args()
    if given.write and given.quick:
        parser.error("--write writes the whole table: without --quick")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = given.page or Path(folder, "article.html")
        if given.page is None:
            article.write(path)
        text = tables(playwright, path, given)
    print(text)
    if given.write:
        report.write_between_markers(documents.PERFORMANCE, text, "live")


def tables(playwright: Playwright, path: Path, given: argparse.Namespace) -> str:
    """Measure, and return the lines of both tables."""
    repeats = 2 if given.quick else given.repeats
    head = ("work", "in Python", "on the page, `wasm32-relaxed`", "ratio", "on the page, `wasm32`")
    lines = [report.markdown_table(head, speeds(playwright, path, repeats))]
    alone = median(first_curve(playwright, path) for _ in range(repeats))
    with busy(2):
        loaded = median(first_curve(playwright, path) for _ in range(repeats))
    facts = [
        ["the first curve after opening", f"{alone:.2f} s"],
        ["the same, with two other processes on two cores", f"{loaded:.2f} s"],
        ["size of the file", f"{path.stat().st_size / 1e6:.2f} MB"],
    ]
    lines.append(report.markdown_table(("work", "figure"), facts))
    lines.append(report.stamp(given.quick, ("fastgd", "numba", "llvmlite")) + ".")
    return "\n\n".join(lines)


if __name__ == "__main__":
    main()

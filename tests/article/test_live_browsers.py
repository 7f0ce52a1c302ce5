"""The page in Chromium, Firefox and WebKit: the digits of Python in each, and no complaints."""

from functools import cache
from io import BytesIO
from urllib.parse import parse_qsl

import pytest

from article_live import changes_of, trained
from browsers import each_browser

pytestmark = [pytest.mark.slow, each_browser]

STATES = [
    "",
    "alpha=10",
    "alpha=1000",
    "alpha=0.001&iterations=100000",
    "alpha=100&seed=4294967295",
    "alpha=3.7&hidden=1&seed=0&iterations=123",
    "alpha=10&hidden=32&iterations=3000",
    "alpha=0.01&hidden=31&iterations=1",
    "hidden=0&iterations=1000&optimizer=Rprop",
    "hidden=0&bias=on&alpha=31.6&iterations=2000",
    "iterations=700&seed=5&bias=on",
    "hidden=16&iterations=1000&dropout=0.25&seed=3",
    "alpha=1000&hidden=3&iterations=500&optimizer=Momentum&dropout=0.9",
    "alpha=0.01&hidden=8&iterations=2000&optimizer=Adam&bias=on",
    "alpha=7&hidden=3&seed=12&iterations=400&optimizer=AdaGrad&bias=on",
    "iterations=300&optimizer=AdaDelta&alpha=1&seed=77",
    "data=0.5 -1 0.25%0A2 1e-3 1%0A0 0 0&hidden=2&iterations=500",
    "data=0 0 0%0A0 1 1%0A1 0 1%0A1 1 0&bias=on&alpha=10&iterations=5000",
]

SHOWN = """await (async () => {
  const error = document.getElementById("experiment-final-error");
  if (error?.dataset.finished !== "true") return null;
  const rows = document.querySelectorAll("#experiment-changes tbody tr");
  const cells = [...rows].map((row) => [...row.querySelectorAll("td")]);
  const changes = cells.map((row) => row.map(({ textContent }) => textContent));
  return rows.length ? { error: error.textContent, changes } : null;
})()"""
"""What the page says of a training that is over."""


@pytest.fixture(scope="module")
def driven(request):
    with request.param() as browser:
        yield browser


@cache
def wanted(state):
    """What Python says."""
    settings = {}
    for name, value in parse_qsl(state):
        if name == "data":
            rows = [list(map(float, row.split())) for row in value.splitlines()]
            settings |= {"X": [row[:-1] for row in rows], "y": [row[-1] for row in rows]}
        elif name in ("alpha", "dropout"):
            settings[name] = float(value)
        elif name == "bias":
            settings[name] = value == "on"
        else:
            settings[name] = int(value) if value.isdigit() else value
    return trained(**settings)


def test_the_digits_of_python(driven, article_page):
    for state in STATES:
        driven.open(article_page, f"#{state}" if state else "")
        shown = driven.until(SHOWN)
        run = wanted(state)
        assert shown["error"] == repr(float(run.final_error)), state
        assert shown["changes"] == changes_of(run), state
    assert driven.messages() == []


def test_the_first_curve(driven, article_page, record_property):
    """Reported; how fast it is on a machine that isn't busy is measured by bench/live_page.py."""
    driven.open(article_page)
    driven.until("document.getElementById('experiment-final-error')?.textContent")
    seconds = driven.run("return performance.now() / 1000")
    record_property("first curve, s", seconds)
    print(f"first curve after {seconds:.2f} s")
    assert seconds < 10


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)], ids=["phone", "desktop"])
def test_a_screenshot_has_something_on_it(driven, article_page, width, height):
    import matplotlib.pyplot as plt

    driven.resize(width, height)
    driven.open(article_page)
    driven.until(SHOWN)
    assert driven.run("return document.documentElement.scrollWidth <= innerWidth")
    pixels = plt.imread(BytesIO(driven.screenshot()))
    ink = (pixels[..., :3] < 0.9).any(axis=-1)
    for stripe in (ink[: len(ink) // 2], ink[len(ink) // 2 :]):
        assert 0.01 < stripe.mean() < 0.6
    assert driven.messages() == []

"""The thirteen lines of the live page in a browser: they act in turn, with Python's numbers."""

import re

import numpy as np
import pytest

from article_live import cells, trained
from chromium import needs_chromium
from fastgd.article.page.live import XOR

pytestmark = [pytest.mark.slow, needs_chromium]

ORDER = ["Line 7", "Line 8", "Line 9", "Line 10", "Lines 11 and 12", "Line 13", "Line 14"]


def lit(live):
    """The printed number of the line that is lit."""
    return live.page.locator(".line.lit span").inner_text().split()[0]


def shown(live):
    """The matrices of the panel: name with shape, and rows."""
    tables = live["listing-numbers"].locator("table:not([hidden])").all()
    return {table.locator("caption").text_content(): cells(table) for table in tables}


def four(x):
    """A number with four significant digits, as the panel has it."""
    size = abs(x)
    if float(x).is_integer() and size < 1e4:
        return str(int(x))
    if size >= 1e4 or size < 1e-3:
        digits, power = f"{x:.3e}".split("e")
        return f"{digits}e{int(power):+d}"
    return f"{x:#.4g}"


def named(matrices):
    """Matrices as the panel has them."""
    return {
        f"{name} ({len(rows)} x {len(rows[0])})": [[*map(four, row)] for row in rows]
        for name, rows in matrices.items()
    }


def step_of(iteration, **settings):
    """The matrices that each line makes in an iteration."""
    run = trained(**settings, iterations=iteration + 1, record_every=1, record_weights=True)
    synapse_0, synapse_1 = (layer[iteration] for layer in run.recorded_weights)
    X, y = np.array(XOR[0]), np.array([XOR[1]]).T
    layer_1 = 1 / (1 + np.exp(-(X @ synapse_0)))
    layer_2 = 1 / (1 + np.exp(-(layer_1 @ synapse_1)))
    error, slope_2, slope_1 = layer_2 - y, layer_2 * (1 - layer_2), layer_1 * (1 - layer_1)
    back = (error * slope_2) @ synapse_1.T
    alpha = settings["alpha"]
    next_0, next_1 = run.weights
    return [
        {"synapse_0": synapse_0, "synapse_1": synapse_1},
        {"layer_1": layer_1},
        {"layer_2": layer_2},
        {
            "layer_2 - y": error,
            "layer_2*(1-layer_2)": slope_2,
            "layer_2_delta": error * slope_2,
        },
        {
            "layer_2_delta.dot(synapse_1.T)": back,
            "layer_1 * (1-layer_1)": slope_1,
            "layer_1_delta": back * slope_1,
        },
        {
            "synapse_1": synapse_1,
            "alpha * gradient": alpha * layer_1.T @ (error * slope_2),
            "new synapse_1": next_1,
        },
        {
            "synapse_0": synapse_0,
            "alpha * gradient": alpha * X.T @ (back * slope_1),
            "new synapse_0": next_0,
        },
    ]


def test_the_lines_act_one_after_the_other_with_the_numbers_of_python(live):
    page = live("#alpha=10&iterations=100")
    page.says("listing-when", "After 100 iterations")
    for iteration in (0, 1):
        for name, made in zip(ORDER, step_of(iteration, alpha=10), strict=True):
            page["listing-next"].click()
            page.says("listing-when", f"Iteration {iteration}")
            assert page["listing-sentence"].inner_text().startswith(f"{name}. ")
            assert shown(page) == named(made)
            assert int(lit(page).rstrip(".")) == int(name.split()[1])


def test_stepping_lights_each_line_for_a_while_and_stops_after_the_last(live):
    page = live("#iterations=100")
    page.says("listing-when", "After 100 iterations")
    page.page.evaluate(
        """() => {
          window.lit = [];
          for (const line of document.querySelectorAll(".line")) {
            const note = () => window.lit.push([line.innerText.slice(0, 3), performance.now()]);
            const see = () => line.classList.contains("lit") && note();
            new MutationObserver(see).observe(line, { attributeFilter: ["class"] });
          }
        }"""
    )
    page["listing-play"].click()
    page.says("listing-play", "Pause")
    page.says("listing-play", "Step through the lines")
    numbers, times = zip(*page.page.evaluate("window.lit"), strict=True)
    assert numbers == ("08.", "09.", "10.", "11.", "13.", "14.")  # 07. was lit before
    assert np.all(np.diff(times) > 600)
    page.says("listing-when", "Iteration 0")


def test_a_line_shows_its_numbers_under_the_pointer_and_keeps_them_after_a_click(live):
    page = live("#iterations=100")
    page.says("listing-when", "After 100 iterations")
    lines = page.page.locator(".line")
    lines.nth(8).hover()
    assert list(shown(page)) == ["layer_2 (4 x 1)"]
    page["listing-sentence"].hover()
    assert list(shown(page)) == ["synapse_0 (3 x 4)", "synapse_1 (4 x 1)"]
    lines.nth(7).click()
    page["listing-sentence"].hover()
    lines.nth(7).blur()
    assert list(shown(page)) == ["layer_1 (4 x 4)"]
    lines.nth(1).focus()
    assert shown(page) == {"X (4 x 3)": [[str(x) for x in row] for row in XOR[0]]}


def test_while_iterations_play_lines_light_in_turn(live):
    page = live()
    page.shows()
    play = page.page.locator(".listing .play")
    play.click()
    seen = set()
    while play.inner_text() == "Pause":
        seen.add(lit(page))
    assert {"08.", "09.", "10.", "11.", "13.", "14."} <= seen
    assert lit(page) == "07."
    play.click()
    page.page.wait_for_timeout(300)
    play.click()
    assert lit(page) == "07."


def test_with_reduced_motion_lines_act_when_asked_only(live):
    page = live("#iterations=100", reduced_motion="reduce")
    page.says("listing-when", "After 100 iterations")
    assert page["listing-play"].is_hidden()
    page["listing-next"].click()
    page["listing-next"].click()
    assert lit(page) == "08."


@pytest.mark.parametrize("width", [1280, 390])
def test_what_a_line_says_moves_nothing(live, width):
    page = live("#iterations=100", width=width)
    page.says("listing-when", "After 100 iterations")
    measure = """() => {
      const listing = document.querySelector(".listing");
      const begin = listing.getBoundingClientRect().top;
      return [...listing.children].map((piece) => {
        const { top, height } = piece.getBoundingClientRect();
        return [Math.round(top - begin), Math.round(height)];
      });
    }"""
    before = page.page.evaluate(measure)
    others = "#iterations=100&hidden=32&bias=on&dropout=0.5&optimizer=Rprop"
    page.page.evaluate("(place) => (location.hash = place)", others)
    page.says("listing-difference", re.compile("Rprop"))
    for line in page.page.locator(".line").all():
        line.focus()
        assert page.page.evaluate(measure) == before
        assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("place", "by_line"),
    [
        ("dropout=0.5", {"08.": {"layer_1"}, "10.": set(), "13.": set(), "14.": set()}),
        ("optimizer=Adam", {"08.": {"layer_1"}, "13.": {"gradient"}, "14.": {"gradient"}}),
        ("hidden=0", {"08.": set(), "11.": set(), "14.": set(), "09.": {"layer_2"}}),
    ],
)
def test_what_is_not_true_of_a_training_is_not_shown(live, place, by_line):
    page = live(f"#iterations=100&{place}")
    page.says("listing-when", "After 100 iterations")
    for number, names in by_line.items():
        page.page.locator(".line", has_text=number).click()
        assert {name.partition(" (")[0] for name in shown(page)} == names
    off = page.page.locator(".line.off span").all_inner_texts()
    assert [text.split()[0] for text in off] == (
        ["05.", "08.", "11.", "14."] if place == "hidden=0" else []
    )

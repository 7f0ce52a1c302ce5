"""The bucket in a browser: a ball is dragged and rolls, with the numbers of Python."""

import re

import pytest

import fastgd
from chromium import needs_chromium
from fastgd.article.page.live import FIRST, STARTS
from fastgd.bucket import EXAMPLES

pytestmark = [pytest.mark.slow, needs_chromium]

OVER = "#bucket-status:not([data-status=''])"


@pytest.fixture
def page(visit, article_page):
    return opened(visit, article_page)


COPIES = "navigator.clipboard.writeText = async () => {};"
"""Where the reader forbids to copy, the text is marked, which takes the focus."""


def opened(visit, article_page, place="", **options):
    """The page without animations, so that a ball arrives at once."""
    options = {"reduced_motion": "reduce", "script": COPIES} | options
    page = visit(article_page, place, **options).page
    page.wait_for_selector(OVER)
    page.locator("#bucket-chart").scroll_into_view_if_needed()
    return page


def copied(page):
    """What is copied as Python; the focus stays where it is."""
    page.evaluate("document.querySelector('#bucket-copy-python').click()")
    return page.input_value("#bucket-copied-text")


def rolled(page):
    """What Python says of the ball, once it is what the page says."""
    page.wait_for_selector(OVER)
    names = {"print": repr}
    code = copied(page)
    exec(code, names)
    found = names["ball"]
    assert page.inner_text("#bucket-x") == repr(found.x), code
    steps = f"{found.iterations:,} iteration{'s' * (found.iterations != 1)}"
    assert page.inner_text("#bucket-status").startswith(f"{found.status} after {steps}: "), code
    return found


def test_each_curve_of_the_article(page):
    for example in (FIRST, *EXAMPLES.values(), STARTS):
        page.click(f"#live-bucket button:text-is('{example.title}')")
        for start, alpha in zip(example.start, example.alpha, strict=True):
            if len(example.start) > 1:
                page.click(f"text='start {start:g}, alpha {alpha:g}'")
            found = rolled(page)
            assert (found.curve.text, found.start, found.alpha) == (example.curve, start, alpha)
        assert page.inner_text("#bucket-takeaway") == example.takeaway
    page.click("#bucket-many")
    page.wait_for_selector("#bucket-places:has-text('minimums')")
    basins = fastgd.bucket.basins()
    for x, count in zip(basins.minima, basins.counts, strict=True):
        assert f"{count} at {x:.6g}" in page.inner_text("#bucket-places")
    page.click(f"#live-bucket button:text-is('{FIRST.title}')")
    assert page.inner_text("#bucket-places") == ""


def test_the_ball_is_dragged_and_moved_by_keys(page):
    box = page.locator("#bucket-chart").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], middle, steps=4)
    page.mouse.up()
    start = rolled(page).start
    assert -1.5 < start < -0.3
    page.keyboard.press("Tab")
    page.focus("#bucket-chart")
    page.keyboard.press("ArrowRight")
    assert rolled(page).start == pytest.approx(start + 0.03)
    page.keyboard.press("End")
    assert rolled(page).start == FIRST.window[1]


def test_zoom_ends_where_a_start_may_be(page):
    box = page.locator("#bucket-chart").bounding_box()
    for name, side, start in (("more", 1, 1e6), ("less", 0.5, None)):
        for _ in range(60):
            page.click(f"[aria-label='Show {name} of the curve']")
        page.mouse.click(box["x"] + side * box["width"] - side, box["y"] + box["height"] / 2)
        assert page.inner_text("#problem-ballStart") == ""
        assert start in (None, rolled(page).start)
        page.fill("#control-ballStart", "0")
    assert page.get_attribute("#bucket-chart", "aria-valuemax") == "0.000001"


def test_alpha_rule_and_start(page):
    page.focus("#slider-ballAlpha")
    for key in ("ArrowRight", "PageUp", "End"):
        page.keyboard.press(key)
        alpha = rolled(page).alpha
    assert alpha == 10.0
    page.select_option("#control-ballRule", "sign")
    assert rolled(page).rule == "sign"
    page.select_option("#control-ballRule", "naive")
    assert rolled(page).status == "rolling"
    page.fill("#control-ballStart", "-0.3")
    assert rolled(page).start == -0.3


def test_a_formula_of_ones_own(page):
    page.fill("#control-curve", "x**2 - cos(3*x) + relu(sin(x))/2")
    page.press("#control-curve", "Enter")  # from here on, what can't be leads back to it
    assert rolled(page).curve.text == "x**2 - cos(3*x) + relu(sin(x))/2"
    before = copied(page)
    for text, sentence in (
        ("x^2", "curve: a power is written **, got 'x^2'"),
        ("2x", "curve: a product is written *, got '2x'"),
        ("sine(x)", "unknown name 'sine'"),
        ("", "curve must be an expression of x such as 'x**2 - cos(3*x)', got ''"),
    ):
        page.fill("#control-curve", text)
        page.press("#control-curve", "Enter")
        assert sentence in page.inner_text("#problem-curve")
        assert copied(page) == before
        rolled(page)
    page.fill("#control-curve", "log(x)")
    assert page.inner_text("#problem-curve") == ""
    page.fill("#control-ballStart", "-1")
    nowhere = "The curve has no slope at x = -1."
    assert page.inner_text("#bucket-status") == nowhere
    page.wait_for_timeout(600)  # then it would roll
    assert page.inner_text("#bucket-status") == nowhere
    page.fill("#control-ballStart", "1")
    rolled(page)


def test_what_takes_long_stalls_nothing_and_ends_with_a_change(page):
    page.fill("#control-curve", "x**2/10 + " + "sin(" * 90 + "x" + ")" * 90)
    rolled(page)
    click = "document.getElementById('bucket-many').click()"
    text = "document.getElementById('bucket-places').textContent"
    assert "of them have ended" in page.evaluate(f"() => {{ {click}; return {text}; }}")
    page.fill("#control-ballAlpha", "0.2")
    assert page.inner_text("#bucket-places") == ""
    rolled(page)
    page.wait_for_timeout(100)
    assert page.inner_text("#bucket-places") == ""
    page.click(f"#live-bucket button:text-is('{STARTS.title}')")
    rolled(page)


def test_the_address_restores_it(visit, article_page):
    place = "#curve=exp(x%2F2)%20%2B%20x**2&ballStart=-2.5&ballAlpha=0.3&ballRule=sign"
    page = opened(visit, article_page, place)
    found = rolled(page)
    assert (found.curve.text, found.start) == ("exp(x/2) + x**2", -2.5)
    assert (found.alpha, found.rule) == (0.3, "sign")
    page = opened(visit, article_page, "#curve=x%5E2&ballStart=far")
    assert "a power is written **" in page.inner_text("#problem-curve")
    assert "start must be a number" in page.inner_text("#problem-ballStart")
    assert rolled(page).curve.text == FIRST.curve


def test_it_rolls_step_by_step_unless_nobody_wants_that(visit, article_page):
    page = opened(visit, article_page, reduced_motion="no-preference")
    quiet = ".problem, .copied *"  # unless something is wrong, or copied
    spoken = page.locator(f"#live-bucket :is(output, [aria-live], [role=status]:not({quiet}))")
    assert spoken.evaluate_all("all => all.map((each) => each.className)") == ["spoken"]
    page.click("#bucket-roll")
    assert page.inner_text("#bucket-roll") == "Stop"
    page.wait_for_selector("#bucket-status[data-status='']")
    assert re.fullmatch(r"\d iterations?", page.inner_text("#bucket-status"))
    page.click("#bucket-roll")
    assert page.inner_text("#bucket-roll") == "Roll"
    rolled(page)
    page.click("#bucket-roll")
    page.wait_for_selector(OVER)
    rolled(page)

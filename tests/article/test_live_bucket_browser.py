"""The bucket in a browser: a ball is dragged and rolls, with the numbers of Python."""

from itertools import pairwise

import pytest

import fastgd
from chromium import needs_chromium
from fastgd.article.page.live import FIRST, STARTS
from fastgd.bucket import EXAMPLES

pytestmark = [pytest.mark.slow, needs_chromium]

OVER = "#bucket-status:not([data-status=''])"
TIME = "#live-bucket .player"


@pytest.fixture
def page(visit, article_page):
    return opened(visit, article_page)


COPIES = "navigator.clipboard.writeText = async () => {};"
"""Where the reader forbids to copy, the text is marked, which takes the focus."""


def opened(visit, article_page, place="", **options):
    """The page without animations, so that a ball arrives at once."""
    options = {"reduced_motion": "reduce", "script": COPIES} | options
    page = visit(article_page, place, **options).page
    page.wait_for_selector("#bucket-x[title]")
    page.locator("#bucket-chart").scroll_into_view_if_needed()
    return page


def copied(page):
    """What is copied as Python; the focus stays where it is."""
    page.evaluate("document.querySelector('#bucket-copy-python').click()")
    return page.input_value("#bucket-copied-text")


def at(page, step):
    """Show a step; the focus stays where it is."""
    page.evaluate(
        """([bar, step]) => {
            const slider = document.querySelector(`${bar} input`);
            slider.value = Math.min(step, slider.max);
            slider.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        [TIME, step],
    )


def rolled(page):
    """What Python says of the ball, once it is what the page says at its end."""
    at(page, 1e6)
    page.wait_for_selector(OVER)
    names = {"print": repr}
    code = copied(page)
    exec(code, names)
    found = names["ball"]
    shows(page, found.x)
    steps = f"{found.iterations:,} iteration{'s' * (found.iterations != 1)}"
    assert page.inner_text("#bucket-status").startswith(f"{found.status} after {steps}: "), code
    assert page.inner_text("#bucket-step") == "no more steps"
    return found


def shows(page, x):
    """The ball is at this place, to the last bit; what one reads is rounded."""
    assert page.get_attribute("#bucket-x", "title") == repr(x)
    number = float(page.inner_text("#bucket-x").split()[-1])
    assert number == pytest.approx(x, rel=0.1 if abs(x) >= 1e6 else 1e-5, abs=1e-5)


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
    page.wait_for_selector("#bucket-places:has-text('random balls end: ')")
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


def test_the_curve_is_shown_as_far_as_its_start(page):
    page.fill("#control-ballStart", "1000000")
    assert page.get_attribute("#bucket-chart", "aria-valuemax") == "1050000"
    page.focus("#bucket-chart")
    page.keyboard.press("End")
    assert page.inner_text("#problem-ballStart") == ""
    assert rolled(page).start == 1e6
    page.fill("#control-ballStart", "0")
    assert page.get_attribute("#bucket-chart", "aria-valuemax") == "1.5"


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
    nowhere = "diverged after 0 iterations: the curve has no slope there."
    assert page.inner_text("#bucket-status") == nowhere
    assert page.inner_text("#bucket-slope") == "none"
    page.wait_for_timeout(600)  # then it would roll
    assert page.inner_text("#bucket-status") == nowhere
    page.fill("#control-ballStart", "1")
    rolled(page)


def test_what_takes_long_stalls_nothing_and_ends_with_a_change(page):
    page.fill("#control-curve", "x**2/10 + " + "sin(" * 90 + "x" + ")" * 90)
    rolled(page)
    click = "document.getElementById('bucket-many').click()"
    text = "document.getElementById('bucket-places').textContent"
    said = page.evaluate(f"() => {{ {click}; return {text}; }}")
    assert said == "100 random balls roll ..."
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


DRAWN = """
const counted = requestAnimationFrame;
window.frames_ = 0;
window.requestAnimationFrame = (call) => counted((now) => { window.frames_ += 1; call(now); });
const lines = (window.lines = []);
for (const name of ["moveTo", "lineTo"]) {
  const draws = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (x, y) {
    if (this.canvas.id === "bucket-chart") lines.push([name, x, y, this.strokeStyle]);
    return draws.call(this, x, y);
  };
}
"""
"""Counts frames, and keeps what is drawn of the bucket."""


def ball_of(alpha=0.1, start=1):
    """The path of the first ball, in Python."""
    rolled = fastgd.bucket.roll(curve="x**2", start=start, alpha=alpha, record_path=True)
    return rolled.path.tolist()


def drawn(page, color):
    """What is drawn in a color of the style sheet: lines, in x and height of the first curve."""
    lines, color, width, height = page.evaluate(
        """async (name) => {
            const chart = document.getElementById("bucket-chart");
            await new Promise(requestAnimationFrame);
            lines.length = 0;
            dispatchEvent(new Event("resize"));
            chart.dispatchEvent(new PointerEvent("pointermove"));
            await new Promise((resolve) => setTimeout(resolve, 200));
            const color = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
            return [lines, color, chart.clientWidth - 86, chart.clientHeight - 56];
        }""",
        color,
    )
    low, high = (-0.07 * 2.25, 1.07 * 2.25)
    places = [
        (-1.5 + 3 * (x - 62) / width, high - (high - low) * (y - 14) / height, kind)
        for kind, x, y, stroke in lines
        if stroke == color
    ]
    return [(a[:2], b[:2]) for a, b in pairwise(places) if b[2] == "lineTo"]


def test_the_tangent_and_the_arrow_are_those_of_the_step(visit, article_page):
    page = opened(visit, article_page, script=COPIES + DRAWN)
    path = ball_of()
    for step in (0, 1, 4):
        at(page, step)
        shows(page, path[step])
        x = float(path[step])
        ((left, low), (right, high)), *_ = drawn(page, "--series-1")
        assert (high - low) / (right - left) == pytest.approx(2 * x, rel=1e-6)
        assert ((left + right) / 2, (low + high) / 2) == pytest.approx((x, x * x), rel=1e-6)
        ((begin, level), (neck, also)), *_ = drawn(page, "--series-3")
        assert (begin, level) == pytest.approx((x, x * x), rel=1e-6)
        assert also == pytest.approx(level, rel=1e-6)
        head = 10 * 3 / page.evaluate("document.getElementById('bucket-chart').clientWidth - 86")
        assert neck - head == pytest.approx(path[step + 1], abs=1e-6)


def test_time_is_played_paused_and_stepped(visit, article_page):
    page = opened(visit, article_page, reduced_motion="no-preference", script=COPIES + DRAWN)
    quiet = ".problem, .copied *"  # unless something is wrong, or copied
    spoken = page.locator(f"#live-bucket :is(output, [aria-live], [role=status]:not({quiet}))")
    assert spoken.evaluate_all("all => all.map((each) => each.className)") == ["spoken"]
    path = ball_of()
    shows(page, 1.0)
    assert page.inner_text("#bucket-slope") == "2"
    assert page.inner_text("#bucket-step").endswith("= 0.8")
    assert page.inner_text("#bucket-status") == ""
    for step in (1, 2, 3):
        page.click(f"{TIME} [aria-label='One step on']")
        assert page.inner_text(f"{TIME} .position") == f"step {step}"
        shows(page, path[step])
    page.click(f"{TIME} [aria-label='One step back']")
    shows(page, path[2])
    page.click(f"{TIME} .play")
    while page.inner_text(f"{TIME} .position") in ("step 2", "step 3"):
        page.wait_for_timeout(20)
    assert page.inner_text(f"{TIME} .play") == "Pause"
    page.click(f"{TIME} .play")
    place = page.get_attribute("#bucket-x", "title")
    assert float(place) in path[4:]
    page.wait_for_timeout(300)
    assert page.get_attribute("#bucket-x", "title") == place
    page.click(f"{TIME} .play")
    page.wait_for_selector(OVER)
    shows(page, path[-1])
    assert rolled(page).iterations == len(path) - 1
    page.wait_for_timeout(300)
    frames = page.evaluate("frames_")
    page.wait_for_timeout(500)
    assert page.evaluate("frames_") == frames


def test_a_change_lets_it_roll_unless_one_steps(visit, article_page):
    page = opened(visit, article_page, reduced_motion="no-preference")
    page.fill("#control-ballAlpha", "0.4")
    page.wait_for_selector(OVER)
    shows(page, ball_of(0.4)[-1])
    page.fill("#control-ballAlpha", "0.3")
    page.click(f"{TIME} [aria-label='One step on']")
    page.wait_for_timeout(1600)
    shows(page, ball_of(0.3)[1])


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_steps_are_shown(visit, article_page, width):
    page = opened(visit, article_page, "#ballAlpha=1.05", width=width)
    watched = [TIME, "#slider-ballAlpha", "#bucket-many", "#live-bucket .chips"]
    boxes = []
    for step in (0, 1, 12, 60, 1e6):
        at(page, step)
        boxes.append([page.locator(each).first.bounding_box() for each in watched])
    assert boxes == [boxes[0]] * 5


def test_a_ball_that_has_left_says_where_it_is(visit, article_page):
    page = opened(visit, article_page, "#ballAlpha=1.05")
    found = rolled(page)
    assert found.status == "diverged"
    assert page.inner_text("#bucket-x") == "x \N{ALMOST EQUAL TO} 1.1e9"
    told = page.inner_text("#bucket-status")
    assert told.endswith("The ball is at x = 1.1e9, right of the picture.")
    at(page, 5)
    assert page.inner_text("#bucket-status") == "The ball is at x = -1.611, left of the picture."
    page.focus("#bucket-x")
    digits = "getComputedStyle(document.activeElement, '::after').content"
    assert repr(float(ball_of(1.05)[5])) in page.evaluate(digits)

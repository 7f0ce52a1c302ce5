"""Nothing moves while it is used: the page under a finger, on a phone and on a desktop."""

import pytest

from chromium import needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]

UNIT = 1 / 64
"""Of layout, in pixels: what is sticky is rounded to one or to the next."""

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}

WATCH = """
globalThis.shifts = [];
const place = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
const nameOf = (node) => (node?.outerHTML ?? `text: ${node?.textContent}`).slice(0, 80);
new PerformanceObserver((list) => shifts.push(...list.getEntries().map(({ value, sources }) =>
  [value.toPrecision(2), ...sources.map(({ node, previousRect, currentRect }) =>
    `${nameOf(node)} ${place(previousRect)} -> ${place(currentRect)}`)].join("; "),
))).observe({ type: "layout-shift" });
"""
"""All shifts, also those within half a second of what the reader does, which browsers forgive."""

FRAMES = """(count) => new Promise((resolve) => {
  const step = () => (count-- > 0 ? requestAnimationFrame(step) : resolve());
  step();
})"""


@pytest.fixture(params=SIZES)
def page(request, visit, article_page):
    width, height = SIZES[request.param]
    page = visit(article_page, script=WATCH, width=width, has_touch=True).page
    page.set_viewport_size({"width": width, "height": height})
    over(page)
    return page


def over(page):
    """Wait until the training is over, and what follows it."""
    page.wait_for_selector("#experiment-final-error[data-finished=true]")
    page.wait_for_timeout(100)


def sliders(page):
    """All that there are, by what tells them from each other."""
    return page.locator("input[type=range]:visible").all()


def test_no_slider_moves_while_it_is_dragged_and_nothing_else_does(page):
    finger = page.context.new_cdp_session(page)
    found = sliders(page)
    assert len(found) >= 10
    moved = {}
    for slider in found:
        name = slider.evaluate("each => each.id || each.getAttribute('aria-label')")
        slider.evaluate("each => each.scrollIntoView({ block: 'center', behavior: 'instant' })")
        page.evaluate(FRAMES, 3)
        page.evaluate("shifts.length = 0")
        tops = dragged(page, finger, slider)
        over(page)
        tops.add(slider.bounding_box()["y"])
        shifts = page.evaluate("shifts.splice(0)")
        has_moved = max(tops) - min(tops) > UNIT
        if has_moved or shifts:
            moved[name] = [f"its top was at {sorted(tops)}"] * has_moved + shifts
    assert moved == {}, "\n".join(sum(moved.values(), list(moved)))


def dragged(page, finger, slider):
    """Where its top was meanwhile."""
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2

    def touch(kind, share=None):
        points = [] if share is None else [{"x": box["x"] + share * box["width"], "y": y}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    tops = {box["y"]}
    touch("touchStart", 0.5)
    for share in (0.52, 0.6, 0.7, 0.85, 0.98, 0.7, 0.4, 0.2, 0.02, 0.25):
        touch("touchMove", share)
        page.evaluate(FRAMES, 4)
        tops.add(slider.bounding_box()["y"])
    touch("touchEnd")
    page.wait_for_timeout(800)  # sentences come that wait until one types or moves no more
    return tops


def test_shifts_are_seen(page):
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(FRAMES, 3)
    page.evaluate("shifts.length = 0")
    page.evaluate("document.querySelector('h1').before(document.createElement('hr'))")
    page.evaluate(FRAMES, 5)
    assert page.evaluate("shifts.length") > 0

"""The live page in a browser, all of it: names, keys, sizes, browsers that can't run it."""

import re

import pytest

from chromium import needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ("delete globalThis.WebAssembly", "WebAssembly"),
        ("WebAssembly.validate = () => false", "WebAssembly with SIMD"),
        (
            "delete globalThis.Worker; delete globalThis.DecompressionStream",
            "Worker and DecompressionStream",
        ),
    ],
)
def test_a_browser_that_can_not_is_told_so_in_one_sentence(live, script, missing):
    page = live(script=script).page
    page.wait_for_selector(".live .problem")
    assert page.locator(".live").all_inner_texts() == [
        f"The live parts of this page can't start here: they need {missing}, which this browser "
        "doesn't have.",
        *[""] * (page.locator(".live").count() - 1),
    ]
    assert page.locator(".live:visible").count() == 1
    assert page.locator("figure .plot:visible").count() > 5


CONTROLS = ".live :is(input, select, textarea, button, summary, canvas, output, progress, svg)"
UNNAMED = f"""() => [...document.querySelectorAll("{CONTROLS}")].filter((e) =>
  !e.closest("[aria-hidden=true]") && !e.labels?.length && !e.getAttribute("aria-label")
  && !e.getAttribute("aria-labelledby") && !e.textContent.trim()).map((e) => e.outerHTML)"""
TWICE = """() => [...document.querySelectorAll("[id]")].map((e) => e.id)
  .filter((id, k, all) => all.indexOf(id) !== k)"""


HIDDEN = """() => {
  const focused = document.activeElement;
  const { top, bottom } = focused.getBoundingClientRect();
  const isOver = (cover) => {
    const { top: begin, bottom: end } = cover.getBoundingClientRect();
    return getComputedStyle(cover).position === "sticky" && top < end && bottom > begin + 1;
  };
  return [...document.querySelectorAll(".stage, .plane-figure")]
    .some((cover) => !cover.contains(focused) && isOver(cover));
}"""


@pytest.mark.parametrize("width", [390, 900])
def test_the_focus_is_not_beneath_what_stays_in_sight(live, width):
    """Backwards from the map to the first control."""
    page = live("#iterations=100", width=width).page
    page.wait_for_selector("#experiment-final-error[data-finished=true]")
    page.locator("#map-canvas").focus()
    reached, hidden = [], []
    while reached[-1:] != ["control-alpha"] and len(reached) < 300:
        page.keyboard.press("Shift+Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        hidden += reached[-1:] if page.evaluate(HIDDEN) else []
    assert {"control-planeSecond", "control-curve", "slider-alpha"} < set(reached)
    assert hidden == []


def test_what_screen_readers_are_told(live):
    """What differs, once; of the map only what keys have reached."""
    page = live("#iterations=100")
    page.shows(iterations=100)
    page.page.locator("summary", has_text="Your own data").click()
    page.page.evaluate("""() => {
      window.told = [];
      for (const status of document.querySelectorAll(".live [role=status], .live [role=alert]")) {
        new MutationObserver(() => told.push(status.id)).observe(status, { childList: true });
      }
    }""")

    def told():
        names = {"map-spoken", "map-told", "preset-sentence", "problem-data"}
        ids = page.page.evaluate("told.splice(0)")
        return [name for name in ids if name in names]

    for _ in range(5):
        page["slider-alpha"].press("ArrowRight")
    assert told() == []
    page.page.get_by_role("button", name="Stuck", exact=True).click()
    page.page.get_by_role("button", name="Stuck", exact=True).click()
    assert told() == ["preset-sentence"]
    page["control-data"].press_sequentially("a b y\n0 1 1\n1 1 x")
    page["control-data"].blur()
    page.says("problem-data", 'line 3 must consist of finite numbers, got "x" in column 3')
    assert "problem-data" in told()
    page.says("told-data", re.compile("from 1 row of 2 inputs, without the header line.$"))
    for place in range(100, 200, 20):
        page["map-canvas"].hover(position={"x": place, "y": place})
    assert told() == []
    page["map-canvas"].press("ArrowUp")
    page["map-canvas"].press("ArrowUp")
    assert told() == ["map-spoken"] * 2


def test_a_narrow_page_has_room_for_everything(live):
    page = live("#seed=4294967295&iterations=100", width=320)
    page.shows(seed=4_294_967_295, iterations=100)
    page["map-canvas"].scroll_into_view_if_needed()
    assert page.page.evaluate("document.documentElement.scrollWidth") == 320
    widths = "({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]"
    needed, given = page["control-seed"].evaluate(widths)
    assert needed == given


def test_everything_has_a_name_of_its_own(live):
    page = live("#iterations=100")
    page.shows(iterations=100)
    assert page.page.evaluate(UNNAMED) == []
    assert page.page.evaluate(TWICE) == []
    page.page.evaluate("document.querySelector('#control-alpha').id = 'control-hidden'")
    assert page.page.evaluate(TWICE) == ["control-hidden"]  # these two would see what is wrong
    assert 'id="control-hidden"' in page.page.evaluate(UNNAMED)[0]


def test_the_keyboard_reaches_every_control(live):
    page = live("#iterations=100").page
    page.wait_for_selector("#experiment-final-error[data-finished=true]")
    expected = page.evaluate("""() => [...document.querySelectorAll(
      ".live :is(input, select, textarea, button, summary):not([tabindex='-1'])")]
      .filter((e) => e.checkVisibility() && !e.disabled && e.id).map((e) => e.id)""")
    assert "slider-alpha" in expected
    page.locator(f"#{expected[0]}").focus()
    reached = [expected[0]]
    while reached[-1] != expected[-1] and len(reached) < 5 * len(expected):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert [name for name in reached if name in expected] == expected

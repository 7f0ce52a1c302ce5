"""The page can be used by all who come: what axe-core finds wrong, and what is seen first."""

import pytest

from chromium import needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}

each_size = pytest.mark.parametrize(("width", "height"), SIZES.values(), ids=SIZES)


@pytest.fixture
def opened(visit, article_page):
    """The page, whose first training is over."""

    def open_it(width, height, **options):
        page = visit(article_page, width=width, **options).page
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_selector("#experiment-final-error[data-finished=true]")
        page.wait_for_timeout(100)
        return page

    return open_it


@each_size
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened, width, height, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(width, height, color_scheme=scheme)
    axe = Axe()
    assert violations(axe, page) == []
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert violations(axe, page) == []


def violations(axe, page):
    """Each node with a rule that it breaks."""
    found = axe.run(page).response["violations"]
    return [(rule["id"], node["html"][:200]) for rule in found for node in rule["nodes"]]


def test_axe_would_see_what_is_wrong(opened):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(1280, 800)
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert violations(Axe(), page) == [("button-name", "<button></button>")]


FIRST = {
    "the title": "h1",
    "the sentence": "h1 ~ p",
    "alpha": "#slider-alpha",
    "the curve": "#experiment-chart",
    "time": "#live-opening .player",
    "the answers": "#live-opening .answers",
}
"""What a reader sees before anything else."""


@each_size
def test_the_first_screen(opened, width, height):
    page = opened(width, height)
    outside = {}
    for name, selector in FIRST.items():
        box = page.locator(selector).first.bounding_box()
        right, bottom = box["x"] + box["width"], box["y"] + box["height"]
        if not (box["x"] >= 0 and box["y"] >= 0 and right <= width and bottom <= height):
            outside[name] = box
    assert outside == {}
    assert page.evaluate("scrollY") == 0
    shown = page.locator(FIRST["the answers"]).inner_text()
    assert len(set(shown.split())) > 4, shown


FRAMES = """
globalThis.frames = 0;
const request = globalThis.requestAnimationFrame;
globalThis.requestAnimationFrame = (call) => { frames += 1; return request(call); };
"""


def test_idle_it_draws_nothing(opened):
    """Neither at first, nor after it has played."""
    page = opened(1280, 800, script=FRAMES)
    page.wait_for_timeout(1000)
    assert frames(page) == 0
    player = page.locator("#live-opening .player")
    player.get_by_role("button", name="Play").click()
    page.wait_for_timeout(500)
    assert page.evaluate("frames") > 5
    player.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(100)
    assert frames(page) == 0
    player.get_by_role("button", name="Play").click()
    player.get_by_role("button", name="Play").wait_for(timeout=20_000)  # it is over
    page.wait_for_timeout(100)
    assert frames(page) == 0


def frames(page):
    """How many are asked for in two seconds."""
    page.evaluate("frames = 0")
    page.wait_for_timeout(2000)
    return page.evaluate("frames")

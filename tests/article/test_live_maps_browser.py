"""The map and the error plane in a browser: their numbers are those of Python, digit by digit."""

import re

import pytest

from article_live import both_modules, trained
from chromium import needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.parametrize("axis", ["seed", "hidden"])
def test_a_click_on_the_map_trains_to_the_number_in_the_map(live, axis):
    page = live()
    page["control-mapAxis"].select_option(axis)
    canvas = page["map-canvas"]
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    place = {"x": 0.6 * box["width"], "y": 0.4 * box["height"]}
    canvas.hover(position=place)
    told = re.compile(r"alpha (\S+), (?:seed|hidden units) (\d+): final error (\S+)$")
    page.says("map-told", told)
    alpha, row, error = told.search(page["map-told"].text_content()).groups()
    canvas.click(position=place)
    run = page.shows(**{"alpha": float(alpha), axis: int(row)})
    assert error == repr(float(run.final_error))
    assert (page.value("alpha"), page.value(axis)) == (alpha, row)
    page.says("map-note", "The map has the same number, computed by Python.")
    for way_back in ("back-to-map", "map-note a"):
        page.page.locator(f"#{way_back}").click()
        page.page.wait_for_function("document.activeElement.id === 'map-canvas'")
        page.page.wait_for_url(f"**#alpha={alpha}*")  # no settings have changed
        assert page.value("alpha") == alpha


def test_the_map_by_keys(live):
    page = live("#alpha=10")
    page.says("map-told", re.compile("^alpha 10, seed 1: "))
    page["map-canvas"].press("ArrowUp")
    page.says("map-told", re.compile("^alpha 10, seed 2: "))
    assert page["back-to-map"].is_hidden()
    page["map-canvas"].press("Enter")
    page.shows(alpha=10, seed=2)
    assert page.page.evaluate("document.activeElement.id") == "back-to-map"
    page.page.keyboard.press("Enter")
    page.page.keyboard.press("ArrowUp")
    page.says("map-told", re.compile("^alpha 10, seed 3: "))


@both_modules
def test_two_optimizers_on_the_plane(live):
    X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
    page = live("#planeSecond=Adam&planeAlphaSecond=0.5&planeSeed=5&planeIterations=300")

    def ends(side, **settings):
        run = trained(X, y, hidden=0, **settings)
        page.says(f"plane-final-{side}", repr(float(run.final_error)))

    same = {"seed": 5, "iterations": 300}
    ends("first", alpha=1.0, **same)
    ends("second", optimizer="Adam", alpha=0.5, **same)
    page["plane-copy-python"].click()
    printed = []
    exec(page["plane-copied-text"].input_value(), {"print": lambda x: printed.append(repr(x))})
    sides = ("first", "second")
    assert printed == [page[f"plane-final-{side}"].text_content() for side in sides]
    page["slider-planeAlphaFirst"].press("ArrowRight")
    ends("first", alpha=float(page.value("planeAlphaFirst")), **same)
    page["control-planeFirst"].select_option("Rprop")
    ends("first", optimizer="Rprop", alpha=float(page.value("planeAlphaFirst")), **same)
    page.type("planeIterations", "x")
    page.says(
        "problem-planeIterations", 'iterations must be a whole number from 1 to 60000, got "x"'
    )

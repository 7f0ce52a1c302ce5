"""The map and the error plane in a browser: their numbers are those of Python, digit by digit."""

import re

import numpy as np
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
    page["to-map"].click()
    page.page.wait_for_function("document.activeElement.id === 'map-canvas'")
    page.page.wait_for_url(f"**#alpha={alpha}*")  # no settings have changed
    assert page.value("alpha") == alpha


def test_the_map_by_keys(live):
    page = live("#alpha=10")
    page.says("map-told", re.compile("^alpha 10, seed 1: "))
    page["map-canvas"].press("ArrowUp")
    page.says("map-told", re.compile("^alpha 10, seed 2: "))
    page["map-canvas"].press("Enter")
    page.shows(alpha=10, seed=2)
    assert page.page.evaluate("document.activeElement.id") == "to-map"
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


def test_both_optimizers_are_shown_at_the_same_iteration(live):
    page = live("#planeSeed=5&planeIterations=300", reduced_motion="reduce")
    X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
    sides = {"first": {"alpha": 1.0}, "second": {"alpha": 0.1, "optimizer": "Adam"}}
    bar = page.page.locator("#live-plane .player")
    page.says("plane-end-second", re.compile("^It ends at the weights "))
    page["plane-canvas"].scroll_into_view_if_needed()
    page.page.wait_for_timeout(500)  # when it is seen, it goes to the end
    bar.locator("input").press("Home")
    for iteration in range(4):
        assert bar.locator(".position").inner_text() == f"iteration {iteration}"
        for side, settings in sides.items():
            run = trained(X, y, hidden=0, seed=5, **settings, iterations=max(iteration, 1))
            weights = run.weights[0] if iteration else initial(run)
            told = page[f"plane-end-{side}"].inner_text()
            numbers = re.match(r"Weights (\S+) and (\S+), error ", told).groups()
            assert [float(n) for n in numbers] == pytest.approx(weights.ravel(), rel=5e-3)
        bar.locator("[aria-label='One step on']").click()
    bar.locator("input").press("End")
    for side in sides:
        page.says(f"plane-end-{side}", re.compile("^It ends at the weights "))


def initial(run):
    """The weights before the first iteration."""
    return np.random.RandomState(run.seed).uniform(-1, 1, run.weights[0].shape)


def test_the_plane_is_printed_as_it_is(live):
    page = live(width=390).page
    page.wait_for_selector("#plane-end-second:not(:empty)")
    of = "(name) => getComputedStyle(document.querySelector(name))"
    assert page.evaluate(f"({of})('.plane-figure').position") == "sticky"
    page.emulate_media(media="print")
    assert page.evaluate(f"({of})('.plane-figure').position") == "static"
    assert page.evaluate(f"({of})('#live-bucket .stage').position") == "static"
    assert page.evaluate(f"({of})('#plane-canvas').objectFit") == "contain"

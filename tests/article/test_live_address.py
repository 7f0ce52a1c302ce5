"""The live page in a browser: settings in its address, and those that can't be."""

import re

import pytest

from article_live import cells, changes_of, trained
from chromium import needs_chromium

pytestmark = [pytest.mark.slow, needs_chromium]


def test_the_address_keeps_the_state(live):
    page = live()
    page.type("alpha", "0.3")
    page.type("iterations", "700")
    page["control-optimizer"].select_option("Nesterov")
    settings = {"alpha": 0.3, "iterations": 700, "optimizer": "Nesterov"}
    page.page.wait_for_url("**#alpha=0.3&iterations=700&optimizer=Nesterov&section=thirteen-lines")
    page.page.reload()
    page.shows(**settings)
    assert [page.value(field) for field in settings] == ["0.3", "700", "Nesterov"]
    page.page.evaluate("location.hash = '#hidden=8&iterations=100'")
    page.shows(hidden=8, iterations=100)
    assert page.value("alpha") == "0.5"


def test_a_link_to_a_section_changes_no_settings(live):
    """Its address is there for a moment, until the settings take its place."""
    page = live("#alpha-title")
    page.shows()
    page.type("hidden", 2)
    page.page.wait_for_url("**#hidden=2&section=thirteen-lines")
    page.page.locator("nav a[href='#alpha']").click()
    page.page.wait_for_function("document.querySelector('#alpha').getBoundingClientRect().top < 9")
    page.page.wait_for_url("**#hidden=2&section=thirteen-lines")
    page.type("iterations", 50)
    page.shows(hidden=2, iterations=50)
    page.says("problem-alpha", "")
    page.page.wait_for_url("**#hidden=2&iterations=50&section=thirteen-lines")


TOP = "document.querySelector('#{}').getBoundingClientRect().top"


def test_others_see_what_one_sees(live):
    """The section, also when all above it has its size, and the iteration."""
    page = live("#hidden=2&iterations=700&at=50&section=lessons")
    page.ends_with(repr(float(trained(hidden=2, iterations=700).final_error)))
    page.page.wait_for_selector("#live-maps canvas:visible")
    assert cells(page["experiment-changes"]) == changes_of(trained(hidden=2, iterations=50))
    page.page.wait_for_timeout(300)
    assert abs(page.page.evaluate(TOP.format("lessons"))) < 50
    bars = page.page.get_by_role("group", name="Iteration that is shown").locator(".position")
    assert set(bars.all_inner_texts()) == {"iteration 50"}
    page.page.get_by_role("button", name="One step on").first.click()
    page.page.wait_for_url("**#hidden=2&iterations=700&at=53")
    page.type("iterations", "60")
    page.ends_with(repr(float(trained(hidden=2, iterations=60).final_error)))
    assert set(bars.all_inner_texts()) == {"iteration 53"}


def test_kept_curves_are_in_the_address(live):
    from playwright.sync_api import expect

    page = live("#alpha=10&iterations=700")
    page.shows(alpha=10, iterations=700)
    page.page.get_by_role("button", name="Keep this curve").click()
    page.type("alpha", 0.1)
    page.page.get_by_role("button", name="Keep this curve").click()
    page.page.wait_for_url(re.compile("alpha%3D10%26iterations%3D700%3Balpha%3D0.1%26"))
    labels = ["now: alpha 2, 700 iterations"]
    labels += [f"alpha {alpha}, 700 iterations" for alpha in (10, 0.1)]
    page.page.reload()
    page.type("alpha", 2)
    expect(page["experiment-legend"].get_by_role("listitem")).to_have_text(labels)
    page.page.get_by_role("button", name="Clear").click()
    page.page.wait_for_url("**#alpha=2&iterations=700")
    page.page.evaluate("location.hash = '#kept=alpha%3D1e9%3B'")
    page.shows()
    expect(page["experiment-legend"].get_by_role("listitem")).to_have_text([])


def test_going_back_changes_no_settings(live):
    page = live("#iterations=700")
    page.type("alpha", 2)
    page.page.locator("nav a[href='#bucket']").click()
    page.page.wait_for_function(f"Math.abs({TOP.format('bucket')}) < 50")
    page.page.go_back()
    page.page.wait_for_url("**#alpha=2&iterations=700*")
    page.shows(alpha=2, iterations=700)


def test_an_address_that_can_not_be_leaves_the_last_good_state(live):
    page = live("#alpha=0&hidden=1000000000&seed=abc&iterations=200&optimizer=<b>&dropout=0.123")
    page.says("problem-alpha", 'alpha must be a number from 0.001 to 1000, got "0"')
    page.says(
        "problem-hidden", 'hidden units must be a whole number from 0 to 32, got "1000000000"'
    )
    page.says("problem-seed", 'seed must be a whole number from 0 to 4294967295, got "abc"')
    page.says("problem-optimizer", re.compile('must be one of GradientDescent, .*, got "<b>"$'))
    page.says("problem-dropout", 'dropout must be a multiple of 0.05, got "0.123"')
    page.shows(iterations=200)
    page.type("alpha", "2")
    page.says("problem-alpha", "")
    page.shows(iterations=200, alpha=2)
    page.page.evaluate("location.hash = '#alpha=x&iterations=200'")
    page.says("problem-alpha", 'alpha must be a number from 0.001 to 1000, got "x"')
    page.shows(iterations=200, alpha=2)


def test_what_can_not_be_typed_is_said_next_to_the_box(live):
    page = live("#iterations=100")
    page.type("hidden", "33")
    page.says("problem-hidden", 'hidden units must be a whole number from 0 to 32, got "33"')
    assert page["control-hidden"].get_attribute("aria-invalid") == "true"
    page.shows(iterations=100)
    page.type("hidden", "32")
    page.says("problem-hidden", "")
    page.shows(iterations=100, hidden=32)

"""The thirteen lines in a browser: what they show is what Python computes, to the last digit."""

import platform
import re
from functools import cache

import pytest

from article_live import UNFUSED, both_modules
from chromium import needs_chromium
from fastgd import optimizers
from fastgd.article import comparison
from fastgd.article.experiments import EXPERIMENTS

pytestmark = [pytest.mark.slow, needs_chromium]


@cache
def compared(name):
    """The article's experiment and its twins."""
    (experiment,) = (e for e in EXPERIMENTS if e.name == name)
    return comparison.run(experiment)


@both_modules
@pytest.mark.parametrize("name", ["alpha", "hidden-32"])
def test_the_articles_alphas_give_the_published_errors(live, request, name):
    result = compared(name)
    page = live(f"#hidden={result.experiment.hidden_size[0]}")
    for setting in result.settings:
        page.type("alpha", f"{setting.alpha:g}")
        page.ends_with(repr(float(setting.run.final_error)))
        assert page["experiment-same"].get_attribute("data-same") == "true"
        found = page["experiment-published-errors"].locator("tbody tr")
        rows = [row.locator("td").all_text_contents() for row in found.all()]
        errors = setting.errors
        assert rows == [
            [f"{theirs:.12g}", repr(float(ours)), str(mark)]
            for theirs, ours, mark in zip(
                errors.published, errors.computed, errors.marks, strict=True
            )
        ]
    if UNFUSED[0] in request.node.callspec.params["browser"]:
        way = "fused" if platform.machine() in ("aarch64", "arm64") else "computed exactly"
        assert way in page["experiment-note"].text_content()


@both_modules
@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 3.7, "hidden": 1, "seed": 4_294_967_295, "iterations": 123},
        {"alpha": 0.01, "hidden": 31, "iterations": 2_000, "optimizer": "Adam", "bias": True},
        {"hidden": 0, "iterations": 1_000, "optimizer": "Rprop"},
        {"hidden": 16, "iterations": 1_000, "dropout": 0.25, "seed": 3},
        {"alpha": 1000, "hidden": 3, "iterations": 500, "optimizer": "Momentum", "dropout": 0.9},
    ],
    ids=str,
)
def test_settings_of_the_address_are_trained(live, settings):
    shown = {name: "on" if value is True else value for name, value in settings.items()}
    page = live("#" + "&".join(f"{name}={value}" for name, value in shown.items()))
    page.shows(**settings)
    for field, value in shown.items():
        if field != "bias":
            assert page.value(field) == str(value)


def test_each_slider_trains_what_its_box_says(live):
    """With the keys, which don't snap to the article's alphas."""
    page = live("#iterations=500")
    for field in ("alpha", "hidden", "iterations", "dropout"):
        before = page.value(field)
        for _ in range(3):
            page[f"slider-{field}"].press("ArrowRight")
        assert float(page.value(field)) > float(before)
        names = ("alpha", "hidden", "iterations", "dropout")
        run = page.shows(**{name: number(page.value(name)) for name in names})
        assert run.iterations == int(page.value("iterations"))


def number(text):
    return float(text) if "." in text else int(text)


def test_a_slider_trains_while_it_is_dragged(live):
    page = live("#iterations=1000")
    page["slider-alpha"].scroll_into_view_if_needed()
    box = page["slider-alpha"].bounding_box()
    mouse, y = page.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] / 2, y)
    mouse.down()
    for place in (0.3, 0.9):
        mouse.move(box["x"] + place * box["width"], y)
        page.shows(alpha=float(page.value("alpha")), iterations=1000)
    mouse.up()
    assert float(page.value("alpha")) > 100


def test_optimizers_seeds_and_bias(live):
    page = live("#iterations=300")
    page["next-seed"].click()
    page.shows(seed=2, iterations=300)
    page["control-bias"].check()
    page.shows(seed=2, iterations=300, bias=True)
    alpha = 0.5
    for optimizer in optimizers.FIRST_ORDER:
        settings = {"seed": 2, "iterations": 300, "bias": True, "optimizer": optimizer.__name__}
        page["control-optimizer"].select_option(optimizer.__name__)
        page.shows(**settings, alpha=alpha)
        if page["use-race-alpha"].is_visible():
            page["use-race-alpha"].click()
            assert float(page.value("alpha")) != alpha
            alpha = float(page.value("alpha"))
            page.shows(**settings, alpha=alpha)


def test_a_long_training_can_be_watched_and_stopped(live):
    """The page draws 30 times while its worker trains for ten times as long."""
    page = live("#hidden=32&iterations=1000000&optimizer=Adam&dropout=0.5")
    frames = """() => new Promise((resolve) => {
      let count = 0;
      const step = () => (++count < 30 ? requestAnimationFrame(step) : resolve());
      step();
    })"""
    page.says("experiment-final-error", re.compile(r"\d"))
    page.page.evaluate(frames)
    assert page["experiment-final-error"].get_attribute("data-finished") == "false"
    assert 0 < page["experiment-progress"].evaluate("(progress) => progress.value") < 1
    page["experiment-stop"].click()
    page.says("experiment-note", re.compile("then stopped"))
    done = page["experiment-note"].text_content()
    page.page.evaluate(frames)
    assert page["experiment-note"].text_content() == done
    page.type("iterations", 100)
    page.shows(hidden=32, iterations=100, optimizer="Adam", dropout=0.5)


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("Too large", {"alpha": 100}),
        ("Another start", {"alpha": 10, "hidden": 2, "seed": 2}),
        ("Bias", {"alpha": 10, "bias": True, "X": [[0, 0], [0, 1], [1, 0], [1, 1]]}),
    ],
)
def test_settings_to_try(live, preset, settings):
    page = live("#iterations=10&optimizer=Adam&dropout=0.5")
    chip = page.page.get_by_role("button", name=preset, exact=True)
    chip.click()
    page.shows(**settings)
    assert chip.get_attribute("aria-pressed") == "true"
    assert page["preset-sentence"].locator("q").text_content()


def test_what_is_copied_is_the_same_training(live):
    settings = "alpha=7&hidden=3&seed=12&iterations=400&optimizer=AdaGrad&bias=on"
    page = live(f"#{settings}")
    page["copy-python"].click()
    printed = []
    exec(page["copied-text"].input_value(), {"print": printed.append})
    page.ends_with(repr(float(printed[0])))
    page["copy-link"].click()
    copied = page["copied-text"].input_value()
    assert copied.endswith(f"#{settings}&section=thirteen-lines")


def test_rows_of_ones_own(live):
    page = live("#iterations=500")
    page.page.locator("summary", has_text="Your own data").click()
    page["control-data"].fill("a b y\n0.5 -1 0.25\n2 1e-3 1\n0 0 0\n")
    X, y = [[0.5, -1], [2, 1e-3], [0, 0]], [0.25, 1, 0]
    page.shows(X=X, y=y, iterations=500)
    page["control-data"].fill("0.5 -1 0.25\n2 <b>x</b> 1")
    page.says("problem-data", 'line 2 must consist of finite numbers, got "<b>x</b>" in column 2')
    page.shows(X=X, y=y, iterations=500)
    page["control-data"].fill("")
    page.says("problem-data", "")
    page.shows(iterations=500)

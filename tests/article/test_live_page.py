"""The live page in a browser: what it shows is what Python computes, to the last digit."""

import platform
import re
from functools import cache

import pytest

import fastgd
from chromium import needs_chromium
from fastgd import optimizers
from fastgd.article import comparison
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page.live.programs import XOR

pytestmark = [pytest.mark.slow, needs_chromium]

FIRST = {"hidden": 4, "alpha": 0.5, "seed": 1, "iterations": 60_000}
UNFUSED = ("--js-flags=--no-enable-fma3",)
"""An Intel processor's fused multiply-add, which relaxed SIMD uses, is left out."""

both_modules = pytest.mark.parametrize(
    "browser", [(), UNFUSED], indirect=True, ids=["relaxed", "exact"]
)


def trained(X=XOR[0], y=XOR[1], **settings):
    """The same training in Python."""
    settings = FIRST | settings
    hidden = settings.pop("hidden")
    if "optimizer" in settings:
        settings["optimizer"] = getattr(optimizers, settings["optimizer"])()
    return fastgd.train(X, y, hidden_size=hidden or (), **settings)


class Live:
    """The live parts of an open page."""

    def __init__(self, visit):
        self.page = visit.page

    def __getitem__(self, name):
        return self.page.locator(f"#{name}")

    def value(self, field):
        return self[f"control-{field}"].input_value()

    def type(self, field, text):
        self[f"control-{field}"].fill(str(text))
        self[f"control-{field}"].blur()

    def shows(self, **settings):
        """Wait for the numbers of these settings, all that the page shows of them."""
        run = trained(**settings)
        self.ends_with(repr(float(run.final_error)))
        changes = cells(self["experiment-changes"])
        layers = [layer.tolist() for layer in run.direction_changes]
        if len(layers) == 2:  # the weights to the output are a row here
            layers[1] = [[row[0] for row in layers[1]]]
        if run.biases is None:
            assert changes == [[str(count) for count in row] for layer in layers for row in layer]
        return run

    def ends_with(self, error):
        from playwright.sync_api import expect

        expect(self["experiment-final-error"]).to_have_text(error)
        expect(self["experiment-final-error"]).to_have_attribute("data-finished", "true")

    def says(self, name, sentence):
        from playwright.sync_api import expect

        expect(self[name]).to_have_text(sentence)


@pytest.fixture(autouse=True)
def patience():
    """Machines may be busy."""
    from playwright.sync_api import expect

    expect.set_options(timeout=60_000)


@pytest.fixture
def live(visit, article_page):
    """Open the page at an address."""
    return lambda place="", **options: Live(visit(article_page, place, **options))


def cells(table):
    """The text of a table's cells, without its headings."""
    rows = [row.locator("td").all_text_contents() for row in table.locator("tbody tr").all()]
    return [row for row in rows if row]


@cache
def compared(name):
    """The article's experiment and its twins."""
    (experiment,) = (e for e in EXPERIMENTS if e.name == name)
    return comparison.run(experiment)


# The thirteen lines


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
    for optimizer in optimizers.ALL:
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
    page = live("#alpha=7&hidden=3&seed=12&iterations=400&optimizer=AdaGrad&bias=on")
    page["copy-python"].click()
    printed = []
    exec(page["copied-text"].input_value(), {"print": printed.append})
    page.ends_with(repr(float(printed[0])))
    page["copy-link"].click()
    copied = page["copied-text"].input_value()
    assert copied.endswith("#alpha=7&hidden=3&seed=12&iterations=400&optimizer=AdaGrad&bias=on")


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


# The map and the plane


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


# The address


def test_the_address_keeps_the_state(live):
    page = live()
    page.type("alpha", "0.3")
    page.type("iterations", "700")
    page["control-optimizer"].select_option("Nesterov")
    settings = {"alpha": 0.3, "iterations": 700, "optimizer": "Nesterov"}
    page.page.wait_for_url("**#alpha=0.3&iterations=700&optimizer=Nesterov")
    page.page.reload()
    page.shows(**settings)
    assert [page.value(field) for field in settings] == ["0.3", "700", "Nesterov"]
    page.page.evaluate("location.hash = '#hidden=8&iterations=100'")
    page.shows(hidden=8, iterations=100)
    assert page.value("alpha") == "0.5"


def test_a_link_to_a_section_changes_no_settings(live):
    page = live("#alpha-title")
    page.shows()
    page.type("hidden", 2)
    page.page.locator("nav a[href='#alpha']").click()
    page.page.wait_for_url("**#alpha")
    page.type("iterations", 50)
    page.shows(hidden=2, iterations=50)
    page.says("problem-alpha", "")
    page.page.wait_for_url("**#hidden=2&iterations=50")


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


def test_what_can_not_be_typed_is_said_beside_the_box(live):
    page = live("#iterations=100")
    page.type("hidden", "33")
    page.says("problem-hidden", 'hidden units must be a whole number from 0 to 32, got "33"')
    assert page["control-hidden"].get_attribute("aria-invalid") == "true"
    page.shows(iterations=100)
    page.type("hidden", "32")
    page.says("problem-hidden", "")
    page.shows(iterations=100, hidden=32)


# All of it


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
    assert page.locator("figure img:visible").count() > 5


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
  return [...document.querySelectorAll(".stage, .plane .chart")]
    .some((cover) => !cover.contains(focused) && isOver(cover));
}"""


@pytest.mark.parametrize("width", [390, 900])
def test_the_focus_is_not_beneath_what_stays_in_sight(live, width):
    """Backwards from the map to the first control."""
    page = live("#iterations=100", width=width).page
    page.wait_for_selector("#experiment-final-error[data-finished=true]")
    page.locator("#map-canvas").focus()
    reached, hidden = [], []
    while reached[-1:] != ["preset-0"] and len(reached) < 200:
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

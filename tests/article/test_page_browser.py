"""The article's page in a browser without a network: headless Chromium, where there is one."""

import re
from io import BytesIO

import pytest

from chromium import needs_chromium

FACTS = """() => {
  const width = document.documentElement.clientWidth;
  return {
    images: [...document.querySelectorAll(".plot")].map((image) => image.getBoundingClientRect())
      .map(({ width, height, right }) => [width, height, right]),
    width: width,
    scrollWidth: document.documentElement.scrollWidth,
    fontSize: parseFloat(getComputedStyle(document.body).fontSize),
    scrolled: [...document.querySelectorAll("pre, .scroll")].filter((e) => !e.closest(".live"))
      .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent),
    outside: [...document.querySelectorAll(
      "h1,h2,p,li,figcaption,caption span,input,select,label,canvas,button:not(.chips *)")]
      .filter((e) => e.getBoundingClientRect().right > width + 1).map((e) => e.outerHTML),
  };
}"""

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.mark.parametrize("scripts", [True, False], ids=["live", "without JavaScript"])
@pytest.mark.parametrize("width", [250, 390, 1200], ids=["watch", "phone", "desktop"])
def test_every_picture_is_there_and_nothing_leaves_the_page(visit, article_page, width, scripts):
    page = visit(article_page, width=width, java_script_enabled=scripts).page
    facts = page.evaluate(FACTS)
    assert len(facts["images"]) > 15
    for image_width, height, right in facts["images"]:
        assert height > 0.5 * image_width > 100
        assert right <= facts["width"]
    assert facts["scrollWidth"] == facts["width"] == width
    assert facts["outside"] == []
    assert facts["scrolled"] == [] or width < 1200, "lines of code and tables are there whole"
    assert facts["fontSize"] >= 16


def test_without_javascript_it_reads_as_an_article(visit, article_page):
    """What lives is hidden, and so is what the script needs."""
    page = visit(article_page, java_script_enabled=False).page
    shown = page.locator("body").inner_text()
    assert "The 13 lines" in shown
    assert re.search("(?i)javascript|wasm|worker", shown) is None
    live = page.locator(".live")
    assert live.count() > 0
    assert not any(each.is_visible() or each.inner_html() for each in live.all())


def test_with_it_the_beginning_is_live(visit, article_page):
    visit(article_page).page.wait_for_selector("#live-opening canvas:visible")


def test_a_screenshot_has_something_on_it(visit, article_page):
    import matplotlib.pyplot as plt

    page = visit(article_page, width=390).page
    page.set_viewport_size({"width": 390, "height": 4000})
    pixels = plt.imread(BytesIO(page.screenshot()))
    assert pixels.shape[:2] == (4000, 390)
    ink = (pixels[..., :3] < 0.9).any(axis=-1)
    for stripe in ink.reshape(8, 500, 390):  # all the way down
        assert 0.01 < stripe.mean() < 0.6


def test_these_tests_would_see_what_is_wrong(visit, article_page, tmp_path):
    """A script that isn't the page's, a picture from elsewhere, a table as wide as it likes."""
    broken = article_page.read_text(encoding="utf-8")
    broken = broken.replace("overflow-x: auto;", "")  # and so the style isn't allowed any more
    broken = broken.replace("</body>", "<script>console.error('wrong')</script></body>")
    broken = broken.replace("</main>", '<img src="other.png" alt=""></main>')
    path = tmp_path / "broken.html"
    path.write_text(broken, encoding="utf-8")
    seen = visit(path, width=500)
    facts = seen.page.evaluate(FACTS)
    assert len([m for m in seen.messages if "Content Security Policy" in m]) == 3
    assert facts["scrollWidth"] > facts["width"]
    assert seen.requests == [(tmp_path / "other.png").as_uri()]
    seen.messages.clear()
    seen.requests.clear()


def test_it_prints_on_twelve_pages_of_a4(visit, article_page):
    page = visit(article_page).page
    page.wait_for_selector("#experiment-final-error[data-finished=true]")
    printed = page.pdf(format="A4", print_background=True)
    assert 6 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
    assert not page.locator(".was-dark").count()
    page.emulate_media(color_scheme="dark")
    page.pdf()
    assert page.locator(".was-dark").count() == 1, "its canvases are turned into light ones"


def test_on_paper_pictures_keep_their_shape_and_controls_are_left_out(visit, article_page):
    """As they are there on a screen of the width of A4."""
    page = visit(article_page, width=690).page
    page.wait_for_selector("#experiment-final-error[data-finished=true]")
    page.emulate_media(media="print", color_scheme="light")
    buttons = ".live button:not(p > .term, .line, .answers button)"
    controls = page.locator(f"{buttons}, input, select, textarea, pre")
    assert controls.count() > 50
    assert not any(each.is_visible() for each in controls.all())
    shown = [canvas for canvas in page.locator("canvas").all() if canvas.is_visible()]
    assert len(shown) >= 4
    for canvas in shown:
        fit = canvas.evaluate("(e) => getComputedStyle(e).objectFit")
        assert (fit, canvas.bounding_box()["height"] > 100) == ("contain", True)
    for name in ("h2", "h3", "caption", ".part"):
        assert page.locator(name).first.evaluate("(e) => getComputedStyle(e).breakAfter") == "avoid"
    adjust = page.locator(".swatch").first.evaluate("(e) => getComputedStyle(e).printColorAdjust")
    assert adjust == "exact"


@pytest.mark.parametrize("scripts", [True, False], ids=["live", "without JavaScript"])
def test_a_word_is_explained_on_a_tap(visit, article_page, scripts):
    page = visit(article_page, width=390, java_script_enabled=scripts).page
    word, told = page.locator("p > .term", has_text="alpha"), page.locator("#term-alpha")
    assert not told.is_visible()
    before = word.bounding_box()
    word.click()
    assert told.is_visible()
    assert word.bounding_box() == before
    page.keyboard.press("Escape")
    assert not told.is_visible()


def test_each_explained_word_has_a_button(visit, article_page):
    """Those of controls, too."""
    page = visit(article_page).page
    page.wait_for_selector("#live-maps canvas:visible")
    told = {each.get_attribute("id") for each in page.locator("[popover]").all()}
    asked = {each.get_attribute("popovertarget") for each in page.locator(".term").all()}
    assert asked == told
    for name in ("Alpha", "Hidden units", "Iterations", "Seed", "Optimizer", "Dropout"):
        assert page.get_by_label(f"{name}, explained").count() > 0
    chosen = page.locator("#live-network .suits .term")
    assert chosen.text_content() == "What GradientDescent does"
    page.locator("#control-optimizer").select_option("AdaGrad")
    chosen.click()
    assert page.locator("#term-adagrad").is_visible()

"""The article's page in a browser without a network: headless Chromium, where there is one."""

import re
from io import BytesIO

import pytest

from chromium import needs_chromium

FACTS = """async () => {
  for (const image of document.images) {
    image.loading = "eager";
    await image.decode().catch(() => {});
  }
  const width = document.documentElement.clientWidth;
  return {
    images: [...document.images].map((image) => [image.complete, image.naturalWidth,
      image.getBoundingClientRect().right]),
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
@pytest.mark.parametrize("width", [390, 1200], ids=["phone", "desktop"])
def test_every_picture_is_loaded_and_nothing_leaves_the_page(visit, article_page, width, scripts):
    page = visit(article_page, width=width, java_script_enabled=scripts).page
    facts = page.evaluate(FACTS)
    assert len(facts["images"]) == article_page.read_text(encoding="utf-8").count("<img ") > 5
    for complete, natural_width, right in facts["images"]:
        assert complete
        assert natural_width > 0
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
    assert not page.locator(".live-hint").is_visible()


def test_with_it_the_beginning_says_that_the_page_is_live(visit, article_page):
    visit(article_page).page.wait_for_selector(".live-hint:visible")


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
    """A script that isn't the page's, a picture that is none, a table as wide as it likes."""
    broken = article_page.read_text(encoding="utf-8").replace(";base64,", ";base64,AAAA", 1)
    broken = broken.replace("overflow-x: auto;", "")  # and so the style isn't allowed any more
    broken = broken.replace("</body>", "<script>console.error('wrong')</script></body>")
    broken = broken.replace("</main>", '<img src="other.png" alt=""></main>')
    path = tmp_path / "broken.html"
    path.write_text(broken, encoding="utf-8")
    seen = visit(path, width=500)
    facts = seen.page.evaluate(FACTS)
    assert len([m for m in seen.messages if "Content Security Policy" in m]) == 3
    assert [natural_width for _, natural_width, _ in facts["images"]].count(0) == 2
    assert facts["scrollWidth"] > facts["width"]
    assert seen.requests == [(tmp_path / "other.png").as_uri()]
    seen.messages.clear()
    seen.requests.clear()

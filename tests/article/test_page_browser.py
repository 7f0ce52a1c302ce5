"""The article's page in a browser without a network: headless Chromium, where there is one."""

import json
import re
from html import unescape

import pytest

from chromium import browse, needs_chromium

PROBE = """
<script>
addEventListener("load", () => {
  const width = document.documentElement.clientWidth;
  const facts = {
    images: [...document.images].map((image) => [image.complete, image.naturalWidth,
      image.getBoundingClientRect().right]),
    width: width,
    scrollWidth: document.documentElement.scrollWidth,
    requests: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((name) => !name.startsWith("data:")),
    fontSize: parseFloat(getComputedStyle(document.body).fontSize),
    scrolled: [...document.querySelectorAll("pre, .scroll")]
      .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent),
    outside: [...document.querySelectorAll("h1, h2, p, li, figcaption, caption span")]
      .filter((e) => e.getBoundingClientRect().right > width + 1).map((e) => e.textContent),
  };
  parent.postMessage(JSON.stringify(facts), "*");
});
</script>
"""

FRAME = """<!DOCTYPE html>
<pre id="probe"></pre>
<script>
addEventListener("message", (event) => {{
  document.getElementById("probe").textContent = event.data;
}});
</script>
<iframe src="copy.html" style="border: 0; width: {width}px; height: 900px"></iframe>
"""
"""A window of Chromium is at least 500 pixels wide, a frame in it may be narrower."""

pytestmark = [pytest.mark.slow, needs_chromium]


def probe(html, folder, width):
    """Facts about a copy of the page, whose policy lets the probe's script run."""
    copy = folder / "copy.html"
    allowed = html.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
    copy.write_text(allowed.replace("</head>", f"{PROBE}</head>"), encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    flags = ("--hide-scrollbars", "--virtual-time-budget=5000", "--window-size=1400,1000")
    dom, messages = browse(frame, folder, "--dump-dom", *flags)
    (facts,) = re.findall(r'<pre id="probe">(.*?)</pre>', dom)
    return json.loads(unescape(facts)), messages


@pytest.fixture(scope="module")
def html(article_page):
    return article_page.read_text(encoding="utf-8")


def test_it_opens_without_a_word_on_the_console(article_page, tmp_path):
    dom, messages = browse(article_page, tmp_path, "--dump-dom")
    assert messages == []
    assert "The 13 lines" in dom
    assert dom.rstrip().endswith("</html>")


@pytest.mark.parametrize("width", [390, 1200], ids=["phone", "desktop"])
def test_every_picture_is_loaded_and_nothing_leaves_the_page(html, tmp_path, width):
    facts, messages = probe(html, tmp_path, width)
    assert messages == []
    assert len(facts["images"]) == html.count("<img ") > 5
    for complete, natural_width, right in facts["images"]:
        assert complete
        assert natural_width > 0
        assert right <= facts["width"]
    assert facts["scrollWidth"] == facts["width"] == width
    assert facts["outside"] == []
    assert facts["scrolled"] == [] or width < 1200, "lines of code and tables are there whole"
    assert facts["requests"] == []
    assert facts["fontSize"] >= 16


def test_a_screenshot_has_something_on_it(article_page, tmp_path):
    import matplotlib.pyplot as plt

    shot = tmp_path / "phone.png"
    browse(article_page, tmp_path, f"--screenshot={shot}", "--window-size=390,4000")
    pixels = plt.imread(shot)
    assert pixels.shape[:2] == (4000, 390)
    ink = (pixels[..., :3] < 0.9).any(axis=-1)
    for stripe in ink.reshape(8, 500, 390):  # all the way down
        assert 0.01 < stripe.mean() < 0.6


def test_this_test_would_see_what_is_wrong(html, tmp_path):
    """An error, a picture that is none, a table as wide as it likes: the probe tells them all."""
    broken = html.replace(";base64,", ";base64,AAAA", 1).replace("overflow-x: auto;", "")
    broken = broken.replace("</body>", "<script>console.error('wrong')</script></body>")
    facts, messages = probe(broken, tmp_path, 500)
    assert any("wrong" in message for message in messages)
    assert [natural_width for _, natural_width, _ in facts["images"]].count(0) == 1
    assert facts["scrollWidth"] > facts["width"]

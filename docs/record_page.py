"""Record images/page-live.gif: the article's live page in use, in Chromium without a window.

    fastgd tutorial --html article.html && python docs/record_page.py article.html

Alpha moves from the left end of its slider to the right one, where the network breaks, and back to
10, where it is mended; each frame is there when its network is trained.
"""

import os
import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

TO = Path(__file__).with_name("images") / "page-live.gif"
STEPS = [*range(0, 401, 20), *range(410, 601, 10), *range(590, 400, -30), 400]
"""Of alpha's slider, 100 in each power of ten from 0.001 on."""

SHORT, LONG = 90, 1500
"""Milliseconds of a frame, and of those with one of the article's alphas at a turn."""

PART = {"x": 0, "y": 0, "width": 1160, "height": 640}
WIDTH = 720
COLORS = 48


def frames(page: Page) -> list[Image.Image]:
    """Move the slider, and look."""
    stage, slider = page.locator("#live-experiment .experiment"), page.locator("#slider-alpha")
    found = []
    for step in STEPS:
        slider.fill(str(step))
        slider.blur()
        page.wait_for_timeout(150)
        page.wait_for_selector("#experiment-final-error[data-finished=true]")
        stage.evaluate("(element) => scrollBy(0, element.getBoundingClientRect().top - 20)")
        found.append(Image.open(BytesIO(page.screenshot(clip=PART))).convert("RGB"))
    return found


def main() -> None:
    """Open the page that is named, and write the picture."""
    program = os.environ.get("FASTGD_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1160, "height": 640}, reduced_motion="reduce")
        page.goto(Path(sys.argv[1]).absolute().as_uri())
        page.wait_for_selector("#experiment-final-error[data-finished=true]")
        found = frames(page)
        browser.close()
    height = round(PART["height"] * WIDTH / PART["width"])
    small = [frame.resize((WIDTH, height), Image.Resampling.LANCZOS) for frame in found]
    palette = small[0].quantize(COLORS)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    times = [
        LONG if step in (0, 600) or k == len(STEPS) - 1 else SHORT for k, step in enumerate(STEPS)
    ]
    flat[0].save(TO, save_all=True, append_images=flat[1:], duration=times, loop=0, optimize=True)


if __name__ == "__main__":
    main()

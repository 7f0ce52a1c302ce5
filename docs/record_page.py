"""Record the article's live page in use, in Chromium without a window: two images of docs/images.

    fastgd tutorial --html article.html && python docs/record_page.py article.html

Alpha moves from the left end of its slider to the right one, where the network breaks, and back to
10, where it is mended; each frame of page-live.gif is there when its network is trained. On
page-phone.png three sections stand side by side.
"""

import os
import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).with_name("images")
TRAINED = "#experiment-final-error[data-finished=true]"
STEPS = [*range(0, 401, 20), *range(410, 601, 10), *range(590, 400, -30), 400]
"""Of alpha's slider, 100 in each power of ten from 0.001 on."""

SHORT, LONG = 90, 1500
"""Milliseconds of a frame, and of those with one of the article's alphas at a turn."""

PART = {"x": 0, "y": 0, "width": 1160, "height": 640}
WIDTH = 720
COLORS = 64


def frames(page: Page) -> list[Image.Image]:
    """Move the slider, and look."""
    stage, slider = page.locator("#live-opening .opening"), page.locator("#slider-alpha")
    found = []
    for step in STEPS:
        slider.fill(str(step))
        slider.blur()
        page.wait_for_timeout(150)
        page.wait_for_selector(TRAINED)
        stage.evaluate("(element) => scrollBy(0, element.getBoundingClientRect().top - 20)")
        found.append(Image.open(BytesIO(page.screenshot(clip=PART))).convert("RGB"))
    return found


def film(browser: Browser, address: str) -> None:
    """Write the animation."""
    page = browser.new_page(viewport={"width": 1160, "height": 640}, reduced_motion="reduce")
    page.goto(address)
    page.wait_for_selector(TRAINED)
    found = frames(page)
    height = round(PART["height"] * WIDTH / PART["width"])
    small = [frame.resize((WIDTH, height), Image.Resampling.LANCZOS) for frame in found]
    palette = small[-1].quantize(COLORS)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    times = [LONG if step in (0, 600) else SHORT for step in STEPS[:-1]] + [LONG]
    flat[0].save(
        IMAGES / "page-live.gif",
        save_all=True,
        append_images=flat[1:],
        duration=times,
        loop=0,
        optimize=True,
    )


def phone(browser: Browser, address: str) -> None:
    """Write the picture of three sections on a phone, one of them dark."""
    whole = Image.new("RGB", (3 * 390 + 2 * 20, 844), "#bbb")
    views = (("opening", "light"), ("bucket", "dark"), ("maps", "light"))
    for k, (name, scheme) in enumerate(views):
        page = browser.new_page(
            viewport={"width": 390, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
        )
        page.goto(f"{address}#alpha=10")
        page.wait_for_selector(TRAINED)
        section = page.locator(f"#live-{name}")
        section.evaluate("(element) => scrollBy(0, element.getBoundingClientRect().top - 10)")
        page.wait_for_timeout(500)
        whole.paste(Image.open(BytesIO(page.screenshot())), (k * 410, 0))
    whole.quantize(128).save(IMAGES / "page-phone.png", optimize=True)


def main() -> None:
    """Open the page that is named, and write the images."""
    program = os.environ.get("FASTGD_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        address = Path(sys.argv[1]).absolute().as_uri()
        film(browser, address)
        phone(browser, address)
        browser.close()


if __name__ == "__main__":
    main()

"""Colors of the live page: what is written on them can be read, in both schemes."""

import re
from importlib.resources import files

import numpy as np
import pytest

from fastgd.article.page.drawings import GROUNDS, READABLE, color_rules
from live import in_node, needs_node

SHEETS = [("page", "page.css"), ("page.live", "live.css")]
CSS = "".join(
    files(f"fastgd.article.{place}").joinpath(name).read_text(encoding="utf-8")
    for place, name in SHEETS
)


def scheme(is_dark):
    """Colors by name, as numbers from 0 to 255."""
    found = {}
    for block in re.findall(r":root \{(.*?)\}", CSS, re.DOTALL):
        colors = dict(re.findall(r"--([\w-]+): #([0-9a-f]{6});", block))
        if is_dark or not found.keys() & colors.keys():
            found |= {
                name: np.array([int(color[k : k + 2], 16) for k in (0, 2, 4)])
                for name, color in colors.items()
            }
    return found


def contrast(one, other):
    """As the Web Content Accessibility Guidelines define it."""

    def luminance(color):
        share = np.asarray(color) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


schemes = pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])


def test_contrast_is_that_of_the_guidelines():
    assert contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    assert contrast([119, 119, 119], [255, 255, 255]) == pytest.approx(4.48, abs=0.005)
    assert scheme(False)["paper"].tolist() == [255] * 3
    assert scheme(True)["paper"].tolist() == [0x15, 0x18, 0x1B]


@needs_node
@schemes
def test_numbers_on_colored_cells_can_be_read(tmp_path, is_dark):
    script = """
import { colored } from "./live/matrix.js";
answer([[0, 0], [0, 2], [0.5, 2], [-2, 2]].map(([value, largest]) => colored(value, largest)));
"""
    shares = in_node(script, tmp_path)
    most = shares[-1]
    assert shares == [0, 0, most / 2, most]
    assert most >= 40, "the larger ones are seen at a glance"
    colors = scheme(is_dark)
    for name in ("accent", "negative"):
        for share in range(most + 1):
            cell = (share * colors[name] + (100 - share) * colors["raised"]) / 100
            assert contrast(colors["ink"], cell) >= 4.5, (name, share)


@schemes
def test_borders_of_controls_are_seen(is_dark):
    (share,) = re.findall(
        r"1px solid color-mix\(in srgb, var\(--soft\) (\d+)%, var\(--paper\)\)", CSS
    )
    colors = scheme(is_dark)
    border = (int(share) * colors["soft"] + (100 - int(share)) * colors["paper"]) / 100
    for around in ("paper", "raised"):
        assert contrast(border, colors[around]) >= 3, around


@schemes
def test_lines_of_figures_are_seen(is_dark):
    colors = scheme(is_dark)
    assert bytes(colors["paper"].tolist()).hex() == GROUNDS["dark" if is_dark else "light"]
    for k in range(9):
        assert contrast(colors[f"series-{k}"], colors["paper"]) >= READABLE, k
    viridis = ["440154", "21918c", "fde725"]  # its ends can't be seen on one of the grounds
    rules = color_rules("".join(f"var(--on-{color})" for color in viridis)).split("@media")
    for color in viridis:
        (written,) = re.findall(rf"--on-{color}: #(\w+);", rules[is_dark])
        assert contrast([*bytes.fromhex(written)], colors["paper"]) >= READABLE
    kept = "fde725" if is_dark else "440154"
    assert f"--on-{kept}: #{kept};" in rules[is_dark]

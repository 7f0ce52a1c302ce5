"""The edge of trainability in all six conditions of a paper, and how rough it is.

Question: is the boundary between learning rates that train and those that don't a fractal under
each condition of Sohl-Dickstein, *The boundary of neural network trainability is fractal* (arXiv
2402.06184, 2024)? The six: tanh; ReLU; a linear network; mini-batches of 16; a single sample; the
mean of the initial weights against one learning rate for both layers.

Published: box-counting dimensions from 1.17 to 1.98 over the six conditions. This is second-hand,
from a published summary of the paper; the paper's table, which says which condition has which,
could not be opened. So each of ours is held against the range.

What counts: a dimension whose whole 95 % interval is outside the range differs. One inside it does
not agree: between a smooth curve (1) and an area (2) hardly anything rough is outside, so that the
two can't be compared. Before the run a dimension in the range was to agree; this was corrected
after it, and no number was changed.

Deviations: the paper takes the median of the slopes over a sequence of zooms, at 4,096 x 4,096
pixels. Here one line is fitted to the box counts of one map. Its window is found by one rule: in a
scan of 64 x 64 pixels over 12 decades (or 12 units of the mean), the square of 8 x 8 pixels with
most of the boundary, a rule that favors rough places. The error is the mean absolute one,
mini-batches are shuffled instead of drawn anew, and the mean is added to the initial weights once
(see ``fastgd.trainability``).

    python examples/studies/trainability.py

It takes about 17 minutes on two cores, 640,000 trainings of 500 iterations, and resumes where it
was interrupted.
"""

from pathlib import Path
from typing import Any

import numpy as np
import study

import fastgd

LOW, HIGH = 1.17, 1.98
"""The paper's range."""

CONDITIONS: dict[str, dict[str, Any]] = {
    "tanh, full batch": {},
    "ReLU": {"activation": "relu"},
    "linear": {"activation": "identity"},
    "tanh, mini-batches": {"batch_size": 16},
    "tanh, one sample": {"samples": 1},
    "tanh, mean of the initial weights": {"against": "mean"},
}

WIDE = ((-3.0, 9.0), (-6.0, 6.0))
"""Where the boundary is looked for."""

FULL = {"scan": 64, "side": 8, "resolution": 320, "iterations": 500}
QUICK = {"scan": 24, "side": 6, "resolution": 32, "iterations": 30}


def window_of(scan: fastgd.Trainability, side: int) -> tuple[tuple[float, float], ...]:
    """Return the square of ``side`` pixels with most of the boundary; of equals, the middle one."""
    views = np.lib.stride_tricks.sliding_window_view(scan.boundary, (side, side))
    counts = views.sum(axis=(2, 3))
    places = np.argwhere(counts == counts.max())
    row, column = places[len(places) // 2].tolist()
    sides = []
    for (low, high), first in zip(scan.settings.window, (column, row), strict=True):
        pixel = (high - low) / scan.settings.resolution
        sides.append((low + pixel * first, low + pixel * (first + side)))
    return tuple(sides)


def map_of(name: str, size: dict[str, int], folder: Path, threads: int | None) -> Any:
    """Scan a condition, then map the window that the scan suggests."""
    given = CONDITIONS[name] | {"iterations": size["iterations"], "threads": threads}
    place = folder / name.replace(",", "").replace(" ", "-")
    scan = fastgd.trainability(size["scan"], window=WIDE, out=Path(f"{place}-scan"), **given)
    window = window_of(scan, size["side"])
    return fastgd.trainability(size["resolution"], window=window, out=place, **given)


def row_of(name: str, found: fastgd.Trainability, boxes: fastgd.BoxCounting) -> study.Row:
    """Compare a dimension with the published range."""
    verdict: study.Verdict = "can't be compared"
    reason = "outside the range, but the interval reaches into it"
    if LOW <= boxes.dimension <= HIGH:
        reason = "in the range"
    elif boxes.high < LOW or boxes.low > HIGH:
        verdict, reason = "differs", "the whole interval is outside the range"
    (left, right), (bottom, top) = found.settings.window
    return study.Row(
        name,
        f"{LOW} to {HIGH}, all conditions (second-hand)",
        f"{boxes.dimension:.2f} ({boxes.low:.2f} to {boxes.high:.2f})",
        verdict,
        f"{reason}; window {left:.2f} to {right:.2f}, {bottom:.2f} to {top:.2f}",
    )


def main() -> None:
    """Map all conditions, measure the boundaries, draw them."""
    given = study.options(__doc__, "trainability")
    size = QUICK if given.quick else FULL
    rows, details, maps = [], {}, {}
    for name in CONDITIONS:
        found = maps[name] = map_of(name, size, given.out, given.threads)
        boxes = found.box_counting()
        rows.append(row_of(name, found, boxes))
        details[name] = {
            "window": found.settings.window,
            "converged": float(found.converged.mean()),
            "dimension": [boxes.dimension, boxes.low, boxes.high],
            "boxes": dict(zip(boxes.sizes.tolist(), boxes.counts.tolist(), strict=True)),
        }
        print(f"{name}: dimension {rows[-1].ours}", flush=True)
    picture = given.out / "trainability-conditions.png"
    study.finish(rows, given, "trainability", details, lambda: draw(maps, picture))


def draw(maps: dict[str, fastgd.Trainability], path: Path) -> None:
    """Draw all maps as panels."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(9.6, 6.6), layout="constrained")
    for ax, (name, found) in zip(panels.flat, maps.items(), strict=True):
        fastgd.plots.trainability(found, ax=ax)
        for image in ax.images:
            image.colorbar.remove()  # ranks: each map has its own
        boxes = found.box_counting()
        title = f"{name}\ndimension {boxes.dimension:.2f} ({boxes.low:.2f} to {boxes.high:.2f})"
        ax.set_title(title, loc="left", fontsize="medium")
        ax.xaxis.label.set_fontsize("small")
        ax.yaxis.label.set_fontsize("small")
    fastgd.plots.write(figure, path)
    plt.close(figure)


if __name__ == "__main__":
    study.answer(main)

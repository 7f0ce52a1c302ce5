"""What the live page compares with, from Python: maps of final errors, and the error plane."""

from functools import partial
from typing import Any

import numpy as np

import fastgd
from fastgd.article.page.live.packing import UNITS, XOR, Packing
from fastgd.optimizers import FIRST_ORDER
from fastgd.workers.compiling import Call

ALPHAS = [float(f"{10 ** (k / 4 - 3):.3g}") for k in range(25)]
"""Four to the power of ten, with three digits, among them the article's seven."""

AXES: dict[str, list[int]] = {
    "seed": list(range(1, 33)),
    # Large networks take most of the time, and differ little from those of nearly their size.
    "hidden_size": [*range(1, 17), *range(20, UNITS + 1, 4)],
}
"""What is varied besides alpha: one map each. The other one is the article's."""

ITERATIONS = 60_000

PLANE = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
"""The article's samples of part 4, of which the error plane is."""

SPAN = (-10.0, 10.0)
RESOLUTION = 101


def add_facts(packing: Packing) -> None:
    """Compute the maps and the plane, and add them.

    Doubles are added as bytes: errors of a map by (value of its axis, alpha), those of the plane by
    (second weight, first weight).
    """
    for name in AXES:
        packing.add(f"map {name}", _map(name, ITERATIONS).astype("<f8").tobytes())
    packing.add_json("maps", {"alphas": ALPHAS, "axes": AXES, "iterations": ITERATIONS})
    plane = fastgd.surface(*PLANE, [[[0], [0]]], span=SPAN, resolution=RESOLUTION)
    packing.add("plane", plane.errors.astype("<f8").tobytes())
    X, y = PLANE
    packing.add_json("plane facts", {"X": X, "y": y, "span": SPAN, "resolution": RESOLUTION})
    packing.add_json("commands", {kind.__name__: kind.command for kind in FIRST_ORDER})


def needed() -> list[Call]:
    """Return quick calls that compile the code of the maps and of the plane."""
    return [
        *(partial(_map, name, iterations=2) for name in AXES),
        partial(fastgd.surface, *PLANE, [[[0], [0]]], span=SPAN, resolution=RESOLUTION),
    ]


def _map(name: str, iterations: int) -> Any:
    """Final errors by value of the axis and alpha."""
    axis: dict[str, Any] = {name: AXES[name]}
    sweep = fastgd.sweep(
        *XOR,
        alpha=ALPHAS,
        **axis,
        iterations=iterations,
        record_every=iterations,
        keep_weights=False,
    )
    order = [*sweep.axes].index(name), [*sweep.axes].index("alpha")
    return np.transpose(sweep.final_error, order)

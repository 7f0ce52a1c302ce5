"""Lines that readers can tell apart: colors, scales, legends; and titles that say what was run."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import axis_text, joined, many, options_text, setting_text, value_text
from fastgd.plots.style import COLORS, ORDERED, ORDERED_TO, Axes, user_text
from fastgd.training.run import Run
from fastgd.training.statistics import REPEATED, quartiles
from fastgd.training.sweep_axes import varied
from fastgd.training.sweep_result import Sweep

ERROR = "mean absolute error"
"""The label of an axis of errors."""

STYLES = ("-", "-.")

VALIDATION: tuple[Literal["--"], Literal[":"]] = ("--", ":")
"""The dashes of validation errors, for each of the line styles."""

MOST = len(COLORS) * len(STYLES)
"""Most lines in a plot."""

WIDE = 10
"""Ratio of the largest to the smallest number from which a scale is logarithmic."""

FAR = 100
"""Errors above this multiple of the first error are cut off: some diverge to 10^164 and beyond."""

FEW = 20
"""Most points of a line that are marked individually."""

LABELED = -3.2
"""Lower end of an axis label, in font heights relative to the axis."""


def looks(settings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the color and dashes of the line of each setting; neighbors differ in width, too.

    If settings differ by a single number, colors are ordered by it. Later lines are drawn over
    earlier ones and are thinner, so that the earlier ones stay visible.
    """
    count = len(settings)
    numbers = [next(iter(setting.values())) for setting in settings if len(setting) == 1]
    numbers = [n for n in numbers if isinstance(n, (int, float)) and not isinstance(n, bool)]
    found: list[dict[str, Any]] = [
        {"color": COLORS[i % len(COLORS)], "linestyle": STYLES[i // len(COLORS)]}
        for i in range(count)
    ]
    if len(numbers) == count > 1:
        from matplotlib import colormaps

        ranks = np.argsort(np.argsort(numbers))
        colors = colormaps[ORDERED](ORDERED_TO * ranks / (count - 1))
        found = [{"color": tuple(color), "linestyle": STYLES[0]} for color in colors]
    widths = np.linspace(2.6, 1.3, count) if count > 1 else [1.6]
    return [look | {"linewidth": width} for look, width in zip(found, widths, strict=True)]


def of_validation(look: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same color, dashed, and thinner because dashes look heavy."""
    style = VALIDATION[STYLES.index(look["linestyle"])]
    return {**look, "linestyle": style, "linewidth": 0.7 * look["linewidth"]}


def marker(points: int) -> dict[str, Any]:
    """Return the markers of a line with few points."""
    return {"marker": "o", "markersize": 3.5} if points <= FEW else {}


def check_lines(count: int, of: str) -> None:
    """Raise ValueError if there are more lines than can be told apart."""
    if count > MOST:
        raise ValueError(f"{of} has {count} settings, and at most {MOST} lines can be told apart")


def scale_errors(ax: "Axes", values: ArrayLike, first: ArrayLike) -> None:
    """Use a logarithmic scale for errors, if they are above 0 and differ widely.

    Values more than `FAR` times above the first errors, those before any update, are cut off.
    """
    numbers, start = np.ravel(values), np.ravel(first)
    numbers = numbers[np.isfinite(numbers)]
    top = FAR * start[np.isfinite(start)].max(initial=0.0)
    seen = numbers[numbers <= top] if top > 0 else numbers
    if len(numbers) and numbers.min() > 0 and numbers.max() >= WIDE * numbers.min():
        ax.set_yscale("log")
        if 0 < len(seen) < len(numbers):
            ax.set_ylim(seen.min() / 1.5, top)


def label_iterations(ax: "Axes") -> None:
    """Label the x axis with iterations."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("iteration")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))  # more labels would overlap
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.margins(x=0.02)


def draw_group(
    ax: "Axes", x: Any, values: NDArray[Any], look: dict[str, Any], *, band: bool = True
) -> None:
    """Draw the median of runs, (runs, points), and a band between their quartiles."""
    low, median, high = quartiles(values)
    ax.plot(x, median, **look)
    if band and len(values) > 1:
        ax.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)


def mark(ax: "Axes", x: Any, height: float, **look: Any) -> None:
    """Draw marks at a fraction of the height of the axes, whatever the scale of the errors."""
    if len(x):  # an empty line would be in the way of the layout
        look |= {"transform": ax.get_xaxis_transform(), "clip_on": False, "linestyle": "none"}
        ax.plot(x, np.full(len(x), height), **look)


def legend(ax: "Axes", entries: Mapping[str, dict[str, Any]] | None = None) -> None:
    """Add a legend of all labeled lines and these looks, right of the axes, where it hides no line.

    Looks are gray unless they have a color.
    """
    from matplotlib.lines import Line2D

    lines, labels = ax.get_legend_handles_labels()
    for label, look in (entries or {}).items():
        lines.append(Line2D([], [], **{"color": "0.4"} | look))
        labels.append(label)
    if lines:
        ax.legend(lines, labels, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)


def below(ax: "Axes") -> dict[str, Any]:
    """Return options that place a legend below the label of the x axis, at any figure height."""
    from matplotlib import rcParams
    from matplotlib.transforms import offset_copy

    figure: Any = ax.figure
    away = offset_copy(ax.transAxes, figure, y=LABELED * rcParams["font.size"], units="points")
    return {"bbox_to_anchor": (0, 0), "bbox_transform": away}


# ---------------------------------------------------------------- titles

WIDTH = 84
"""Characters in a line of a title, at a width of 800 pixels."""


def run_title(run: Run) -> str:
    """Return the network, its training and its initial weights.

    Examples
    --------
    >>> import fastgd
    >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], hidden_size=3, l2=0.1, iterations=1)
    >>> print(run_title(run))
    2-3-1 network, alpha 1, seed 1, l2 0.1
    """
    sizes = (run.weights[0].shape[0], *(layer.shape[1] for layer in run.weights))
    how = str(run.minimizer["method"]) if run.minimizer else f"alpha {joined(run.alpha)}"
    seed = "given initial weights" if run.seed is None else f"seed {run.seed}"
    return _title(
        f"{joined(sizes, '-')} network", how, seed, options_text(run.options, classes=True)
    )


def sweep_title(sweep: Sweep, *, shown: str = "") -> str:
    """Return the network, and the settings that all runs of a sweep share.

    ``shown`` are the statistics shown, if settings are repeated: "median and quartiles".

    Examples
    --------
    >>> import fastgd
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], seed=range(20), iterations=1)
    >>> print(sweep_title(sweep, shown="median and quartiles"))
    2-4-1 networks, median and quartiles of 20 seeds
    """
    first = sweep.networks[0].sizes
    if all(network.sizes == first for network in sweep.networks):
        networks = f"{joined(first, '-')} networks"
    else:
        networks = f"Networks with {many(first[0], 'input')} and {many(first[-1], 'output')}"
    parts = ("group", "fold", "sample_weight")
    fixed = {name: sweep.settings[name] for name in parts if name in sweep.settings}
    several = varied(sweep.axes)
    if "alpha" not in several:
        fixed["alpha"] = sweep.settings["alpha"]
    for name, axis in several.items():
        if len(axis) == 1 and name not in (*REPEATED, "hidden_size"):
            fixed[name] = axis[0]
    repeated = repetitions(sweep)
    shared = f"{shown} of {repeated}" if shown and repeated else ""
    seeds = several.get("seed", [sweep.settings["seed"]])
    if len(seeds) == 1 and "weights" not in sweep.axes:
        seed = "given initial weights" if seeds[0] is None else f"seed {seeds[0]}"
        shared = ", ".join(filter(None, [shared, seed]))
    return _title(
        networks,
        *(_text_of(name, value) for name, value in fixed.items()),
        options_text(sweep.options, without=several, classes=True),
        shared,
    )


def repetitions(sweep: Sweep) -> str:
    """Return how many runs share each setting, such as "5 folds x 20 seeds"; "" for one.

    Examples
    --------
    >>> import fastgd
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], seed=range(20), iterations=1)
    >>> repetitions(sweep)
    '20 seeds'
    """
    several = {name: len(axis) for name, axis in sweep.axes.items() if len(axis) > 1}
    # Given initial weights count as seeds here.
    words = {"weights": "seed"}
    return " x ".join(
        axis_text(words.get(name, name), several[name]) for name in REPEATED if name in several
    )


def group_label(setting: dict[str, Any]) -> str:
    """Return the label of one setting of a sweep.

    Examples
    --------
    >>> group_label({"hidden_size": (8, 2), "alpha": 10.0})
    'hidden 8x2, alpha 10'
    """
    texts = []
    for name, value in setting.items():
        if name == "hidden_size":
            texts.append(f"hidden {value_text(name, value)}")
        elif isinstance(value, dict):  # a combination of several settings
            texts.append(group_label(value))
        else:
            texts.append(_text_of(name, value))
    return ", ".join(texts)


def _text_of(name: str, value: Any) -> str:
    return setting_text(name, user_text(value) if name == "group" else value, classes=True)


def _title(*parts: str) -> str:
    return fill(", ".join(filter(None, parts)), WIDTH)

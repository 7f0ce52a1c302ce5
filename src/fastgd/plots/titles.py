"""Titles of plots: what was run."""

from textwrap import fill
from typing import Any

from fastgd.checks.messages import (
    axis_text,
    joined,
    many,
    options_text,
    setting_text,
    value_text,
)
from fastgd.plots.style import user_text
from fastgd.training.run import Run
from fastgd.training.statistics import REPEATED
from fastgd.training.sweep_axes import varied
from fastgd.training.sweep_result import Sweep

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

    Parameters
    ----------
    sweep : Sweep
    shown : str
        The statistics shown, if settings are repeated: "median and quartiles".

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

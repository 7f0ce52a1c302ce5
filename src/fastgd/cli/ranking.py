"""The best runs of a sweep and its groups, as facts and as tables, however many axes it has."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fastgd import Sweep
from fastgd.arguments.wording import (
    axis_text,
    error_text,
    many,
    options_text,
    setting_text,
    value_text,
)
from fastgd.cli.tables import Rows, fits, print_table

if TYPE_CHECKING:
    from rich.console import Console

ENDINGS = ("converged", "stalled", "diverged")
"""Statuses of runs that were over before their last iteration."""

BEST = 10
"""Best runs of a sweep that are shown."""

STATISTICS = ("mean", "median", "best")

SHORT = {"hidden_size": "hidden"}
NAMES = ("optimizer", "activation", "output", "loss", "bias", "batch_norm", "hidden_size")
"""Axes whose values are no numbers."""


def best_runs(result: Sweep) -> list[dict[str, Any]]:
    """The runs with the smallest final errors, the best one first."""
    order = np.argsort(result.final_error, axis=None, kind="stable")[:BEST]  # NaN comes last
    return [
        _place(result, index)
        | {
            "final_error": result.final_error[index],
            "direction_changes": result.total_changes[index],
            "status": result.status[index],
            "iterations": result.iterations[index],
        }
        for index in zip(*np.unravel_index(order, result.shape), strict=True)
    ]


def groups(result: Sweep) -> list[dict[str, Any]]:
    """Mean, median and best final error over the seeds, the last axis, for each combination."""
    found = []
    for index in np.ndindex(result.shape[:-1]):
        errors, status = result.final_error[index], result.status[index]
        numbers = errors[np.isfinite(errors)]
        statistics = [
            float(f(numbers)) if len(numbers) else None for f in (np.mean, np.median, np.min)
        ]
        found.append(
            _place(result, index)
            | dict(zip(("mean", "median", "best"), statistics, strict=True))
            | {name: int((status == name).sum()) for name in ENDINGS}
        )
    return found


def _place(result: Sweep, index: tuple[int, ...]) -> dict[str, Any]:
    """The values on the axes, of which there may be more than indices."""
    return {name: axis[i] for (name, axis), i in zip(result.axes.items(), index, strict=False)}


def show_axes(console: "Console", result: Sweep) -> None:
    """Say what varies, and what all runs share."""
    varied = [axis_text(name, len(axis)) for name, axis in result.axes.items() if len(axis) > 1]
    console.print(": ".join(filter(None, [many(len(result), "run"), " x ".join(varied)])))
    shared = [setting_text(name, axis[0]) for name, axis in result.axes.items() if len(axis) == 1]
    options = options_text(result.options, without=result.axes)
    shared += [options] if options else []
    if shared:
        console.print(f"{'All with' if varied else 'With'} {', '.join(shared)}")
    console.print()


def show_best(console: "Console", result: Sweep) -> None:
    """Print a table of the best runs."""
    runs = best_runs(result)
    # The iterations of a run that is finished are no news.
    ended = any(run["status"] != "finished" for run in runs)
    rows: Rows = [
        (
            error_text(run["final_error"]),
            f"{run['direction_changes']:,}",
            run["status"],
            *([f"{run['iterations']:,}"] if ended else []),
        )
        for run in runs
    ]
    after = [">final error", ">direction\nchanges", "<status", *([">iterations"] if ended else [])]
    _print_placed(console, result, runs, after, rows, ranked=True)


def show_groups(console: "Console", result: Sweep) -> None:
    """Print a table of the errors over the seeds, for each combination of the other values."""
    found = groups(result)
    names = [name for name in ENDINGS if name in result.status or name == "diverged"]
    rows: Rows = [
        (
            *("-" if group[name] is None else f"{group[name]:.6g}" for name in STATISTICS),
            *(group[name] for name in names),
        )
        for group in found
    ]
    console.print("Final errors over the seeds\n")
    after = [*(f">{name}" for name in (*STATISTICS, *names))]
    _print_placed(console, result, found, after, rows)


def _print_placed(
    console: "Console",
    result: Sweep,
    facts: list[dict[str, Any]],
    after: list[str],
    cells: Rows,
    ranked: bool = False,
) -> None:
    """Print cells behind their values on the axes: in columns, or in one if they'd not fit."""
    varied = [name for name, axis in result.axes.items() if len(axis) > 1 and name in facts[0]]
    first = [">rank"] if ranked else []
    ranks: Rows = [(i,) if ranked else () for i in range(1, len(facts) + 1)]
    columns = [("<" if name in NAMES else ">") + _heading(name) for name in varied]
    apart = [
        (*rank, *(value_text(name, fact[name]) for name in varied), *row)
        for rank, fact, row in zip(ranks, facts, cells, strict=True)
    ]
    if fits(console, [*first, *columns, *after], apart):
        print_table(console, [*first, *columns, *after], apart)
        return
    together = [
        (*rank, ", ".join(setting_text(name, fact[name]) for name in varied), *row)
        for rank, fact, row in zip(ranks, facts, cells, strict=True)
    ]
    print_table(console, [*first, "~settings", *after], together)


def _heading(name: str) -> str:
    return SHORT.get(name, name).replace("_", "\n")

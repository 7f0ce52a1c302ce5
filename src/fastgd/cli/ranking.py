"""The best runs of a sweep and its groups, as data and as tables, for any number of axes."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd import Sweep
from fastgd.checks.messages import (
    axis_text,
    error_text,
    many,
    options_text,
    setting_text,
    value_text,
)
from fastgd.cli.terminal import TableRows, fits, print_table

if TYPE_CHECKING:
    from rich.console import Console

ENDINGS = ("converged", "stalled", "diverged")
"""Statuses of runs that ended before their last iteration."""

BEST = 10
"""Number of best runs that are shown."""

GROUPS = 20
"""Number of groups of rows that are shown, each with its best setting."""

STATISTICS = ("mean", "median", "best")

SHORT = {"hidden_size": "hidden"}
NAMES = (
    "optimizer", "schedule", "activation", "output", "loss", "reduction", "bias", "batch_norm",
    "hidden_size", "group",
)  # fmt: skip
"""Axes whose values are not numbers."""

REPEATED = ("group", "fold", "seed")
"""Axes over which a setting is averaged."""


def ranking_error(result: Sweep) -> NDArray[np.float64]:
    """The final errors that rank: validation errors where there are any."""
    held = result.final_validation_error
    return result.final_error if held is None else held


def best_runs(result: Sweep) -> list[dict[str, Any]]:
    """The settings with the smallest final errors, the best one first: the mean over the folds.

    Groups of rows have networks of their own, which don't compete: of each group it is the best
    setting, in the order of the groups.
    """
    names = [name for name in result.axes if name != "fold"]
    errors = ranking_error(result)
    if "fold" in result.axes:
        errors = errors.mean(axis=list(result.axes).index("fold"))
    if _several(result, "group"):
        numbers = np.where(np.isnan(errors), np.inf, errors)
        each, places = (
            np.moveaxis(array, names.index("group"), 0).reshape(len(result.axes["group"]), -1)
            for array in (numbers, np.arange(errors.size).reshape(errors.shape))
        )
        chosen = places[np.arange(len(each)), each.argmin(axis=1)]
    else:
        chosen = np.argsort(errors, axis=None, kind="stable")[:BEST]  # NaN comes last
    found = np.transpose(np.unravel_index(chosen, errors.shape))
    return [_facts(result, dict(zip(names, map(int, index), strict=True))) for index in found]


def _facts(result: Sweep, at: dict[str, int]) -> dict[str, Any]:
    """The result of a setting: of its run, or the mean over its folds."""
    index = tuple(at.get(name, slice(None)) for name in result.axes)
    facts = {name: result.axes[name][i] for name, i in at.items()}
    arrays = {
        "final_error": result.final_error,
        "final_loss": result.final_loss,
        "direction_changes": result.total_changes,
    }
    if result.final_validation_error is not None:
        arrays["final_validation_error"] = result.final_validation_error
    if result.best_iteration is not None:
        arrays["best_iteration"] = result.best_iteration
    arrays["iterations"] = result.iterations
    if "fold" not in result.axes:
        facts |= {name: array[index].item() for name, array in arrays.items()}
        return facts | {"status": str(result.status[index])}
    facts |= {name: float(array[index].mean()) for name, array in arrays.items()}
    with np.errstate(invalid="ignore"):  # some may be infinite
        facts["spread"] = float(ranking_error(result)[index].std())
    found, counts = np.unique(result.status[index], return_counts=True)
    if len(found) == 1:
        return facts | {"status": str(found[0])}
    over = zip(found, counts, strict=True)
    several = (f"{count} {status}" for status, count in over if status != "finished")
    return facts | {"status": ", ".join(several)}


def _several(result: Sweep, name: str) -> bool:
    return len(result.axes.get(name, ())) > 1


def statistics_of(result: Sweep) -> list[dict[str, Any]]:
    """Mean, median and best final error over groups, folds and seeds, for each setting."""
    places = list(enumerate(result.axes))
    apart = [i for i, name in places if name not in REPEATED]
    over = [i for i, name in places if name in REPEATED]
    axes = {name: axis for name, axis in result.axes.items() if name not in REPEATED}
    shape = [len(axis) for axis in axes.values()]
    all_errors = ranking_error(result).transpose(*apart, *over).reshape(*shape, -1)
    all_status = result.status.transpose(*apart, *over).reshape(*shape, -1)
    found = []
    for index in np.ndindex(*shape):
        errors, status = all_errors[index], all_status[index]
        numbers = errors[np.isfinite(errors)]
        statistics = [
            float(f(numbers)) if len(numbers) else None for f in (np.mean, np.median, np.min)
        ]
        found.append(
            {name: axis[i] for (name, axis), i in zip(axes.items(), index, strict=True)}
            | dict(zip(STATISTICS, statistics, strict=True))
            | {name: int((status == name).sum()) for name in ENDINGS}
        )
    return found


def show_axes(console: "Console", result: Sweep) -> None:
    """Print what varies, and what all runs share."""
    varied = [axis_text(name, len(axis)) for name, axis in result.axes.items() if len(axis) > 1]
    console.print(": ".join(filter(None, [many(len(result), "run"), " x ".join(varied)])))
    shared = [setting_text(name, axis[0]) for name, axis in result.axes.items() if len(axis) == 1]
    options = options_text(result.options, without=result.axes)
    shared += [options] if options else []
    if shared:
        console.print(f"{'All with' if varied else 'With'} {', '.join(shared)}")
    console.print()


def show_best(console: "Console", result: Sweep) -> None:
    """Print a table of the best runs, or of the best one of each group."""
    found = best_runs(result)
    grouped = _several(result, "group")
    runs = found[:GROUPS] if grouped else found
    columns = [*_measured(result)]
    # The iterations of a run that is finished are no news; the mean of those of folds is no number
    # of a run, and the table is wide.
    if "fold" not in result.axes and any(run["status"] != "finished" for run in runs):
        columns.append(TableColumn(">iterations", "iterations", "{:,.0f}".format))
    if result.best_iteration is not None and (
        result.final_validation_error is not None or result.options.get("restore_best")
    ):
        columns.append(TableColumn(">best at\niteration", "best_iteration", "{:,.0f}".format))
    if _several(result, "fold"):
        folds = axis_text("fold", len(result.axes["fold"]))
        whose = "of each group" if grouped else "settings"
        console.print(f"Best {whose}: mean over {folds}, \N{PLUS-MINUS SIGN} their spread\n")
    elif grouped:
        console.print("Best of each group\n")
    rows: TableRows = [tuple(column.text(run[column.name]) for column in columns) for run in runs]
    after = [column.heading for column in columns]
    _print_placed(console, result, runs, after, rows, ranked=not grouped)
    if len(found) > len(runs):
        more = many(len(found) - len(runs), "group")
        console.print(f"... and {more} more: --csv FILE.csv or --json have all\n")


class TableColumn(NamedTuple):
    """A column of the table of the best runs."""

    heading: str
    name: str
    text: Callable[[Any], str]


def _measured(result: Sweep) -> Iterator[TableColumn]:
    if result.final_validation_error is None:
        yield TableColumn(">final error", "final_error", error_text)
    else:
        yield TableColumn(">validation\nerror", "final_validation_error", "{:#.6g}".format)
        if "fold" in result.axes:
            yield TableColumn(">\N{PLUS-MINUS SIGN}", "spread", "{:#.3g}".format)
        yield TableColumn(">training\nerror", "final_error", "{:#.6g}".format)
    if "fold" not in result.axes:
        yield TableColumn(">direction\nchanges", "direction_changes", "{:,.0f}".format)
    yield TableColumn("<status", "status", str)


def show_groups(console: "Console", result: Sweep) -> None:
    """Print a table of the errors over groups, folds and seeds, for each other setting."""
    found = statistics_of(result)
    names = [name for name in ENDINGS if name in result.status or name == "diverged"]
    rows: TableRows = [
        (
            *("-" if group[name] is None else f"{group[name]:#.6g}" for name in STATISTICS),
            *(group[name] for name in names),
        )
        for group in found
    ]
    over = [axis_text(name, len(result.axes[name])) for name in REPEATED if _several(result, name)]
    which = "Final" if result.final_validation_error is None else "Held-out"
    only_seeds = over in ([], [axis_text("seed", len(result.axes["seed"]))])
    repeated = "the seeds" if only_seeds else " x ".join(over)
    console.print(f"{which} errors over {repeated}\n")
    after = [*(f">{name}" for name in (*STATISTICS, *names))]
    _print_placed(console, result, found, after, rows)


def _print_placed(
    console: "Console",
    result: Sweep,
    facts: list[dict[str, Any]],
    after: list[str],
    cells: TableRows,
    ranked: bool = False,
) -> None:
    """Print cells next to their axis values: in columns, or in one column if they don't fit."""
    varied = [name for name, axis in result.axes.items() if len(axis) > 1 and name in facts[0]]
    first = [">rank"] if ranked else []
    ranks: TableRows = [(i,) if ranked else () for i in range(1, len(facts) + 1)]
    headings = {name: SHORT.get(name, name).replace("_", "\n") for name in varied}
    columns = [("<" if name in NAMES else ">") + headings[name] for name in varied]
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

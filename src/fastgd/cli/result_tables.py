"""Results as tables: the best runs of a sweep and its groups, and the scores of a model.

What is ranked and averaged is data, too, for programs.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

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
from fastgd.checks.presentation import described
from fastgd.cli.terminal import fits, new_table, print_plain, print_rich, print_table
from fastgd.models.model import Model
from fastgd.models.scores import RECALL, Scores
from fastgd.training.statistics import groups

EARLY_STATUSES = ("converged", "stalled", "diverged")
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

_NUMERIC_CELL = re.compile(r"-|nan|-?inf|[-+]?[\d,.]+(e[-+]?\d+)?")

REPEATED = ("group", "fold", "seed")
"""Axes over which a setting is averaged."""


def print_summary(result: object) -> None:
    """Print the summary of a result: a title and tables, with numbers on the right."""
    title, tables, *_ = described(result)
    print_plain(title)
    print_rich()
    for table in tables:
        columns = zip(*table.rows, strict=True)
        sides = [">" if all(map(_NUMERIC_CELL.fullmatch, cells)) else "~" for cells in columns]
        names = table.names or [""] * len(sides)
        shown = new_table(
            [s + n for s, n in zip(sides, names, strict=True)], map(tuple, table.rows)
        )
        shown.show_header = bool(table.names)
        print_rich(shown, "")


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
    named = {
        "final_error": result.final_error,
        "final_loss": result.final_loss,
        "direction_changes": result.total_changes,
        "final_validation_error": result.final_validation_error,
        "best_iteration": result.best_iteration,
        "iterations": result.iterations,
    }
    arrays = {name: array for name, array in named.items() if array is not None}
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
    found = []
    axes = {name: axis for name, axis in result.axes.items() if name not in REPEATED}
    for errors, status in zip(
        groups(result, ranking_error(result), over=REPEATED),
        groups(result, result.status, over=REPEATED),
        strict=True,
    ):
        numbers = errors.values[np.isfinite(errors.values)]
        statistics = [
            float(f(numbers)) if len(numbers) else None for f in (np.mean, np.median, np.min)
        ]
        found.append(
            {name: errors.setting.get(name, axis[0]) for name, axis in axes.items()}
            | dict(zip(STATISTICS, statistics, strict=True))
            | {name: int((status.values == name).sum()) for name in EARLY_STATUSES}
        )
    return found


def show_axes(result: Sweep) -> None:
    """Print what varies, and what all runs share."""
    varied = [axis_text(name, len(axis)) for name, axis in result.axes.items() if len(axis) > 1]
    print_rich(": ".join(filter(None, [many(len(result), "run"), " x ".join(varied)])))
    shared = [setting_text(name, axis[0]) for name, axis in result.axes.items() if len(axis) == 1]
    options = options_text(result.options, without=result.axes)
    shared += [options] if options else []
    if shared:
        print_rich(f"{'All with' if varied else 'With'} {', '.join(shared)}")
    print_rich()


def show_best(result: Sweep) -> None:
    """Print a table of the best runs, or of the best one of each group."""
    found = best_runs(result)
    grouped, has_folds = _several(result, "group"), "fold" in result.axes
    runs = found[:GROUPS] if grouped else found
    whole = "{:,.0f}".format
    # Headings, and how a number is shown. The iterations of a run that is finished are no news; the
    # mean of those of folds is no number of a run, and the table is wide.
    columns: dict[str, tuple[str, Callable[[Any], str]]] = {}
    if result.final_validation_error is None:
        columns["final_error"] = ">final error", error_text
    else:
        columns["final_validation_error"] = ">validation\nerror", "{:#.6g}".format
        if has_folds:
            columns["spread"] = ">\N{PLUS-MINUS SIGN}", "{:#.3g}".format
        columns["final_error"] = ">training\nerror", "{:#.6g}".format
    if not has_folds:
        columns["direction_changes"] = ">direction\nchanges", whole
    columns["status"] = "<status", str
    if not has_folds and any(run["status"] != "finished" for run in runs):
        columns["iterations"] = ">iterations", whole
    if result.best_iteration is not None and (
        result.final_validation_error is not None or result.options.get("restore_best")
    ):
        columns["best_iteration"] = ">best at\niteration", whole
    if _several(result, "fold"):
        folds = axis_text("fold", len(result.axes["fold"]))
        whose = "of each group" if grouped else "settings"
        print_rich(f"Best {whose}: mean over {folds}, \N{PLUS-MINUS SIGN} their spread\n")
    elif grouped:
        print_rich("Best of each group\n")
    rows = [tuple(text(run[name]) for name, (_, text) in columns.items()) for run in runs]
    after = [heading for heading, _ in columns.values()]
    _print_placed(result, runs, after, rows, ranked=not grouped)
    if len(found) > len(runs):
        more = many(len(found) - len(runs), "group")
        print_rich(f"... and {more} more: --csv FILE.csv or --json have all\n")


def show_groups(result: Sweep) -> None:
    """Print a table of the errors over groups, folds and seeds, for each other setting."""
    found = statistics_of(result)
    names = [name for name in EARLY_STATUSES if name in result.status or name == "diverged"]
    rows = [
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
    print_rich(f"{which} errors over {repeated}\n")
    after = [*(f">{name}" for name in (*STATISTICS, *names))]
    _print_placed(result, found, after, rows)


def _print_placed(
    result: Sweep,
    facts: list[dict[str, Any]],
    after: list[str],
    cells: Sequence[tuple[Any, ...]],
    ranked: bool = False,
) -> None:
    """Print cells next to their axis values: in columns, or in one column if they don't fit."""
    varied = [name for name, axis in result.axes.items() if len(axis) > 1 and name in facts[0]]
    first = [">rank"] if ranked else []
    headings = [
        ("<" if name in NAMES else ">") + SHORT.get(name, name).replace("_", "\n")
        for name in varied
    ]
    apart = [[value_text(name, fact[name]) for name in varied] for fact in facts]
    together = [[", ".join(setting_text(name, fact[name]) for name in varied)] for fact in facts]
    for columns, settings in (headings, apart), (["~settings"], together):
        rows = [
            (*([rank] if ranked else []), *setting, *row)
            for rank, (setting, row) in enumerate(zip(settings, cells, strict=True), 1)
        ]
        columns = [*first, *columns, *after]
        if settings is together or fits(columns, rows):
            print_table(columns, rows)
            return


# ---------------------------------------------------------------- scores


LONG = 12
"""Longer names of scores are broken in headings."""


def print_scores(model: Model) -> None:
    """Print the scores of a model, of a linear one and of a constant."""
    names = {"model": "this model", "linear": "a linear model", "constant": "a constant"}
    names |= {"last value": "the last value"}
    if model.classes is not None:
        names["constant"] = "the most frequent class"
    elif model.runs[0].options.get("loss", "squared") == "squared":
        names["constant"] = "the mean"
    # Without the recalls: there is one for each class.
    first = [name for name in next(iter(model.scores.values())) if not name.startswith(RECALL)]
    rows = [
        (names.get(which, which), *(score_text(name, scores[name]) for name in first))
        for which, scores in model.scores.items()
    ]
    headings = [name.replace(" ", "\n", 1) if len(name) > LONG else name for name in first]
    headings = ["<", *(f">{name}" for name in headings)]
    if not fits(headings, rows):
        headings = [name.replace(" ", "\n") for name in headings]
    print_table(headings, rows)


def score_text(name: str, score: float) -> str:
    """A score with as many digits as are meaningful."""
    if name in ("accuracy", "balanced accuracy", "share below"):
        return f"{100 * score:.1f} %"
    return f"{score:.3f}" if name in ("R squared", "log loss", "AUC") else number_text(score)


def number_text(value: float) -> str:
    """A number with five digits, without exponent unless it is very large or small.

    Examples
    --------
    >>> number_text(437545.2), number_text(43.75452), number_text(4.3e-7)
    ('437,545', '43.755', '4.3e-07')
    """
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.5g}"


def scores_line(scores: Scores) -> str:
    """Scores side by side."""
    shown = (name for name in scores if not name.startswith(RECALL))  # one for each class
    return ", ".join(f"{name} {score_text(name, scores[name])}" for name in shown)

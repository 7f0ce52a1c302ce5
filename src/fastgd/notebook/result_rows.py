"""The summary table of each kind of result."""

from collections import Counter
from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from fastgd.checks.messages import (
    axis_text,
    first_names,
    joined,
    layers_text,
    many,
    options_text,
    value_text,
)
from fastgd.models.group_models import GroupModels
from fastgd.models.model import Model
from fastgd.studies.mean_field import sample_count
from fastgd.studies.race import Race
from fastgd.studies.surface import Surface
from fastgd.studies.trainability_map import Trainability
from fastgd.training.run import Run
from fastgd.training.sweep_axes import labels_of, varied
from fastgd.training.sweep_result import Sweep

BEST = 5
"""Runs of a sweep, or groups, with a row of their own."""


class HtmlTable(NamedTuple):
    """Rows of strings, with or without column names."""

    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]


class ResultFacts(NamedTuple):
    """The summary of a result: a title, and tables below one another."""

    title: str
    tables: tuple[HtmlTable, ...]


@singledispatch
def facts_of(result: Any) -> ResultFacts:
    """Return the summary of a result."""
    raise TypeError(f"a notebook has no table for {type(result).__name__}")


@facts_of.register
def _of_run(run: Run) -> ResultFacts:
    sizes = (len(run.weights[0]), *(layer.shape[1] for layer in run.weights))
    how = str(run.minimizer["method"]) if run.minimizer else joined(run.alpha)
    rows = [
        ("method" if run.minimizer else "alpha", how),
        ("seed", "given initial weights" if run.seed is None else str(run.seed)),
        *_options(run.options),
        ("status", f"{run.status} after {many(run.iterations, 'iteration')}"),
        ("final error", _number(run.final_error)),
        ("final loss", _number(run.final_loss)),
    ]
    if run.final_validation_error is not None:
        rows.append(("final validation error", _number(run.final_validation_error)))
    if run.best_iteration is not None:
        rows.append(("best iteration", f"{run.best_iteration:,}"))
    changes = sum(int(layer.sum()) for layer in run.direction_changes + run.bias_direction_changes)
    rows.append(("direction changes", f"{changes:,}"))
    return ResultFacts(f"{joined(sizes, '-')} network", (HtmlTable((), rows),))


@facts_of.register
def _of_sweep(sweep: Sweep) -> ResultFacts:
    axes = " x ".join(axis_text(name, len(axis)) for name, axis in sweep.axes.items())
    several = varied(sweep.axes)
    shared = {name: value for name, value in sweep.settings.items() if name not in several}
    network = layers_text(sweep.networks[0].sizes[1:-1])
    rows = [] if "hidden_size" in sweep.axes else [("hidden size", network)]
    rows += [(name.replace("_", " "), _setting(name, value)) for name, value in shared.items()]
    rows += _options(sweep.options)
    rows.append(("status", _counted(sweep.status)))
    title = many(len(sweep), "run") + (f": {axes}" if axes else "")
    return ResultFacts(title, (HtmlTable((), rows), _best(sweep)))


def _best(sweep: Sweep) -> HtmlTable:
    """Return a table of the best runs, by validation error if there is one."""
    held = sweep.final_validation_error
    errors = np.ravel(sweep.final_error if held is None else held)
    # NaN is sorted to the end.
    order = np.argsort(errors, kind="stable")[:BEST]
    places = [np.unravel_index(flat, sweep.shape) if sweep.shape else () for flat in order]
    columns: dict[str, list[str]] = {}
    for along, (name, axis) in enumerate(sweep.axes.items()):
        labels = _labels(name, axis)
        columns[name.replace("_", " ")] = [labels[place[along]] for place in places]
    if held is not None:
        columns["validation error"] = [_number(error) for error in errors[order]]
    columns["final error"] = [_number(error) for error in np.ravel(sweep.final_error)[order]]
    columns["iterations"] = [f"{count:,}" for count in np.ravel(sweep.iterations)[order]]
    columns["status"] = [str(status) for status in np.ravel(sweep.status)[order]]
    return HtmlTable(tuple(columns), list(zip(*columns.values(), strict=True)))


def _labels(name: str, axis: list[Any]) -> list[str]:
    """Return a label for each value of an axis; a combination lists all its parameters."""
    return [
        value_text(name, value)
        if isinstance(value, dict)
        else f"{label:g}"
        if isinstance(label, float)
        else str(label)
        for label, value in zip(labels_of(name, axis), axis, strict=True)
    ]


@facts_of.register
def _of_surface(surface: Surface) -> ResultFacts:
    x, y, error = surface.lowest()
    first, second = surface.names
    rows = [
        (first, f"{surface.x[0]:g} to {surface.x[-1]:g}"),
        (second, f"{surface.y[0]:g} to {surface.y[-1]:g}"),
        ("points", f"{len(surface.x)} x {len(surface.y)}"),
        ("other weights, fixed", f"{surface.held:,}"),
        ("samples", f"{surface.samples:,}"),
        *_options(surface.options),
        ("lowest error", f"{_number(error)} at ({x:g}, {y:g})"),
    ]
    title = f"Loss surface of a {joined(surface.sizes, '-')} network"
    return ResultFacts(title, (HtmlTable((), rows),))


@facts_of.register
def _of_race(race: Race) -> ResultFacts:
    rows = [
        (str(place), name, joined(run.alpha), _number(run.final_error), run.status)
        for place, name in enumerate(race.ranking(), 1)
        for run in [race.runs[name]]
    ]
    names = ("", "optimizer", "alpha", "final error", "status")
    return ResultFacts(f"Race of {many(len(rows), 'optimizer')}", (HtmlTable(names, rows),))


@facts_of.register
def _of_map(found: Trainability) -> ResultFacts:
    settings = found.settings
    (left, right), (bottom, top) = settings.window
    across, up = settings.labels
    rows = [
        ("network", f"{settings.width}-{settings.width}-1, {settings.activation}"),
        ("iterations", f"{settings.iterations:,}"),
        ("samples", f"{sample_count(settings.width, settings.activation, settings.samples):,}"),
        ("batch", f"{settings.batch_size:,} samples" if settings.batch_size else "all samples"),
        ("seed", str(settings.seed)),
        (f"log10 of the {across}", f"{left:g} to {right:g}"),
        (f"log10 of the {up}" if settings.vertical.is_logarithm else up, f"{bottom:g} to {top:g}"),
        ("converged", f"{found.converged.mean():.1%}"),
    ]
    size = settings.resolution
    return ResultFacts(f"Map of {size} x {size} trainings", (HtmlTable((), rows),))


@facts_of.register
def _of_model(model: Model) -> ResultFacts:
    run = model.runs[0]
    inputs = model.preparation.names
    rows = [
        ("inputs", f"{len(inputs):,}: {first_names(list(inputs))}"),
        ("hidden size", layers_text(run.hidden_size)),
        ("networks", f"{len(model.runs):,}"),
        ("alpha", joined(run.alpha)),
        *_options(run.options),
    ]
    names = tuple(next(iter(model.scores.values()), ()))
    scores = [
        (who, *(_number(found[name]) for name in names)) for who, found in model.scores.items()
    ]
    title = f"Model of {', '.join(target.name for target in model.targets)}"
    judged = (HtmlTable(("on the test set", *names), scores),) if scores else ()
    return ResultFacts(title, (HtmlTable((), rows), *judged))


@facts_of.register
def _of_groups(models: GroupModels) -> ResultFacts:
    measured = models.measured
    held = measured["test_error"]
    rows = [
        ("groups", f"{len(models):,}"),
        ("rows", f"{int(measured['rows'].sum()):,}"),
        ("inputs", f"{len(models.preparation.names):,}"),
        ("status", _counted(measured["status"])),
        ("unknown groups", "no prediction" if models.fallback is None else "the global network"),
    ]
    errors = measured["training_error"] if np.isnan(held).all() else held
    known = np.flatnonzero(~np.isnan(errors))
    worst = known[np.argsort(-errors[known], kind="stable")[:BEST]]
    groups = [
        (
            ", ".join(str(column[i]) for column in models.keys.columns()),
            f"{int(measured['rows'][i]):,}",
            _number(measured["training_error"][i]),
            _number(held[i]),
        )
        for i in worst
    ]
    names = ("the worst groups", "rows", "training error", "test error")
    title = f"Models of {models.target.name} by {', '.join(models.keys.names)}"
    return ResultFacts(title, (HtmlTable((), rows), HtmlTable(names, groups)))


def _options(options: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row of the options that differ from their defaults, if there are any."""
    return [("options", options_text(options, classes=True))] if options else []


def _counted(status: Any) -> str:
    """Return how many runs ended in which way."""
    ended = Counter(np.ravel(status).tolist())
    return ", ".join(f"{count:,} {name}" for name, count in ended.most_common())


def _setting(name: str, value: Any) -> str:
    """Return the text of a setting: alpha, a seed, or an index on an axis of samples."""
    if value is None:
        return "given initial weights" if name == "seed" else "none"
    return joined(value) if name == "alpha" else str(value)


def _number(value: float) -> str:
    return f"{value:.5g}"

"""Predictions of all networks of a sweep."""

from typing import Any

import numpy as np

from fastgd.arguments.options import Method
from fastgd.arguments.samples import check_inputs
from fastgd.arguments.subsets import RowIndices, check_groups
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import did_you_mean, shown
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import available_threads
from fastgd.engine.prediction import derivatives, empty, predict, predict_parts
from fastgd.training.sweep_axes import SweepAxes, varied

ALSO = "fewer samples, or a selection of the sweep,"


def gradient_all(sweep: Any, X: object) -> FloatArray:
    """Derivatives (*shape, samples, outputs, inputs)."""
    X = _inputs(sweep, X, "gradient")
    sweep_axes, found = SweepAxes(sweep.axes), []
    for number, network in enumerate(sweep.networks):
        method, kept = sweep_axes.method_of(number, sweep.method), sweep.kept_weights[number]
        numbers = _numbers(sweep_axes, method)
        found.append(derivatives(network, method, kept, X, numbers, 1, ALSO))
    return np.reshape(found, (*sweep.shape, *found[0].shape[1:]))


def _inputs(sweep: Any, X: object, caller: str) -> FloatArray:
    """Check X, and that the sweep has networks with as many outputs each."""
    if sweep.kept_weights is None:
        raise ValueError(
            f"{caller} needs the weights of all runs, and this sweep was made with "
            "keep_weights=False"
        )
    sizes = sweep.networks[0].sizes
    if any(network.sizes[-1] != sizes[-1] for network in sweep.networks):
        raise ValueError(
            f"{caller} needs networks with the same number of outputs, and those of this sweep "
            "differ because of their loss: select one first, as in sweep.sel(loss=...)"
        )
    return check_inputs(X, sizes[0])


def predict_all(sweep: Any, X: object, groups: object = None) -> FloatArray:
    """Outputs (*shape, samples, outputs); with ``groups``, the shape has no axis "group"."""
    X, sizes = _inputs(sweep, X, "predict"), sweep.networks[0].sizes
    rows = None if groups is None else _rows(sweep, groups, len(X))
    sweep_axes = SweepAxes(sweep.axes)
    shape = tuple(len(axis) for name, axis in sweep.axes.items() if rows is None or name != "group")
    count = int(np.prod(shape, dtype=np.int64))
    check_memory(8 * count * len(X) * sizes[-1], "the prediction", also=ALSO)
    result = empty((sweep_axes.networks, count // sweep_axes.networks, len(X), sizes[-1]))
    threads, weights = available_threads(), sweep.kept_weights
    for number, network in enumerate(sweep.networks):
        method, kept = sweep_axes.method_of(number, sweep.method), weights[number]
        numbers = _numbers(sweep_axes, method)
        if rows is None:
            predict(network, method, kept, X, numbers, threads, result[number])
            continue
        groups_first = (len(sweep.axes["group"]), -1)
        present, parts = rows
        of_groups = kept.reshape(*groups_first, network.parameters)[present]
        numbers = {n: axis.reshape(groups_first)[present].ravel() for n, axis in numbers.items()}
        predict_parts(network, method, of_groups, X, parts, numbers, threads, result[number])
    return result.reshape(*shape, len(X), sizes[-1])


def _rows(sweep: Any, groups: object, samples: int) -> tuple[list[int], RowIndices]:
    """The indices of the given groups on their axis, and the rows of each."""
    if "group" not in sweep.axes:
        raise ValueError(
            "groups must be left out where no axis is called group: this sweep has "
            f"{', '.join(sweep.axes) or 'no axis'}, got groups={shown(groups)}"
        )
    given, axis = check_groups(groups, samples), sweep.axes["group"]
    places = {label: place for place, label in reversed(list(enumerate(axis)))}
    for code, label in enumerate(given.labels or ()):
        if label not in places:
            near = did_you_mean(label, axis) if isinstance(label, str) and label else ""
            raise ValueError(
                f"groups must have labels that the sweep has networks for, {shown(axis)}, "
                f"got {shown(label)} at [{given.rows[code][0]}]{near}"
            )
    return [places[label] for label in given.labels or ()], given.rows


def _numbers(sweep_axes: SweepAxes, method: Method) -> dict[str, FloatArray]:
    """The parameters of functions that are axes, for each run of a network."""
    lengths = sweep_axes.shape[sweep_axes.cut :]
    return {
        name: np.array(numbers)[np.indices(lengths)[along].ravel()]
        for along, own in enumerate(list(sweep_axes.axes.items())[sweep_axes.cut :])
        for name, numbers in varied(dict([own])).items()
        if name in method.numbers
    }

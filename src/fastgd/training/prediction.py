"""What all networks of a sweep make of samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray, check_inputs
from fastgd.arguments.groups import check_groups
from fastgd.arguments.memory import check_memory
from fastgd.arguments.messages import did_you_mean, shown
from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.engine.session import outputs
from fastgd.training.grid import Grid
from fastgd.training.picking import method_at


def predict_all(sweep: Any, X: object, groups: object = None) -> FloatArray:
    """Outputs (*shape, samples, outputs); with groups the axis of these is not in the shape."""
    if sweep.kept_weights is None:
        raise ValueError(
            "predict needs the weights of all runs, and this sweep was made with keep_weights=False"
        )
    sizes = sweep.networks[0].sizes
    X = check_inputs(X, sizes[0])
    rows = None if groups is None else _rows(sweep, groups, len(X))
    grid = Grid(sweep.axes)
    shape = tuple(len(axis) for name, axis in sweep.axes.items() if rows is None or name != "group")
    count = int(np.prod(shape, dtype=np.int64))
    check_memory(8 * count * len(X) * sizes[-1], "the prediction")
    result = np.full((grid.networks, count // grid.networks, len(X), sizes[-1]), np.nan)
    for number, network in enumerate(sweep.networks):
        method, kept = _method(sweep, grid, number), sweep.kept_weights[number]
        if rows is None:
            _fill(result[number], network, method, kept, X)
            continue
        of_groups = kept.reshape(len(sweep.axes["group"]), -1, network.parameters)
        for place, chosen in rows:
            found = np.full((len(of_groups[place]), len(chosen), sizes[-1]), np.nan)
            _fill(found, network, method, of_groups[place], X[chosen])
            result[number][:, chosen] = found
    return result.reshape(*shape, len(X), sizes[-1])


def _rows(sweep: Any, groups: object, samples: int) -> list[tuple[int, NDArray[np.int64]]]:
    """The rows of each group, with its place on the axis."""
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
                f"groups must have labels that the sweep has networks of, {shown(axis)}, "
                f"got {shown(label)} at [{given.rows[code][0]}]{near}"
            )
    return [(places[label], given.rows[code]) for code, label in enumerate(given.labels or ())]


def _method(sweep: Any, grid: Grid, number: int) -> Method:
    """The options of a network's code; those that are numbers change no output."""
    index = np.unravel_index(number, grid.shape[: grid.cut]) if grid.cut else ()
    pairs = zip(list(grid.axes.items())[: grid.cut], index, strict=True)
    return method_at(sweep.method, {name: axis[place] for (name, axis), place in pairs})


def _fill(
    result: FloatArray, network: Network, method: Method, rows: FloatArray, X: FloatArray
) -> None:
    """Put outputs in place, but for networks with numbers that are not finite."""
    for run in np.flatnonzero(np.isfinite(rows).all(axis=1)):
        result[run] = outputs(network, method, rows[run], X)

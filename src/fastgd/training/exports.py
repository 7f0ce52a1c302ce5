"""Export to pandas and xarray: tables of rows, or arrays with named and labeled axes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.declarations import FIELDED
from fastgd.checks.messages import shown, value_text
from fastgd.formulas.named import Formula
from fastgd.optimizers import BAYESIAN
from fastgd.training.sweep_axes import COMBINATION, varied

if TYPE_CHECKING:
    import pandas
    import xarray

CURVES = {"errors": "error", "losses": "loss", "validation_errors": "validation_error"}
"""The curves that are recorded during training, and the name of a single value of each."""

MEASURED = (
    *("final_error", "final_loss", "final_validation_error", "best_iteration"),
    *BAYESIAN,
    *("status", "iterations", "total_changes"),
)
"""The results of a run that are single values, as far as a run or a sweep has them."""

Variables = dict[str, tuple[tuple[str, ...], Any]]
"""Arrays and the names of their axes."""

_OF_LAYERS = (
    *("weights", "direction_changes", "biases", "bias_direction_changes"),
    *("recorded_weights", "recorded_biases"),
)

_EXTRAS = {"pandas": "dataframe", "xarray": "xarray"}


def module(name: str, caller: str) -> Any:
    """Import pandas or xarray for a method, or say how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f'{caller}() needs {name}: pip install "fastgd[{_EXTRAS[name]}]"'
        ) from error


def dataframe(columns: Mapping[str, Any]) -> pandas.DataFrame:
    """Make a DataFrame of columns."""
    table: pandas.DataFrame = module("pandas", "to_dataframe").DataFrame(dict(columns))
    return table


def columns_of(sweep: Any) -> dict[str, list[Any]]:
    """Columns of the values on the axes, the last one fastest, and of the results."""
    arrays = {name: getattr(sweep, name) for name in MEASURED}  # once: a folder is read each time
    known = {name: a.ravel().tolist() for name, a in arrays.items() if a is not None}
    return axis_columns(sweep.axes) | known


def axis_columns(axes: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Columns of the values on the axes alone."""
    columns: dict[str, list[Any]] = {}
    shape = tuple(map(len, axes.values()))
    places = np.indices(shape).reshape(len(axes), prod(shape))
    for place, (name, axis) in zip(places, axes.items(), strict=True):
        for column, cells in _cells(name, axis).items():
            columns[column] = [cells[i] for i in place]
    return columns


def _cells(name: str, axis: list[Any]) -> dict[str, list[Any]]:
    """The columns of an axis, with one cell per value."""
    if name == "weights":
        return {name: list(range(len(axis)))}
    if name == COMBINATION:
        return {name: list(range(len(axis)))} | varied({name: axis})
    if name not in FIELDED:
        return {name: [_text(one) if isinstance(one, Formula) else one for one in axis]}
    fields = dict.fromkeys(field for one in axis for field in one.hyperparameters)
    return {name: [type(one).__name__ for one in axis]} | {
        field: [getattr(one, field, np.nan) for one in axis] for field in fields
    }


def _text(formula: Formula) -> str:
    """A formula with the default values of its parameters."""
    return ", ".join([str(formula), *(f"{n}={value:g}" for n, value in formula.parameters.items())])


def long_dataframe(axes: Mapping[str, list[Any]], result: Any) -> pandas.DataFrame:
    """Make a DataFrame with a row per run and iteration that was recorded before the run ended.

    ``axes`` are those of the result's arrays: none for a run.
    """
    pd = module("pandas", "to_dataframe")
    records = len(result.recorded)
    curves = {
        one: getattr(result, many).reshape(-1, records)
        for many, one in CURVES.items()
        if getattr(result, many) is not None
    }
    done = np.reshape(result.iterations, (-1, 1))
    run, record = np.nonzero((result.recorded < done) | ~np.isnan(curves["error"]))
    table: pandas.DataFrame = pd.DataFrame(axis_columns(axes), index=range(len(done)))
    table = table.take(run).reset_index(drop=True)
    table["iteration"] = result.recorded[record]
    for name, numbers in curves.items():
        table[name] = numbers[run, record]
    return table


def dataset(
    axes: Mapping[str, list[Any]], variables: Variables, facts: Mapping[str, Any]
) -> xarray.Dataset:
    """Make a Dataset of arrays with named axes, and attributes; arrays that are None are left out.

    An axis of optimizers or schedules gets a further coordinate for each of their hyperparameters.
    The attributes are strings, which every file format of xarray can hold.
    """
    coordinates: dict[str, Any] = {}
    for name, axis in axes.items():
        own = {n: cells for n, cells in axis_columns({name: axis}).items() if n not in axes}
        coordinates |= {n: (name, _array_of(labels_of(n, cells))) for n, cells in own.items()}
        coordinates[name] = (name, _array_of(labels_of(name, axis)))
    known = {name: array for name, array in variables.items() if array[1] is not None}
    texts = {name: fact if isinstance(fact, str) else shown(fact) for name, fact in facts.items()}
    found: xarray.Dataset = module("xarray", "to_xarray").Dataset(known, coordinates, texts)
    return found


def sweep_dataset(sweep: Any, read: Callable[[str], Any] | None = None) -> xarray.Dataset:
    """Make a Dataset of a sweep's results; ``read`` returns a field, by default the attribute."""
    several = varied(sweep.axes)
    facts = {name: fact for name, fact in sweep.settings.items() if name not in several}
    if "hidden_size" not in sweep.axes:
        facts["hidden_size"] = sweep.networks[0].sizes[1:-1]
    variables = _variables(tuple(sweep.axes), read or partial(getattr, sweep))
    axes = sweep.axes | {"iteration": sweep.recorded.tolist()}
    return dataset(axes, variables, facts | sweep.options)


def run_dataset(run: Any) -> xarray.Dataset:
    """Make a Dataset of a run's results and its network."""
    facts = {"alpha": run.alpha, "hidden_size": run.hidden_size, "seed": run.seed}
    variables = _variables((), vars(run).get)
    for name in _OF_LAYERS:
        in_front = ("iteration",) if name.startswith("recorded") else ()
        of_units = "bias" in name
        for k, layer in enumerate(getattr(run, name) or ()):
            units = (f"layer_{k + 1}",) if of_units else (f"layer_{k}", f"layer_{k + 1}")
            variables[f"{name}_{k}"] = ((*in_front, *units), layer)
    axes = {"iteration": run.recorded.tolist()}
    return dataset(axes, variables, facts | run.options | run.minimizer)


def _variables(axes: tuple[str, ...], read: Callable[[str], Any]) -> Variables:
    """The values and curves of a result with these axes."""
    summary = read("summary")
    arrays = {name: read(name) for name in MEASURED} | (summary._asdict() if summary else {})
    variables = {name: (axes, array) for name, array in arrays.items()}
    return variables | {name: ((*axes, "iteration"), read(name)) for name in CURVES}


def labels_of(name: str, axis: list[Any]) -> list[Any]:
    """The values on an axis if they are numbers, else a short string for each.

    Examples
    --------
    >>> from fastgd.optimizers import Adam, Momentum
    >>> labels_of("hidden_size", [(4,), (32,)]), labels_of("hidden_size", [(), (8, 2)])
    ([4, 32], ['none', '8x2'])
    >>> labels_of("optimizer", [Adam(), Momentum(0.5), Momentum(0.9)])
    ['Adam', 'Momentum(momentum=0.5)', 'Momentum(momentum=0.9)']
    """
    cells = axis_columns({name: axis})[name]
    if name == "group":  # labels stay as they are, of any type
        return cells
    single = [one[0] if isinstance(one, tuple) and len(one) == 1 else one for one in cells]
    flags = [isinstance(one, (bool, np.bool_)) for one in single]
    if all(flags) or (not any(flags) and all(isinstance(one, (int, float)) for one in single)):
        return single
    if all(isinstance(one, str) for one in single):  # classes of methods, names, formulas
        return [
            text if single.count(text) == 1 else str(value)
            for text, value in zip(single, axis, strict=True)
        ]
    return [value_text(name, one) for one in axis]


def _array_of(labels: list[Any]) -> NDArray[Any]:
    """Make an array of numbers or labels; labels of mixed types must not become strings."""
    numbers = all(isinstance(label, (int, float)) for label in labels)
    if numbers or len({type(label) for label in labels}) == 1:
        return np.asarray(labels)
    found = np.empty(len(labels), dtype=object)
    found[:] = labels
    return found

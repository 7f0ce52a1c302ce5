"""The axes of a sweep: their order, the index of each run, and how runs are cut into chunks.

First come the axes that change the network or its compiled code; the runs of each combination of
their values are trained together. Then come the axes of the runs of one network: the subsets of the
samples and their weights, combinations, alpha, the other numeric options, and the seeds or initial
weights, which are the fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.declarations import FIELDED, STRUCTURES
from fastgd.arguments.option_types import has_numbers
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import value_text
from fastgd.engine.network import Network
from fastgd.formulas.named import Formula
from fastgd.optimizers import BAYESIAN, Hyperparameters

_OF_NETWORKS = ("hidden_size", *STRUCTURES)

PARTS = ("group", "fold", "sample_weight")
"""The axes of subsets of the samples, in order: see `fastgd.arguments.subsets.Partition`."""

COMBINATION = "combination"
"""Name of the axis of combinations, each of which is a dict of values."""

Axis = list[Any] | None
"""The values on an axis; None for an argument with only one value."""


@dataclass(frozen=True)
class SweepAxes:
    """The product of the values on the axes, in order; the last axis is the fastest."""

    axes: dict[str, list[Any]]
    rules_are_data: bool = False
    """Whether the axis of optimizers is one of the runs of a network: of rules, as programs."""

    @classmethod
    def with_networks(cls, axes: dict[str, list[Any]], networks: int) -> SweepAxes:
        """The axes of a result with this number of networks."""
        found = cls(axes)
        return found if found.networks == networks else cls(axes, rules_are_data=True)

    @classmethod
    def of(cls, axes: Mapping[str, Axis], *, rules_are_data: bool = False) -> SweepAxes:
        """Put the axes in order; those of networks, and numeric options, are in order already."""
        named = sorted(axes.items(), key=lambda item: _rank(item[0]))
        return cls({name: axis for name, axis in named if axis is not None}, rules_are_data)

    @property
    def is_in_order(self) -> bool:
        """Whether the axes are in the order of :meth:`of`, and no option is on two of them."""
        ranks = list(map(_rank, self.axes))
        combinations = self.axes.get(COMBINATION, [{}])[0]
        return ranks == sorted(ranks) and not combinations.keys() & self.axes.keys()

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(map(len, self.axes.values()))

    @property
    def cut(self) -> int:
        """Number of axes that change the network; they come first."""
        return sum(name in _OF_NETWORKS for name in self.axes) - self.rules_are_data

    @property
    def networks(self) -> int:
        """Number of networks, counting those with the same layers but other compiled code."""
        return prod(self.shape[: self.cut])

    @property
    def runs(self) -> int:
        """Number of runs of each network."""
        return prod(self.shape[self.cut :])

    def place(self, index: tuple[int, ...]) -> tuple[int, int]:
        """Return the index of a run's network, and the index of the run within the network."""
        cut = self.cut
        return _flat(index[:cut], self.shape[:cut]), _flat(index[cut:], self.shape[cut:])

    def network_index(self, number: int) -> tuple[int, ...]:
        """Return the index of a network on the axes that change the network."""
        lengths = self.shape[: self.cut]
        return tuple(map(int, np.unravel_index(number, lengths))) if lengths else ()

    def method_of(self, number: int, shared: Method) -> Method:
        """Return the options of a network: the shared ones, and those on its axes."""
        pairs = zip(self.axes.items(), self.network_index(number), strict=False)
        return shared.at({name: axis[i] for (name, axis), i in pairs if name in STRUCTURES})

    def values(self, index: tuple[int, ...]) -> dict[str, Any]:
        """Return a run's value on each axis; a combination is replaced by its own keys."""
        places = zip(self.axes.items(), index, strict=True)
        return told_apart({name: axis[i] for (name, axis), i in places})


def _rank(name: str) -> int:
    order = ("a network", *PARTS, COMBINATION, "alpha", "a number", "seed", "weights")
    if name not in order:
        name = "a network" if name in _OF_NETWORKS else "a number"
    return order.index(name)


def told_apart(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the combination among the values by its own keys and values."""
    return {name: v for name, v in values.items() if name != COMBINATION} | dict(
        values.get(COMBINATION, {})
    )


def varied(axes: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The axes, with the axis of combinations replaced by one axis for each key."""
    combinations = axes.get(COMBINATION, [])
    found = {name: axis for name, axis in axes.items() if name != COMBINATION}
    return found | {
        name: [combination[name] for combination in combinations]
        for name in (combinations[0] if combinations else ())
    }


def _flat(index: Sequence[int], shape: tuple[int, ...]) -> int:
    """The flat index, the last axis fastest; unlike NumPy's function, also without axes."""
    number = 0
    for i, count in zip(index, shape, strict=True):
        number = number * count + i
    return number


# ---------------------------------------------------------------- tables

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


def axis_columns(axes: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Columns of the values on the axes alone."""
    columns: dict[str, list[Any]] = {}
    shape = tuple(map(len, axes.values()))
    places = np.indices(shape).reshape(len(axes), prod(shape))
    for place, (name, axis) in zip(places, axes.items(), strict=True):
        for column, cells in _cells(name, axis).items():
            columns[column] = [cells[i] for i in place]
    return columns


def is_numbered(name: str, axis: Sequence[Any]) -> bool:
    """Whether the values on an axis are known by their indices, as they are no single values."""
    masks = name == "freeze" and any(one is not None and not has_numbers(one) for one in axis)
    return masks or name in ("weights", COMBINATION)


def _cells(name: str, axis: list[Any]) -> dict[str, list[Any]]:
    """The columns of an axis, with one cell per value."""
    if is_numbered(name, axis):
        own = varied({name: axis}) if name == COMBINATION else {}
        return {name: list(range(len(axis)))} | own
    if name not in FIELDED:
        return {name: list(map(_cell, axis))}
    fields = dict.fromkeys(field for one in axis for field in one.hyperparameters)
    found = {name: axis} | {f: [getattr(one, f, np.nan) for one in axis] for f in fields}
    return {column: list(map(_cell, cells)) for column, cells in found.items()}


def _cell(value: Any) -> Any:
    """A value, or what an optimizer, a schedule or another formula is called."""
    if isinstance(value, Hyperparameters):
        return value.label
    return _text(value) if isinstance(value, Formula) else value


def _text(formula: Formula) -> str:
    """A formula with the default values of its parameters."""
    return ", ".join([str(formula), *(f"{n}={value:g}" for n, value in formula.parameters.items())])


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
            text if single.count(text) == 1 else repr(value)
            for text, value in zip(single, axis, strict=True)
        ]
    return [value_text(name, one) for one in axis]


def coordinates(axes: Mapping[str, list[Any]]) -> dict[str, tuple[str, NDArray[Any]]]:
    """The labels of axes as coordinates of xarray, each with the name of its axis.

    An axis of optimizers or schedules has a further one for each of their hyperparameters.
    """
    found: dict[str, tuple[str, NDArray[Any]]] = {}
    for name, axis in axes.items():
        own = {n: cells for n, cells in axis_columns({name: axis}).items() if n not in axes}
        for coordinate, values in (own | {name: axis}).items():
            labels = labels_of(coordinate, values)
            array = np.empty(len(labels), dtype=object)
            array[:] = labels
            # Labels of mixed types must not become strings.
            numbers = all(isinstance(label, (int, float)) for label in labels)
            if numbers or len({type(label) for label in labels}) == 1:
                array = np.asarray(labels)
            found[coordinate] = name, array
    return found


def variables(axes: tuple[str, ...], read: Callable[[str], Any]) -> Variables:
    """The values and curves of a result with these axes, for xarray; ``read`` returns a field."""
    summary = read("summary")
    arrays = {name: read(name) for name in MEASURED} | (summary._asdict() if summary else {})
    found = {name: (axes, array) for name, array in arrays.items()}
    found |= {name: ((*axes, "iteration"), read(name)) for name in CURVES}
    dimensions = (*axes, "iteration", "sample", "output_unit")
    return found | {"recorded_predictions": (dimensions, read("recorded_predictions"))}


def curve_columns(axes: Mapping[str, list[Any]], result: Any) -> dict[str, Any]:
    """Columns with a row per run and iteration that was recorded, or measured, before its end.

    ``axes`` are those of the result's arrays: none for a run. What was measured of layers has a
    column for each. A curve has NaN at the iterations of others.
    """
    known = {
        one: (result.recorded, getattr(result, many))
        for many, one in CURVES.items()
        if getattr(result, many) is not None
    }
    for name, values in result.measured.items():
        layers = {f"_{k}": values[..., k] for k in range(values.shape[-1])}
        parts = layers if values.ndim > result.errors.ndim else {"": values}
        known |= {name + end: (result.measured_at, part) for end, part in parts.items()}
    points = np.unique(np.concatenate([at for at, _ in known.values()]))
    done = np.reshape(result.iterations, (-1, 1))
    curves = {}
    for name, (at, values) in known.items():
        curves[name] = np.full((done.size, len(points)), np.nan)
        curves[name][:, np.searchsorted(points, at)] = values.reshape(-1, len(at))
    run, point = np.nonzero((points < done) | ~np.isnan(curves["error"]))
    columns: dict[str, Any] = {}
    for name, cells in axis_columns(axes).items():
        # The types are those of the axes, also where a folder is not complete.
        is_plain = len(set(map(type, cells))) == 1 and isinstance(cells[0], (int, float, str))
        columns[name] = np.asarray(cells)[run] if is_plain else [cells[k] for k in run]
    columns["iteration"] = points[point]
    return columns | {name: numbers[run, point] for name, numbers in curves.items()}


# ---------------------------------------------------------------- chunks

# Each chunk is computed and stored by itself. The cuts depend on the arguments and not on the
# machine, so that a folder that one machine has begun and others have finished equals the folder of
# a single machine.

CHUNK_SECONDS = 4.0
"""Approximate duration of a chunk on one thread."""

WIDE = 8
"""Minimum runs of a chunk, as fewer can't fill the SIMD lanes of a processor ..."""

LONGEST_SECONDS = 30.0
"""... unless these would take longer than this."""

CHUNK_BYTES = 32 * 1024**2
"""Maximum size of a chunk's results, unless a single run has more."""

RATE = 2e10
"""Approximate operations per second of a thread; a multiply-add counts as two."""


def seconds_of(network: Network, samples: float, iterations: int) -> float:
    """Estimate the duration of a run on one thread of a typical processor.

    The forward pass, the backward pass and the gradient each take a multiply-add per weight and
    sample, a unit's activation and its derivative about 20 operations, and an update a few
    nanoseconds in addition.
    """
    units = sum(network.sizes[1:])
    operations = samples * (6 * network.parameters + 20 * units)
    return iterations * (operations / RATE + 2e-9)


def runs_per_chunk(seconds: float, size: int) -> int:
    """Number of runs in a chunk, for runs of ``seconds`` each with results of ``size`` bytes."""
    runs = int(CHUNK_SECONDS / seconds)
    if runs < WIDE:
        runs = min(WIDE, int(LONGEST_SECONDS / seconds))
    return max(1, min(runs, CHUNK_BYTES // size))


@dataclass(frozen=True)
class Chunks:
    """The runs of one network, cut along their axes into boxes of neighboring values.

    A box has the last axes whole, a piece of the axis in front of them, and single values of the
    axes before. So the indices of a chunk's runs are contiguous, too.

    Examples
    --------
    >>> chunks = Chunks.of((2, 5, 10), 25)
    >>> chunks.pieces, chunks.count, chunks.box(4)
    ((2, 3, 1), 6, (slice(1, 2, None), slice(1, 3, None), slice(0, 10, None)))
    >>> chunks.runs(4), chunks.find(np.array([0, 59, 60, 79])).tolist()
    (slice(60, 80, None), [0, 3, 4, 4])
    """

    shape: tuple[int, ...]
    """Lengths of the axes."""
    pieces: tuple[int, ...]
    """Number of pieces that each axis is cut into."""

    @classmethod
    def of(cls, shape: tuple[int, ...], runs: int) -> Chunks:
        """Cut into as few chunks as possible, of similar size, with at most ``runs`` runs each."""
        pieces: list[int] = []
        for length in reversed(shape):
            pieces.insert(0, -(-length // runs))
            runs = max(1, runs // length)
        return cls(shape, tuple(pieces))

    @property
    def count(self) -> int:
        """Number of chunks."""
        return prod(self.pieces)

    @property
    def lengths(self) -> tuple[tuple[int, ...], ...]:
        """Lengths of the pieces of each axis, in the form of Dask's ``chunks``."""
        return tuple(
            tuple(np.diff(np.arange(pieces + 1) * length // pieces).tolist())
            for length, pieces in zip(self.shape, self.pieces, strict=True)
        )

    @property
    def sizes(self) -> list[int]:
        """Number of runs in each chunk."""
        return [place.stop - place.start for place in map(self.runs, range(self.count))]

    def box(self, chunk: int) -> tuple[slice, ...]:
        """The slice of each axis that a chunk covers."""
        slices: list[slice] = []
        for length, pieces in zip(reversed(self.shape), reversed(self.pieces), strict=True):
            chunk, piece = divmod(chunk, pieces)
            slices.insert(0, slice(piece * length // pieces, (piece + 1) * length // pieces))
        return tuple(slices)

    def runs(self, chunk: int) -> slice:
        """The indices of a chunk's runs, the last axis fastest."""
        box = self.box(chunk)
        first = _flat([place.start for place in box], self.shape)
        return slice(first, first + prod(place.stop - place.start for place in box))

    def find(self, runs: Integers) -> Integers:
        """The chunk that each run is in."""
        chunk = np.zeros(len(runs), np.int64)
        for axis, (length, pieces) in enumerate(zip(self.shape, self.pieces, strict=True)):
            place = runs // prod(self.shape[axis + 1 :]) % length
            chunk = chunk * pieces + ((place + 1) * pieces - 1) // length
        return chunk


def end_to_end(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate (runs, ...) arrays of neighboring chunks.

    Adaptive sampling keeps a value per sample, and chunks may differ in their number of samples:
    shorter rows are padded with zeros.
    """
    if len({array.shape[1:] for array in arrays}) > 1:
        width = max(array.shape[1] for array in arrays)
        arrays = [np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in arrays]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)

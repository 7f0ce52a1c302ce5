"""The runs of a sweep: its fields, made of results, and selections by index or by value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Partition, RowIndices, Subset, joined
from fastgd.checks.messages import did_you_mean, shown
from fastgd.checks.numbers import array_of, integer
from fastgd.engine.recipe import is_watched
from fastgd.engine.results import MISSING, STATUS, State, Summary, summarize
from fastgd.formulas.measures import needs_last
from fastgd.formulas.updates import kept_of, states_of
from fastgd.store import hashes_of
from fastgd.training.run import Run, run_of
from fastgd.training.stored_results import RESULTS, options_of
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes, is_numbered, told_apart

IndexList = list[int] | list[bool] | range | NDArray[Any]
KeptAxis = slice | EllipsisType | IndexList
AxisIndex = int | np.integer | KeptAxis

_Selector = int | slice | NDArray[np.int64]

_RULE = (
    "an index of a sweep must be an int, a slice, a list of ints, or a list of one bool per value "
    "of the axis"
)


@dataclass(frozen=True)
class Selection:
    """The selection on each axis: one value, which drops the axis, or several."""

    sweep_axes: SweepAxes
    selectors: tuple[_Selector, ...]

    @property
    def index(self) -> tuple[int, ...] | None:
        """The index of the run if every axis is dropped, else None."""
        found = [selector for selector in self.selectors if isinstance(selector, int)]
        return tuple(found) if len(found) == len(self.selectors) else None

    @property
    def axes(self) -> dict[str, list[Any]]:
        """The axes that are left, with their selected values."""
        return {
            name: [axis[i] for i in _places_of(len(axis), selector).tolist()]
            for (name, axis), selector in self._pairs()
            if not isinstance(selector, int)
        }

    @property
    def fixed(self) -> dict[str, Any]:
        """The selected value of each axis that is dropped."""
        return {
            name: axis[selector]
            for (name, axis), selector in self._pairs()
            if isinstance(selector, int)
        }

    @property
    def networks(self) -> list[int]:
        """The indices of the selected networks."""
        numbers: list[int] = self.places(list(self.sweep_axes.axes)[: self.sweep_axes.cut]).tolist()
        return numbers

    @property
    def runs(self) -> NDArray[np.int64]:
        """The indices of the selected runs among those of each network."""
        return self.places(list(self.sweep_axes.axes)[self.sweep_axes.cut :])

    def places(self, names: Sequence[str]) -> NDArray[np.int64]:
        """The flat indices of the selection on some of the axes, the last one fastest."""
        chosen = {name: (len(axis), selector) for (name, axis), selector in self._pairs()}
        numbers = np.zeros((), np.int64)
        for name in names:
            length, selector = chosen[name]
            places = _places_of(length, selector)
            numbers = numbers.reshape(numbers.shape + (1,) * places.ndim) * length + places
        return numbers.ravel()

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Select from an array that has all axes in front."""
        # Begins with the last axis, so that dropping an axis doesn't shift the others. In a single
        # index NumPy would combine several lists as coordinates of points.
        for axis in reversed(range(len(self.selectors))):
            array = array[(slice(None),) * axis + (self.selectors[axis],)]
        return array

    def _pairs(self) -> Iterator[tuple[tuple[str, list[Any]], _Selector]]:
        return zip(self.sweep_axes.axes.items(), self.selectors, strict=True)


def _places_of(length: int, selector: _Selector) -> NDArray[np.int64]:
    """The indices that are selected on an axis."""
    if isinstance(selector, slice):
        return np.arange(*selector.indices(length))
    return np.asarray(selector) % length  # indices may be negative


def by_place(sweep_axes: SweepAxes, index: object) -> Selection:
    """Parse the index of ``sweep[index]``."""
    given = list(index) if isinstance(index, tuple) else [index]
    count = len(sweep_axes.shape)
    dots = [i for i, item in enumerate(given) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError(f"an index of a sweep must have at most one ..., got {shown(index)}")
    if len(given) - len(dots) > count:
        names = ", ".join(sweep_axes.axes)
        rule = f"this sweep has {count} axes ({names}), each with at most one index"
        if not sweep_axes.axes:
            rule = "the only run of this sweep has no index, so it is sweep[()]"
        raise IndexError(f"{rule}, got {len(given) - len(dots)}: {shown(index)}")
    at = dots[0] if dots else len(given)
    whole = [slice(None)] * (count - len(given) + len(dots))
    items = given[:at] + whole + given[at + 1 :]
    return Selection(
        sweep_axes,
        tuple(
            _selector(name, len(axis), item, index)
            for (name, axis), item in zip(sweep_axes.axes.items(), items, strict=True)
        ),
    )


def by_value(sweep_axes: SweepAxes, asked: Mapping[str, object]) -> Selection:
    """Look up values, or lists of values, on some of the axes."""
    for name in asked:
        if name not in sweep_axes.axes:
            known = ", ".join(sweep_axes.axes) or "none"
            raise ValueError(
                f"a value must be on an axis of this sweep ({known}), "
                f"got {name}={shown(asked[name])}{did_you_mean(name, sweep_axes.axes)}"
            )
    return Selection(
        sweep_axes,
        tuple(
            _places(name, axis, asked[name]) if name in asked else slice(None)
            for name, axis in sweep_axes.axes.items()
        ),
    )


def _selector(name: str, count: int, item: object, index: object) -> _Selector:
    place = integer(item)
    if place is not None:
        return _in_range(name, count, place)
    found: slice | NDArray[np.int64]
    if isinstance(item, slice):
        try:
            left, found = len(range(count)[item]), item
        except (TypeError, ValueError) as error:  # slice("a"), or a step of 0
            raise TypeError(f"{_RULE}, got {shown(item)}: {error}") from error
    else:
        found = _listed(name, count, item, index)
        left = len(found)
    if not left:
        came = item if isinstance(item, slice) else "none"
        raise IndexError(f"an index must leave at least one value of {name}, got {came}")
    return found


def _listed(name: str, count: int, item: object, index: object) -> NDArray[np.int64]:
    """The indices in a list, or those of True in a list of bools."""
    is_flat = not isinstance(item, np.ndarray) or item.ndim == 1
    if not (is_flat and isinstance(item, (list, range, np.ndarray))):
        raise TypeError(f"{_RULE}, got {shown(index)}")
    for end in (item[:1], item[-1:]) if isinstance(item, range) else ():
        for place in end:  # checked before a long range becomes a list
            _in_range(name, count, place)
    values: list[Any] = item.tolist() if isinstance(item, np.ndarray) else list(item)
    if values and all(isinstance(flag, (bool, np.bool_)) for flag in values):
        if len(values) != count:
            raise IndexError(
                f"a list of bools must have one for each value of the axis, {count} for {name}, "
                f"got {len(values)}"
            )
        return np.flatnonzero(values)
    places = [place for place in map(integer, values) if place is not None]
    if len(places) != len(values):
        raise TypeError(f"{_RULE}, got {shown(index)}")
    return np.array([_in_range(name, count, place) for place in places], dtype=np.int64)


def _in_range(name: str, count: int, place: int) -> int:
    if not -count <= place < count:
        raise IndexError(f"index {shown(place)} is out of range for {name} with {count} values")
    return place % count


def _places(name: str, axis: list[Any], asked: object) -> _Selector:
    """The indices of values on an axis; of a repeated value the first index."""
    if is_numbered(name, axis):  # these are selected by their indices, as in a table
        axis = list(range(len(axis)))
    keys = [_key(name, value) for value in axis]
    places = dict(zip(reversed(keys), reversed(range(len(axis))), strict=True))
    several = _several(name, asked)
    if several is None:
        return _place(name, axis, places, asked)
    found = np.array([_place(name, axis, places, value) for value in several], dtype=np.int64)
    if not len(found):
        raise ValueError(f"a list of values of {name} must not be empty, got {shown(asked)}")
    return found


def _place(name: str, axis: list[Any], places: dict[Any, int], value: object) -> int:
    key = _key(name, value)
    try:
        return places[key]
    except Exception:  # unhashable values are on no axis, and an object's __hash__ may raise
        raise ValueError(
            f"{name} must be a value on its axis, {shown(axis)}, got {shown(value)}"
            f"{_near(axis, key[1])}"
        ) from None


def _near(axis: Sequence[Any], value: object) -> str:
    """The end of an error message: the value that may have been meant."""
    if isinstance(value, str):
        return did_you_mean(value, axis)
    numbers = [number for number in axis if _is_number(number)]
    if not (numbers and isinstance(value, Real) and _is_number(value)) or value != value:
        return ""
    try:
        return f": the nearest is {min(numbers, key=lambda number: abs(number - value))}"
    except OverflowError:  # 10**400
        return ""


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _several(name: str, asked: object) -> Iterable[Any] | None:
    """The values of a list, range or 1-D array, or the rows of a 2-D one of alphas; else None."""
    if isinstance(asked, (list, range)):
        return asked
    if not hasattr(asked, "__array__") or isinstance(asked, np.generic):
        return None
    array = array_of(f"values of {name}", asked)
    if array.ndim == 2 and name == "alpha":
        return list(map(tuple, array.tolist()))
    if array.ndim == 0:
        return None
    if array.ndim > 1:
        raise ValueError(f"values of {name} must be a 1-D list, got shape {array.shape}")
    return list(array)


def _key(name: str, value: object) -> tuple[bool, Any]:
    """The key under which a value is looked up: 1 equals 1.0, but not True."""
    if isinstance(value, np.datetime64):
        value = value.astype("M8[us]")  # NumPy would turn nanoseconds into an int
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if name == "hidden_size" and integer(value) is not None:
        value = (value,)
    return isinstance(value, bool), value


# ---------------------------------------------------------------- fields


STATUSES = np.array([*STATUS, MISSING])
"""By the outcomes of the kernel; that of a missing run is -1."""


def fields_of(
    found: Mapping[str, Sequence[Any]], shape: tuple[int, ...], window: int | None
) -> dict[str, Any]:
    """Make fields of the results of each network's runs; ``shape`` has the lengths of all axes."""

    def join(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return joined.reshape((*shape, *joined.shape[1:]))

    fields: dict[str, Any] = {}
    for name, arrays in found.items():
        if RESULTS[name].each:
            fields[name] = tuple(arrays)
        elif name == "summary":
            assert window is not None
            each = zip(*(summarize(watch, window) for watch in arrays), strict=True)
            fields[name] = Summary(*map(join, each))
        else:
            is_status = name == "status"
            fields[name] = np.asarray(STATUSES[join(arrays)]) if is_status else join(arrays)
    return fields


# ---------------------------------------------------------------- selections

_NO_OPTIONS = ("hidden_size", *PARTS, "alpha", "seed", "weights")


def run_at(sweep: Any, index: tuple[int, ...]) -> Run:
    """Return one run, from the kept results or trained again."""
    if sweep.status[index] == MISSING:
        raise ValueError(
            "the run must have been trained, got one that is missing: repeat the call that made "
            "the folder to train it"
        )
    sweep_axes: SweepAxes = sweep._sweep_axes
    number, row = sweep_axes.place(index)
    values = sweep.settings | sweep_axes.values(index)
    method = method_at(sweep.method, values)
    partition: Partition | None = sweep.partition
    part, hashes = None, sweep.sample_hashes
    if partition is not None:
        which = _part_at(partition, sweep_axes, index)
        part, hashes = partition.part(which), None
        if part.weight is not None:
            method = method.at({"sample_weight": part.weight})
        if partition.hashes:
            weights = {} if part.held_weight is None else {"validation_weight": part.held_weight}
            hashes = partition.hashes[which // partition.weightings] | hashes_of(weights)
    if sweep.kept_weights is None:
        return _trained_again(sweep, index, method, part, values)
    found = _found(sweep, index, number, row, part)
    state = None
    if sweep.states is not None:
        samples = None if part is None else len(part.rows)
        state, are_data = sweep.states[number].at(slice(row, row + 1)), sweep_axes.rules_are_data
        state = _state(state, method, {}, samples, are_data)
    return run_of(
        sweep.networks[number],
        method,
        found,
        alpha=values["alpha"],
        seed=values["seed"],
        recorded=sweep.recorded,
        state=state,
        sample_hashes=state and hashes,
        schedule_start=sweep.schedule_start,
    )


def _found(
    sweep: Any, index: tuple[int, ...], number: int, row: int, part: Subset | None
) -> dict[str, Any]:
    """The kept results of one run, by the fields of a sweep."""
    found: dict[str, Any] = {}
    for name, stored in RESULTS.items():
        kept = getattr(sweep, name)
        if kept is None or name == "states":
            found[name] = None
        elif name == "summary":
            found[name] = [array[index] for array in kept]
        else:
            found[name] = kept[number][row] if stored.each else kept[index]
    predictions = found["recorded_predictions"]
    if part is not None and predictions is not None:  # train() has no other samples
        found["recorded_predictions"] = predictions[:, part.rows]
    return found


def _trained_again(
    sweep: Any, index: tuple[int, ...], method: Method, part: Subset | None, values: dict[str, Any]
) -> Run:
    """One run of a sweep that hasn't kept its weights."""
    if sweep.source is None:
        raise ValueError(
            "a single run needs its weights, or the data to train it again; this sweep was "
            "made with keep_weights=False, and comes from a file, was resumed with change or other "
            "samples, or resumes one that does"
        )
    number, _ = sweep._sweep_axes.place(index)
    hidden = sweep.networks[number].sizes[1:-1]
    run: Run = sweep.source.train(hidden, method, part, values)
    before = sweep.final_error[index]
    if not np.array_equal(run.final_error, before, equal_nan=True):  # samples aren't copied
        raise ValueError(
            "training a run again needs the arrays as they were, but X, y or another array "
            f"that the sweep was given has changed: its final_error was {before}, got "
            f"{run.final_error}"
        )
    return run


def _part_at(partition: Partition, sweep_axes: SweepAxes, index: tuple[int, ...]) -> int:
    """The index of the subset of samples that a run has."""
    number = 0
    if not partition.axes and COMBINATION in sweep_axes.axes:
        at = list(sweep_axes.axes).index(COMBINATION)
        number = partition.of_combinations(index[at], sweep_axes.shape[at])
    for (name, axis), place in zip(sweep_axes.axes.items(), index, strict=True):
        if name in PARTS:
            number = number * len(axis) + place
    return number


def narrowed(partition: Partition | None, chosen: Selection) -> Partition | None:
    """The selected subsets of the samples."""
    if partition is None:
        return None
    names = list(partition.axes)
    cells = chosen.places([name for name in names if name != "sample_weight"])
    if not names and COMBINATION in chosen.sweep_axes.axes:  # as many of each subset
        count = len(chosen.sweep_axes.axes[COMBINATION])
        cells = np.unique(partition.of_combinations(chosen.places([COMBINATION]), count))
    weights = partition.weights
    if weights is not None and "sample_weight" in names:
        weights = weights[chosen.places(["sample_weight"])]

    def some(rows: RowIndices) -> RowIndices:
        if np.array_equal(cells, np.arange(len(rows))):
            return rows
        return joined([rows[cell] for cell in cells])

    return Partition(
        axes={name: axis for name, axis in chosen.axes.items() if name in names},
        rows=some(partition.rows),
        held=partition.held and some(partition.held),
        weights=weights,
        hashes=tuple(partition.hashes[cell] for cell in cells) if partition.hashes else (),
    )


def taken(sweep: Any, chosen: Selection) -> dict[str, Any]:
    """The results of the selected runs, by the fields of a sweep."""
    found: dict[str, Any] = {}
    for name, stored in RESULTS.items():
        kept = getattr(sweep, name)
        if kept is None:
            found[name] = None
        elif name == "summary":
            found[name] = Summary(*map(chosen.of, kept))
        elif stored.each:
            own = (kept[number] for number in chosen.networks)
            found[name] = tuple(
                one.at(chosen.runs) if isinstance(one, State) else one[chosen.runs] for one in own
            )
        else:
            found[name] = chosen.of(kept)
    return found


def selected(sweep: Any, chosen: Selection, measured: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the selected sweep, equal to those of a sweep over only these values."""
    axes, fixed = chosen.axes, chosen.fixed
    first = told_apart({name: axis[0] for name, axis in axes.items()} | fixed)
    shared = {name: value for name, value in first.items() if name in ("alpha", "seed")}
    shared |= {name: value for name, value in fixed.items() if name in PARTS}
    source = sweep.source
    if source and "weights" in fixed:
        source = replace(source, weights=fixed["weights"])
    method = method_at(sweep.method, first)
    partition = narrowed(sweep.partition, chosen)
    samples = None if partition is None else int(partition.rows.sizes.max())
    are_data = sweep._sweep_axes.rules_are_data
    options = options_of(SweepAxes(axes, are_data and "optimizer" in axes), 0, method)
    states = measured["states"] and tuple(
        _state(state, *options, samples, are_data) for state in measured["states"]
    )
    return {
        **measured,
        "axes": axes,
        "settings": sweep.settings | shared,
        "method": method,
        "recorded": sweep.recorded,
        "networks": tuple(sweep.networks[number] for number in chosen.networks),
        "source": source,
        "sample_hashes": sweep.sample_hashes,
        "partition": partition,
        "states": states,
        "schedule_start": sweep.schedule_start,
    }


def method_at(method: Method, values: Mapping[str, Any]) -> Method:
    """The options with these values; values of axes that are not options are ignored."""
    return method.at({name: v for name, v in values.items() if name not in _NO_OPTIONS})


def _state(
    state: State,
    method: Method,
    values: Mapping[str, list[Any]],
    samples: int | None,
    rules_are_data: bool,
) -> State:
    """Reduce a state of some runs to what it would be in a sweep of these runs alone.

    It has a monitored error only if an option of these runs needs it, and for adaptive sampling it
    has a value for each sample of these runs.
    """
    if rules_are_data:  # each has as many states as any beside it; what is measured follows
        own, measured = states_of(method.optimizer), int(needs_last(method.measure))
        others = state.steps.shape[1] - measured
        steps = np.concatenate((state.steps[:, :own], state.steps[:, others:]), axis=1)
        kept = state.corrections[:, : len(kept_of(method.optimizer))]
        state = state._replace(steps=steps, corrections=kept)
    if not is_watched(method, values):
        counts = np.zeros_like(state.watch_counts)
        state = state._replace(watch=state.watch[:, :0], watch_counts=counts)
    return state if samples is None else state._replace(tau=state.tau[:, :samples])

"""Select one run, or several runs, from the arrays of a sweep; or train a single one again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastgd.arguments.declarations import VALUES
from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.arguments.subsets import Part, Partition, RowIndices, joined
from fastgd.checks.messages import TrainingWarning
from fastgd.engine.recipe import recipe_of
from fastgd.engine.results import MISSING, State, Summary
from fastgd.training.run import SOURCES, Run, run_of
from fastgd.training.selection import BY_NETWORK, Selection
from fastgd.training.stored_results import Hashes, hashes_of
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes, told_apart, varied
from fastgd.training.train import train

_ARRAYS = tuple(n for n in SOURCES if n not in (*BY_NETWORK, "total_changes", "summary"))
"""The fields of a sweep that are arrays with all axes and fields of a run, too."""

_NO_OPTIONS = ("hidden_size", *PARTS, "alpha", "seed", "weights")


def run_at(sweep: Any, index: tuple[int, ...]) -> Run:
    """Return one run, from the kept results or trained again.

    Raises
    ------
    ValueError
        If the run has not been trained yet, or if its weights were not kept and it can't be trained
        again.
    """
    if sweep.status[index] == MISSING:
        raise ValueError(
            "the run must have been trained, got one that is missing: repeat the call that made "
            "the folder to train it"
        )
    sweep_axes = SweepAxes(sweep.axes)
    number, row = sweep_axes.place(index)
    values = sweep.settings | sweep_axes.values(index)
    method = method_at(sweep.method, values)
    partition: Partition | None = sweep.partition
    which = _part_at(partition, sweep_axes, index)
    part = None if partition is None else partition.part(which)
    if part is not None and part.weight is not None:
        method = method.at({"sample_weight": part.weight})
    if sweep.kept_weights is None:
        if sweep.source is None:
            raise ValueError(
                "a single run needs its weights, or the data to train it again; this sweep was "
                "made with keep_weights=False, and comes from a file or resumes one that does"
            )
        run = sweep.source.train(sweep.networks[number].sizes[1:-1], method, part, values)
        return _checked(run, sweep.final_error[index])
    return run_of(
        sweep.networks[number],
        method,
        alpha=values["alpha"],
        seed=values["seed"],
        recorded=sweep.recorded,
        parameters=sweep.kept_weights[number][row],
        changes=sweep.kept_changes[number][row],
        summary=sweep.summary and [array[index] for array in sweep.summary],
        path=_at(_at(sweep.kept_path, number), row),
        **{name: _at(getattr(sweep, name), index) for name in _ARRAYS},
        state=sweep.states
        and _state(
            sweep.states[number].at(slice(row, row + 1)),
            method,
            {},
            None if part is None else len(part.rows),
        ),
        sample_hashes=sweep.states and _hashes(sweep, part, which),
    )


def _hashes(sweep: Any, part: Part | None, which: int) -> Hashes | None:
    """The hashes of a run's samples: all those of the sweep, or a subset with its weights."""
    hashes: Hashes | None = sweep.sample_hashes
    if part is None:
        return hashes
    partition: Partition = sweep.partition
    if not partition.hashes:
        return None
    weights = {} if part.held_weight is None else {"validation_weight": part.held_weight}
    return partition.hashes[which // partition.weightings] | hashes_of(weights)


def _checked(run: Run, final_error: float) -> Run:
    """Raise if the run isn't that of the sweep, as the samples (which aren't copied) changed."""
    if not np.array_equal(run.final_error, final_error, equal_nan=True):
        raise ValueError(
            "training a run again needs the arrays as they were, but X, y or another array that "
            f"the sweep was given has changed: its final_error was {final_error}, got "
            f"{run.final_error}"
        )
    return run


@dataclass(frozen=True, eq=False)
class TrainingSource:
    """What all runs of a sweep share in addition to the options; checked, not written to files."""

    task: TrainingData
    weights: NetworkParts | None = None
    """The initial weights, if they were given and are not an axis."""
    seed: int = 1
    """Seed of all else that is random in a run with given initial weights."""
    record_weights: bool = False

    def arguments(self, part: Part | None) -> dict[str, Any]:
        """The samples of a run as arguments of :func:`fastgd.train`: a subset, or all."""
        task = self.task if part is None else self.task.of(part)
        found: dict[str, Any] = {"X": task.X, "y": task.y}
        if task.gradients is not None:
            found["gradients"] = task.gradients
        if part is not None and part.weight is not None:
            found["sample_weight"] = part.weight
        held = task.validation
        if held:
            found["validation"] = held[: 2 if held.weight is None else 3]
        return found

    def train(
        self,
        hidden: tuple[int, ...],
        method: Method,
        part: Part | None,
        values: Mapping[str, Any],
    ) -> Run:
        """Train a run with these values on a subset, without repeating the sweep's warnings."""
        start = values.get("weights", self.weights)
        seed = values["seed"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)
            return train(
                hidden_size=hidden,
                alpha=values["alpha"],
                iterations=self.task.iterations,
                record_every=self.task.record_every,
                seed=self.seed if seed is None else seed,
                weights=start,
                record_weights=self.record_weights,
                **method.given | self.arguments(part),
            )


def _part_at(partition: Partition | None, sweep_axes: SweepAxes, index: tuple[int, ...]) -> int:
    """The index of the subset of samples that a run has; 0 if there is but one."""
    number = 0
    if partition is None:
        return number
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
    if not names and COMBINATION in chosen.axes:  # as many of each subset
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
    for name in SOURCES:
        kept = getattr(sweep, name)
        if kept is None:
            found[name] = None
        elif name == "summary":
            found[name] = Summary(*map(chosen.of, kept))
        elif name == "states":
            found[name] = tuple(kept[number].at(chosen.runs) for number in chosen.networks)
        elif name in BY_NETWORK:
            found[name] = tuple(kept[number][chosen.runs] for number in chosen.networks)
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
    states = measured["states"] and tuple(
        _state(state, method, axes, samples) for state in measured["states"]
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
    }


def method_at(method: Method, values: Mapping[str, Any]) -> Method:
    """The options with these values; values of axes that are not options are ignored."""
    return method.at({name: v for name, v in values.items() if name not in _NO_OPTIONS})


def _at(array: Any, index: Any) -> Any:
    """Index an array that may be None."""
    return None if array is None else array[index]


def _state(
    state: State, method: Method, axes: Mapping[str, list[Any]], samples: int | None
) -> State:
    """Reduce a state of some runs to what it would be in a sweep of these runs alone.

    It has a monitored error only if an option of these runs needs it, and for adaptive sampling it
    has a value for each sample of these runs.
    """
    values = {name: axis for name, axis in varied(axes).items() if name in VALUES}
    if recipe_of(method, values).watch is None:
        counts = np.zeros_like(state.watch_counts)
        state = state._replace(watch=state.watch[:, :0], watch_counts=counts)
    return state if samples is None else state._replace(tau=state.tau[:, :samples])

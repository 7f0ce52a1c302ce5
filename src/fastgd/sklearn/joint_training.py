"""Joint training of the networks of many fits: tables, rows and hyperparameters become sweeps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from fastgd.arguments.axes import changing
from fastgd.arguments.declarations import FIELDED, VALUES
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Integers, joined
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import CPU, DeviceError
from fastgd.engine.prediction import outputs
from fastgd.optimizers import Hyperparameters
from fastgd.sklearn.fit_spec import ARGUMENTS, FitSpec, train_alone
from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep
from fastgd.training.train_sweep import sweep

RunsOrError = Sequence[Run] | Exception

How = Mapping[str, Any]
"""Arguments of a sweep that change no bit of it: threads, device."""

ON_CPU: How = {"device": CPU}

Case = tuple[Any, ...]
"""The hyperparameters of a run, in the order of their names, and its seed."""

_COSTLY = ("dropout", "dropconnect", "gradient_noise", "input_noise")
"""Runs without random masks or noise are not trained in a batch with runs that draw them."""


Fits = dict[int, list[Case]]
"""The cases of some fits, by their indices."""


class SweptRuns(Sequence[Run]):
    """Runs of a sweep, each of which is made when it is asked for: that takes 0.2 ms."""

    def __init__(self, sweep: Sweep, places: Sequence[int], options: dict[str, Any]) -> None:
        self.sweep, self.places, self.options = sweep, places, options

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, at: Any) -> Any:
        place = self.places[at]
        run = self.sweep[place if self.sweep.axes else ()]
        return replace(run, options=run.options | self.options) if self.options else run

    @property
    def statuses(self) -> list[str]:
        """How each run has ended."""
        status = self.sweep.status.ravel()
        return [str(status[place]) for place in self.places]

    def outputs(self, owner: object, X: FloatArray) -> FloatArray:
        """Outputs (runs, samples, outputs) of networks like all others of ``owner``."""
        assert self.sweep.kept_weights is not None
        (network,), (kept,) = self.sweep.networks, self.sweep.kept_weights
        methods = lambda: [Method(**self[0].options)]  # noqa: E731
        each = (kept[place][None] for place in self.places)
        return np.concatenate([outputs(owner, network, methods, one, X) for one in each])


class Batch:
    """Fits that one sweep trains: all subsets have equally many cases, so no run is superfluous.

    ``subsets`` are the fits to each set of rows, ``names`` the hyperparameters that may differ. The
    cases of a subset are its own: a fit's penalty may depend on its number of rows, and the
    improvement that early stopping needs on its validation set.
    """

    def __init__(
        self, specs: Mapping[int, FitSpec], names: Sequence[str], subsets: Sequence[Fits]
    ) -> None:
        self.specs, self.names, self.subsets = specs, names, subsets
        self.cases = [list(dict.fromkeys(chain(*fits.values()))) for fits in subsets]
        self.firsts = [specs[next(iter(fits))] for fits in subsets]
        self.sweep: Sweep | None = None

    def train(self, how: How, *, keep_state: bool, epochs: int | None) -> None:
        """Train all runs, by default for the number of epochs that the fits ask for."""
        settings = dict(self.firsts[0].settings)
        if epochs is not None:
            settings["iterations"] = epochs * settings["record_every"]
        columns = zip(*chain(*self.cases), strict=True)
        values = dict(zip(self.names, columns, strict=True))
        several = {name: own for name, own in values.items() if len(set(own)) > 1}
        if len(self.subsets) > 1:  # each has combinations of its own
            several["alpha"] = values["alpha"]
        settings |= {"seed": values["seed"][0]}
        if several:
            settings = {name: v for name, v in settings.items() if name not in several}
            settings["combinations"] = [
                dict(zip(several, own, strict=True)) for own in zip(*several.values(), strict=True)
            ]
        # With restore_best only the state has the last network, whose loss is to be computed.
        keep_state = keep_state or bool(settings.get("restore_best"))
        self.sweep = sweep(**self._samples, **settings, **how, keep_state=keep_state)

    def resume(self, keep: Collection[int], epochs: int, how: How) -> None:
        """Resume the cases of these fits, on all subsets, for ``epochs`` more epochs."""
        assert self.sweep is not None
        self.subsets = [{n: own for n, own in fits.items() if n in keep} for fits in self.subsets]
        going = set()  # the places of a case of any subset
        for fits, cases in zip(self.subsets, self.cases, strict=True):
            wanted = set(chain(*fits.values()))
            going |= {place for place, case in enumerate(cases) if case in wanted}
        kept = np.array([place in going for place in range(len(self.cases[0]))])
        self.cases = [[cases[place] for place in sorted(going)] for cases in self.cases]
        resumed = self.sweep
        if "combination" in resumed.axes:
            resumed = resumed[..., np.tile(kept, len(self.subsets))]
        iterations = epochs * self.firsts[0].settings["record_every"]
        self.sweep = sweep(**self._samples, resume=resumed, iterations=iterations, **how)

    def runs(self) -> dict[int, SweptRuns]:
        """Return the runs of each fit."""
        assert self.sweep is not None
        found = {}
        for k, (fits, cases) in enumerate(zip(self.subsets, self.cases, strict=True)):
            places = {case: place for place, case in enumerate(cases, k * len(cases))}
            for number, own in fits.items():
                seed = self.specs[number].settings["shuffle_seed"]
                has_it = seed == self.firsts[0].settings["shuffle_seed"]
                options = {} if has_it else {"shuffle_seed": seed}  # no effect without batches
                found[number] = SweptRuns(self.sweep, [places[case] for case in own], options)
        return found

    @cached_property
    def _samples(self) -> dict[str, Any]:
        """The tables, and the rows of each subset, as arguments of a sweep."""
        if len(self.firsts) == 1:
            X, y, weight = self.firsts[0].learned
            held_out = self.firsts[0].validation
            return {"X": X, "y": y, "sample_weight": weight, "validation": held_out}
        tables = {id(spec.table): spec.table for spec in self.firsts}
        sizes = [len(table.X) for table in tables.values()]
        starts = dict(zip(tables, np.cumsum([0, *sizes]), strict=False))
        every: list[Integers] = []
        held: list[Integers] = []
        for spec in self.firsts:
            start = starts[id(spec.table)]
            every.append(start + (np.arange(spec.size) if spec.rows is None else spec.rows))
            if spec.held is not None:
                held.append(start + spec.held)
        X, y, weight = (
            arrays[0] if len(tables) == 1 or arrays[0] is None else np.concatenate(arrays)
            for arrays in zip(*tables.values(), strict=True)
        )
        folds = joined(held) if held else None
        return {"X": X, "y": y, "sample_weight": weight, "groups": joined(every), "folds": folds}


class JointTraining:
    """Fits that are trained together, and may be resumed together.

    Fits that train in epochs are grouped into as few sweeps as possible; each run is bit-identical
    to one trained alone. Fits with L-BFGS-B or an adaptive learning rate, or that start from
    trained networks, are trained one by one. With ``keep_state`` runs keep their state, so that
    they can be resumed.
    """

    def __init__(
        self, specs: Sequence[FitSpec], how: How = ON_CPU, *, keep_state: bool = False
    ) -> None:
        self.specs = specs
        self.how = how
        self.keep_state = keep_state
        self.batches: list[Batch] = []
        self.outcomes: dict[int, RunsOrError] = {}

    def train(self, epochs: int | None = None) -> dict[int, RunsOrError]:
        """Return the runs of each fit, or the error that it raised.

        ``epochs`` are the most epochs; by default as many as each fit asks for.
        """
        together = {}
        for number, spec in enumerate(self.specs):
            if spec.minimizer is None and spec.adaptive is None and not spec.start:
                together[number] = spec
                continue
            try:
                self.outcomes[number] = train_alone(spec, self.how["device"])
            except DeviceError:
                raise  # no other fit can use that GPU either
            except Exception as error:
                self.outcomes[number] = error
        waiting = batches_of(together)
        while waiting:
            batch = waiting.pop(0)
            try:
                batch.train(self.how, keep_state=self.keep_state, epochs=epochs)
            except DeviceError:
                raise
            except Exception as error:
                numbers = list(chain(*batch.subsets))
                if len(numbers) == 1:
                    self.outcomes[numbers[0]] = error
                else:  # the others are trained without the one that fails
                    each = [batches_of({number: self.specs[number]}) for number in numbers]
                    waiting[:0] = chain(*each)
                continue
            self.batches.append(batch)
            self.outcomes |= batch.runs()
        return self.outcomes

    def resume(self, keep: Collection[int], epochs: int) -> dict[int, RunsOrError]:
        """Return the runs of these fits after ``epochs`` more epochs, as if never interrupted."""
        self.outcomes = {n: found for n, found in self.outcomes.items() if n in keep}
        self.batches = [one for one in self.batches if set(keep) & set(chain(*one.subsets))]
        for batch in self.batches:
            batch.resume(keep, epochs, self.how)
            self.outcomes |= batch.runs()
        return self.outcomes


def train_all(
    specs: Sequence[FitSpec], how: How = ON_CPU, *, keep_state: bool = False
) -> list[list[Run]]:
    """Return the runs of each fit, one per seed; raise the error of the first fit that failed."""
    outcomes = JointTraining(specs, how, keep_state=keep_state).train()
    return [runs_of(outcomes[number]) for number in range(len(specs))]


def runs_of(outcome: RunsOrError) -> list[Run]:
    """Return the runs of a fit, or raise its error."""
    if isinstance(outcome, Exception):
        raise outcome
    return list(outcome)


def batches_of(specs: Mapping[int, FitSpec]) -> list[Batch]:
    """Return the fewest batches that train exactly the runs that the fits ask for."""
    kinds: dict[Any, dict[Any, Fits]] = {}
    for number, spec in specs.items():
        # What fits of one batch share, as a key, and the hyperparameters that may differ.
        X, y, weight = spec.table
        shared: list[Any] = [X.shape[1], y.shape[1], weight is None, spec.held is None]
        values: dict[str, Any] = {}
        for name, value in spec.settings.items():
            if name == "shuffle_seed" and spec.settings["batch_size"] is None:
                continue
            if name == "alpha" or name in VALUES or name not in ARGUMENTS:
                values[name] = value
                shared.append(name in _COSTLY and value == 0)
            elif name in FIELDED and isinstance(value, Hyperparameters):
                fields = value._asdict()
                numbers = [n for n in value.hyperparameters if n not in changing(value)]
                values |= {field: fields.pop(field) for field in numbers}
                shared.append((name, type(value), key_of(fields)))
            else:
                shared.append((name, key_of(value)))
        # Equal cases are trained once, but 0.0 equals -0.0.
        shared += [str(value) == "-0.0" for value in values.values()]
        subsets = kinds.setdefault((*shared, (*values, "seed")), {})
        own = [(*values.values(), seed) for seed in spec.seeds]
        subsets.setdefault((id(spec.table), spec.subset), {})[number] = own
    found = []
    for (*_, names), subsets in kinds.items():
        alike: dict[int, list[Fits]] = {}
        for fits in subsets.values():
            alike.setdefault(len(set(chain(*fits.values()))), []).append(fits)
        found += [Batch(specs, names, several) for several in alike.values()]
    return found


def key_of(value: Any) -> Any:
    """Return a hashable key that equal values share; others are known by their identity."""
    if isinstance(value, np.ndarray):
        return type(value), value.shape, value.dtype, value.tobytes()
    if isinstance(value, float | np.floating):
        return type(value), repr(value)  # 0.0 equals -0.0
    if isinstance(value, dict):
        return tuple((name, key_of(one)) for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), *map(key_of, value)
    try:
        hash(value)
    except Exception:  # unhashable, or its hash raises anything
        return id(value)
    return type(value), value

"""Batches of fits that one sweep trains: tables are concatenated, hyperparameters combined."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from fastgd.arguments.declarations import FIELDED, VALUES
from fastgd.arguments.formula_parameters import kinds_of
from fastgd.hyperparameters import Hyperparameters
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.training.results import Run
from fastgd.training.runs import Sweep
from fastgd.training.sweep import sweep

Case = tuple[Any, ...]
"""The hyperparameters of a run, in the order of their names, and its seed."""

_COSTLY = ("dropout", "dropconnect")
"""Runs without random masks are not trained in a batch with runs that draw them."""


class Member(NamedTuple):
    """Where the runs of a fit are in a batch."""

    number: int  # index of the fit
    table: int
    cases: tuple[int, ...]  # one for each seed
    shuffle_seed: int


@dataclass
class ProblemBatch:
    """Fits with the same architecture; every table has every case, so no run is superfluous."""

    names: tuple[str, ...]
    """Names of the hyperparameters that may differ."""

    tables: list[FitSpec]
    """One fit for each table."""

    cases: list[Case]
    members: list[Member]
    sweep: Sweep | None = field(default=None, repr=False)

    def train(
        self, *, threads: int | None, keep_state: bool, iterations: int | None = None
    ) -> None:
        """Train all runs, by default for the number of iterations that the fits ask for."""
        first = self.tables[0]
        settings = dict(first.settings)
        if iterations is not None:
            settings["iterations"] = iterations
        numbers = dict(zip(self.names, zip(*self.cases, strict=True), strict=True))
        several = [name for name, values in numbers.items() if len(set(values)) > 1]
        settings |= {"seed": numbers["seed"][0]}
        if several:
            settings = {name: v for name, v in settings.items() if name not in several}
            settings["combinations"] = [
                {name: numbers[name][at] for name in several} for at in range(len(self.cases))
            ]
        # With restore_best only the state has the last network, whose loss is to be computed.
        keep_state = keep_state or bool(settings.get("restore_best"))
        self.sweep = sweep(**self._samples(), **settings, threads=threads, keep_state=keep_state)

    def has_any(self, keep: Collection[int]) -> bool:
        """Whether any of these fits is in this batch."""
        return any(member.number in keep for member in self.members)

    def resume(self, keep: Collection[int], iterations: int, *, threads: int | None) -> None:
        """Resume the cases of these fits, on all tables, for ``iterations`` more iterations."""
        assert self.sweep is not None
        self.members = [member for member in self.members if member.number in keep]
        going = sorted({case for member in self.members for case in member.cases})
        resumed = self.sweep if "combination" not in self.sweep.axes else self.sweep[..., going]
        places = {case: place for place, case in enumerate(going)}
        self.cases = [self.cases[case] for case in going]
        self.members = [
            member._replace(cases=tuple(places[case] for case in member.cases))
            for member in self.members
        ]
        self.sweep = sweep(
            **self._samples(), resume=resumed, iterations=iterations, threads=threads
        )

    def runs(self) -> Iterator[tuple[int, list[Run]]]:
        """Yield the index of each fit, and its runs."""
        assert self.sweep is not None
        axes = self.sweep.axes
        for number, table, cases, shuffle_seed in self.members:
            in_front = ((table,) if "group" in axes else ()) + ((0,) if "fold" in axes else ())
            places = [(*in_front, case) if "combination" in axes else in_front for case in cases]
            runs = [self.sweep[place] for place in places]
            if shuffle_seed != self.tables[0].settings["shuffle_seed"]:  # no effect without batches
                runs = [
                    replace(run, options=run.options | {"shuffle_seed": shuffle_seed})
                    for run in runs
                ]
            yield number, runs

    def _samples(self) -> dict[str, Any]:
        """Return the tables as arguments of a sweep."""
        if len(self.tables) == 1:
            X, y, weight = self.tables[0].learned
            return {
                "X": X,
                "y": y,
                "sample_weight": weight,
                "validation": self.tables[0].validation,
            }
        first = self.tables[0]
        found: dict[str, Any] = {
            "X": np.concatenate([table.X for table in self.tables]),
            "y": np.concatenate([table.y for table in self.tables]),
            "groups": np.repeat(np.arange(len(self.tables)), [len(t.X) for t in self.tables]),
        }
        if first.sample_weight is not None:
            found["sample_weight"] = _joined(table.sample_weight for table in self.tables)
        if first.held is not None:
            found["folds"] = _joined(table.held for table in self.tables)[None]
        return found


def batches_of(problems: Mapping[int, FitSpec]) -> list[ProblemBatch]:
    """Return the fewest batches that train exactly the runs that the fits ask for.

    No fit may have a start or a minimizer.
    """
    digests = _Digests()
    kinds: dict[Any, dict[Any, dict[int, tuple[FitSpec, list[Case]]]]] = {}
    for number, problem in problems.items():
        kind, numbers = _kind_of(problem)
        own = [(*numbers.values(), seed) for seed in problem.seeds]
        tables = kinds.setdefault((kind, (*numbers, "seed")), {})
        tables.setdefault(digests.of(problem), {})[number] = (problem, own)
    found = []
    for (_, names), tables in kinds.items():
        alike: dict[frozenset[Case], list[dict[int, tuple[FitSpec, list[Case]]]]] = {}
        for fits in tables.values():
            cases = frozenset(case for _, own in fits.values() for case in own)
            alike.setdefault(cases, []).append(fits)
        found += [_batch(names, several) for several in alike.values()]
    return found


def _batch(
    names: tuple[str, ...], tables: Sequence[dict[int, tuple[FitSpec, list[Case]]]]
) -> ProblemBatch:
    """Make a batch of tables with the same cases, in the order of the first table's."""
    order = dict.fromkeys(case for _, own in tables[0].values() for case in own)
    places = {case: place for place, case in enumerate(order)}
    members = [
        Member(number, table, tuple(places[case] for case in own), one.settings["shuffle_seed"])
        for table, fits in enumerate(tables)
        for number, (one, own) in fits.items()
    ]
    firsts = [next(iter(fits.values()))[0] for fits in tables]
    return ProblemBatch(names, firsts, list(order), members)


def _kind_of(problem: FitSpec) -> tuple[Any, dict[str, Any]]:
    """Return what fits of one batch share, as a key, and the hyperparameters that may differ."""
    numbers: dict[str, Any] = {}
    shared: list[Any] = [problem.X.shape[1], problem.y.shape[1]]
    shared += [problem.sample_weight is None, problem.held is None]
    of_functions = kinds_of(problem.settings)
    in_batches = problem.settings["batch_size"] is not None
    for name, value in problem.settings.items():
        if name == "shuffle_seed" and not in_batches:
            continue
        if name == "alpha" or name in VALUES or name in of_functions:
            numbers[name] = value
            shared.append(name in _COSTLY and value == 0)
        elif name in FIELDED and isinstance(value, Hyperparameters):
            fields = value._asdict()
            numbers |= {n: fields.pop(n) for n in value.hyperparameters}
            shared.append((name, type(value), _key(fields)))
        else:
            shared.append((name, _key(value)))
    return tuple(shared), numbers


def _key(value: Any) -> Any:
    """Return a hashable key for a value."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, dict):
        return tuple((name, _key(one)) for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), *map(_key, value)
    try:
        hash(value)
    except Exception:  # unhashable, or its hash raises anything
        return id(value)
    return type(value), value


def _joined(arrays: Iterable[Any]) -> Any:
    return np.concatenate(list(arrays))


class _Digests:
    """Digests of tables by content; an array that was seen before is not read again."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, bytes]] = {}

    def of(self, problem: FitSpec) -> tuple[bytes, ...]:
        """Return the digests of a fit's arrays, which identify its table."""
        arrays = (problem.X, problem.y, problem.sample_weight, problem.held)
        return tuple(self._of(array) for array in arrays if array is not None)

    def _of(self, array: Any) -> bytes:
        if id(array) not in self.known:
            text = blake2b(repr(array.shape).encode())
            text.update(np.ascontiguousarray(array).tobytes())
            self.known[id(array)] = array, text.digest()  # kept alive, so that its id stays unique
        return self.known[id(array)][1]

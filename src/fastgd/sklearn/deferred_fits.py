"""Deferred fits: everything but the network's training has run, so networks can train jointly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from sklearn.base import clone
from sklearn.model_selection._validation import _check_method_params, _safe_split
from sklearn.pipeline import Pipeline

from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.training.results import Run


def network_of(estimator: Any) -> BaseFastGD | None:
    """Return the fastgd estimator itself, or the one a pipeline ends in; None if there is none."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    return last if isinstance(last, BaseFastGD) else None


class DeferredFit(NamedTuple):
    """The samples that reach the network of a pipeline, and the fitted steps before it."""

    steps: list[tuple[str, Any]]
    X: Any
    y: Any
    params: dict[str, Any]  # further arguments of the network's fit


class Waiting:
    """The fit of one candidate on one fold, interrupted before its network is trained.

    Parameters
    ----------
    estimator : estimator
        With the parameters of the candidate.
    candidate, fold : int
        Their indices.
    """

    def __init__(self, estimator: Any, candidate: int, fold: int) -> None:
        self.estimator, self.candidate, self.fold = estimator, candidate, fold
        self.problem: FitSpec | None = None
        self.number: int | None = None  # its index in the joint training
        self.error: Exception | None = None
        self.seconds = 0.0

    def begin(self, prepare: Callable[[], DeferredFit]) -> None:
        """Prepare the network's fit; an error is kept, and raised by :meth:`finish`."""
        began = perf_counter()
        try:
            prepared = prepare()
            network = network_of(self.estimator)
            if network is not None:
                if isinstance(self.estimator, Pipeline):
                    self.estimator.steps[:-1] = prepared.steps
                self.problem = network._problem(prepared.X, prepared.y, **prepared.params)
        except Exception as error:
            self.error = error
        self.seconds = perf_counter() - began

    def finish(self, outcome: list[Run] | Exception | None, *, is_last: bool = True) -> Any:
        """Return an estimator whose next ``fit`` only adopts the trained runs, or raises the error.

        ``is_last`` is whether training is over, so that a convergence warning may be due.
        """
        error = outcome if isinstance(outcome, Exception) else self.error
        estimator = self.estimator

        def fit(*_args: Any, **_params: Any) -> Any:
            del estimator.fit, estimator.set_params
            if error is not None:
                raise error
            network = network_of(estimator)
            if network is not None:
                assert self.problem is not None
                assert isinstance(outcome, list)
                finish = network._finish if is_last else network._adopt
                finish(self.problem, outcome)
            return estimator

        estimator.fit = fit
        estimator.set_params = lambda **_params: estimator  # they are set already
        return estimator


def waiting_fits(
    estimator: Any,
    X: Any,
    y: Any,
    candidates: Sequence[Mapping[str, Any]],
    folds: Sequence[tuple[Any, Any]],
    fit_params: Mapping[str, Any],
) -> Iterator[Waiting]:
    """Yield the deferred fits of all candidates on all folds, one candidate after the other.

    The steps of a pipeline before the network are fitted once per fold and set of their parameters.
    An estimator without a fastgd network is fitted immediately.
    """
    known: dict[Any, DeferredFit] = {}
    for number, parameters in enumerate(candidates):
        for fold, (train, _) in enumerate(folds):
            own = clone(estimator).set_params(**clone(dict(parameters), safe=False))
            waiting = Waiting(own, number, fold)
            before = (fold, _preprocessing(own, parameters))

            def prepare(own: Any = own, train: Any = train, before: Any = before) -> DeferredFit:
                if before in known and network_of(own) is not None:
                    return known[before]
                rows, targets = _safe_split(own, X, y, train)
                params = _check_method_params(X, params=fit_params, indices=train)
                found = _prepared(own, rows, targets, params)
                if network_of(own) is not None:
                    known[before] = found
                return found

            waiting.begin(prepare)
            yield waiting


def _prepared(estimator: Any, X: Any, y: Any, params: dict[str, Any]) -> DeferredFit:
    """Run an estimator's own fit up to its network, which is not trained."""
    network = network_of(estimator)
    given = (X,) if y is None else (X, y)
    if network is None:
        estimator.fit(*given, **params)
        return DeferredFit([], X, y, params)
    caught: list[tuple[Any, Any, dict[str, Any]]] = []

    def fit(X: Any, y: Any = None, **params: Any) -> BaseFastGD:
        caught.append((X, y, params))
        return network

    network.fit = fit  # type: ignore[method-assign, assignment]
    try:
        estimator.fit(*given, **params)
    finally:
        del network.fit
    steps = estimator.steps[:-1] if isinstance(estimator, Pipeline) else []
    return DeferredFit(steps, *caught[0])


def _preprocessing(estimator: Any, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the parameters of a candidate that don't belong to the network."""
    if not isinstance(estimator, Pipeline):
        return ()
    last = estimator.steps[-1][0]
    return tuple(
        (name, _identity(value))
        for name, value in sorted(parameters.items())
        if name != last and not name.startswith(f"{last}__")
    )


def _identity(value: Any) -> Any:
    """Return a key: names, numbers and tuples of them by value, other objects by identity."""
    if isinstance(value, tuple):
        return tuple(map(_identity, value))
    if value is None or isinstance(value, (str, bool, int, float)):
        return type(value), value
    return id(value)

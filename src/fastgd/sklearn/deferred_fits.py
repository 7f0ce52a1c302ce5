"""Deferred fits: everything but the network's training has run, so networks can train jointly.

Rows flow from the arguments of a fit (X, y) through an estimator's own steps (`Reached`: what comes
to its network) and the network's checks (`CheckedSamples`) to a specification (`FitSpec`). Fits of
a bare network share the table of all samples, and differ in rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import product
from typing import Any

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from fastgd.arguments.subsets import Integers
from fastgd.engine.devices import DeviceError
from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.estimator_parameters import check_parameters
from fastgd.sklearn.fit_spec import CheckedSamples, FitSpec
from fastgd.sklearn.joint_training import JointTraining, key_of, runs_of
from fastgd.sklearn.private_names import _check_method_params, _safe_split
from fastgd.sklearn.standard_steps import Reached, StandardSteps, copied, is_same


def network_of(estimator: Any) -> BaseFastGD | None:
    """Return a fastgd estimator itself, or the one in a pipeline or a target transform."""
    if isinstance(estimator, Pipeline):
        return network_of(estimator.steps[-1][1])
    if isinstance(estimator, TransformedTargetRegressor):
        return network_of(estimator.regressor)
    return estimator if isinstance(estimator, BaseFastGD) else None


@dataclass(eq=False)
class SearchCandidate:
    """An estimator with the parameters of a candidate, which is never fitted itself."""

    estimator: Any
    parameters: Mapping[str, Any]
    is_checked: bool = False
    specs: dict[Hashable, FitSpec] = field(default_factory=dict)

    @cached_property
    def network(self) -> BaseFastGD | None:
        """The network of the estimator; it may have none."""
        return network_of(self.estimator)

    @cached_property
    def preprocessing(self) -> Hashable:
        """A key of candidates whose steps before the network are the same; None without one."""
        if self.network is None:
            return None
        path, inner = [], self.estimator
        while inner is not self.network:
            is_pipeline = isinstance(inner, Pipeline)
            name, inner = inner.steps[-1] if is_pipeline else ("regressor", inner.regressor)
            path.append(name)
        name = "__".join(path)
        return name, *(
            (given, key_of(value))
            for given, value in sorted(self.parameters.items())
            if path and given != name and not given.startswith(f"{name}__")
        )

    @cached_property
    def tags(self) -> Any:
        """scikit-learn asks in each fit for those that follow from the first step: 0.1 ms."""
        return get_tags(self.estimator)

    def check(self) -> None:
        """Raise if the network's parameters are invalid."""
        if not self.is_checked:
            check_parameters(vars(self.network))
            self.is_checked = True


class DeferredFits:
    """Fits of estimators to rows of the same samples.

    ``params`` are further arguments of each ``fit``, such as ``sample_weight`` for all samples.
    """

    def __init__(self, X: Any, y: Any, params: Mapping[str, Any]) -> None:
        self.X, self.y, self.params = X, y, params
        self._all: Reached | None = None  # what reaches a bare network, with no other params
        self._refused: set[Hashable] = set()  # kinds of networks that refuse it
        if not params.keys() - {"sample_weight"}:
            self._all = Reached(X, y, params.get("sample_weight"))
        self._reached: dict[Hashable, Reached] = {}
        self._standard: StandardSteps | None = None

    def expect(self, estimator: Any, rows: Integers) -> None:
        """Prepare for clones of an estimator, which isn't fitted, by a fit to these rows.

        Their steps are fitted without scikit-learn's checks if that has the same result.
        """
        steps = StandardSteps(self.X, self.y, estimator)
        own, theirs = copied(estimator), copied(estimator)
        with warnings.catch_warnings(), suppress(Exception):  # they come again
            warnings.simplefilter("ignore")
            found = steps.reach(own, rows)
            if found is None:
                return
            reached = self._reach(theirs, rows)
            found.table(found.network)
            if is_same((own, found.X, found.y), (theirs, reached.X, reached.y)):
                self._standard = steps

    def begin(self, estimator: Any, rows: Integers) -> tuple[BaseFastGD, FitSpec] | None:
        """Fit all steps before an estimator's network, and specify the network's fit.

        An estimator without a network is fitted immediately.
        """
        network = network_of(estimator)
        if network is None:
            given, params = self._split(estimator, rows)
            estimator.fit(*given, **params)
            return None
        if network is estimator and self._all is not None:
            check_parameters(vars(network))
            table = self._shared(network, rows)
            if table is not None:
                return network, network._specified(table, rows)
        reached = self._standard.reach(estimator, rows) if self._standard else None
        if reached is None:
            reached = self._reach(estimator, rows)
        network = reached.network
        return network, network._specified(reached.table(network))

    def share(self, candidate: SearchCandidate, rows: Integers) -> tuple[BaseFastGD, FitSpec, Any]:
        """Specify the fit of a copy of a candidate's network; the candidate stays as it is.

        Candidates with equal preprocessing on the same rows share their steps, which are fitted
        once. The third value returned is an estimator that has them, or None if there are none.
        """
        own, steps = copy(candidate.network), None
        assert own is not None
        own.random_state = clone(own.random_state, safe=False)  # a fit draws from it
        table, own_rows = None, None
        if candidate.network is candidate.estimator and self._all is not None:
            candidate.check()
            table, own_rows = self._shared(own, rows), rows
        if table is None:
            key = id(rows), candidate.preprocessing
            if key not in self._reached:
                self._reached[key] = self._reach(clone(candidate.estimator), rows)
            candidate.check()
            reached = self._reached[key]
            table, own_rows, steps = reached.table(own), None, reached.estimator
        is_drawn = own.early_stopping or not isinstance(own.random_state, int)
        if table.weight is not None or is_drawn:
            return own, own._specified(table, own_rows), steps
        # Otherwise as many rows have the same settings; a tenth of a search of 16 candidates.
        size = len(table.y) if own_rows is None else len(own_rows)
        kind = size, table.X.shape[1], table.y.shape[1], own._output_and_loss()[0]
        if kind not in candidate.specs:
            candidate.specs[kind] = own._specified(table, own_rows)
        spec = candidate.specs[kind]
        settings, subset = dict(spec.settings), (id(own_rows),)
        spec = spec._replace(table=table, rows=own_rows, subset=subset, settings=settings)
        return own, spec, steps

    def _shared(self, network: BaseFastGD, rows: Integers) -> CheckedSamples | None:
        """Return the table of all samples for a fit to some rows; None if it needs its own."""
        assert self._all is not None
        kind = type(network), key_of(getattr(network, "class_weight", None))
        if kind in self._refused:
            return None
        try:
            table = self._all.table(network)
        except Exception:  # of some rows, maybe not these
            self._refused.add(kind)
            return None
        return table if network._can_share(table, rows) else None

    def _split(self, estimator: Any, rows: Integers) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of an estimator's fit to some rows."""
        X, y = _safe_split(estimator, self.X, self.y, rows)
        params = _check_method_params(self.X, params=self.params, indices=rows)
        return ((X,) if y is None else (X, y)), params

    def _reach(self, estimator: Any, rows: Integers) -> Reached:
        """Run an estimator's own fit to some rows up to its network, which is not trained."""
        found: list[Reached] = []
        networks: list[BaseFastGD] = []

        def stop(own: BaseFastGD, X: Any, y: Any = None, sample_weight: Any = None) -> BaseFastGD:
            restore()
            check_parameters(vars(own))
            found.append(Reached(X, y, sample_weight, own, estimator))
            found[0].table(own)
            return own

        def watch(one: BaseFastGD) -> BaseFastGD:
            one.__dict__.update(fit=partial(stop, one), __sklearn_clone__=partial(cloned, one))
            networks.append(one)
            return one

        def cloned(one: BaseFastGD) -> BaseFastGD:  # a target transform fits a clone, maybe of one
            return watch(type(one).__sklearn_clone__(one))

        def restore() -> None:
            for name, one in product(("fit", "__sklearn_clone__"), networks):
                one.__dict__.pop(name, None)

        network = network_of(estimator)
        assert network is not None
        given, params = self._split(estimator, rows)
        watch(network)
        try:
            estimator.fit(*given, **params)
        finally:
            restore()
        (reached,) = found
        return reached


def fit_all(X: Any, y: Any, fits: Sequence[tuple[str, Any, Integers]]) -> None:
    """Fit estimators, each to its rows; each result is the same as if it were fitted alone.

    ``fits`` are (name, estimator, rows); the name is put in front of an error. Networks of fastgd
    are trained together, after all other steps; other estimators one after the other.
    """
    waiting = []
    deferred = DeferredFits(X, y, {})
    network = network_of(fits[0][1])
    if len(fits) > 2 and network not in (None, fits[0][1]):
        deferred.expect(fits[0][1], max((rows for *_, rows in fits if len(rows) < len(y)), key=len))
    for name, estimator, rows in fits:
        with _named(name):
            begun = deferred.begin(estimator, rows)
            if begun is not None:
                waiting.append((name, *begun))
    if not waiting:
        return
    outcomes = JointTraining([spec for *_, spec in waiting], waiting[0][1]._how).train()
    unfinished, diverged = [], 0
    for number, (name, network, spec) in enumerate(waiting):
        with _named(name):
            own = runs_of(outcomes[number])
            network._adopt(spec, own)
        if network.verbose:
            print(name)
            network._tell()
        statuses = [run.status for run in own]
        diverged += "diverged" in statuses
        if network._is_unfinished(statuses):
            unfinished.append(spec.solver)
    if unfinished:
        warnings.warn(
            f"{unfinished[0]}: Maximum iterations reached and the optimization hasn't "
            f"converged yet in {len(unfinished):,} of {len(waiting):,} fits.",
            ConvergenceWarning,
            stacklevel=3,
        )
    if diverged:
        warnings.warn(
            f"Stochastic Optimizer: the training diverged in {diverged:,} of {len(waiting):,} "
            "fits, and the networks with the best validation scores before that are kept.",
            ConvergenceWarning,
            stacklevel=3,
        )


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Prefix an error with the name of the fit that raised it."""
    try:
        yield
    except DeviceError:  # of all fits
        raise
    except Exception as error:
        try:
            named = type(error)(f"{name}: {error}")
        except Exception:  # an error class with other arguments
            raise error from None
        raise named from error

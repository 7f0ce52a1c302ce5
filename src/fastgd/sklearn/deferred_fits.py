"""Deferred fits: everything but the network's training has run, so networks can train jointly."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from functools import partial
from itertools import product
from typing import Any

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection._validation import _check_method_params, _safe_split
from sklearn.pipeline import Pipeline

from fastgd.arguments.subsets import Integers
from fastgd.engine.devices import DeviceError
from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.estimator_parameters import check_parameters
from fastgd.sklearn.fit_spec import FitSpec, Samples
from fastgd.sklearn.joint_training import JointTraining, key_of, runs_of
from fastgd.sklearn.standard_steps import StandardSteps, copied, is_same, names_of


def network_of(estimator: Any) -> BaseFastGD | None:
    """Return a fastgd estimator itself, or the one in a pipeline or a target transform."""
    if isinstance(estimator, Pipeline):
        return network_of(estimator.steps[-1][1])
    if isinstance(estimator, TransformedTargetRegressor):
        return network_of(estimator.regressor)
    return estimator if isinstance(estimator, BaseFastGD) else None


def path_of(estimator: Any) -> tuple[str, ...] | None:
    """Return the names that lead to the network in an estimator's parameters; None without one."""
    if isinstance(estimator, BaseFastGD):
        return ()
    name, inner = "", None
    if isinstance(estimator, Pipeline):
        name, inner = estimator.steps[-1]
    elif isinstance(estimator, TransformedTargetRegressor):
        name, inner = "regressor", estimator.regressor
    path = path_of(inner) if name else None
    return None if path is None else (name, *path)


class DeferredFits:
    """Fits of estimators to rows of the same samples.

    ``params`` are further arguments of each ``fit``, such as ``sample_weight`` for all samples.
    """

    def __init__(self, X: Any, y: Any, params: Mapping[str, Any]) -> None:
        self.X, self.y, self.params = X, y, params
        self._whole = _Reached(X, y, params.get("sample_weight"))
        self._unshared: set[Hashable] = set()  # kinds of networks whose whole table is refused
        self._reached: dict[Hashable, _Reached] = {}
        self._checked: Any = None  # the candidate whose parameters were checked last
        self._specs: dict[Hashable, FitSpec] = {}  # of its fits
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
            network = network_of(theirs)
            assert network is not None
            _, reached = _reach(theirs, network, *self._split(theirs, rows))
            _Reached(found.X, found.y, None).table(found.network)
            if is_same((own, found.X, found.y), (theirs, *reached.samples[:2])):
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
        if network is estimator and (table := self._table_of_all(network, rows)) is not None:
            return network, network._specified(table, rows)
        found = self._standard and self._standard.reach(estimator, rows)
        if found:
            network, reached = found.network, _Reached(found.X, found.y, None)
        else:
            network, reached = _reach(estimator, network, *self._split(estimator, rows))
        return network, network._specified(reached.table(network))

    def share(
        self, candidate: Any, rows: Integers, preprocessing: Hashable
    ) -> tuple[BaseFastGD, FitSpec, Any]:
        """Specify the fit of a copy of a candidate's network; the candidate stays as it is.

        Candidates with equal ``preprocessing`` on the same rows share their steps, which are fitted
        once. The third value returned is an estimator that has them, or None if there are none.
        """
        network = network_of(candidate)
        assert network is not None
        own = copy(network)
        own.random_state = clone(network.random_state, safe=False)  # a fit draws from it
        is_checked, self._checked = candidate is self._checked, None
        if network is candidate:
            table = self._table_of_all(own, rows, is_checked=is_checked)
            if table is not None:
                self._checked = candidate
                return own, self._specified(own, table, rows, is_same=is_checked), None
        key = id(rows), preprocessing
        if key not in self._reached:
            first = clone(candidate)
            inner = network_of(first)
            assert inner is not None
            _, self._reached[key] = _reach(first, inner, *self._split(first, rows))
        reached = self._reached[key]
        table = reached.table(own, is_checked=is_checked)
        self._checked = candidate
        return own, self._specified(own, table, None, is_same=is_checked), reached.estimator

    def _specified(
        self, network: BaseFastGD, table: Samples, rows: Integers | None, *, is_same: bool
    ) -> FitSpec:
        """Specify a fit; ``is_same``: with the parameters of the one before.

        Then as many rows have the same settings, unless these depend on weights or random numbers.
        """
        if not is_same:
            self._specs.clear()
        samples = len(table.y) if rows is None else len(rows)
        is_drawn = network.early_stopping or not isinstance(network.random_state, int)
        if table.weight is not None or is_drawn:
            return network._specified(table, rows)
        output = network._output_and_loss()[0]
        key = samples, table.X.shape[1], table.y.shape[1], output
        if key not in self._specs:
            self._specs[key] = network._specified(table, rows)
        known = self._specs[key]
        return known._replace(
            table=table, rows=rows, part=(id(rows),), settings=dict(known.settings)
        )

    def _table_of_all(
        self, network: BaseFastGD, rows: Integers, *, is_checked: bool = False
    ) -> Samples | None:
        """Return the table of all samples for a fit to some rows; None if it needs its own."""
        if self.params.keys() - {"sample_weight"}:
            return None
        if not is_checked:
            check_parameters(vars(network))
        kind = _kind(network)
        if kind in self._unshared:
            return None
        try:
            table = self._whole.table(network, is_checked=True)
        except Exception:  # of some rows, maybe not these
            self._unshared.add(kind)
            return None
        return table if network._can_share(table, rows) else None

    def _split(self, estimator: Any, rows: Integers) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of an estimator's fit to some rows."""
        X, y = _safe_split(estimator, self.X, self.y, rows)
        params = _check_method_params(self.X, params=self.params, indices=rows)
        return ((X,) if y is None else (X, y)), params


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
    joint = JointTraining([problem for *_, problem in waiting], waiting[0][1]._how)
    outcomes = joint.train()
    unfinished, diverged = [], 0
    for number, (name, network, problem) in enumerate(waiting):
        with _named(name):
            own = runs_of(outcomes[number])
            network._adopt(problem, own)
        if network.verbose:
            print(name)
            network._tell()
        statuses = [run.status for run in own]
        diverged += "diverged" in statuses
        if network._is_unfinished(statuses):
            unfinished.append(problem.solver)
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


class _Reached:
    """What reaches a network: the samples of its fit, and the estimator with the fitted steps."""

    def __init__(self, X: Any, y: Any, sample_weight: Any, estimator: Any = None) -> None:
        self.samples = X, y, sample_weight
        self.estimator = estimator
        self._tables: dict[Hashable, tuple[Samples, dict[str, Any]]] = {}

    def table(self, network: BaseFastGD, *, is_checked: bool = False) -> Samples:
        """Return the checked samples, and set the network's attributes that describe them.

        Networks of a kind have the same table. ``is_checked``: whether its parameters are.
        """
        if not is_checked:
            check_parameters(vars(network))
        key = _kind(network)
        if key not in self._tables:
            table, params = network._table(*self.samples), names_of(type(network))
            found = {name: value for name, value in vars(network).items() if name not in params}
            self._tables[key] = table, found
        table, found = self._tables[key]
        network.__dict__.update(found)
        return table


def _kind(network: BaseFastGD) -> Hashable:
    """Return a key of networks that make the same targets and weights of samples."""
    return type(network), key_of(getattr(network, "class_weight", None))


def _reach(
    estimator: Any, network: BaseFastGD, given: tuple[Any, ...], params: dict[str, Any]
) -> tuple[BaseFastGD, _Reached]:
    """Run an estimator's own fit up to its network, which is returned, not trained."""
    found: list[tuple[BaseFastGD, _Reached]] = []
    networks: list[BaseFastGD] = []

    def stop(own: BaseFastGD, X: Any, y: Any = None, sample_weight: Any = None) -> BaseFastGD:
        restore()
        reached = _Reached(X, y, sample_weight, estimator)
        reached.table(own)
        found.append((own, reached))
        return own

    def watch(one: BaseFastGD) -> BaseFastGD:
        one.__dict__.update(fit=partial(stop, one), __sklearn_clone__=partial(cloned, one))
        networks.append(one)
        return one

    def cloned(one: BaseFastGD) -> BaseFastGD:  # a target transform fits a clone, maybe of a clone
        return watch(type(one).__sklearn_clone__(one))

    def restore() -> None:
        for name, one in product(("fit", "__sklearn_clone__"), networks):
            one.__dict__.pop(name, None)

    watch(network)
    try:
        estimator.fit(*given, **params)
    finally:
        restore()
    ((own, reached),) = found
    return own, reached


def share_steps(estimator: Any, fitted: Any) -> BaseFastGD:
    """Fit an estimator by the steps of another, up to its own network, which is returned."""
    while not isinstance(estimator, BaseFastGD):
        if isinstance(estimator, Pipeline):
            estimator.steps[:-1] = fitted.steps[:-1]
            estimator, fitted = estimator.steps[-1][1], fitted.steps[-1][1]
            continue
        given = estimator.get_params(deep=False)
        found = {name: value for name, value in vars(fitted).items() if name not in given}
        estimator.__dict__.update(found, regressor_=clone(estimator.regressor))
        estimator, fitted = estimator.regressor_, fitted.regressor_
    return estimator


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

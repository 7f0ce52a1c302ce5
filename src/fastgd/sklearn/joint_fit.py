"""Joint fit of many estimators: steps before the networks one by one, then all networks at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, cast

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from fastgd.sklearn.base import BaseFastGD
from fastgd.sklearn.joint_training import JointTraining, runs_of


class JointFit(NamedTuple):
    """One fit: an estimator to be fitted in place, its rows, and its name in messages."""

    estimator: Any
    X: Any
    y: Any
    name: str


def fit_all(fits: Sequence[JointFit]) -> None:
    """Fit all estimators; each result is the same as if it were fitted alone.

    Networks of fastgd are trained together, also those at the end of a pipeline or within a
    ``TransformedTargetRegressor``, whose other steps are fitted first. Other estimators are fitted
    one after the other.

    Raises
    ------
    Exception
        The error of a fit, with the fit's name in front.
    """
    waiting = []
    for fit in fits:
        with _named(fit.name):
            network, X, y = _prepared(fit.estimator, fit.X, fit.y)
            if network is None:
                fit.estimator.fit(fit.X, fit.y)
            else:
                waiting.append((fit, network, network._problem(X, y)))
    if not waiting:
        return
    joint = JointTraining([problem for *_, problem in waiting], threads=waiting[0][1].threads)
    outcomes = joint.train()
    unfinished = []
    for number, (fit, network, problem) in enumerate(waiting):
        with _named(fit.name):
            own = runs_of(outcomes[number])
            network._adopt(problem, own)
        if network.verbose:
            print(fit.name)
            network._tell()
        if any(run.status == "finished" for run in own):
            unfinished.append("lbfgs" if problem.minimizer else "Stochastic Optimizer")
    if unfinished:
        warnings.warn(
            f"{unfinished[0]}: Maximum iterations reached and the optimization hasn't "
            f"converged yet in {len(unfinished):,} of {len(waiting):,} fits.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _prepared(estimator: Any, X: Any, y: Any) -> tuple[BaseFastGD | None, Any, Any]:
    """Return an estimator's network and its training samples, after fitting all other steps."""
    if isinstance(estimator, BaseFastGD):
        return estimator, X, y
    if not _has_network(estimator):
        return None, X, y
    if isinstance(estimator, Pipeline):
        before = estimator[:-1]
        if before.steps:
            X = before.fit_transform(X, y)
            estimator.steps[:-1] = before.steps
        return _prepared(estimator.steps[-1][1], X, y)
    inner, estimator.regressor = estimator.regressor, _Listener()
    try:
        heard = estimator.fit(X, y).regressor_
    finally:
        estimator.regressor = inner
    estimator.regressor_ = clone(inner)
    return _prepared(estimator.regressor_, heard.X, heard.y)


def _has_network(estimator: Any) -> bool:
    """Whether the last step of an estimator is a network of fastgd."""
    if isinstance(estimator, Pipeline):
        return _has_network(estimator.steps[-1][1])
    if isinstance(estimator, TransformedTargetRegressor):
        return _has_network(estimator.regressor)
    return isinstance(estimator, BaseFastGD)


class _Listener(DummyRegressor):
    """A regressor that records what it is fitted to."""

    def fit(self, X: Any, y: Any) -> Self:
        self.X, self.y = X, y
        return cast(Self, super().fit(X, y))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Prefix an error with the name of the fit that raised it."""
    try:
        yield
    except Exception as error:
        try:
            named = type(error)(f"{name}: {error}")
        except Exception:  # an error class with other arguments
            raise error from None
        raise named from error

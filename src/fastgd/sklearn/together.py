"""Many fits at once: what comes before the networks one by one, then all networks together."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from fastgd.sklearn.base import Network
from fastgd.sklearn.crowd import train_all


class Fit(NamedTuple):
    """One fit: an estimator that is fitted in place, its rows, and what a message calls them."""

    estimator: Any
    X: Any
    y: Any
    name: str


def fit_all(fits: Sequence[Fit]) -> None:
    """Fit them, each as it would be by itself.

    Networks of ours are trained together, be it at the end of a pipeline, whose other steps are
    fitted first. Other estimators are fitted one after the other.

    Raises
    ------
    Exception
        What a fit raises, with its name in front.
    """
    waiting = []
    for fit in fits:
        with _named(fit.name):
            last, X = _last_step(fit)
            if isinstance(last, Network):
                waiting.append((fit, last, last._problem(X, fit.y)))
            else:
                last.fit(X, fit.y)
    if not waiting:
        return
    runs = train_all([problem for *_, problem in waiting], threads=waiting[0][1].threads)
    for (fit, network, problem), own in zip(waiting, runs, strict=True):
        with _named(fit.name):
            network._adopt(problem, own)
    count = sum(any(run.status == "finished" for run in own) for own in runs)
    if count:
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations reached and the optimization hasn't "
            f"converged yet in {count:,} of {len(runs):,} fits.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _last_step(fit: Fit) -> tuple[Any, Any]:
    """The estimator at the end of a pipeline, with what the steps before make of X."""
    estimator = fit.estimator
    if not isinstance(estimator, Pipeline) or not isinstance(estimator.steps[-1][1], Network):
        return estimator, fit.X
    X, before = fit.X, estimator[:-1]
    if before.steps:
        X = before.fit_transform(X, fit.y)
        estimator.steps[:-1] = before.steps
    return estimator.steps[-1][1], X


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say whose fit has failed."""
    try:
        yield
    except Exception as error:
        try:
            named = type(error)(f"{name}: {error}")
        except Exception:  # an error that takes other arguments
            raise error from None
        raise named from error

"""Our own calls for the works of the comparison."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

import fastgd
from workload import Result, Work


def prepare(work: Work, threads: int) -> Callable[[], fastgd.Run | fastgd.Sweep]:
    """Return a call of ``train`` for one run, of ``sweep`` for more."""
    given: dict[str, Any] = {
        "hidden_size": work.hidden_size,
        "iterations": work.iterations,
        "record_every": work.record_every,
        **work.options,
    }
    X, y, alphas, seeds = work.X, work.y, work.alphas, work.seeds
    if work.runs == 1:
        if "threads" in signature(fastgd.train).parameters:  # not in older trees
            given["threads"] = threads
        return lambda: fastgd.train(X, y, alpha=alphas[0], seed=seeds[0], **given)
    axis = np.array(alphas)
    return lambda: fastgd.sweep(X, y, alpha=axis, seed=seeds, threads=threads, **given)


def reference(work: Work) -> Callable[[], Result]:
    """Return a call of ``fastgd.reference.train``, once for each run."""

    def call() -> Result:
        return _result(
            [
                fastgd.reference.train(
                    work.X,
                    work.y,
                    hidden_size=work.hidden_size,
                    alpha=alpha,
                    seed=seed,
                    iterations=work.iterations,
                    record_every=work.record_every,
                    **work.options,
                )
                for alpha in work.alphas
                for seed in work.seeds
            ]
        )

    return call


def result(trained: fastgd.Run | fastgd.Sweep) -> Result:
    """Everything of a training or a sweep as arrays, to check them."""
    return _result([trained] if isinstance(trained, fastgd.Run) else list(trained))


def _result(runs: list[fastgd.Run]) -> Result:
    weights, changes = (
        tuple(np.array(layer) for layer in zip(*part, strict=True))
        for part in (
            [run.weights for run in runs],
            [run.direction_changes for run in runs],
        )
    )
    return Result(np.array([run.errors for run in runs]), weights, changes)

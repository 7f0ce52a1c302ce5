"""Training the problems of one fit or of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastgd.arguments.data import Parts
from fastgd.engine.initialization import first_rows
from fastgd.engine.network import unflatten
from fastgd.sklearn.problems import Problem
from fastgd.training.objective import objective
from fastgd.training.results import Run
from fastgd.training.sweep import sweep
from fastgd.training.train import train


def train_all(
    problems: Sequence[Problem], *, threads: int | None = None, keep_state: bool = False
) -> list[list[Run]]:
    """Runs of each problem, one for each of its seeds.

    ``keep_state`` is whether they shall be able to go on.
    """
    return [_train(problem, threads, keep_state) for problem in problems]


def _train(problem: Problem, threads: int | None, keep_state: bool) -> list[Run]:
    if problem.minimizer is not None:
        return [minimized(problem, member) for member in range(len(problem.seeds))]
    X, y, weight = problem.learned
    given = problem.settings | {"sample_weight": weight, "validation": problem.held_out}
    if problem.start:
        given.pop("init", None)
        return [
            train(X, y, weights=run, seed=seed, **given)
            for run, seed in zip(problem.start, problem.seeds, strict=True)
        ]
    found = sweep(X, y, seed=problem.seeds, threads=threads, keep_state=keep_state, **given)
    return list(found)


def minimized(problem: Problem, member: int) -> Run:
    """The network of one member where L-BFGS-B leaves it."""
    import scipy.optimize

    assert problem.minimizer is not None
    X, y, weight = problem.learned
    options: dict[str, Any] = problem.settings | {"sample_weight": weight}
    init = options.pop("init")
    f = objective(X, y, **options)
    if problem.start:
        run = problem.start[member]
        start = f.network.row(Parts(run.weights, run.biases))
    else:
        drawn = first_rows(init, f.network.sizes, [problem.seeds[member]])[0]
        start = f.row(unflatten(drawn, f.network.sizes))
    found = scipy.optimize.minimize(
        f, start, jac=True, method="L-BFGS-B", options=problem.minimizer
    )
    return replace(
        f.run(found.x),
        seed=problem.seeds[member],
        status="converged" if found.success else "finished",
        iterations=int(found.nit),
        minimizer={"method": "L-BFGS-B"},
    )

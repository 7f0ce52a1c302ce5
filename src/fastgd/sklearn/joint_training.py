"""Joint training of the networks of one fit, or of many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from fastgd.arguments.data import NetworkParts
from fastgd.engine.initialization import first_rows
from fastgd.engine.network import unflatten
from fastgd.sklearn.batches import ProblemBatch, batches_of
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.training.objective import objective
from fastgd.training.results import Run
from fastgd.training.train import train

Outcome = list[Run] | Exception


class JointTraining:
    """Fits that are trained together, and may be resumed together.

    Fits that train in epochs are grouped into as few sweeps as possible; each run is bit-identical
    to one trained alone. Fits with L-BFGS-B, or that start from trained networks, are trained one
    by one.

    Parameters
    ----------
    problems : sequence of FitSpec
    threads : int, optional
        As in :func:`fastgd.sweep`.
    keep_state : bool
        Whether runs keep their state, so that they can be resumed.
    """

    def __init__(
        self,
        problems: Sequence[FitSpec],
        *,
        threads: int | None = None,
        keep_state: bool = False,
    ) -> None:
        self.problems = problems
        self.threads = threads
        self.keep_state = keep_state
        together = {number: one for number, one in enumerate(problems) if not _is_alone(one)}
        self.batches = batches_of(together)
        self.outcomes: dict[int, Outcome] = {}

    def train(self, epochs: int | None = None) -> dict[int, Outcome]:
        """Return the runs of each fit, or the error that it raised.

        Parameters
        ----------
        epochs : int, optional
            The most epochs; by default as many as each fit asks for.
        """
        for number, problem in enumerate(self.problems):
            if _is_alone(problem):
                try:
                    self.outcomes[number] = _train_alone(problem)
                except Exception as error:
                    self.outcomes[number] = error
        batches, self.batches = self.batches, []
        for batch in batches:
            self._train(batch, epochs)
        return self.outcomes

    def resume(self, keep: Collection[int], epochs: int) -> dict[int, Outcome]:
        """Resume these fits for ``epochs`` more epochs.

        Returns
        -------
        dict
            The runs of each fit, as if they had never been interrupted.
        """
        self.outcomes = {n: found for n, found in self.outcomes.items() if n in keep}
        self.batches = [batch for batch in self.batches if batch.has_any(keep)]
        for batch in self.batches:
            updates = batch.tables[0].settings["record_every"]
            batch.resume(keep, epochs * updates, threads=self.threads)
            self.outcomes |= dict(batch.runs())
        return self.outcomes

    def _train(self, batch: ProblemBatch, epochs: int | None) -> None:
        """Train a batch; if that raises, train each of its fits separately."""
        iterations = epochs and epochs * batch.tables[0].settings["record_every"]
        try:
            batch.train(threads=self.threads, keep_state=self.keep_state, iterations=iterations)
        except Exception as error:
            numbers = [member.number for member in batch.members]
            if len(numbers) == 1:
                self.outcomes[numbers[0]] = error
                return
            for number in numbers:
                (alone,) = batches_of({number: self.problems[number]})
                self._train(alone, epochs)
            return
        self.batches.append(batch)
        self.outcomes |= dict(batch.runs())


def train_all(
    problems: Sequence[FitSpec], *, threads: int | None = None, keep_state: bool = False
) -> list[list[Run]]:
    """Return the runs of each fit, one per seed, each bit-identical to one trained alone.

    Parameters
    ----------
    problems : sequence of FitSpec
    threads : int, optional
        As in :func:`fastgd.sweep`.
    keep_state : bool
        Whether runs keep their state, so that they can be resumed.

    Raises
    ------
    Exception
        The error of the first fit that failed.
    """
    outcomes = JointTraining(problems, threads=threads, keep_state=keep_state).train()
    return [runs_of(outcomes[number]) for number in range(len(problems))]


def runs_of(outcome: Outcome) -> list[Run]:
    """Return the runs of a fit, or raise its error."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _is_alone(problem: FitSpec) -> bool:
    """Whether a fit can't be part of a sweep."""
    return problem.minimizer is not None or bool(problem.start)


def _train_alone(problem: FitSpec) -> list[Run]:
    if problem.minimizer is not None:
        return [minimized(problem, member) for member in range(len(problem.seeds))]
    X, y, weight = problem.learned
    given = problem.settings | {"sample_weight": weight, "validation": problem.validation}
    given.pop("init", None)
    return [
        train(X, y, weights=run, seed=seed, **given)
        for run, seed in zip(problem.start, problem.seeds, strict=True)
    ]


def minimized(problem: FitSpec, member: int) -> Run:
    """Return one member's network, minimized by L-BFGS-B."""
    import scipy.optimize

    assert problem.minimizer is not None
    X, y, weight = problem.learned
    options: dict[str, Any] = problem.settings | {"sample_weight": weight}
    init = options.pop("init")
    f = objective(X, y, **options)
    if problem.start:
        run = problem.start[member]
        start = f.network.row(NetworkParts(run.weights, run.biases))
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

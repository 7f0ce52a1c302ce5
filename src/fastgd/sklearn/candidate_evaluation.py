"""Evaluation of candidates on folds: trained jointly, then scored as scikit-learn does."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from time import perf_counter
from typing import Any

from sklearn.model_selection._validation import _fit_and_score

from fastgd.sklearn.deferred_fits import Waiting, network_of, waiting_fits
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.sklearn.joint_training import JointTraining, Outcome

MOST_BYTES = 2**29
"""Memory of networks that are trained and not yet scored, and of their tables, about."""

Scores = list[dict[str, Any]]


class CandidateEvaluation:
    """The scores of candidates on all folds.

    Parameters
    ----------
    estimator : estimator
        One of fastgd's estimators, or a pipeline that ends in one.
    samples : (X, y)
    folds : sequence of (train, test)
    candidates : sequence of dict
    fit_params : dict
    **scoring
        Further arguments of scikit-learn's ``_fit_and_score``.

    Attributes
    ----------
    scores : list of dict
        The results of ``_fit_and_score`` so far: candidate by candidate, fold by fold.
    """

    def __init__(
        self,
        estimator: Any,
        samples: tuple[Any, Any],
        folds: Sequence[tuple[Any, Any]],
        candidates: Sequence[Mapping[str, Any]],
        fit_params: Mapping[str, Any],
        **scoring: Any,
    ) -> None:
        self.samples, self.folds, self.candidates = samples, folds, candidates
        self.fits = waiting_fits(estimator, *samples, candidates, folds, fit_params)
        self.scoring = scoring | {"fit_params": fit_params}
        self.scores: Scores = []

    def run(self) -> Scores:
        """Train and score all candidates, as many at a time as fit into memory."""
        for fits in _portions(self.fits):
            began = perf_counter()
            outcomes = _joint_training_of(fits).train()
            self.score(fits, outcomes, perf_counter() - began)
        return self.scores

    def score(
        self,
        fits: Sequence[Waiting],
        outcomes: Mapping[int, Outcome],
        seconds: float,
        *,
        is_last: bool = True,
    ) -> Scores:
        """Score fits that were trained together in ``seconds`` seconds."""
        found = []
        for fit in fits:
            train, test = self.folds[fit.fold]
            outcome = None if fit.number is None else outcomes[fit.number]
            one = _fit_and_score(
                fit.finish(outcome, is_last=is_last),
                *self.samples,
                train=train,
                test=test,
                parameters=self.candidates[fit.candidate],
                split_progress=(fit.fold, len(self.folds)),
                candidate_progress=(fit.candidate, len(self.candidates)),
                return_n_test_samples=True,
                return_times=True,
                **self.scoring,
            )
            one["fit_time"] += fit.seconds + seconds / len(fits)
            found.append(one)
        self.scores += found
        return found


class Halving:
    """Successive halving: rungs with more and more epochs for fewer and fewer candidates."""

    def __init__(self, evaluation: CandidateEvaluation, factor: int) -> None:
        self.evaluation = evaluation
        self.fits = list(evaluation.fits)
        problems = [fit.problem for fit in self.fits if fit.problem is not None]
        if any(network_of(fit.estimator) is None for fit in self.fits):
            raise ValueError("all candidates must end in an estimator of fastgd with halving")
        if any(problem.minimizer is not None for problem in problems):
            raise ValueError("solver must train in epochs with halving, got 'lbfgs'")
        epochs = {one.settings["iterations"] // one.settings["record_every"] for one in problems}
        if len(epochs) > 1:
            raise ValueError(
                "max_iter must be the same in all candidates with halving, got "
                + ", ".join(map(str, sorted(epochs)))
            )
        most: int = max(epochs, default=1)
        last = min(_power(len(evaluation.candidates), factor), _power(most, factor))
        self.epochs = [most // factor**power for power in range(last, -1, -1)]
        self.done = 0
        self.training = _joint_training_of(self.fits, keep_state=True)

    def climb(self, going: Sequence[int], epochs: int) -> Scores:
        """Train these candidates up to ``epochs`` epochs in all, and score them in this order."""
        began = perf_counter()
        by_candidate: dict[int, list[Waiting]] = {number: [] for number in going}
        for fit in self.fits:
            if fit.candidate in by_candidate:
                by_candidate[fit.candidate].append(fit)
        self.fits = [fit for fits in by_candidate.values() for fit in fits]
        if not self.done:
            outcomes = self.training.train(epochs)
        else:
            keep = {fit.number for fit in self.fits if fit.number is not None}
            outcomes = self.training.resume(keep, epochs - self.done)
        self.done = epochs
        seconds = perf_counter() - began
        is_last = epochs == self.epochs[-1]
        return self.evaluation.score(self.fits, outcomes, seconds, is_last=is_last)


def _power(count: int, factor: int) -> int:
    """How many times a count can be divided by the factor before it is 0."""
    power = 0
    while count >= factor:
        count //= factor
        power += 1
    return power


def _portions(fits: Iterator[Waiting]) -> Iterator[list[Waiting]]:
    """Yield lists of fits, each of a size that fits into memory."""
    portion: list[Waiting] = []
    size = 0
    arrays: set[int] = set()
    for fit in fits:
        portion.append(fit)
        if fit.problem is not None:
            one = fit.problem
            table = (one.X, one.y, one.sample_weight, one.held)
            own = {id(array): array.nbytes for array in table if array is not None}
            size += _bytes_of(one) + sum(own[new] for new in own.keys() - arrays)
            arrays |= own.keys()
        if size > MOST_BYTES:
            yield portion
            portion, size, arrays = [], 0, set()
    if portion:
        yield portion


def _joint_training_of(fits: Sequence[Waiting], *, keep_state: bool = False) -> JointTraining:
    """Return a joint training of these fits, and tell each fit its index in it."""
    problems: list[FitSpec] = []
    threads, shuffle_seed = None, None
    for fit in fits:
        network = network_of(fit.estimator)
        if fit.problem is None or network is None:
            continue
        threads = threads or network.threads
        if network.random_state is None and "shuffle_seed" in fit.problem.settings:
            # Any seed will do; with the same one these fits can be trained together.
            shuffle_seed = shuffle_seed or fit.problem.settings["shuffle_seed"]
            fit.problem.settings["shuffle_seed"] = shuffle_seed
        fit.number = len(problems)
        problems.append(fit.problem)
    if any(problem.minimizer is not None for problem in problems):
        warnings.warn(
            "solver='lbfgs' can't be trained jointly: its fits are trained one after the other, "
            "as by GridSearchCV",
            UserWarning,
            stacklevel=5,
        )
    return JointTraining(problems, threads=threads, keep_state=keep_state)


def _bytes_of(problem: FitSpec) -> int:
    """Estimate the memory of a fit's runs: weights, sign changes of gradients, recorded errors."""
    layers = (problem.X.shape[1], *problem.settings["hidden_size"], problem.y.shape[1])
    parameters: int = sum((a + 1) * b for a, b in pairwise(layers))
    epochs: int = problem.settings.get("iterations", 0) // problem.settings.get("record_every", 1)
    return len(problem.seeds) * (16 * parameters + 24 * epochs)

"""The fits of a search's candidates on its folds, trained jointly and handed to scikit-learn."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import clone

from fastgd.checks.messages import warn
from fastgd.engine.devices import CPU, DeviceError
from fastgd.sklearn.candidate_fits import Alike, Candidate, Fit, Fold
from fastgd.sklearn.deferred_fits import DeferredFits, network_of, path_of
from fastgd.sklearn.estimator_parameters import check_on_cpu
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.sklearn.joint_training import JointTraining, Outcome, key_of
from fastgd.sklearn.standard_steps import cloner

MOST_BYTES = 2**29
"""Memory of networks that are trained and not yet scored, and of their tables, about."""


class CandidateFits:
    """The fits of candidates on all folds, which scikit-learn's search gets as its clones.

    The search clones its estimator once at first, then for each fit (candidate by candidate, fold
    by fold), and for the refit. It gets ``template``, the fits in ``clones``, and a plain clone.
    ``device`` is where they are trained, by default where the first network says.
    ``seconds`` is the time of each fit: that of its own steps, and a share of the joint training.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        folds: Sequence[tuple[Any, Any]],
        params: Mapping[str, Any],
        device: str | None = None,
    ) -> None:
        self.estimator = estimator
        self._device = device
        self.splitter = SimpleNamespace(split=lambda *_, **__: folds)
        self.seconds: list[float] = []
        self.template = clone(estimator)
        self.template.__sklearn_clone__ = self._next_clone
        self.clones: Iterator[Any] = iter([self.template])
        self._deferred = DeferredFits(X, y, params)
        every = np.arange(X.shape[0] if hasattr(X, "shape") else len(X))
        alike: dict[Hashable, Alike] = {}
        self._folds = [Fold(every[train], alike) for train, _ in folds]

    def _next_clone(self) -> Any:
        for one in self.clones:
            return one
        return clone(self.estimator)

    def trained(self, candidates: Sequence[Mapping[str, Any]]) -> Iterator[Fit]:
        """Yield the fits of all candidates, trained as many at a time as fit into memory."""
        for fits in _portions(self._begun(candidates)):
            began = perf_counter()
            outcomes = _joint_training_of(fits, self._device).train()
            yield from self._finished(fits, outcomes, perf_counter() - began)

    def _begun(self, candidates: Sequence[Mapping[str, Any]]) -> Iterator[Fit]:
        """Yield the fits of all candidates; an error is raised when the search fits the clone."""
        clone_of, tags = cloner(self.estimator), dict[Hashable, Any]()
        for parameters in candidates:
            own = clone_of().set_params(**clone(dict(parameters), safe=False))
            candidate = Candidate(own, _preprocessing(own, parameters), tags)
            for fold in self._folds:
                yield self._begin(Fit(candidate, fold))

    def _begin(self, fit: Fit) -> Fit:
        """Specify a fit, or fit an estimator without a network."""
        began, candidate = perf_counter(), fit.candidate
        try:
            if network_of(candidate.estimator) is None:
                fit.steps = clone(candidate.estimator)
                self._deferred.begin(fit.steps, fit.fold.rows)
            else:
                network, problem, fit.steps = self._deferred.share(
                    candidate.estimator, fit.fold.rows, candidate.preprocessing
                )
                if problem.minimizer is not None:
                    check_on_cpu(self._device, "with solver='lbfgs'")
                fit.begun = network, problem
        except DeviceError:
            raise  # not a fault of this candidate
        except Exception as error:
            fit.outcome = error
        fit.seconds = perf_counter() - began
        return fit

    def _finished(
        self,
        fits: Sequence[Fit],
        outcomes: Mapping[int, Outcome],
        seconds: float,
        *,
        is_last: bool = True,
    ) -> Iterator[Fit]:
        """Yield fits that were trained together in ``seconds`` seconds."""
        for fit in fits:
            if fit.number is not None:
                fit.outcome = outcomes[fit.number]
            self.seconds.append(fit.seconds + seconds / len(fits))
            fit.is_last = is_last
            yield fit
            fit.forget()

    def rungs(self, candidates: Sequence[Mapping[str, Any]], factor: int) -> list[int]:
        """Begin successive halving, and return the epochs of each rung."""
        self._fits = list(self._begun(candidates))
        problems = [fit.begun[1] for fit in self._fits if fit.begun is not None]
        if any(network_of(fit.candidate.estimator) is None for fit in self._fits):
            raise ValueError("all candidates must end in an estimator of fastgd with halving")
        if any(problem.minimizer is not None for problem in problems):
            raise ValueError("solver must train in epochs with halving, got 'lbfgs'")
        if any(problem.adaptive is not None for problem in problems):
            raise ValueError("learning_rate must not depend on losses with halving, got 'adaptive'")
        epochs = {one.settings["iterations"] // one.settings["record_every"] for one in problems}
        if len(epochs) > 1:
            raise ValueError(
                "max_iter must be the same in all candidates with halving, got "
                + ", ".join(map(str, sorted(epochs)))
            )
        self._training = _joint_training_of(self._fits, self._device, keep_state=True)
        self._done, self._most = 0, max(epochs, default=1)
        rungs, count = [self._most], min(len(candidates), self._most)
        while count >= factor:
            count //= factor
            rungs.append(self._most // factor ** len(rungs))
        return rungs[::-1]

    def climb(self, going: Sequence[int], epochs: int) -> Iterator[Fit]:
        """Return the fits of these candidates, trained up to ``epochs`` epochs in all."""
        began = perf_counter()
        folds = len(self._folds)
        fits = [self._fits[number * folds + k] for number in going for k in range(folds)]
        if not self._done:
            outcomes = self._training.train(epochs)
        else:
            keep = {fit.number for fit in fits if fit.number is not None}
            outcomes = self._training.resume(keep, epochs - self._done)
        self._done = epochs
        seconds = perf_counter() - began
        return self._finished(fits, outcomes, seconds, is_last=epochs == self._most)


def _preprocessing(estimator: Any, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return the parameters of a candidate's own steps before the network; None if unknown."""
    path = path_of(estimator)
    if path is None:
        return None
    network = "__".join(path)
    return path, *(
        (name, key_of(value))
        for name, value in sorted(parameters.items())
        if path and name != network and not name.startswith(f"{network}__")
    )


def _portions(fits: Iterable[Fit]) -> Iterator[list[Fit]]:
    """Yield lists of fits, each of a size that fits into memory."""
    portion: list[Fit] = []
    size = 0
    arrays: set[int] = set()
    for fit in fits:
        portion.append(fit)
        if fit.begun is not None:
            problem = fit.begun[1]
            own = {id(array): array.nbytes for array in problem.table if array is not None}
            size += _bytes_of(problem) + sum(own[new] for new in own.keys() - arrays)
            arrays |= own.keys()
        if size > MOST_BYTES:
            yield portion
            portion, size, arrays = [], 0, set()
    if portion:
        yield portion


def _joint_training_of(
    fits: Sequence[Fit], device: str | None, *, keep_state: bool = False
) -> JointTraining:
    """Return a joint training of these fits, and tell each fit its index in it."""
    problems: list[FitSpec] = []
    threads, shuffle_seed = None, None
    for fit in fits:
        if fit.begun is None:
            continue
        network, problem = fit.begun
        threads = threads or network.threads
        device = device or network.device
        if network.random_state is None and "shuffle_seed" in problem.settings:
            # Any seed will do; with the same one these fits can be trained together.
            shuffle_seed = shuffle_seed or problem.settings["shuffle_seed"]
            problem.settings["shuffle_seed"] = shuffle_seed
        fit.number = len(problems)
        problems.append(problem)
    for what, is_there in (
        ("solver='lbfgs'", any(problem.minimizer is not None for problem in problems)),
        ("learning_rate='adaptive'", any(problem.adaptive is not None for problem in problems)),
    ):
        if is_there:
            warn(
                f"{what} can't be trained jointly: its fits are trained one after the other, as by "
                "GridSearchCV",
                UserWarning,
            )
    how = {"threads": threads, "device": device or CPU}
    return JointTraining(problems, how, keep_state=keep_state)


def _bytes_of(problem: FitSpec) -> int:
    """Estimate the memory of a fit's runs: weights, sign changes of gradients, recorded errors."""
    X, y, _ = problem.table
    layers = (X.shape[1], *problem.settings["hidden_size"], y.shape[1])
    parameters: int = sum((a + 1) * b for a, b in pairwise(layers))
    epochs: int = problem.settings.get("iterations", 0) // problem.settings.get("record_every", 1)
    return len(problem.seeds) * (16 * parameters + 24 * epochs)

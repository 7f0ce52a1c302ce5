"""The fits of a search's candidates on its folds, trained jointly and handed to scikit-learn."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import validate_data

from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import warn
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import CPU, DeviceError
from fastgd.sklearn.base import BaseFastGD, mean_outputs
from fastgd.sklearn.deferred_fits import DeferredFits, SearchCandidate
from fastgd.sklearn.estimator_parameters import check_on_cpu
from fastgd.sklearn.estimators import FastGDClassifier, FastGDRegressor
from fastgd.sklearn.fit_spec import ARGUMENTS, FitSpec
from fastgd.sklearn.joint_training import JointTraining, RunsOrError, SweptRuns, key_of, runs_of
from fastgd.sklearn.search_scores import Classes, Truth, score_of
from fastgd.sklearn.standard_steps import SKIPPED, cloner
from fastgd.training.run import all_outputs

MOST_BYTES = 2**29
"""Memory of networks that are trained and not yet scored, and of their tables, about."""


class Alike:
    """Owner of networks that are alike: their forward pass is prepared once, for one at a time.

    It takes 0.011 ms (wine); one call for all 16 of a fold takes 0.42, and is compiled first.
    """


@dataclass(eq=False)
class Fold:
    """The training rows of a fold, and what the scores of all its fits share."""

    rows: Integers
    alike: dict[Hashable, Alike]  # of all folds
    truths: dict[str, Truth] = field(default_factory=dict)
    inputs: dict[Hashable, FloatArray | None] = field(default_factory=dict)


@dataclass(eq=False)
class SearchFit:
    """The fit of one candidate on one fold; to scikit-learn it is the estimator that is fitted.

    Its ``fit`` only adopts the trained runs, or raises the error. scikit-learn's loop around it,
    0.2 ms a fit, takes a quarter of a search of wine; ours needs four more of its private names.
    """

    candidate: SearchCandidate
    fold: Fold
    network: BaseFastGD | None = None  # a copy of the candidate's, which is trained
    spec: FitSpec | None = None  # None without a network, or after an error
    steps: Any = None  # an estimator whose fitted steps are those of this fit
    number: int | None = None  # its index in the joint training
    outcome: RunsOrError = ()
    is_last: bool = True  # whether training is over, so that a convergence warning may be due
    seconds: float = 0.0
    is_tested: bool = False  # whether the test set has been scored
    known_estimator: Any = None

    def set_params(self, **_params: Any) -> SearchFit:
        """They are set already."""
        return self

    def fit(self, *_args: Any, **_params: Any) -> SearchFit:
        """Adopt the trained runs."""
        self.forget()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        network, spec = self.network, self.spec
        if network is not None and spec is not None:
            network.__dict__.pop("members_", None)  # of a shorter training
            if isinstance(self.outcome, SweptRuns) and not network.verbose:
                statuses = self.outcome.statuses
                if "diverged" not in statuses:
                    network.out_activation_ = spec.settings["output"]
                    if self.is_last:
                        network._warn_of_end(spec, statuses, stacklevel=3)
                    return self
            finish = network._finish if self.is_last else network._adopt
            finish(spec, runs_of(self.outcome))
        return self

    def __sklearn_tags__(self) -> Any:
        return self.candidate.tags

    def forget(self) -> None:
        """Drop what was kept for the scores."""
        self.is_tested, self.known_estimator = False, None

    @property
    def estimator(self) -> Any:
        """The fitted estimator, the same one for all scores."""
        fitted, spec = self.network, self.spec
        if fitted is None or spec is None:
            return self.steps
        if self.known_estimator is None:
            if not hasattr(fitted, "members_"):
                fitted._adopt(spec, runs_of(self.outcome))
            known = own = clone(self.candidate.estimator)
            theirs = self.steps  # its fitted steps become those of the clone
            while not isinstance(own, BaseFastGD):
                if isinstance(own, Pipeline):
                    own.steps[:-1] = theirs.steps[:-1]
                    own, theirs = own.steps[-1][1], theirs.steps[-1][1]
                    continue
                assert isinstance(own, TransformedTargetRegressor)
                given = own.get_params(deep=False)
                found = {name: value for name, value in vars(theirs).items() if name not in given}
                own.__dict__.update(found, regressor_=clone(own.regressor))
                own, theirs = own.regressor_, theirs.regressor_
            own.__dict__.update(vars(fitted))
            self.known_estimator = known
        return self.known_estimator

    def scores(self, names: Mapping[str, str | None], X: Any, y: Any) -> dict[str, float]:
        """The scores of these rows that are known here, by what scikit-learn calls them.

        ``names`` are the scorers' own names: "" of the estimator's own score, None of others.
        """
        # scikit-learn asks about the test set, and then about the training set.
        which = "train" if self.is_tested else "test"
        self.is_tested = True
        asked = {key: name for key, name in names.items() if name is not None}
        network = self.network
        if not asked or type(network) not in (FastGDClassifier, FastGDRegressor):
            return {}
        try:
            inputs = self._inputs(which, X)
            outputs = None if inputs is None else self._outputs(inputs)
        except Exception:  # the fitted estimator raises it again
            return {}
        if outputs is None:
            return {}
        found: Classes | FloatArray
        if isinstance(network, FastGDRegressor):
            found = network._predict(outputs)
        else:
            assert isinstance(network, FastGDClassifier)
            if network._is_multilabel:
                return {}
            probabilities = network._predict_proba(outputs)
            labels = network._most_probable(probabilities)
            found = Classes(network.classes_, probabilities, labels)
        truth = self.fold.truths.setdefault(which, Truth(y))
        scores = {key: score_of(name, truth, found) for key, name in asked.items()}
        return {key: value for key, value in scores.items() if value is not None}

    def _inputs(self, which: str, X: Any) -> FloatArray | None:
        """What reaches the network of some rows, if all before it is steps of pipelines."""
        key = which, self.candidate.preprocessing
        if key not in self.fold.inputs:
            inner = self.steps
            while type(inner) is Pipeline:
                for _, step in inner.steps[:-1]:
                    X = X if step in SKIPPED else step.transform(X)
                inner = inner.steps[-1][1]
            inputs = None
            if not issparse(X) and (inner is None or isinstance(inner, BaseFastGD)):
                inputs = validate_data(self.network, X, dtype=np.float64, reset=False)
            self.fold.inputs[key] = inputs
        return self.fold.inputs[key]

    def _outputs(self, X: FloatArray) -> FloatArray:
        """The mean outputs of the network's members."""
        spec = self.spec
        assert spec is not None
        width = spec.table.y.shape[1]
        names = "hidden_size", "activation", "output", "loss", "batch_norm"
        functions = {
            name: value
            for name, value in spec.settings.items()
            if name in names or name not in ARGUMENTS
        }
        key = X.shape[1], width, key_of(functions)
        owner = self.fold.alike.setdefault(key, Alike())
        if isinstance(self.outcome, SweptRuns):
            return mean_outputs(self.outcome.outputs(owner, X)[:, :, :width])
        each = [all_outputs(owner, [run], X) for run in runs_of(self.outcome)]
        return mean_outputs(np.concatenate(each)[:, :, :width])


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
        self.splitter = SimpleNamespace(split=lambda *_, **__: folds)
        self.seconds: list[float] = []
        self.template = clone(estimator)
        self.template.__sklearn_clone__ = lambda: (  # no `or`: bool() of an unfitted ensemble fails
            clone(estimator) if (one := next(self.clones, None)) is None else one
        )
        self.clones: Iterator[Any] = iter([self.template])
        self._device, self._is_last = device, True
        self._deferred = DeferredFits(X, y, params)
        every = np.arange(X.shape[0] if hasattr(X, "shape") else len(X))
        alike: dict[Hashable, Alike] = {}
        self._folds = [Fold(every[train], alike) for train, _ in folds]

    def trained(self, candidates: Sequence[Mapping[str, Any]]) -> Iterator[SearchFit]:
        """Yield the fits of all candidates, trained as many at a time as fit into memory."""
        fits: list[SearchFit] = []
        size = 0
        arrays: set[int] = set()
        for fit in self._begun(candidates):
            fits.append(fit)
            if fit.spec is not None:
                # Weights, sign changes of gradients, recorded errors; and the tables.
                (X, y, _), settings = fit.spec.table, fit.spec.settings
                layers = (X.shape[1], *settings["hidden_size"], y.shape[1])
                parameters = sum((a + 1) * b for a, b in pairwise(layers))
                epochs = settings.get("iterations", 0) // settings.get("record_every", 1)
                size += len(fit.spec.seeds) * (16 * parameters + 24 * epochs)
                own = {id(one): one.nbytes for one in fit.spec.table if one is not None}
                size += sum(own[new] for new in own.keys() - arrays)
                arrays |= own.keys()
            if size > MOST_BYTES:
                yield from self._train(fits)
                fits, size, arrays = [], 0, set()
        yield from self._train(fits)

    def _begun(self, candidates: Sequence[Mapping[str, Any]]) -> Iterator[SearchFit]:
        """Specify the fits of all candidates, and fit estimators without a network.

        An error is raised when the search fits the clone.
        """
        clone_of = cloner(self.estimator)
        for parameters in candidates:
            own = clone_of().set_params(**clone(dict(parameters), safe=False))
            candidate = SearchCandidate(own, parameters)
            for fold in self._folds:
                began, fit = perf_counter(), SearchFit(candidate, fold)
                try:
                    if candidate.network is None:
                        fit.steps = clone(own)
                        self._deferred.begin(fit.steps, fold.rows)
                    else:
                        network, spec, fit.steps = self._deferred.share(candidate, fold.rows)
                        if spec.minimizer is not None:
                            check_on_cpu(self._device, "with solver='lbfgs'")
                        fit.network, fit.spec = network, spec
                except DeviceError:
                    raise  # not a fault of this candidate
                except Exception as error:
                    fit.outcome = error
                fit.seconds = perf_counter() - began
                yield fit

    def _train(self, fits: Sequence[SearchFit]) -> Iterator[SearchFit]:
        began = perf_counter()
        outcomes = self._joint_training_of(fits).train()
        return self._finished(fits, outcomes, perf_counter() - began)

    def _joint_training_of(
        self, fits: Sequence[SearchFit], *, keep_state: bool = False
    ) -> JointTraining:
        """Return a joint training of these fits, and tell each fit its index in it."""
        specs: list[FitSpec] = []
        threads, device, shuffle_seed = None, self._device, None
        for fit in fits:
            network, spec = fit.network, fit.spec
            if network is None or spec is None:
                continue
            threads = threads or network.threads
            device = device or network.device
            if network.random_state is None and "shuffle_seed" in spec.settings:
                # Any seed will do; with the same one these fits can be trained together.
                shuffle_seed = shuffle_seed or spec.settings["shuffle_seed"]
                spec.settings["shuffle_seed"] = shuffle_seed
            fit.number = len(specs)
            specs.append(spec)
        for what, is_there in (
            ("solver='lbfgs'", any(spec.minimizer is not None for spec in specs)),
            ("learning_rate='adaptive'", any(spec.adaptive is not None for spec in specs)),
        ):
            if is_there:
                warn(
                    f"{what} can't be trained jointly: its fits are trained one after the other, "
                    "as by GridSearchCV",
                    UserWarning,
                )
        how = {"threads": threads, "device": device or CPU}
        return JointTraining(specs, how, keep_state=keep_state)

    def _finished(
        self, fits: Sequence[SearchFit], outcomes: Mapping[int, RunsOrError], seconds: float
    ) -> Iterator[SearchFit]:
        """Yield fits that were trained together in ``seconds`` seconds."""
        for fit in fits:
            if fit.number is not None:
                fit.outcome = outcomes[fit.number]
            self.seconds.append(fit.seconds + seconds / len(fits))
            fit.is_last = self._is_last
            yield fit
            fit.forget()

    def rungs(self, candidates: Sequence[Mapping[str, Any]], factor: int) -> list[int]:
        """Begin successive halving, and return the epochs of each rung."""
        self._fits = list(self._begun(candidates))
        specs = [fit.spec for fit in self._fits if fit.spec is not None]
        if any(fit.candidate.network is None for fit in self._fits):
            raise ValueError("all candidates must end in an estimator of fastgd with halving")
        if any(spec.minimizer is not None for spec in specs):
            raise ValueError("solver must train in epochs with halving, got 'lbfgs'")
        if any(spec.adaptive is not None for spec in specs):
            raise ValueError("learning_rate must not depend on losses with halving, got 'adaptive'")
        epochs = {spec.epochs for spec in specs}
        if len(epochs) > 1:
            raise ValueError(
                "max_iter must be the same in all candidates with halving, got "
                + ", ".join(map(str, sorted(epochs)))
            )
        self._training = self._joint_training_of(self._fits, keep_state=True)
        self._done, self._most = 0, max(epochs, default=1)
        rungs, count = [self._most], min(len(candidates), self._most)
        while count >= factor:
            count //= factor
            rungs.append(self._most // factor ** len(rungs))
        return rungs[::-1]

    def climb(self, going: Sequence[int], epochs: int) -> Iterator[SearchFit]:
        """Return the fits of these candidates, trained up to ``epochs`` epochs in all."""
        began = perf_counter()
        folds = len(self._folds)
        fits = [self._fits[number * folds + k] for number in going for k in range(folds)]
        if not self._done:
            outcomes = self._training.train(epochs)
        else:
            keep = {fit.number for fit in fits if fit.number is not None}
            outcomes = self._training.resume(keep, epochs - self._done)
        self._done, self._is_last = epochs, epochs == self._most
        return self._finished(fits, outcomes, perf_counter() - began)

"""One fit of a search: what scikit-learn gets as the estimator that it fits, and scores."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from inspect import Signature, signature
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from fastgd.arguments.axes import kinds_of
from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray
from fastgd.sklearn.base import BaseFastGD, mean_outputs
from fastgd.sklearn.deferred_fits import share_steps
from fastgd.sklearn.estimators import FastGDClassifier, FastGDRegressor
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.sklearn.joint_training import Outcome, SweptRuns, key_of, runs_of
from fastgd.sklearn.search_scores import (
    OF_CLASSES,
    OF_NUMBERS,
    Classes,
    Truth,
    score_of_classes,
    score_of_numbers,
)
from fastgd.training.run import all_outputs


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
class Candidate:
    """An estimator with the parameters of a candidate, which is never fitted itself."""

    estimator: Any
    preprocessing: Hashable  # None without a network
    known_tags: dict[Hashable, Any]  # of all candidates

    @property
    def tags(self) -> Any:
        """scikit-learn asks in each fit for those that follow from the first step: 0.2 ms."""
        key = self.preprocessing
        if key is None:
            return get_tags(self.estimator)
        if key not in self.known_tags:
            self.known_tags[key] = get_tags(self.estimator)
        return self.known_tags[key]


@dataclass(eq=False)
class Fit:
    """The fit of one candidate on one fold; to scikit-learn it is the estimator that is fitted.

    Its ``fit`` only adopts the trained runs, or raises the error.
    """

    candidate: Candidate
    fold: Fold
    begun: tuple[BaseFastGD, FitSpec] | None = None  # None without a network, or after an error
    steps: Any = None  # an estimator whose fitted steps are those of this fit
    number: int | None = None  # its index in the joint training
    outcome: Outcome = ()
    is_last: bool = True  # whether training is over, so that a convergence warning may be due
    seconds: float = 0.0
    is_tested: bool = False  # whether the test set has been scored
    known_estimator: Any = None

    def set_params(self, **_params: Any) -> Fit:
        """They are set already."""
        return self

    def fit(self, *_args: Any, **_params: Any) -> Fit:
        """Adopt the trained runs."""
        self.forget()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.begun is not None:
            network, problem = self.begun
            network.__dict__.pop("members_", None)  # of a shorter training
            if isinstance(self.outcome, SweptRuns) and not network.verbose:
                statuses = self.outcome.statuses
                if "diverged" not in statuses:
                    network.out_activation_ = problem.settings["output"]
                    if self.is_last:
                        network._warn_of_end(problem, statuses, stacklevel=3)
                    return self
            finish = network._finish if self.is_last else network._adopt
            finish(problem, runs_of(self.outcome))
        return self

    def __sklearn_tags__(self) -> Any:
        return self.candidate.tags

    def forget(self) -> None:
        """Drop what was kept for the scores."""
        self.is_tested, self.known_estimator = False, None

    @property
    def estimator(self) -> Any:
        """The fitted estimator, the same one for all scores."""
        if self.begun is None:
            return self.steps
        if self.known_estimator is None:
            fitted, problem = self.begun
            if not hasattr(fitted, "members_"):
                fitted._adopt(problem, runs_of(self.outcome))
            own = clone(self.candidate.estimator)
            network = own if self.steps is None else share_steps(own, self.steps)
            network.__dict__.update(vars(fitted))
            self.known_estimator = own
        return self.known_estimator

    def scores(self, names: Mapping[str, str | None], X: Any, y: Any) -> dict[str, float]:
        """The scores of these rows that are known here, by what scikit-learn calls them.

        ``names`` are the scorers' own names: "" of the estimator's own score, None of others.
        """
        # scikit-learn asks about the test set, and then about the training set.
        which = "train" if self.is_tested else "test"
        self.is_tested = True
        asked = {key: name for key, name in names.items() if name is not None}
        score = self._score_of(which, X, y) if asked else None
        if score is None:
            return {}
        found = {key: score(name) for key, name in asked.items()}
        return {key: value for key, value in found.items() if value is not None}

    def _score_of(self, which: str, X: Any, y: Any) -> Callable[[str], float | None] | None:
        """Return a function that scores these rows by name; None if scikit-learn must be asked."""
        network = None if self.begun is None else self.begun[0]
        if type(network) not in (FastGDClassifier, FastGDRegressor):
            return None
        try:
            inputs = self._inputs(which, X)
            outputs = None if inputs is None else self._outputs(inputs)
        except Exception:  # the fitted estimator raises it again
            return None
        if outputs is None:
            return None
        truth = self.fold.truths.get(which)
        if truth is None:
            truth = self.fold.truths[which] = Truth(y)
        if isinstance(network, FastGDRegressor):
            numbers = network._predict(outputs)
            return lambda name: score_of_numbers(name or "r2", truth, numbers)
        assert isinstance(network, FastGDClassifier)
        if network._is_multilabel:
            return None
        probabilities = network._predict_proba(outputs)
        labels = network._most_probable(probabilities)
        found = Classes(network.classes_, probabilities, labels)
        return lambda name: score_of_classes(name or "accuracy", truth, found)

    def _inputs(self, which: str, X: Any) -> FloatArray | None:
        """What reaches the network of some rows, if all before it is steps of pipelines."""
        key = which, self.candidate.preprocessing
        if key not in self.fold.inputs:
            assert self.begun is not None
            network, inner = self.begun[0], self.steps
            while type(inner) is Pipeline:
                for _, step in inner.steps[:-1]:
                    X = X if step in (None, "passthrough") else step.transform(X)
                inner = inner.steps[-1][1]
            inputs = None
            if not issparse(X) and (inner is None or isinstance(inner, BaseFastGD)):
                inputs = validate_data(network, X, dtype=np.float64, reset=False)
            self.fold.inputs[key] = inputs
        return self.fold.inputs[key]

    def _outputs(self, X: FloatArray) -> FloatArray:
        """The mean outputs of the network's members."""
        assert self.begun is not None
        given, width = self.begun[1].settings, self.begun[1].table.y.shape[1]
        names = "hidden_size", "activation", "output", "loss", "batch_norm", *kinds_of(given)
        key = X.shape[1], width, key_of([given.get(name) for name in names])
        owner = self.fold.alike.setdefault(key, Alike())
        if isinstance(self.outcome, SweptRuns):
            return mean_outputs(self.outcome.outputs(owner, X)[:, :, :width])
        each = [all_outputs(owner, [run], X) for run in runs_of(self.outcome)]
        return mean_outputs(np.concatenate(each)[:, :, :width])


def fold_scorer(scorer: Any, scoring: Any) -> Any:
    """Return a scorer of scikit-learn as one of the fits of a search; ``scoring`` names it."""
    if not isinstance(scorer, _MultimetricScorer):
        return FoldScorer(scorer, _name_of(scoring))
    if callable(scoring):
        scoring = dict.fromkeys(scorer._scorers, scoring)
    elif not isinstance(scoring, Mapping):
        scoring = {name: name for name in scoring}
    return FoldScorers(scorer, {key: _name_of(one) for key, one in scoring.items()})


def _name_of(scoring: Any) -> str | None:
    """Return the name of a score that is known here, "" for the estimator's own, or None."""
    if scoring is None:
        return ""
    return scoring if scoring in (*OF_CLASSES, *OF_NUMBERS) else None


class FoldScorer:
    """A scorer of scikit-learn whose scores of all candidates on a fold share the fold's checks.

    ``name`` is its name, "" for the estimator's own score, or None if it is not known here.
    """

    def __init__(self, scorer: Any, name: str | None) -> None:
        self.scorer, self.names = scorer, {"score": name}

    def __call__(self, fit: Fit, X: Any, *y: Any, **params: Any) -> Any:
        """The score of a fitted candidate."""
        found = fit.scores(self.names, X, *y) if len(y) == 1 and not params else {}
        return found["score"] if found else self.scorer(fit.estimator, X, *y, **params)

    @property
    def __signature__(self) -> Signature:
        """The scorer's, which scikit-learn may ask for sample weights."""
        return signature(self.scorer)

    def __getattr__(self, name: str) -> Any:
        """All else is as in the scorer, such as what metadata it requests."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.scorer, name)

    def __repr__(self) -> str:
        """The scorer's, for messages."""
        return repr(self.scorer)


class FoldScorers(_MultimetricScorer):
    """Several of them. All whose names are not known here share an estimator's predictions."""

    def __init__(self, scorer: _MultimetricScorer, names: Mapping[str, str | None]) -> None:
        super().__init__(scorers=scorer._scorers, raise_exc=scorer._raise_exc)
        self.names = names

    def __call__(self, fit: Fit, X: Any, *y: Any, **params: Any) -> dict[str, Any]:
        """The scores of a fitted candidate."""
        found = fit.scores(self.names, X, *y) if len(y) == 1 and not params else {}
        others = {name: one for name, one in self._scorers.items() if name not in found}
        if others:
            ask = _MultimetricScorer(scorers=others, raise_exc=self._raise_exc)
            found |= ask(fit.estimator, X, *y, **params)
        return {name: found[name] for name in self._scorers}

"""One fit of a search: what scikit-learn gets as the estimator that it fits, and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from fastgd.arguments.data import FloatArray
from fastgd.arguments.formula_parameters import kinds_of
from fastgd.arguments.groups import Integers
from fastgd.sklearn.base import BaseFastGD, mean_outputs
from fastgd.sklearn.classifier import FastGDClassifier
from fastgd.sklearn.deferred_fits import share_steps
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.sklearn.joint_training import Outcome, SweptRuns, key_of, runs_of
from fastgd.sklearn.regressor import FastGDRegressor
from fastgd.sklearn.search_scores import Classes, Truth, score_of_classes, score_of_numbers
from fastgd.training.results import all_outputs


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
        key = self.preprocessing or id(self)
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
    asked: Counter[FoldScorer] = field(default_factory=Counter)

    def set_params(self, **_params: Any) -> Fit:
        """They are set already."""
        return self

    def fit(self, *_args: Any, **_params: Any) -> Fit:
        """Adopt the trained runs."""
        self.asked.clear()
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
                        network._warn_of_end(problem, statuses)
                    return self
            finish = network._finish if self.is_last else network._adopt
            finish(problem, runs_of(self.outcome))
        return self

    def __sklearn_tags__(self) -> Any:
        return self.candidate.tags

    @property
    def estimator(self) -> Any:
        """The fitted estimator."""
        if self.begun is None:
            return self.steps
        fitted, problem = self.begun
        if not hasattr(fitted, "members_"):
            fitted._adopt(problem, runs_of(self.outcome))
        own = clone(self.candidate.estimator)
        network = own if self.steps is None else share_steps(own, self.steps)
        network.__dict__.update(vars(fitted))
        return own

    def score(self, scorer: FoldScorer, X: Any, y: Any) -> float | None:
        """The score of this name, or None if scikit-learn must be asked."""
        # scikit-learn asks each scorer about the test set, and then about the training set.
        which = "train" if self.asked[scorer] else "test"
        self.asked[scorer] += 1
        if self.begun is None or scorer.name is None:
            return None
        network, _ = self.begun
        if type(network) not in (FastGDClassifier, FastGDRegressor):
            return None
        try:
            inputs = self._inputs(which, X)
            if inputs is None:
                return None
            outputs = self._outputs(inputs)
        except Exception:  # the fitted estimator raises it again
            return None
        truth = self.fold.truths.get(which)
        if truth is None:
            truth = self.fold.truths[which] = Truth(y)
        if isinstance(network, FastGDRegressor):
            return score_of_numbers(scorer.name or "r2", truth, network._predict(outputs))
        assert isinstance(network, FastGDClassifier)
        if network._is_multilabel:
            return None
        probabilities = network._predict_proba(outputs)
        labels = network._most_probable(probabilities)
        found = Classes(network.classes_, probabilities, labels)
        return score_of_classes(scorer.name or "accuracy", truth, found)

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


class FoldScorer:
    """A scorer of scikit-learn whose scores of all candidates on a fold share the fold's checks.

    ``name`` is its name, "" for the estimator's own score, or None if it is not known here.
    """

    def __init__(self, scorer: Any, name: str | None) -> None:
        self.scorer, self.name = scorer, name
        self.__signature__ = signature(scorer)

    def __call__(self, fit: Fit, X: Any, *y: Any, **params: Any) -> Any:
        """The score of a fitted candidate."""
        found = fit.score(self, X, *y) if len(y) == 1 and not params else None
        return self.scorer(fit.estimator, X, *y, **params) if found is None else found

    def __getattr__(self, name: str) -> Any:
        """All else is as in the scorer, such as what metadata it requests."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.scorer, name)

    def __repr__(self) -> str:
        """The scorer's, for messages."""
        return repr(self.scorer)

"""SweepSearchCV: a hyperparameter search that runs as one sweep."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, Self

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _check_method_params,
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import indexable

from fastgd.checks.messages import shown
from fastgd.checks.values import check_count, check_flag
from fastgd.sklearn.candidate_evaluation import CandidateEvaluation, Halving
from fastgd.sklearn.deferred_fits import network_of


class SweepSearchCV(BaseSearchCV):
    """Search over the parameters of a fastgd estimator, with all fits trained together.

    It equals scikit-learn's ``GridSearchCV``, or ``RandomizedSearchCV``, with bit-identical scores,
    but candidates and folds are trained as runs of a sweep instead of one by one.

    Parameters
    ----------
    estimator : FastGDClassifier, FastGDRegressor, or a Pipeline that ends in one
        Steps before the network are fitted once per fold and set of their parameters. Other
        estimators are searched as in scikit-learn, with a warning.
    param_grid : dict or list of dict
        As in ``GridSearchCV``. Each combination of parameters that change the compiled code
        (``hidden_layer_sizes``, ``activation``, ``solver``, ``batch_size``, ``max_iter``, ...) is a
        sweep; values of all other parameters are trained together in it.
    param_distributions : dict or list of dict
        As in ``RandomizedSearchCV``. Give either this or ``param_grid``.
    n_iter : int
        Number of candidates drawn from ``param_distributions``.
    scoring, refit, cv, verbose, error_score, return_train_score
        As in ``GridSearchCV``.
    n_jobs, pre_dispatch
        As in ``GridSearchCV``, for other estimators only; the threads of a sweep are set by the
        estimator's parameter ``threads``.
    random_state : int, RandomState or None
        Seed of the draws from ``param_distributions``.
    halving : bool
        Successive halving: all candidates are trained for a few epochs, then only the best resume,
        up to ``factor`` times as many epochs, until the last ones have ``max_iter``. As in
        ``HalvingGridSearchCV`` with ``resource="max_iter"``.
    factor : int
        One of ``factor`` candidates is kept per rung; at least 2.

    Attributes
    ----------
    cv_results_, best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_
        As in ``GridSearchCV``; ``fit_time`` is an equal share of the time of the joint training.
    multimetric_, refit_time_, classes_, n_features_in_, feature_names_in_
        As in ``GridSearchCV``.
    n_resources_, n_candidates_ : list of int
        With halving, the epochs and candidates of each rung; also in ``cv_results_``, as
        ``n_resources`` and ``iter``.

    Notes
    -----
    If the estimator's ``random_state`` is None, all fits of a search share one order of
    mini-batches, drawn anew for each search; use an int for reproducible scores.

    Source of halving: Jamieson and Talwalkar, *Non-stochastic Best Arm Identification and
    Hyperparameter Optimization*, AISTATS 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastgd.sklearn import FastGDClassifier, SweepSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = FastGDClassifier((8,), max_iter=1000, random_state=0)
    >>> grid = {
    ...     "fastgdclassifier__learning_rate_init": [0.01, 0.1],
    ...     "fastgdclassifier__alpha": [0, 1],
    ... }
    >>> search = SweepSearchCV(make_pipeline(StandardScaler(), network), grid).fit(X, y)
    >>> search.best_params_
    {'fastgdclassifier__alpha': 0, 'fastgdclassifier__learning_rate_init': 0.01}
    >>> round(float(search.best_score_), 3)
    0.967
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        halving: bool = False,
        factor: int = 2,
    ) -> None:
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_grid = param_grid
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.random_state = random_state
        self.halving = halving
        self.factor = factor

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Train and score all candidates, then fit the best one on all samples.

        Parameters
        ----------
        X : (samples, features) array_like
        y : (samples,) or (samples, outputs) array_like
        **params
            ``groups`` for the splitter, ``sample_weight`` and other arguments of the estimator's
            ``fit``, as in ``GridSearchCV``.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If not exactly one of ``param_grid`` and ``param_distributions`` is given, or a
            parameter is not as described; with ``error_score="raise"`` also the error of a fit.
        """
        check_flag("halving", self.halving)
        check_count("factor", self.factor, minimum=2)
        check_count("n_iter", self.n_iter)
        if network_of(self.estimator) is None:
            return self._as_scikit_learn_does(X, y, params)
        self._validate_params()
        scorers, refit_metric = self._get_scorers()
        if self.halving and hasattr(scorers, "_scorers"):
            raise ValueError(f"scoring must be one metric with halving, got {shown(self.scoring)}")
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        folds = self._folds(X, y, routed.splitter.split)
        candidates = self._candidates()
        if self.verbose > 0:
            print(
                f"Fitting {len(folds)} folds for each of {len(candidates)} candidates, totaling "
                f"{len(folds) * len(candidates)} fits"
            )
        evaluation = CandidateEvaluation(
            self.estimator,
            (X, y),
            folds,
            candidates,
            routed.estimator.fit,
            scorer=scorers,
            score_params=routed.scorer.score,
            return_train_score=self.return_train_score,
            error_score=self.error_score,
            verbose=self.verbose,
        )
        if self.halving:
            results = self._halve(evaluation)
        else:
            scores = self._checked(evaluation.run())
            results = self._format_results(candidates, len(folds), scores)
        first = evaluation.scores[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first)
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        if self.refit:
            self._refit(X, y, routed.estimator.fit)
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        self.cv_results_ = results
        return self

    def _folds(self, X: Any, y: Any, params: Mapping[str, Any]) -> list[tuple[Any, Any]]:
        """Return the training and test rows of each fold."""
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        folds = list(splitter.split(X, y, **params))
        self.n_splits_ = splitter.get_n_splits(X, y, **params)
        if len(folds) != self.n_splits_ or not folds:
            raise ValueError(
                "cv.split and cv.get_n_splits must agree on at least 1 split, "
                f"got {len(folds)} and {self.n_splits_}"
            )
        return folds

    def _candidates(self) -> list[dict[str, Any]]:
        """Return all combinations of the grid, or draws from the distributions."""
        if (self.param_grid is None) == (self.param_distributions is None):
            raise ValueError(
                "one of param_grid and param_distributions must be given, got "
                + ("none" if self.param_grid is None else "both")
            )
        if self.param_grid is None:
            draws = ParameterSampler(
                self.param_distributions, self.n_iter, random_state=self.random_state
            )
            return list(draws)
        found = list(ParameterGrid(self.param_grid))
        if not found:
            raise ValueError(
                f"param_grid must have at least one candidate, got {shown(self.param_grid)}"
            )
        return found

    def _checked(self, scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the scores, with a warning if some fits failed; raise if all failed."""
        _warn_or_raise_about_fit_failures(scores, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(scores, self.error_score)
        return scores

    def _halve(self, evaluation: CandidateEvaluation) -> dict[str, Any]:
        """Return the results of successive halving over epochs."""
        halving = Halving(evaluation, self.factor)
        going = list(range(len(evaluation.candidates)))
        tried: list[int] = []
        more: dict[str, list[int]] = {"iter": [], "n_resources": []}
        results: dict[str, Any] = {}
        for rung, epochs in enumerate(halving.epochs):
            if self.verbose > 0:
                print(f"iter {rung}: {len(going)} candidates, {epochs} epochs")
            scores = self._checked(halving.climb(going, epochs))
            if isinstance(scores[0]["test_scores"], dict):
                raise ValueError(
                    "scoring must give one number with halving, got a dict with "
                    f"{shown(list(scores[0]['test_scores']))}"
                )
            tried += going
            more["iter"] += [rung] * len(going)
            more["n_resources"] += [epochs] * len(going)
            params = [evaluation.candidates[number] for number in tried]
            results = self._format_results(params, self.n_splits_, evaluation.scores, more)
            means = results["mean_test_score"][-len(going) :]
            order = np.argsort(np.where(np.isnan(means), -np.inf, means))
            going = [going[place] for place in order[-ceil(len(going) / self.factor) :]]
        self.n_resources_ = halving.epochs
        self.n_candidates_ = [more["iter"].count(rung) for rung in range(len(halving.epochs))]
        return results

    @staticmethod
    def _select_best_index(refit: Any, refit_metric: str, results: Mapping[str, Any]) -> int:
        """Return the best candidate's index; with halving, among those of the last rung."""
        if callable(refit) or "iter" not in results:
            return int(BaseSearchCV._select_best_index(refit, refit_metric, results))
        last = np.flatnonzero(results["iter"] == results["iter"].max())
        means = results[f"mean_test_{refit_metric}"][last]
        return int(last[0 if np.isnan(means).all() else np.nanargmax(means)])

    def _refit(self, X: Any, y: Any, params: Mapping[str, Any]) -> None:
        """Fit the best candidate on all samples."""
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        began = time.perf_counter()
        self.best_estimator_.fit(*((X,) if y is None else (X, y)), **params)
        self.refit_time_ = time.perf_counter() - began
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def _as_scikit_learn_does(self, X: Any, y: Any, params: Mapping[str, Any]) -> Self:
        """Search with scikit-learn's own implementation."""
        if self.halving:
            raise ValueError(
                "halving must be False for an estimator that is not one of fastgd, "
                f"got {shown(self.estimator)}"
            )
        warnings.warn(
            f"{type(self.estimator).__name__} is not an estimator of fastgd, nor a pipeline that "
            "ends in one: it is fitted once for each candidate and fold, as by GridSearchCV",
            UserWarning,
            stacklevel=3,
        )
        super().fit(X, y, **params)
        return self

    def _run_search(self, evaluate_candidates: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Hook of scikit-learn's search: evaluate all candidates."""
        evaluate_candidates(self._candidates())

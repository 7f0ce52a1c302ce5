"""SweepSearchCV: a hyperparameter search that runs as one sweep."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass
from math import ceil
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import indexable

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_count, check_flag
from fastgd.engine.devices import check_device, looked_for
from fastgd.sklearn.candidate_fits import CandidateFits, fold_scorer
from fastgd.sklearn.deferred_fits import network_of
from fastgd.sklearn.estimator_parameters import check_on_cpu


@dataclass(eq=False, repr=False)
class SweepSearchCV(BaseSearchCV):
    """Search over the parameters of a fastgd estimator, with all fits trained together.

    It equals scikit-learn's ``GridSearchCV``, or ``RandomizedSearchCV``, with bit-identical scores,
    but candidates and folds are trained as runs of a sweep instead of one by one.

    Parameters
    ----------
    estimator : FastGDClassifier, FastGDRegressor, or a Pipeline that ends in one
        Or a ``TransformedTargetRegressor`` of one, and any nesting of these. All other steps are
        fitted once per fold and set of their parameters. Other estimators are searched as in
        scikit-learn, with a warning.
    param_grid : dict or list of dict
        As in ``GridSearchCV``. Each combination of parameters that change the compiled code
        (``hidden_layer_sizes``, ``activation``, ``solver``, ``batch_size``, ``max_iter``, ...) is a
        sweep; values of all other parameters are trained together in it.
    param_distributions : dict or list of dict
        As in ``RandomizedSearchCV``. Give either this or ``param_grid``.
    n_iter : int
        Number of candidates drawn from ``param_distributions``.
    scoring, refit, cv, verbose, error_score, return_train_score
        As in ``GridSearchCV``. Fastest are names: "accuracy", "balanced_accuracy", "neg_log_loss",
        "roc_auc" of two classes, "r2", "explained_variance", "neg_mean_squared_error" and other
        errors, or None for the estimator's own score.
    n_jobs, pre_dispatch
        As in ``GridSearchCV``, for other estimators only; the threads of a sweep are set by the
        estimator's parameter ``threads``.
    device : str, optional
        Where all fits are trained, as in :func:`fastgd.sweep`; by default as the estimator's
        parameter ``device`` says, which also says where the best one is trained again.
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

    Rows to test on are transformed once per fold, not once per candidate: with a step whose
    ``transform`` draws random numbers, scores differ from ``GridSearchCV``.

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

    estimator: Any
    param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    _: KW_ONLY
    param_distributions: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    n_iter: int = 10
    scoring: Any = None
    n_jobs: int | None = None
    refit: Any = True
    cv: Any = None
    verbose: int = 0
    pre_dispatch: int | str = "2*n_jobs"
    random_state: Any = None
    error_score: Any = np.nan
    return_train_score: bool = False
    halving: bool = False
    factor: int = 2
    device: str | None = None

    _fits: ClassVar[CandidateFits | None] = None  # set while fits are trained jointly
    _scorers: ClassVar[tuple[Any, Any] | None] = None  # these, too

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
            A GPU is not for estimators of others, nor for ``solver="lbfgs"``.
        DeviceError
            If there is no such GPU, or it can't be used, whatever ``error_score`` is.
        """
        check_flag("halving", self.halving)
        check_count("factor", self.factor, minimum=2)
        check_count("n_iter", self.n_iter)
        device = None if self.device is None else check_device(self.device)
        if network_of(self.estimator) is None:
            check_on_cpu(device, "for an estimator that is not one of fastgd")
            if self.halving:
                raise ValueError(
                    "halving must be False for an estimator that is not one of fastgd, "
                    f"got {shown(self.estimator)}"
                )
            warnings.warn(
                f"{type(self.estimator).__name__} is not an estimator of fastgd, nor a pipeline "
                "that ends in one: it is fitted once for each candidate and fold, as by "
                "GridSearchCV",
                UserWarning,
                stacklevel=2,
            )
            super().fit(X, y, **params)
            return self
        if device is not None:
            looked_for(device)
        self._validate_params()
        if self.halving and isinstance(self.scoring, (list, tuple, set, dict)):
            raise ValueError(f"scoring must be one metric with halving, got {shown(self.scoring)}")
        scorer, metric = self._get_scorers()
        X, y = indexable(X, y)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        folds = list(cv.split(X, y, **routed.splitter.split))
        fits = CandidateFits(self.estimator, X, y, folds, routed.estimator.fit, self.device)
        # scikit-learn's own search, to which fits are handed that are trained already.
        search = copy(self)
        search.__dict__.update(_fits=fits, estimator=fits.template, cv=cv, n_jobs=1)
        search._scorers = fold_scorer(scorer, self.scoring), metric  # type: ignore[misc]
        BaseSearchCV.fit(search, X, y, **params)
        self.__dict__.update({n: found for n, found in vars(search).items() if n.endswith("_")})
        is_one = not isinstance(scorer, _MultimetricScorer)
        self.scorer_ = scorer if is_one else scorer._scorers
        return self

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

    def _get_scorers(self) -> tuple[Any, Any]:
        """Hook of scikit-learn's search: return what scores its fits, and the metric of refit."""
        return self._scorers or super()._get_scorers()

    def _run_search(self, evaluate_candidates: Callable[..., Any]) -> None:
        """Hook of scikit-learn's search: evaluate all candidates."""
        candidates = self._candidates()
        if self._fits is None:
            evaluate_candidates(candidates)
        elif self.halving:
            self._halve(candidates, self._fits, evaluate_candidates)
        else:
            self._fits.clones = self._fits.trained(candidates)
            evaluate_candidates(candidates, cv=self._fits.splitter)

    def _halve(
        self,
        candidates: list[dict[str, Any]],
        fits: CandidateFits,
        evaluate_candidates: Callable[..., Any],
    ) -> None:
        """Evaluate the candidates by successive halving over epochs."""
        rungs = fits.rungs(candidates, self.factor)
        going = list(range(len(candidates)))
        self.n_resources_ = rungs
        self.n_candidates_: list[int] = []
        for rung, epochs in enumerate(rungs):
            if self.verbose > 0:
                print(f"iter {rung}: {len(going)} candidates, {epochs} epochs")
            fits.clones = fits.climb(going, epochs)
            results = evaluate_candidates(
                [candidates[number] for number in going],
                cv=fits.splitter,
                more_results={
                    "iter": [rung] * len(going),
                    "n_resources": [epochs] * len(going),
                },
            )
            if "mean_test_score" not in results:
                names = [name[10:] for name in results if name.startswith("mean_test_")]
                raise ValueError(
                    f"scoring must give one number with halving, got a dict with {shown(names)}"
                )
            self.n_candidates_.append(len(going))
            means = results["mean_test_score"][-len(going) :]
            order = np.argsort(np.where(np.isnan(means), -np.inf, means))
            going = [going[place] for place in order[-ceil(len(going) / self.factor) :]]

    def _format_results(self, params: Any, n_splits: int, out: Any, more: Any = None) -> Any:
        """Return the results, with the times of the joint training."""
        if self._fits is not None:
            for one, seconds in zip(out, self._fits.seconds, strict=True):
                one["fit_time"] = seconds
        return super()._format_results(params, n_splits, out, more)

    @staticmethod
    def _select_best_index(refit: Any, refit_metric: str, results: Mapping[str, Any]) -> int:
        """Return the best candidate's index; with halving, among those of the last rung."""
        if callable(refit) or "iter" not in results:
            return int(BaseSearchCV._select_best_index(refit, refit_metric, results))
        last = np.flatnonzero(results["iter"] == results["iter"].max())
        means = results[f"mean_test_{refit_metric}"][last]
        return int(last[0 if np.isnan(means).all() else np.nanargmax(means)])

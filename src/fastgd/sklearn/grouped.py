"""A model per group, with the interface of scikit-lego's GroupedRegressor and GroupedClassifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    is_classifier,
    is_regressor,
)
from sklearn.utils import check_array, check_consistent_length, column_or_1d, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fastgd.arguments.subsets import rows_of
from fastgd.checks.frames import is_frame, opened
from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_flag, integer
from fastgd.models.group_keys import Keys, TableColumns
from fastgd.sklearn.deferred_fits import fit_all
from fastgd.sklearn.private_names import _check_y
from fastgd.sklearn.standard_steps import answers_of, cloner
from fastgd.tables.column_values import columns_of, is_missing


class Grouped(MetaEstimatorMixin, BaseEstimator, ABC):
    """The base class of both: splits rows by group, and fits or asks each group's estimator."""

    estimator: Any
    groups: Any
    use_global_model: bool
    check_X: bool  # noqa: N815 - scikit-lego's name

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Fit an estimator for each group; all networks are trained together.

        Parameters
        ----------
        X : (samples, features) DataFrame or array
            With the columns of ``groups``.
        y : (samples,) array_like

        Returns
        -------
        self
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        for name in ("use_global_model", "check_X"):
            check_flag(name, getattr(self, name))
        values, labels = self._split(X, reset=True)
        y = self._checked_targets(y)
        check_consistent_length(values, y)
        self._keys, codes = Keys.learn(labels, list(labels))
        self.groups_ = list(self._keys)
        parts = list(rows_of(np.argsort(codes, kind="stable"), np.bincount(codes)))
        titles = [f"group {shown(label)}" for label in self.groups_]
        if self.use_global_model:
            parts.append(np.arange(len(y)))
            titles.append("all groups")
        clone_of = cloner(self.estimator)
        estimators = [clone_of() for _ in titles]
        fit_all(values, y, list(zip(titles, estimators, parts, strict=True)))
        self.fallback_ = estimators.pop() if self.use_global_model else None
        self.estimators_ = dict(zip(self.groups_, estimators, strict=True))
        return self

    @abstractmethod
    def _checked_targets(self, y: Any) -> NDArray[Any]:
        """Return the targets, (samples,), validated."""

    def _split(self, X: Any, *, reset: bool) -> tuple[Any, TableColumns]:
        """Return the input columns, and the columns of group labels."""
        if hasattr(X, "nnz") and hasattr(X, "toarray"):
            raise TypeError("X must be dense, as it has the labels of groups, got a sparse matrix")
        frame = opened(X, table=True)
        if is_frame(frame):
            X = frame.to_native()
        else:
            X = check_array(X, dtype=None, ensure_all_finite=False, input_name="X", estimator=self)
        validate_data(self, X, reset=reset, skip_check_array=True)
        groups = self.groups if isinstance(self.groups, (list, tuple)) else [self.groups]
        values, labels = _taken_apart(X, list(groups))
        _check_labels(labels)
        if not values.shape[1]:
            raise ValueError(
                f"X must have a column in addition to groups, got {X.shape[1]} feature(s)"
            )
        if self.check_X:
            check_array(values, dtype=np.float64, input_name="X", estimator=self)
        return values, labels

    def _each(
        self, X: Any, name: str, finished: Callable[[Any, NDArray[Any]], NDArray[Any]]
    ) -> NDArray[Any]:
        """Return what this method of each row's group's estimator returns, in the rows' order.

        ``finished`` is called with an estimator and what its method has returned.
        """
        check_is_fitted(self)
        values, labels = self._split(X, reset=False)
        codes = self._keys.codes(labels)
        if self.fallback_ is None and (codes < 0).any():
            first = int((codes < 0).argmax())
            label = tuple(column[first] for column in labels.values())
            raise ValueError(
                "groups must be known from the fit with use_global_model=False, got "
                f"{shown(label[0] if len(label) == 1 else label)} in row {first}"
            )
        order = np.argsort(codes, kind="stable")
        present, sizes = np.unique(codes, return_counts=True)
        rows = rows_of(order, sizes)
        asked = [
            self.fallback_ if code < 0 else self.estimators_[self.groups_[code]]
            for code in present.tolist()
        ]
        found = answers_of(name, asked, values, rows)
        answers = [finished(own, answer) for own, answer in zip(asked, found, strict=True)]
        return np.asarray(np.concatenate(answers)[np.argsort(order)])

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict each row with the estimator of its group.

        Rows of an unknown group are predicted by the global estimator.

        Parameters
        ----------
        X : (samples, features) DataFrame or array

        Returns
        -------
        (samples,) array

        Raises
        ------
        ValueError
            If a group is unknown, with ``use_global_model=False``.
        """
        return self._each(X, "predict", lambda _own, found: found)

    def __sklearn_tags__(self) -> Any:
        tags, own = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags.allow_nan = not self.check_X
        tags.input_tags.string = True
        tags.classifier_tags = own.classifier_tags
        tags.regressor_tags = own.regressor_tags
        return tags


def _taken_apart(X: Any, groups: list[Any]) -> tuple[Any, TableColumns]:
    """Split a DataFrame or an array into input columns and columns of labels."""
    if not groups:
        raise ValueError("groups must name a column of X, got none")
    frame = opened(X)
    if is_frame(frame):
        for name in groups:
            if name not in frame.columns:
                raise ValueError(f"groups must be columns of X, got {shown(name)}")
        labels = columns_of({name: frame.get_column(name) for name in groups})
        return frame.drop(groups).to_native(), labels
    width = X.shape[1]
    places = []
    for given in groups:
        place = integer(given)
        if place is None or not -width <= place < width:
            raise ValueError(
                f"groups must be indices of columns of X, which is an array with {width}, "
                f"got {shown(given)}"
            )
        places.append(place)
    return np.delete(X, places, axis=1), {str(place): X[:, place] for place in places}


def _check_labels(columns: TableColumns) -> None:
    for name, column in columns.items():
        wrong = is_missing(column)
        if column.dtype.kind == "f":
            wrong = wrong | np.isinf(column)
        if wrong.any():
            raise ValueError(
                f"labels of groups must not be missing or infinite (None, NaN, inf), got one in "
                f"column {name}, row {int(wrong.argmax())}"
            )


@dataclass(eq=False, repr=False)
class GroupedRegressor(RegressorMixin, Grouped):
    """A regressor for each group of rows, all of them trained together.

    Each group's estimator is bit-identical to one fitted on the rows of the group alone.

    Parameters
    ----------
    estimator : FastGDRegressor
        Or a pipeline that ends in one, or a ``TransformedTargetRegressor`` of one. Other regressors
        are fitted one group after the other.
    groups : str, int, or list of these
        The columns with the group labels: names in a DataFrame, or indices in an array.
    shrinkage : None
        scikit-lego's other values are not supported.
    use_global_model : bool
        Also fit an estimator on all rows; it predicts groups that are unknown at :meth:`predict`.
    check_X : bool
        Raise if inputs are not finite numbers. False leaves that to the estimator: a pipeline may
        impute missing values, or encode strings.
    shrinkage_kwargs : None
        Not supported, like ``shrinkage``.

    Attributes
    ----------
    estimators_ : dict
        The estimator of each group, by label (a tuple of labels if there are several columns).
    groups_ : list
        The group labels, sorted.
    fallback_ : estimator or None
        The estimator of all rows.

    Notes
    -----
    Parameters and attributes are as in ``sklego.meta.GroupedRegressor``.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastgd.sklearn import FastGDRegressor, GroupedRegressor
    >>> X = pd.DataFrame({"shop": ["Oslo", "Rome"] * 50, "price": np.linspace(0, 1, 100)})
    >>> y = np.where(X.shop == "Rome", X.price, -X.price)
    >>> network = FastGDRegressor((8,), "tanh", learning_rate_init=0.1, random_state=0)
    >>> model = GroupedRegressor(make_pipeline(StandardScaler(), network), groups="shop")
    >>> round(model.fit(X, y).score(X, y), 2)
    0.99
    """

    estimator: Any
    groups: Any
    shrinkage: None = None
    use_global_model: bool = True
    check_X: bool = True  # noqa: N815
    shrinkage_kwargs: None = None

    def _checked_targets(self, y: Any) -> NDArray[Any]:
        if not is_regressor(self.estimator):
            raise ValueError(f"estimator must be a regressor, got {shown(self.estimator)}")
        for name in ("shrinkage", "shrinkage_kwargs"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} must be None, got {shown(getattr(self, name))}")
        return np.asarray(_check_y(y, multi_output=True, y_numeric=True, estimator=self))


@dataclass(eq=False, repr=False)
class GroupedClassifier(ClassifierMixin, Grouped):
    """A classifier for each group of rows, all of them trained together.

    A class that does not occur in a group has the probability 0 there.

    Parameters
    ----------
    estimator : FastGDClassifier, or a pipeline that ends in one
        Other classifiers are fitted one group after the other.
    groups, use_global_model, check_X
        As in :class:`GroupedRegressor`.

    Attributes
    ----------
    classes_ : (classes,) array
        The classes of all groups.
    estimators_, groups_, fallback_
        As in :class:`GroupedRegressor`.

    Notes
    -----
    Parameters and attributes are as in ``sklego.meta.GroupedClassifier``.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from fastgd.sklearn import FastGDClassifier, GroupedClassifier
    >>> X = pd.DataFrame({"shop": ["Oslo", "Rome"] * 50, "price": np.linspace(-1, 1, 100)})
    >>> y = np.where(X.shop == "Rome", X.price > 0, X.price < 0)
    >>> network = FastGDClassifier((8,), learning_rate_init=0.1, random_state=0)
    >>> GroupedClassifier(network, groups="shop").fit(X, y).score(X, y)
    1.0
    """

    estimator: Any
    groups: Any
    use_global_model: bool = True
    check_X: bool = True  # noqa: N815

    def _checked_targets(self, y: Any) -> NDArray[Any]:
        if not is_classifier(self.estimator):
            raise ValueError(f"estimator must be a classifier, got {shown(self.estimator)}")
        labels = np.asarray(column_or_1d(y, warn=True))
        check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        return labels

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict the probabilities of all classes, with the estimator of each row's group.

        Parameters
        ----------
        X : (samples, features) DataFrame or array

        Returns
        -------
        (samples, classes) array
        """

        def spread(own: Any, found: NDArray[Any]) -> NDArray[np.float64]:
            whole = np.zeros((len(found), len(self.classes_)))
            whole[:, np.searchsorted(self.classes_, own.classes_)] = found
            return whole

        return self._each(X, "predict_proba", spread)

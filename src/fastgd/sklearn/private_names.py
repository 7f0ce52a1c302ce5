"""Names that scikit-learn keeps private, and that are used here. Its releases may rename them.

`tests/sklearn/test_private_names.py` lists them, and tests that no other file imports any.
"""

from collections.abc import Callable
from typing import Any

from scipy.special import xlogy
from sklearn.metrics import _classification
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _check_method_params, _safe_split
from sklearn.preprocessing._data import _handle_zeros_in_scale, _is_constant_feature
from sklearn.utils import _safe_indexing
from sklearn.utils.extmath import _incremental_mean_and_var
from sklearn.utils.validation import _check_sample_weight, _check_y

__all__ = [
    "XLOGY",
    "BaseSearchCV",
    "_MultimetricScorer",
    "_check_method_params",
    "_check_sample_weight",
    "_check_y",
    "_handle_zeros_in_scale",
    "_incremental_mean_and_var",
    "_is_constant_feature",
    "_safe_indexing",
    "_safe_split",
]

XLOGY: Callable[..., Any] = getattr(_classification, "_xlogy", xlogy)
"""x log(y) of scikit-learn's log loss: of late with NumPy's logarithm, whose last bit may differ
from SciPy's."""

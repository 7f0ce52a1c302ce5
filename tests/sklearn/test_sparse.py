"""A sparse X: made dense, for training as a whole and for predictions in parts."""

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_matrix

from fastgd.checks import numbers as memory
from fastgd.sklearn import FastGDClassifier, FastGDRegressor, SweepSearchCV, base

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(30, 4)) * (DRAW.random((30, 4)) < 0.3)
LABELS = (X.sum(axis=1) > 0).astype(int)
FEW = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("container", [csr_matrix, coo_array])
def test_the_bits_are_those_of_the_dense_table(container, monkeypatch):
    monkeypatch.setattr(base, "DENSE_BYTES", 8 * 4 * 7)  # 7 rows at a time
    dense = FastGDClassifier(**FEW, n_ensemble=2).fit(X, LABELS)
    sparse = FastGDClassifier(**FEW, n_ensemble=2).fit(container(X), LABELS)
    for method in ("predict", "predict_proba", "predict_std"):
        known = getattr(dense, method)(X)
        np.testing.assert_array_equal(getattr(sparse, method)(container(X)), known)
        np.testing.assert_array_equal(getattr(sparse, method)(X), known)
    sparse.partial_fit(container(X), LABELS)
    np.testing.assert_array_equal(sparse.coefs_[0], dense.partial_fit(X, LABELS).coefs_[0])


def test_in_a_search():
    searches = [
        SweepSearchCV(FastGDRegressor(**FEW), {"alpha": [0.01, 0.1]}, cv=2).fit(table, X[:, 0])
        for table in (csr_matrix(X), X)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_array_equal(*scores)


def test_a_table_that_is_too_large_when_dense(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 5 * 10**7)
    wide = csr_matrix((30, 10**6))
    with pytest.raises(ValueError, match=r"X, made dense for training, must fit .* of 240 MB"):
        FastGDRegressor(**FEW).fit(wide, LABELS)


def test_bad_values():
    wrong = csr_matrix(np.where(X > 1, np.inf, X))
    model = FastGDClassifier(**FEW).fit(X, LABELS)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        model.predict(wrong)
    with pytest.raises(ValueError, match="X has 3 features, but FastGDClassifier is expecting 4"):
        model.predict(csr_matrix(X[:, :3]))

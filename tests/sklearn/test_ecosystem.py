"""Estimators among those of scikit-learn: pipelines, searches, calibration, files, names."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastgd
from fastgd.optimizers import RMSProp
from fastgd.schedules import Step
from fastgd.sklearn import FastGDClassifier, FastGDRegressor

FRAME = load_iris(as_frame=True).data
LABELS = load_iris().target
X = FRAME.to_numpy()
WEIGHTS = np.random.default_rng(0).random(len(X))
MODEL = FastGDClassifier(8, max_iter=40, learning_rate_init=0.05, random_state=0)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def fitted():
    return clone(MODEL).fit(FRAME, LABELS)


def test_in_a_pipeline_and_across_folds():
    pipeline = make_pipeline(StandardScaler(), clone(MODEL))
    assert cross_val_score(pipeline, X, LABELS, cv=3).mean() > 0.9


def test_in_a_search():
    search = GridSearchCV(clone(MODEL), {"alpha": [1e-4, 1e3]}, cv=2).fit(X, LABELS)
    assert search.best_params_ == {"alpha": 1e-4}
    assert search.predict(X).shape == (150,)


def test_calibrated():
    model = CalibratedClassifierCV(clone(MODEL), cv=2).fit(X, LABELS)
    assert model.predict_proba(X).shape == (150, 3)
    assert model.score(X, LABELS) > 0.8


def test_importance(fitted):
    found = permutation_importance(fitted, FRAME, LABELS, n_repeats=2, random_state=0)
    # Petals tell the species apart.
    assert found.importances_mean.argmax() in (2, 3)


@pytest.mark.parametrize("way", ["pickle", "joblib"])
def test_kept_in_a_file(tmp_path, fitted, way):
    if way == "pickle":
        again = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, tmp_path / "model")
        again = joblib.load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(FRAME), fitted.predict_proba(FRAME))
    assert again.get_params() == fitted.get_params()


def test_an_unfitted_copy(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)
    with pytest.raises(NotFittedError):
        copy.to_onnx("nowhere.onnx")


@pytest.mark.slow
def test_parameters_of_our_own_are_copied():
    model = FastGDRegressor(
        activation=fastgd.Function("a / (1 + abs(a))"),
        solver=RMSProp(),
        learning_rate=Step(step_size=5),
        options={"clip_norm": 1.0},
        max_iter=2,
        random_state=0,
    )
    fits = [
        copy.fit(X, LABELS) for copy in (model, clone(model), pickle.loads(pickle.dumps(model)))
    ]
    assert len({fit.loss_ for fit in fits}) == 1
    options = fits[0].members_[0].options
    assert options["optimizer"] == RMSProp()
    assert options["clip_norm"] == 1.0


def test_names_of_features(fitted):
    assert list(fitted.feature_names_in_) == list(FRAME.columns)
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(FRAME[FRAME.columns[::-1]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(X)


def test_sample_weights_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            clone(MODEL).set_fit_request(sample_weight=True).set_score_request(sample_weight=False),
            X,
            LABELS,
            cv=[(np.arange(0, 150, 2), np.arange(1, 150, 2))],
            params={"sample_weight": WEIGHTS},
            return_estimator=True,
            error_score="raise",
        )
    direct = clone(MODEL).fit(X[::2], LABELS[::2], WEIGHTS[::2])
    assert np.array_equal(found["estimator"][0].coefs_[0], direct.coefs_[0])


def test_a_frame_of_outputs():
    """Targets may be a Series or a DataFrame."""
    y = pd.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    model = FastGDRegressor(8, max_iter=40, random_state=0)
    assert model.fit(FRAME, y).predict(FRAME).shape == (150, 2)
    names = pd.Series(np.array(["x", "y", "z"])[LABELS])
    assert set(clone(MODEL).fit(FRAME, names).predict(FRAME)) <= {"x", "y", "z"}


def test_how_it_is_shown(fitted):
    assert repr(fitted) == (
        "FastGDClassifier(hidden_layer_sizes=8, learning_rate_init=0.05, max_iter=40,\n"
        "                 random_state=0)"
    )
    assert "FastGDClassifier" in fitted._repr_html_()


@pytest.mark.parametrize("kind", [FastGDClassifier, FastGDRegressor])
def test_the_docstring_has_every_parameter(kind):
    described = kind.__doc__.partition("Parameters\n-------")[2].partition("Attributes\n----")[0]
    names = {
        name
        for line in described.splitlines()
        if " : " in line and not line.startswith(" ")
        for name in line.partition(" : ")[0].split(", ")
    }
    assert names == set(kind().get_params())
    assert "<" not in kind.__doc__.replace("<-", "")

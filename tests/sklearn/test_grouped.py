"""A model per group: the estimator that a plain loop over the groups would have fitted."""

import pickle
import threading
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fastgd.sklearn import (
    FastGDClassifier,
    FastGDRegressor,
    GroupedClassifier,
    GroupedRegressor,
    standard_steps,
)
from thinning import crossed, only, some

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NUMBERS = FastGDRegressor((3,), max_iter=20, learning_rate_init=0.05, random_state=0)
CLASSES = FastGDClassifier((3,), max_iter=20, learning_rate_init=0.05, random_state=0)


@pytest.fixture
def few(monkeypatch):
    """Three groups are enough to predict in one call."""
    monkeypatch.setattr(standard_steps, "FEWEST_ALIKE", 2)


def table(counts=(20, 30, 25)):
    draw = np.random.default_rng(0)
    shop = np.repeat(["a", "b", "c"][: len(counts)], counts)
    X = pd.DataFrame({"price": draw.normal(size=len(shop)), "shop": shop})
    X["heat"] = draw.normal(15, 5, len(shop))
    y = X.price * (shop == "a") - X.price * (shop == "b") + 0.01 * X.heat
    order = draw.permutation(len(shop))
    return X.iloc[order].reset_index(drop=True), y.iloc[order].reset_index(drop=True)


def by_hand(estimator, X, y, groups, answer="predict"):
    """The loop that it takes the place of."""
    result = None
    for _, part in X.groupby(groups):
        own = clone(estimator).fit(part.drop(columns=groups), y[part.index])
        found = getattr(own, answer)(part.drop(columns=groups))
        if result is None:
            result = np.empty((len(X), *found.shape[1:]), found.dtype)
        result[part.index] = found
    return result


@pytest.mark.parametrize(
    "estimator",
    [
        NUMBERS,
        make_pipeline(StandardScaler(), NUMBERS),
        make_pipeline(NUMBERS),
        make_pipeline("passthrough", NUMBERS),
        TransformedTargetRegressor(
            make_pipeline(StandardScaler(), NUMBERS), transformer=StandardScaler()
        ),
        LinearRegression(),
        clone(NUMBERS).set_params(n_ensemble=2),
        pytest.param(
            clone(NUMBERS).set_params(n_ensemble=2, early_stopping=True), marks=pytest.mark.slow
        ),
    ],
    ids=["network", "pipeline", "one-step", "passthrough", "target", "other", "ensemble", "best"],
)
def test_predictions_are_those_of_a_loop(estimator):
    X, y = table()
    model = GroupedRegressor(estimator, groups=["shop"], use_global_model=False).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(estimator, X, y, ["shop"]))
    assert model.groups_ == ["a", "b", "c"]
    assert model.fallback_ is None


def test_a_pipeline_with_a_memory(tmp_path):
    X, y = table()
    cached = make_pipeline(SimpleImputer(), StandardScaler(), NUMBERS, memory=str(tmp_path))
    model = GroupedRegressor(cached, "shop").fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(cached, X, y, ["shop"]))


def test_unknown_groups_have_the_global_model():
    X, y = table()
    model = GroupedRegressor(NUMBERS, "shop").fit(X, y)
    shared = clone(NUMBERS).fit(X.drop(columns="shop"), y)
    new = X.assign(shop=np.where(np.arange(len(X)) % 2 == 0, X.shop, "z"))
    expected = by_hand(NUMBERS, X, y, ["shop"])
    expected[1::2] = shared.predict(X.drop(columns="shop"))[1::2]
    np.testing.assert_array_equal(model.predict(new), expected)
    model.set_params(use_global_model=False).fit(X, y)
    with pytest.raises(ValueError, match=r"with use_global_model=False, got 'z' in row 1"):
        model.predict(new)


def test_groups_in_several_columns_and_in_arrays():
    X, y = table()
    X["floor"] = np.arange(len(X)) % 2
    model = GroupedRegressor(NUMBERS, ["shop", "floor"]).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(NUMBERS, X, y, ["shop", "floor"]))
    assert model.groups_[1] == ("a", 1)
    assert list(model.estimators_) == model.groups_
    codes = X.assign(shop=X.shop.map({"a": 0, "b": 1, "c": 2}))
    same = GroupedRegressor(NUMBERS, [1, -1]).fit(codes.to_numpy(), y.to_numpy())
    np.testing.assert_array_equal(same.predict(codes.to_numpy()), model.predict(X))


def test_groups_that_lack_classes():
    X, y = table((20, 30, 25))
    labels = np.where(y > 0.3, "high", np.where(y < 0, "low", "middle"))
    labels[X.shop == "c"] = "middle"
    labels[(X.shop == "a") & (labels == "low")] = "high"
    labels = pd.Series(labels)
    model = GroupedClassifier(CLASSES, "shop", use_global_model=False).fit(X, labels)
    assert list(model.classes_) == ["high", "low", "middle"]
    assert [len(own.classes_) for own in model.estimators_.values()] == [2, 3, 1]
    predicted = model.predict(X)
    for shop, part in X.groupby("shop"):
        own = clone(CLASSES).fit(part.drop(columns="shop"), labels[part.index])
        assert (predicted[part.index] == own.predict(part.drop(columns="shop"))).all(), shop
        found = model.predict_proba(part)
        for k, name in enumerate(own.classes_):
            at = list(model.classes_).index(name)
            expected = own.predict_proba(part.drop(columns="shop"))[:, k]
            np.testing.assert_array_equal(found[:, at], expected)
        np.testing.assert_allclose(found.sum(axis=1), 1)
    assert 0 < model.score(X, labels) <= 1


def test_other_classifiers_and_missing_methods():
    X, y = table()
    model = GroupedClassifier(make_pipeline(StandardScaler(), LogisticRegression()), "shop")
    model.fit(X, y > 0.1)
    assert model.score(X, y > 0.1) > 0.8
    assert not hasattr(GroupedRegressor(NUMBERS, "shop"), "predict_proba")


def test_missing_values_are_left_to_a_pipeline():
    X, y = table()
    X.loc[::7, "price"] = np.nan
    filled = make_pipeline(SimpleImputer(), NUMBERS)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        GroupedRegressor(filled, "shop").fit(X, y)
    model = GroupedRegressor(filled, "shop", check_X=False).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(filled, X, y, ["shop"]))


def test_clone_pickle_parameters_and_cross_validation():
    X, y = table()
    model = GroupedRegressor(make_pipeline(StandardScaler(), NUMBERS), "shop")
    again = clone(model).set_params(estimator__fastgdregressor__max_iter=5)
    assert model.get_params()["estimator__fastgdregressor__max_iter"] == 20
    assert again.get_params()["estimator__fastgdregressor__max_iter"] == 5
    model.fit(X, y)
    read = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(read.predict(X), model.predict(X))
    assert np.isfinite(cross_val_score(model, X, y, cv=3)).all()
    search = GridSearchCV(model, {"estimator__fastgdregressor__alpha": [1e-4, 1.0]}, cv=2)
    assert search.fit(X, y).best_params_
    assert list(model.feature_names_in_) == ["price", "shop", "heat"]
    assert model.n_features_in_ == 3
    assert "GroupedRegressor" in model._repr_html_()


def test_the_warning_counts_groups():
    X, y = table()
    with pytest.warns(ConvergenceWarning, match="hasn't converged yet in 4 of 4 fits"):
        GroupedRegressor(clone(NUMBERS).set_params(max_iter=2), "shop").fit(X, y)


def test_several_targets():
    X, y = table()
    both = np.column_stack([y, -y])
    model = GroupedRegressor(NUMBERS, "shop").fit(X, both)
    assert model.predict(X).shape == (len(X), 2)


@pytest.mark.parametrize(
    ("given", "X", "error", "message"),
    [
        ({"groups": "store"}, None, ValueError, "groups must be columns of X, got 'store'"),
        ({"groups": []}, None, ValueError, "groups must name a column of X"),
        (
            {"groups": [5]},
            np.ones((75, 2)),
            ValueError,
            "indices of columns of X, .* with 2, got 5",
        ),
        ({"groups": ["a"]}, np.ones((75, 2)), ValueError, "indices of columns of X"),
        ({"shrinkage": "equal"}, None, ValueError, "shrinkage must be None, got 'equal'"),
        ({"estimator": CLASSES}, None, ValueError, "estimator must be a regressor"),
        ({}, table()[0].assign(shop=None), ValueError, "must not be missing .* column shop, row 0"),
        ({}, table()[0].assign(price="x"), ValueError, "could not convert string"),
        ({}, table()[0][:9], ValueError, "inconsistent numbers of samples"),
        (
            {},
            table()[0][["shop"]],
            ValueError,
            r"a column in addition to groups, got 1 feature\(s\)",
        ),
        (
            {"groups": [0]},
            np.array([[np.inf, 1.0]] * 75),
            ValueError,
            "missing or infinite .* column 0, row 0",
        ),
        ({"groups": "price"}, None, ValueError, "could not convert string"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_refused(given, X, error, message):
    own, y = table()
    model = GroupedRegressor(**{"estimator": NUMBERS, "groups": "shop"} | given)
    with pytest.raises(error, match=message):
        model.fit(own if X is None else X, y)


def test_errors_name_the_group():
    X, y = table((20, 30, 1))
    stopping = clone(NUMBERS).set_params(early_stopping=True)
    with pytest.raises(ValueError, match="group 'c': "):
        GroupedRegressor(stopping, "shop").fit(X, y)


def test_a_shared_table_that_fails_is_checked_once(monkeypatch):
    X, y = table()
    X.loc[X.shop == "c", "heat"] = np.nan
    sizes, check = [], FastGDRegressor._table
    monkeypatch.setattr(
        FastGDRegressor,
        "_table",
        lambda own, X, *rest: sizes.append(len(X)) or check(own, X, *rest),
    )
    with pytest.raises(ValueError, match="group 'c': Input X contains NaN"):
        GroupedRegressor(NUMBERS, "shop", check_X=False).fit(X, y)
    assert sizes == [75, 20, 30, 25]


STANDARD = [
    make_pipeline(StandardScaler(), NUMBERS),
    make_pipeline(StandardScaler(), "passthrough", StandardScaler(), NUMBERS),
    TransformedTargetRegressor(NUMBERS, transformer=StandardScaler()),
    TransformedTargetRegressor(
        make_pipeline(StandardScaler(), NUMBERS), transformer=StandardScaler()
    ),
]


@pytest.mark.parametrize("as_array", [False, True], ids=["frame", "array"])
@pytest.mark.parametrize("estimator", STANDARD, ids=["one", "two", "target", "both"])
def test_standard_steps_have_what_scikit_learn_gives_them(estimator, as_array, monkeypatch):
    """All attributes of all steps, to the bit, and it doesn't fit them again for each group."""
    X, y = table()
    X["heat"] = X.heat.round().astype(int)
    values = X.assign(shop=X.shop.map({"a": 0, "b": 1, "c": 2})) if as_array else X
    values, groups = (values.to_numpy(), 1) if as_array else (values, "shop")
    fitted, fit = [], StandardScaler.fit
    monkeypatch.setattr(
        StandardScaler, "fit", lambda own, *args: fitted.append(own) or fit(own, *args)
    )
    model = GroupedRegressor(estimator, groups, use_global_model=False).fit(values, y)
    by_names = not as_array and not isinstance(estimator.get_params().get("regressor"), Pipeline)
    by_names = by_names and isinstance(estimator, TransformedTargetRegressor)
    assert (len(fitted) > 2) == by_names  # the names of the network's own columns
    for label, own in model.estimators_.items():
        mine = values[values[:, 1] == label] if as_array else X[X.shop == label]
        mine = np.delete(mine, 1, axis=1) if as_array else mine.drop(columns="shop")
        rows = values[:, 1] == label if as_array else X.shop == label
        assert_same(own, clone(estimator).fit(mine, y[rows].to_numpy()))


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for mine, its in zip(one, other, strict=True):
            assert_same(mine, its)
    elif isinstance(one, FastGDRegressor):
        for name in ("coefs_", "loss_curve_", "n_features_in_", "feature_names_in_"):
            assert_same(getattr(one, name, None), getattr(other, name, None))
    elif isinstance(one, BaseEstimator):
        assert vars(one).keys() == vars(other).keys()
        for name, value in vars(one).items():
            assert_same(value, vars(other)[name])
    else:
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype


@pytest.mark.parametrize("name", ["mean_", "n_samples_seen_"])
def test_steps_are_fitted_by_scikit_learn_where_it_has_other_results(name, monkeypatch):
    X, y = table()
    fit = StandardScaler.fit

    def newer(own, *args):
        fit(own, *args)
        setattr(own, name, getattr(own, name) + 1)
        return own

    monkeypatch.setattr(StandardScaler, "fit", newer)
    scaled = make_pipeline(StandardScaler(), NUMBERS)
    model = GroupedRegressor(scaled, "shop").fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(scaled, X, y, ["shop"]))
    alone = clone(scaled).fit(X[X.shop == "b"].drop(columns="shop"), y[X.shop == "b"])
    found = model.estimators_["b"][0]
    np.testing.assert_array_equal(getattr(found, name), getattr(alone[0], name))


def test_estimators_of_groups_share_nothing():
    X, y = table()
    given = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), clone(NUMBERS).set_params(options={"l1": 0.01})),
        transformer=StandardScaler(),
    )
    before = clone(given)
    model = GroupedRegressor(given, "shop").fit(X, y)
    first, second = list(model.estimators_.values())[:2]
    shared = set(map(id, parts_of(first))) & set(map(id, parts_of(second)))
    assert not shared
    assert not set(map(id, parts_of(given))) & set(map(id, parts_of(first)))
    assert_same(given, before)
    first.set_params(regressor__fastgdregressor__alpha=9.0)
    first.regressor[-1].options["l1"] = 1.0
    assert second.get_params()["regressor__fastgdregressor__alpha"] == NUMBERS.alpha
    assert second.regressor_[-1].options == {"l1": 0.01}


def parts_of(value):
    """All estimators, containers and arrays that can be changed."""
    if isinstance(value, (BaseEstimator, list, dict, np.ndarray)):
        yield value
    inner = value if isinstance(value, (list, tuple)) else ()
    inner = vars(value).values() if isinstance(value, BaseEstimator) else inner
    for one in inner:
        yield from parts_of(one)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_target_that_cannot_be_restored_is_warned_of():
    """By scikit-learn, which fits the scaler of such a group: its variance overflows."""
    X, y = table()
    y[X.shop == "b"] *= 1e200
    target = TransformedTargetRegressor(NUMBERS, transformer=StandardScaler())
    numbers = X.assign(shop=X.shop.map({"a": 0, "b": 1, "c": 2})).to_numpy()
    with (
        pytest.warns(UserWarning, match="not strictly inverse of each other"),
        pytest.raises(ValueError, match=r"group 1\.0: Input y contains NaN"),
    ):
        GroupedRegressor(target, 1, use_global_model=False).fit(numbers, y)


def answers(model, name, X):
    """What each group's estimator says about its rows, asked by itself."""
    found = {}
    for label, own in model.estimators_.items():
        rows = X[X.shop == label].drop(columns="shop")
        found |= dict(zip(rows.index, getattr(own, name)(rows), strict=True))
    return np.array([found[row] for row in X.index])


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "estimator",
    [
        *STANDARD,
        make_pipeline(NUMBERS),
        clone(NUMBERS).set_params(n_ensemble=3),
        clone(NUMBERS).set_params(batch_norm=True, dropout=0.2),
    ],
    ids=["one", "two", "target", "both", "pipeline", "ensemble", "normalized"],
)
@pytest.mark.parametrize("count", [1, 2], ids="{} target".format)
@pytest.mark.slow
def test_networks_of_all_groups_predict_in_one_call(estimator, count, monkeypatch):
    X, y = table()
    targets = y if count == 1 else np.column_stack([y, -y])
    model = GroupedRegressor(estimator, "shop").fit(X, targets)
    expected = answers(model, "predict", X)
    asked, outputs = [], FastGDRegressor._outputs
    monkeypatch.setattr(
        FastGDRegressor, "_outputs", lambda own, X: asked.append(own) or outputs(own, X)
    )
    np.testing.assert_array_equal(model.predict(X), expected)
    assert len(asked) == 1  # the first, to see that it says the same
    expected[::5] = model.fallback_.predict(X.drop(columns="shop"))[::5]
    new = X.assign(shop=np.where(np.arange(len(X)) % 5 == 0, "z", X.shop))
    np.testing.assert_array_equal(model.predict(new), expected)
    assert len(asked) == 3


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("scaled", [False, True], ids=["plain", "scaled"])
def test_classes_of_all_groups_are_predicted_in_one_call(scaled):
    X, y = table((20, 30, 25))
    labels = np.where(y > 0.3, "high", np.where(y < 0, "low", "middle"))
    labels[X.shop == "c"] = "middle"
    estimator = make_pipeline(StandardScaler(), CLASSES) if scaled else CLASSES
    model = GroupedClassifier(estimator, "shop", use_global_model=False).fit(X, labels)
    np.testing.assert_array_equal(model.predict(X), answers(model, "predict", X))
    found = model.predict_proba(X)
    for label, own in model.estimators_.items():
        rows = X[X.shop == label]
        places = np.searchsorted(model.classes_, own.classes_)
        expected = own.predict_proba(rows.drop(columns="shop"))
        np.testing.assert_array_equal(found[rows.index][:, places], expected)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("change", ["other", "scale", "call", "with_mean"])
def test_estimators_that_were_changed_are_asked_by_themselves(change):
    X, y = table()
    model = GroupedRegressor(make_pipeline(StandardScaler(), NUMBERS), "shop").fit(X, y)
    own = model.estimators_["b"]
    rows = X.drop(columns="shop")
    if change == "other":
        model.estimators_["b"] = LinearRegression().fit(rows, y)
    elif change == "scale":
        own[0].scale_ = own[0].scale_ * 2
    elif change == "with_mean":
        own[0].set_params(with_mean=False)
    else:
        own.steps[1] = (own.steps[1][0], Shifted((3,), max_iter=5).fit(rows.to_numpy(), y))
    np.testing.assert_array_equal(model.predict(X), answers(model, "predict", X))


OTHERWISE = [
    make_pipeline(StandardScaler(with_mean=False), NUMBERS),
    make_pipeline(StandardScaler(with_std=False), NUMBERS),
    make_pipeline(StandardScaler(), StandardScaler(with_mean=False, with_std=False), NUMBERS),
    TransformedTargetRegressor(NUMBERS, transformer=StandardScaler(with_mean=False)),
    TransformedTargetRegressor(NUMBERS, transformer=StandardScaler(with_std=False)),
    TransformedTargetRegressor(
        make_pipeline(StandardScaler(with_mean=False), NUMBERS), transformer=StandardScaler()
    ),
]


def small(case):
    """Groups of which the first one is centered, has one row or one class, and their targets."""
    X, y = table((1, 30, 25) if case == "row" else (20, 30, 25))
    if case == "centered":
        numbers = X.columns.drop("shop")
        first = X.index[X.shop == "a"]
        X.loc[first[10:], numbers] = -X.loc[first[:10], numbers].to_numpy()
        y[first[10:]] = -y[first[:10]].to_numpy()
    return X, y


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("estimator", "case"), crossed([*STANDARD, *OTHERWISE], ["row", "centered"])
)
def test_whatever_the_first_group_is_predictions_are_those_of_a_loop(estimator, case):
    X, y = small(case)
    model = GroupedRegressor(estimator, ["shop"], use_global_model=False).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(estimator, X, y, ["shop"]))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("own", [{}, {"with_mean": False}, {"with_std": False}])
def test_a_first_group_of_one_class_decides_nothing_about_the_others(own):
    """Its probabilities are 1 whatever its inputs are."""
    X, _ = table()
    labels = (X.price > 0) & (X.shop != "a")
    scaled = make_pipeline(StandardScaler(**own), CLASSES)
    model = GroupedClassifier(scaled, "shop", use_global_model=False).fit(X, labels)
    for name in ("predict", "predict_proba"):
        found = getattr(model, name)(X)
        for label in "bc":
            rows = X.shop == label
            alone = clone(scaled).fit(X[rows].drop(columns="shop"), labels[rows])
            expected = getattr(alone, name)(X[rows].drop(columns="shop"))
            np.testing.assert_array_equal(found[rows], expected)


@pytest.mark.parametrize(
    "counts",
    [
        *[(1, 200, 200), (1, 1, 200), (200, 200, 1)],
        pytest.param((1, 1, 400), marks=pytest.mark.slow),  # in batches
    ],
)
def test_scalers_have_the_bits_of_scikit_learn_with_groups_of_one_row(counts, monkeypatch):
    X, y = table(counts)
    scaled, fitted, fit = make_pipeline(StandardScaler(), NUMBERS), [], StandardScaler.fit
    monkeypatch.setattr(
        StandardScaler, "fit", lambda own, *args: fitted.append(own) or fit(own, *args)
    )
    model = GroupedRegressor(scaled, "shop", use_global_model=False).fit(X, y)
    assert len(fitted) == 1  # the largest group's, to see that it is the same
    for label, part in X.groupby("shop"):
        alone = clone(scaled).fit(part.drop(columns="shop"), y[part.index])
        assert_same(model.estimators_[label], alone)


@pytest.mark.parametrize("count", [19, 20])
def test_few_networks_predict_one_by_one(count, monkeypatch):
    """The code for all of them in one call would be compiled first."""
    called, together = [], standard_steps.predict
    monkeypatch.setattr(
        standard_steps,
        "predict",
        lambda *given: called.append(len(given[7])) or together(*given),
    )
    draw = np.random.default_rng(0)
    codes = np.repeat(np.arange(25), 6)
    X, y = np.c_[codes, draw.normal(size=(150, 2))], draw.normal(size=150)
    labels = np.where(codes < count, np.arange(150) % 2, np.arange(150) % 3)
    network = clone(CLASSES).set_params(max_iter=2)
    model = GroupedClassifier(network, 0, use_global_model=False).fit(X, labels)
    found = model.predict_proba(X)
    assert called == ([20] if count == 20 else [])
    for code in (0, 24):
        own, rows = model.estimators_[code], codes == code
        expected = own.predict_proba(X[rows, 1:])
        np.testing.assert_array_equal(found[rows][:, : expected.shape[1]], expected)
    model = GroupedRegressor(network_of_numbers(), 0, use_global_model=False).fit(X, y)
    model.predict(X[codes < count])
    assert called == ([20, 20] if count == 20 else [])


def network_of_numbers():
    return clone(NUMBERS).set_params(max_iter=2)


@pytest.mark.usefixtures("few")
def test_scaling_the_rows_of_all_groups_copies_them_once(monkeypatch):
    most, together = [], standard_steps.predict

    def measured(*given):
        most.append(tracemalloc.get_traced_memory()[1])
        together(*given)

    X = np.random.default_rng(0).normal(size=(50_000, 20))
    X[:, 0] = np.arange(len(X)) % 3
    scaled = make_pipeline(StandardScaler(), network_of_numbers())
    model = GroupedRegressor(scaled, 0, use_global_model=False).fit(X[:300], X[:300, 1])
    monkeypatch.setattr(standard_steps, "predict", measured)
    tracemalloc.start()
    try:
        model.predict(X)
    finally:
        tracemalloc.stop()
    assert len(most) == 1
    assert most[0] < 2.5 * X.nbytes  # with the copy that has no labels; 4.7 by mean[codes]


class WithLock(FastGDRegressor):
    """Sets something of its own that can't be copied."""

    def __init__(self, hidden_layer_sizes=(3,), *, max_iter=4, random_state=0):
        super().__init__(hidden_layer_sizes, max_iter=max_iter, random_state=random_state)
        self.lock = threading.Lock()


@pytest.mark.parametrize("scaled", [False, True], ids=["alone", "pipeline"])
def test_a_network_may_set_attributes_of_its_own(scaled):
    X, y = table()
    network = make_pipeline(StandardScaler(), WithLock()) if scaled else WithLock()
    model = GroupedRegressor(network, "shop").fit(X, y)
    np.testing.assert_array_equal(model.predict(X), by_hand(network, X, y, ["shop"]))


@pytest.mark.skipif(not hasattr(Pipeline, "set_callbacks"), reason="from scikit-learn 1.9 on")
def test_clones_share_their_callbacks_as_those_of_scikit_learn():
    for given in (make_pipeline(StandardScaler(), NUMBERS), clone(NUMBERS), StandardScaler()):
        given._skl_callbacks = [threading.Lock()]
        found = standard_steps.cloner(given)()
        assert found is not given
        assert found._skl_callbacks is given._skl_callbacks


class Shifted(FastGDRegressor):
    def predict(self, X):
        return super().predict(X) + 1.0


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("given", "changed"),
    some(
        [
            (
                {"activation": "leaky_relu", "options": {"negative_slope": 0.5}},
                {"options": {"negative_slope": 0.1}},
            ),
            ({}, {"activation": "leaky_relu"}),
            ({}, {"batch_norm": True, "dropout": 0.2}),
            ({}, {"n_ensemble": 2}),
            ({}, {"hidden_layer_sizes": (4,)}),
        ],
        [False, True, False, True, True],
    ),
    ids=["parameter", "function", "normalization", "members", "layers"],
)
def test_networks_of_other_kinds_predict_by_themselves(given, changed):
    X, y = table()
    X["heat"] -= 15
    network = clone(NUMBERS).set_params(**given)
    model = GroupedRegressor(network, "shop").fit(X, y)
    model.estimators_["b"] = network.set_params(**changed).fit(X.drop(columns="shop"), y)
    np.testing.assert_array_equal(model.predict(X), answers(model, "predict", X))


def test_errors_of_a_training_name_the_group():
    X, y = table()
    y = y - y.min() - (X.shop == "b")
    grouped = GroupedRegressor(clone(NUMBERS).set_params(loss="poisson"), groups="shop")
    with pytest.raises(ValueError, match=r"^group 'b': y must be at least 0"):
        grouped.fit(X, y)


@pytest.mark.parametrize("stops", only([False, True], False))
def test_every_epoch_is_remembered_and_told(stops, capsys):
    """Of a training that ends on another network than the one that it gives back, too."""
    X, y = table()
    settings = {"early_stopping": stops, "n_iter_no_change": 100, "verbose": True, "max_iter": 9}
    network = clone(NUMBERS).set_params(**settings, learning_rate_init=0.3)
    grouped = GroupedRegressor(network, groups="shop", use_global_model=False).fit(X, y)
    told = capsys.readouterr().out
    for label, own in grouped.estimators_.items():
        part = X[X.shop == label]
        alone = clone(network).fit(part.drop(columns="shop"), y[part.index])
        assert own.loss_curve_ == alone.loss_curve_
        assert own.validation_scores_ == alone.validation_scores_
        assert np.isfinite(own.loss_)
        assert f"group '{label}'\n{capsys.readouterr().out}" in told


def test_some_labels_missing():
    X, y = table()
    X.loc[4, "shop"] = None
    with pytest.raises(ValueError, match=r"not be missing .* got one in column shop, row 4"):
        GroupedRegressor(NUMBERS, "shop").fit(X, y)


def test_labels_missing_at_predict():
    X, y = table()
    model = GroupedRegressor(NUMBERS, "shop").fit(X, y)
    X.loc[[4, 9], "shop"] = np.nan
    with pytest.raises(ValueError, match=r"not be missing .* got one in column shop, row 4"):
        model.predict(X)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        GroupedRegressor(NUMBERS, "shop").predict(table()[0])


@pytest.mark.slow
def test_networks_from_before_a_divergence_are_kept_with_a_warning():
    rows = np.random.default_rng(0).normal(size=(60, 2))
    X = np.c_[np.arange(60) % 2, rows]
    network = FastGDRegressor(
        (5,), max_iter=4, random_state=0, learning_rate_init=1e200, early_stopping=True
    )
    with pytest.warns(match="diverged in 3 of 3 fits, and the networks with the best"):
        model = GroupedRegressor(network, groups=0).fit(X, rows[:, 0])
    assert np.isfinite(model.predict(X)).all()

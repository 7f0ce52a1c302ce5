"""to_onnx: what onnxruntime makes of the file is what the estimator predicts."""

import copy
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import fastgd
from fastgd.formulas.expressions import FUNCTIONS
from fastgd.formulas.named import ACTIVATIONS
from fastgd.reference.functions import FUNCTIONS as PLAIN
from fastgd.sklearn import FastGDClassifier, FastGDRegressor
from thinning import only

X, LABELS = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
Y = X[:, 0] * X[:, 1]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (5, 3), "max_iter": 5, "random_state": 0}


def ask(path, rows, dtype="float64"):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert [one.name for one in session.get_inputs()] == ["X"]
    return dict(zip(names, session.run(None, {"X": rows.astype(dtype)}), strict=True))


@pytest.mark.parametrize(
    ("dtype", "close"), [("float64", 1e-13), ("float32", 1e-5)], ids=["float64", "float32"]
)
@pytest.mark.parametrize("members", [1, 2])
def test_numbers(tmp_path, dtype, close, members):
    model = FastGDRegressor(**SMALL, n_ensemble=members).fit(X, np.c_[Y, -Y])
    model.to_onnx(tmp_path / "model.onnx", dtype=dtype)
    found = ask(tmp_path / "model.onnx", X, dtype)
    assert list(found) == ["variable"]
    np.testing.assert_allclose(found["variable"], model.predict(X), rtol=0, atol=close)


CLASSES = {
    "two": LABELS == 0,
    "three": LABELS,
    "text": np.array(["setosa", "versicolor", "virginica"])[LABELS],
    "objects": np.array(["setosa", "versicolor", "virginica"], dtype=object)[LABELS],
    "one": np.full(len(X), 7),
    "labels": np.c_[LABELS == 0, LABELS > 0, X[:, 0] > 0].astype(int),
}


@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_classes(tmp_path, y):
    model = FastGDClassifier(**SMALL, n_ensemble=2).fit(X, y)
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", X)
    assert list(found) == ["label", "probabilities"]
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(X), rtol=0, atol=1e-13)
    assert np.array_equal(found["label"], model.predict(X))


def scaled(steps, y, dtype="float64"):
    """A pipeline, and what onnxruntime makes of what sklearn-onnx makes of it."""
    skl2onnx = pytest.importorskip("skl2onnx")
    rows = (20 * X + 7).astype(dtype)
    model = make_pipeline(*steps).fit(rows, y)
    content = skl2onnx.to_onnx(model, rows[:1]).SerializeToString()
    return model, rows, ask(content, rows, dtype)


@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_a_pipeline_is_exported_whole(y):
    model, rows, found = scaled([StandardScaler(), FastGDClassifier(**SMALL, n_ensemble=2)], y)
    assert list(found) == ["label", "probabilities"]
    np.testing.assert_allclose(
        found["probabilities"], model.predict_proba(rows), rtol=0, atol=1e-13
    )
    assert np.array_equal(found["label"], model.predict(rows))


@pytest.mark.parametrize("of", [Pipeline, FastGDClassifier, StandardScaler])
def test_probabilities_may_be_asked_for_as_an_array(of):
    skl2onnx = pytest.importorskip("skl2onnx")
    y = CLASSES[next(iter(CLASSES))]
    model = make_pipeline(StandardScaler(), FastGDClassifier(**SMALL)).fit(X, y)
    part = next(one for one in (model, *model) if isinstance(one, of))
    given = {id(part): {"div": "std"} if of is StandardScaler else {"zipmap": False}}
    made = [skl2onnx.to_onnx(model, X[:1], options=one, name="it") for one in (None, given)]
    assert made[0].graph.output == made[1].graph.output
    with pytest.raises(NameError, match="Option 'nocl' not in"):
        skl2onnx.to_onnx(model, X[:1], options={"nocl": True})


@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-13), ("float32", 1e-5)])
def test_a_pipeline_may_scale_some_columns(dtype, close):
    columns = make_column_transformer((MinMaxScaler(), [0, 2]), remainder="passthrough")
    model, rows, found = scaled([columns, FastGDRegressor(**SMALL)], Y, dtype)
    np.testing.assert_allclose(found["variable"][:, 0], model.predict(rows), rtol=0, atol=close)


@pytest.mark.parametrize("loss", only(["squared_error", "log_loss"], "log_loss"))
def test_probabilities_add_up(tmp_path, loss):
    model = FastGDClassifier(**SMALL, loss=loss).fit(X, LABELS)
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", X)["probabilities"]
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=0, atol=1e-13)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


@pytest.mark.slow
def test_batch_normalization_is_a_part_of_the_weights(tmp_path):
    model = FastGDRegressor(**SMALL, batch_norm=True, dropout=0.2).fit(X, Y)
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", X)["variable"]
    np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def fitted():
    return FastGDRegressor(**SMALL).fit(X, Y)


def with_activation(model, **options):
    """The fitted network with another activation; nothing is compiled."""
    other = copy.copy(model)
    other.members_ = [replace(run, options=run.options | options) for run in model.members_]
    return other


def by_numpy(model, activation):
    values = X
    for k, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        values = values @ weights + biases
        values = activation(values) if k < len(model.coefs_) - 1 else values
    return values


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation(tmp_path, fitted, name):
    with_activation(fitted, activation=name).to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", X)["variable"]
    numbers = ACTIVATIONS[name].function.parameters.values()
    known = by_numpy(fitted, lambda a: PLAIN[name](a, *numbers)[0])
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-13)


def test_numbers_of_a_function_are_those_of_the_fit(tmp_path, fitted):
    with_activation(fitted, activation="elu", elu_alpha=2.0).to_onnx(tmp_path / "model.onnx")
    known = by_numpy(fitted, lambda a: np.where(a > 0, a, 2 * np.expm1(np.minimum(a, 0))))
    found = ask(tmp_path / "model.onnx", X)["variable"]
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-13)


OPERATIONS = {
    "a + 1 - a * a / 3": lambda a: a + 1 - a * a / 3,
    "-abs(a) ** 1.5": lambda a: -(np.abs(a) ** 1.5),
    "sin(a) + cos(a)": lambda a: np.sin(a) + np.cos(a),
    "tan(a / 3)": lambda a: np.tan(a / 3),
    "sinh(a)": np.sinh,
    "cosh(a)": np.cosh,
    "tanh(a)": np.tanh,
    "expm1(a)": np.expm1,
    "log(1 + exp(a))": lambda a: np.log(1 + np.exp(a)),
    "log1p(a * a)": lambda a: np.log1p(a * a),
    "sqrt(abs(a))": lambda a: np.sqrt(np.abs(a)),
    "sign(a)": np.sign,
    "floor(3 * a)": lambda a: np.floor(3 * a),
    "minimum(a, maximum(-1, 0.5 * a))": lambda a: np.minimum(a, np.maximum(-1, 0.5 * a)),
    "where(a < 0, 1, 2) + where(a <= 0, 3, 4)": lambda a: (
        np.where(a < 0, 1.0, 2.0) + np.where(a <= 0, 3.0, 4.0)
    ),
    "where(a > 0, 1, 2) + where(a >= 0, 3, 4)": lambda a: (
        np.where(a > 0, 1.0, 2.0) + np.where(a >= 0, 3.0, 4.0)
    ),
    "fma(a, a, 0.5)": lambda a: a * a + 0.5,
    "relu(a) * sigmoid(a)": lambda a: np.maximum(a, 0) / (1 + np.exp(-a)),
}


@pytest.mark.parametrize("text", OPERATIONS)
def test_every_operation(tmp_path, fitted, text):
    with_activation(fitted, activation=fastgd.Function(text)).to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", X)["variable"]
    np.testing.assert_allclose(found, by_numpy(fitted, OPERATIONS[text]), rtol=1e-12, atol=1e-12)


def test_operations_are_complete():
    """Each of a formula's functions is tried above, or refused by its name."""
    refused = {"asin", "acos", "atan"}
    assert all(
        any(f"{name}(" in text for text in OPERATIONS) for name in FUNCTIONS.keys() - refused
    )


def test_what_onnx_lacks_is_named(tmp_path, fitted):
    model = with_activation(fitted, activation=fastgd.Function("atan(a)"))
    with pytest.raises(ValueError, match=r"got atan\(\)$"):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_classes_that_are_fractions_are_refused(tmp_path):
    model = FastGDClassifier(**SMALL).fit(X, LABELS.astype(float))
    with pytest.raises(ValueError, match="whole numbers, booleans or strings, got float64"):
        model.to_onnx(tmp_path / "model.onnx")


def test_a_type_must_be_one_of_two(tmp_path):
    model = FastGDClassifier(**SMALL).fit(X, LABELS)
    with pytest.raises(ValueError, match="dtype must be 'float64' or 'float32', got 'int8'"):
        model.to_onnx(tmp_path / "model.onnx", dtype="int8")

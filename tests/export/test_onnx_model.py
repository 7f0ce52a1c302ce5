"""to_onnx of runs and models: what onnxruntime makes of the file is what predict returns."""

import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import onnxruntime
import pytest

import fastgd
from exports import BOUNDED, MODELS, expected, run_of, table_of
from fastgd import Model
from fastgd.engine.formula_values import evaluate
from fastgd.export.onnx import Graph
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import ClassTarget, NumberTarget

ROWS = 30
RANDOM = np.random.default_rng(0)
TABLE = {
    "size": RANDOM.normal(50, 20, ROWS),
    "built": np.where(RANDOM.random(ROWS) > 0.7, np.nan, RANDOM.normal(1960, 30, ROWS)),
    "city": RANDOM.choice(["Köln", "Oslo", "Rome"], ROWS),
    "heating": [("gas", None, "wood")[k % 3] for k in range(ROWS)],
    "garden": RANDOM.random(ROWS) > 0.5,
}
ODD = {
    "size": [50.0, np.nan, 71.5, -3.0],
    "built": [np.nan, 1990.0, np.nan, 0.0],
    "city": ["Oslo", "Bonn", None, "Köln"],
    "heating": [None, "wood", "coal", "gas"],
    "garden": ["TRUE", "false", None, "True"],
}
"""What no training row had: unknown categories, cells missing where none were, other spellings."""

PREPARATION = Preparation.learn(TABLE)
TINY = {"hidden_size": 4, "alpha": 0.01, "iterations": 20, "bias": True}

pytestmark = pytest.mark.filterwarnings("ignore:.*(not|never|range) in the training table")


def ask(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(inputs)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def inputs_of(preparation, table, dtype="float64"):
    """The inputs of an ONNX model, (rows, 1) each: NaN and "" are missing."""
    inputs = {}
    for column in preparation.columns:
        cells = list(table[column.name])
        if column.name in preparation.texts:
            texts = ["" if cell is None or cell != cell else str(cell) for cell in cells]
            inputs[column.name] = np.array(texts, dtype=object).reshape(-1, 1)
        else:
            inputs[column.name] = np.array(cells, dtype=dtype).reshape(-1, 1)
    return inputs


QUIET = """
import sys
import numpy as np, onnxruntime
for path in sys.argv[1:]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = {one.name: np.zeros((3, one.shape[1]), "f8" if "double" in one.type else "f4")
            for one in session.get_inputs()}
    texts = {one.name for one in session.get_inputs() if "string" in one.type}
    rows |= {name: np.full((3, 1), "x", object) for name in texts}
    session.run(None, rows)
"""


def test_onnxruntime_has_no_warning(tmp_path):
    made = [run_of("silu, softmax"), *(MODELS[name]() for name in ("three networks", "classes"))]
    paths = []
    for k, each in enumerate(made):
        for dtype in ("float64", "float32"):
            paths.append(tmp_path / f"{k} {dtype}.onnx")
            each.to_onnx(paths[-1], dtype=dtype)
    done = subprocess.run(
        [sys.executable, "-c", QUIET, *paths], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "name", ["three networks", "several numbers", "classes", "classes by three sizes"]
)
def test_all_kinds_of_columns(tmp_path, name):
    model, table = MODELS[name](), table_of(500)
    model.to_onnx(tmp_path / "model.onnx")
    numbers = model.preparation.numbers(table).T
    inputs = inputs_of(model.preparation, table | {"sold": numbers[5]})
    found = ask(tmp_path / "model.onnx", inputs)
    found = found.get("variable", found.get("probabilities"))
    np.testing.assert_allclose(found, expected(model, table), rtol=1e-12, atol=1e-12)


def test_bounds_are_two_outputs_more(tmp_path):
    model, table = MODELS["a number"](), table_of(500)
    inputs = inputs_of(model.preparation, table | {"sold": model.preparation.numbers(table).T[5]})
    steady = replace(model, intervals=BOUNDED._replace(knots=np.zeros(1), spread=np.ones(1)))
    for each in (model, steady):
        each.to_onnx(tmp_path / "model.onnx", interval=0.8)
        found = ask(tmp_path / "model.onnx", inputs)
        bounds, known = [found[name][:, 0] for name in ("low", "high")], each.predict_interval
        np.testing.assert_allclose(np.transpose(bounds), known(table, 0.8), rtol=1e-12)


def test_single_precision_knows_the_day_and_the_hour(tmp_path):
    days = np.datetime64("2020-01-01") + np.arange(400)
    table = {"when": days, "y": np.sin(np.arange(400) / 58)}
    hours = {"when": days + np.timedelta64(7, "h")}
    preparation = Preparation.learn({"when": np.concatenate([days, hours["when"]])})
    run = fastgd.train(
        preparation.transform(table), table["y"], **TINY | {"alpha": 1e-4}, output="identity"
    )
    model = Model((run,), preparation, (NumberTarget("y", 0.0, 1.0),))
    model.to_onnx(tmp_path / "model.onnx", dtype="float32")
    rows = preparation.numbers(hours).astype("float32")
    found = ask(tmp_path / "model.onnx", {"when": rows})["variable"]
    np.testing.assert_allclose(found[:, 0], model.predict(hours), rtol=0, atol=1e-4)


def model_of(targets, y, *, table=TABLE, members=1, **options):
    preparation = Preparation.learn(table)
    X = preparation.transform(table)
    seeds = range(1, members + 1)
    given = TINY | {"output": "identity", "loss": "squared"} | options
    runs = tuple(fastgd.train(X, y, seed=seed, **given) for seed in seeds)
    return Model(runs, preparation, targets)


def numbers_model(**options):
    price = 3000 * TABLE["size"]
    target = NumberTarget.learn("price", price)
    return model_of((target,), target.encode(price), **options)


@pytest.mark.parametrize("table", [TABLE, ODD], ids=["table", "odd"])
@pytest.mark.parametrize("members", [1, 2])
def test_a_column_is_an_input(tmp_path, table, members):
    model = numbers_model(members=members)
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", inputs_of(model.preparation, table))
    assert list(found) == ["variable"]
    np.testing.assert_allclose(found["variable"][:, 0], model.predict(table), rtol=1e-13)


def test_all_numbers_may_be_float32(tmp_path):
    model = numbers_model()
    model.to_onnx(tmp_path / "model.onnx", dtype="float32")
    found = ask(tmp_path / "model.onnx", inputs_of(model.preparation, ODD, "float32"))
    assert found["variable"].dtype == np.float32
    np.testing.assert_allclose(found["variable"][:, 0], model.predict(ODD), rtol=1e-5)


def test_each_target_has_its_unit(tmp_path):
    names = ("size", "price")
    numbers = [TABLE["size"], 3000 * TABLE["size"] + 7]
    targets = tuple(map(NumberTarget.learn, names, numbers))
    encoded = [target.encode(each) for target, each in zip(targets, numbers, strict=True)]
    model = model_of(targets, np.hstack(encoded))
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", inputs_of(model.preparation, ODD))["variable"]
    np.testing.assert_allclose(found, model.predict(ODD), rtol=1e-13)


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (("flat", "house", "hut"), "texts"),
        (("False", "True"), "booleans"),
        (("1", "2", "30"), "numbers"),
        (("0.5", "1.5"), "numbers"),
    ],
)
def test_classes_are_those_of_the_training_table(tmp_path, classes, kind):
    target = ClassTarget("sort", classes, kind)
    y = np.eye(len(classes))[np.arange(ROWS) % len(classes)]
    given = {"activation": "leaky_relu", "output": "softmax", "loss": "cross_entropy"}
    model = model_of((target,), y, members=2, **given)
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", inputs_of(model.preparation, ODD))
    assert list(found) == ["label", "probabilities"]
    assert found["label"].tolist() == model.predict(ODD).tolist()
    known = model.predict_proba(ODD)
    np.testing.assert_allclose(found["probabilities"], known, rtol=0, atol=1e-13)


def test_a_loss_may_have_several_outputs_per_target(tmp_path):
    model = numbers_model(loss="gaussian")
    assert model.runs[0].weights[-1].shape[1] == 2
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", inputs_of(model.preparation, ODD))["variable"]
    np.testing.assert_allclose(found[:, 0], model.predict(ODD), rtol=1e-13)


def test_names_of_columns_come_first(tmp_path):
    theirs = ("label", "isnan_0", "probabilities", "constant_1", "x y")
    names = dict(zip(TABLE, theirs, strict=True))
    table, odd = ({names[name]: each[name] for name in each} for each in (TABLE, ODD))
    y = np.eye(2)[np.arange(ROWS) % 2]
    model = model_of((ClassTarget("sort", ("a", "b")),), y, table=table)
    model.to_onnx(tmp_path / "model.onnx")
    found = ask(tmp_path / "model.onnx", inputs_of(model.preparation, odd))
    assert list(found) == ["label_", "probabilities_"]
    assert found["label_"].tolist() == model.predict(odd).tolist()


def test_a_column_needs_a_name(tmp_path):
    model = numbers_model()
    first, *others = model.preparation.columns
    columns = (replace(first, name=""), *others)
    model = replace(model, preparation=replace(model.preparation, columns=columns))
    with pytest.raises(ValueError, match=r"^to_onnx needs columns that have names, got one"):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["column 'city'", "the names of columns", "the classes"])
def test_texts_that_utf_8_can_not_hold_are_named(tmp_path, where):
    table, classes = dict(TABLE), ("a", "b")
    if where == "the classes":
        classes = ("a", "b\ud800")
    elif where == "column 'city'":
        table["city"] = np.where(TABLE["city"] == "Oslo", "b\ud800", TABLE["city"])
    else:
        table["b\ud800"] = table.pop("city")
    y = np.eye(2)[np.arange(ROWS) % 2]
    model = model_of((ClassTarget("sort", classes),), y, table=table)
    message = rf"^to_onnx needs texts without lone surrogates, got 'b\\ud800' in {where}$"
    with pytest.raises(ValueError, match=message):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


X = np.linspace(-2, 2, 12).reshape(4, 3)
Y = [0.0, 1.0, 1.0, 0.0]


RANGE = np.concatenate([np.logspace(-30, 30, 400), np.linspace(0.01, 90, 400), [710.4, np.inf]])
SOFTPLUS = ("add", ("maximum", "a", 0.0), ("log1p", ("exp", ("neg", ("abs", "a")))))
NUMBERS = {
    "log1p": np.r_[RANGE, -1 + np.logspace(-7, 0, 400), -np.logspace(-30, -1, 400), -1, 0],
    "cos": np.r_[RANGE[:-1], 1e15],
    "tan": np.r_[np.linspace(-1.3, 1.3, 400), 1e15],
    "sinh": np.r_[-RANGE, RANGE],
    "cosh": np.r_[-RANGE, RANGE],
    "expm1": np.r_[-RANGE, RANGE],
}
FUNCTIONS = {
    name: ((name, "a"), partial(evaluate, name), numbers) for name, numbers in NUMBERS.items()
} | {
    "softplus": (
        SOFTPLUS,
        lambda a: np.maximum(a, 0.0) + evaluate("log1p", evaluate("exp", -abs(a))),
        np.linspace(-80, 80, 401),
    )
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_equal_up_to_rounding(name, dtype):
    tree, known_by, numbers = FUNCTIONS[name]
    numbers = numbers.astype(dtype)
    graph = Graph(dtype)
    graph.numbers(graph.formula(tree, {"a": graph.input("X", 1)}), "variable", 1)
    session = onnxruntime.InferenceSession(
        graph.model().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    [found] = session.run(None, {"X": numbers.reshape(-1, 1)})
    with np.errstate(over="ignore"):
        known = known_by(numbers.astype(float)).astype(dtype)
    few = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(found[:, 0], known, rtol=few, atol=few if name == "cos" else 0)


@pytest.mark.parametrize("bias", [True, False])
def test_a_run_has_the_inputs_and_outputs_of_its_network(tmp_path, bias):
    run = fastgd.train(X, np.c_[Y, Y], **TINY | {"bias": bias})
    run.to_onnx(tmp_path / "run.onnx")
    found = ask(tmp_path / "run.onnx", {"X": X})
    assert list(found) == ["variable"]
    np.testing.assert_allclose(found["variable"], run.predict(X), rtol=0, atol=1e-13)


def test_a_recorded_point_is_a_network_too(tmp_path):
    run = fastgd.train(X, Y, **TINY, record_every=10, record_weights=True)
    run.at(1).to_onnx(tmp_path / "run.onnx")
    found = ask(tmp_path / "run.onnx", {"X": X})["variable"]
    np.testing.assert_allclose(found, run.at(1).predict(X), rtol=0, atol=1e-13)
    assert abs(found - run.predict(X)).max() > 1e-4


@pytest.mark.slow
def test_batch_normalization_is_a_part_of_the_weights_without_biases_too(tmp_path):
    run = fastgd.train(X, Y, **TINY | {"bias": False, "batch_norm": True})
    run.to_onnx(tmp_path / "run.onnx")
    found = ask(tmp_path / "run.onnx", {"X": X})["variable"]
    np.testing.assert_allclose(found, run.predict(X), rtol=0, atol=1e-12)

"""Tables of any library: read to the same bits, and answered in kind."""

import datetime
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastgd
from fastgd.checks.messages import shown
from fastgd.checks.numbers import numbers_of, reals_of
from fastgd.sklearn import FastGDRegressor, GroupedRegressor
from fastgd.tables.column_values import cells_of, columns_of
from fastgd.tables.preparation import Preparation

# Modin warns of what it does with pandas.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*defaulting to pandas"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

RANDOM = np.random.default_rng(5)
ROWS = 60
SIZE, CITY = RANDOM.integers(30, 200, ROWS), RANDOM.choice(["Bonn", "Oslo", "Rome"], ROWS)
DAYS = [datetime.datetime(2026, 1, 1) + datetime.timedelta(hours=7 * k) for k in range(ROWS)]
HOUSES = {
    "size": SIZE.tolist(),
    "age": [None if k % 9 == 0 else k / 7 for k in RANDOM.permutation(ROWS).tolist()],
    "city": [None if k % 8 == 0 else city for k, city in enumerate(CITY.tolist())],
    "garden": (RANDOM.random(ROWS) > 0.5).tolist(),
    "sold": DAYS,
    "price": (3.0 * SIZE * (1 + (CITY == "Rome"))).tolist(),
    "sort": np.where(SIZE > 100, "dear", "cheap").tolist(),
}


def _pandas(columns):
    count = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=range(100, 100 + count)[::-1])


def _arrow_backed(columns):
    return _pandas(columns).convert_dtypes(dtype_backend="pyarrow")


def _categories(columns):
    frame = _pandas(columns).convert_dtypes()
    return frame.astype(dict.fromkeys(frame.select_dtypes("string"), "category"))


def _polars(columns):
    return polars.DataFrame(columns)


def _polars_lazy(columns):
    return _polars(columns).lazy()


def _pyarrow(columns):
    return pyarrow.table(columns)


def _pyarrow_dictionaries(columns):
    table = _pyarrow(columns)
    for place, field in enumerate(table.schema):
        if str(field.type) == "string":
            cells = table.column(place).dictionary_encode()
            table = table.set_column(place, field.name, cells)
    return table


def _modin(columns):
    pytest.importorskip("modin", reason="it needs a pandas that is older than others do")
    from modin.config import Engine

    Engine.put("Python")  # without Ray or Dask
    import modin.pandas

    return modin.pandas.DataFrame(_pandas(columns))


def _duckdb(columns):
    duckdb = pytest.importorskip("duckdb", reason="it has no wheel for Python 3.15")
    return duckdb.from_arrow(_pyarrow(columns))


LIBRARIES = [
    _pandas, _arrow_backed, _categories, _polars, _polars_lazy, _pyarrow, _pyarrow_dictionaries,
    _modin, _duckdb,
]  # fmt: skip


@pytest.fixture(params=LIBRARIES, ids=lambda make: make.__name__[1:])
def make(request):
    """What makes a table of a library from a dict of columns."""
    return request.param


def without(name):
    return {key: column for key, column in HOUSES.items() if key != name}


def plain(answer):
    """The cells of a Series of any library."""
    return np.asarray(answer.to_pandas() if hasattr(answer, "to_pandas") else answer)


def is_like(answer, table):
    """Whether a Series, or a DataFrame, is of the library of a table."""
    library = {"duckdb": "pyarrow", "_duckdb": "pyarrow"}
    own, found = (type(one).__module__.partition(".")[0] for one in (table, answer))
    return found == library.get(own, own)


@pytest.fixture(scope="module")
def priced():
    return fastgd.fit(without("sort"), "price", hidden_size=(), folds=2)


@pytest.fixture(scope="module")
def sorted_out():
    return fastgd.fit(without("price"), "sort", hidden_size=(), folds=2)


def test_fit_reads_the_same_bits(make, priced):
    model = fastgd.fit(make(without("sort")), "price", hidden_size=(), folds=2)
    assert model.preparation == priced.preparation
    assert model.scores == priced.scores
    assert np.array_equal(model.predict(HOUSES), priced.predict(HOUSES))


def test_a_preparation_reads_the_same_bits(make):
    table, known = make(without("sort")), without("sort")
    learned = Preparation.learn(table)
    assert learned == Preparation.learn(known)
    for method in (learned.transform, learned.numbers):
        assert np.array_equal(method(table), method(known), equal_nan=True)
    assert learned.remarks(make(HOUSES), ()) == learned.remarks(HOUSES, ()) == ["Not used: sort"]


def test_predictions_are_a_series_of_the_library(make, priced, sorted_out):
    table = make(HOUSES)
    for model in (priced, sorted_out):
        found = model.predict(table)
        assert is_like(found, table)
        assert plain(found).tolist() == model.predict(HOUSES).tolist()
    if hasattr(table, "index"):
        assert list(found.index) == list(table.index)
        assert found.name == "sort"


def test_probabilities_are_an_array(make, sorted_out):
    found = sorted_out.predict_proba(make(HOUSES))
    assert np.array_equal(found, sorted_out.predict_proba(HOUSES))


def test_several_targets_are_a_table(priced):
    table = {"a": [1.0, 2.0], "b": [3.0, 1.0]}
    run = fastgd.train(np.eye(2), np.eye(2), iterations=1, output="identity")
    targets = (priced.targets[0], replace(priced.targets[0], name="tax"))
    model = fastgd.Model((run,), Preparation.learn(table), targets)
    found = model.predict(_pandas(table))
    assert (list(found), list(found.index)) == (["price", "tax"], [101, 100])
    assert found.to_numpy().tolist() == model.predict(table).tolist()


def test_groups_are_fitted_and_predicted_alike(make):
    few = {"hidden_size": 2, "iterations": 20, "start": "own", "test_fraction": 0}
    known = {name: HOUSES[name] for name in ("size", "age", "garden", "city", "price")}
    expected = fastgd.fit_groups(known, "city", "price", **few)
    models, table = fastgd.fit_groups(make(known), "city", "price", **few), make(known)
    assert models.groups == expected.groups
    found = models.predict(table)
    assert is_like(found, table)
    assert np.array_equal(plain(found), expected.predict(known), equal_nan=True)


def test_classes_of_unknown_groups_are_missing_strings(make):
    few = {"hidden_size": 2, "iterations": 20, "start": "own", "test_fraction": 0}
    known = {name: HOUSES[name] for name in ("size", "city", "sort")}
    table = make({"size": [40, 50], "city": ["Rome", "Lima"]})
    found = fastgd.fit_groups(known, "city", "sort", **few).predict(table)
    assert is_like(found, table)
    assert pd.isna(plain(found)).tolist() == [False, True]
    if make is _polars:
        assert str(found.dtype) == "String"


def test_missing_booleans_have_a_type_of_their_own():
    few = {"hidden_size": 2, "iterations": 20, "start": "own", "test_fraction": 0}
    known = {name: HOUSES[name] for name in ("size", "city", "garden")}
    table = polars.DataFrame({"size": [40, 50], "city": ["Rome", "Lima"]})
    found = fastgd.fit_groups(known, "city", "garden", **few).predict(table)
    assert str(found.dtype) == "Boolean"
    assert found.is_null().to_list() == [False, True]


def test_samples_are_read_alike(make):
    X = {"a": [0, 0, 1, 1], "b": [0.0, 1.0, 0.0, 1.0], "c": [True] * 4}
    y = {"y": [0, 1, 1, 0]}
    expected = fastgd.train(np.column_stack(list(X.values())), y["y"], iterations=5)
    table = make(X)
    run = fastgd.train(table, make(y), iterations=5)
    assert [w.tobytes() for w in run.weights] == [w.tobytes() for w in expected.weights]
    assert isinstance(run.predict(table), np.ndarray)  # a network, unlike a model, takes arrays
    sweep = fastgd.sweep(table, make(y), iterations=5, validation=(table, make(y)))
    assert sweep.final_error == expected.final_error


def test_a_column_is_read_alike(make):
    table = make({"y": [0, 1, 1, 0], "weight": [1.0, 2.0, 1.0, 0.5]})
    if not hasattr(table, "__getitem__") or make in (_polars_lazy, _duckdb):
        pytest.skip("its columns are no data of their own")
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], table["y"]
    run = fastgd.train(X, y, iterations=5, sample_weight=table["weight"])
    known = fastgd.train(X, [0, 1, 1, 0], iterations=5, sample_weight=[1.0, 2.0, 1.0, 0.5])
    assert run.final_error == known.final_error


def test_a_missing_number_is_named_by_row_and_column(make):
    table = make({"a": [0, 0, 1], "b": [0.5, None, 0.0]})
    with pytest.raises(
        ValueError, match=r"^X must be finite, got a missing value in column 'b', row 1$"
    ):
        fastgd.train(table, [0, 1, 0])


def test_a_cell_that_is_no_number_is_named(make):
    table = make({"a": [0, 0, 1], "b": ["x", "y", "z"]})
    with pytest.raises(
        TypeError, match=r"^X must hold real numbers, got 'x' in column 'b', row 0$"
    ):
        fastgd.train(table, [0, 1, 0])


def test_a_column_of_numbers_of_any_type_is_read(make):
    cells = [Decimal("0"), Decimal("1.5"), Decimal("1"), Decimal("0")]
    table = make({"y": cells})
    y = table if make in (_polars_lazy, _duckdb) else table["y"]
    assert numbers_of("y", y).ravel().tolist() == [0, 1.5, 1, 0]
    assert reals_of("y", pd.Series([1, None, True], dtype=object)).tolist()[::2] == [1, 1]


def test_a_cell_of_a_column_is_named():
    with pytest.raises(TypeError, match=r"^y must hold real numbers, got 'b' in row 1$"):
        numbers_of("y", pd.Series([1, "b"], dtype=object))


def _twice(cells, dtype):
    frame = pd.DataFrame({"a": cells, "b": cells}, dtype=dtype)
    return frame.set_axis(["a", "a"], axis=1)


@pytest.mark.parametrize("dtype", ["float64", "Int64"])
def test_columns_of_one_name_are_numbered(dtype):
    assert numbers_of("X", _twice([1, 2], dtype)).tolist() == [[1, 1], [2, 2]]
    with pytest.raises(ValueError, match=r"^X must be finite, got a missing .* column 0, row 1$"):
        numbers_of("X", _twice([1, None], dtype))


def test_columns_of_one_name_in_other_libraries():
    table = pyarrow.Table.from_arrays([pyarrow.array([1, 2])] * 2, names=["a", "a"])
    assert numbers_of("X", table).tolist() == [[1, 1], [2, 2]]
    with pytest.raises(ValueError, match=r"^columns must have different names, got 'a' twice$"):
        columns_of(table)


def test_a_column_of_several_numbers_per_row_is_none_of_a_table():
    pairs = polars.Series("a", [[1, 2], [3, None]], dtype=polars.Array(polars.Float64, 2))
    for column in (pairs, polars.Series("a", [{"x": 1}, {"x": 2}])):
        with pytest.raises(TypeError, match=r"^X must hold real numbers, got .*'a', row 0$"):
            numbers_of("X", column.to_frame())


def test_a_table_is_not_shown_unless_it_is_wrong():
    class Table(dict):  # the repr of a query of DuckDB computes it
        def __repr__(self):
            return asked.append("repr") or ""

    asked = []
    assert list(columns_of(Table({"a": [1, 2]}))) == ["a"]
    assert asked == []


def test_a_column_in_place_of_a_table_is_named(make, priced):
    table = make({"size": [1, 2]})
    if make in (_polars_lazy, _duckdb):
        pytest.skip("its columns are no data of their own")
    column = table["size"]
    with pytest.raises(TypeError, match=r"^a table must be a DataFrame or a dict of col") as error:
        priced.predict(column)
    assert f"got {shown(column)} (of type {type(column).__name__})" in str(error.value)


def test_groups_of_estimators_are_read_alike(make):
    known = {name: HOUSES[name] for name in ("city", "size", "price")}
    known["city"] = CITY.tolist()
    table, frame = make(known), _pandas(known)
    network = FastGDRegressor((3,), max_iter=20, learning_rate_init=0.05, random_state=0)
    model = GroupedRegressor(network, ["city"]).fit(table, HOUSES["price"])
    expected = GroupedRegressor(network, ["city"]).fit(frame, HOUSES["price"])
    assert model.groups_ == ["Bonn", "Oslo", "Rome"]
    assert np.array_equal(model.predict(table), expected.predict(frame))
    # The sums of scikit-learn's scaler depend on how a table lies in memory.
    model.set_params(estimator=make_pipeline(StandardScaler(), network))
    assert model.fit(table, HOUSES["price"]).predict(table).shape == (ROWS,)
    with pytest.raises(ValueError, match=r"^groups must be columns of X, got 'shop'$"):
        GroupedRegressor(network, "shop").fit(table, HOUSES["price"])


ROME = datetime.timezone(datetime.timedelta(hours=2))
CELLS = {
    "integers": [1, None, 3],
    "numbers": [1.5, None, -1.0],
    "decimals": [Decimal("1.5"), None, Decimal("2.25")],
    "strings": ["a", None, "b"],
    "booleans": [True, None, False],
    "moments": [DAYS[0], None, DAYS[1]],
    "moments with time zones": [DAYS[0].replace(tzinfo=ROME), None, DAYS[1].replace(tzinfo=ROME)],
    "days": [DAYS[0].date(), None, DAYS[9].date()],
    "times of day": [datetime.time(7, 30), None, datetime.time(0)],
    "durations": [datetime.timedelta(hours=7), None, datetime.timedelta(days=2)],
    "nothing": [None, None, None],
}


@pytest.mark.parametrize("kind", CELLS)
def test_cells_of_every_kind_are_read_alike(make, kind):
    if (make, kind) == (_duckdb, "durations"):
        pytest.skip("an interval of DuckDB has months, which are no number of days")
    column = cells_of(kind, columns_of(make({kind: CELLS[kind]}))[kind])
    expected = cells_of(kind, CELLS[kind])
    assert (column.kind, column.texts) == (expected.kind, expected.texts)


def test_a_table_needs_narwhals_and_arrays_do_not(monkeypatch, priced):
    frame = _pandas({"a": [0.0, 1.0], "b": [1.0, 0.0]})
    monkeypatch.setitem(sys.modules, "narwhals.stable.v2", None)
    needs = r'^a table of pandas needs narwhals: pip install "fastgd\[dataframe\]"'
    for call in (lambda: fastgd.fit(frame, "b"), lambda: priced.predict(frame)):
        with pytest.raises(ImportError, match=needs):
            call()
    assert priced.predict(HOUSES).shape == (ROWS,)
    with pytest.raises(FileNotFoundError):  # a path needs none
        priced.predict(Path("no.csv"))
    run = fastgd.train(frame, [0, 1], iterations=1)  # NumPy reads it
    assert run.final_error == fastgd.train(frame.to_numpy(), [0, 1], iterations=1).final_error


@pytest.mark.slow
def test_narwhals_is_imported_for_tables_only():
    code = (
        "import sys, fastgd, pandas; fastgd.train([[0, 1]], [1], iterations=1)\n"
        "fastgd.train(pandas.DataFrame([[0, 1]]), pandas.Series([1]), iterations=1)\n"
        "fastgd.fit({'a': [*range(40)], 'b': [*range(40)]}, 'b', hidden_size=4, keep=['a'])\n"
        "assert 'narwhals' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

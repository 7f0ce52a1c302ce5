"""Lags: the last values of the target as inputs, against pandas' shift and by hand."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.models.changes import Skip
from fastgd.models.cutoffs import Cutoffs
from fastgd.models.groups import _read
from fastgd.models.lags import Lags
from fastgd.models.row_splits import RowOrder, encode_rows, hold_out
from fastgd.tables.columns import Decisions
from fastgd.tables.preparation import Preparation
from shops import SHORT, panel


def series(rows=60, seed=1):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=rows)
    y = np.cumsum(draw.normal(1, 1, rows)) + x
    return {"day": np.arange(rows) * 2.0, "x": x, "y": y}


def learned(table, lags, horizon):
    codes = pd.factorize(table["shop"], sort=True)[0]
    rows = codes, table["year"].to_numpy(float), table["sales"].to_numpy()
    found, drawn = Lags.learn(RowOrder("year", None), "sales", (lags, horizon), rows, 0)
    return found, drawn, found.columns(*rows[:2], drawn)[0]


def shifted(table, steps):
    ordered = table.sort_values("year")
    return ordered.groupby("shop")["sales"].shift(steps).reindex(table.index).to_numpy()


@pytest.mark.parametrize("horizon", [1, 4])
def test_lags_are_what_pandas_shifts(horizon):
    table = panel()
    found, drawn, columns = learned(table, 3, horizon)
    assert list(columns) == found.names
    place = table.sort_values("year").groupby("shop").cumcount().reindex(table.index).to_numpy()
    assert ((drawn > 0) == (place >= 3)).all()
    assert (drawn <= np.minimum(horizon, np.maximum(place - 2, 0))).all()
    assert set(drawn) == {*range(horizon + 1)}
    for steps in range(1, horizon + 1):
        mine = drawn == steps
        for lag in range(3):
            by_hand = shifted(table, steps + lag)[mine]
            assert np.array_equal(columns[f"sales lag {lag + 1}"].values[mine], by_hand)
        if horizon > 1:
            assert (columns["sales steps ahead"].values[mine] == steps).all()


def test_no_input_of_a_forecast_knows_a_target_after_the_cutoff():
    table, horizon = panel(), 3

    def inputs(table):
        columns = {name: table[name].to_numpy() for name in table}
        read = _read(columns, "shop", "sales", None, Decisions(), None, "year")
        plan = Cutoffs.of(
            read.order, read.time, read.codes, read.keys, 0.2, horizon, 3,
            lambda codes: hold_out(codes, 3, (0.2, 0.0), 10, 0)[0], 2,
        )  # fmt: skip
        read = read.with_lags(2, plan, 0)
        found = [read.encoded(split) for split in plan.splits[:-1]]
        return plan, read, [(rows, prepared) for prepared, _, rows, _ in found]

    plan, read, before = inputs(table)
    for cutoff, (rows, preparation) in enumerate(before):
        after = plan.step >= plan.starts[cutoff][read.codes]
        changed = table.assign(sales=np.where(after, -1e6, table["sales"]))
        again, prepared = inputs(changed)[2][cutoff]
        assert prepared == preparation
        assert np.array_equal(again.inputs, rows.inputs)
        assert rows.test.sum() == 3 * horizon
        # Those that are judged use the values before the cutoff: a step ahead of the last one.
        first = plan.step[plan.splits[cutoff].some] == plan.starts[cutoff][rows.codes]
        before_it = plan.splits[cutoff].some & ~plan.splits[cutoff].test
        lag = preparation.columns[[c.name for c in preparation.columns].index("sales lag 1")]
        at = preparation.names.index("sales lag 1")
        for code in range(3):
            own = table[before_it & (read.codes == code)].sort_values("year")["sales"].iloc[-1]
            [found] = rows.inputs[first & (rows.codes == code), at]
            assert found * lag.scale + lag.mean == pytest.approx(own)


def with_lags(new, rows):
    """A table with its lags by hand: the places in the ordered targets that they come from."""
    names = ["y lag 1", "y lag 2", "y steps ahead"]
    return new | {name: np.array([row[k] for row in rows]) for k, name in enumerate(names)}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_new_rows_have_the_last_values_known():
    table = series()
    y = table["y"]
    given = {"test_last": "day", "lags": 2, "horizon": 3, "hidden_size": (), "keep": ["day"]}
    model = fastgd.fit(table, "y", **given)
    # In any order; a row that skips one; one beyond the horizon; one that was learned from.
    days = np.array([124.0, 120.0, 118.0, 130.0, 80.0])
    new = {"day": days, "x": np.zeros(5)}
    by_hand = [(y[-1], y[-2], s) for s in (3, 1)] + [(y[-2], y[-3], 1), (y[-1], y[-2], 3)]
    by_hand.append((np.nan, np.nan, 1))
    assert np.array_equal(model.predict(new), model.predict(with_lags(new, by_hand)))
    # The table's own values: those before the first one to forecast, and those learned from.
    ahead = {"day": np.array([120.0, 122.0, 124.0]), "x": np.zeros(3)}
    known = ahead | {"y": np.array([7.0, 8.0, 9.0])}
    by_hand = with_lags(ahead, [(y[-1], y[-2], s) for s in (1, 2, 3)])
    assert np.array_equal(model.predict(known), model.predict(by_hand))
    known["y"][1:] = np.nan
    by_hand = [(y[-1], y[-2], 1), (7.0, y[-1], 1), (7.0, y[-1], 2)]
    assert np.array_equal(model.predict(known), model.predict(with_lags(ahead, by_hand)))
    rows = np.arange(2, 60)
    own = {name: column[rows] for name, column in table.items()}
    by_hand = [(y[k - 1], y[k - 2], 1) for k in rows]
    expected = model.predict(with_lags(own, by_hand))
    assert np.array_equal(model.predict(table)[2:], expected)


def test_rows_beyond_the_horizon_are_remarked():
    model = fastgd.fit(series(), "y", test_last="day", lags=2, hidden_size=(), drop=["day"])
    remarks = model.remarks({"day": [120.0, 122.0, 124.0], "x": [0.0, 0.0, 0.0]})
    rest = "ahead, the horizon: predicted as the last step of it"
    assert remarks == [f"day: 2 rows more than 1 step {rest}"]
    assert model.remarks({"day": [120.0], "x": [0.0]}) == []
    with pytest.raises(ValueError, match="the table must have the column 'day', which orders its"):
        model.predict({"x": [0.0]})


def test_the_change_is_learned_and_the_last_value_is_a_rival(tmp_path):
    table = series(80)
    model = fastgd.fit(table, "y", test_last="day", lags=2, hidden_size=[(), (4,)])
    y = table["y"]
    judged = np.abs(np.diff(y))[-16:]
    assert model.scores["last value"]["mean |error|"] == pytest.approx(judged.mean())
    assert model.scores["model"]["mean |error|"] < judged.mean() < 3
    assert not any("alone it explains" in note for note in model.notes)
    # The level of what follows was never seen.
    new = {"day": [160.0], "x": [0.0]}
    with pytest.warns(UserWarning, match="y lag [12]: far outside"):
        [far] = model.predict(new | {"y lag 1": [y.max() + 200], "y lag 2": [y.max() + 199]})
    assert far - y.max() - 200 == pytest.approx(1, abs=4)
    assert model.predict({"day": [160.0], "x": [0.0]})[0] == pytest.approx(y[-1] + 1, abs=3)
    model.save(tmp_path / "model.npz")
    loaded = fastgd.load(tmp_path / "model.npz")
    assert np.array_equal(loaded.predict(new), model.predict(new))
    assert loaded.lags.values.tolist() == y[-3:].tolist()
    with pytest.warns(fastgd.TrainingWarning, match="y lag"):  # of first rows
        assert model.importances(table).names[0] == "y lag 1"
    # Of a target without memory the level is learned.
    noise = table | {"y": np.random.default_rng(0).normal(size=80) + table["x"]}
    model = fastgd.fit(noise, "y", test_last="day", lags=2, hidden_size=(4,))
    assert model.runs[0].hidden_size == (4,)


@pytest.mark.parametrize("hidden", [(), (3,), (3, 2)])
def test_a_folded_network_adds_the_last_value(hidden):
    draw = np.random.default_rng(0)
    X, y = draw.normal(size=(20, 3)), draw.normal(size=20)
    given = {"activation": "relu", "output": "identity", "iterations": 5, "record_every": 5}
    run = fastgd.train(X, y, alpha=0.01, hidden_size=hidden, bias=True, **given)
    skip = Skip(np.array([0.0, 2.0, 0.0, -0.5]), 3.0)
    folded = skip.folded(run)
    expected = 3.0 * run.predict(X) + (2 * X[:, [1]] - 0.5)
    assert folded.predict(X) == pytest.approx(expected, abs=1e-12)
    assert folded.hidden_size == tuple(size + 2 for size in hidden)


@pytest.fixture(scope="module")
def models():
    given = {"by": "shop", "target": "sales", "test_last": "year", "horizon": 2, **SHORT}
    return fastgd.fit_groups(panel(), **given, lags=2)


def test_groups_forecast_from_their_own_last_values(models, tmp_path):
    table = panel().sort_values("year")
    new = pd.DataFrame({"shop": ["b", "a", "b", "z"], "year": [2015, 2014, 2014, 2014], "price": 0})
    last = {shop: own["sales"].to_numpy() for shop, own in table.groupby("shop")}
    by_hand = new.assign(**{"sales steps ahead": [2, 1, 1, 1]})
    for lag in (1, 2):
        by_hand[f"sales lag {lag}"] = [last[s][-lag] if s in last else np.nan for s in new["shop"]]
    with pytest.warns(UserWarning, match=r"sales lag [12]: missing in 1 row"):
        expected = models.predict(by_hand)
    assert np.array_equal(models.predict(new[:3]), expected[:3])
    assert np.isnan(expected.iloc[3])
    models.save(tmp_path / "models.npz")
    loaded = fastgd.load(tmp_path / "models.npz")
    assert np.array_equal(loaded.predict(new[:3]), expected[:3])
    assert models.remarks(new[:3]) == ["year: after 2013, the last year learned, in 3 rows"]
    bounds = models.predict_interval(new[:3], 0.6).to_numpy()
    assert (bounds[:, 0] < expected[:3]).all()
    assert (bounds[:, 1] > expected[:3]).all()
    assert any("sales lag 1 to 2: sales as last known 1 to 2 steps" in n for n in models.notes)


def test_errors_of_groups_are_those_of_their_changes(models):
    assert models.fits.base is not None
    compared = models.comparison.set_index("shop")
    # A random walk with a trend: the constant is the mean change added to the last value.
    assert compared["constant"].mean() < 1.2 * compared["last value"].mean()
    assert (models.errors["test_error"] < 6).all()


@pytest.mark.parametrize(
    ("table", "given", "message"),
    [
        ({}, {"lags": 2}, "lags must be 0 without test_last, which orders the rows, got 2"),
        ({}, {"lags": -1, "test_last": "day"}, "lags must be at least 0, got -1"),
        ({}, {"horizon": 2, "test_last": "day"}, "horizon must be 1 without lags, got 2"),
        (
            {},
            {"lags": 60, "test_last": "day"},
            "lags must be below the number of rows, got 60 with 60 rows",
        ),
        (
            {},
            {"lags": 55, "test_last": "day"},
            "the table must have at least 65 rows with a target for 55 lags, got 60",
        ),
        (
            {"day": np.arange(60) // 2 + 1900.0},
            {"lags": 2, "test_last": "day"},
            "lags needs one row for each value of 'day', got 1900 twice: fit_groups has a series "
            "for each group",
        ),
        (
            {"y": np.arange(60) % 2},
            {"lags": 2, "test_last": "day"},
            "lags must be 0 for the class target 'y', got 2",
        ),
        (
            {"y": np.tile(["no", "yes"], 30)},
            {"lags": 2, "test_last": "day"},
            "lags must be 0 for the class target 'y', got 2",
        ),
    ],
)
def test_what_lags_need(table, given, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fastgd.fit(series() | table, "y", **given)


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        ({}, {"test_last": None}, "lags must be 0 without test_last, which orders the rows, got 2"),
        ({"year": 1}, {}, "lags needs one row for each value of 'year', got 1 twice in 'a'"),
        (
            {},
            {"horizon": 18},
            "horizon must leave 3 steps with all lags before the first of 3 cutoffs in each group, "
            "got 18 with 24 steps in 'a'",
        ),
        ({"sales": "many"}, {}, "lags must be 0 for a target of classes, got 2"),
    ],
)
def test_what_lags_of_groups_need(change, given, message):
    table = panel()
    for name, value in change.items():
        table[name] = table[name].where(table["shop"] != "a", value) if value == 1 else value
        if value == "many":
            table.loc[::2, name] = "few"
    given = {"by": "shop", "target": "sales", "test_last": "year", "lags": 2} | given
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        fastgd.fit_groups(table, **given)


def test_a_group_that_has_no_row_with_all_lags_is_named():
    table = panel()
    table = table[(table["shop"] != "b") | (table["year"] < 1993)]
    with pytest.raises(
        ValueError, match="lags must be below the number of rows, got 3 with 3 rows"
    ):
        learned(table, 3, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"codes": np.array([0, 0, 1])},
        {"codes": np.array([0, 0, -1])},
        {"times": np.array([1.0, np.nan, 3.0])},
        {"values": np.array([1.0, 2.0])},
        {"lags": 0},
        {"step": 0.0},
        {"target": "x"},
        {"order": RowOrder("day", "year")},
    ],
)
def test_damaged_lags_are_refused(tmp_path, change):
    table = series()
    model = fastgd.fit(table, "y", test_last="day", lags=2, hidden_size=())
    assert len(model.lags.codes) == 3
    damaged = replace(model, lags=model.lags._replace(**change))
    damaged.save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match="must be a whole file that fastgd has saved"):
        fastgd.load(tmp_path / "model.npz")


def test_a_folder_knows_its_lags(tmp_path):
    given = {"by": "shop", "target": "sales", "test_last": "year", "cutoffs": 1, **SHORT}
    first = fastgd.fit_groups(panel(), **given, lags=2, out=tmp_path / "fit")
    again = fastgd.fit_groups(panel(), **given, lags=2, out=tmp_path / "fit")
    assert np.array_equal(first.measured["test_error"], again.measured["test_error"])
    with pytest.raises(ValueError, match="got one with lags 2 instead of 1"):
        fastgd.fit_groups(panel(), **given, lags=1, out=tmp_path / "fit")


def test_a_lag_that_explains_a_trend_is_no_leak():
    day = np.arange(60.0)
    table = {"day": day, "y": 3 * day + np.random.default_rng(0).normal(size=60)}
    lagged = table | {"of": np.repeat(["a", "b"], 30)}
    given = {"test_last": "day", "lags": 1}
    for found in (
        fastgd.fit(table, "y", hidden_size=(), drop=["day"], **given),
        fastgd.fit_groups(lagged, "of", "y", drop=["day"], **given, **SHORT),
    ):
        assert np.corrcoef(table["y"][1:], table["y"][:-1])[0, 1] ** 2 > 0.999
        assert not any("alone it explains" in note for note in found.notes)


def test_lags_have_no_bins(monkeypatch):
    asked = []

    def spy(*given, **more):
        asked.append(given[4])
        return encode_rows(*given, **more)

    monkeypatch.setattr("fastgd.models.fit.encode_rows", spy)
    fastgd.fit(series(), "y", test_last="day", lags=1, hidden_size=())
    assert {tuple(decisions.plain) for decisions in asked} == {("y lag 1",)}
    table = {"x": np.arange(30.0) ** 2, "y lag 1": np.arange(30.0) ** 2}
    decisions = Decisions(bins=4, plain=["y lag 1"])
    preparation, _ = Preparation.learn_from(table, slice(None), decisions)
    assert [len(column.names) for column in preparation.columns] == [4, 1]


def test_a_forecast_by_dates_needs_no_warning():
    days = pd.date_range("2020-01-31", periods=60, freq="ME").strftime("%d/%m/%Y")
    table = series() | {"day": days.to_numpy(object)}
    model = fastgd.fit(table, "y", test_last="day", lags=1, hidden_size=())
    new = {"day": ["31/01/2025"], "x": [0.0]}
    [remark] = model.remarks(new)
    assert remark.startswith("day: 100 % of the rows lie after 2024-12-31")
    assert model.predict(new)[0] == pytest.approx(table["y"][-1] + 1, abs=3)

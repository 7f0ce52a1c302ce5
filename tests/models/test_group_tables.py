"""A model per group: what labels and inputs a table may have, and what is refused."""

import datetime
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.checks import numbers as memory
from fastgd.checks.messages import TrainingWarning
from fastgd.models.group_keys import Keys
from fastgd.models.group_training import GroupRows
from fastgd.optimizers import Adam
from shops import SHORT, fitted, held_rows, shops


@pytest.mark.slow
def test_rows_without_target_or_label_are_left_out_and_counted():
    table = shops()
    holes = table.copy()
    holes.loc[[3, 7], "sales"] = np.nan
    holes.loc[[5], "shop"] = None
    holes["heat"] = holes["heat"].astype(object)
    holes.loc[[3, 5], "heat"] = ["?", np.inf]  # no matter
    models = fastgd.fit_groups(holes, by="shop", target="sales", **SHORT)
    assert models.notes[:2] == (
        "sales: missing in 2 rows, left out",
        "shop: missing in 1 row, left out",
    )
    without = fastgd.fit_groups(table.drop([3, 5, 7]), by="shop", target="sales", **SHORT)
    np.testing.assert_array_equal(models.predict(table), without.predict(table))


def test_nothing_is_learned_from_held_out_inputs():
    table = shops()
    table.loc[::9, "heat"] = np.nan
    models = fastgd.fit_groups(table, by="shop", target="sales", **SHORT)
    held, test = held_rows(models, table)
    other = table.copy()
    other.loc[held | test, ["heat", "sales"]] = 1e6
    again = fastgd.fit_groups(other, by="shop", target="sales", **SHORT)
    assert again.preparation.notes == models.preparation.notes
    learned = (one.preparation.transform(table) for one in (again, models))
    np.testing.assert_array_equal(*learned)
    # The networks that predict have learned from all rows: for their range nothing is held out.
    assert again.preparation.columns[1].high == 1e6 > models.preparation.columns[1].high
    assert again.target == models.target


def test_an_empty_text_is_no_target():
    table = {"shop": ["a", "b"] * 10, "x": list(range(20)), "y": ["u", "v", "", "u"] * 5}
    models = fastgd.fit_groups(table, by="shop", target="y", **SHORT)
    assert models.notes[0] == "y: missing in 5 rows, left out"
    assert models.target.classes == ("u", "v")


def test_remarks_say_what_is_new_about_a_table():
    table, models = shops(), fitted()
    assert models.remarks(table) == []
    new = table.assign(heat=np.nan, day=1).drop(columns="sales")
    assert models.remarks(new) == [
        f"heat: missing in {len(table)} rows, and never in the training table: filled with "
        f"{models.preparation.columns[1].median:g}, the median",
        "Not used: day",
    ]
    with pytest.raises(ValueError, match="the table must have the column price"):
        models.remarks(table.drop(columns="price"))


def test_texts_booleans_and_holes_among_the_inputs():
    table = shops()
    draw = np.random.default_rng(2)
    table["weather"] = draw.choice(["sun", "rain", "snow"], len(table))
    table["open"] = draw.random(len(table)) < 0.5
    table.loc[draw.random(len(table)) < 0.1, "heat"] = np.nan
    models = fastgd.fit_groups(table, by="shop", target="sales", **SHORT)
    assert "weather=sun" in models.preparation.names
    assert "heat missing" in models.preparation.names
    assert np.isfinite(models.predict(table)).all()
    with pytest.warns(UserWarning, match="weather: fog"):
        assert np.isfinite(models.predict(table.assign(weather="fog"))).all()


def test_a_counter_is_used_if_it_is_named_and_the_note_says_what_to_type():
    table = shops((20, 20)).assign(t=range(40), heat="hot")

    def fitted_with(**given):
        return fastgd.fit_groups(table, "shop", "sales", hidden_size=3, iterations=2, **given)

    models = fitted_with()
    assert models.preparation.names == ("price",)
    assert "t: left out: it numbers the rows (keep=['t'] uses it)" in models.notes
    assert fitted_with(keep=["t"]).preparation.names == ("price", "t")
    assert fitted_with(inputs=["t", "heat"]).preparation.names == ("t",)
    assert fitted_with(drop=["price"], inputs=["price", "t"]).preparation.names == ("t",)
    with pytest.raises(ValueError, match="keep must be a column of the table, got 'sales'"):
        fitted_with(keep=["sales"])


def test_texts_become_means_of_targets_that_are_not_their_own(monkeypatch):
    pytest.importorskip("sklearn")
    table = shops((20, 20))[["shop", "sales"]].assign(street=list("abcdefgh") * 5)
    given = {**SHORT, "iterations": 2, "max_categories": 3}
    few = fastgd.fit_groups(table, "shop", "sales", **given).preparation
    assert len(few.names) == 4
    made = Mock(side_effect=GroupRows)
    monkeypatch.setattr("fastgd.models.groups.GroupRows", made)
    models = fastgd.fit_groups(table, "shop", "sales", encoding="target", **given)
    assert len(models.preparation.names) == 1
    inputs, _, _, held, test = made.call_args.args
    assert len(np.unique(inputs[~(held | test)])) > 8  # from the other rows of a street
    assert len(np.unique(inputs[held | test])) <= 8
    other = table.copy()
    other.loc[test, "sales"] = 1e6
    again = fastgd.fit_groups(other, "shop", "sales", encoding="target", **given)
    assert again.preparation == models.preparation
    labels = table.assign(sales=["x", "y", "z", "x"] * 10)
    with pytest.raises(ValueError, match="encoding must be 'one-hot' for 3 classes"):
        fastgd.fit_groups(labels, "shop", "sales", encoding="target", **given)


def test_columns_may_have_numbers_for_names():
    table = shops((20, 20))
    numbered = table.rename(columns={"shop": 0, "sales": 7})
    models = fastgd.fit_groups(numbered, by=[0], target=7, **SHORT)
    expected = fastgd.fit_groups(table, by="shop", target="sales", **SHORT).predict(table)
    np.testing.assert_array_equal(models.predict(numbered), expected)


@pytest.mark.slow
def test_labels_in_several_columns():
    table = shops((20, 20, 20))
    table["floor"] = np.arange(len(table)) % 2
    models = fastgd.fit_groups(table, by=["shop", "floor"], target="sales", **SHORT)
    assert models.groups == [(f"shop {k}", floor) for k in range(3) for floor in (0, 1)]
    assert list(models.errors)[:2] == ["shop", "floor"]
    joined = table.assign(both=table.shop + table.floor.astype(str)).drop(columns=["shop", "floor"])
    alike = fastgd.fit_groups(joined, by="both", target="sales", **SHORT)
    np.testing.assert_array_equal(models.predict(table), alike.predict(joined))
    assert models["shop 1", 0].final_error == alike["shop 10"].final_error
    with pytest.warns(UserWarning, match="shop, floor: no row of this table has a label"):
        assert np.isnan(models.predict(table.assign(floor=2))).all()


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat(pd.date_range("2026-01-01", periods=3), 12),
        pd.date_range("2026-01-01", periods=3, tz="Asia/Tokyo").repeat(12),
        pd.period_range("2026-01", periods=3, freq="M").repeat(12),
        pd.period_range("2026-01", periods=3, freq="M")
        .repeat(12)
        .to_series(range(36))
        .astype(object),
        np.repeat([datetime.date(2026, 1, day) for day in (3, 1, 2)], 12),
        np.repeat([1.5, -2.0, 4.0], 12),
        np.repeat([True, False], 18),
        pd.Categorical(np.repeat(["b", "a", "c"], 12)),
    ],
    ids=[
        "dates",
        "time zone",
        "periods",
        "period objects",
        "days",
        "numbers",
        "booleans",
        "categories",
    ],
)
def test_kinds_of_labels(labels, tmp_path):
    table = shops((36,)).drop(columns="shop").assign(g=labels, sales=np.arange(36.0))
    models = fastgd.fit_groups(table, by="g", target="sales", **SHORT)
    first = pd.Series(labels)[0]
    assert first in models
    if isinstance(first, datetime.date | pd.Period):
        assert all(type(one) is datetime.datetime and one.tzinfo is None for one in models)
        moment = first.to_timestamp() if isinstance(first, pd.Period) else pd.Timestamp(first)
        assert (moment.tz_convert(None) if moment.tz else moment) in models.groups
        assert models.groups == sorted(models.groups)
        assert len(models) == 3
    else:
        assert models.groups == sorted(set(pd.Series(labels).tolist()))
    for label in set(labels):
        alone = models.predict(table.assign(g=pd.Series([label] * 36)))
        mine = (table.g == label).to_numpy()
        np.testing.assert_array_equal(alone[mine], models.predict(table)[mine])
    models.save(tmp_path / "models.npz")
    again = fastgd.load(tmp_path / "models.npz")
    assert again.groups == models.groups
    np.testing.assert_array_equal(again.predict(table), models.predict(table))
    assert again[models.groups[1]].final_error == models[models.groups[1]].final_error


def test_whole_numbers_are_found_among_floats():
    table = shops((20, 20)).drop(columns="shop").assign(g=np.repeat([1, 2], 20))
    models = fastgd.fit_groups(table, by="g", target="sales", **SHORT)
    holes = table.assign(g=table.g.astype(float)).astype({"g": object})
    holes.loc[0, "g"] = None
    expected = models.predict(table)
    expected[0] = np.nan
    np.testing.assert_array_equal(models.predict(holes), expected)


def test_codes_of_many_columns_do_not_overflow():
    draw = np.random.default_rng(0)
    columns = {f"c{k}": draw.integers(0, 1000, 2000) for k in range(8)}  # 1000**8 > 2**63
    keys, codes = Keys.learn(columns, list(columns))
    assert len(keys) == len(
        set(zip(*(column.tolist() for column in columns.values()), strict=True))
    )
    np.testing.assert_array_equal(keys.codes(columns), codes)
    labels = list(keys)
    assert labels == sorted(labels)
    assert all(
        labels[codes[i]] == tuple(int(column[i]) for column in columns.values()) for i in (0, 99)
    )


def changed(**change):
    return shops().assign(**change)


TWICE = pd.DataFrame(np.ones((4, 3)), columns=["shop", "x", "x"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"by": "store"},
            ValueError,
            "by must be a column of the table, got 'store'",
        ),
        ({"by": []}, ValueError, "by must name a column"),
        ({"by": 3}, TypeError, "by must be a list of column names"),
        ({"by": ["shop", "shop"]}, ValueError, "by must name each column once, got 'shop' twice"),
        ({"target": "sale"}, ValueError, "target must be a column .*'sale': did you mean sales?"),
        ({"target": "shop"}, ValueError, "target must not be one of the columns of by"),
        ({"inputs": ["price", "sales"]}, ValueError, "inputs must not include the target"),
        ({"inputs": ["price", "shop"]}, ValueError, "inputs must not include a column of by"),
        ({"inputs": "price"}, TypeError, "inputs must be a list"),
        ({"inputs": ["cost"]}, ValueError, "inputs must be a column .*got 'cost'"),
        ({"df": TWICE}, ValueError, "columns must have different names, got 'x' twice"),
        ({"df": 3}, TypeError, "a table must be a DataFrame"),
        (
            {"df": changed(sales=np.nan)},
            ValueError,
            "target 'sales' must have a value in at least one row",
        ),
        ({"df": changed(shop=None)}, ValueError, "by must have a label in at least one row"),
        ({"df": changed(shop=[1, "a"] * 61)}, TypeError, "labels in 'shop' must be all strings"),
        ({"df": changed(shop=[(1,)] * 122)}, TypeError, "labels in 'shop' must be all strings"),
        ({"df": {"shop": ["a"], "x": [1, 2], "sales": [1]}}, ValueError, r"all have shape \(1,\)"),
        ({"df": changed(sales=2.0)}, ValueError, "target 'sales' must have different numbers"),
        ({"df": shops()[["shop", "sales"]]}, ValueError, "must have a column to learn from"),
        ({"unknown": "mean"}, ValueError, "unknown must be"),
        ({"start": "zero"}, ValueError, "start must be"),
        ({"standardize": True}, (ValueError, TypeError), "standardize must be"),
        (
            {"validation_fraction": 1},
            ValueError,
            "validation_fraction must be a number of at least 0 and below 1",
        ),
        (
            {"test_fraction": -0.1},
            ValueError,
            "test_fraction must be a number of at least 0 and below 1",
        ),
        (
            {"test_fraction": 0.5, "validation_fraction": 0.5},
            ValueError,
            "validation_fraction and test_fraction must be below 1 together, got 0.5 and 0.5",
        ),
        ({"model": "ridge"}, ValueError, "model must be"),
        (
            {"model": "best", "validation_fraction": 0},
            ValueError,
            "model='best' needs validation rows, got validation_fraction 0",
        ),
        ({"df": "no.csv"}, OSError, "no.csv"),
        ({"min_rows": 1}, ValueError, "min_rows must be at least 2"),
        ({"split_seed": -1}, ValueError, "split_seed must be at least 0"),
        ({"folds": 5}, ValueError, "folds must be left out of fit_groups, got 5"),
        ({"hidden_size": [4, 8]}, ValueError, "hidden_size must be one value: each group selects"),
        (
            {"alpha": [0.1, 1], "validation_fraction": 0},
            ValueError,
            "alpha must be one value without a validation set",
        ),
        ({"loss": "gaussian"}, ValueError, "loss must have one output for each target"),
        ({"output": "exp"}, ValueError, "output must be 'identity' for a numeric target"),
        ({"loss": "poisson"}, ValueError, "loss must allow numbers below and above 0"),
        ({"df": changed(shop=[10**30, 1] * 61)}, TypeError, "all 64-bit numbers"),
        (
            {"batch_size": 8},
            ValueError,
            "at most the number of training rows of each group .*1 in 'shop 5'",
        ),
        ({"learning_rate": 1}, TypeError, "learning_rate"),
        ({"iterations": 0}, ValueError, "iterations must be at least 1"),
        ({"by": range(10**12)}, ValueError, "by must be a column of the table, got '0'"),
        ({"inputs": range(10**12)}, ValueError, "inputs must be a column of the table, got '0'"),
        ({"df": changed().sales}, TypeError, "a table must be a DataFrame .* Series"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_refused(change, error, message):
    given = {"df": shops(), "by": "shop", "target": "sales", **SHORT} | change
    with pytest.raises(error, match=message):
        fastgd.fit_groups(**given)


UNREAD = {
    "classification": ({"classification": "x"}, "classification must be True or False, got 'x'"),
    "a slip in a loss": ({"loss": "hubr"}, "loss must be .*, got 'hubr': did you mean 'huber'"),
    "no loss": ({"loss": 1.5}, "loss must be .*, got 1.5"),
    "an empty axis": ({"alpha": []}, r"an axis of alpha must have at least one value, got \[\]"),
    "alphas": ({"alpha": [0.1, -1.0]}, "alpha must be a finite number above 0, got -1.0"),
    "many alphas": ({"alpha": range(10**15)}, "an axis of alpha must fit into the available mem"),
    "sizes": ({"hidden_size": pd.Series([4, 8])}, "hidden_size must be one value: each group"),
    "size": ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
    "patience": ({"patience": "x"}, "patience must be one value, .*, got 'x'"),
    "min_delta": ({"min_delta": -1}, "min_delta must be .* at least 0, got -1"),
    "monitor": ({"monitor": "errors"}, "monitor must be 'error' or 'loss', got 'errors'"),
    "held-out loss": ({"monitor": "loss"}, "monitor must be 'error' with a validation set"),
    "restore_best": ({"restore_best": 1}, "restore_best must be True or False, got 1"),
    "tolerance": ({"tolerance": float("nan")}, "tolerance must be .*, got nan"),
    "evaluate_every": ({"evaluate_every": 0}, "evaluate_every must be at least 1, got 0"),
    "batch_size": ({"batch_size": 2.5}, "batch_size must be an int, got 2.5"),
    "sampling": ({"sampling": "adaptive"}, "batch_size must be an int with sampling='adaptive'"),
    "seed": ({"seed": -1}, "seed must be at least 0, got -1"),
    "seeds": ({"seed": [1, 2]}, "seed must be one value: each group selects"),
    "patiences": ({"patience": [3, 4]}, r"patience must be one value: .*, got \[3, 4\]"),
    "a field": ({"optimizer": Adam(beta1=[0.8, 0.9])}, r"beta1 must be one value: .*\[0.8, 0.9\]"),
    "factors": ({"schedule": [1.0, 0.5]}, "schedule must have a factor for each of 40 updates"),
    "keep": ({"keep": "t"}, "keep must be a list of column names, got 't'"),
    "categories": ({"max_categories": -1}, "max_categories must be at least 0, got -1"),
    "encoding": ({"encoding": "hash"}, "encoding must be 'one-hot' or 'target', got 'hash'"),
    "a slip": ({"tolerence": 1}, "an option must be .*: did you mean tolerance"),
    "nothing to watch": (
        {"validation_fraction": 0, "restore_best": True},
        "restore_best must have an error to monitor",
    ),
}


@pytest.mark.parametrize("case", UNREAD)
def test_options_are_checked_before_the_table_is_read(case):
    """So, whether any group has rows to hold out, or is trained at all, makes no difference."""
    change, message = UNREAD[case]
    with pytest.raises((TypeError, ValueError), match=message):
        fastgd.fit_groups(**{"df": None, "by": "shop", "target": "sales", **SHORT} | change)


@pytest.mark.parametrize("alpha", [pd.Series([0.1, 0.01]), np.array([0.1, 0.01])])
def test_whatever_holds_values_to_select_from_is_a_list_of_them(alpha):
    models = fastgd.fit_groups(shops(), "shop", "sales", alpha=alpha, **SHORT)
    listed = fastgd.fit_groups(shops(), "shop", "sales", alpha=alpha.tolist(), **SHORT)
    assert models.errors.equals(listed.errors)


@pytest.mark.slow
def test_what_has_several_values_by_itself_is_one_setting():
    given = SHORT | {"start": "own", "validation_fraction": 0}  # one kernel
    models = fastgd.fit_groups(shops(), "shop", "sales", schedule=np.linspace(1, 0.1, 40), **given)
    assert len(models["shop 0"].options["schedule"].factors) == 40


def test_predict_refuses_what_it_cant_read():
    models, table = fitted(), shops()
    with pytest.raises(ValueError, match="the table must have the column 'shop', the group labels"):
        models.predict(table.drop(columns="shop"))
    with pytest.raises(ValueError, match="the table must have the column price"):
        models.predict(table.drop(columns="price"))
    with pytest.raises(ValueError, match="sales is a number: use predict"):
        models.predict_proba(table)


def test_predict_refuses_what_is_no_table():
    models, table = fitted(), shops()
    with pytest.raises(TypeError, match=r"a table must be a DataFrame .* Series"):
        models.predict(table.iloc[0])
    ragged = {"shop": ["shop 0", "shop 1"], "price": [1.0], "heat": [20.0], "unused": 3}
    message = r"columns must all have shape \(2,\), as 'shop', got shape \(1,\) of 'price'"
    with pytest.raises(ValueError, match=message):
        models.predict(ragged)


def test_what_does_not_fit_into_memory_is_refused(monkeypatch):
    models = fitted()
    rows = 400_000
    table = {"shop": np.zeros(rows, np.int64), "price": np.ones(rows), "heat": np.ones(rows)}
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    with pytest.raises(ValueError, match="the table must fit into the available memory"):
        fastgd.fit_groups(table | {"sales": np.arange(rows)}, "shop", "sales")
    with pytest.raises(ValueError, match="the prediction must fit into the available memory"):
        models.predict(table)


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%d.%m.%Y"])
def test_labels_may_be_dates_in_one_table_and_texts_in_the_other(tmp_path, written):
    dates = pd.date_range("2020-01-30", periods=3, tz="UTC").tz_localize(None).repeat(12)
    of_dates = shops((36, 1))[:36].assign(shop=dates, sales=np.arange(36.0))
    of_texts = of_dates.assign(shop=dates.strftime(written))
    of_texts.to_csv(tmp_path / "texts.csv", index=False)
    models = fastgd.fit_groups(of_dates, "shop", "sales", **SHORT)
    again = fastgd.fit_groups(of_texts, "shop", "sales", **SHORT)
    for table in (of_dates, of_texts, tmp_path / "texts.csv"):
        assert models.remarks(table) == again.remarks(table) == []
        np.testing.assert_array_equal(models.predict(table), models.predict(of_dates))
        np.testing.assert_array_equal(again.predict(table), again.predict(of_texts))
    assert dates[0].strftime(written) in models
    assert dates[0] in again
    assert "31" not in models
    assert "2019-01-30" not in models


def test_a_table_without_known_labels_is_remarked():
    models, table = fitted(), shops((3, 3)).assign(shop="nowhere")
    line = "shop: no row of this table has a label that is known, such as 'shop 0'"
    assert models.remarks(table) == [line]
    with pytest.warns(UserWarning, match=line):
        assert np.isnan(models.predict(table)).all()


def test_predict_warns_of_what_is_new_about_a_table():
    table = shops((15, 15)).assign(kind=["tea", "milk", "tea"] * 10)
    models = fastgd.fit_groups(table, "shop", "sales", **SHORT)
    new = table.assign(heat=1e4, price=np.nan, kind="rice")
    with pytest.warns(TrainingWarning) as caught:
        models.predict(new)
    assert [str(one.message) for one in caught] == models.remarks(new)
    assert [one.partition(":")[0] for one in models.remarks(new)] == ["price", "heat", "kind"]


def test_a_column_that_explains_the_target_is_noted():
    table = shops((30, 30)).assign(later=lambda table: 2 * table.sales + 1)
    models = fastgd.fit_groups(table, "shop", "sales", **SHORT)
    line = "later: alone it explains over 99.9 % of sales: is it known before sales?"
    assert line in models.notes

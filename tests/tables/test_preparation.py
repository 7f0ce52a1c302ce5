"""What becomes of the columns of a table, and that it is the same when it is applied again."""

import datetime
import json
import sys
import tracemalloc
from contextlib import nullcontext
from decimal import Decimal
from inspect import signature

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from fastgd.checks.numbers import TooLargeError
from fastgd.tables.column_values import cells_of, columns_of, is_missing
from fastgd.tables.columns import CENTER, Decisions
from fastgd.tables.preparation import Preparation
from fastgd.tables.reading import Dialect, typed
from fastgd.tables.targets import (
    ClassTarget,
    NumberTarget,
    learn_target,
    target_from_json,
    target_to_json,
)

PEOPLE = {
    "age": [30.0, None, 50.0, 40.0],
    "city": ["Rome", "Oslo", None, "Rome"],
    "member": [True, False, True, True],
}


def test_each_kind_of_column_becomes_inputs():
    preparation = Preparation.learn(PEOPLE)
    assert preparation.names == (
        "age", "age missing", "city=Oslo", "city=Rome", "city missing",
        "member=False", "member=True",
    )  # fmt: skip
    inputs = preparation.transform(PEOPLE)
    ages = (np.array([30, 40, 50, 40]) - 40) / np.std([30, 50, 40])  # the median is 40
    assert np.array_equal(inputs[:, 0], ages)
    assert inputs[:, 1:].tolist() == [
        [0, 0, 1, 0, 0, 1],
        [1, 1, 0, 0, 1, 0],
        [0, 0, 0, 1, 0, 1],
        [0, 0, 1, 0, 0, 1],
    ]
    assert preparation.notes == (
        "age: missing in 1 row: filled with 40, the median, and flagged by an input",
        "city: text: an input for each of Oslo, Rome, and one for the 1 row where it is missing",
        "member: true or false: an input for each of False, True",
        "numbers standardized: age",
    )


LEFT_OUT = {
    "constant": ([3, 3, 3, 3], "every row has 3"),
    "constant text": (["a"] * 4, "every row has a"),
    "nothing": ([None] * 4, "every cell is missing"),
    "names": (list("abcd"), "all its strings differ (keep=['names'] or --keep names uses"),
    "some names": ([None, *"abc"], "all its strings differ"),
    "my id": ([17, 4, 3, 9], "it numbers the rows (keep=['my id'] or --keep 'my id' uses it)"),
    "nr": ([17, 4, None, 9], "it numbers the rows"),
    "id": ([17, 4, 3, 9], "it numbers the rows (keep=['id'] or --keep id uses it)"),
    "customer_id": ([17, 4, 3, 9], "it numbers the rows"),
    "PassengerId": ([17, 4, 3, 9], "it numbers the rows"),
    "Unnamed: 0": ([0, 1, 2, 3], "it numbers the rows"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_says_nothing_is_left_out_with_a_note(name):
    column, why = LEFT_OUT[name]
    preparation = Preparation.learn({name: column, "x": [1, 2, 3, 5]})
    assert preparation.names == ("x",)
    assert preparation.left_out == (name,)
    assert preparation.notes[0].startswith(f"{name}: left out: {why}")


SPREAD = np.random.default_rng(0).permutation(1000)[:30]
NUMBERING = {
    "1, 2, ...": range(1, 31),
    "from another table": np.sort(np.random.default_rng(0).permutation(40)[:30]),
    "shuffled": np.random.default_rng(0).permutation(30),
    "orders of a shop": 10_000 + np.cumsum(SPREAD + 1),
    "the last one first": 10_000 - np.cumsum(SPREAD + 1),
    "one of a few rows twice": [1, *range(1, 30)],
    "a gap": np.append(range(29), np.nan),
    "a row twice": np.random.default_rng(0).permutation([1, *range(1, 120)]),
    "an order twice": 10_000 + 7 * np.arange(120) - 7 * (np.arange(120) > 60),
}
AGES = np.append([20, 69], 21 + np.random.default_rng(0).permutation(48)[:28])
NOT_NUMBERING = {
    "spread": SPREAD,
    "few": range(1, 20),
    "years": range(1950, 1980),
    "not whole": np.arange(30) + 0.5,
    "some the same": [1, 1, *range(1, 30)],
    "in order of size": np.round(np.exp(np.arange(30) / 2)),
    "ages": np.random.default_rng(0).permutation(AGES),
}


@pytest.mark.parametrize("case", NUMBERING | NOT_NUMBERING)
def test_numbers_of_rows_are_known_by_their_content(case):
    column = (NUMBERING | NOT_NUMBERING)[case]
    table = {"paid": column, "x": np.sin(np.arange(len(column)))}
    preparation = Preparation.learn(table)
    assert ("paid" in preparation.left_out) == (case in NUMBERING)
    assert preparation.notes[0].startswith("paid: left out: it numbers") == (case in NUMBERING)
    assert "paid" in Preparation.learn(table, keep=["paid"]).names


def test_numbers_of_rows_are_used_if_there_is_nothing_else():
    preparation = Preparation.learn({"x": range(40), "name": [f"number {k}" for k in range(40)]})
    assert preparation.names == ("x",)
    assert preparation.notes[0] == (
        "x: it numbers the rows, and is used: there is no other column to learn from"
    )


def test_almost_all_strings_are_different():
    names = [f"name {max(k, 2)}" for k in range(31)]
    x = np.sin(np.arange(31))
    notes = Preparation.learn({"name": names, "x": x}).notes
    assert notes[0].startswith("name: left out: almost all its strings differ (keep=['name'] or")
    assert len(Preparation.learn({"name": names[:19], "x": x[:19]}).names) == 18
    names[20:] = ["ann"] * 11
    said = Preparation.learn({"name": names, "x": x}).notes[0].partition(" (keep=['name'] or")
    assert said[0] == "name: left out: 19 different strings in 31 rows, hardly one of them frequent"
    in_two_rows = [f"name {k // 2}" for k in range(31)]
    assert len(Preparation.learn({"name": in_two_rows, "x": x}).names) == 17


def test_numbers_of_cases_are_no_categories():
    cases = [f"case {k // 2}" for k in range(100)]  # two rows of each
    note = "case: left out: 50 different strings in 100 rows, hardly one of them frequent"
    for most, count in ((50, 51), (5, 7), (4, 1)):
        preparation = Preparation.learn(
            {"case": cases, "x": np.sin(np.arange(100))}, max_categories=most
        )
        assert len(preparation.names) == count
        assert preparation.notes[0].startswith(note) == (count == 1)
    countries = [f"country {k // 12}" for k in range(1704)]
    assert len(Preparation.learn({"country": countries, "x": np.arange(1704) % 7}).names) == 143


def test_a_column_that_is_kept():
    table = {"id": [4, 9, 7], "name": ["ann", "bob", "eve"]}
    preparation = Preparation.learn(table, keep=["name", "id"], max_categories=2)
    assert preparation.names == ("id", "name=ann", "name=bob", "name other")
    assert preparation.notes[0] == "id: it numbers the rows, and is used: keep names it"


KEPT = {
    "absent": ({"keep": ["town"]}, "keep must be a column of the table, got 'town'"),
    "a string": ({"keep": "city"}, "keep must be a list of column names, got 'city'"),
    "dropped": (
        {"keep": ["city"], "drop": ["city"]},
        "keep must not name a column of drop, got 'city'",
    ),
    "encoding": ({"encoding": "ordinal"}, "encoding must be 'one-hot' or 'target', got 'ordinal'"),
    "no target": (
        {"encoding": "target", "drop": ["town"]},
        "encoding='target' needs y, the encoded targets",
    ),
    "all dropped": ({"drop": list(PEOPLE), "y": 3.0}, "must have a column to learn from, got none"),
    "classes": (
        {"encoding": "target", "y": np.eye(4)},
        "encoding must be 'one-hot' for 4 classes, which have no order, got 'target'",
    ),
    "flat y": (
        {"encoding": "target", "y": np.zeros(4)},
        r"y must have shape \(4, outputs\), got shape \(4,\)",
    ),
    "short y": ({"y": np.zeros((3, 1))}, r"y must have shape \(4, outputs\), got shape \(3, 1\)"),
    "texts as y": ({"y": [["a"]] * 4}, "y must hold real numbers, got"),
    "gaps in y": ({"y": [[np.nan]] * 4}, "y must be finite, got nan"),
    "one row of a class": (
        {"encoding": "target", "y": np.eye(2)[[0, 0, 0, 1]], "max_categories": 1},
        "encoding must be 'one-hot' if a class has fewer than 2 rows, got 'target'",
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_can_not_be_decided_so_is_refused(case):
    decided, message = KEPT[case]
    with pytest.raises((TypeError, ValueError), match=message):
        Preparation.learn(PEOPLE, **decided)


CITIES = {"city": [*"BAACCDEB", None], "x": [5.0, 1, 2, 3, 4, 7, 8, 9, 9]}


def test_what_is_learned_again_from_more_rows_says_its_gaps_once():
    table = {"id": [1.0, None, *range(3, 25), None], "x": [*range(5)] * 5}
    decisions = Decisions(keep=["id"])
    before, _ = Preparation.learn_from(table, np.arange(24), decisions)
    again, _ = Preparation.learn_from(table, slice(None), decisions, before)
    assert again == Preparation.learn_from(table, slice(None), decisions)[0]
    assert again.notes[0].count("filled with") == 1


def test_rare_texts_share_an_input():
    preparation = Preparation.learn(CITIES, max_categories=4)
    assert preparation.names[:5] == ("city=A", "city=B", "city=C", "city other", "city missing")
    assert preparation.notes[0] == (
        "city: text: an input for each of A, B, C, and one for the 2 rarer values (in 2 rows), and "
        "one for the 1 row where it is missing"
    )
    new = {"city": ["C", "D", "Z", None], "x": [1, 2, 3, 4]}
    encoded = preparation.transform(new)[:, :5]
    assert encoded.tolist() == np.eye(5)[[2, 3, 3, 4]].tolist()
    assert preparation.remarks(new) == [
        "city: Z in 1 row: not in the training table; these rows are among the others"
    ]
    assert np.array_equal(preparation.numbers(new)[:, 0], [2, 3, 3, np.nan], equal_nan=True)
    whole = {**CITIES, "city": [*"BAACCDEBC"]}
    assert Preparation.learn(whole, max_categories=2).names[:2] == ("city=A", "city=C")
    preparation = Preparation.learn(whole, max_categories=1)
    assert preparation.names == ("city=C", "city other", "x")
    assert preparation.transform({"city": [None], "x": [1]})[0, :2].tolist() == [0, 0]
    assert Preparation.from_json(preparation.to_json()) == preparation


def test_no_inputs_for_texts():
    notes = Preparation.learn(CITIES, max_categories=0).notes
    assert notes[0] == "city: left out: strings, and max_categories is 0"


@pytest.mark.parametrize("classes", [False, True])
def test_the_mean_of_the_target_is_that_of_scikit_learn(classes):
    random = np.random.default_rng(0)
    city = random.choice([*"ABCDEFGH", None], 90)
    y = random.random(90)[:, None]
    if classes:
        y = np.eye(2)[(y[:, 0] > 0.4).astype(int)]
    preparation, inputs = Preparation.learn_from(
        {"city": city, "x": random.random(90)},
        slice(None),
        Decisions(max_categories=5, encoding="target", y=y, seed=3),
    )
    assert preparation.names == ("city", "x")
    assert preparation.notes[0] == "city: text: the mean of the target for each of 8 values"
    wanted = y[:, -1].astype(int) if classes else y[:, 0]
    kind = "binary" if classes else "continuous"
    splitter = StratifiedKFold if classes else KFold
    if "deprecated" in str(signature(TargetEncoder)):
        encoder = TargetEncoder(target_type=kind, cv=splitter(5, shuffle=True, random_state=3))
    else:
        encoder = TargetEncoder(target_type=kind, random_state=3)
    crossed = encoder.fit_transform(city[:, None], wanted)[:, 0]
    assert inputs[:, 0] == pytest.approx((crossed - crossed.mean()) / crossed.std())
    new = np.array(["A", "H", None, "Z"], dtype=object)
    means = encoder.transform(new[:, None])[:, 0]
    table = {"city": new, "x": [0.5] * 4}
    encoded = preparation.transform(table)[:, 0]
    assert encoded == pytest.approx((means - crossed.mean()) / crossed.std())
    assert preparation.remarks(table) == [
        "city: Z in 1 row: not in the training table; these rows have the mean"
    ]
    assert preparation.numbers(table)[:2, 0].tolist() == [0, 7]
    assert np.array_equal(preparation.numbers(table)[2:, 0], [np.nan, -1], equal_nan=True)
    assert Preparation.from_json(preparation.to_json()) == preparation
    assert preparation.texts == ("city",)


def test_a_mean_of_the_target_is_not_taken_for_an_input_of_its_name():
    codes = np.arange(40)
    table = {"city": np.array(["Rome", "Oslo"])[codes % 2], "city=Rome": (codes % 20).astype(str)}
    decisions = Decisions(max_categories=5, encoding="target", y=codes[:, None] * 1.0)
    preparation, inputs = Preparation.learn_from(table, slice(None), decisions)
    assert preparation.names == ("city=Oslo", "city=Rome", "city=Rome")
    assert np.array_equal(inputs[:, :2], np.eye(2)[1 - codes % 2])
    assert not np.allclose(inputs[:, 2], preparation.transform(table)[:, 2])  # cross-fitted


def test_a_table_is_encoded_column_by_column_if_the_memory_suffices(monkeypatch):
    table = {f"c{k}": np.arange(8000.0) for k in range(30)}
    preparation = Preparation.learn(table, keep=list(table))
    cells, need = preparation.cells(table), 8 * 8000 * 30
    for available, most in ((need, 1.5 * need), (need - 1, need / 10)):
        monkeypatch.setattr("fastgd.checks.numbers.ALWAYS_FITS", 0)
        monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda free=available: free)
        refused = nullcontext() if available == need else pytest.raises(TooLargeError)
        tracemalloc.start()
        with refused:
            preparation.transform(cells)
        assert tracemalloc.get_traced_memory()[1] < most
        tracemalloc.stop()


def test_the_mean_of_the_target_needs_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.preprocessing", None)
    how = {"encoding": "target", "y": np.arange(9.0)[:, None]}
    with pytest.raises(ImportError, match=r'needs scikit-learn: pip install "fastgd\[sklearn\]"'):
        Preparation.learn(CITIES, max_categories=2, **how)
    assert Preparation.learn(CITIES, max_categories=5, **how).names[0] == "city=A"  # not needed


def test_a_missing_text_is_news_for_means_of_the_target():
    preparation = Preparation.learn(
        {"city": [*"ABABAB"], "x": range(6)},
        max_categories=1,
        encoding="target",
        y=np.eye(6)[:, :1],
    )
    new = {"city": [None, "Z"], "x": [1, 2]}
    assert len(set(preparation.transform(new)[:, 0])) == 1
    assert preparation.remarks(new)[1] == (
        "city: missing in 1 row, and never in the training table; these rows have the mean"
    )


def test_numbers_far_from_those_that_were_learned():
    preparation = Preparation.learn({"x": [10.0, 12, 20], "z": [1.0, 2, 4]})
    new = {"x": [0.0, 30, -0.1, 30.1, None], "z": [1, 2, 3, 4, 4]}
    assert preparation.remarks(new)[0] == (
        "x: far outside 10 to 20, the range in the training table, in 2 rows (40 %)"
    )


def test_a_file_of_an_older_version_is_read():
    facts = json.loads(Preparation.learn(PEOPLE).to_json())
    for column in facts["columns"]:
        for younger in ("low", "high", "others"):
            column.pop(younger, None)
    preparation = Preparation.from_json(json.dumps(facts))
    assert (
        preparation.transform(PEOPLE).tolist()
        == Preparation.learn(PEOPLE).transform(PEOPLE).tolist()
    )
    assert preparation.remarks({**PEOPLE, "age": [1e6] * 4}) == []


def test_the_texts_among_numbers_are_named():
    numbers = [str(k) for k in range(60)] * 2
    numbers[7] = "n.a."
    notes = Preparation.learn({"p": numbers}, max_categories=50).notes
    assert notes[0] == (
        "p: text: an input for each of 0, 1, 10, 11, 12, ... (50), and one for the 11 rarer values "
        "(in 20 rows); without 'n.a.' they'd be numbers"
    )


def test_choices_can_be_switched_off():
    preparation = Preparation.learn(PEOPLE, standardize=False, drop=["city"])
    assert preparation.names == ("age", "age missing", "member=False", "member=True")
    assert preparation.transform(PEOPLE)[:, 0].tolist() == [30, 40, 50, 40]
    assert preparation.left_out == ("city",)
    with pytest.raises(ValueError, match="drop must be a column of the table, got 'town'"):
        Preparation.learn(PEOPLE, drop=["town"])


def test_a_new_table_is_taken_as_the_learned_one_and_what_is_new_is_said():
    preparation = Preparation.learn({"age": [1, 2, 4], "city": ["Rome", "Oslo", "Rome"]})
    new = {"city": ["Bonn", "Rome", None], "shoe": [1, 1, 1], "age": [None, 2, 4]}
    assert preparation.transform(new)[:, 1:].tolist() == [[0, 0], [0, 1], [0, 0]]
    assert preparation.transform(new)[0, 0] == preparation.transform(new)[1, 0]
    assert preparation.remarks(new) == [
        "age: missing in 1 row, and never in the training table: filled with 2, the median",
        "city: Bonn in 1 row: not in the training table; these rows have no category",
        "city: missing in 1 row, and never in the training table; these rows have no category",
    ]
    assert preparation.remarks(new, ())[-1] == "Not used: shoe"


def test_a_column_that_was_left_out_is_no_news():
    table = {"id": [1, 2, 3], "x": [1.0, 2.0, 4.0]}
    assert Preparation.learn(table).remarks(table, ()) == []


SAME = {
    "numbers as text": ({"x": [1.0, 2.5]}, {"x": ["1", "2.5"]}),
    "numbers as categories": ({"x": ["7", "b", "7"]}, {"x": [7.0, "b", 7]}),
    "only numbers as categories": ({"x": ["7", "8", "7"]}, {"x": [7.0, 8.0, 7.0]}),
    "booleans as text": ({"x": [True, False, True]}, {"x": ["true", "FALSE", " True "]}),
    "decimals": ({"x": [1.0, 2.5]}, {"x": [Decimal("1"), Decimal("2.5")]}),
    "spaces": ({"x": ["a", "b", "a"]}, {"x": [" a", "b ", "a"]}),
}


@pytest.mark.parametrize("case", SAME)
def test_cells_of_another_type_are_the_same_cells(case):
    learned, other = SAME[case]
    preparation = Preparation.learn(learned)
    assert np.array_equal(preparation.transform(learned), preparation.transform(other))
    assert preparation.remarks(other) == []


REFUSED = {
    "no column": ({}, "the table must have a column to learn from, got none"),
    "no row": ({"x": []}, "the table must have a row, got 0 rows"),
    "lengths": (
        {"x": [1, 2], "z": [1]},
        r"columns must all have shape \(2,\), as 'x', got shape \(1,\) of 'z'",
    ),
    "two dimensions": ({"x": [[1], [2]]}, r"column 'x' must have shape \(rows,\), got shape"),
    "foreign": (
        {"x": [{}, 1]},
        r"column 'x' must hold numbers, strings, .* got {} \(of type dict\)",
    ),
    "bytes": ({"x": [b"a", b"b"]}, "column 'x' must hold numbers, strings"),
    "complex": ({"x": np.array([1j])}, "column 'x' must hold numbers, strings"),
    "dates and durations": (
        {"x": [datetime.date(2026, 1, 2), datetime.timedelta(1)]},
        "column 'x' must hold numbers, strings, booleans or dates, got datetime.date",
    ),
    "a late year": (
        {"x": np.array(["300000-01-01", "NaT"], "M8[D]")},
        "column 'x' must have dates within 290,000 years of 1970, got 300000-01-01",
    ),
    "too large": ({"x": [1e308, -1e308]}, "mean and deviation are finite, got one of 1e.308"),
    "nothing left": (
        {"x": [1, 1]},
        r"must have a column to learn from, got none \(x: left out: every row has 1\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_table_is_refused(case):
    table, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        Preparation.learn(table)


NOT_APPLIED = {
    "missing": ({"z": [1]}, "must have the column x, as the training table; its columns: z"),
    "text": ({"x": ["a"]}, "must hold numbers, as in the training table, got 'a' in row 1"),
    "true": ({"x": [True]}, "must hold numbers, as in the training table, got 'True'"),
    "a date": ({"x": [datetime.date(2026, 1, 2)]}, "must hold numbers, .* got '2026-01-02' in"),
    "far": ({"x": [1e308]}, "column 'x' must have numbers like the training table's, got one"),
}


@pytest.mark.parametrize("case", NOT_APPLIED)
def test_what_can_not_be_applied_is_refused(case):
    table, message = NOT_APPLIED[case]
    with pytest.raises(ValueError, match=message):
        Preparation.learn({"x": [1.0, 1.001]}).transform(table)


def test_a_table_to_learn_from_has_names():
    with pytest.raises(TypeError, match="a table must be a DataFrame or a dict of columns by name"):
        Preparation.learn(np.zeros((2, 2)))
    assert Preparation.learn(pd.DataFrame({"x": [1, 2]})).names == ("x",)


def test_columns_of_a_frame():
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "text": pd.array(["a", None], dtype="string"),
            "category": pd.Categorical(["a", None]),
            "zone": pd.to_datetime(["2026-11-26", None]).tz_localize("UTC"),
            7: [1.5, 2.5],
        }
    )
    columns = columns_of(frame)
    assert list(columns) == ["whole", "flag", "text", "category", "zone", "7"]
    cells = {name: cells_of(name, column) for name, column in columns.items()}
    kinds = [column.kind for column in cells.values()]
    assert kinds == ["numbers", "booleans", "texts", "texts", "dates", "numbers"]
    missing = [column.missing.tolist() for column in cells.values()]
    assert missing == [[False, True]] * 5 + [[False, False]]


EAST = datetime.timezone(datetime.timedelta(hours=2))
MORNING = "2026-11-26T05:30"
DATES = {
    "NumPy": (np.array(["NaT", MORNING], "M8[m]"), MORNING),
    "days of Python": ([None, datetime.date(2026, 11, 26)], "2026-11-26"),
    "times of Python": ([None, datetime.datetime(2026, 11, 26, 5, 30)], MORNING),
    "a time zone": ([None, datetime.datetime(2026, 11, 26, 7, 30, tzinfo=EAST)], MORNING),
    "the first year": ([None, datetime.datetime(1, 1, 1, tzinfo=EAST)], "0000-12-31T22"),
    "a time of day": ([None, datetime.time(5, 30)], "1970-01-01T05:30"),
    "pandas": (pd.to_datetime([None, MORNING]), MORNING),
    "pandas with a time zone": (
        pd.to_datetime([None, MORNING]).tz_localize("UTC").tz_convert("Asia/Tokyo"),
        MORNING,
    ),
    "objects of pandas": (pd.to_datetime([None, MORNING]).astype(object), MORNING),
    "periods": ([None, pd.Period("2026-11")], "2026-11"),
    "masked": (np.ma.array([MORNING] * 2, "M8[ns]", mask=[True, False]), MORNING),
    "months of pandas": (pd.PeriodIndex([None, "2026-11"], freq="M"), "2026-11"),
}


@pytest.mark.parametrize("case", DATES)
def test_dates_are_in_utc(case):
    column, then = DATES[case]
    cells = cells_of("day", columns_of({"day": column})["day"])
    assert cells.kind == "dates"
    assert cells.values.dtype == "M8[us]"
    assert cells.missing.tolist() == [True, False]
    assert cells.values[1] == np.datetime64(then)
    assert cells.texts[0] is None
    assert cells.texts[1].startswith(then)


DURATIONS = {
    "NumPy": np.array([36, "NaT"], "m8[h]"),
    "Python": [datetime.timedelta(hours=36), None],
    "pandas": pd.to_timedelta(["36h", None]),
}


@pytest.mark.parametrize("case", DURATIONS)
def test_durations_are_numbers_of_days(case):
    cells = cells_of("wait", columns_of({"wait": DURATIONS[case]})["wait"])
    assert cells.kind == "numbers"
    assert np.array_equal(cells.values, [1.5, np.nan], equal_nan=True)


@pytest.mark.parametrize("table", [[[1, 2]], "a", 7], ids=str)
def test_what_has_no_names_is_no_table(table):
    with pytest.raises(TypeError, match="a table must be a DataFrame or a dict of columns"):
        columns_of(table)


def test_missing_texts_of_a_list_are_missing():
    """NumPy would make them the text "nan"."""
    columns = columns_of({"city": ["Rome", np.nan, "Oslo"], "open": [True, None, False]})
    assert Preparation.learn(columns).names == Preparation.learn(pd.DataFrame(columns)).names
    assert is_missing(columns["city"]).tolist() == [False, True, False]
    assert "city=nan" not in Preparation.learn(columns).names


def test_masked_cells_are_missing():
    for values in ([1, 2], [1.5, 2.5], ["a", "b"], [True, False]):
        cells = cells_of("x", np.ma.array(values, mask=[True, False]))
        assert cells.missing.tolist() == [True, False]
        assert cells.kind == cells_of("x", values).kind


def test_two_columns_of_one_name():
    with pytest.raises(ValueError, match="columns must have different names, got 'a' twice"):
        columns_of(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_saved_and_read_again_it_is_the_same():
    preparation = Preparation.learn({**PEOPLE, "odd\0 name\n": ["ü\0", "é", "ü\0", "é"]})
    assert Preparation.from_json(preparation.to_json()) == preparation


def _changed(**changes):
    facts = json.loads(Preparation.learn(PEOPLE).to_json())
    for path, value in changes.items():
        place = facts
        *way, last = path.split("__")
        for step in way:
            place = place[int(step) if step.isdecimal() else step]
        place[last] = value
    return json.dumps(facts)


DAMAGED = {
    "empty": "",
    "no JSON": "{",
    "deep": "[" * 100_000,
    "list": "[]",
    "no column": _changed(columns=[]),
    "kind": _changed(columns__0__kind="other"),
    "unknown field": _changed(columns__0__other=1),
    "scale of 0": _changed(columns__0__scale=0.0),
    "not finite": _changed(columns__0__mean=float("nan")),
    "one edge": _changed(columns__0__bins=[1.0]),
    "edges": _changed(columns__0__bins=[1.0, 1.0, 2.0]),
    "a bin without end": _changed(columns__0__bins=[-1e308, 1e308]),
    "bins and a bound": _changed(columns__0__bins=[1.0, 2.0], columns__0__clip=3.0),
    "a bound below 0": _changed(columns__0__clip=-1.0),
    "a text for a number": _changed(columns__0__median="1"),
    "a number for a name": _changed(columns__0__name=1),
    "a number for a flag": _changed(columns__0__flagged=1),
    "a category": _changed(columns__1__categories=[1]),
    "other categories": _changed(columns__1__others=[1]),
    "a category without a value": _changed(
        columns=[
            {
                "kind": "target",
                "name": "city",
                "categories": ["Rome"],
                "values": [],
                "unknown": 0.0,
                "missing": 0.0,
            }
        ]
    ),
    "notes": _changed(notes="abc"),
}


TAILS = np.exp(2 * np.random.default_rng(0).normal(size=101)).tolist()


@pytest.mark.parametrize("bins", [1, 4, 7])
def test_numbers_in_bins_are_piecewise_linear(bins):
    table = {"x": [None, *TAILS[1:]], "few": [3, 1, 2, 3, 3] * 20 + [3], "two": [0, 7] * 50 + [7]}
    preparation = Preparation.learn(table, bins=bins)
    known = sorted(TAILS[1:])
    edges = [known[t * 99 // bins] for t in range(bins + 1)]  # of 100 known numbers
    x, few, two = preparation.columns
    assert x.bins == tuple(edges)
    assert set(few.bins) <= {1, 2, 3}
    assert two.bins == ()
    assert len(x.names) == bins + 1
    assert x.names[0] == f"x {edges[0]:.5g} to {edges[1]:.5g}"
    assert preparation.notes[-2:] == (
        "numbers in piecewise-linear bins: x, few",
        "numbers standardized: two",
    )
    inputs = preparation.transform(table | {"x": [None, *TAILS[1:-2], -1e9, 1e9]})
    for row, number in zip(inputs, [np.median(known), *TAILS[1:-2], -1e9, 1e9], strict=True):
        for t in range(bins):
            share = (number - edges[t]) / (edges[t + 1] - edges[t])
            share = max(share, 0) if t > 0 else share
            share = min(share, 1) if t < bins - 1 else share
            assert row[t] == pytest.approx(share - CENTER, rel=1e-12, abs=1e-12)
    assert inputs[:, bins].tolist() == [1] + 100 * [0]
    np.testing.assert_allclose(Preparation.from_json(preparation.to_json()).transform(table)[1:-2],
                               inputs[1:-2], rtol=0)  # fmt: skip
    assert Preparation.learn(table, bins=bins, standardize=False) == Preparation.learn(
        table, standardize=False
    )


def test_heavy_tails_are_clipped_smoothly():
    table = {"x": TAILS, "even": range(0, 1010, 10), "two": [0, 7] * 50 + [7]}
    preparation = Preparation.learn(table, clip=True, keep=["even"])
    first, middle, third = (sorted(TAILS)[k] for k in (25, 50, 75))
    z = (np.array(TAILS) - middle) / (third - first)
    inputs = preparation.transform(table)
    np.testing.assert_allclose(inputs[:, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-14)
    plain = Preparation.learn(table, keep=["even"])
    assert np.array_equal(inputs[:, 1:], plain.transform(table)[:, 1:])
    far = preparation.transform({"x": [1e300, -1e300], "even": [0, 0], "two": [0, 0]})
    assert far[:, 0].tolist() == [3, -3]
    note = "numbers scaled by quartiles and clipped smoothly: x"
    assert preparation.notes[-2:] == (note, "numbers standardized: even, two")


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_preparation_is_refused(case):
    with pytest.raises(ValueError, match="the preparation of the table is corrupt"):
        Preparation.from_json(DAMAGED[case])


TARGETS = {
    "texts": (["cat", "dog", "cat"], ("cat", "dog"), np.array(["cat", "dog", "cat"])),
    "booleans": ([True, False, True], ("False", "True"), np.array([True, False, True])),
    "booleans of a file": (
        typed(["true", "false", "true"], Dialect()),
        ("false", "true"),
        np.array([True, False, True]),
    ),
    "0 and 1": ([1, 0, 1], ("0", "1"), np.array([1, 0, 1])),
}


@pytest.mark.parametrize("case", TARGETS)
def test_classes_are_recognised_and_come_back_as_they_were(case):
    values, classes, back = TARGETS[case]
    target = learn_target("y", values)
    assert isinstance(target, ClassTarget)
    assert target.classes == classes
    decoded = target.decode(target.encode(values))
    assert decoded.tolist() == back.tolist()
    assert decoded.dtype == back.dtype
    assert target_from_json(target_to_json(target)) == target


def test_whole_numbers_are_classes_if_it_is_said_and_by_number():
    assert isinstance(learn_target("y", [10, 9, 2]), NumberTarget)
    assert isinstance(learn_target("y", [0, 1], classification=False), NumberTarget)
    target = learn_target("y", [10, 9, 2] * 2, classification=True)
    assert target == ClassTarget("y", ("2", "9", "10"), "numbers")
    assert target.decode(np.eye(3)).tolist() == [2, 9, 10]
    assert learn_target("y", [0.5, 1.5], classification=True).decode(np.eye(2)).tolist() == [
        0.5,
        1.5,
    ]


def test_classes_too_large_for_whole_numbers_stay_what_they_are():
    target = ClassTarget.learn("y", [5.0, 1e300, 5.0])
    assert target.decode(np.eye(2)).tolist() == [5.0, 1e300]


def test_numbers_are_scaled_and_come_back():
    values = [3.0, 5.0, 10.0]
    target = learn_target("y", values)
    encoded = target.encode(values)
    assert encoded.mean() == pytest.approx(0)
    assert encoded.std() == pytest.approx(1)
    assert target.decode(encoded) == pytest.approx(values)
    assert target_from_json(target_to_json(target)) == target


NO_TARGETS = {
    "constant": ([2, 2], None, "target 'y' must have different numbers, got 2 in every row"),
    "one class": (["a", "a"], None, "target 'y' must have at least 2 classes, got 1: 'a'"),
    "missing": ([1, None], None, "target 'y' must have no missing values, got one in row 2"),
    "no row": ([], None, "target 'y' must have a row, got none"),
    "dates": (np.array(["2026-11-26"], "M8[D]"), None, "got dates, .*: make them numbers, such as"),
    "dates in strings": (
        ["2026-11-26", "2026-11-27"] * 9,
        None,
        "target 'y' must be .*, got dates",
    ),
    "texts as numbers": (["a", "b"], False, "target 'y' must be numbers, got 'a'"),
    "infinite": ([1, np.inf], None, "target 'y' must have no missing values, got one in row 2"),
}


@pytest.mark.parametrize("case", NO_TARGETS)
def test_what_can_not_be_learned_is_refused(case):
    values, classification, message = NO_TARGETS[case]
    with pytest.raises((TypeError, ValueError), match=message):
        learn_target("y", values, classification=classification)


def test_an_unknown_class_is_refused():
    with pytest.raises(ValueError, match="target 'y' must be one of a, b, got 'c' in row 2"):
        ClassTarget("y", ("a", "b")).encode(["a", "c"])


BAD_TARGETS = {
    "absent": {},
    "kind": {"kind": "other"},
    "scale": {"kind": "number", "name": "y", "mean": 0.0, "scale": 0.0},
    "mean": {"kind": "number", "name": "y", "mean": "0", "scale": 1.0},
    "classes": {"kind": "class", "name": "y", "classes": ["a"], "labels": "texts"},
    "no texts": {"kind": "class", "name": "y", "classes": [1, 2], "labels": "texts"},
    "labels": {"kind": "class", "name": "y", "classes": ["a", "b"], "labels": "other"},
    "no numbers": {"kind": "class", "name": "y", "classes": ["a", "b"], "labels": "numbers"},
}


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_a_damaged_target_is_refused(case):
    with pytest.raises(ValueError, match="the target of the table is corrupt"):
        target_from_json(json.dumps(BAD_TARGETS[case]))


@pytest.mark.parametrize("power", [-150, -300, -465, -500, -1000, -1070])
def test_tiny_numbers_are_scaled(power):
    values = np.array([1.0, 2.0, 4.0, -1.0])
    found = NumberTarget.learn("y", values * 2.0**power).encode(values * 2.0**power)
    assert found == pytest.approx(NumberTarget.learn("y", values).encode(values), abs=0.05)


def test_large_numbers_have_a_median():
    [column] = Preparation.learn({"x": [1.7e308, 1.6e308, 1.7e308]}, standardize=False).columns
    assert column.median == 1.7e308


def test_an_infinite_number_is_a_gap():
    preparation = Preparation.learn({"x": [1.0, 3.0, np.inf, None], "z": [1, 2, 3, 10**400]})
    assert preparation.notes[0].startswith("x: missing in 2 rows (1 of them infinite): filled with")
    assert preparation.notes[1].startswith("z: missing in 1 row (1 of them infinite): filled with")
    assert preparation.transform({"x": [-np.inf], "z": [2]})[0].tolist() == [0, 1, 0, 0]
    plain = Preparation.learn({"x": [1.0, 3.0]})
    assert plain.transform({"x": [np.inf]}).tolist() == [[0]]
    assert plain.transform({"x": ["inf", "-1e400"]}).tolist() == [[0], [0]]
    assert plain.remarks({"x": ["inf", "3"]}) == [
        "x: missing in 1 row, and never in the training table: filled with 2, the median"
    ]
    assert plain.remarks({"x": [np.inf]}) == [
        "x: missing in 1 row (1 of them infinite), and never in the training table: filled with "
        "2, the median"
    ]

"""Columns of dates: which texts are dates, the calendar, and what a network gets of them."""

import calendar
import datetime
import json

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.export.exported import Term
from fastgd.formulas.calendar import CYCLES, circle, fields_of
from fastgd.kernel import predictor
from fastgd.tables.column_values import cells_of
from fastgd.tables.columns import DateColumn, learn_dates
from fastgd.tables.preparation import Preparation

FROM, TO = datetime.date(1600, 1, 1), datetime.date(2400, 12, 31)
EVERY = np.arange(np.datetime64(FROM), np.datetime64(TO))


def known_fields(moments):
    """The fields of dates, by pandas."""
    found = pd.Series(moments).dt
    return {
        "year": found.year,
        "month": found.month - 1,
        "day of the year": found.day_of_year - 1,
        "day of the week": found.day_of_week,
        "hour": found.hour,
    }


def learned(column, **others):
    return Preparation.learn({"when": column, **others}).columns[0]


def days_of(moments):
    return learned(np.array(["1970-01-01", "2000-01-02"], "M8[D]")).numbers(cells_of("", moments))


@pytest.mark.parametrize("second", [0, 1, 3_599, 3_600, 7 * 3_600, 86_399])
def test_the_calendar_is_that_of_pandas_and_python(second):
    moments = EVERY.astype("M8[s]") + np.timedelta64(second, "s")
    fields = fields_of(days_of(moments))
    for name, expected in known_fields(moments).items():
        assert (fields[name] == expected).all(), name
    for k in range(0, len(EVERY), 997):
        day = FROM + datetime.timedelta(k)
        assert fields["day of the year"][k] == day.timetuple().tm_yday - 1
        assert fields["day of the week"][k] == calendar.weekday(day.year, day.month, day.day)


def test_the_calendar_of_other_languages_is_the_same():
    fields = fields_of(np.arange(-400_000, 400_000.0))
    emitted = []
    compute = {"+": np.add, "-": np.subtract, "*": np.multiply, "//": np.floor_divide}
    values = {"day": np.arange(-400_000, 400_000.0)}

    def emit(sign, first, second):
        emitted.append(sign)
        name = f"t{len(emitted)}"
        values[name] = compute[sign](values[first], values.get(second, second))
        return name

    found = predictor.calendar.py_func(Term("day", emit))
    for name, term in zip(("year", "month", "day of the year"), found, strict=True):
        assert (values[term.name] == fields[name]).all()
    assert predictor.calendar.py_func(20_783) == (2026, 10, 329)


def test_a_full_hour_of_single_precision_is_this_hour():
    hours = np.arange(0, 24 * 32_000) / 24
    fields = fields_of(hours.astype(np.float32))
    assert (fields["hour"] == np.arange(len(hours)) % 24).all()
    assert (fields["month"] == fields_of(hours)["month"]).all()


@pytest.mark.parametrize("steps", CYCLES.values())
def test_places_on_a_circle_are_rounded_correctly(steps):
    found, angles = circle(steps), 2 * np.pi * np.arange(steps) / steps
    np.testing.assert_allclose(found, np.c_[np.sin(angles), np.cos(angles)], rtol=0, atol=2e-15)
    half = (steps + 1) // 2  # places that mirror each other have the same bits
    assert np.array_equal(found[1:half, 1], found[:-half:-1, 1])
    assert np.array_equal(found[1:half, 0], -found[:-half:-1, 0])
    assert not np.signbit(found[found == 0]).any()
    if steps == 12:
        assert found[1].tolist() == [0.5, 0.8660254037844386]
    if steps == 366:  # computed with 50 digits by mpmath
        assert found[[1, 100, 365], 0].tolist() == SINES


SINES = [0.01716632975470737, 0.9893724130196829, -0.01716632975470737]

MORNING = "2026-11-26T07:30"
TEXTS = {
    "ISO": ("2026-11-26", "2026-11-26", ""),
    "slashes": ("2026/11/26 7:30", MORNING, ""),
    "a zone": ("2026-11-26T07:30:00Z", MORNING, ""),
    "an offset": ("2026-11-26T09:00:00+01:30", MORNING, ""),
    "an offset before": ("2026-11-25 23:00-0830", MORNING, ""),
    "a time, as NumPy reads it": ("2026-11-26 07:30", MORNING, ""),
    "fractions": ("2026-11-26 07:30:00.25", "2026-11-26T07:30:00.25", ""),
    "nanoseconds": ("2026-11-26 07:30:00,123456789", "2026-11-26T07:30:00.123456", ""),
    "day first": ("26.11.2026", "2026-11-26", "day"),
    "day first, a slash": ("26/11/2026", "2026-11-26", "day"),
    "month first": ("11/26/2026 07:30 PM", "2026-11-26T19:30", "month"),
    "midnight": ("11/26/2026 12:30am", "2026-11-26T00:30", "month"),
    "noon": ("11/26/2026 12:00 PM", "2026-11-26T12:00", "month"),
    "a month": ("2026-11", "2026-11-01", ""),
    "two digits": ("26.11.68", "2068-11-26", "day"),
    "two digits of the last century": ("26-11-69", "1969-11-26", "day"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_dates(name):
    text, moment, order = TEXTS[name]
    column = learned([text, None, text, text.replace("26", "25", 1)])
    assert column.order == order
    known = days_of(np.array([moment], "M8[us]"))[0]
    assert column.numbers(cells_of("when", [text])) == [known]
    # NumPy reads a column of plain texts, but not one with such a date.
    assert column.numbers(cells_of("when", [text, "2026/1/1"]))[0] == known


def test_the_whole_column_decides_what_is_first():
    days = [f"{day:02}/02/2026" for day in range(1, 28)]
    column, note, _ = learn_dates("when", cells_of("when", days))
    assert column.order == "day"
    assert note.startswith("when: dates, day first: inputs for elapsed days, ")
    alone = column.numbers(cells_of("when", ["03/02/2026"]))
    assert alone == days_of(np.array(["2026-02-03"], "M8[D]"))


@pytest.mark.parametrize(("sign", "order"), [("/", "month"), (".", "day"), ("-", "day")])
def test_an_order_that_nothing_decides_is_named(sign, order):
    texts = [f"0{k}{sign}0{k + 1}{sign}2026" for k in range(1, 5)]
    column, note, _ = learn_dates("when", cells_of("when", texts))
    assert column.order == order
    assert f"dates, taken as {order} first (no day above 12 decides it): inputs for" in note


MIXED = ["31.01.2026", "2026-02-01", "2026-02-02T00:00+00:00"]


def test_dates_may_be_written_in_several_ways():
    assert np.diff(learned(MIXED).numbers(cells_of("when", MIXED))).tolist() == [1, 1]


MANY = [f"2026-01-{k:02}" for k in range(1, 31)]
REFUSED = {
    "no such day": ([*MANY, "2026-02-30"], "like 2026-11-26, got '2026-02-30' in row 31"),
    "no such hour": (["2026-01-01 24:00", *MANY], "got '2026-01-01 24:00' in row 1"),
    "no such half": (
        ["1/31/2026 13:00 PM", "1/30/2026", *MANY],
        "11/26/2026 or 2026-11-26, got .* in row 1",
    ),
    "a text": ([*MANY, None, "soon"], "like 2026-11-26, got 'soon' in row 32; clean or drop it$"),
    "another order": (
        ["13/01/2026", *MANY, "01/14/2026", "14/01/2026"],
        "like 26.11.2026 or 2026-11-26, got '01/14/2026' in row 32",
    ),
    "before the first year": (["0001-01-01 00:00+02:00", *MANY], "got '0001-01-01 00:00"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_texts_that_are_no_dates_are_refused(name):
    texts, rule = REFUSED[name]
    with pytest.raises(ValueError, match=f"^column 'when' must hold .*{rule}"):
        Preparation.learn({"when": texts, "x": range(len(texts))})


def test_a_row_is_that_of_the_whole_table():
    texts = [*MANY, "2026-02-30"] * 2
    with pytest.raises(ValueError, match=r"got '2026-02-30' in row (31|62);"):
        fastgd.fit({"when": texts, "y": [None] * 20 + [*range(42)]}, "y")


NO_DATES = {
    "a few": ["soon", "2026-01-01"],
    "no year": ["1-2", "3-4"],
    "sort codes": ["40-86-26", "20-04-15", "13-31-20", "31-13-20"],
    "versions": ["1.2.10", "1.2.11", "2.10.12"],
    "versions of Python": ["3.10.14", "3.13.11", "3.12.10"],
    "two orders": ["13/01/2026", "01/13/2026"],
    "years and two digits": ["1999-13", "2005-00", "2005-14"],
}


@pytest.mark.parametrize("name", NO_DATES)
def test_what_is_no_column_of_dates_is_text(name):
    assert learn_dates("when", cells_of("when", NO_DATES[name])) is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["26.11.2026"], "like 2026-11-26, got '26.11.2026' in row 1"),
        (["2026-01-01", "?"], "like 2026-11-26, got '?' in row 2"),
        ([5.0], "like 2026-11-26, got '5' in row 1"),
    ],
)
def test_a_new_table_must_have_dates(texts, message):
    preparation = Preparation.learn({"when": MANY})
    with pytest.raises(ValueError, match="must hold dates like") as raised:
        preparation.transform({"when": texts})
    assert str(raised.value).endswith(message)


UNREAD = {
    "months by name": [f"{k:02} Jan 2024" for k in range(1, 26)],
    "months first": [f"May {k}, 2024" for k in range(1, 26)],
    "digits": [20_240_100 + k for k in range(1, 26)],
    "two orders": [
        *(f"{k}/1/2024" for k in range(13, 20)),
        *(f"1/{k}/2024" for k in range(13, 20)),
    ],
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_column_that_may_hold_dates_is_left_out_with_a_hint(case):
    table = {"when": UNREAD[case], "x": np.sin(np.arange(len(UNREAD[case])))}
    note = Preparation.learn(table).notes[0]
    assert note.startswith("when: left out: ")
    assert "; if these are dates, write them as 2026-11-26 (keep" in note


def test_months_of_a_new_table():
    column = learned(pd.period_range("2024-01", periods=3, freq="M").to_series())
    for new in (["2024-02"], [pd.Period("2024-02")]):
        assert column.numbers(cells_of("when", new)) == [31 + 19_723]


def test_inputs():
    moments = np.array(["2024-02-29T18:00", "2025-03-01T06:00", "NaT"], "M8[us]")
    preparation = Preparation.learn({"when": moments})
    names = [name.removeprefix("when ") for name in preparation.names]
    found = dict(zip(names, preparation.transform({"when": moments}).T.tolist(), strict=True))
    assert found.pop("missing") == [0, 0, 1]
    assert found.pop("days") == [-1, 1, 0]
    assert found.pop("year") == [-1, 1, -1]  # of the median, 2024-08-30
    for name, places in {
        "month": [1, 2, 7],
        "day of the year": [59, 59, 242],
        "day of the week": [3, 5, 4],
        "hour": [18, 6, 12],
    }.items():
        for which, numbers in zip(("sin", "cos"), circle(CYCLES[name])[places].T, strict=True):
            if f"{name} {which}" in found:
                assert found.pop(f"{name} {which}") == numbers.tolist()
            else:
                assert name == "day of the year"  # the same in both rows
    assert not found
    assert preparation.notes[0] == (
        "when: dates: inputs for elapsed days, year, month, day of the week, hour; missing in 1 "
        "row: filled with 2024-08-30T12:00:00, the median, and flagged by an input"
    )


def test_what_does_not_vary_is_no_input():
    assert learned(np.array(["2024-01-01", "2024-01-08"], "M8[D]")).names == (
        *("when days", "when day of the year sin", "when day of the year cos"),
    )
    assert Preparation.learn({"when": ["2026-11-26"] * 4, "x": [1, 2, 3, 5]}).notes[0] == (
        "when: left out: every row has 2026-11-26"
    )


def test_texts_and_dates_are_the_same():
    dates = pd.to_datetime(MANY)
    assert learned(MANY) == learned(dates)
    cells = cells_of("when", MANY)
    column = learned(MANY)
    assert np.array_equal(column.numbers(cells), column.numbers(cells_of("when", dates)))


def test_remarks():
    column = learned(MANY)
    later = np.array(["2026-01-31", "2026-02-27", "2025-12-01", "NaT"], "M8[D]")
    assert list(column.remarks(cells_of("when", later))) == [
        "when: 25 % of the rows lie before 2026-01-01, the first date learned",
        "when: 50 % of the rows lie after 2026-01-30, the last date learned",
        "when: missing in 1 row, and never in the training table: filled with "
        "2026-01-15T12:00:00, the median",
    ]
    assert next(column.remarks(cells_of("when", later[1:2]))).startswith("when: 100 % of the rows")
    assert not list(column.remarks(cells_of("when", MANY)))


def test_a_saved_column_is_the_same():
    preparation = Preparation.learn({"when": [*MANY, None], "x": range(31)})
    assert isinstance(preparation.columns[0], DateColumn)
    assert Preparation.from_json(preparation.to_json()) == preparation


@pytest.mark.parametrize(
    "changed",
    [{"cycles": ["moon"]}, {"order": "hour"}, {"scale": 0.0}, {"scale": "1"}],
)
def test_a_corrupt_column_is_refused(changed):
    fields = json.loads(Preparation.learn({"when": MANY}).to_json())
    fields["columns"][0] |= changed
    with pytest.raises(ValueError, match="corrupt"):
        Preparation.from_json(json.dumps(fields))


def test_dates_predict():
    days = np.datetime64("2023-01-01") + np.arange(700)
    y = 10 * np.sin(2 * np.pi * np.arange(700) / 365) + 3 * (np.arange(700) % 7 > 4)
    model = fastgd.fit({"when": days, "y": y}, "y", hidden_size=16, seed=1)
    assert model.scores["model"]["R squared"] > 0.95

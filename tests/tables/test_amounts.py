"""Numbers in strings: with a currency, a percent sign, a unit, or separated thousands."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.tables.notations import notation_text, numbers_like, numbers_written
from fastgd.tables.preparation import Preparation
from fastgd.tables.reading import read_columns
from fastgd.tables.targets import NumberTarget, learn_target, notes_of, target_from_json

AMOUNTS = {
    "$": (["$215,000", "$99,500.5", "-$7", "($1,200)"], [215000, 99500.5, -7, -1200]),
    "US$": (["US$ 5", "US$7"], [5, 7]),
    "€": (["€ 1.200,50", "€ 800", "€ -7", "5 €"], [1200.5, 800, -7, 5]),
    "EUR": (["1,200 EUR", "EUR 7"], [1200, 7]),
    "%": (["7.0%", "12 %"], [7, 12]),
    "min": (["90 min", "5 min"], [90, 5]),
    "km": (["12 km", "\u22127km", ".5 km", "1,234,567 km"], [12, -7, 0.5, 1234567]),
    "°C": (["-5 °C", "20,5 °C"], [-5, 20.5]),
    "kWh/m²": (["5 kWh/m²", "1 200 kWh/m²", "1\u202f200,5 kWh/m²"], [5, 1200, 1200.5]),
    "": (["1,234", "(1,200)", "12", "1'234.5"], [1234, -1200, 12, 1234.5]),
    " ": (["1.234,5", "12"], [1234.5, 12]),
}


@pytest.mark.parametrize("notation", AMOUNTS)
def test_a_whole_column_in_one_notation_is_numbers(notation):
    texts, numbers = AMOUNTS[notation]
    cells = numbers_written("x", [*texts, None])
    assert cells.kind == "numbers"
    assert cells.values[:-1].tolist() == numbers
    assert cells.missing.tolist() == [False] * len(texts) + [True]
    notation = notation.strip()
    assert cells.notation == notation
    assert cells[np.array([1])].written.tolist() == texts[1:2]
    new = numbers_like("x", [*texts[::-1], "7", None], notation, cells.decimal, "must be numbers")
    assert new[:-1].tolist() == [*numbers[::-1], 7]


TEXTS = (
    "12 main street,14 main street", "A1,A2", "1st,2nd", "5th,6th", "2x4,2x6", "size 1,size 2",
    "01234,12345", "007 km,008 km", "1,2", "1.5,2", "12,12a,7b", "12,12g,5h", "1234 AB,1235 CD",
    "555 123,555 124", "26.11.2026,27.11.2026", "7:30,8:00", "1.2.3,1.2.4", "$1.2M,$3M", "5+,6+",
    "(1),(2)", "$5,cheap", "1 year,2 years", "5 km), 6 km)", "--5 km,6 km", "$5 km,$6 km",
)  # fmt: skip


@pytest.mark.parametrize("column", [*TEXTS, "1;2;20,22"])
def test_codes_and_names_stay_strings(column):
    texts = column.split(";" if ";" in column else ",")
    cells = numbers_written("x", texts)
    assert cells.kind == "texts"
    assert cells.values.tolist() == [text.strip() for text in texts]
    assert notation_text(cells) == ""


DURATIONS = {
    "0:45:30": (["1:02:30", "0:45:30", "9:00:00.5"], [3750, 2730, 32400.5]),
    "mixed": (["45:10", "1:02:30"], [2710, 3750]),
    "above a day": (["25:10", "3:45"], [1510, 225]),
    "units": (["3d 4h", "2h30", "1.5h", "2d"], [273600, 9000, 5400, 172800]),
    "words": (["90 min", "2 hours", "1 hour, 5 Min", "1 week"], [5400, 7200, 3900, 604800]),
    "ISO 8601": (["PT1H30M", "P1DT2H", "P2W", "PT0.5S"], [5400, 93600, 1209600, 0.5]),
    "pandas": (["0 days 01:02:30", "-1 days +23:00:00"], [3750, -3600]),
    "Python": (["1:00:00", "2 days, 0:00:01"], [3600, 172801]),
}


@pytest.mark.parametrize("case", DURATIONS)
def test_durations_are_days(case):
    texts, seconds = DURATIONS[case]
    preparation = Preparation.learn({"wait": [*texts, None]})
    days = np.array(seconds) * 1e6 / 864e8
    new = [
        pd.to_timedelta(seconds, "s"),
        texts,
        days,
        list(map(str, pd.to_timedelta(seconds, "s"))),
    ]
    for cells in new:  # the same bits
        assert preparation.numbers({"wait": cells})[:, 0].tolist() == days.tolist()
    assert preparation.notes[0].startswith("wait: durations in days: ")
    assert Preparation.from_json(preparation.to_json()) == preparation
    assert preparation.numbers({"wait": ["0.5"]}) == 0.5
    with pytest.raises(ValueError, match=r"'wait' must hold durations, .* got 'soon' in row 2"):
        preparation.numbers({"wait": [texts[0], "soon"]})


def test_a_duration_of_pandas_is_one_of_texts():
    preparation = Preparation.learn({"wait": pd.to_timedelta([1, 2, 4], "h")})
    assert preparation.notes[0] == "wait: durations in days"
    assert preparation.numbers({"wait": ["0:06:00"]}) == 0.1 / 24
    target = NumberTarget.learn("wait", ["1:02:30", "0:45:30"])
    assert target.note.startswith("wait: durations in days to predict, with mean 0.0375 and")


@pytest.mark.parametrize("texts", ["3d,4h,2d", "2H,4D", "1:30,2:75", "P1M,P2M", "12:10,soon"])
def test_codes_and_scores_are_no_durations(texts):
    assert numbers_written("x", texts.split(",")).kind == "texts"


REFUSED = {
    "currencies": (["$5", None, "€5"], r"one unit .* '\$5' in row 1 and '€5' in row 3; clean or"),
    "percent": (["0.5", "7%"], "must have % in all rows or in none, got '0.5' in row 1 and '7%' "),
    "units": (["5 kg", "7 kg", "700 g"], "one unit .* '5 kg' in row 1 and '700 g' in row 3"),
    "mostly": (["5 sq", "7 %"], "one unit .* '5 sq' in row 1 and '7 %' in row 2"),
    "decimals": (["1.5 km", "1,5 km"], "same in all numbers, got '1.5' and '1,5' in column 'x'"),
    "money": (["€ 215.000", "€ 9"], "'x' must show its decimal sign, got '€ 215.000', which has"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_amounts_in_several_notations_are_refused(case):
    texts, message = REFUSED[case]
    if case in ("decimals", "percent"):
        texts = sorted(texts)
    with pytest.raises(ValueError, match=message):
        Preparation.learn({"x": texts})
    with pytest.raises(ValueError, match=message):
        learn_target("x", [text for text in texts if text] if case != "currencies" else texts)
    assert Preparation.learn({"x": texts, "z": [1, 2, 3][: len(texts)]}, drop=["x"]).names == ("z",)


def test_a_prediction_reads_what_was_learned():
    table = {"way": ["1.200,5 km", "800 km", None], "share": ["5%", "7%", "9%"]}
    preparation = Preparation.learn(table, standardize=False)
    assert preparation.notes[0].startswith(
        "way: numbers with km behind: 1.200,5 km is 1200.5; missing in 1 row: filled with"
    )
    assert preparation.notes[1] == "share: numbers with % behind: 5% is 5"
    again = Preparation.from_json(preparation.to_json())
    assert again == preparation
    new = {"way": ["1.200 km", "7", "0,5km"], "share": [5.0, 6, 7]}
    assert again.transform(new).tolist() == [[1200, 0, 5], [7, 0, 6], [0.5, 0, 7]]
    assert again.transform({"way": ["1.200 km"], "share": ["1.5 %"]}).tolist() == [[1200, 0, 1.5]]
    with pytest.raises(
        ValueError, match="'share' must hold numbers, as in the training table, got '6 km' in row 2"
    ):
        again.transform(new | {"share": ["5", "6 km", "7"]})
    plain = Preparation.learn({"way": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"'way' must hold numbers, .* got '5 km' in row 2"):
        plain.transform({"way": ["5", "5 km"]})


def test_a_file_says_which_sign_is_decimal(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("price;way\n215.000 €;1,5\n99.000 €;2\n")
    columns = read_columns(path)
    assert columns["price"][1:].decimal == ","
    assert numbers_written("price", columns["price"]).values.tolist() == [215000, 99000]
    path.write_text("price\n215.000 €\n")
    assert numbers_written("p", read_columns(path, decimal=",")["price"]).values.tolist() == [
        215000
    ]
    assert numbers_written("p", read_columns(path, decimal=".")["price"]).values.tolist() == [215]
    with pytest.raises(ValueError, match=r"'p' must show its decimal sign, got '215.000 €'"):
        numbers_written("p", read_columns(path)["price"])


def test_a_target_of_money_is_numbers():
    prices = ["$215,000", "$99,500", "$1,000"]
    target = learn_target("price", prices)
    assert isinstance(target, NumberTarget)
    assert target.notation == "$"
    assert target.decode(target.encode(["$99,500", "5"])).round(9).tolist() == [99500, 5]
    note, example = notes_of(target, numbers_written("price", prices))
    assert note.startswith("price: numbers with $ to predict, with mean 105167 and deviation")
    assert example == "price: numbers with $ in front: $215,000 is 215000"
    classes = learn_target("share", ["5%", "10%", "5%", "10%"], classification=True)
    assert classes.classes == ("10%", "5%")
    assert classes.encode(numbers_written("share", ["5%", "10%"])).tolist() == [[0, 1], [1, 0]]


CLASSES = {
    "free text": ([f"t{k}" for k in range(101)] * 2, None, "at most 100 classes, got 101 .* 't0'"),
    "once": ([*"aaaaabc"], None, "labels that repeat, got 3 different ones in 7 rows"),
    "pairs": ([*"aaabb", "c"] * 1 + ["d"], None, "labels that repeat, got 4 different ones in 7"),
    "numbers": ([*range(8), 1.0], True, "labels that repeat, .* without classification=True"),
    "digits": (
        [str(k) for k in range(150)],
        None,
        "at most .*: make them numbers in place of strings",
    ),
    "almost numbers": (
        [f"${k},000" for k in range(1, 150)] + ["ask us"],
        None,
        "at most 100 classes, got 150 .* in 150 rows, .* without 'ask us' they'd be numbers",
    ),
}


@pytest.mark.parametrize("case", CLASSES)
def test_what_is_hardly_classes_is_refused(case):
    values, classification, message = CLASSES[case]
    with pytest.raises(ValueError, match=f"target 'y' must have {message}"):
        learn_target("y", values, classification=classification)
    if case == "free text":
        assert len(learn_target("y", values, max_classes=101).classes) == 101


def test_few_whole_numbers_may_be_classes():
    for values, expected in (([1, 2, 3] * 2, True), ([1, 2.5, 3] * 2, False), (range(11), False)):
        cells = numbers_written("y", list(values))
        notes = notes_of(learn_target("y", cells), cells)
        assert (len(notes) == 2) == expected
        assert len(notes_of(learn_target("y", cells), cells, classification=False)) == 1
    assert len(notes_of(learn_target("y", ["a", "b"]), numbers_written("y", ["a", "b"]))) == 1


def test_a_model_keeps_the_notation(tmp_path: Path):
    size = np.arange(40) * 37 % 101
    table = {
        "size": [f"{number} m²" for number in size],
        "price": [f"${1000 * number:,}" for number in size],
    }
    model = fastgd.fit(table, "price", hidden_size=(), folds=2)
    model.save(tmp_path / "m.npz")
    found = fastgd.load(tmp_path / "m.npz").predict({"size": ["50 m²", "50"]})
    assert found[0] == found[1]
    assert abs(found[0] - 50_000) < 3000


def test_an_older_target_is_loaded():
    old = '{"kind": "number", "name": "price", "mean": 2.0, "scale": 0.5}'
    assert target_from_json(old) == NumberTarget("price", 2.0, 0.5)

"""Columns that explain the target alone are named, and honest ones are not."""

import numpy as np
import pytest

from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import leaks, learn_target

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.normal(size=200)
NOISE = RANDOM.normal(size=200)
CLASSES = np.where(NUMBERS > 1, "c", np.where(NUMBERS > 0, "b", "a"))
IN_HALF, IN_FEWER = (np.where(np.arange(200) < n, NUMBERS, np.nan) for n in (100, 99))
RARE = np.where(np.arange(200) < 4, "x", "y")

LEAKS = {
    "linear": (3 - 2 * NUMBERS, NUMBERS),
    "almost linear": (NUMBERS + NOISE / 100, NUMBERS),
    "monotone": (np.exp(9 * NUMBERS), NUMBERS),
    "tied": (np.exp(9 * np.maximum(NUMBERS, np.sort(NUMBERS)[15])), NUMBERS),
    "where it is known": (IN_HALF, NUMBERS),
    "classes where it is known": (IN_HALF, NUMBERS > 0),
    "numbers of classes": (NUMBERS, CLASSES),
    "codes of classes": ((CLASSES == "a") + 1.0, CLASSES == "a"),
    "gaps of classes": (np.where(CLASSES == "a", NOISE, np.nan), CLASSES == "a"),
    "one text and gaps": (np.where(CLASSES == "a", "boat", None), CLASSES == "a"),
    "dates": (np.datetime64("2026-01-01") + (1e6 * NUMBERS).astype("m8[s]"), NUMBERS),
    "texts of classes": (np.char.add(CLASSES, (np.arange(200) % 9).astype(str)), CLASSES),
}
HONEST = {
    "noise": (NUMBERS + NOISE / 10, NUMBERS),
    "not monotone": (np.abs(NUMBERS), NUMBERS),
    "few rows": (NUMBERS[:19], NUMBERS[:19]),
    "known in few rows": (IN_FEWER, NUMBERS),
    "classes known in few rows": (IN_FEWER, NUMBERS > 0),
    "one wrong": (np.where(np.arange(200) == 7, -NUMBERS, NUMBERS), CLASSES),
    "a rare class": (np.arange(200) + 0.5, RARE),
    "many texts": (np.arange(200).astype(str).astype(object), CLASSES),
    "mixed texts": (np.where(np.arange(200) % 9, CLASSES, "z"), CLASSES),
    "texts of numbers": (CLASSES, np.where(CLASSES == "a", 1.5, 0.0)),
    "too large": (np.where(NUMBERS > 0, 1e200, -1e200), NUMBERS),
}


@pytest.mark.parametrize("case", LEAKS | HONEST)
def test_what_explains_the_target_alone_is_named(case):
    column, wanted = (LEAKS | HONEST)[case]
    table = {"column": column, "other": NOISE[: len(column)]}
    target = learn_target("y", wanted)
    preparation = Preparation.learn(table, keep=["column"], standardize=False)
    found = leaks(preparation, table, target, target.encode(wanted))
    share = "over 99.9 %" if np.asarray(wanted).dtype.kind == "f" else "all"
    where = " in the 100 of 200 rows with a value" if column is IN_HALF else ""
    line = f"column: alone it explains {share} of y{where}: is it known before y?"
    assert found == ([line] if case in LEAKS else [])

"""Odd values for any argument, and what is a refusal by a rule: for tests that try them all."""

import array
import datetime
import linecache
import os
import traceback
from collections.abc import Collection, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pandas as pd

import fastgd
from fastgd.optimizers import Adam
from fastgd.schedules import Linear

ROOM = os.path.dirname(fastgd.__file__) + os.sep


class Hostile:
    """Whatever is asked of it, it refuses."""

    def refuse(self, *_):
        raise ZeroDivisionError("hostile")

    __array__ = __bool__ = __eq__ = __float__ = __getitem__ = __hash__ = __index__ = refuse
    __int__ = __iter__ = __len__ = __lt__ = __repr__ = __str__ = __fspath__ = refuse


class Endless:
    """An iterable without an end."""

    def __iter__(self):
        while True:
            yield 1


class Lying(Endless, Collection):
    """A collection that has more than it says."""

    def __len__(self):
        return 2

    def __contains__(self, _):
        return True


class Negative:
    """A sequence whose length is none."""

    def __len__(self):
        return -1

    def __getitem__(self, key):
        return key


class NoMapping(Mapping):
    """A mapping that has not what it names."""

    def __len__(self):
        return 1

    def __iter__(self):
        return iter(["x"])

    def __getitem__(self, key):
        raise RuntimeError("gone")


class NoArray:
    """An object that says that it is an array, and isn't."""

    def __array__(self, dtype=None, copy=None):
        return "no array"


class Word(str):
    """A string of a class of its own."""


class Three:
    """What may stand for an int."""

    def __index__(self):
        return 3


class NoInt:
    """What says that it is an int, and isn't."""

    def __index__(self):
        return "3"


def _of_itself():
    found = [1]
    found.append(found)
    return found


def _nested(depth):
    found = 1
    for _ in range(depth):
        found = (found,)
    return found


ODD = {
    "None": None,
    "True": True,
    "NumPy's True": np.True_,
    "0": 0,
    "-1": -1,
    "3": 3,
    "2**70": 2**70,
    "10**400": 10**400,
    "0.5": 0.5,
    "-0.5": -0.5,
    "NumPy's 0.5": np.float64(0.5),
    "a 0-d array": np.array(0.5),
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "a fraction": Fraction(1, 3),
    "a decimal": Decimal("0.5"),
    "1j": 1j,
    "a complex array": np.array([1j, 2]),
    "a string": "1",
    "no letters": "",
    "a zero byte": "a\0b",
    "bytes": b"1",
    "an empty list": [],
    "an empty tuple": (),
    "an empty array": np.array([]),
    "[1]": [1],
    "[1, 2]": [1, 2],
    "(2, 1)": (2, 1),
    "[nan, inf]": [float("nan"), float("inf")],
    "((0, 1), (0, 1))": ((0, 1), (0, 1)),
    "((0, 0, 0), (0, 9, 0))": ((0, 0, 0), (0, 9, 0)),
    "ragged": [[1], [2, 3]],
    "3-D": np.zeros((2, 2, 2)),
    "(4, 4) of bool": np.eye(4, dtype=bool),
    "(16, 16) of bool": np.eye(16, dtype=bool),
    "a huge range": range(10**15),
    "an array of strings": np.array(["a", "b"]),
    "an array of objects": np.array([None, {}], dtype=object),
    "a masked array": np.ma.masked_array([1.0, 2.0], [True, False]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "a timedelta": datetime.timedelta(1),
    "NumPy's timedelta": np.timedelta64(1, "s"),
    "a dict": {"a": 1},
    "an empty dict": {},
    "a set": {1, 2},
    "a generator": (k for k in range(3)),
    "a function": len,
    "a type": int,
    "an object": object(),
    "hostile": Hostile(),
}
"""By what they are called."""

ODDER = {
    "2**62": 2**62,
    "5e-324": 5e-324,
    "1.7e308": 1.7e308,
    "a signaling NaN": Decimal("sNaN"),
    "float16": np.float16(2),
    "longdouble": np.longdouble("1e4000"),
    "uint64": np.uint64(2**64 - 1),
    "a date": datetime.date(2020, 1, 1),
    "a zone": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "NaT": np.datetime64("NaT", "s"),
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    "a slice": slice(3),
    "an exception": ValueError("no"),
    "a lambda": lambda *_: 1,
    "a module": np,
    "a path": Path("no such file"),
    "long text": "x" * 10_000,
    "an escape": "\x1b[31mred\n\u202e",
    "lone surrogate": "\ud800",
    "a bytearray": bytearray(b"12"),
    "a memoryview": memoryview(b"12"),
    "array.array": array.array("d", [1.0, 2.0]),
    "a string of its own": Word("x"),
    "three": Three(),
    "no int": NoInt(),
    "no array": NoArray(),
    "endless": Endless(),
    "lying": Lying(),
    "negative length": Negative(),
    "no mapping": NoMapping(),
    "a mock": MagicMock(name="mock"),
    "a list of itself": _of_itself(),
    "nested": _nested(500),
    "a frozenset": frozenset({"a"}),
    "a list of None": [None, None],
    "a list of strings": ["a", "b"],
    "a list of hostile": [Hostile()],
    "a tuple of hostile": (Hostile(), Hostile()),
    "a dict of hostile": {"x": Hostile(), "y": Hostile()},
    "a list of dicts": [{}, {"a": 1}],
    "several at once": [1, "a", None, 2.5, b"x"],
    "a list of huge": [10**400, 1],
    "4 numbers": [0.0, 1.0, 0.0, 1.0],
    "4 huge numbers": [1.7e308, -1.7e308, 0.0, 1.0],
    "4 classes": np.array([0, 1, 2, 3]),
    "(4, 3)": np.ones((4, 3)),
    "no rows": np.ones((0, 3)),
    "structured": np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]),
    "not aligned": np.frombuffer(bytes(33), dtype="f8", offset=1),
    "a matrix": np.ones((4, 3)).view(type("Own", (np.ndarray,), {})),
    "pandas' NA": pd.NA,
    "pandas' NaT": pd.NaT,
    "a Series": pd.Series([1.0, 2.0, 3.0, 4.0]),
    "a Series of texts": pd.Series(["a", None]),
    "a DataFrame": pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}),
    "an empty DataFrame": pd.DataFrame(),
    "a Categorical": pd.Categorical(["a", "b", "a", "b"]),
    "a Function": fastgd.Function("a"),
    "a Loss": fastgd.Loss("(y - v)**2"),
    "Adam of a string": Adam(beta1="x"),
    "Adam of a hostile": Adam(beta1=Hostile()),
    "the class Adam": Adam,
    "a schedule of nan": Linear(steps=float("nan")),
    "factors": [1.0, float("nan")],
    "a ragged dict": {"x": [1.0, 2.0], "y": [1.0]},
    "a dict of 0-d": {"x": np.array(1.0), "y": np.array(2.0)},
    "a dict of 2-D": {"x": np.ones((4, 2)), "y": np.ones((4, 2))},
    "a dict with numbers": {1: [1.0, 2.0], "1": [1.0, 2.0]},
    "a dict of None": {"x": None, "y": None},
}
"""More of them, for calls that are cheap to refuse."""


def stated(error):
    """Whether an error was raised by a line of this project, with a message on one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(frame.filename, frame.lineno).lstrip()
    return frame.filename.startswith(ROOM) and line.startswith("raise ") and (
        len(str(error).splitlines()) == 1
    )  # fmt: skip

"""Kernels translated from their source: what Python and Numba's own way give, or a clear error."""

import json
import math
import os
import re
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from numba import njit, types

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.arguments.options import Method
from fastgd.engine import layout as layouts
from fastgd.engine import session
from fastgd.engine.recipe import recipe_of
from fastgd.kernel import vectorization
from fastgd.kernel.language import translation
from fastgd.kernel.language.loads_and_stores import count_changes, load, store
from fastgd.kernel.language.source_expressions import UnknownError
from fastgd.kernel.language.specialization import Choice, dispatch, part
from fastgd.kernel.language.tile import Shape, runs_of, select
from fastgd.kernel.language.translation import outlined, translated, unrolled
from golden import GOLDEN
from thinning import some

FLOAT, INTEGERS = types.float64, types.int64[::1]


def compiled(function, returned=FLOAT):
    """The function, translated."""
    assert translation.TRANSLATES
    made = translated(returned=returned)(function)
    assert made is not function
    return njit(error_model="numpy")(made)


@outlined
def _weighed(x, y, z):
    """Three tiles in another order would give something else."""
    return select(x > y, x - y, y * z)


def weighed(shape, x, y, z, out):
    a, b, c = load(shape, x, 0, 0), load(shape, y, 0, 0), load(shape, z, 0, 0)
    store(shape, out, 0, 0, _weighed(a, b, c))
    store(shape, out, runs_of(shape), 0, _weighed(b, a, c))


@pytest.mark.parametrize("decorate", [lambda function: function, translated])
@pytest.mark.parametrize("lanes", [1, 2])
def test_what_is_outlined_is_one_function_that_is_called(decorate, lanes):
    x, y, z = np.array([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]])[:, :lanes]
    made, out = njit(error_model="numpy")(decorate(weighed)), np.empty((2, lanes))
    made(Shape(1, 1, lanes), x, y, z, out.ravel())
    assert out.tolist() == [
        np.where(x > y, x - y, y * z).tolist(),
        np.where(y > x, y - x, x * z).tolist(),
    ]
    [text] = made.inspect_llvm().values()
    assert len(re.findall(r"^define .*_weighed\.Tile", text, re.MULTILINE)) == 1
    assert len(re.findall(r"call .*_weighed\.Tile", text)) == 2


def taken_along(shape, source, before, counts, out):
    tile = load(shape, source, 1, 2)
    count_changes(shape, tile > 0.0, before, counts, 3, 2)
    store(shape, out, 5, 2, tile)


@pytest.mark.parametrize("decorate", [lambda function: function, translated])
def test_rows_side_by_side_are_moved_and_counted_as_others_are(decorate):
    """With a stride that is known to be a row's width they are a single load or store."""
    source, out = np.array([9.0, 1.0, -2.0, 3.0, -4.0, 9.0]), np.zeros(10)
    before, counts = np.ones(8, np.uint8), np.arange(8, dtype=np.uint8)
    made = njit(error_model="numpy")(decorate(taken_along))
    made(Shape(2, 2, 1), source, before, counts, out)
    assert out.tolist() == [0.0] * 5 + [1.0, -2.0, 3.0, -4.0, 0.0]
    assert before.tolist() == [1, 1, 1, 1, 0, 1, 0, 1]
    assert counts.tolist() == [0, 1, 2, 3, 5, 5, 7, 7]
    if decorate is translated:
        [text] = made.inspect_llvm().values()
        assert re.search(r"store <4 x double>", text)
        assert re.search(r"store <4 x i8>", text)
        assert not re.search(r"store <2 x (double|i8)>", text)


def quotients(a, b):
    return (a // b) * 1000.0 + a % b


@pytest.mark.parametrize("a", [-7, -6, 0, 6, 7])
@pytest.mark.parametrize("b", [-3, -1, 1, 3])
def test_quotients_of_integers_are_pythons(a, b):
    assert compiled(quotients)(a, b) == quotients(a, b)


def loops(a, b, step):
    total = 0.0
    for i in range(a, b, step):
        if i == 5:
            continue
        if i * i > 400:
            break
        total = total + i
    while total < 10.0:
        total += 1.0
    return total


@pytest.mark.parametrize(
    "bounds", [(0, 10, 1), (0, 10, 3), (10, 0, -2), (0, 0, 1), (3, -100, 1), (0, 50, 1), (9, 2, -1)]
)
def test_loops_are_pythons(bounds):
    assert compiled(loops)(*bounds) == loops(*bounds)


def left_early(x):
    for _ in range(1):
        if x > 0.0:
            break
        x = x - 1.0
    return x


@pytest.mark.parametrize("x", [-1.0, 2.0])
def test_a_loop_of_one_round_may_be_left_early(x):
    assert compiled(left_early)(x) == left_early(x)


def doubled_often(x):
    for _ in unrolled(10):
        x = x + x
    for _ in range(10):
        x = x + x
    return x


def test_rounds_are_written_out_where_the_source_says_so(monkeypatch):
    written, whole = [], translation._Walk.rounds
    monkeypatch.setattr(
        translation._Walk, "rounds", lambda *given: written.append(given[-1]) or whole(*given)
    )
    assert compiled(doubled_often)(1.0) == doubled_often(1.0) == 2.0**20
    assert written == [range(10)]


@part
def first_above(values, limit):
    for i in range(len(values)):
        if values[i] > limit:
            return i, values[i]
    return -1, limit


@part
def told(known, a):
    if known is None:
        return a
    return known


def returns(values, limit):
    place, found = first_above(values, limit)
    place += 1 if place < 0 and limit > 3 else 10
    values[0], values[1] = values[1], values[0]
    found += values[0] if not (place == 10 or limit == 9) else max(0.5, -1.0 * limit)
    return told(None, found) + told(2.5, found) + min(place, 7) + abs(-2.0 * limit)


@pytest.mark.parametrize("limit", [-4, 0, 2, 5, 9, 12])
def test_returns_branches_and_conditions_are_pythons(limit):
    ours, theirs = (np.array([1, 5, 3, 12, -4]) for _ in range(2))
    expected = next(((i, v) for i, v in enumerate(theirs) if v > limit), (-1, limit))
    place = expected[0] + (1 if expected[0] < 0 and limit > 3 else 10)
    theirs[0], theirs[1] = theirs[1], theirs[0]
    more = theirs[0] if not (place == 10 or limit == 9) else max(0.5, -1.0 * limit)
    found = float(expected[1] + more)
    assert compiled(returns)(ours, limit) == found + 2.5 + min(place, 7) + abs(-2.0 * limit)
    assert ours.tolist() == theirs.tolist()


def of_name(choice, x):
    """A body by name."""


# Both on one line, which is to be told apart; bodies take what the stub takes.
# Bodies take what their stub takes, the choice too.
dispatch(of_name, {"twice": lambda choice, x: 2.0 * x, "half": lambda choice, x: 0.5 * x})  # noqa: ARG005


def chosen(choice, x):
    return of_name(choice, x) + choice.place


TABLE = np.array([[1.0, 2.0], [3.0, 4.5]])


def looked_up(i):
    return TABLE[i % 2, 1] + (math.inf if i > 100 else 0.0)


def test_choices_pick_bodies_and_know_their_places():
    function = compiled(chosen)
    assert function(Choice("twice", place=3), 5.0) == 13.0
    assert function(Choice("half", place=1), 5.0) == 3.5


def test_constant_arrays_are_read():
    assert [compiled(looked_up)(i) for i in (0, 3, 102)] == [2.0, 4.5, math.inf]


def listed(x):
    return sum([x, x])


def chained(x):
    return 0.0 < x < 1.0


def two_types(x):
    y = 0
    if x > 1.0:
        y = 0.5
    return y + x


def sometimes_something(x):
    y = None
    if x > 1.0:
        y = x
    return x if y is None else y


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (sometimes_something, r"another 'y' in a loop or branch \(sometimes_something, line \d+\)"),
        (listed, r"an expression: List \(listed, line \d+\)"),
        (chained, r"a chain of comparisons \(chained, line \d+\)"),
        (two_types, r"float64 where int64 is wanted \(two_types, line \d+\)"),
    ],
)
def test_what_is_unknown_is_named_with_its_line(function, reason):
    with pytest.raises(UnknownError, match=reason):
        compiled(function)(0.5)


@pytest.mark.slow
def test_without_sources_numba_compiles_all(tmp_path):
    """As in a program that was packed without them; the same bits."""
    code = """
import sys, json, importlib.util
from pathlib import Path
sys.path.insert(0, sys.argv[1])
whole = Path.is_file
Path.is_file = lambda path: path.name != "translation.py" and whole(path)
from fastgd.kernel.language import translation
Path.is_file = whole
assert not translation.TRANSLATES
import golden
names = "no hidden layer", "levenberg marquardt", "derivatives"
print(json.dumps({name: golden.digest(name, 1) for name in names}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(GOLDEN.parent)],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found, known = json.loads(done.stdout), json.loads(GOLDEN.read_text())
    assert found == {name: known[name] for name in found}


# ---------------------------------------------------------------- code for one network alone

SMALL = {
    "plain": {},
    "bias": {"bias": True},
    "two hidden layers": {"hidden_size": (2, 2)},
    "no hidden layer": {"hidden_size": ()},
    "5 units": {"hidden_size": 5},
    "Adam, dropout, l2": {
        "optimizer": fastgd.optimizers.Adam(),
        "dropout": 0.3,
        "l2": 0.01,
        "activation": "tanh",
    },
    "clipped": {"clip_norm": 0.1, "dropconnect": 0.2, "max_norm": 0.9},
    "softmax": {"output": "softmax", "loss": "cross_entropy"},
    "stopped": {"tolerance": 0.4, "patience": 50},
    "held out": {
        "validation": (np.linspace(0, 1, 57).reshape(19, 3), np.linspace(0, 1, 19)),
        "evaluate_every": 10,
        "restore_best": True,
    },
}


# test_bits.py has "everything" and a network among its default tests.
ALONE = list(product(SMALL, [4, 5, 13]))
ALWAYS = [("clipped", 4)]


@pytest.mark.parametrize(("name", "samples"), some(ALONE, [each in ALWAYS for each in ALONE]))
def test_code_for_one_network_has_the_bits_of_the_general_one(name, samples, monkeypatch):
    given = {"hidden_size": 4, "alpha": 1.5, "iterations": 300, "record_every": 7} | SMALL[name]
    X, y = (np.resize(part, (samples, part.shape[1])) for part in (XOR_X, XOR_Y))
    X = X + np.linspace(0.0, 0.5, samples)[:, None]
    known = []

    def can_know(*sizes):
        known.append(vectorization.can_know(*sizes))
        return known[-1]

    monkeypatch.setattr(layouts, "MOST_KNOWN", 10_000)
    monkeypatch.setattr(layouts, "can_know", can_know)
    session._remembered.cache_clear()
    alone = fastgd.train(X, y, **given)
    assert known == [True]
    monkeypatch.setattr(layouts, "can_know", lambda *_: False)
    session._remembered.cache_clear()
    general = fastgd.train(X, y, **given)
    session._remembered.cache_clear()
    assert alone.errors.tobytes() == general.errors.tobytes()
    if "validation" in given:
        assert alone.validation_errors.tobytes() == general.validation_errors.tobytes()
    for name in ("weights", "direction_changes"):
        for one, other in zip(getattr(alone, name), getattr(general, name), strict=True):
            assert one.tobytes() == other.tobytes(), name


@pytest.mark.usefixtures("users_kernels")
def test_few_networks_have_code_of_their_own():
    """The next ones share one code, so that a new size compiles nothing any more."""
    with_own = 0
    for hidden in range(1, 6):
        layout = session.layout_for(
            layouts.Network((3, hidden, 1), bias=False), 1, 4, recipe_of(Method(), {})
        )
        with_own += layout.markers.layout is not None
        assert layout.markers == layout.markers
    assert with_own == layouts.MOST_KNOWN == 3

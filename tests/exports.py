"""Runs and models that tests export: every unit, and every kind of column and of target."""

from dataclasses import replace
from functools import cache, partial

import numpy as np

import fastgd
from cases import CAUCHY, SWISH, XOR_X, XOR_Y
from fastgd import Model
from fastgd.functions import sin
from fastgd.models.intervals import Intervals
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import ClassTarget, NumberTarget

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(20, 3))
Y = RANDOM.dirichlet(np.ones(2), size=20)
SHORT = {"hidden_size": (5, 4), "alpha": 0.02, "iterations": 12, "bias": True}

RUNS = {
    "3-4-1": {"X": XOR_X, "y": XOR_Y, "hidden_size": 4, "alpha": 10, "bias": False},
    "3-32-1": {"X": XOR_X, "y": XOR_Y, "hidden_size": 32, "alpha": 10, "bias": False},
    "64-64-10": {
        "X": RANDOM.normal(size=(30, 64)),
        "y": RANDOM.random((30, 10)),
        "hidden_size": 64,
        "bias": False,
    },
    "no hidden layer": {"hidden_size": ()},
    "tanh, exp": {"activation": "tanh", "output": "exp", "batch_norm": True},
    "relu, identity": {"activation": "relu", "output": "identity"},
    "softplus, softplus": {"activation": "softplus", "output": "softplus"},
    "leaky_relu, tanh": {"activation": "leaky_relu", "negative_slope": 0.2, "output": "tanh"},
    "elu, identity": {"activation": "elu", "elu_alpha": 0.7, "output": "identity"},
    "silu, softmax": {"activation": "silu", "output": "softmax", "loss": "cross_entropy"},
    "gelu, gaussian": {
        "activation": "gelu",
        "output": "identity",
        "loss": "gaussian",
        "y": Y[:, :1],
    },
    "identity, sigmoid": {"activation": "identity", "loss": "cross_entropy"},
    "functions of one's own": {
        "activation": SWISH,
        "beta": 1.5,
        "output": fastgd.Function(lambda a, period: sin(a / period), period=1e-9),
        "loss": CAUCHY,
        "batch_norm": True,
    },
}
"""Arguments of a training, by name."""


@cache
def run_of(name):
    return fastgd.train(**{"X": X, "y": Y} | SHORT | RUNS[name])


def inputs(name, rows):
    """Inputs for a run; among the first are zeros, tiny and huge numbers."""
    made = np.random.default_rng(1).normal(size=(rows, len(run_of(name).weights[0]))) * 3
    odd = [0.0, -0.0, 5e-324, 1e-310, -1e-160, 1e16, 1e150, -1e300, 1.0]
    made[: len(odd), 0] = odd
    made[len(odd) : 2 * len(odd)] = np.array(odd)[:, None]
    return made


CITIES = ("Köln", "Oslo", "</script><!--<script>", "__proto__")


def table_of(rows, *, unknown=True):
    """A table with all kinds of columns; also with cells that the training table doesn't have."""
    random = np.random.default_rng(rows)

    def some(cells, missing):
        return np.where(random.random(rows) < missing, None, np.array(cells, object))

    others = 0.1 if unknown else 0.0
    return {
        "size": some(random.normal(50, 20, rows), others).astype(float),
        "built": some(random.normal(1960, 30, rows), 0.3).astype(float),
        "city": some(random.choice([*CITIES, *["Bonn"] * unknown], rows), others),
        "heating": some(random.choice(["gas", "wood", "0.00001", "7"], rows), 0.2),
        "garden": some(random.random(rows) > 0.5, others),
        "sold": moments(random, rows, 0.2),
        "street": some([f"street {k}" for k in 12 * random.random(rows) ** 2 // 1], others),
        "owner": some([f"owner {k:g}" for k in 30 * random.random(rows) // 1], 0.2),
    }


def moments(random, rows, missing):
    """Dates, some of them at full hours and days, and in leap years; NaT where missing."""
    seconds = random.integers(-12_000, 26_000, rows) * 86_400 + random.integers(0, 86_400, rows)
    steps = random.choice([1, 3_600, 86_400], rows)
    millis = np.where(steps == 1, random.integers(0, 1_000, rows), 0)
    found = ((seconds // steps * steps * 1_000 + millis) * 1_000).astype("M8[us]")
    return np.where(random.random(rows) < missing, np.datetime64("NaT", "us"), found)


TABLE = table_of(60, unknown=False)
FEW = {"max_categories": 4, "drop": [name for name in TABLE if name != "owner"]}
OWNER = Preparation.learn(TABLE, **FEW, encoding="target", y=TABLE["size"][:, None])
OTHERS = Preparation.learn(TABLE, max_categories=4, drop=["owner"])


def other_numbers(size, built):
    """The first columns: the size clipped smoothly, the year in bins."""
    return replace(size, clip=0.5), replace(built, bins=(1900.0, 1951.3, 1960.0, 2010.0))


PREPARATION = Preparation(other_numbers(*OTHERS.columns[:2]) + OTHERS.columns[2:] + OWNER.columns)
PRICE, YEARS = 3000 * TABLE["size"], np.arange(60.0) % 7
LABELS = {
    "texts": [f"kind {k % 3}" for k in range(60)],
    "booleans": [k % 3 == 1 for k in range(60)],
    "numbers": [[1, 2, 10][k % 3] for k in range(60)],
    "fractions": [[0.5, 1.25][k % 2] for k in range(60)],
}


def _numbers(*columns):
    return tuple(NumberTarget.learn(f"target {k}", column) for k, column in enumerate(columns))


@cache
def _model(targets, columns, members, options):
    y = np.concatenate(
        [target.encode(column) for target, column in zip(targets, columns, strict=True)], axis=1
    )
    given = SHORT | {"hidden_size": 4} | dict(options)
    runs = [
        fastgd.train(PREPARATION.transform(TABLE), y, seed=seed, **given)
        for seed in range(1, members + 1)
    ]
    return Model(tuple(runs), PREPARATION, targets)


KNOTS = np.array([-1.0, -0.2, 0.3, 0.9]), np.array([0.5, 0.1, 0.1, 0.3])
BOUNDED = Intervals(*KNOTS, np.linspace(-3, 2, 99), -0.8)
"""The errors of some models: their spread falls, is constant, and rises."""


def _of_numbers(*columns, members=1, **options):
    given = {"output": "identity"} | options
    return _model(_numbers(*columns), tuple(map(tuple, columns)), members, tuple(given.items()))


def _of_classes(labels, members=1, **options):
    target = ClassTarget.learn("kind", LABELS[labels])
    given = {"activation": "leaky_relu", "output": "softmax", "loss": "cross_entropy"} | options
    return _model((target,), (tuple(LABELS[labels]),), members, tuple(given.items()))


def _of_sizes(model):
    """An ensemble of a linear model and of networks of one and two hidden layers."""
    options = {"activation": "relu"}
    all_of = [model(**options, hidden_size=size) for size in ((), 3, (5, 4))]
    runs = tuple(run for one in all_of for run in one.runs)
    return replace(all_of[0], runs=runs, counts=(2, 1, 3))


MODELS = {
    "networks of three sizes": lambda: _of_sizes(partial(_of_numbers, PRICE, YEARS)),
    "classes by three sizes": lambda: _of_sizes(partial(_of_classes, "texts")),
    "a number": lambda: replace(_of_numbers(PRICE), intervals=BOUNDED),
    "three networks": lambda: _of_numbers(PRICE, members=3),
    "several numbers": lambda: _of_numbers(PRICE, YEARS),
    "a number and its deviation": lambda: _of_numbers(PRICE, loss="gaussian", members=2),
    "classes": lambda: _of_classes("texts", members=3),
    "booleans": lambda: _of_classes("booleans"),
    "numbered classes": lambda: _of_classes("numbers", batch_norm=True),
    "classes of fractions": lambda: _of_classes("fractions", output="sigmoid"),
}


def expected(model, table):
    """What an exported model gives: numbers (rows, results), before labels are chosen."""
    if model.classes:
        return model.predict_proba(table)
    return model.predict(table).reshape(-1, len(model.targets))


def assert_same_bits(found, expected):
    """All bits are equal; but a NaN is any NaN."""
    assert found.shape == expected.shape
    found, expected = (np.where(np.isnan(a), np.nan, a) for a in (found, expected))
    assert found.tobytes() == expected.tobytes()

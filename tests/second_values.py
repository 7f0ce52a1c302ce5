"""Several values of each type of option, for tests that compare what differs in one of them.

They are for 11 samples, networks with two layers of weights and up to 7 iterations.
"""

import itertools

import numpy as np

import fastgd
from fastgd.arguments.option_types import (
    Condition,
    Count,
    Fielded,
    Flag,
    Layers,
    Measures,
    Name,
    NameOrFormula,
    Names,
    Number,
    SampleFactors,
    ScheduleKind,
    field_kind,
)

OWN = [fastgd.Measure("w", how) for how in ("sum", "max", "mean")]
MEASURED = ["gradient_norm", "dead", *OWN, ["gradient_norm", "dead"], fastgd.Measure("w", name="o")]
CONDITIONS = ["gradient_norm < 1", "gradient_norm > 1", "gradient_norm < 2"]
LISTED = {Measures: MEASURED, Condition: CONDITIONS}

FACTORS = (1.0, 0.5, 0.25, 0.0, 2.0, 1.0, 0.125)


def values_of_type(kind):
    """Values of the type of an option."""
    return [None, *LISTED[type(kind)]] if type(kind) in LISTED else _values_of_type(kind)


def _values_of_type(kind):
    match kind:
        case Number():
            return [0.0, 0.25, 0.5, 2.0]
        case Count():
            return [1, 2, 3, 4, *([None] if kind.none else [])]
        case Flag():
            return [False, True]
        case Name():
            return [*kind.known]
        case Names():
            return [*kind.known, kind.known[:2], kind.known[1:3]]
        case NameOrFormula():
            return [*kind.known, *OWN_FORMULAS[kind.formula]]
        case SampleFactors():
            return [None, (1.0,) * 11, (*(1.0,) * 10, 2.0), [2.0] * 11, np.arange(11.0)]
        case Layers():
            return [None, (0,), (1,), [True, None], [None, np.eye(4, 2) > 0]]
        case Fielded():
            found = [*itertools.chain.from_iterable(map(instances, kind.classes))]
            arrays = [FACTORS, FACTORS[::-1]]
            by_momentum = map(fastgd.optimizers.Momentum, OVER_TIME)
            own = [*arrays, *OVER_TIME] if isinstance(kind, ScheduleKind) else by_momentum
            found += OWN_RULES if kind.formula is fastgd.Rule else []
            return [*found, *own]
    raise AssertionError(f"{type(kind).__name__} needs values: add some to values_of_type")


def instances(kind):
    """Optimizers or schedules of a class, each with one field that differs from the first."""
    if kind._fields != tuple(kind.hyperparameters):
        return
    needed = {name: 3 for name, fact in kind.hyperparameters.items() if fact.default is None}
    yield (first := kind(**needed))
    for name in kind._fields:
        for value in values_of_type(field_kind(kind, name)):
            yield first._replace(**{name: value})


def scaled(factor):
    """Functions of equal code."""
    return fastgd.Function(lambda a: factor * a)


def distance(power, offset=0.0):
    """Losses of equal code."""
    return fastgd.Loss(lambda y, v: (y - v + offset) ** power)


def decay(strength):
    """Penalties of equal code."""
    return fastgd.Penalty(lambda w: strength * w * w)


OVER_TIME = [fastgd.Schedule("j / (t + 1)", j=j) for j in (0.5, 0.25)]
"""Schedules of equal code."""

OWN_FORMULAS = {
    fastgd.Function: [*map(scaled, (1.0, 0.5, 0.0, -0.0))],
    fastgd.Loss: [distance(2), distance(4), distance(2, 0.5)],
    fastgd.Penalty: [*map(decay, (0.1, 0.2))],
}


def scaled_step(factor):
    """Rules of equal code."""
    return fastgd.Rule(lambda w, g, alpha, p=0.5: w + factor * alpha * p * g)


OWN_RULES = [*map(scaled_step, (1.0, 0.5)), scaled_step(0.5)._replace(p=0.25)]


def look_alikes(value):
    """Values that equal this one in Python, or are written like it."""
    if not isinstance(value, (bool, int, float)):
        return [[value], (value,)]
    kinds = [bool, float, np.float64, np.float32, str, np.array]
    kinds += [int, np.int64] if abs(value) < np.inf else []
    with np.errstate(all="ignore"):
        return [*(kind(value) for kind in kinds), -value, (value,), float("nan")]

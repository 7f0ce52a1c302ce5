"""The factor of the learning rates in an update: formulas and papers in fastgd.schedules.

The factor depends on the number of the update alone, so nothing is stored between updates. Each
operation below is part of the numbers contract.
"""

from math import pi

from fastgd.kernel.block import value
from fastgd.kernel.iteration.elementary import minimum
from fastgd.kernel.iteration.logarithms import power
from fastgd.kernel.iteration.trig import cos
from fastgd.kernel.language.compiler import INLINED, part
from fastgd.kernel.language.memory import load, store
from fastgd.kernel.language.specialization import dispatch
from fastgd.kernel.language.tile import floor, fma, select, zeros


@part
def _number(scalar, j):
    """The number of the update, as a tile."""
    return zeros(scalar) + float(j)


def _step(schedule, scalar, numbers, layer, span, j):
    step_size = value(scalar, numbers, layer, schedule.step_size)
    return power(
        value(scalar, numbers, layer, schedule.factor), floor(_number(scalar, j) / step_size)
    )


def _exponential(schedule, scalar, numbers, layer, span, j):
    return power(value(scalar, numbers, layer, schedule.factor), _number(scalar, j))


def _linear(schedule, scalar, numbers, layer, span, j):
    steps = value(scalar, numbers, layer, schedule.steps)
    s = minimum(_number(scalar, j), steps) / steps
    return fma(value(scalar, numbers, layer, schedule.final_factor), s, 1.0 - s)


def _cosine(schedule, scalar, numbers, layer, span, j):
    t = _number(scalar, j)
    steps = value(scalar, numbers, layer, schedule.steps)
    final_factor = value(scalar, numbers, layer, schedule.final_factor)
    warmup_steps = value(scalar, numbers, layer, schedule.warmup_steps)
    s = (minimum(t, steps) - warmup_steps) / (steps - warmup_steps)
    share = 0.5 * (1.0 + cos(pi * s))
    return select(t < warmup_steps, (t + 1.0) / warmup_steps, fma(final_factor, 1.0 - share, share))


FACTORS = {
    "Step": _step,
    "Exponential": _exponential,
    "Linear": _linear,
    "Cosine": _cosine,
    "Factors": lambda schedule, scalar, numbers, layer, span, j: zeros(scalar) + span.factors[j],
}


def factor_of(schedule, scalar, numbers, layer, span, j):
    """The factor of update j, as a tile."""


dispatch(factor_of, FACTORS, INLINED)


@part
def set_rates(schedule, scalar, layers, block, span, j):
    """Set the learning rates of update j."""
    if schedule is None:
        return
    factor = factor_of(schedule, scalar, block.numbers, layers[0], span, j)
    for k in range(len(layers)):
        base = load(scalar, block.numbers, layers[k].base_alpha, 0)
        store(scalar, block.numbers, layers[k].alpha, 0, base * factor)

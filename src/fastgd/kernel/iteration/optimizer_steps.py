"""One step of an optimizer, which is a formula, and the learning rates of each schedule.

Formulas and papers are in :mod:`fastgd.optimizers` and :mod:`fastgd.schedules`. A schedule's factor
depends on the number of the update alone, so nothing is stored between updates.

A step is over a tile of parameters; g is minus the derivative. All optimizer state starts at zero.
Each operation is fused as the formula has it, which makes it part of the numbers contract.
"""

from math import pi

from fastgd.kernel.block import value
from fastgd.kernel.iteration.activations import body_of
from fastgd.kernel.iteration.elementary import cos, minimum
from fastgd.kernel.iteration.exponentials import power
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import floor, fma, select, zeros

STEP, ONCE = "step", "once per update"
"""Formulas of an optimizer: of each parameter, and of each run."""

_OF_PARAMETER = ("choice", "shape", "numbers", "layer", "at", "stride", "g", "w")


def step(choice, shape, numbers, layer, at, stride, g, w):
    """The parameters after a step; ``at`` is their address, ``stride`` the step between rows."""


def prepare(choice, shape, numbers, layer):
    """What an optimizer does once before the updates of an iteration."""


def _derivative(choice, shape, numbers, layer, at, stride, g, w):
    # Not an optimizer of fastgd.optimizers: fastgd.objective needs g and unchanged weights.
    store(shape, numbers, at + layer.states, stride, g)
    return w


OTHERS = {
    "Derivative": _derivative,
    # Never called, as all weights move together; Numba by itself compiles the call, too.
    "LevenbergMarquardt": lambda choice, shape, numbers, layer, at, stride, g, w: w,
}
"""The steps that are no formula."""


def _pick_step(choice, *_others):
    """The formula's new weights, after its new states are stored."""
    if STEP not in choice.formulas:
        return OTHERS[choice.choice]
    formula = choice.formulas[STEP]
    states = range(len(formula.results) - 1)
    places = ["at + layer.states" + " + layer.state" * k for k in states]
    inputs = {"g": "g", "w": "w", "alpha": "units(shape, numbers, layer.alpha, 0)"}
    inputs |= {f"s{k}": f"load(shape, numbers, {places[k]}, stride)" for k in states}
    ends = [f"store(shape, numbers, {places[k]}, stride, {{{k + 1}}})" for k in states]
    return body_of(formula, _OF_PARAMETER, inputs, (*ends, "return {0}"))


def _pick_once(choice, *_others):
    if ONCE not in choice.formulas or not choice.formulas[ONCE].results:
        return lambda choice, shape, numbers, layer: None
    formula = choice.formulas[ONCE]
    put = "put_value(shape, numbers, layer, choice.k{0}, {{{0}}})"
    ends = [put.format(k) for k in range(len(formula.results))]
    return body_of(formula, _OF_PARAMETER[:4], (), ends)


dispatch(step, _pick_step)
dispatch(prepare, _pick_once)


# ---------------------------------------------------------------- schedules of learning rates


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


dispatch(factor_of, FACTORS)


@part
def since_start(restarted, span, j):
    """The number of update j for the schedule, which may have been given anew."""
    if restarted is None:
        return j
    return j - span.schedule_start


@part
def set_rates(schedule, scalar, layers, block, span, j):
    """Set the learning rates of update j of the schedule."""
    if schedule is None:
        return
    factor = factor_of(schedule, scalar, block.numbers, layers[0], span, j)
    for k in range(len(layers)):
        base = load(scalar, block.numbers, layers[k].base_alpha, 0)
        store(scalar, block.numbers, layers[k].alpha, 0, base * factor)

"""One step of an optimizer, which is a formula, and the learning rates of each schedule.

Formulas and papers are in :mod:`fastgd.optimizers` and :mod:`fastgd.schedules`. A schedule's factor
depends on the number of the update alone, so nothing is stored between updates.

A step is over a tile of parameters; g is minus the derivative. All optimizer state starts at zero.
Each operation is fused as the formula has it, which makes it part of the numbers contract.
"""

from fastgd.kernel.iteration.activations import body_of
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import zeros

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


# ---------------------------------------------------------------- schedules

OVER_TIME = "values of t and total"
"""The formula of a schedule, or of several: of the number of the update, and of all updates."""

_OF_TIME = ("choice", "shape", "numbers", "layer", "t", "total")
_TIMES = {"t": "t", "total": "total"}


def value_over_time(choice, shape, numbers, layer, t, total):
    """The value of such a formula."""


dispatch(value_over_time, lambda choice, *_: body_of(choice.formulas[OVER_TIME], _OF_TIME, _TIMES))


@part
def whole(scalar, count):
    """A count as a tile."""
    return zeros(scalar) + float(count)


def factor_of(schedule, scalar, numbers, layer, span, j):
    """The factor of update j, as a tile."""


def _by_formula(schedule, scalar, numbers, layer, span, j):
    t, total = whole(scalar, j), whole(scalar, span.total)
    return value_over_time(schedule, scalar, numbers, layer, t, total)


FACTORS = {
    "formula": _by_formula,
    "Factors": lambda schedule, scalar, numbers, layer, span, j: zeros(scalar) + span.factors[j],
}

dispatch(factor_of, FACTORS)


@part
def set_rates(schedule, scalar, layers, block, span, j):
    """Set the learning rates of update j of the schedule."""
    if schedule is None:
        return
    factor = factor_of(schedule, scalar, block.numbers, layers[0], span, j)
    for k in range(len(layers)):
        base = load(scalar, block.numbers, layers[k].base_alpha, 0)
        store(scalar, block.numbers, layers[k].alpha, 0, base * factor)


def put_over_time(choice, shape, numbers, layer, t, total):
    """Write the values of these formulas to the run's values h0, h1, ..."""


def _pick_put(choice, *_others):
    formula = choice.formulas[OVER_TIME]
    put = "put_value(shape, numbers, layer, choice.h{0}, {{{0}}})"
    puts = [put.format(k) for k in range(len(formula.results))]
    return body_of(formula, _OF_TIME, _TIMES, puts)


dispatch(put_over_time, _pick_put)


@part
def set_hyperparameters(scheduled, scalar, numbers, layer, span, j):
    """Set the optimizer's hyperparameters that are schedules, of update j."""
    if scheduled is None:
        return
    t, total = whole(scalar, j), whole(scalar, span.total)
    put_over_time(scheduled, scalar, numbers, layer, t, total)

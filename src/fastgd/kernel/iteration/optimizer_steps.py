"""One step of an optimizer, which is a formula, and the learning rates of each schedule.

Formulas and papers are in :mod:`fastgd.optimizers` and :mod:`fastgd.schedules`. A schedule's factor
depends on the number of the update alone, so nothing is stored between updates.

A step is over a tile of parameters; g is minus the derivative. All optimizer state starts at zero.
Each operation is fused as the formula has it, which makes it part of the numbers contract.
"""

from fastgd.kernel.iteration.activations import body_of
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import dispatch, part

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


def _later(choice, shape, numbers, layer, at, stride, g, w):
    # The programs of runs read it once all weights have theirs.
    store(shape, numbers, at + layer.direction, stride, g)
    return w


OTHERS = {
    "Derivative": _derivative,
    "Programs": _later,
    # Never called, as all weights move together; Numba by itself compiles the call, too.
    "LevenbergMarquardt": lambda choice, shape, numbers, layer, at, stride, g, w: w,
}
"""The steps that are no formula."""


def _pick_step(choice, *_others):
    """The formula's new weights; each new state is stored once it is known and the old one is read.

    States that wait for the end took registers: Adam's kernel for GPUs spilled some of its 255.
    """
    if STEP not in choice.formulas:
        return OTHERS[choice.choice]
    formula = choice.formulas[STEP]
    states = range(len(formula.results) - 1)
    places = ["at + layer.states" + " + layer.state" * k for k in states]
    inputs = {"g": "g", "w": "w", "alpha": "units(shape, numbers, layer.alpha, 0)"}
    inputs |= {f"s{k}": f"load(shape, numbers, {places[k]}, stride)" for k in states}
    read = {rest[0]: k for k, (kind, *rest) in enumerate(formula.nodes) if kind == "variable"}
    soon = [
        (
            max(formula.results[k + 1], read.get(f"s{k}", 0)),
            f"store(shape, numbers, {places[k]}, stride, {{{k + 1}}})",
        )
        for k in states
    ]
    return body_of(formula, _OF_PARAMETER, inputs, ["return {0}"], soon)


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

OVER_TIME = "values over time"
"""The formula of the factor of alpha, and of the hyperparameters that change, of t and total."""

_OF_TIME = ("choice", "shape", "numbers", "layer", "span", "j")
_TIMES = {
    "t": "full(shape, float(j))",
    "total": "full(shape, float(span.total))",
    "given": "full(shape, span.factors[j])",
}


def factor_of(schedule, scalar, numbers, layer, span, j):
    """The factor of update j, as a tile, after the hyperparameters that change are set."""


def _pick_factor(choice, *_others):
    formula = choice.formulas[OVER_TIME]
    put = "put_value(shape, numbers, layer, choice.h{0}, {{{0}}})"
    ends = [put.format(k) for k in range(1, len(formula.results))]
    return body_of(formula, _OF_TIME, _TIMES, (*ends, "return {0}"))


dispatch(factor_of, _pick_factor)


@part
def set_rates(schedule, scalar, layers, block, span, j):
    """Set the learning rates of update j of the schedule, and hyperparameters that change."""
    if schedule is None:
        return
    factor = factor_of(schedule, scalar, block.numbers, layers[0], span, j)
    for k in range(len(layers)):
        base = load(scalar, block.numbers, layers[k].base_alpha, 0)
        store(scalar, block.numbers, layers[k].alpha, 0, base * factor)

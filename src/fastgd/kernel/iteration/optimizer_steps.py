"""One step of each optimizer, and the learning rates of each schedule.

Formulas and papers are in :mod:`fastgd.optimizers` and :mod:`fastgd.schedules`. A schedule's factor
depends on the number of the update alone, so nothing is stored between updates.

A step is over a tile of parameters; g is minus the derivative. All optimizer state starts at zero.
Each operation below is fused as written, which makes it part of the numbers contract.
"""

from fastgd.kernel.block import put_value, value
from fastgd.kernel.iteration.activations import body_of
from fastgd.kernel.language.loads_and_stores import load, store, units
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import fma, magnitude, select, square_root, with_sign, zeros

SMALLEST = 2.0**-1074
"""The smallest number above 0."""


@part
def _blend(rho, old, new):
    """Return rho * old + (1 - rho) * new."""
    return fma(rho, old, (1.0 - rho) * new)


def _gradient_descent(optimizer, shape, numbers, layer, at, stride, g, w):
    return fma(units(shape, numbers, layer.alpha, 0), g, w)


def _momentum(optimizer, shape, numbers, layer, at, stride, g, w):
    momentum = value(shape, numbers, layer, optimizer.momentum)
    at += layer.states
    v = fma(momentum, load(shape, numbers, at, stride), g)
    store(shape, numbers, at, stride, v)
    return fma(units(shape, numbers, layer.alpha, 0), v, w)


def _nesterov(optimizer, shape, numbers, layer, at, stride, g, w):
    momentum = value(shape, numbers, layer, optimizer.momentum)
    at += layer.states
    v = fma(momentum, load(shape, numbers, at, stride), g)
    store(shape, numbers, at, stride, v)
    return fma(units(shape, numbers, layer.alpha, 0), fma(momentum, v, g), w)


def _adagrad(optimizer, shape, numbers, layer, at, stride, g, w):
    epsilon = value(shape, numbers, layer, optimizer.epsilon)
    at += layer.states
    s = fma(g, g, load(shape, numbers, at, stride))
    store(shape, numbers, at, stride, s)
    return fma(units(shape, numbers, layer.alpha, 0), g / (square_root(s) + epsilon), w)


def _adadelta(optimizer, shape, numbers, layer, at, stride, g, w):
    rho = value(shape, numbers, layer, optimizer.rho)
    epsilon = value(shape, numbers, layer, optimizer.epsilon)
    at += layer.states
    s = _blend(rho, load(shape, numbers, at, stride), g * g)
    store(shape, numbers, at, stride, s)
    at += layer.state
    u = load(shape, numbers, at, stride)
    d = square_root((u + epsilon) / (s + epsilon)) * g
    store(shape, numbers, at, stride, _blend(rho, u, d * d))
    return fma(units(shape, numbers, layer.alpha, 0), d, w)


def _rmsprop(optimizer, shape, numbers, layer, at, stride, g, w):
    rho = value(shape, numbers, layer, optimizer.rho)
    epsilon = value(shape, numbers, layer, optimizer.epsilon)
    at += layer.states
    s = _blend(rho, load(shape, numbers, at, stride), g * g)
    store(shape, numbers, at, stride, s)
    return fma(units(shape, numbers, layer.alpha, 0), g / (square_root(s) + epsilon), w)


@part
def _corrected(optimizer, shape, numbers, layer, at, stride, g, w):
    """Adam's step; with AdamW the weights have decayed before."""
    beta1 = value(shape, numbers, layer, optimizer.beta1)
    beta2 = value(shape, numbers, layer, optimizer.beta2)
    at += layer.states
    m = _blend(beta1, load(shape, numbers, at, stride), g)
    store(shape, numbers, at, stride, m)
    at += layer.state
    s = _blend(beta2, load(shape, numbers, at, stride), g * g)
    store(shape, numbers, at, stride, s)
    # alpha / c1 * m / (sqrt(s) / c2 + epsilon), with one division less: see _corrections.
    factor = value(shape, numbers, layer, optimizer.factor)
    epsilon = value(shape, numbers, layer, optimizer.corrected_epsilon)
    alpha = units(shape, numbers, layer.alpha, 0) * factor
    return fma(alpha, m / (square_root(s) + epsilon), w)


def _adam(optimizer, shape, numbers, layer, at, stride, g, w):
    return _corrected(optimizer, shape, numbers, layer, at, stride, g, w)


def _adamw(optimizer, shape, numbers, layer, at, stride, g, w):
    weight_decay = value(shape, numbers, layer, optimizer.weight_decay)
    w = fma(-1.0 * units(shape, numbers, layer.alpha, 0) * weight_decay, w, w)
    return _corrected(optimizer, shape, numbers, layer, at, stride, g, w)


def _rprop(optimizer, shape, numbers, layer, at, stride, g, w):
    at += layer.states
    sign = select(magnitude(g) > 0.0, with_sign(1.0, g), g)  # of NaN it is NaN
    turn = sign * load(shape, numbers, at, stride)
    sign = select(turn < 0.0, 0.0, sign)
    store(shape, numbers, at, stride, sign)
    at += layer.state
    size = load(shape, numbers, at, stride)
    size = select(size > 0.0, size, units(shape, numbers, layer.alpha, 0))
    eta_minus = value(shape, numbers, layer, optimizer.eta_minus)
    eta_plus = value(shape, numbers, layer, optimizer.eta_plus)
    size = size * select(turn > 0.0, eta_plus, select(turn < 0.0, eta_minus, 1.0))
    min_step = value(shape, numbers, layer, optimizer.min_step)
    max_step = value(shape, numbers, layer, optimizer.max_step)
    size = select(size < min_step, min_step, size)
    size = select(size > max_step, max_step, size)
    store(shape, numbers, at, stride, size)
    return fma(sign, size, w)


def _corrections(optimizer, scalar, numbers, layer):
    """The bias corrections of the next update: c2 / c1 and epsilon * c2.

    Here c1 = 1 - beta1**t and c2 = sqrt(1 - beta2**t).
    The powers are running products, with one more factor in each update.
    """
    beta1 = value(scalar, numbers, layer, optimizer.beta1)
    beta2 = value(scalar, numbers, layer, optimizer.beta2)
    power1 = value(scalar, numbers, layer, optimizer.power1) * beta1
    power2 = value(scalar, numbers, layer, optimizer.power2) * beta2
    put_value(scalar, numbers, layer, optimizer.power1, power1)
    put_value(scalar, numbers, layer, optimizer.power2, power2)
    c2 = square_root(1.0 - power2)
    put_value(scalar, numbers, layer, optimizer.factor, c2 / (1.0 - power1))
    # Never 0: a weight that has had no derivative yet would move by 0 / 0.
    epsilon = value(scalar, numbers, layer, optimizer.epsilon) * c2
    epsilon = select(epsilon > 0.0, epsilon, SMALLEST)
    put_value(scalar, numbers, layer, optimizer.corrected_epsilon, epsilon)


def _derivative(optimizer, shape, numbers, layer, at, stride, g, w):
    # Not an optimizer of fastgd.optimizers: fastgd.objective needs g and unchanged weights.
    store(shape, numbers, at + layer.states, stride, g)
    return w


def prepare(optimizer, scalar, numbers, layer):
    """What an optimizer does once before the updates of an iteration."""


STEPS = {
    "GradientDescent": _gradient_descent,
    "Momentum": _momentum,
    "Nesterov": _nesterov,
    "AdaGrad": _adagrad,
    "AdaDelta": _adadelta,
    "RMSProp": _rmsprop,
    "Adam": _adam,
    "AdamW": _adamw,
    "Rprop": _rprop,
    "Derivative": _derivative,
    # Never called, as all weights move together; Numba by itself compiles the call, too.
    "LevenbergMarquardt": lambda optimizer, shape, numbers, layer, at, stride, g, w: w,
}


def step(optimizer, shape, numbers, layer, at, stride, g, w):
    """The parameters after a step; ``at`` is their address, ``stride`` the step between rows."""


dispatch(step, STEPS)
dispatch(
    prepare,
    dict.fromkeys(STEPS, lambda optimizer, scalar, numbers, layer: None)
    | dict.fromkeys(("Adam", "AdamW"), _corrections),
)


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
    """Set the learning rates of update j."""
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

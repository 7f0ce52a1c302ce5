"""Second-order steps: the damped normal equations, tried until they make the loss smaller.

See :class:`fastgd.optimizers.LevenbergMarquardt`. The runs of a block solve their equations side by
side. A run whose step was taken, or that has stopped, waits for the others: its parameters stay,
whatever is computed for it meanwhile. So its bits are those of the run alone.

With Bayesian regularization (MacKay, *Bayesian interpolation*, Neural Computation 4, 1992; Foresee
and Hagan, *Gauss-Newton approximation to Bayesian learning*, ICNN 1997) the objective is beta times
the sum of squared errors plus alpha times that of all parameters that learn. After each step both
are estimated anew, from the trace of the inverse of the undamped matrix; alpha grows slowly, from
0.01.

Letters as in :mod:`fastgd.kernel.training_loop`.
"""

from fastgd.kernel.block import CONVERGED, STALLED, Samples, System, put_value, value
from fastgd.kernel.extensions.normal_equations import (
    add_products,
    add_squares,
    begin_rows,
    factorize,
    fill_rows,
    solve,
    trace_of_inverse,
)
from fastgd.kernel.iteration.activations import BOTH
from fastgd.kernel.iteration.updates import of_learning
from fastgd.kernel.language.loads_and_stores import (
    all_agree,
    count_changes,
    load,
    store,
    thread_of,
    threads_of,
    units,
)
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import (
    everywhere,
    fma,
    fold,
    magnitude,
    opaque,
    runs_of,
    select,
    units_of,
    zeros,
)
from fastgd.kernel.training_loop import forward_layers, group_of

SMALLEST_DAMPING = 1e-20
"""Lower limit of the damping, as in MATLAB's ``trainlm``."""

ROUNDING = 1e-14
"""Part of the objective that may be lost in rounding."""

MOST_TRIES = 100
"""Steps that a run tries in an iteration, which nothing can interrupt; then it has stalled."""

SETTLED = 1.001
"""Growth of the weight penalty that is left to rounding."""

MOST_GROWTH = 2.0
"""Most by which a step multiplies the weight penalty of Bayesian regularization.

Without a limit, and with MATLAB's start (all parameters count), small initial weights never grow:
77 of 100 trainings on a sine or cubic with noise ended as a constant. With the limit it was 5.
"""


@part
def system_of(bayesian, layers):
    """The sizes of a network's equations."""
    count = 0
    for k in range(len(layers)):
        count += layers[k].inputs * layers[k].outputs
    return System(count, count + 1, count + 1 if bayesian is None else 2 * count + 1)


def _forward_again(activation, descent, group, x):
    """Restore the derivatives of hidden units, if a backward pass has replaced them by deltas."""


def _pick_again(activation, *_others):
    if BOTH in activation.formulas:
        return lambda activation, descent, group, x: forward_layers(descent, group, x, 0, False)
    return lambda activation, descent, group, x: None


dispatch(_forward_again, _pick_again)


@part
def learn_curvature(curvature, descent, group, x, squares):
    """Add a group's products of derivatives; returns the squared errors with its own added."""
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    top = layers[len(layers) - 1]
    system = system_of(recipe.bayesian, layers)
    squares = add_squares(shapes, group, block, top, squares)
    for output in range(top.outputs):
        if output > 0:
            _forward_again(recipe.activation, descent, group, x)
        begin_rows(descent, group, top, output, system.width)
        fill_rows(descent, group, x, output, system.width)
    add_products(shapes, group, block, top, system)
    return squares


@part
def _squared_error(descent, data, N):
    """The sum of squared errors of the present parameters, times their weights."""
    shapes, layers, span = descent.shapes, descent.layers, descent.span
    bottom, top = layers[0], layers[len(layers) - 1]
    stride = bottom.inputs * runs_of(shapes.data)
    total, start = zeros(shapes.scalar), 0
    while True:
        group = group_of(shapes.layout, span, data, start, N, data.samples)
        x = Samples(data.X, group.start * stride, stride, shapes.data)
        forward_layers(descent, group, x, 0, False)
        total = add_squares(shapes, group, descent.block, top, total)
        if group.is_last:
            break
        start += span.group
    return total


@part
def _squared_parameters(recipe, scalar, layers, block):
    """The sum of squares of what learns: weights, and biases for Bayesian regularization."""
    total, frozen = zeros(scalar), recipe.features.frozen
    for k in range(len(layers)):
        layer = layers[k]
        count = layer.inputs if recipe.bayesian is not None else layer.units_below
        at = layer.weights
        for _ in range(count * layer.outputs):
            w = load(scalar, block.numbers, at, 0)
            w = of_learning(frozen, scalar, w, 0.0, block.numbers, at, 0, layer)
            total = fma(w, w, total)
            at += runs_of(scalar)
    return total


@part
def _factor_of_errors(recipe, scalar, block, layer):
    """The factor of the sum of squared errors in the objective."""
    factor = zeros(scalar) + 1.0
    if recipe.mean is not None:
        factor = load(scalar, block.scale, 0, 0)
    if recipe.bayesian is not None:
        factor = factor * value(scalar, block.numbers, layer, recipe.optimizer.error_factor)
    return factor


@part
def _decay_of(bayesian, penalty, optimizer, scalar, block, layer):
    """The factor of the sum of squared parameters in the objective."""
    if bayesian is not None:
        return value(scalar, block.numbers, layer, optimizer.weight_penalty)
    if penalty is not None:
        return value(scalar, block.numbers, layer, penalty.l2)
    return zeros(scalar)


@part
def _objective(recipe, factor, decay, squares, parameters):
    """Twice the loss."""
    if recipe.bayesian is None and recipe.features.penalty is None:
        return factor * squares
    return fma(factor, squares, select(decay > 0.0, decay * parameters, 0.0))


@part
def _weigh(shapes, block, system, factor):
    """Multiply all products by their factor in the objective."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    for p in range(system.parameters):
        for q in range(p, system.width):
            at = (p * system.columns + q) * runs
            store(scalar, block.products, at, 0, factor * load(scalar, block.products, at, 0))


@part
def _finish_products(shapes, recipe, layers, block, system, factor, decay):
    """Turn products into the system of the objective, and count direction changes.

    Returns 1 if none of its derivatives is above ``min_gradient``, else 0.
    """
    scalar, runs, frozen = shapes.scalar, runs_of(shapes.scalar), recipe.features.frozen
    if recipe.mean is not None or recipe.bayesian is not None:
        _weigh(shapes, block, system, factor)
    is_flat, p = zeros(scalar) + 1.0, 0
    limit = value(scalar, block.numbers, layers[0], recipe.optimizer.min_gradient)
    for k in range(len(layers)):
        layer = layers[k]
        at = layer.weights
        for i in range(layer.inputs * layer.outputs):
            row = p * system.columns
            diagonal = load(scalar, block.products, (row + p) * runs, 0)
            right = (row + system.width - 1) * runs
            g = load(scalar, block.products, right, 0)
            if recipe.bayesian is not None:
                g = fma(-1.0 * decay, load(scalar, block.numbers, at, 0), g)
                diagonal = diagonal + decay
                store(
                    scalar, block.products, (row + system.width + p) * runs, 0, zeros(scalar) + 1.0
                )
            elif recipe.features.penalty is not None:
                own = decay
                if i >= layer.units_below * layer.outputs:
                    own = zeros(scalar)
                g = fma(-1.0 * own, load(scalar, block.numbers, at, 0), g)
                diagonal = diagonal + own
            g = of_learning(frozen, scalar, g, 0.0, block.numbers, at, 0, layer)
            store(scalar, block.products, right, 0, g)
            store(scalar, block.diagonal, p * runs, 0, diagonal)
            store(scalar, block.numbers, at + layer.states, 0, load(scalar, block.numbers, at, 0))
            count_changes(scalar, g > 0.0, block.signs, block.recent, at, 0)
            is_flat = select(magnitude(g) <= limit, is_flat, 0.0)  # NaN is not
            at += runs
            p += 1
    return is_flat


@part
def _scale_of(scalar, optimizer, layer, block, p):
    """What the damping of parameter p is multiplied by."""
    scaled = value(scalar, block.numbers, layer, optimizer.scaled)
    diagonal = load(scalar, block.diagonal, p * runs_of(scalar), 0)
    return fma(scaled, select(diagonal > 0.0, diagonal, 1.0), 1.0 - scaled)


@part
def _damp(scalar, optimizer, layers, block, system, damping):
    """Set the diagonal of the system."""
    runs = runs_of(scalar)
    for p in range(system.parameters):
        diagonal = load(scalar, block.diagonal, p * runs, 0)
        scale = _scale_of(scalar, optimizer, layers[0], block, p)
        at = (p * system.columns + p) * runs
        store(scalar, block.products, at, 0, fma(damping, scale, diagonal))


@part
def _move_tiles(shape, scalar, block, layer, first, begin, end):
    """Take the step from the old parameters, in runs that still try; others keep theirs.

    Returns NaN for each run with a parameter that is not finite, else 0.
    """
    runs = runs_of(shape)
    overflow = zeros(scalar)
    p = begin
    while p < end:
        at = opaque(layer.weights + p * runs)
        old = load(shape, block.numbers, at + layer.states, 0)
        d = load(shape, block.solution, (first + p) * runs, 0)
        new = fma(units(shape, block.numbers, layer.alpha, 0), d, old)
        trying = units(shape, block.scratch, 0, 0) > 0.0
        w = select(trying, new, load(shape, block.numbers, at, 0))
        store(shape, block.numbers, at, 0, w)
        overflow = overflow + fold(shape, w - w)
        p += units_of(shape)
    return overflow


@part
def _move(shapes, layers, block):
    overflow, first = zeros(shapes.scalar), 0
    for k in range(len(layers)):
        layer = layers[k]
        count = layer.inputs * layer.outputs
        wide = count // units_of(shapes.wide_row) * units_of(shapes.wide_row)
        overflow = overflow + _move_tiles(
            shapes.wide_row, shapes.scalar, block, layer, first, 0, wide
        )
        overflow = overflow + _move_tiles(
            shapes.narrow_row, shapes.scalar, block, layer, first, wide, count
        )
        first += count
    return overflow


@part
def _is_short(optimizer, scalar, layers, block):
    """Whether no parameter would move by more than a small part of the largest one."""
    runs, p = runs_of(scalar), 0
    step, size = zeros(scalar), zeros(scalar)
    for k in range(len(layers)):
        layer = layers[k]
        at = layer.weights + layer.states
        for _ in range(layer.inputs * layer.outputs):
            d = magnitude(load(scalar, block.solution, p * runs, 0))
            step = select(d > step, d, step)
            w = magnitude(load(scalar, block.numbers, at, 0))
            size = select(w > size, w, size)
            at += runs
            p += 1
    return step <= value(scalar, block.numbers, layers[0], optimizer.min_step) * size


@part
def _is_level(optimizer, scalar, layers, block, system, damping, before):
    """Whether a short step means that the derivatives are next to 0.

    If the damping has most of the part in the step's length, they may be large: at a kink, as relu
    has them, or where the loss is far from its quadratic model. Unless they promise so little that
    it would be lost in rounding.
    """
    runs, promise, drag = runs_of(scalar), zeros(scalar), zeros(scalar)
    for p in range(system.parameters):
        d = load(scalar, block.solution, p * runs, 0)
        g = load(scalar, block.products, (p * system.columns + system.width - 1) * runs, 0)
        promise = fma(g, d, promise)
        drag = fma(_scale_of(scalar, optimizer, layers[0], block, p) * d, d, drag)
    return (damping * drag <= 0.5 * promise) | (promise <= ROUNDING * before)


@part
def _rates(scalar, layers, block):
    """The sum of the layers' learning rates: 0 if a schedule has no step in this iteration."""
    total = zeros(scalar)
    for k in range(len(layers)):
        total = total + load(scalar, block.numbers, layers[k].alpha, 0)
    return total


@part
def _put_back(scalar, layers, block, taken):
    """Give runs without a step their old parameters."""
    for k in range(len(layers)):
        layer = layers[k]
        at = layer.weights
        for _ in range(layer.inputs * layer.outputs):
            w = load(scalar, block.numbers, at, 0)
            old = load(scalar, block.numbers, at + layer.states, 0)
            store(scalar, block.numbers, at, 0, select(taken > 0.0, w, old))
            at += runs_of(scalar)


@part
def _estimate(scalar, optimizer, layer, block, effective, squares, parameters, taken):
    """The factors of the objective that are most probable, given the effective parameters.

    Where there are none, by rounding, the factors stay as they are.
    """
    numbers, residuals = block.numbers, load(scalar, block.total, 0, 0)
    effective = select(effective > 0.0, effective, 0.0)
    decay = select(parameters > 0.0, effective / (parameters + parameters), 1.0)
    most = value(scalar, numbers, layer, optimizer.weight_penalty) * MOST_GROWTH
    decay = select(decay < most, decay, most)
    factor = select(squares > 0.0, (residuals - effective) / (squares + squares), 1.0)
    factor = select(factor > 0.0, factor, 1.0)
    known = select(effective > 0.0, taken, 0.0)
    _put_where(scalar, numbers, layer, optimizer.weight_penalty, known, decay)
    _put_where(scalar, numbers, layer, optimizer.error_factor, known, factor)
    _put_where(scalar, numbers, layer, optimizer.effective_parameters, taken, effective)


@part
def _settled(bayesian, recipe, scalar, block, layer, decay, parameters):
    """1, or 0 for a run whose weight penalty has still to grow: then it goes on at a minimum."""
    settled = zeros(scalar) + 1.0
    if bayesian is None:
        return settled
    effective = value(scalar, block.numbers, layer, recipe.optimizer.effective_parameters)
    known = decay * (parameters + parameters)
    return select(effective > SETTLED * known, 0.0, settled)


@part
def _put_where(scalar, numbers, layer, which, chosen, new):
    old = value(scalar, numbers, layer, which)
    put_value(scalar, numbers, layer, which, select(chosen > 0.0, new, old))


@part
def _estimate_again(recipe, shapes, layers, block, system, decay, squares, taken):
    """The factors after a step, from the undamped matrix at the parameters before it."""
    if recipe.bayesian is not None:
        scalar, runs = shapes.scalar, runs_of(shapes.scalar)
        for p in range(system.parameters):
            diagonal = load(scalar, block.diagonal, p * runs, 0)
            store(scalar, block.products, (p * system.columns + p) * runs, 0, diagonal)
        factorize(shapes, block, system, system.columns)
        trace = trace_of_inverse(shapes, block, system)
        # A frozen parameter has 1 / decay in the trace: it counts for nothing but its rounding.
        effective = fma(-1.0 * decay, trace, float(system.parameters))
        parameters = _squared_parameters(recipe, scalar, layers, block)
        _estimate(scalar, recipe.optimizer, layers[0], block, effective, squares, parameters, taken)


@part
def take_second_order_steps(curvature, descent, data, N, squares):
    """Solve the equations of an iteration, and take the steps that make the loss smaller.

    ``squares`` are the sums of squared errors before it.
    """
    shapes, recipe, layers, block = descent.shapes, descent.recipe, descent.layers, descent.block
    scalar, optimizer, bottom = shapes.scalar, recipe.optimizer, layers[0]
    numbers, runs = block.numbers, runs_of(scalar)
    system = system_of(recipe.bayesian, layers)
    factor = _factor_of_errors(recipe, scalar, block, bottom)
    penalty = recipe.features.penalty
    decay = _decay_of(recipe.bayesian, penalty, optimizer, scalar, block, bottom)
    parameters = _squared_parameters(recipe, scalar, layers, block)
    before = _objective(recipe, factor, decay, squares, parameters)
    settled = _settled(recipe.bayesian, recipe, scalar, block, bottom, decay, parameters)
    is_flat = _finish_products(shapes, recipe, layers, block, system, factor, decay)
    for r in range(thread_of(scalar), runs, threads_of(scalar)):
        block.scratch[r] = 1.0 if block.ended[r] < 0 else 0.0
    signal = value(scalar, numbers, bottom, optimizer.signal)
    signal = select((is_flat * settled > 0.0) & (signal <= 0.0), float(CONVERGED), signal)
    trying = select(signal > 0.0, 0.0, load(scalar, block.scratch, 0, 0))
    trying = select(_rates(scalar, layers, block) > 0.0, trying, 0.0)
    damping = value(scalar, numbers, bottom, optimizer.current_damping)
    initial = value(scalar, numbers, bottom, optimizer.damping)
    damping = select(damping > 0.0, damping, initial)
    taken, reached, tries = zeros(scalar), squares, 0
    while tries < MOST_TRIES:
        if all_agree(scalar, everywhere(trying <= 0.0)):
            break
        tries += 1
        store(scalar, block.scratch, 0, 0, trying)
        _damp(scalar, optimizer, layers, block, system, damping)
        factorize(shapes, block, system, system.width)
        solve(shapes, block, system)
        is_level = _is_level(optimizer, scalar, layers, block, system, damping, before)
        overflow = _move(shapes, layers, block)
        found = _squared_error(descent, data, N)
        after = _objective(
            recipe, factor, decay, found + overflow,
            _squared_parameters(recipe, scalar, layers, block),
        )  # fmt: skip
        is_better = (after < before) & (trying > 0.0)
        taken = select(is_better, 1.0, taken)
        reached = select(is_better, found, reached)
        smaller = damping * value(scalar, numbers, bottom, optimizer.decrease)
        smaller = select(smaller > SMALLEST_DAMPING, smaller, SMALLEST_DAMPING)
        larger = damping * value(scalar, numbers, bottom, optimizer.increase)
        changed = select(is_better, smaller, larger)
        damping = select(trying > 0.0, changed, damping)
        # A step that is not finite, of a matrix that is not positive definite, is not short.
        is_short = _is_short(optimizer, scalar, layers, block) & (trying + overflow > 0.0)
        is_stuck = (damping > value(scalar, numbers, bottom, optimizer.max_damping)) & (
            trying > 0.0
        )
        is_done = is_short & is_level & (settled > 0.0)
        is_stuck = is_stuck | is_short
        signal = select(is_stuck & (taken <= 0.0), float(STALLED), signal)
        signal = select(is_done, float(CONVERGED), signal)
        trying = select(is_better | is_stuck, 0.0, trying)
    signal = select(trying > 0.0, float(STALLED), signal)
    _put_back(scalar, layers, block, taken)
    put_value(scalar, numbers, bottom, optimizer.current_damping, damping)
    put_value(scalar, numbers, bottom, optimizer.signal, signal)
    _estimate_again(recipe, shapes, layers, block, system, decay, reached, taken)
    return zeros(scalar)

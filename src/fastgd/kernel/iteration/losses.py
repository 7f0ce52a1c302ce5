"""Losses: the derivative, which training needs, and the value, summed up where errors are recorded.

The cross entropy is computed from the inputs z of the output units, as p = sigmoid(z) rounds to 1
from z = 37 on: -log p is log(1 + exp(-z)), and -log(1 - p) is that plus z.
"""

from numba.core import types

from fastgd.kernel.block import value
from fastgd.kernel.iteration.activations import (
    LIMIT,
    activate_twice,
    body_of,
    derivative,
    exp_negative,
    log_1p_exp_negative,
    written,
)
from fastgd.kernel.iteration.exponentials import log
from fastgd.kernel.language.loads_and_stores import load, load_data, store
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import fma, magnitude, runs_of, select, zeros

DELTA, LOSS = "minus the derivative", "loss"
"""Formulas of a loss, with target y, output v, and the output unit's input z."""

_OF_OUTPUT = ("choice", "output", "shape", "numbers", "layer", "y", "v", "z")
_INPUTS = {name: name for name in "yvz"}


@part
def cross_entropy(q, z):
    """-q log p - (1 - q) log(1 - p) with p = sigmoid(z)."""
    common = log_1p_exp_negative(magnitude(z))
    positive, negative = select(z < 0.0, 0.0, z), select(z > 0.0, 0.0, -1.0 * z)
    return fma(q, negative + common, (1.0 - q) * (positive + common))


@part
def _of_tanh(y, z):
    """The same with p = (1 + v) / 2 = sigmoid(2 z); 2 z may overflow where the loss does not."""
    far = magnitude(z) > 1e300  # there the loss is proportional to z
    entropy = cross_entropy(fma(0.5, y, 0.5), select(far, z, z + z))
    return select(far, 2.0, 1.0) * entropy


def loss_delta(loss, output, shape, numbers, layer, y, v, z):
    """Minus the derivative of a sample's loss by the input z of an output unit with value v."""


def _pick_delta(loss, *_others):
    if loss.choice == "squared":
        return lambda loss, output, shape, numbers, layer, y, v, z: (
            (y - v) * derivative(output, shape, numbers, layer, v)
        )
    if loss.choice == "cross_entropy":
        # With p = v for sigmoid and p = (1 + v) / 2 for tanh.
        return lambda loss, output, shape, numbers, layer, y, v, z: y - v
    return body_of(loss.formulas[DELTA], _OF_OUTPUT, _INPUTS)


dispatch(loss_delta, _pick_delta)


def loss_of(loss, output, shape, numbers, layer, y, v, z):
    """The loss of an output v that came from input z."""


def _pick_loss(loss, output, *_others):
    if loss.choice == "squared":
        return lambda loss, output, shape, numbers, layer, y, v, z: 0.5 * (y - v) * (y - v)
    if loss.choice != "cross_entropy":
        return body_of(loss.formulas[LOSS], _OF_OUTPUT, _INPUTS)
    if output.choice == "tanh":
        return lambda loss, output, shape, numbers, layer, y, v, z: _of_tanh(y, z)
    return lambda loss, output, shape, numbers, layer, y, v, z: cross_entropy(y, z)


dispatch(loss_of, _pick_loss)


def outputs_of(coupling):
    """Number of outputs for each target."""
    return 1 if coupling.choice == "softmax" else len(coupling.formulas[DELTA].results) // 2


def errors_of(coupling, layer):
    """Number of output units with errors: the first one of each target."""


_ERRORS = """
def body(coupling, layer):
    return layer.outputs // {count}
"""

dispatch(errors_of, lambda coupling, _layer: written(_ERRORS, outputs_of(coupling), {}))


def joint_values(coupling, shape, numbers, layer, y, *z):
    """Values of all outputs of a target, then minus the derivatives by their inputs."""


def joint_loss(coupling, shape, numbers, layer, y, *z):
    """The loss of a target."""


def _made_jointly(purpose):
    def pick(coupling, _shape, _numbers, _layer, _y, *z):
        names = [f"z{k}" for k in range(outputs_of(coupling))]
        return body_of(
            coupling.formulas[purpose],
            ("choice", "shape", "numbers", "layer", "y", *names),
            {name: name for name in ("y", *names)},
        )

    return pick


dispatch(joint_values, _made_jointly(DELTA))
dispatch(joint_loss, _made_jointly(LOSS))


@part
def exp_below(x):
    """exp(-x) for x >= 0; 0 where that is below the normal range."""
    return select(x > LIMIT, 0.0, exp_negative(select(x > LIMIT, LIMIT, x)))


@part
def largest_of(shape, numbers, layer, at):
    """The largest input of the output units of a sample."""
    largest = load(shape, numbers, at, layer.stride)
    for h in range(1, layer.outputs):
        z = load(shape, numbers, at + h * runs_of(shape), layer.stride)
        largest = select(z > largest, z, largest)
    return largest


@part
def sum_of_powers(shape, numbers, layer, at):
    """Replace the inputs z of a layer's units by exp(z - largest z), and return their sum.

    It is in the order of the units, and the rounding errors of all additions (Knuth's TwoSum) are
    added at the end.
    """
    largest = largest_of(shape, numbers, layer, at)
    total, lost = zeros(shape), zeros(shape)
    for h in range(layer.outputs):
        place = at + h * runs_of(shape)
        power = exp_below(largest - load(shape, numbers, place, layer.stride))
        store(shape, numbers, place, layer.stride, power)
        before = total
        total = total + power
        added = total - before
        lost = lost + ((before - (total - added)) + (power - added))
    return total + lost


@part
def keep_input(inputs, shape, numbers, at, stride, z):
    """Store the inputs of output units."""
    if inputs is not None:
        store(shape, numbers, at, stride, z)


@part
def targets_of(shape, shapes, data, target, stride):
    """Targets from this index on, and their weights; rows are ``stride`` targets apart."""
    runs = runs_of(shapes.data)
    y = load_data(shape, shapes.data, data.y, target * runs, stride * runs)
    runs = runs_of(shapes.importance)
    importance = load_data(shape, shapes.importance, data.importance, target * runs, stride * runs)
    return y, importance


@part
def target_of(shape, shapes, data, layer, target):
    """Targets of samples from this index on, and their weights."""
    return targets_of(shape, shapes, data, target, layer.outputs)


@part
def add_lines(lines, weight, shapes, choice, output, group, block, layer, record, total):
    """Add the errors of samples with ``lines`` each: its values, then the derivatives by inputs.

    Of derivatives only the losses are added: half the squared error times ``weight``.
    """
    scalar, numbers, runs = shapes.scalar, block.numbers, runs_of(shapes.scalar)
    loss = zeros(scalar)
    if record >= 0 and not group.is_first:
        loss = load(scalar, block.losses, record * runs, 0)
    for n in range(min(group.end, group.real - group.start)):
        for h in range(layer.outputs):
            target = (group.start + n) * layer.outputs + h
            at = layer.units + n * layer.stride + h * runs
            v = load(scalar, numbers, at, 0)
            y, importance = target_of(scalar, shapes, group.data, layer, target)
            is_value = lines == 1 or (group.start + n) % lines == 0
            if is_value:
                total = fma(magnitude(y - v), importance, total)
            if record >= 0:
                each = weight * (0.5 * (y - v) * (y - v))
                if is_value:
                    # If inputs aren't stored this is another number, which the loss doesn't use.
                    z = load(scalar, numbers, at + layer.preactivation, 0)
                    each = loss_of(choice, output, scalar, numbers, layer, y, v, z)
                loss = fma(select(importance > 0.0, each, 0.0), importance, loss)
    if record >= 0:
        store(scalar, block.losses, record * runs, 0, loss)
    return total


def add_errors(coupling, shapes, choice, output, group, block, layer, record, total):
    """Add |y - output| of a group's samples and, where losses are recorded, their losses.

    A sample of weight 0 adds no loss, even an infinite one: it may belong to another run.
    """


def _add_apart(coupling, shapes, choice, output, group, block, layer, record, total):
    weight = zeros(shapes.scalar)
    return add_lines(1, weight, shapes, choice, output, group, block, layer, record, total)


def _add_coupled(coupling, shapes, choice, output, group, block, layer, record, total):
    """The same for a loss that depends on all outputs of a target or sample."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    loss = zeros(scalar)
    if record >= 0 and not group.is_first:
        loss = load(scalar, block.losses, record * runs, 0)
    for n in range(min(group.end, group.real - group.start)):
        at, first = layer.units + n * layer.stride, (group.start + n) * layer.outputs
        for h in range(errors_of(coupling, layer)):
            y, importance = target_of(scalar, shapes, group.data, layer, first + h)
            v = load(scalar, block.numbers, at + h * runs, 0)
            total = fma(magnitude(y - v), importance, total)
        if record >= 0:
            loss = _add_sample(coupling, shapes, group.data, block, layer, at, first, loss)
    if record >= 0:
        store(scalar, block.losses, record * runs, 0, loss)
    return total


dispatch(
    add_errors,
    lambda coupling, *_: _add_apart if isinstance(coupling, types.NoneType) else _add_coupled,
)


def _add_sample(coupling, shapes, data, block, layer, at, target, loss):
    """Add the losses of one sample, given the addresses of its outputs and targets."""


def _add_classes(coupling, shapes, data, block, layer, at, target, loss):
    """The sum of y * (log(sum of exp(z)) - z), as p itself may have underflowed to 0."""
    scalar, runs, z_at = shapes.scalar, runs_of(shapes.scalar), at + layer.preactivation
    largest = largest_of(scalar, block.numbers, layer, z_at)
    powers = zeros(scalar)
    for h in range(layer.outputs):
        z = load(scalar, block.numbers, z_at + h * runs, 0)
        powers = powers + exp_below(largest - z)
    level = log(powers)
    for h in range(layer.outputs):
        y, importance = target_of(scalar, shapes, data, layer, target + h)
        z = load(scalar, block.numbers, z_at + h * runs, 0)
        # In halves: the difference may overflow where the loss (say, with y = 0) does not.
        each = 2.0 * (y * (fma(0.5, largest, -0.5 * z) + 0.5 * level))
        loss = fma(select(importance > 0.0, each, 0.0), importance, loss)
    return loss


_JOINT = """
def body(coupling, shapes, data, block, layer, at, target, loss):
    shape, numbers = shapes.scalar, block.numbers
    step = layer.outputs // {count} * runs_of(shape)
    at += layer.preactivation
    for _ in range(layer.outputs // {count}):
        y, importance = target_of(shape, shapes, data, layer, target)
        {loads}
        each = joint_loss(coupling, shape, numbers, layer, y, {inputs})
        loss = fma(select(importance > 0.0, each, 0.0), importance, loss)
        at += runs_of(shape)
        target += 1
    return loss
"""


_CALLED = {
    "fma": fma,
    "joint_loss": joint_loss,
    "load": load,
    "runs_of": runs_of,
    "select": select,
    "target_of": target_of,
}


def _pick_sample(coupling, *_others):
    if coupling.choice == "softmax":
        return _add_classes
    return written(
        _JOINT,
        outputs_of(coupling),
        _CALLED,
        loads=("z{k} = load(shape, numbers, at + {k} * step, 0)",),
        inputs="z{k}",
    )


dispatch(_add_sample, _pick_sample)


# l1 and l2 are no formulas, as they round otherwise: g - l1 * sign(w) and a fused multiply-add, not
# g minus one derivative; l1 * sum |w|, not the sum of l1 * |w|.


@part
def add_penalties(penalty, own_penalty, scalar, block, layers, place):
    """Add l1 * sum |w| + l2 / 2 * sum w**2 and a custom penalty to a loss, in order of the weights.

    Skips a term whose l1 or l2 is 0: its sum may be infinite, and a run would have other bits if
    other runs of its block have penalties.
    """
    if penalty is None and own_penalty is None:
        return
    numbers, loss = block.numbers, load(scalar, block.losses, place, 0)
    sizes, squares, others = zeros(scalar), zeros(scalar), zeros(scalar)
    for k in range(len(layers)):
        layer = layers[k]
        for i in range(layer.units_below * layer.outputs):
            w = load(scalar, numbers, layer.weights + i * runs_of(scalar), 0)
            if penalty is not None:
                sizes = sizes + magnitude(w)
                squares = squares + w * w
            if own_penalty is not None:
                own, _, _ = activate_twice(own_penalty, scalar, numbers, layer, w)
                others = others + own
    if penalty is not None:
        l1 = value(scalar, numbers, layers[0], penalty.l1)
        l2 = value(scalar, numbers, layers[0], penalty.l2)
        by_size = select(l1 > 0.0, l1 * sizes, 0.0)
        loss = loss + (by_size + select(l2 > 0.0, 0.5 * l2 * squares, 0.0))
    if own_penalty is not None:
        loss = loss + others
    store(scalar, block.losses, place, 0, loss)

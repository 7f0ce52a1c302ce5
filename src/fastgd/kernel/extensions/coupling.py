"""Output units that depend on each other's inputs: softmax, losses with several outputs a target.

They are computed in a separate pass, after the products of the last layer.
"""

from fastgd.kernel.iteration.activations import written
from fastgd.kernel.iteration.losses import (
    joint_values,
    keep_input,
    outputs_of,
    sum_of_powers,
    target_of,
)
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import rows_of, runs_of
from fastgd.kernel.training_loop import put_delta


@part
def couple(coupling, descent, group, layer):
    """From the inputs of a group's output units to their values and deltas."""
    shapes = descent.shapes
    _couple_in(shapes.narrow_piece, shapes.narrow, descent, group, layer)


@part
def _couple_in(piece, tile, descent, group, layer):
    if piece is None:
        _couple_group(tile, descent, group, layer)
    else:
        _couple_group(piece, descent, group, layer)


@part
def _couple_group(shape, descent, group, layer):
    for n in range(group.begin, group.end, rows_of(shape)):
        at = layer.units + n * layer.stride
        target = (group.start + n) * layer.outputs
        _couple_samples(descent.recipe.coupling, shape, descent, group.data, layer, at, target)


def _couple_samples(coupling, shape, descent, data, layer, at, target):
    """The same for the samples in the rows of a tile."""


def _softmax(coupling, shape, descent, data, layer, at, target):
    """exp(z) / (sum of exp(z)): values that add up to 1 within 2 ULP for any number of units."""
    shapes, recipe, block = descent.shapes, descent.recipe, descent.block
    numbers, stride, runs = block.numbers, layer.stride, runs_of(shape)
    for h in range(layer.outputs):
        place = at + h * runs
        z = load(shape, numbers, place, stride)
        keep_input(recipe.inputs, shape, numbers, place + layer.preactivation, stride, z)
    total = sum_of_powers(shape, numbers, layer, at)
    for h in range(layer.outputs):
        place = at + h * runs
        v = load(shape, numbers, place, stride) / total
        store(shape, numbers, place, stride, v)
        y, importance = target_of(shape, shapes, data, layer, target + h)
        put_delta(shape, recipe, (y - v) * importance, block, layer, place)


_JOINT = """
def body(coupling, shape, descent, data, layer, at, target):
    shapes, recipe, block = descent.shapes, descent.recipe, descent.block
    numbers, stride = block.numbers, layer.stride
    step = layer.outputs // {count} * runs_of(shape)
    for _ in range(layer.outputs // {count}):
        y, importance = target_of(shape, shapes, data, layer, target)
        {loads}
        {values}, {deltas} = joint_values(coupling, shape, numbers, layer, y, {inputs})
        {stores}
        at += runs_of(shape)
        target += 1
"""


_CALLED = {
    "joint_values": joint_values,
    "keep_input": keep_input,
    "load": load,
    "put_delta": put_delta,
    "runs_of": runs_of,
    "store": store,
    "target_of": target_of,
}


def _joint(coupling):
    """A loss with several outputs a target: with T targets, those of t are units t, T + t, ..."""
    count = outputs_of(coupling)
    kept = "keep_input(recipe.inputs, shape, numbers, at + {k} * step + layer.preactivation, "
    return written(
        _JOINT,
        count,
        _CALLED,
        loads=("z{k} = load(shape, numbers, at + {k} * step, stride)", kept + "stride, z{k})"),
        stores=(
            "store(shape, numbers, at + {k} * step, stride, v{k})",
            "put_delta(shape, recipe, d{k} * importance, block, layer, at + {k} * step)",
        ),
        values="v{k}",
        deltas="d{k}",
        inputs="z{k}",
    )


def _pick_coupling(coupling, *_others):
    return _softmax if coupling.choice == "softmax" else _joint(coupling)


dispatch(_couple_samples, _pick_coupling)

"""Measuring an update: sums and maxima over the parameters, and what is computed from them.

In recipes with ``measure`` the last group of samples stores the gradient, and the parameters before
the update, if a formula reads them or their change. After the update of all parameters a pass over
them adds up each term as a chain in their order, from the first layer to the last, first the
weights with the biases, then scales, then shifts. A term that is a product is fused into its sum.
So neither the shape of tiles nor the neighboring runs change a bit, and the training has the bits
that it has without. Which terms there are is part of the kernel's type, as formulas are.
"""

from numba.core import types

from fastgd.kernel.block import (
    BOUNDED,
    CHANGES,
    CONVERGED,
    DEAD,
    HIDDEN,
    MAXIMUM,
    NEAR_ENDS,
    PRODUCT,
    RESULTS,
    SATURATED,
    SUM,
    TERMS,
)
from fastgd.kernel.iteration.activations import body_of, kept_derivative, made
from fastgd.kernel.iteration.elementary import maximum
from fastgd.kernel.iteration.losses import target_of
from fastgd.kernel.iteration.updates import trained_of
from fastgd.kernel.language.loads_and_stores import load, store, thread_of, threads_of
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import fma, magnitude, runs_of, select, zeros

INFINITY = float("inf")

_COUNTS = {
    CHANGES: "_changes_in(scalar, block, layer)",
    SATURATED: "_share_in(scalar, block, layer, 0)",
    BOUNDED: "_share_in(scalar, block, layer, 1)",
    DEAD: "_dead_in(scalar, block, layer)",
    HIDDEN: "_hidden_in(scalar, layer)",
}
"""Terms that are no sums over parameters."""

_NEXT = {
    SUM: "a{k} = a{k} + x{k}",
    PRODUCT: "a{k} = fma(x{k}, y{k}, a{k})",
    MAXIMUM: "a{k} = maximum(a{k}, x{k})",
}


def _kinds(choice):
    return [kind for name, kind in choice.places.items() if name.startswith("term")]


def _names(letter, count):
    return [f"{letter}{k}" for k in range(count)]


def _reads(choice, *names):
    nodes = choice.formulas[TERMS].nodes
    return any(("variable", name) in nodes for name in names)


def remember(measure, shape, numbers, at, stride, layer, g, w):
    """Keep the gradient, and the parameters as they are before the update."""


def _pick_remember(measure, *_others):
    lines = ["def body(measure, shape, numbers, at, stride, layer, g, w):", "pass"]
    if _reads(measure, "g", "last"):
        lines.append("store(shape, numbers, at + layer.gradient, stride, g)")
    if _reads(measure, "w", "change"):
        lines.append("store(shape, numbers, at + layer.before, stride, w)")
    return made("\n    ".join(lines), {"store": store})


dispatch(remember, _pick_remember)


@part
def measure_update(measure, descent, j):
    """Measure update j if that is due."""
    every = descent.span.measure_every
    if every == 1 or j % every == 0:
        _measure(measure, descent, j // every)
    _keep_last(measure, descent, j)


def _keep_last(measure, descent, j):
    """Keep the gradient if the next iteration compares its own with it."""


@part
def _copy_gradient(measure, descent, j):
    span, scalar, numbers = descent.span, descent.shapes.scalar, descent.block.numbers
    if span.measure_every == 1 or (j + 1) % span.measure_every == 0:
        for k in range(len(descent.layers)):
            layer = descent.layers[k]
            at, last = layer.weights, layer.states + measure.last * layer.state
            for _ in range(trained_of(descent.recipe.batch_norm, layer)):
                g = load(scalar, numbers, at + layer.gradient, 0)
                store(scalar, numbers, at + last, 0, g)
                at += runs_of(scalar)


dispatch(
    _keep_last,
    lambda measure, *_others: (
        _copy_gradient.py_func if _reads(measure, "last") else lambda measure, descent, j: None
    ),
)


def _terms(measure, shape, numbers, layer, w, g, change, last):
    """The factors of all terms, for a tile of parameters."""


_OF_PARAMETER = ("w", "g", "change", "last")

dispatch(
    _terms,
    lambda measure, *_others: body_of(
        measure.formulas[TERMS],
        ("choice", "shape", "numbers", "layer", *_OF_PARAMETER),
        {name: name for name in _OF_PARAMETER},
    ),
)


def _results(measure, shape, numbers, layer, n, *sums):
    """What is computed from the sums over n parameters."""


def _pick_results(measure, _shape, _numbers, _layer, _n, *sums):
    names = ("n", *_names("a", len(sums)))
    inputs = {name: name for name in names}
    return body_of(
        measure.formulas[RESULTS], ("choice", "shape", "numbers", "layer", *names), inputs
    )


dispatch(_results, _pick_results)


@part
def _changes_in(scalar, block, layer):
    """Direction changes of a layer's weights and biases so far."""
    runs = runs_of(scalar)
    end = layer.weights + layer.inputs * layer.outputs * runs
    for r in range(thread_of(scalar), runs, threads_of(scalar)):
        count = 0
        for i in range(layer.weights + r, end, runs):
            count += block.changes[i] + block.recent[i]
        block.scratch[r] = float(count)
    return load(scalar, block.scratch, 0, 0)


# ---------------------------------------------------------------- values of units


def count_units(measure, descent, group, one_pass):
    """Count the units of a group of samples that are saturated or not dead, to measure that."""


@part
def _count_units(measure, descent, group, one_pass):
    every, layers = descent.span.measure_every, descent.layers
    if one_pass.trains and (every == 1 or one_pass.j % every == 0):
        for k in range(len(layers)):
            _count_layer(measure, descent, group, layers[k], layers[len(layers) - 1])


dispatch(
    count_units,
    lambda measure, *_others: (
        _count_units.py_func
        if any(kind > CHANGES for kind in _kinds(measure))
        else lambda measure, descent, group, one_pass: None
    ),
)


def _near_ends(measure, shape, numbers, layer, v, o):
    """Whether values are near an end of their range, and whether they have one."""


dispatch(
    _near_ends,
    lambda measure, *_others: body_of(
        measure.formulas[NEAR_ENDS],
        ("choice", "shape", "numbers", "layer", "v", "o"),
        {"v": "v", "o": "o"},
    ),
)


@part
def _count_layer(measure, descent, group, layer, top):
    """Of the samples of a run, which are those whose weight is above 0."""
    shapes, recipe, block = descent.shapes, descent.recipe, descent.block
    scalar, numbers, runs = shapes.scalar, block.numbers, runs_of(shapes.scalar)
    none, width = zeros(scalar), len(block.alive) // len(block.shares)
    place, o = layer.number * 2 * runs, none + float(layer.is_output)
    saturated, bounded = none, none
    if not group.is_first:
        saturated = load(scalar, block.shares, place, 0)
        bounded = load(scalar, block.shares, place + runs, 0)
    for h in range(layer.outputs):
        unit = place * width + h * 2 * runs
        has_value, has_slope = none, none
        if not group.is_first:
            has_value = load(scalar, block.alive, unit, 0)
            has_slope = load(scalar, block.alive, unit + runs, 0)
        for n in range(min(group.end, group.real - group.start)):
            at = layer.units + n * layer.stride + h * runs
            target = (group.start + n) * top.outputs
            _, importance = target_of(scalar, shapes, group.data, top, target)
            counts = select(none + importance > 0.0, 1.0, none)
            v = load(scalar, numbers, at, 0)
            near, has_range = _near_ends(measure, scalar, numbers, layer, v, o)
            saturated, bounded = saturated + counts * near, bounded + counts * has_range
            if not layer.is_output:
                slope = kept_derivative(recipe.activation, scalar, numbers, layer, at, layer.stride)
                has_value = select(magnitude(v) * counts > 0.0, 1.0, has_value)
                has_slope = select(magnitude(slope) * counts > 0.0, 1.0, has_slope)
        store(scalar, block.alive, unit, 0, has_value)
        store(scalar, block.alive, unit + runs, 0, has_slope)
    store(scalar, block.shares, place, 0, saturated)
    store(scalar, block.shares, place + runs, 0, bounded)


@part
def _dead_in(scalar, block, layer):
    """Hidden units whose value, or derivative, is 0 for all samples."""
    runs, dead = runs_of(scalar), zeros(scalar)
    width = len(block.alive) // len(block.shares)
    if not layer.is_output:
        for h in range(layer.outputs):
            unit = layer.number * 2 * runs * width + h * 2 * runs
            is_alive = load(scalar, block.alive, unit, 0) * load(
                scalar, block.alive, unit + runs, 0
            )
            dead = dead + (1.0 - is_alive)
    return dead


@part
def _share_in(scalar, block, layer, which):
    """What was counted of a layer's units."""
    return load(scalar, block.shares, (layer.number * 2 + which) * runs_of(scalar), 0)


@part
def _hidden_in(scalar, layer):
    """Hidden units of a layer."""
    return zeros(scalar) + float((1 - layer.is_output) * layer.outputs)


# ---------------------------------------------------------------- sums


_ADD = """
def body(measure, recipe, scalar, block, layer, {sums}):
    numbers, at = block.numbers, layer.weights
    for _ in range({count}):
        w = {before}
        g = load(scalar, numbers, at + layer.gradient, 0)
        change = load(scalar, numbers, at, 0) - w
        last = {last}
        {factors} = _terms(measure, scalar, numbers, layer, w, g, change, last)
        {adds}
        at += runs_of(scalar)
    {counts}
    return {sums}
"""


def _add(measure, recipe, scalar, block, layer, *sums):
    """Add the terms of a layer's parameters to the sums."""


def _pick_add(measure, *_others):
    kinds = _kinds(measure)
    summed = [k for k, kind in enumerate(kinds) if kind in _NEXT]
    before = "load(scalar, numbers, at + layer.before, 0)"
    last = "load(scalar, numbers, at + layer.states + measure.last * layer.state, 0)"
    counts = (f"a{k} = a{k} + {_COUNTS[kind]}" for k, kind in enumerate(kinds) if kind in _COUNTS)
    text = _ADD.format(
        sums=", ".join(_names("a", len(kinds))),
        count="trained_of(recipe.batch_norm, layer)" if summed else "0",
        before=before if _reads(measure, "w", "change") else "zeros(scalar)",
        last=last if _reads(measure, "last") else "zeros(scalar)",
        factors=", ".join(f"x{k}, y{k}" for k in summed) or "_",
        adds="\n        ".join(_NEXT[kinds[k]].format(k=k) for k in summed) or "pass",
        counts="\n    ".join(counts) or "pass",
    )
    return made(text, _CALLED)


dispatch(_add, _pick_add)


def _put(measure, stop, scalar, block, layer, limit, place, n, *sums):
    """Store the results from index ``place`` on, and mark the runs that they end."""


def _pick_put(measure, stop, *_others):
    kinds, count = _kinds(measure), len(measure.formulas[RESULTS].results)
    sums = ", ".join(_names("a", len(kinds)))
    lines = [
        f"def body(measure, stop, scalar, block, layer, limit, place, n, {sums}):",
        "runs = runs_of(scalar)",
        f"{', '.join(_names('r', count))} = _results(measure, scalar, block.numbers, layer, "
        f"zeros(scalar) + float(n), {sums})",
        *(f"store(scalar, block.measured, (place + {k}) * runs, 0, r{k})" for k in range(count)),
    ]
    if not isinstance(stop, types.NoneType):
        sign = "<" if stop.choice == "below" else ">"
        lines += [
            "old = load(scalar, block.stopping, 0, 0)",
            f"hit = select(r{stop.places['which']} {sign} limit, {float(CONVERGED)}, 0.0)",
            "store(scalar, block.stopping, 0, 0, select(old < 0.0, old, hit))",
        ]
    return made("\n    ".join(lines), _CALLED)


dispatch(_put, _pick_put)


_WHOLE = """
def body(measure, descent, record):
    recipe, layers, block = descent.recipe, descent.layers, descent.block
    scalar = descent.shapes.scalar
    {first}
    n = 0
    for k in range(len(layers)):
        {sums} = _add(measure, recipe, scalar, block, layers[k], {sums})
        n += trained_of(recipe.batch_norm, layers[k])
    limit = descent.span.limit
    _put(measure, recipe.stop, scalar, block, layers[0], limit, record * {count}, n, {sums})
"""

_EACH = """
def body(measure, descent, record):
    recipe, layers, block = descent.recipe, descent.layers, descent.block
    scalar, limit = descent.shapes.scalar, descent.span.limit
    {first}
    for k in range(len(layers)):
        {each} = _add(measure, recipe, scalar, block, layers[k], {sums})
        n, place = trained_of(recipe.batch_norm, layers[k]), (record * len(layers) + k) * {count}
        _put(measure, recipe.stop, scalar, block, layers[k], limit, place, n, {each})
"""


def _measure(measure, descent, record):
    """Measure an update, as record ``record``: of the whole network or of each layer."""


def _pick_measure(measure, *_others):
    kinds = _kinds(measure)
    text = (_EACH if measure.choice == "layers" else _WHOLE).format(
        first="\n    ".join(
            f"a{k} = zeros(scalar)" + " - INFINITY" * (kind == MAXIMUM)
            for k, kind in enumerate(kinds)
        ),
        sums=", ".join(_names("a", len(kinds))),
        each=", ".join(_names("b", len(kinds))),
        count=len(measure.formulas[RESULTS].results),
    )
    return made(text, _CALLED)


dispatch(_measure, _pick_measure)

_CALLED = {
    "INFINITY": INFINITY,
    "_add": _add,
    "_changes_in": _changes_in,
    "_dead_in": _dead_in,
    "_hidden_in": _hidden_in,
    "_put": _put,
    "_results": _results,
    "_share_in": _share_in,
    "_terms": _terms,
    "fma": fma,
    "load": load,
    "maximum": maximum,
    "runs_of": runs_of,
    "select": select,
    "store": store,
    "trained_of": trained_of,
    "zeros": zeros,
}

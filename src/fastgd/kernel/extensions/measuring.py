"""Measuring an update: sums and maxima over the parameters, and what is computed from them.

In recipes with ``measure`` the last group of samples stores the gradient, and the parameters before
the update, if a formula reads them or their change. After the update of all parameters a pass over
them adds up each term as a chain in their order, from the first layer to the last, first the
weights with the biases, then scales, then shifts. A term that is a product is fused into its sum.
So neither the shape of tiles nor the neighboring runs change a bit, and the training has the bits
that it has without. Which terms there are is part of the kernel's type, as formulas are.
"""

from numba.core import types

from fastgd.kernel.block import CONVERGED, NEAR_END, RESULTS, TERMS, Kind, reads
from fastgd.kernel.iteration.activations import body_of, kept_derivative, made
from fastgd.kernel.iteration.losses import target_of
from fastgd.kernel.iteration.updates import trained_of
from fastgd.kernel.language.loads_and_stores import load, store, thread_of, threads_of
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import magnitude, runs_of, select, zeros

INFINITY = float("inf")

_GRADIENT = "at + layer.gradient"
_BEFORE = "at + layer.before"
_PREVIOUS = "at + layer.previous"
_LAST = "at + layer.states + measure.last * layer.state"  # moves with the runs

_NEXT = {
    Kind.SUM: "a{k} = a{k} + {x}",
    Kind.PRODUCT: "a{k} = fma({x}, {y}, a{k})",
    Kind.MAXIMUM: "a{k} = maximum(a{k}, {x})",
}
"""How a parameter's term x, or x * y, is combined with what it was so far."""

_OF_LAYER = {Kind.CHANGES: "_changes_in(scalar, block, layer)"} | {
    kind: f"_of_units(scalar, block, layer, {kind - Kind.SATURATED})"
    for kind in (Kind.SATURATED, Kind.BOUNDED, Kind.DEAD, Kind.HIDDEN)
}
"""Terms that a layer has as a whole."""


def _kinds(choice):
    return [kind for name, kind in choice.places.items() if name.startswith("term")]


def remember(measure, shape, numbers, at, stride, layer, g, w):
    """Keep the gradient, and the parameters as they are before the update."""


def _pick_remember(measure, *_others):
    put = "store(shape, numbers, {}, stride, {})".format
    lines = ["def body(measure, shape, numbers, at, stride, layer, g, w):"]
    if reads(measure, "last"):
        lines += [put(_PREVIOUS, f"load(shape, numbers, {_LAST}, stride)"), put(_LAST, "g")]
    lines += [put(_GRADIENT, "g")] if reads(measure, "g") else []
    lines += [put(_BEFORE, "w")] if reads(measure, "w", "change") else []
    return made("\n    ".join([*lines, "pass"]), {"load": load, "store": store})


dispatch(remember, _pick_remember)


# ---------------------------------------------------------------- values of units


def count_units(measure, descent, group, one_pass):
    """Count the values of a group of samples that are saturated, and the units that are dead."""


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
        if NEAR_END in measure.formulas
        else lambda measure, descent, group, one_pass: None
    ),
)


def _near_end(measure, shape, numbers, layer, v, o):
    """Whether a value is near an end of its range, and whether it has one."""


_OF_VALUE = ("choice", "shape", "numbers", "layer", "v", "o")

dispatch(
    _near_end,
    lambda measure, *_: body_of(measure.formulas[NEAR_END], _OF_VALUE, {"v": "v", "o": "o"}),
)


@part
def _count_layer(measure, descent, group, layer, top):
    """Of the samples of a run, which are those whose weight is above 0."""
    shapes, numbers, scalar = descent.shapes, descent.block.numbers, descent.shapes.scalar
    runs, none, row = runs_of(scalar), zeros(scalar), layer.stride
    o = none + float(layer.is_output)
    for h in range(layer.outputs):
        at = layer.counts + h * runs
        saturated, bounded, dead = none, none, 1.0 - o
        if not group.is_first:
            saturated = load(scalar, numbers, at, 0)
            bounded = load(scalar, numbers, at + row, 0)
            dead = load(scalar, numbers, at + 2 * row, 0)
        for n in range(min(group.end, group.real - group.start)):
            unit, target = layer.units + n * row + h * runs, (group.start + n) * top.outputs
            _, importance = target_of(scalar, shapes, group.data, top, target)
            counts = select(none + importance > 0.0, 1.0, none)
            near, has_range = _near_end(
                measure, scalar, numbers, layer, load(scalar, numbers, unit, 0), o
            )
            saturated, bounded = saturated + counts * near, bounded + counts * has_range
            slope = kept_derivative(descent.recipe.activation, scalar, numbers, layer, unit, row)
            dead = select(magnitude(slope) * counts > 0.0, 0.0, dead)
        store(scalar, numbers, at, 0, saturated)
        store(scalar, numbers, at + row, 0, bounded)
        store(scalar, numbers, at + 2 * row, 0, dead)
        store(scalar, numbers, at + 3 * row, 0, 1.0 - o)


@part
def _of_units(scalar, block, layer, row):
    """What was counted of a layer's units, in one of the rows of their counts."""
    total, at = zeros(scalar), layer.counts + row * layer.stride
    for _ in range(layer.outputs):
        total = total + load(scalar, block.numbers, at, 0)
        at += runs_of(scalar)
    return total


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


# ---------------------------------------------------------------- sums


def _add(measure, shape, numbers, layer, at, *sums):
    """Add the terms of a parameter to the sums."""


def _pick_add(measure, _shape, _numbers, _layer, _at, *sums):
    get = "load(shape, numbers, {}, 0)".format
    inputs = {"w": get(_BEFORE), "g": get(_GRADIENT), "last": get(_PREVIOUS)}
    inputs["change"] = f"{get('at')} - {get(_BEFORE)}"
    names, ends = [f"a{k}" for k in range(len(sums))], []
    for k, kind in enumerate(_kinds(measure)):
        if kind in _NEXT:
            first = 2 * len(ends)
            ends.append(_NEXT[kind].format(k=k, x=f"{{{first}}}", y=f"{{{first + 1}}}"))
    arguments = ("choice", "shape", "numbers", "layer", "at", *names)
    ends.append(f"return {', '.join(names)}")
    return body_of(measure.formulas[TERMS], arguments, inputs, ends)


dispatch(_add, _pick_add)


def _put(measure, shape, numbers, layer, stop, block, limit, place, runs, n, *sums):
    """Store the results from index ``place`` of each run on, and mark the runs that they end."""


def _pick_put(measure, _shape, _numbers, _layer, stop, *others):
    formula = measure.formulas[RESULTS]
    names = ("n", *(f"a{k}" for k in range(len(_kinds(measure)))))
    ends = [
        f"store_by_run(shape, block.measured, place + {k}, len(block.measured) // runs, {{{k}}})"
        for k in range(len(formula.results))
    ]
    if not isinstance(stop, types.NoneType):
        sign = "<" if stop.choice == "below" else ">"
        holds = f"{{{stop.places['which']}}} {sign} limit"
        ends += [
            "old = load(shape, block.stopping, 0, 0)",
            f"now = select({holds}, {float(CONVERGED)}, 0.0)",
            "store(shape, block.stopping, 0, 0, select(old < 0.0, old, now))",
        ]
    arguments = ("choice", "shape", "numbers", "layer", "stop", "block", "limit", "place", "runs")
    return body_of(formula, (*arguments, *names), {name: name for name in names}, ends)


dispatch(_put, _pick_put)


def measure_update(measure, descent, j):
    """Measure update j if that is due: of the whole network or of each layer."""


_MEASURE = """
def body(measure, descent, j):
    every, limit = descent.span.measure_every, descent.span.limit
    if every > 1 and j % every > 0:
        return
    layers, block, scalar = descent.layers, descent.block, descent.shapes.scalar
    runs, n, place = runs_of(scalar), 0, j // every * {count} * {results}
    {begin}
    for k in range(len(layers)):
        layer = layers[k]
        count, at = trained_of(descent.recipe.batch_norm, layer), layer.weights
        for _ in range(count):
            {sums} = _add(measure, scalar, block.numbers, layer, at, {sums})
            at += runs
        n += count
        {add}
        {end}
    {after}
"""

_PUT = """_put(
            measure, scalar, block.numbers, layers[0], descent.recipe.stop, block, limit,
            place, runs, zeros(scalar) + float(n), {sums}
        )"""


def _pick_measure(measure, *_others):
    kinds, results = _kinds(measure), len(measure.formulas[RESULTS].results)
    sums = ", ".join(f"a{k}" for k in range(len(kinds)))
    begin = [
        f"a{k} = zeros(scalar)" + " - INFINITY" * (kind == Kind.MAXIMUM)
        for k, kind in enumerate(kinds)
    ]
    add = [f"a{k} = a{k} + {_OF_LAYER[kind]}" for k, kind in enumerate(kinds) if kind in _OF_LAYER]
    put, between = _PUT.format(sums=sums), "\n        "
    by_layer = measure.choice == "layers"
    again = [put, f"place += {results}", "n = 0", *begin]
    text = _MEASURE.format(
        count="len(layers)" if by_layer else "1",
        results=results,
        begin="\n    ".join(begin),
        sums=sums,
        add=between.join(add),
        end=between.join(again) if by_layer else "",
        after="" if by_layer else put,
    )
    return made(text, _CALLED)


dispatch(measure_update, _pick_measure)

_CALLED = {
    "INFINITY": INFINITY,
    "_add": _add,
    "_changes_in": _changes_in,
    "_of_units": _of_units,
    "_put": _put,
    "runs_of": runs_of,
    "trained_of": trained_of,
    "zeros": zeros,
}

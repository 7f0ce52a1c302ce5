"""Sharpness: the largest eigenvalue of the Hessian of a loss, of many networks side by side.

Products with the Hessian are exact: forward differentiation of the backward pass (Pearlmutter,
*Fast exact multiplication by the Hessian*, Neural Computation 6, 1994). Lanczos' method needs a
fraction of the products of a power iteration; without orthogonalization it finds eigenvalues again,
but no larger ones (Paige, Linear Algebra and its Applications 34, 1980).

Sums are chains in index order of NumPy's rounded products, and functions the interpreter's, so that
bits depend neither on the machine nor on the networks beside. Arrays have the networks last: with
R of them, parameters are (P, R), weights (inputs, outputs, R), values (units, samples, R).
"""

from collections.abc import Callable, Iterable
from itertools import product
from math import prod
from typing import Any

import numpy as np

from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.engine.formula_values import evaluate, results_of
from fastgd.engine.network import Network
from fastgd.engine.plan import Plan
from fastgd.engine.recipe import choice_of, differentiated, joint_choice, places_of, recipe_of
from fastgd.engine.results import TrainedRuns
from fastgd.formulas.measures import SHARPNESS
from fastgd.formulas.named import loss_of, unit_of
from fastgd.kernel.iteration.activations import TWICE
from fastgd.kernel.iteration.losses import DELTA
from fastgd.kernel.language.specialization import Choice

TOLERANCE, APART, MOST = 1e-8, 4, 128
"""An eigenvalue is taken when APART more products change it by at most TOLERANCE of itself, or
after MOST of them."""

NUMBERS = 2**17
"""Values of a layer, of the networks that are side by side; half as many are slower."""

CLOSE = 1e-13
"""A step of Laguerre's method to an eigenvalue is the last one, relative to the diagonal."""

Samples = tuple[FloatArray, FloatArray, FloatArray]
"""X, y, and the factors of their losses."""

Times = Callable[[FloatArray], FloatArray]


def put_sharpness(plan: Plan, trained: TrainedRuns) -> None:
    """Store the sharpness of recorded networks, in measurements that were made."""
    task, method, network, runs = plan.task, plan.method, plan.network, np.arange(plan.runs)
    every = method.measure_every or task.record_every
    first, step = -(-task.done // every), every // task.record_every
    path = trained.path[:, first * step :: step]
    found = trained.measured[:, first:, :, list(method.measure).index(SHARPNESS)]
    places, session = plan.places(runs), plan.batches[0][1]
    columns = plan.columns_at(places)
    values, learning = session.values(plan.runs, columns).numbers, session.learning(columns, runs)
    layer_of = np.repeat(np.arange(network.layers), list(map(prod, network.matrices)))
    for part, k in product(range(plan.samples.parts), range(found.shape[2])):
        rows, weight, _, _ = plan.samples.part(part)
        weight = np.ones(len(rows)) if weight is None else weight
        scale = weight.sum() if method.reduction == "mean" else 1.0
        rows, weight = rows[weight > 0], weight[weight > 0]
        samples = task.X[rows], task.y[rows], weight / scale
        mask = learning * (layer_of == k) if method.measure_layers else learning
        run, at = np.nonzero((places[0] == part)[:, None] & ~np.isnan(found[..., k]))
        many = max(1, NUMBERS // (len(rows) * max(network.sizes)))
        for some in (slice(begin, begin + many) for begin in range(0, len(run), many)):
            own, row = run[some], path[run[some], at[some]].T.copy()
            with np.errstate(all="ignore"):
                times = _hessian(network, method, samples, row, values[own].T)
                found[own, at[some], k] = _largest(times, mask[own].T.copy())


def _chain(a: Iterable[Any], b: Iterable[Any]) -> Any:
    """The sum of products over the first axis, in its order."""
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


def _product(a: FloatArray, b: FloatArray) -> Any:
    """The sums over i of a[i, n] b[i, h], for each network: (h, n, R)."""
    return _chain(a[:, None], b[:, :, None])


# ---------------------------------------------------------------- products with the Hessian


def _hessian(
    network: Network, method: Method, samples: Samples, row: FloatArray, values: FloatArray
) -> Times:
    """What multiplies vectors by the Hessians at the parameters ``row`` (P, R).

    ``values`` are the values of runs, (values, R).
    """
    X, y, importance = samples
    recipe = recipe_of(method, {}, has_gradients=True)  # with second derivatives of units
    ends = np.cumsum(list(map(prod, network.matrices)))[:-1]

    def matrices(vector: FloatArray) -> list[FloatArray]:
        parts = zip(np.split(vector, ends), network.matrices, strict=True)
        return [part.reshape(*shape, -1) for part, shape in parts]

    def extended(values: FloatArray, constant: float) -> FloatArray:
        """With the constant input of a bias."""
        return np.concatenate([values, np.full_like(values[: network.bias], constant)])

    *hidden, top = weights = matrices(row)
    inputs, slopes, bends = [extended(X.T[:, :, None], 1.0)], [], []
    for own in hidden:
        z = _product(inputs[-1], own)
        v, *both = _results(recipe.activation, TWICE, values, a=z)
        inputs.append(extended(v, 1.0))
        slope, bend, _ = np.broadcast_arrays(*both, z)
        slopes.append(slope)
        bends.append(bend)
    delta, curve = _of_outputs(method, _product(inputs[-1], top), y.T[:, :, None], values)
    deltas = [importance[:, None] * delta]
    for k in reversed(range(len(hidden))):
        error = _product(deltas[0], weights[k + 1].swapaxes(0, 1))[: len(slopes[k])]
        bends[k] = bends[k] * error
        deltas.insert(0, slopes[k] * error)
    decays = [
        _penalty(recipe.own_penalty, own[:units], values)
        for own, units in zip(weights, network.sizes, strict=False)
    ]

    def times(vector: FloatArray) -> FloatArray:
        changes, tangents = matrices(vector), [np.zeros((0, len(X), 1))]
        moved = [_product(inputs[0], changes[0])]  # what the vector adds to units' inputs
        for k, slope in enumerate(slopes, 1):
            tangents.append(extended(slope * moved[-1], 0.0))
            moved.append(_product(inputs[k], changes[k]) + _product(tangents[k], weights[k]))
        delta, results = importance[:, None] * curve(moved[-1]), list[FloatArray]()
        for k in reversed(range(len(weights))):
            own = _product(delta.swapaxes(0, 1), inputs[k].swapaxes(0, 1))
            if k > 0:
                own += _product(deltas[k].swapaxes(0, 1), tangents[k].swapaxes(0, 1))
                error = _product(delta, weights[k].swapaxes(0, 1))
                error += _product(deltas[k], changes[k].swapaxes(0, 1))
                delta = slopes[k - 1] * error[: len(slopes[k - 1])] + bends[k - 1] * moved[k - 1]
            own[: len(decays[k])] += decays[k] * changes[k][: len(decays[k])]
            results.insert(0, own.reshape(-1, vector.shape[1]))
        return np.concatenate(results)

    return times


def _penalty(own: Choice | None, weights: FloatArray, values: FloatArray) -> FloatArray:
    """Second derivatives of the penalties of weights."""
    decay: FloatArray = weights * 0.0 + values[choice_of("on", "penalty").places["l2"]]
    return decay if own is None else decay + _results(own, TWICE, values, a=weights)[2]


def _results(
    choice: Choice, purpose: str, values: FloatArray, by: str = "", **given: FloatArray
) -> list[Any]:
    """The results of a choice's formula, or their derivatives by a variable."""
    formula, places = dict(choice.formulas)[purpose], choice.places.items()
    given |= {name: values[place] for name, place in places}
    return results_of(differentiated(formula, by) if by else formula, given)


def _of_outputs(
    method: Method, z: FloatArray, y: FloatArray, values: FloatArray
) -> tuple[FloatArray, Times]:
    """Derivatives of losses by the inputs z of output units, and what multiplies changes of z.

    That is by the second derivatives.
    """
    loss, unit = loss_of(method.loss).function, unit_of(method.output).function
    if unit is None:  # softmax
        powers = evaluate("exp", z - z.max(axis=0))
        p = powers / _chain(powers, np.ones(len(powers)))
        return p - y, lambda change: p * (change - _chain(p, change))
    if loss is None:  # cross entropy
        recipe = recipe_of(method, {}, has_gradients=True)
        v, slope, _ = _results(recipe.output, TWICE, values, a=z)
        return v - y, lambda change: slope * change
    count, joint = loss.outputs, joint_choice(loss, unit, places_of(method))
    shape = count, len(y), *z.shape[1:]
    given = {"y": y} | {f"z{k}": one for k, one in enumerate(z.reshape(shape))}
    deltas = _results(joint, DELTA, values, **given)[count:]
    slopes = [_results(joint, DELTA, values, by=f"z{k}", **given)[count:] for k in range(count)]
    minus = [np.broadcast_to(-delta, shape[1:]) for delta in deltas]

    def curve(change: FloatArray) -> FloatArray:
        columns = zip(*slopes, strict=True)
        return -np.concatenate([_chain(column, change.reshape(shape)) for column in columns])

    return np.concatenate(minus), curve


# ---------------------------------------------------------------- the largest eigenvalue


def _largest(times: Times, mask: FloatArray) -> FloatArray:
    """The largest eigenvalues (R,) of matrices, in the space of the parameters in ``mask`` (P, R).

    The first vector has the fractional parts of the golden ratio's multiples, minus one half.
    """
    start = (np.arange(1, len(mask) + 1) * 0.6180339887498949) % 1.0 - 0.5
    w, q = mask * start[:, None], np.zeros_like(mask)
    diagonal, beside = list[FloatArray](), list[FloatArray]()
    value, goes_on = np.full(mask.shape[1], np.inf), np.ones(mask.shape[1], np.bool_)
    while len(diagonal) < MOST and goes_on.any():
        norm = np.sqrt(_chain(w, w))
        beside.append(norm)
        before, q = q, w * np.where(norm > 0.0, 1.0 / norm, 0.0)
        w = mask * times(q) - norm * before
        share = _chain(q, w)
        w -= share * q
        # Where no space is left, an eigenvalue that isn't the largest:
        diagonal.append(np.where(norm > 0.0, share, (diagonal or [share])[0]))
        if len(diagonal) % APART == 0:
            new = _largest_of_tridiagonal(np.array([diagonal, beside])[..., goes_on])
            change, value[goes_on] = abs(new - value[goes_on]), new
            goes_on[goes_on] = change > TOLERANCE * abs(new)
    return value


def _largest_of_tridiagonal(rows: FloatArray) -> FloatArray:
    """The largest eigenvalues (R,), by Laguerre's method, from diagonals and what is beside."""
    (diagonal, beside), n = rows, rows.shape[1]
    beside[0] = 0.0
    found: FloatArray = np.max(diagonal + beside + np.roll(beside, -1, axis=0), axis=0)
    least, going = CLOSE * np.max(abs(diagonal), axis=0), np.arange(len(found))
    while len(going):
        x, (inverse, slope, both, first, second) = found[going], np.zeros((5, len(going)))
        for d, b in rows.swapaxes(0, 1):
            ratio = b * b * inverse
            inverse = 1.0 / (x - d - ratio)
            slope = (1.0 + ratio * slope) * inverse
            bend = slope * slope + ratio * both * inverse
            both = slope * slope + bend
            first, second = first + slope, second + bend  # of powers of 1 / (x - eigenvalue)
        step = n / (first + np.sqrt((n - 1) * (n * second - first * first)))
        goes_on = (first > 0.0) & (step > least[going])
        going, rows = going[goes_on], rows[..., goes_on]
        found[going] -= step[goes_on]
    return found

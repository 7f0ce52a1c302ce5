"""Sharpness: the largest eigenvalue of the Hessian of a loss, of many networks side by side.

Products with the Hessian are exact, by forward differentiation of the backward pass (Pearlmutter,
*Fast exact multiplication by the Hessian*, Neural Computation 6, 1994), and Lanczos' method takes
them, which needs a fraction of the products of a power iteration: each new vector is made
orthogonal to all others, twice (Parlett, *The Symmetric Eigenvalue Problem*, 1998, chapter 13).

Sums are chains in index order of NumPy's rounded products, and functions the interpreter's, so that
bits depend neither on the machine nor on the networks beside. Arrays have the networks last:
weights are (inputs, outputs, R), values of units (units, samples, R).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.engine.formula_values import evaluate, results_of
from fastgd.engine.network import Network
from fastgd.engine.recipe import differentiated, joint_formulas, recipe_of, unit_choice
from fastgd.formulas.named import Formula, Function, loss_of, unit_of
from fastgd.kernel.iteration.activations import TWICE
from fastgd.kernel.iteration.losses import DELTA, PENALTY_SLOPE

TOLERANCE, APART, MOST = 1e-8, 8, 128
"""The eigenvalue is taken when APART more products change it by at most TOLERANCE of itself, or
after MOST products."""

BREAKDOWN = 1e-10
"""What remains of a product, relative to the largest coefficient so far, where all of the space
that products can reach is known."""

NUMBERS = 2**15
"""Values of a layer's units for all samples, of the networks that are side by side."""

HALVINGS = 60
"""Of the interval that has the largest eigenvalue of a tridiagonal matrix."""

Times = Callable[[FloatArray], FloatArray]


def sharpness(
    network: Network,
    method: Method,
    samples: tuple[FloatArray, FloatArray, FloatArray],
    rows: FloatArray,
    numbers: Mapping[str, FloatArray],
    learning: FloatArray,
) -> FloatArray:
    """The largest eigenvalues (n,) of the Hessians of the loss at the parameters ``rows`` (n, P).

    ``samples`` are X, y and the weights of their losses. ``numbers`` are ``l2`` and the parameters
    of functions, (n,) each. The Hessian is that of the parameters that are 1 in ``learning``
    (n, P). NaN for networks with a parameter that isn't finite, and where numbers overflow.
    """
    found = np.full(len(rows), np.nan)
    (finite,) = np.isfinite(rows).all(axis=1).nonzero()
    step = max(1, NUMBERS // (len(samples[0]) * max(network.sizes)))
    with np.errstate(all="ignore"):
        for begin in range(0, len(finite), step):
            some = finite[begin : begin + step]
            own = {name: values[some] for name, values in numbers.items()}
            row, mask = np.ascontiguousarray(rows[some].T), np.ascontiguousarray(learning[some].T)
            found[some] = _largest(_hessian(network, method, samples, row, own), mask)
    return found


def _chain(a: Sequence[FloatArray], b: Sequence[FloatArray]) -> FloatArray:
    """The sum of products over the first axis, in its order."""
    total = a[0] * b[0]
    for x, y in zip(a[1:], b[1:], strict=True):
        total += x * y
    return total


def _product(a: FloatArray, b: FloatArray) -> FloatArray:
    """The sums over i of a[i, n] b[i, h], for each network: (h, n, R)."""
    return _chain(a[:, None], b[:, :, None])


def _turned(array: FloatArray) -> FloatArray:
    return array.swapaxes(0, 1)


# ---------------------------------------------------------------- products with the Hessian


def _hessian(
    network: Network,
    method: Method,
    samples: tuple[FloatArray, FloatArray, FloatArray],
    row: FloatArray,
    numbers: Mapping[str, FloatArray],
) -> Times:
    """What multiplies vectors (P, R) by the Hessians of R networks at the parameters (P, R)."""
    X, y, importance = samples
    ends = np.cumsum([rows * outputs for rows, outputs in network.matrices])

    def matrices(vector: FloatArray) -> list[FloatArray]:
        parts = zip(np.split(vector, ends[:-1]), network.matrices, strict=True)
        return [part.reshape(*shape, -1) for part, shape in parts]

    def extended(values: FloatArray, constant: float) -> FloatArray:
        """With the constant input of a bias."""
        if not network.bias:
            return values
        return np.concatenate([values, np.full_like(values[:1], constant)])

    *hidden, top = weights = matrices(row)
    inputs, slopes, bends = [extended(X.T[:, :, None], 1.0)], [], []
    for own in hidden:
        v, slope, bend = _twice(method.activation, _product(inputs[-1], own), numbers)
        inputs.append(extended(v, 1.0))
        slopes.append(slope)
        bends.append(bend)
    delta, curve = _of_outputs(method, _product(inputs[-1], top), y.T[:, :, None], numbers)
    deltas = [importance[:, None] * delta]
    for k in reversed(range(len(hidden))):
        error = _product(deltas[0], _turned(weights[k + 1]))[: len(slopes[k])]
        bends[k] = bends[k] * error
        deltas.insert(0, slopes[k] * error)
    penalties = _penalties(network, method, row, numbers)

    def times(vector: FloatArray) -> FloatArray:
        changes = matrices(vector)
        moved = [_product(inputs[0], changes[0])]  # derivatives of units' inputs by the vector
        tangents = [np.zeros((0, len(X), 1))]
        for k, slope in enumerate(slopes, 1):
            tangents.append(extended(slope * moved[-1], 0.0))
            products = _product(inputs[k], changes[k]) + _product(tangents[k], weights[k])
            moved.append(products)
        delta, results = importance[:, None] * curve(moved[-1]), []
        for k in reversed(range(len(weights))):
            own = _product(_turned(delta), _turned(inputs[k]))
            if k > 0:
                own += _product(_turned(deltas[k]), _turned(tangents[k]))
                error = _product(delta, _turned(weights[k]))
                error += _product(deltas[k], _turned(changes[k]))
                delta = slopes[k - 1] * error[: len(slopes[k - 1])] + bends[k - 1] * moved[k - 1]
            results.insert(0, own.reshape(-1, vector.shape[1]))
        return np.concatenate(results) + penalties * vector

    return times


def _parameters(
    formula: Formula, letter: str, numbers: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """The parameters of a formula by the names that they have in the kernel's."""
    return {f"{letter}{k}": numbers[name] for k, name in enumerate(formula.parameters)}


def _penalties(
    network: Network, method: Method, row: FloatArray, numbers: Mapping[str, FloatArray]
) -> FloatArray:
    """Second derivatives (P, R) of the penalties of weights."""
    parts = network.parts(np.zeros(len(row)))
    are_weights = network.row(parts._replace(weights=tuple(w + 1.0 for w in parts.weights)))
    bends = numbers["l2"]
    if method.penalty is not None:
        slope = recipe_of(method, {}).own_penalty.formulas[PENALTY_SLOPE]
        given = {"w": row} | _parameters(method.penalty, "n", numbers)
        bends = bends + results_of(differentiated(slope, "w"), given)[0]
    return np.where(are_weights[:, None] > 0.0, bends, 0.0)


def _twice(
    unit: str | Function, z: FloatArray, numbers: Mapping[str, FloatArray]
) -> list[FloatArray]:
    """Values, derivatives and second derivatives of units with inputs z."""
    function = unit_of(unit).function
    assert function is not None
    places = dict.fromkeys(function.parameters, 0)
    formula = unit_choice(unit, places, with_derivative=False, twice=True).formulas[TWICE]
    found = results_of(formula, {"a": z} | _parameters(function, "n", numbers))
    return [np.broadcast_to(values, z.shape) for values in found]


def _of_outputs(
    method: Method, z: FloatArray, y: FloatArray, numbers: Mapping[str, FloatArray]
) -> tuple[FloatArray, Times]:
    """Derivatives of samples' losses by the inputs z of output units, and how they change with z.

    The latter is what multiplies changes of z by the second derivatives.
    """
    loss, unit = loss_of(method.loss).function, unit_of(method.output).function
    if unit is None:  # softmax
        powers = evaluate("exp", z - z.max(axis=0))
        p = powers / _chain(powers, np.ones((len(powers), 1, 1)))
        return p - y, lambda change: p * (change - _chain(p, change))
    if loss is None:  # cross entropy
        v, slope, _ = _twice(method.output, z, numbers)
        return v - y, lambda change: slope * change
    count = loss.outputs
    formula = dict(joint_formulas(loss, unit))[DELTA]
    given = {"y": y} | _parameters(unit, "u", numbers) | _parameters(loss, "n", numbers)
    given |= {f"z{k}": one for k, one in enumerate(z.reshape(count, len(y), *z.shape[1:]))}
    deltas = results_of(formula, given)[count:]
    by_input = [results_of(differentiated(formula, f"z{k}"), given)[count:] for k in range(count)]

    def curve(change: FloatArray) -> FloatArray:
        parts = change.reshape(count, len(y), *change.shape[1:])
        columns = zip(*by_input, strict=True)
        return -np.concatenate([_chain(column, parts) for column in columns])

    return -np.concatenate([np.broadcast_to(delta, (len(y), *z.shape[1:])) for delta in deltas]), curve


# ---------------------------------------------------------------- the largest eigenvalue


def _largest(times: Times, mask: FloatArray) -> FloatArray:
    """The largest eigenvalues (R,) of matrices in the space of the parameters in ``mask`` (P, R).

    The first vector has the fractional parts of the golden ratio's multiples, minus one half.
    """
    parameters, runs = mask.shape
    most = min(parameters, MOST)
    basis = np.zeros((most, parameters, runs))
    w = mask * ((np.arange(1, parameters + 1) * 0.6180339887498949) % 1.0 - 0.5)[:, None]
    norm, scale, alive = np.sqrt(_chain(w, w)), np.zeros(runs), np.ones(runs, np.bool_)
    diagonal: list[FloatArray] = []
    beside: list[FloatArray] = []
    value, going = np.full(runs, np.inf), np.ones(runs, np.bool_)
    for m in range(most):
        alive &= norm > BREAKDOWN * scale
        beside.append(np.where(alive, norm, 0.0))
        basis[m] = np.where(alive, w / norm, 0.0)
        known, w = basis[: m + 1], mask * times(basis[m])
        for again in range(2):
            shares = _chain(_turned(known), w[:, None])
            w = w - _chain(shares[:, None], known)
            if not again:  # where no space is left, an eigenvalue that isn't the largest
                diagonal.append(np.where(alive, shares[m], (diagonal or shares)[0]))
        norm = np.sqrt(_chain(w, w))
        scale = np.maximum(scale, np.maximum(abs(diagonal[m]), norm))
        if (m + 1) % APART == 0 or m + 1 == most:
            new = _largest_of_tridiagonal(diagonal, beside[1:])
            before, value = value, np.where(going, new, value)
            going &= abs(new - before) > TOLERANCE * abs(new)
            if not going.any():
                break
    return value


def _largest_of_tridiagonal(diagonal: list[FloatArray], beside: list[FloatArray]) -> FloatArray:
    """The largest eigenvalues (R,), by bisection.

    One is larger than a number if elimination of the matrix minus that number has a pivot above 0.
    """
    zero = np.zeros_like(diagonal[0])
    left, right = [zero, *beside], [*beside, zero]
    low = np.max(diagonal, axis=0)
    high = np.max([d + a + b for d, a, b in zip(diagonal, left, right, strict=True)], axis=0)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        pivot = diagonal[0] - middle
        above = pivot >= 0.0
        for d, b in zip(diagonal[1:], beside, strict=True):
            pivot = d - middle - b * b / pivot
            above |= pivot >= 0.0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return low

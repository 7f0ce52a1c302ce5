"""The elementary functions by name, all over tiles, including those that IEEE 754 defines."""

from fastgd.kernel.iteration.elementary import acos, asin, atan, cos, relu, sin, tan
from fastgd.kernel.iteration.exponentials import (
    exp,
    expm1,
    hyperbolic,
    log,
    log1p,
    power,
    sigmoid,
    tanh,
)
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import floor, magnitude, select, square_root


@part
def sinh(x):
    """The hyperbolic sine."""
    return hyperbolic(x, True)


@part
def cosh(x):
    """The hyperbolic cosine."""
    return hyperbolic(x, False)


@part
def sign(x):
    """-1 or 1; zeros and NaN are returned unchanged."""
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x))


@part
def minimum(a, b):
    """The smaller value, the left one if equal; NaN if either is NaN."""
    return select((a <= b) | (a != a), a, b)


@part
def maximum(a, b):
    """The larger value, the left one if equal; NaN if either is NaN."""
    return select((a >= b) | (a != a), a, b)


FUNCTIONS = {
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "relu": relu,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "sinh": sinh,
    "cosh": cosh,
    "sqrt": square_root,
    "abs": magnitude,
    "floor": floor,
    "sign": sign,
    "minimum": minimum,
    "maximum": maximum,
    "where": select,
    "pow": power,
}
"""Functions from tiles to a tile, by their names in expressions."""

"""The kernel's elementary functions for numbers and arrays, bit-identical to compiled training."""

import math
from typing import Any

import numpy as np

from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, array_of
from fastgd.engine.formula_values import code_of
from fastgd.formulas.custom import Formula
from fastgd.formulas.derivation import Derivation, replaced
from fastgd.kernel.bytecode import function_of_numbers
from fastgd.kernel.curve_descent import evaluate as evaluate_code


def evaluate(name: str, *operands: object) -> Any:
    """Apply the function of this name to numbers or arrays, which are broadcast together.

    Returns
    -------
    float or array
        A float for numbers, else an array of float64. NaN and infinity are as in IEEE 754.

    Raises
    ------
    TypeError, ValueError
        If an operand isn't a real number, or the shapes can't be broadcast.

    Examples
    --------
    >>> evaluate("exp", 1.0)
    2.718281828459045
    >>> evaluate("maximum", [[1, 5]], [[3], [4]])
    array([[3., 5.],
           [4., 5.]])
    >>> evaluate("where", [True, False], 1, 2)
    array([1., 2.])
    """
    kinds = ["iuf"] * len(operands)
    if name == "where":
        kinds[0] = "b"
    arrays = [_numbers(name, value, kind) for value, kind in zip(operands, kinds, strict=True)]
    shapes = [array.shape for array in arrays]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(
            f"the arguments of {name}() must have shapes that can be broadcast, "
            f"got {' and '.join(map(str, shapes))}"
        ) from None
    check_memory(8 * (len(arrays) + 1) * math.prod(shape), f"the result of {name}()")
    columns = [np.broadcast_to(array, shape).reshape(-1) for array in arrays]
    values = evaluate_code(function_of_numbers(name, len(arrays)), *columns)
    return values.reshape(shape) if shape else values.item()


def value_of(formula: Formula, *variables: FloatArray) -> FloatArray:
    """Return the (n,) values of a formula for its variables, up to three (n,) arrays.

    Examples
    --------
    >>> from fastgd.formulas.custom import Loss
    >>> cauchy = Loss("log(1 + ((y - v) / c)**2)", c=2.0)
    >>> value_of(cauchy, np.array([0.0, 1.0]), np.array([2.0, 1.0]))
    array([0.69314718, 0.        ])
    """
    found = Derivation()
    value = found.of(replaced(formula.tree, formula.parameters)).value
    return evaluate_code(code_of(found, value, formula.variables), *variables)


def _numbers(name: str, value: object, kinds: str) -> FloatArray:
    array = array_of(f"an argument of {name}()", value)
    if array.dtype.kind not in kinds:
        expected = "True or False" if kinds == "b" else "real numbers"
        raise TypeError(
            f"the arguments of {name}() must be {expected}, got {shown(value)} "
            f"(dtype {array.dtype.name})"
        )
    with np.errstate(all="ignore"):
        return np.require(array, dtype=np.float64, requirements=["C", "A"])

"""Values of functions and formulas for numbers and arrays, bit-identical to compiled training.

A formula becomes instructions of the kernel's interpreter, so that a new one compiles nothing.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, array_of, check_memory
from fastgd.engine.programs import instructions, last_uses
from fastgd.formulas.derivation import Derivation, replaced
from fastgd.formulas.named import Formula
from fastgd.kernel.bytecode import (
    BLOCK,
    CONSTANTS,
    OPERANDS,
    RESULT,
    Code,
    code_of_operation,
    function_of_numbers,
)
from fastgd.kernel.curve_descent import evaluate as evaluate_code
from fastgd.kernel.language.specialization import FormulaChoice


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
    arrays = []
    for value, kind in zip(operands, kinds, strict=True):
        array = array_of(f"an argument of {name}()", value)
        if array.dtype.kind not in kind:
            expected = "True or False" if kind == "b" else "real numbers"
            raise TypeError(
                f"the arguments of {name}() must be {expected}, got {shown(value)} "
                f"(dtype {array.dtype.name})"
            )
        with np.errstate(all="ignore"):
            arrays.append(np.require(array, dtype=np.float64, requirements=["C", "A"]))
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
    >>> from fastgd.formulas.named import Loss
    >>> cauchy = Loss("log(1 + ((y - v) / c)**2)", c=2.0)
    >>> value_of(cauchy, np.array([0.0, 1.0]), np.array([2.0, 1.0]))
    array([0.69314718, 0.        ])
    """
    found = Derivation()
    value = found.of(replaced(formula.tree, formula.parameters)).value
    return evaluate_code(code_of(found, value, formula.variables), *variables)


_BY_VALUE: dict[str, Callable[[Any], Any]] = {
    "derivative of sigmoid": lambda v: v * (1.0 - v),
    "derivative of tanh": lambda v: 1.0 - v * v,
}
"""Derivatives that networks compute from the function's value, and the interpreter doesn't."""


def results_of(formula: FormulaChoice, given: Mapping[str, FloatArray]) -> list[Any]:
    """Return the results of a formula of networks, of variables that are broadcast together."""
    values: list[Any] = []
    for kind, *rest in formula.nodes:
        if kind in ("number", "variable"):
            values.append(rest[0] if kind == "number" else given[rest[0]])
            continue
        name, operands = kind.replace("unit_", ""), [values[k] for k in rest]
        if name == "where":
            operands[0] = operands[0] != 0.0
        values.append(_BY_VALUE.get(name, partial(evaluate, name))(*operands))
    return [values[k] for k in formula.results]


# ---------------------------------------------------------------- instructions of the interpreter


def code_of(
    found: Derivation,
    result: int,
    variables: tuple[str, ...] = ("x",),
    codes: Callable[[str], int] = code_of_operation,
) -> Code:
    """Return the code that computes a node from the values of these variables.

    ``codes`` tells what stands for an operation.
    """
    nodes = found.nodes
    needed = sorted(last_uses(nodes, (result,)))
    constants = [k for k in needed if nodes[k][0] == "number"]
    row = {k: CONSTANTS + place for place, k in enumerate(constants)}
    for k in needed:
        if nodes[k][0] == "variable":
            row[k] = OPERANDS[variables.index(nodes[k][1])]
    first = CONSTANTS + len(constants)
    steps, rows = instructions(nodes, {RESULT: result}, row, first)
    words = np.array([(codes(name), *places) for name, *places in steps], np.int64)
    words[:, 1:] *= BLOCK
    return Code(words.reshape(-1), np.array([nodes[k][1] for k in constants]), rows)

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
from fastgd.formulas.derivation import Derivation, Node, replaced
from fastgd.formulas.named import Formula
from fastgd.kernel.bytecode import (
    BLOCK,
    CONSTANTS,
    OPERANDS,
    RESULT,
    WORDS,
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

    ``codes`` tells what stands for an operation. Rows of the working memory are reused after their
    last use.
    """
    nodes, last = found.nodes, _last_uses(found.nodes, result)
    needed = sorted(last.keys() | {result})
    constants = [k for k in needed if nodes[k][0] == "number"]
    row = {k: CONSTANTS + place for place, k in enumerate(constants)}
    for k in needed:
        if nodes[k][0] == "variable":
            row[k] = OPERANDS[variables.index(nodes[k][1])]
    rows = CONSTANTS + len(constants)
    free: list[int] = []
    steps: list[tuple[int, ...]] = []
    for k in needed:
        operands = _operands(nodes[k])
        if not operands:
            continue
        places = [row[operand] for operand in operands]
        over = {operand for operand in operands if last[operand] == k and _operands(nodes[operand])}
        free.extend(row[operand] for operand in sorted(over))
        if k == result:
            row[k] = RESULT
        elif free:
            row[k] = free.pop()
        else:
            row[k], rows = rows, rows + 1
        places += places[:1] * (WORDS - 2 - len(places))
        steps.append((codes(nodes[k][0]), row[k], *places))
    if row[result] != RESULT:  # a variable itself, or a constant
        steps.append((codes("copy"), RESULT, *[row[result]] * (WORDS - 2)))
    words = np.array(steps, np.int64)
    words[:, 1:] *= BLOCK
    return Code(words.reshape(-1), np.array([nodes[k][1] for k in constants]), rows)


def _last_uses(nodes: list[Node], result: int) -> dict[int, int]:
    """Return, for each node that the result depends on, the last node that uses it."""
    last: dict[int, int] = {}
    for k in range(result, -1, -1):
        if k == result or k in last:
            for operand in _operands(nodes[k]):
                last.setdefault(operand, k)
    return last


def _operands(node: Node) -> tuple[int, ...]:
    return () if node[0] in ("variable", "number") else node[1:]

"""Values of functions and formulas for numbers and arrays, bit-identical to compiled training.

A formula becomes instructions of the kernel's interpreter, so that a new one compiles nothing.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, array_of, check_memory
from fastgd.formulas.derivation import Derivation, Node, replaced
from fastgd.formulas.named import Formula
from fastgd.kernel.bytecode import (
    BLOCK,
    CONSTANTS,
    OPERANDS,
    OPERATIONS,
    RESULT,
    WORDS,
    Code,
    function_of_numbers,
    program_code,
)
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
    >>> from fastgd.formulas.named import Loss
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


# ---------------------------------------------------------------- instructions of the interpreter


class Instructions(NamedTuple):
    """A program, with operations by name and places by row."""

    steps: list[tuple[Any, ...]]
    """The name of an operation, the row of its result, and those of three operands each."""
    constants: list[float]
    """What the rows from CONSTANTS on are filled with."""
    rows: int
    """The number of rows of the working memory."""


def code_of(found: Derivation, result: int, variables: tuple[str, ...] = ("x",)) -> Code:
    """Return the code that computes a node from the values of these variables."""
    made = instructions_of(found, result, variables)
    words = np.array([(OPERATIONS[name], *places) for name, *places in made.steps], np.int64)
    words[:, 1:] *= BLOCK
    return program_code(words.reshape(-1), np.array(made.constants), made.rows)


def instructions_of(
    found: Derivation, result: int, variables: tuple[str, ...] = ("x",)
) -> Instructions:
    """Return what computes a node; rows are reused after their last use."""
    nodes, last = found.nodes, _last_uses(found.nodes, result)
    needed = sorted(last.keys() | {result})
    constants = [k for k in needed if nodes[k][0] == "number"]
    row = {k: CONSTANTS + place for place, k in enumerate(constants)}
    for k in needed:
        if nodes[k][0] == "variable":
            row[k] = OPERANDS[variables.index(nodes[k][1])]
    rows = CONSTANTS + len(constants)
    free: list[int] = []
    steps: list[tuple[Any, ...]] = []
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
        steps.append((nodes[k][0], row[k], *places))
    if row[result] != RESULT:  # a variable itself, or a constant
        steps.append(("copy", RESULT, *[row[result]] * (WORDS - 2)))
    return Instructions(steps, [nodes[k][1] for k in constants], rows)


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

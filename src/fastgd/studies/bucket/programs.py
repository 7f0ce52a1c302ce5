"""Expressions and their slopes as programs for :mod:`fastgd.kernel.bytecode`."""

import numpy as np

from fastgd.formulas.derivation import Derivation, Node
from fastgd.formulas.expressions import Tree
from fastgd.kernel.bytecode import (
    BLOCK,
    CONSTANTS,
    OPERATIONS,
    RESULT,
    WORDS,
    Code,
    X,
    program_code,
)
from fastgd.kernel.elementwise import OF_VALUE


def slope_code(tree: Tree) -> Code:
    """Return the code of an expression's slope."""
    found = Derivation(of_value=OF_VALUE)
    slope = found.of(tree).derivative
    return _code(found, found.number(0.0) if slope is None else slope)


def value_code(tree: Tree) -> Code:
    """Return the code of an expression's value."""
    found = Derivation(of_value=OF_VALUE)
    return _code(found, found.of(tree).value)


def _code(found: Derivation, result: int) -> Code:
    """Return the instructions that compute a node; rows are reused after their last use."""
    nodes, last = found.nodes, _last_uses(found.nodes, result)
    needed = sorted(last.keys() | {result})
    constants = [k for k in needed if nodes[k][0] == "number"]
    row = {k: CONSTANTS + place for place, k in enumerate(constants)}
    row |= {k: X for k in needed if nodes[k][0] == "variable"}
    rows = CONSTANTS + len(constants)
    free: list[int] = []
    program: list[tuple[int, ...]] = []
    for k in needed:
        operands = _operands(nodes[k])
        if not operands:
            continue
        places = [row[operand] for operand in operands]
        over = {operand for operand in operands if last[operand] == k and _operands(nodes[operand])}
        free.extend(row[operand] for operand in over)
        if k == result:
            row[k] = RESULT
        elif free:
            row[k] = free.pop()
        else:
            row[k], rows = rows, rows + 1
        places += places[:1] * (WORDS - 2 - len(places))
        program.append((OPERATIONS[nodes[k][0]], row[k], *places))
    if row[result] != RESULT:  # x itself, or a constant
        program.append((OPERATIONS["copy"], RESULT, *[row[result]] * (WORDS - 2)))
    words = np.array(program, np.int64)
    words[:, 1:] *= BLOCK
    numbers = np.array([nodes[k][1] for k in constants], np.float64)
    code: Code = program_code(words.reshape(-1), numbers, rows)
    return code


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

"""From a derivation to the instructions of the kernel's interpreter."""

from typing import Any, NamedTuple

import numpy as np

from fastgd.formulas.derivation import Derivation, Node
from fastgd.kernel.bytecode import (
    BLOCK,
    CONSTANTS,
    OPERANDS,
    OPERATIONS,
    RESULT,
    WORDS,
    Code,
    program_code,
)


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

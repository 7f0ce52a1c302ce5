"""An expression and its slope as programs for :mod:`fastgd.kernel.program`.

The slope is found by the rules for dual numbers, as in :mod:`fastgd.studies.bucket.dual`, but on
the expression: forward differentiation (Wengert, Communications of the ACM 7, 1964). Equal parts
are computed once, and what the slope doesn't need not at all.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgd.kernel.elementary import ELEMENTARY
from fastgd.kernel.program import (
    BLOCK,
    CONSTANTS,
    OPERATIONS,
    RESULT,
    Code,
    X,
    program_code,
)

Tree = float | str | tuple[Any, ...]
"""A number, "x", or an operation with its operands: ("mul", 2.0, ("sin", "x"))."""

SHORT = 64.0
"""Whole exponents up to this become multiplications."""

_FOLDED: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}


@dataclass(frozen=True)
class Dual:
    """A part of an expression: value and slope, numbers of nodes; a constant has no slope."""

    value: int
    slope: int | None


class Derivation:
    """Nodes in an order in which each follows its operands; equal ones are there once."""

    def __init__(self) -> None:
        self.nodes: list[tuple[Any, ...]] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def of(self, tree: Tree) -> Dual:
        """Value and slope of a tree."""
        if isinstance(tree, float):
            return Dual(self.number(tree), None)
        if isinstance(tree, str):
            return Dual(self._node("x"), self.number(1.0))
        operation, *operands = tree
        if operation == "pow":
            return self._power(*operands)
        parts = map(self.of, operands)
        if operation in ELEMENTARY:
            return self._elementary(operation, *parts)
        rule: Callable[..., Dual] = getattr(self, f"_{operation}")
        return rule(*parts)

    def number(self, value: float) -> int:
        """A constant."""
        return self._node("number", value, np.signbit(value))  # 0.0 == -0.0

    def _node(self, *node: Any) -> int:
        if node not in self._known:
            self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return self._known[node]

    def _make(self, operation: str, first: int, second: int) -> int:
        """An operation on two nodes: a number if both are, a factor of 1 has no effect."""
        a, b = self.nodes[first], self.nodes[second]
        if operation in _FOLDED and a[0] == b[0] == "number":
            with np.errstate(all="ignore"):
                return self.number(float(_FOLDED[operation](np.float64(a[1]), np.float64(b[1]))))
        if operation == "mul" and a[:2] == ("number", 1.0):
            return second
        if operation in ("mul", "div") and b[:2] == ("number", 1.0):
            return first
        if operation == "div" and b[0] == "number" and _is_half_or_so(b[1]):
            return self._make(
                "mul", first, self.number(1.0 / b[1])
            )  # the same bits, 8 times faster
        return self._node(operation, first, second)

    # ------------------------------------------------------------ sums, products, quotients

    def _neg(self, a: Dual) -> Dual:
        return self._mul(a, Dual(self.number(-1.0), None))

    def _add(self, a: Dual, b: Dual) -> Dual:
        value = self._make("add", a.value, b.value)
        if a.slope is None or b.slope is None:
            return Dual(value, b.slope if a.slope is None else a.slope)
        return Dual(value, self._make("add", a.slope, b.slope))

    def _sub(self, a: Dual, b: Dual) -> Dual:
        value = self._make("sub", a.value, b.value)
        if b.slope is None:
            return Dual(value, a.slope)
        if a.slope is None:
            return Dual(value, self._make("mul", self.number(-1.0), b.slope))
        return Dual(value, self._make("sub", a.slope, b.slope))

    def _mul(self, a: Dual, b: Dual) -> Dual:
        value = self._make("mul", a.value, b.value)
        left = None if a.slope is None else self._make("mul", a.slope, b.value)
        right = None if b.slope is None else self._make("mul", a.value, b.slope)
        if left is None or right is None:
            return Dual(value, right if left is None else left)
        return Dual(value, self._make("add", left, right))

    def _div(self, a: Dual, b: Dual) -> Dual:
        value = self._make("div", a.value, b.value)
        if b.slope is None:
            slope = None if a.slope is None else self._make("div", a.slope, b.value)
            return Dual(value, slope)
        change = self._make("mul", value, b.slope)
        if a.slope is None:
            change = self._make("mul", self.number(-1.0), change)
        else:
            change = self._make("sub", a.slope, change)
        return Dual(value, self._make("div", change, b.value))

    # ------------------------------------------------------------ powers and functions

    def _elementary(self, name: str, a: Dual) -> Dual:
        value = self._node(name, a.value, a.value)
        if a.slope is None:
            return Dual(value, None)
        source = value if ELEMENTARY[name].of_value else a.value
        slope = self._node(f"slope of {name}", source, source)
        return Dual(value, self._make("mul", slope, a.slope))

    def _power(self, base: Tree, exponent: Tree) -> Dual:
        a = self.of(base)
        if isinstance(exponent, float):
            return self._fixed_power(a, exponent)
        b = self.of(exponent)
        assert b.slope is not None  # else it were a number
        power = self._make("pow", a.value, b.value)
        due = self._make("log_term", a.value, power)
        slope = self._make("times_slope", due, b.slope)
        if a.slope is None:
            return Dual(power, slope)
        less = self._make("sub", b.value, self.number(1.0))
        due = self._make("mul", b.value, self._make("pow", a.value, less))
        return Dual(power, self._make("add", self._make("times_slope", due, a.slope), slope))

    def _fixed_power(self, a: Dual, p: float) -> Dual:
        """A power whose exponent is a number; that of exponent 0 is flat at 0, too."""
        if p == 0.0:
            return Dual(self.number(1.0), None)
        value = self._raised(a.value, p)
        if a.slope is None:
            return Dual(value, None)
        slope = self._make("mul", self.number(p), self._raised(a.value, p - 1.0))
        return Dual(value, self._make("mul", slope, a.slope))

    def _raised(self, a: int, p: float) -> int:
        if not p.is_integer() or abs(p) > SHORT:
            return self._make("pow", a, self.number(p))
        if p < 0.0:
            return self._make("div", self.number(1.0), self._raised(a, -p))
        result, square, left = self.number(1.0), a, int(p)
        while left:
            if left % 2:
                result = self._make("mul", result, square)
            left //= 2
            if left:
                square = self._make("mul", square, square)
        return result


def _is_half_or_so(value: float) -> bool:
    """Whether it is a power of two whose reciprocal is exact."""
    return abs(np.frexp(value)[0]) == 0.5 and 2.0**-1000 < abs(value) < 2.0**1000


def slope_code(tree: Tree) -> Code:
    """The slope of an expression."""
    found = Derivation()
    slope = found.of(tree).slope
    return _code(found, found.number(0.0) if slope is None else slope)


def value_code(tree: Tree) -> Code:
    """An expression itself."""
    found = Derivation()
    return _code(found, found.of(tree).value)


def _code(found: Derivation, result: int) -> Code:
    """The instructions that lead to one node; rows are used again once nobody needs them."""
    nodes, last = found.nodes, _last_uses(found.nodes, result)
    needed = sorted(last.keys() | {result})
    constants = [k for k in needed if nodes[k][0] == "number"]
    row = {k: CONSTANTS + place for place, k in enumerate(constants)}
    row |= {k: X for k in needed if nodes[k][0] == "x"}
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
        program.append((OPERATIONS[nodes[k][0]], row[k], *places))
    if row[result] != RESULT:  # x itself, or a constant
        program.append((OPERATIONS["copy"], RESULT, row[result], row[result]))
    words = np.array(program, np.int64)
    words[:, 1:] *= BLOCK
    numbers = np.array([nodes[k][1] for k in constants], np.float64)
    code: Code = program_code(words.reshape(-1), numbers, rows)
    return code


def _last_uses(nodes: list[tuple[Any, ...]], result: int) -> dict[int, int]:
    """Of each node that the result needs, the last one that needs it."""
    last: dict[int, int] = {}
    for k in range(result, -1, -1):
        if k == result or k in last:
            for operand in _operands(nodes[k]):
                last.setdefault(operand, k)
    return last


def _operands(node: tuple[Any, ...]) -> tuple[int, ...]:
    return () if node[0] in ("x", "number") else node[1:]

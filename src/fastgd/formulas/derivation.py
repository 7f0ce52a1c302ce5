"""Derivatives of expressions, by the rules for dual numbers, applied symbolically.

This is forward differentiation (Wengert, *A simple automatic derivative evaluation program*,
Communications of the ACM 7, 1964). Equal subexpressions are stored once, so what the value and the
derivative have in common is computed once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from fastgd.formulas.expressions import FOLDED, Tree, walked

SHORT = 64.0
"""Powers with integer exponents up to this become multiplications."""

Node = tuple[Any, ...]
"""("number", value, sign), ("variable", name), or an operation and the indices of its operands.

The operations are those of trees, and "derivative of" a function of one operand. The latter has as
its operand that of the function, or the function's value if the derivative follows from it (see
``of_value`` of `Derivation`).
"""

_FLAT = ("sign", "floor", "derivative of relu", "derivative of abs")

_SECOND: dict[str, Tree] = {
    "acos": ("mul", "d", ("div", "x", ("mul", ("sub", 1.0, "x"), ("add", 1.0, "x")))),
    "asin": ("mul", "d", ("div", "x", ("mul", ("sub", 1.0, "x"), ("add", 1.0, "x")))),
    "atan": ("mul", ("mul", -2.0, "x"), ("mul", "d", "d")),
    "cos": ("mul", -1.0, ("cos", "x")),
    "cosh": ("cosh", "x"),
    "exp": 1.0,
    "expm1": "d",
    "log": ("mul", -1.0, ("mul", "d", "d")),
    "log1p": ("mul", -1.0, ("mul", "d", "d")),
    "sigmoid": ("sub", 1.0, ("mul", 2.0, "x")),
    "sin": ("mul", -1.0, ("sin", "x")),
    "sinh": ("sinh", "x"),
    "sqrt": ("mul", -2.0, ("mul", "d", "d")),
    "tan": ("mul", 2.0, "x"),
    "tanh": ("mul", -2.0, "x"),
}
"""How the node "derivative of ..." (d) changes with its operand (x): see `Node`."""


@dataclass(frozen=True)
class DualExpression:
    """A subexpression: the nodes of its value and of its derivative, which is None if constant."""

    value: int
    derivative: int | None


class Derivation:
    """A list of nodes in which each follows its operands, and no two are equal.

    Derivatives are with respect to the variable ``by``. ``of_value`` are the functions whose
    derivative is computed from their value.
    """

    def __init__(self, by: str = "x", of_value: frozenset[str] = frozenset()) -> None:
        self.nodes: list[Node] = []
        self.by, self._of_value = by, of_value
        self._known: dict[Node, int] = {}
        self._duals: dict[int, DualExpression] = {}

    def of(self, tree: Tree) -> DualExpression:
        """Return the value and the derivative of a tree."""
        if isinstance(tree, float):
            return DualExpression(self.number(tree), None)
        if isinstance(tree, str):
            return DualExpression(
                self.variable(tree), self.number(1.0) if tree == self.by else None
            )
        operation, *operands = tree
        if operation == "pow":
            base, exponent = operands
            if isinstance(exponent, float):
                return self._fixed_power(self.of(base), exponent)
        if operation == "where":  # the derivative of the chosen operand; a jump is ignored
            (comparison, *sides), a, b = operands
            holds = self._node(comparison, *(self.of(side).value for side in sides))
            return self.chosen(holds, self.of(a), self.of(b))
        if operation == "with_derivative":  # a function of a variable with its given derivative
            variable, function, derivative = operands
            value = self.of(function).value
            return DualExpression(value, self.of(derivative).value if variable == self.by else None)
        return self._by_rule(operation, *map(self.of, operands))

    def _by_rule(self, operation: str, *parts: DualExpression) -> DualExpression:
        if operation in ("mul", "times_derivative"):
            return self._product(operation, *parts)
        if operation in ("maximum", "minimum"):
            a, b = parts
            value = self._node(operation, a.value, b.value)
            # If both are equal, the derivative is that of the left one.
            keeps_left = "ge" if operation == "maximum" else "le"
            return self.chosen(self._node(keeps_left, a.value, b.value), a, b, value)
        rule: Callable[..., DualExpression] | None = getattr(self, f"_{operation}", None)
        return rule(*parts) if rule else self._function(operation, *parts)

    def dual(self, node: int) -> DualExpression:
        """Return a node with its derivative: for the second derivative, that of the first."""
        if node not in self._duals:
            self._duals[node] = self._dual_of(node, *self.nodes[node])
        return self._duals[node]

    def _dual_of(self, node: int, kind: str, *operands: Any) -> DualExpression:
        if kind in ("number", "variable"):
            is_by = (kind, *operands) == ("variable", self.by)
            return DualExpression(node, self.number(1.0) if is_by else None)
        if kind == "where":
            holds, a, b = operands
            return self.chosen(holds, self.dual(a), self.dual(b), node)
        parts = list(map(self.dual, operands))
        if kind == "pow" and self.nodes[operands[1]][0] == "number":
            return self._fixed_power(parts[0], self.nodes[operands[1]][1])
        before, of, name = kind.partition("derivative of ")
        if before or not of or kind in _FLAT:
            return self._by_rule(kind, *parts)
        if parts[0].derivative is None:
            return DualExpression(node, None)
        known = {"d": node, "x": operands[0]}
        change = walked(
            _SECOND[name.removeprefix("unit_")],
            lambda leaf: self.number(leaf) if isinstance(leaf, float) else known[leaf],
            lambda *node: self.make(*node) if len(node) == 3 else self._node(*node),
        )
        return DualExpression(node, self.make("mul", change, parts[0].derivative))

    def number(self, value: float) -> int:
        """Return the node of a constant."""
        return self._node("number", value, bool(np.signbit(value)))  # 0.0 == -0.0

    def variable(self, name: str) -> int:
        """Return the node of a variable."""
        return self._node("variable", name)

    def slope(self, dual: DualExpression) -> int:
        """Return the node of a derivative, which is 0 if there is none."""
        return self.number(0.0) if dual.derivative is None else dual.derivative

    def let(self, operation: str, operand: int, value: int) -> None:
        """Declare that the result of an operation is this existing node."""
        self._known[operation, operand] = value

    def _node(self, *node: Any) -> int:
        if node not in self._known:
            self._known[node] = len(self.nodes)
            self.nodes.append(node)
        return self._known[node]

    def make(self, operation: str, first: int, second: int) -> int:
        """Return an operation on two nodes; two constants are folded, factors of 1 left out."""
        a, b = self.nodes[first], self.nodes[second]
        if operation in FOLDED and a[0] == b[0] == "number":
            with np.errstate(all="ignore"):
                folded = float(FOLDED[operation](np.float64(a[1]), np.float64(b[1])))
            if isfinite(folded):  # else compute it at run time: inf is no literal, NaN not equal
                return self.number(folded)
        if operation == "mul" and a[:2] == ("number", 1.0):
            return second
        if operation in ("mul", "div") and b[:2] == ("number", 1.0):
            return first
        if operation == "div" and b[0] == "number":
            is_power_of_two = abs(np.frexp(b[1])[0]) == 0.5
            if is_power_of_two and 2.0**-1000 < abs(b[1]) < 2.0**1000:
                # Its reciprocal is exact: bit-identical, and 8 times faster.
                return self.make("mul", first, self.number(1.0 / b[1]))
        return self._node(operation, first, second)

    def taken(
        self, results: Iterable[int], names: Mapping[int, str] = MappingProxyType({})
    ) -> tuple[tuple[Node, ...], tuple[int, ...]]:
        """Return the nodes that the results depend on, renumbered, and the results' numbers.

        Nodes in ``names`` become variables.
        """
        order: dict[int, int] = {}
        nodes: list[Node] = []

        def add(k: int) -> int:
            if k not in order:
                kind, *rest = self.nodes[k]
                if k in names:
                    node: Node = ("variable", names[k])
                elif kind in ("number", "variable"):
                    node = self.nodes[k]
                else:
                    node = (kind, *map(add, rest))
                order[k] = len(nodes)
                nodes.append(node)
            return order[k]

        made = tuple(map(add, results))
        return tuple(nodes), made

    # ------------------------------------------------------------ sums, products, quotients

    def _neg(self, a: DualExpression) -> DualExpression:
        return self._product("mul", a, DualExpression(self.number(-1.0), None))

    def _plus(self, a: int | None, b: int | None) -> int | None:
        """Return the sum of two derivatives; None is a derivative of 0."""
        if a is None or b is None:
            return b if a is None else a
        return self.make("add", a, b)

    def _add(self, a: DualExpression, b: DualExpression) -> DualExpression:
        value = self.make("add", a.value, b.value)
        return DualExpression(value, self._plus(a.derivative, b.derivative))

    def _sub(self, a: DualExpression, b: DualExpression) -> DualExpression:
        value = self.make("sub", a.value, b.value)
        if b.derivative is None:
            return DualExpression(value, a.derivative)
        if a.derivative is None:
            return DualExpression(value, self.make("mul", self.number(-1.0), b.derivative))
        return DualExpression(value, self.make("sub", a.derivative, b.derivative))

    def _product(self, kind: str, a: DualExpression, b: DualExpression) -> DualExpression:
        value = self.make(kind, a.value, b.value)
        left = None if a.derivative is None else self.make(kind, a.derivative, b.value)
        right = None if b.derivative is None else self.make(kind, a.value, b.derivative)
        return DualExpression(value, self._plus(left, right))

    def _fma(self, a: DualExpression, b: DualExpression, c: DualExpression) -> DualExpression:
        product = self._product("mul", a, b)
        value = self._node("fma", a.value, b.value, c.value)
        return DualExpression(value, self._plus(product.derivative, c.derivative))

    def _div(self, a: DualExpression, b: DualExpression) -> DualExpression:
        value = self.make("div", a.value, b.value)
        if b.derivative is None:
            derivative = None if a.derivative is None else self.make("div", a.derivative, b.value)
            return DualExpression(value, derivative)
        change = self.make("mul", value, b.derivative)
        if a.derivative is None:
            change = self.make("mul", self.number(-1.0), change)
        else:
            change = self.make("sub", a.derivative, change)
        return DualExpression(value, self.make("div", change, b.value))

    # ------------------------------------------------------------ choices

    def chosen(
        self, holds: int, a: DualExpression, b: DualExpression, value: int | None = None
    ) -> DualExpression:
        """Return a where the comparison holds, else b."""
        if value is None:
            value = self._node("where", holds, a.value, b.value)
        if a.derivative is None and b.derivative is None:
            return DualExpression(value, None)
        return DualExpression(value, self._node("where", holds, self.slope(a), self.slope(b)))

    # ------------------------------------------------------------ powers and functions

    def _function(self, name: str, a: DualExpression) -> DualExpression:
        value = self._node(name, a.value)
        if a.derivative is None or name in _FLAT:
            return DualExpression(value, None)
        derivative = self._node(
            f"derivative of {name}", value if name in self._of_value else a.value
        )
        return DualExpression(value, self.make("mul", derivative, a.derivative))

    def _pow(self, a: DualExpression, b: DualExpression) -> DualExpression:
        power = self.make("pow", a.value, b.value)
        by_base = by_exponent = None
        if a.derivative is not None:
            less = self.make("sub", b.value, self.number(1.0))
            due = self.make("mul", b.value, self.make("pow", a.value, less))
            by_base = self.make("times_derivative", due, a.derivative)
        if b.derivative is not None:
            due = self.make("log_term", a.value, power)
            by_exponent = self.make("times_derivative", due, b.derivative)
        return DualExpression(power, self._plus(by_base, by_exponent))

    def _log_term(self, a: DualExpression, b: DualExpression) -> DualExpression:
        """Return log(a) * b, whose derivative is log(a) * b' + (b / a) * a'."""
        due = DualExpression(self.make("div", b.value, a.value), None)
        dual = self._product("log_term", DualExpression(a.value, None), b)
        by_a = self._product("times_derivative", due, a).derivative
        return DualExpression(dual.value, self._plus(dual.derivative, by_a))

    def _fixed_power(self, a: DualExpression, p: float) -> DualExpression:
        """Return a power with a constant exponent; with exponent 0 it is constant, even at 0."""
        if p == 0.0:
            return DualExpression(self.number(1.0), None)
        value = self._raised(a.value, p)
        if a.derivative is None:
            return DualExpression(value, None)
        derivative = self.make("mul", self.number(p), self._raised(a.value, p - 1.0))
        return DualExpression(value, self.make("mul", derivative, a.derivative))

    def _raised(self, a: int, p: float) -> int:
        if not p.is_integer() or abs(p) > SHORT:
            return self.make("pow", a, self.number(p))
        if p < 0.0:
            return self.make("div", self.number(1.0), self._raised(a, -p))
        result, square, left = self.number(1.0), a, int(p)
        while left:
            if left % 2:
                result = self.make("mul", result, square)
            left //= 2
            if left:
                square = self.make("mul", square, square)
        return result


# ---------------------------------------------------------------- trees


def replaced(tree: Tree, by: Mapping[Any, Tree]) -> Tree:
    """Return the tree with some parts, such as variables, replaced by other trees."""
    if tree in by:
        return by[tree]
    if isinstance(tree, tuple):
        return (tree[0], *(replaced(operand, by) for operand in tree[1:]))
    return tree


def steadied(tree: Tree) -> Tree:
    """Return the tree rewritten so that intermediate results don't overflow.

    ``x / (1 + exp(u))`` becomes ``x * sigmoid(-u)``, as the derivative of a quotient would be NaN
    where exp overflows; ``log(exp(x))`` becomes ``x``.

    Examples
    --------
    >>> steadied(("div", 1.0, ("add", 1.0, ("exp", ("neg", "a")))))
    ('sigmoid', 'a')
    """
    if not isinstance(tree, tuple):
        return tree
    match (tree[0], *map(steadied, tree[1:])):
        case ("div", x, ("add", 1.0, ("exp", u)) | ("add", ("exp", u), 1.0)):
            part = ("sigmoid", _negative(u))
            return part if x == 1.0 else ("mul", x, part)
        case ("log", ("exp", x)):
            return cast(Tree, x)
        case other:
            return other


def _negative(tree: Tree) -> Tree:
    match tree:
        case float():
            return -tree
        case ("neg", inside):
            return cast(Tree, inside)
        case ("mul" | "div" as operation, x, y) if isinstance(x, float) or x[0] == "neg":
            return (operation, _negative(x), y)
    return ("neg", tree)

"""What a training can measure of itself: quantities by name, and those of one's own.

A quantity is made of sums or maxima over the parameters (its *terms*), and of a formula of these.
The kernel that adds them up is :mod:`fastgd.kernel.extensions.measuring`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from fastgd.checks.messages import either, shown
from fastgd.checks.numbers import check_choice
from fastgd.formulas.expressions import Tree, parse, variables_of, write
from fastgd.formulas.named import Formula, Given

VARIABLES = ("w", "g", "change")
"""A parameter before the update, minus its derivative, and how much the update added to it."""

REDUCTIONS = ("sum", "max", "mean")


class Measure(Formula):
    """A quantity of one's own that is recorded during a training: ``measure=Measure(...)``.

    Parameters
    ----------
    formula : callable or str
        A Python function of some of ``w``, ``g`` and ``change``, by these names, or an expression
        of them. They are a parameter of the network before the update, minus the derivative of the
        loss by it (before ``clip_norm``), and what the update added to the parameter. The function
        is made of arithmetic, constants and `fastgd.functions`, and called once, to record its
        operations.
    reduce : {"sum", "max", "mean"}
        How the values of all parameters (weights, biases, scales and shifts of batch normalization)
        become one number. A sum is in the order of the parameters; if the formula is a product, it
        is fused into the sum.
    name : str, optional
        The key in ``run.measured``; by default the formula, as in ``"max(abs(change))"``.

    Raises
    ------
    TypeError, ValueError
        If the function does anything else, or has another variable.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.functions import where
    >>> still = fastgd.Measure(lambda change: where(abs(change) < 1e-3, 1, 0), "mean", "still")
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, iterations=300, record_every=100, measure=still)
    >>> run.measured["still"].round(2)
    array([0.25, 0.19, 0.  ])
    """

    what = "a Measure"
    __slots__ = ("name", "reduce")

    reduce: str
    name: str

    def __init__(self, formula: Given, reduce: str = "sum", name: str | None = None) -> None:
        if name is not None and (not isinstance(name, str) or not name or name in QUANTITIES):
            raise ValueError(
                f"name must be a string, and none that fastgd's quantities have, got {shown(name)}"
            )
        variables, tree = self._read(formula, ())
        self._set(variables, tree, reduce, name or f"{reduce}({write(tree)})")
        parse(self.what, write(tree), variables)  # saved formulas must be readable again

    def _set(  # type: ignore[override]
        self, variables: tuple[str, ...], tree: Tree, reduce: str, name: str
    ) -> None:
        check_choice("reduce", reduce, REDUCTIONS)
        object.__setattr__(self, "reduce", reduce)
        object.__setattr__(self, "name", name)
        super()._set(variables, tree, None, {}, {})
        object.__setattr__(self, "_key", (type(self), *self.source))

    @classmethod
    def of_text(  # type: ignore[override]
        cls, formula: str, reduce: str, variables: Iterable[str], name: str
    ) -> Measure:
        """Return the measure with this :attr:`source`; no code is executed."""
        variables = tuple(variables)
        return cls._made(variables, parse(cls.what, formula, variables), reduce, str(name))

    @property
    def source(self) -> Any:
        """The formula as a string, how it is reduced, names of the variables, and its name."""
        return write(self.tree), self.reduce, self.variables, self.name

    def _check_variables(self, variables: tuple[str, ...]) -> None:
        others = [name for name in variables if name not in VARIABLES]
        if others or not variables:
            raise ValueError(
                f"a Measure must have variables among {either(VARIABLES)}, "
                f"got {', '.join(others) or 'none'}"
            )

    def _variables_of(self, tree: Tree, _parameters: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(variables_of(tree)))

    def __repr__(self) -> str:
        text, reduce, _, name = self.source
        named = "" if name == f"{reduce}({text})" else f", name={name!r}"
        return f"Measure({text!r}, reduce={reduce!r}{named})"


class Term(NamedTuple):
    """What is added up over the parameters, or whose maximum is taken."""

    tree: Tree  # of the variables and "last", g in the iteration before; or what is counted
    is_max: bool = False


class Quantity(NamedTuple):
    """The facts about a quantity."""

    terms: tuple[Term, ...]
    result: str
    """An expression of the terms a, b and c, and of the number n of parameters."""


def _sums(result: str, *terms: str) -> Quantity:
    trees = (parse("a term", term, (*VARIABLES, "last")) for term in terms)
    return Quantity(tuple(map(Term, trees)), result)


SHARPNESS = "sharpness"

QUANTITIES = {
    "gradient_norm": _sums("sqrt(a)", "g * g"),
    "update_norm": _sums("sqrt(a)", "change * change"),
    "weight_norm": _sums("sqrt(a)", "w * w"),
    "largest_weight": Quantity((Term(("abs", "w"), is_max=True),), "a"),
    "gradient_cosine": _sums("a / (sqrt(b) * sqrt(c))", "g * last", "g * g", "last * last"),
    "direction_changes": Quantity((Term("changes"),), "a"),
    "saturated": Quantity((Term("saturated"), Term("bounded")), "a / b"),
    "dead": Quantity((Term("dead"), Term("hidden")), "a / b"),
    SHARPNESS: Quantity((Term(0.0),), "a"),  # until fastgd.engine.sharpness has computed it
}
"""The quantities by name."""


def quantity_of(measure: str | Measure) -> Quantity:
    """Return the facts about a quantity, given by name or as a Measure."""
    if isinstance(measure, str):
        return QUANTITIES[measure]
    result = "a / n" if measure.reduce == "mean" else "a"
    return Quantity((Term(measure.tree, measure.reduce == "max"),), result)


def name_of(measure: str | Measure) -> str:
    """Return the key of a quantity in ``run.measured``."""
    return measure if isinstance(measure, str) else measure.name


def needs_last(measures: Iterable[str | Measure] | None) -> bool:
    """Return whether the derivatives of the iteration before are needed, and so kept."""
    return any(
        "last" in variables_of(term.tree)
        for measure in measures or ()
        for term in quantity_of(measure).terms
    )


class Stop(NamedTuple):
    """The condition at which runs end."""

    name: str
    is_below: bool
    limit: float


_CONDITION = re.compile(r"\s*(\S.*?)\s*([<>])\s*([^<>\s]+)\s*")


def stop_of(text: str) -> Stop | None:
    """Return the condition that a text states, such as "gradient_norm < 1e-6"; else None."""
    found = _CONDITION.fullmatch(text)
    try:
        return found and Stop(found[1], found[2] == "<", float(found[3]))
    except ValueError:
        return None

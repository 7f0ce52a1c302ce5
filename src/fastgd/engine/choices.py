"""Activations, outputs and losses as choices of the kernel, with the formulas they are made of."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from fastgd.arguments.options import Method
from fastgd.formulas.custom import Function, Loss
from fastgd.formulas.derivation import Derivation, DualExpression, replaced, steadied
from fastgd.formulas.expressions import Tree
from fastgd.formulas.named import UNITS, loss_of, unit_of
from fastgd.kernel.iteration.activations import BOTH, DERIVATIVE, VALUE
from fastgd.kernel.iteration.formulas import OF_VALUE
from fastgd.kernel.iteration.losses import DELTA, LOSS
from fastgd.kernel.language.specialization import Choice, FormulaChoice

FAR_BELOW = -350.0
"""Where units that are exp below count as such: a target up to 1e156, divided by it, is finite."""

Places = Mapping[str, int]
"""Where each number of a method stands among a run's."""


class Outputs(NamedTuple):
    """What the last layer is compiled for."""

    output: Choice
    loss: Choice
    coupling: Choice | None

    @property
    def are_from_inputs(self) -> bool:
        """Whether the loss is worked out from the inputs of the output units."""
        if self.coupling is not None or self.loss.name == "cross_entropy":
            return True
        formula = dict(self.loss.formulas).get(LOSS)
        return formula is not None and ("variable", "z") in formula.nodes


def unit_choice(unit: str | Function, places: Places, *, with_derivative: bool = True) -> Choice:
    """An activation; without its derivative where nothing is trained."""
    function = unit_of(unit).function
    if function is None:
        return Choice(unit)
    formulas = _formulas_of(function, with_derivative)
    return Choice(_name_of(unit), formulas, **_places(function, "n", places))


def output_choices(method: Method, places: Places) -> Outputs:
    """Output units and loss of a method."""
    unit, known = unit_of(method.output).function, loss_of(method.loss).function
    output = unit_choice(method.output, places)
    if unit is None:
        return Outputs(output, Choice(str(method.loss)), Choice("softmax"))
    if known is None:
        return Outputs(output, Choice(str(method.loss)), None)
    own = _places(unit, "u", places) | _places(known, "n", places)
    if known.outputs > 1:
        return Outputs(output, Choice("joint"), Choice("joint", _joint(known, unit), **own))
    if method.loss == "squared" and DERIVATIVE in output.formulas:
        return Outputs(output, Choice("squared"), None)
    is_exp_below = output.name in UNITS and UNITS[output.name].is_exp_below
    return Outputs(output, Choice("formula", _of_output(known, unit, is_exp_below), **own), None)


def _name_of(unit: str | Function) -> str:
    """The name that code is compiled under: that of an activation which does the same."""
    if isinstance(unit, str):
        return unit
    for name, known in UNITS.items():
        same = known.function and _formulas_of(known.function, True) == _formulas_of(unit, True)
        if same and not unit.parameters:
            return name
    return "function"


def _places(formula: Function | Loss, letter: str, places: Places) -> dict[str, int]:
    return {f"{letter}{k}": places[name] for k, name in enumerate(formula.parameters)}


def _renamed(formula: Function | Loss, letter: str, *variables: Tree) -> dict[str, Tree]:
    """What stands in a formula's trees for its variables and its numbers.

    So code that was compiled for one formula serves for another with other names, too.
    """
    names: dict[str, Tree] = dict(zip(formula.variables, variables, strict=True))
    return names | {name: f"{letter}{k}" for k, name in enumerate(formula.parameters)}


@lru_cache(maxsize=1024)
def _formulas_of(
    function: Function, with_derivative: bool
) -> tuple[tuple[str, FormulaChoice], ...]:
    """The formulas of an activation: its derivative by its value where that tells."""
    names = _renamed(function, "n", "a")
    found = Derivation("a", OF_VALUE)
    value, derivative = _unit(found, function, names)
    whole = (VALUE, _formula(found, (value,)))
    if not with_derivative:
        return (whole,)
    by_value = _formula(found, (derivative,), {value: "v"})
    if ("variable", "a") in by_value.nodes:
        return whole, (BOTH, _formula(found, (value, derivative)))
    return whole, (DERIVATIVE, by_value)


def _unit_tree(function: Function, names: dict[str, Tree]) -> Tree:
    """The tree of an activation; what is no more than the article's sigmoid or tanh is that."""
    match steadied(replaced(function.tree, names)):
        case ("sigmoid" | "tanh" as name, str() as variable):
            return (f"unit_{name}", variable)
        case tree:
            return tree


def _with_given_derivative(function: Function, variable: str) -> Tree:
    """The tree of an output unit, with its derivative where that was given."""
    names = _renamed(function, "u", variable)
    tree = _unit_tree(function, names)
    if function.derivative is None:
        return tree
    return ("with_derivative", variable, tree, replaced(function.derivative, names))


def _unit(found: Derivation, function: Function, names: dict[str, Tree]) -> tuple[int, int]:
    """The nodes of value and derivative."""
    dual = found.of(_unit_tree(function, names))
    if function.derivative is not None:
        return dual.value, found.of(steadied(replaced(function.derivative, names))).value
    return dual.value, found.number(0.0) if dual.derivative is None else dual.derivative


@lru_cache(maxsize=1024)
def _of_output(
    loss: Loss, unit: Function, is_exp_below: bool
) -> tuple[tuple[str, FormulaChoice], ...]:
    """A loss of target y and output v = unit(z): minus its derivative by z, and itself.

    Where no derivative was given it is derived as one formula of z, which may be simpler than its
    parts: log(v) of v = exp(z) is z.
    """
    found = Derivation("z", OF_VALUE)
    value, unit_derivative = _unit(found, unit, of_unit := _renamed(unit, "u", "z"))
    output = _unit_tree(unit, of_unit)
    of_loss = _renamed(loss, "n", "y", output)
    whole = found.of(steadied(replaced(loss.tree, of_loss)))
    if unit.derivative is not None or loss.derivative is not None:
        whole = DualExpression(
            whole.value, found.make("mul", _loss_derivative(found, loss), unit_derivative)
        )
    if is_exp_below and loss.derivative is None and _has_log(loss.tree, loss.variables[1]):
        whole = _with_exp_below(found, loss, value, whole)
    derivative = found.number(0.0) if whole.derivative is None else whole.derivative
    delta = found.make("mul", found.number(-1.0), derivative)
    names = {value: "v"}
    return (DELTA, _formula(found, (delta,), names)), (LOSS, _formula(found, (whole.value,), names))


def _has_log(tree: Tree, variable: str) -> bool:
    """Whether the logarithm of a variable is in a tree."""
    if not isinstance(tree, tuple):
        return False
    return tree == ("log", variable) or any(_has_log(part, variable) for part in tree[1:])


def _with_exp_below(
    found: Derivation, loss: Loss, value: int, near: DualExpression
) -> DualExpression:
    """A loss of a unit that is exp far below 0, so that the logarithm of its value is z.

    The value itself may be 0 there, and would make that infinite, and its derivative NaN.
    """
    z = found.variable("z")
    holds = found.make("lt", z, found.number(FAR_BELOW))
    found.by = "z"
    found.let("exp", z, value)
    far = found.of(steadied(replaced(loss.tree, _renamed(loss, "n", "y", ("exp", "z")))))
    return found.chosen(holds, far, near)


def _loss_derivative(found: Derivation, loss: Loss) -> int:
    """The node of a loss's derivative by the output v."""
    names = _renamed(loss, "n", "y", "v")
    if loss.derivative is not None:
        return found.of(steadied(replaced(loss.derivative, names))).value
    found.by = "v"
    dual = found.of(steadied(replaced(loss.tree, names)))
    return found.number(0.0) if dual.derivative is None else dual.derivative


@lru_cache(maxsize=1024)
def _joint(loss: Loss, unit: Function) -> tuple[tuple[str, FormulaChoice], ...]:
    """A loss of several outputs v0 = unit(z0), ...: these, minus the derivatives; and itself."""
    found = Derivation("", OF_VALUE)
    units = [_with_given_derivative(unit, f"z{k}") for k in range(loss.outputs)]
    tree = steadied(replaced(loss.tree, _renamed(loss, "n", "y", *units)))
    values = [found.of(unit).value for unit in units]
    deltas = []
    for k in range(loss.outputs):
        found.by = f"z{k}"
        derivative = found.of(tree).derivative
        derivative = found.number(0.0) if derivative is None else derivative
        deltas.append(found.make("mul", found.number(-1.0), derivative))
    whole = found.of(tree).value
    return (DELTA, _formula(found, (*values, *deltas))), (LOSS, _formula(found, (whole,)))


def _formula(
    found: Derivation, results: tuple[int, ...], names: Mapping[int, str] | None = None
) -> FormulaChoice:
    """The nodes that lead to the results, renumbered; in place of some there are variables."""
    names = names or {}
    order: dict[int, int] = {}
    nodes: list[tuple[object, ...]] = []

    def add(k: int) -> int:
        if k not in order:
            kind, *rest = found.nodes[k]
            if k in names:
                node: tuple[object, ...] = ("variable", names[k])
            elif kind in ("number", "variable"):
                node = found.nodes[k]
            else:
                node = (kind, *map(add, rest))
            order[k] = len(nodes)
            nodes.append(node)
        return order[k]

    made = tuple(map(add, results))
    return FormulaChoice(tuple(nodes), made)

"""Kernel choices for activations, output units and losses, with the formulas they compile to."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from fastgd.arguments.options import Method
from fastgd.formulas.custom import Function, Loss
from fastgd.formulas.derivation import Derivation, DualExpression, replaced, steadied
from fastgd.formulas.expressions import Tree
from fastgd.formulas.named import UNITS, loss_of, unit_of
from fastgd.kernel.iteration.activations import BOTH, DERIVATIVE, OF_VALUE, TWICE, VALUE
from fastgd.kernel.iteration.losses import DELTA, LOSS
from fastgd.kernel.language.specialization import Choice, FormulaChoice

FAR_BELOW = -350.0
"""Below this input, units that approach exp for small inputs are treated as exactly exp.

A target of up to 1e156, divided by exp of that, is still finite.
"""

Places = Mapping[str, int]
"""Maps the name of each parameter of a method to its index in a run's row of values."""


class Outputs(NamedTuple):
    """What the last layer is compiled for."""

    output: Choice
    loss: Choice
    coupling: Choice | None

    @property
    def are_from_inputs(self) -> bool:
        """Whether the loss is computed from the output units' inputs instead of their values."""
        if self.coupling is not None or self.loss.name == "cross_entropy":
            return True
        formula = dict(self.loss.formulas).get(LOSS)
        return formula is not None and ("variable", "z") in formula.nodes


def unit_choice(
    unit: str | Function, places: Places, *, with_derivative: bool = True, twice: bool = False
) -> Choice:
    """The kernel choice of an activation; without its derivative if nothing is trained.

    With ``twice`` it has the formula ``TWICE`` as well, or alone if it is without its derivative.
    """
    function = unit_of(unit).function
    if function is None:
        return Choice(unit)
    formulas = _formulas_of(function, with_derivative) if with_derivative or not twice else ()
    if twice:
        formulas += (_twice(function),)
    return Choice(_name_of(unit), formulas, **_places(function, "n", places))


def output_choices(method: Method, places: Places, *, twice: bool = False) -> Outputs:
    """The kernel choices of a method's output units and loss; see :func:`unit_choice`."""
    unit, known = unit_of(method.output).function, loss_of(method.loss).function
    output = unit_choice(method.output, places, twice=twice)
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
    """The name used for compilation; a custom formula equal to a built-in one takes its name."""
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
    """Substitutions for the variables and parameters in a formula's tree.

    With neutral names, code compiled for one formula serves any other that differs in names only.
    """
    names: dict[str, Tree] = dict(zip(formula.variables, variables, strict=True))
    return names | {name: f"{letter}{k}" for k, name in enumerate(formula.parameters)}


@lru_cache(maxsize=1024)
def _formulas_of(
    function: Function, with_derivative: bool
) -> tuple[tuple[str, FormulaChoice], ...]:
    """The formulas of an activation: value, and derivative (from the value alone if possible)."""
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


@lru_cache(maxsize=1024)
def _twice(function: Function) -> tuple[str, FormulaChoice]:
    """The formula of value, derivative and second derivative."""
    found = Derivation("a", OF_VALUE)
    value, derivative = _unit(found, function, _renamed(function, "n", "a"))
    second = found.dual(derivative).derivative
    second = found.number(0.0) if second is None else second
    return TWICE, _formula(found, (value, derivative, second))


_PIECES = {"where", "maximum", "minimum", "abs", "sign", "relu"}
_MENDED = {"gelu"}
"""Activations made of pieces that meet where all of their derivatives are 0, far out."""


def has_second_derivative(unit: str | Function) -> bool:
    """Whether an activation has a second derivative everywhere, as far as its formula says.

    It hasn't if its derivative is made of pieces (relu, leaky_relu, elu, abs), which may jump.
    """
    function = unit_of(unit).function
    if function is None or _name_of(unit) in _MENDED:
        return True
    found = Derivation("a", OF_VALUE)
    derivative = _unit(found, function, _renamed(function, "n", "a"))[1]
    kinds = (str(kind) for kind, *_ in _formula(found, (derivative,)).nodes)
    return _PIECES.isdisjoint(kind.removeprefix("derivative of ") for kind in kinds)


def _unit_tree(function: Function, names: dict[str, Tree]) -> Tree:
    """The tree of an activation; a plain sigmoid or tanh becomes the article's own version."""
    match steadied(replaced(function.tree, names)):
        case ("sigmoid" | "tanh" as name, str() as variable):
            return (f"unit_{name}", variable)
        case tree:
            return tree


def _with_given_derivative(function: Function, variable: str) -> Tree:
    """The tree of an output unit, with the user's derivative attached if one was given."""
    names = _renamed(function, "u", variable)
    tree = _unit_tree(function, names)
    if function.derivative is None:
        return tree
    return ("with_derivative", variable, tree, replaced(function.derivative, names))


def _unit(found: Derivation, function: Function, names: dict[str, Tree]) -> tuple[int, int]:
    """The node indices of value and derivative."""
    dual = found.of(_unit_tree(function, names))
    if function.derivative is not None:
        return dual.value, found.of(steadied(replaced(function.derivative, names))).value
    return dual.value, found.number(0.0) if dual.derivative is None else dual.derivative


@lru_cache(maxsize=1024)
def _of_output(
    loss: Loss, unit: Function, is_exp_below: bool
) -> tuple[tuple[str, FormulaChoice], ...]:
    """Minus the derivative by z, and the loss, for target y and output v = unit(z).

    Unless the user gave a derivative, the loss is differentiated as one formula of z, which may be
    simpler than the two formulas it is made of: log(v) with v = exp(z) is z.
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
    """Whether a tree contains the logarithm of this variable."""
    if not isinstance(tree, tuple):
        return False
    return tree == ("log", variable) or any(_has_log(part, variable) for part in tree[1:])


def _with_exp_below(
    found: Derivation, loss: Loss, value: int, near: DualExpression
) -> DualExpression:
    """The loss of a unit that equals exp far below 0, with z for the logarithm of its value.

    The value itself may underflow to 0 there, which would make the logarithm infinite and its
    derivative NaN.
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
    """For a loss of outputs v0 = unit(z0), ...: these and minus the derivatives; the loss."""
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
    """The nodes that the results depend on, renumbered; nodes in ``names`` become variables."""
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

"""The functions of an exported network's units, as formulas."""

from typing import NamedTuple

import numpy as np

from fastgd.arguments.initial_network import BatchNorm
from fastgd.checks.numbers import FloatArray
from fastgd.engine.recipe import unit_choice
from fastgd.export.network import Exported
from fastgd.formulas.named import unit_of
from fastgd.kernel.block import EPSILON
from fastgd.kernel.iteration.activations import VALUE
from fastgd.kernel.language.specialization import FormulaChoice

SOFTMAX = None
"""In place of a formula: each value depends on all units."""


class Unit(NamedTuple):
    """The function of hidden units or of output units: a formula of the input ``a``."""

    formula: FormulaChoice | None
    parameters: dict[str, tuple[float, ...]]
    """The parameters by their names in the formula, with the value of each member."""

    @property
    def names(self) -> dict[str, str]:
        """Names of the formula's variables in code, where n0, n1, ... are its operations."""
        return {"a": "a"} | {name: f"p{name[1:]}" for name in self.parameters}


def units_of(exported: Exported) -> tuple[Unit, Unit]:
    """The functions of the hidden units and of the output units."""
    hidden, output = (_unit(exported, option) for option in ("activation", "output"))
    return hidden, output


def _unit(exported: Exported, option: str) -> Unit:
    method = exported.methods[0]
    function = unit_of(getattr(method, option)).function
    if function is None:
        return Unit(SOFTMAX, {})
    places = dict.fromkeys(method.numbers, 0)
    choice = unit_choice(getattr(method, option), places, with_derivative=False)
    formula = dict(choice.formulas)[VALUE]
    used = {node[1] for node in formula.nodes if node[0] == "variable"}
    values = {
        f"n{k}": tuple(each.numbers[name] for each in exported.methods)
        for k, name in enumerate(function.parameters)
    }
    return Unit(formula, {name: own for name, own in values.items() if name in used})


def inverse_deviation(norm: BatchNorm) -> FloatArray:
    """What batch normalization multiplies by, with the kernel's bits."""
    return np.asarray(1.0 / np.sqrt(norm.variance + EPSILON))

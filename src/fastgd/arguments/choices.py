"""The activations and the losses: their names, and what is to know of each beside its formula.

The formulas stand by these names in ``kernel/iteration/functions.py`` and, once more, in
``reference/functions.py``.
"""

from math import inf
from typing import NamedTuple


class Unit(NamedTuple):
    """What is to know of an activation, beside its formula."""

    is_output: bool = True  # whether output units may have it, too
    reach: tuple[float, float] = (-inf, inf)  # from where to where its values are
    is_probability: bool = False  # once they are moved to 0 to 1; then it takes cross entropy


class Loss(NamedTuple):
    """What is to know of a loss, beside its formula."""

    of_probabilities: bool = False


ACTIVATIONS = {
    "sigmoid": Unit(reach=(0.0, 1.0), is_probability=True),
    "tanh": Unit(reach=(-1.0, 1.0), is_probability=True),
    "relu": Unit(is_output=False, reach=(0.0, inf)),
    "identity": Unit(),
}
LOSSES = {"squared": Loss(), "cross_entropy": Loss(of_probabilities=True)}

OUTPUTS = {name: unit for name, unit in ACTIVATIONS.items() if unit.is_output}

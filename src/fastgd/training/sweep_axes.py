"""The axes of a sweep: their order, and the index of each run.

First come the axes that change the network or its compiled code; the runs of each combination of
their values are trained together. Then come the axes of the runs of one network: the subsets of the
samples and their weights, combinations, alpha, the other numeric options, and the seeds or initial
weights, which are the fastest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.declarations import STRUCTURES
from fastgd.arguments.options import Method

_OF_NETWORKS = ("hidden_size", *STRUCTURES)

PARTS = ("group", "fold", "sample_weight")
"""The axes of subsets of the samples, in order: see `fastgd.arguments.subsets.Partition`."""

COMBINATION = "combination"
"""Name of the axis of combinations, each of which is a dict of values."""

Axis = list[Any] | None
"""The values on an axis; None for an argument with only one value."""


@dataclass(frozen=True)
class SweepAxes:
    """The product of the values on the axes, in order; the last axis is the fastest."""

    axes: dict[str, list[Any]]

    @classmethod
    def of(cls, axes: Mapping[str, Axis]) -> "SweepAxes":
        """Put the axes in order; those of networks, and numeric options, are in order already."""
        named = sorted(axes.items(), key=lambda item: _rank(item[0]))
        return cls({name: axis for name, axis in named if axis is not None})

    @property
    def is_in_order(self) -> bool:
        """Whether the axes are in the order of :meth:`of`, and no option is on two of them."""
        ranks = list(map(_rank, self.axes))
        combinations = self.axes.get(COMBINATION, [{}])[0]
        return ranks == sorted(ranks) and not combinations.keys() & self.axes.keys()

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(map(len, self.axes.values()))

    @property
    def cut(self) -> int:
        """Number of axes that change the network; they come first."""
        return sum(name in _OF_NETWORKS for name in self.axes)

    @property
    def networks(self) -> int:
        """Number of networks, counting those with the same layers but other compiled code."""
        return prod(self.shape[: self.cut])

    @property
    def runs(self) -> int:
        """Number of runs of each network."""
        return prod(self.shape[self.cut :])

    def place(self, index: tuple[int, ...]) -> tuple[int, int]:
        """Return the index of a run's network, and the index of the run within the network."""
        cut = self.cut
        return _flat(index[:cut], self.shape[:cut]), _flat(index[cut:], self.shape[cut:])

    def network_index(self, number: int) -> tuple[int, ...]:
        """Return the index of a network on the axes that change the network."""
        lengths = self.shape[: self.cut]
        return tuple(map(int, np.unravel_index(number, lengths))) if lengths else ()

    def method_of(self, number: int, shared: Method) -> Method:
        """Return the options of a network: the shared ones, and those on its axes."""
        pairs = zip(self.axes.items(), self.network_index(number), strict=False)
        return shared.at({name: axis[i] for (name, axis), i in pairs if name in STRUCTURES})

    def values(self, index: tuple[int, ...]) -> dict[str, Any]:
        """Return a run's value on each axis; a combination is replaced by its own keys."""
        places = zip(self.axes.items(), index, strict=True)
        return told_apart({name: axis[i] for (name, axis), i in places})

    def join(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Join (runs, ...) arrays of the networks into one array with all axes in front."""
        together = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return together.reshape((*self.shape, *together.shape[1:]))


def _rank(name: str) -> int:
    order = ("a network", *PARTS, COMBINATION, "alpha", "a number", "seed", "weights")
    if name not in order:
        name = "a network" if name in _OF_NETWORKS else "a number"
    return order.index(name)


def told_apart(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the combination among the values by its own keys and values."""
    return {name: v for name, v in values.items() if name != COMBINATION} | dict(
        values.get(COMBINATION, {})
    )


def varied(axes: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The axes, with the axis of combinations replaced by one axis for each key."""
    combinations = axes.get(COMBINATION, [])
    found = {name: axis for name, axis in axes.items() if name != COMBINATION}
    return found | {
        name: [combination[name] for combination in combinations]
        for name in (combinations[0] if combinations else ())
    }


def _flat(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """The flat index, the last axis fastest; unlike NumPy's function, also without axes."""
    number = 0
    for i, count in zip(index, shape, strict=True):
        number = number * count + i
    return number

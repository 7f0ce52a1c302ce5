"""What is exported: trained networks with the preparation of their table, if there is one."""

from typing import NamedTuple

from fastgd.arguments.data import NetworkParts
from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import Target, width_of


class Exported(NamedTuple):
    """Networks of one architecture, whose outputs are averaged.

    With a ``preparation``, an exported network takes the columns of a table, one number each: a
    NumberColumn's value, the index of a TextColumn's category, -1 for an unknown category, NaN for
    a missing cell. Its outputs are decoded by the ``targets``: numbers in their units, or the
    probability of each class.
    """

    members: tuple[NetworkParts, ...]
    methods: tuple[Method, ...]
    """The options of each member, which may differ in the parameters of its functions."""
    preparation: Preparation | None = None
    targets: tuple[Target, ...] = ()

    @property
    def network(self) -> Network:
        """The architecture of all members."""
        return Network.of(self.members[0])

    @property
    def outputs(self) -> int:
        """Outputs that are averaged and decoded; a loss may have more for each target."""
        return sum(map(width_of, self.targets)) or self.network.sizes[-1]


class ExportError(ValueError):
    """A network can't be expressed in another language."""

"""Values in named fields that say what they may be: what optimizers and schedules are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform


class Hyperparameter(NamedTuple):
    """What a field is: the interval of its values, in words, and its default if it has one."""

    interval: str
    words: str
    default: float | None
    is_whole: bool


def hyperparameter(
    *, interval: str, words: str, default: float | None = None, is_whole: bool = False
) -> Any:
    """Declare such a field."""
    said = {"said": Hyperparameter(interval, words, default, is_whole)}
    return field(metadata=said) if default is None else field(default=default, metadata=said)


@dataclass_transform(frozen_default=True, field_specifiers=(hyperparameter,))
class Hyperparameters:
    """Values in named fields, which can't be changed.

    Two are equal if they are of one class and their fields are. The names of what a class says
    about its fields are those of a NamedTuple.
    """

    command: ClassVar[str]
    """The name on the command line."""

    hyperparameters: ClassVar[Mapping[str, Hyperparameter]]
    """The fields that are numbers, each of which may be an axis of a sweep."""

    _fields: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, *, command: str = "") -> None:
        """Make a class with fields, and write down its facts."""
        made: Any = dataclass(frozen=True, eq=False)(cls)
        cls.command = command
        cls._fields = tuple(known.name for known in fields(made))
        cls.hyperparameters = {
            known.name: known.metadata["said"] for known in fields(made) if known.metadata
        }

    def _asdict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._fields}

    def _replace(self, **values: Any) -> Self:
        return replace(self, **values)  # type: ignore[type-var]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, Hyperparameters):
            return NotImplemented
        return self._asdict() == other._asdict()

    def __hash__(self) -> int:
        return hash((type(self), *self._asdict().values()))

"""Base class of optimizers and schedules: immutable fields with the rules for their values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform


class Hyperparameter(NamedTuple):
    """What is declared of a field: the interval of its values, its help text, and its default."""

    interval: str
    words: str
    default: float | None
    is_whole: bool


def hyperparameter(
    *, interval: str, words: str, default: float | None = None, is_whole: bool = False
) -> Any:
    """Declare a field with the interval of its values and its help text, `words`."""
    metadata = {"declared": Hyperparameter(interval, words, default, is_whole)}
    if default is None:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass_transform(frozen_default=True, field_specifiers=(hyperparameter,))
class Hyperparameters:
    """Values in named fields, which can't be changed.

    Two are equal if they have the same class and equal fields. ``_fields``, ``_asdict`` and
    ``_replace`` are named as in a NamedTuple.
    """

    command: ClassVar[str]
    """The name on the command line."""

    hyperparameters: ClassVar[Mapping[str, Hyperparameter]]
    """The numeric fields, each of which may be an axis of a sweep."""

    _fields: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls, *, command: str = "") -> None:
        """Make the class a frozen dataclass, and store what is declared of its fields."""
        made: Any = dataclass(frozen=True, eq=False)(cls)
        cls.command = command
        cls._fields = tuple(known.name for known in fields(made))
        cls.hyperparameters = {
            known.name: known.metadata["declared"] for known in fields(made) if known.metadata
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

"""Base class of optimizers and schedules: immutable fields with the rules for their values."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from inspect import cleandoc
from textwrap import fill
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform, get_args


class Hyperparameter(NamedTuple):
    """What is declared of a field: Annotated[Any, kind, interval, words], and its default."""

    kind: type[float]  # int or float
    interval: str
    words: str
    default: float | None


@dataclass_transform(frozen_default=True)
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
        """Make the class a frozen dataclass; store and document what is declared of its fields."""
        made: Any = dataclass(frozen=True, eq=False)(cls)
        cls.command = command
        cls._fields = tuple(known.name for known in fields(made))
        cls.hyperparameters = {
            known.name: _declared(known) for known in fields(made) if get_args(known.type)
        }
        if cls.hyperparameters:
            cls.__doc__ = _with_parameters(cleandoc(made.__doc__), cls.hyperparameters)
        # Else the signature in help() would repeat all that the docstring says.
        made.__init__.__annotations__.update(dict.fromkeys(cls._fields, Any))

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


def _declared(field: Field[Any]) -> Hyperparameter:
    _, kind, interval, words = get_args(field.type)
    default = None if field.default is MISSING else field.default
    return Hyperparameter(kind, interval, words, default)


def _with_parameters(text: str, declared: Mapping[str, Hyperparameter]) -> str:
    """Return a docstring with a section about these fields before its notes."""
    summary, notes, rest = text.partition("Notes\n-----\n")
    section = ["Parameters\n----------"]
    for name, fact in declared.items():
        default = "" if fact.default is None else f", default {fact.default:g}"
        section.append(f"{name} : {fact.kind.__name__} in {fact.interval}{default}")
        section.append(fill(f"{fact.words}.", 96, initial_indent="    ", subsequent_indent="    "))
    return "\n".join([summary + section[0], *section[1:], "", notes + rest])

"""Types of options: how a value is checked, by itself or on an axis, and how it is documented.

In all methods ``name`` is the option's name in messages, and ``samples`` the number of samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from fastgd import schedules
from fastgd.checks.messages import called_here, did_you_mean, did_you_mean_choice, either, shown
from fastgd.checks.numbers import (
    LARGEST,
    check_choice,
    check_count,
    check_counts,
    check_flag,
    check_not_negative,
    check_number,
    check_sample_weight,
    check_shape,
    floats,
    integer,
    numbers_of,
    rule_of,
)
from fastgd.formulas.measures import QUANTITIES, Measure, name_of, stop_of
from fastgd.formulas.named import Formula, Schedule
from fastgd.optimizers import Hyperparameters, Optimizer

_EXACT = 2**53
"""The limit up to which a float64 represents every integer exactly."""


class OptionType(ABC):
    """Base class of the types of options."""

    words: ClassVar[str]
    """The type as a docstring states it, with fields of the type in braces."""

    hint: ClassVar[str]
    """The type as an annotation, in which a choice of names is ``str``."""

    @abstractmethod
    def check(self, name: str, value: object, samples: int) -> Any:
        """Return value in its checked form, or raise a TypeError or ValueError."""

    def check_axis(self, name: str, axis: Sequence[object], samples: int) -> list[Any]:
        """Return `check` of all values of an axis."""
        return [self.check(name, value, samples) for value in axis]

    def documented(self, default: object) -> str:
        """Return the type and the default as a docstring states them."""
        known = ", ".join(f'"{name}"' for name in getattr(self, "known", ()))
        words = self.words.format(**vars(self) | {"known": known})
        if default is None:
            return f"{words}, optional"
        quote = '"' if isinstance(default, str) else ""
        return f"{words}, default {quote}{default}{quote}"

    def annotated(self, *, is_axis: bool) -> str:
        """Return the type as an annotation; ``is_axis`` is whether an axis is taken, too."""
        one = self.hint.format(**vars(self))
        none = " | None" if getattr(self, "none", "") else ""
        return (f"{one} | Axis[{one}{none}]" if is_axis else one) + none


@dataclass(frozen=True)
class Number(OptionType):
    """A number in an interval."""

    words = hint = "float"

    interval: str

    def check(self, name: str, value: object, samples: int) -> float:
        """Return value as a float."""
        return check_number(name, value, rule_of(self.interval))

    def check_axis(self, name: str, axis: Sequence[object], samples: int) -> list[float]:
        """Return the checked values, vectorized if possible."""
        values = floats(axis)
        if values is None or not rule_of(self.interval).holds(values).all():
            return super().check_axis(name, axis, samples)
        result: list[float] = values.tolist()
        return result


@dataclass(frozen=True)
class Count(OptionType):
    """A whole number, or None if ``none`` is a word: how the command line calls it."""

    words = hint = "int"

    minimum: int = 1
    maximum: int = LARGEST
    none: str = ""
    most_is_samples: bool = False

    def check(self, name: str, value: object, samples: int) -> int | None:
        """Return it as an int."""
        most = samples if self.most_is_samples else self.maximum
        none = value is None and self.none
        return None if none else check_count(name, value, self.minimum, most)

    def check_axis(self, name: str, axis: Sequence[object], samples: int) -> list[int | None]:
        """Return the checked values, vectorized if possible."""
        if self.most_is_samples or any(value is None for value in axis):
            return super().check_axis(name, axis, samples)
        return [*check_counts(name, axis, self.minimum, self.maximum)]


@dataclass(frozen=True)
class Name(OptionType):
    """One of a few names."""

    words, hint = "{{{known}}}", "str"

    known: tuple[str, ...]

    def check(self, name: str, value: object, samples: int) -> str:
        """Return the name."""
        return check_choice(name, value, self.known)


@dataclass(frozen=True)
class Names(OptionType):
    """One of a few names, or a tuple with one per layer of weights."""

    words, hint = "{{{known}}} or tuple", "str | tuple[str, ...]"

    known: tuple[str, ...]

    def check(self, name: str, value: object, samples: int) -> str | tuple[str, ...]:
        """Return the name, or the tuple of names."""
        if not isinstance(value, tuple):
            return check_choice(name, value, self.known)
        return tuple(check_choice(f"{name}[{k}]", v, self.known) for k, v in enumerate(value))


@dataclass(frozen=True)
class NameOrFormula(OptionType):
    """One of a few names, or a custom Function or Loss."""

    words, hint = "{{{known}}} or {formula.__name__}", "str | {formula.__name__}"

    known: tuple[str | None, ...]
    formula: type[Formula]

    def check(self, name: str, value: object, samples: int) -> str | Formula | None:
        """Return the name, or the Function or Loss."""
        if isinstance(value, self.formula) or (value is None and None in self.known):
            return value
        if isinstance(value, str) and value in self.known:
            return str(value)
        made = f"fastgd.{self.formula.__name__}"
        rule = f"{name} must be {either([*map(repr, self.known), f'a {made}'])}, got {shown(value)}"
        write = f": write {made}(...)"
        if isinstance(value, str):
            is_expression = any(sign in value for sign in "(*/+")
            hint = did_you_mean_choice(str(value), list(map(str, self.known)))
            raise ValueError(rule + (write if is_expression else hint))
        raise TypeError(rule + (write if callable(value) else ""))


@dataclass(frozen=True)
class OwnFormula(NameOrFormula):
    """A custom Penalty, or None, which is the only one that is ``known``."""

    words = hint = "{formula.__name__}"
    none: ClassVar[str] = "none"


class Measures(OptionType):
    """Quantities to measure, by name or as a Measure; one, or several; or None."""

    words = "{{{known}}}, Measure, or list of these"
    hint = "str | Measure | Sequence[str | Measure]"
    known, none = tuple(QUANTITIES), "none"

    def check(self, name: str, value: object, samples: int) -> tuple[str | Measure, ...] | None:
        """Return them as a tuple."""
        if value is None:
            return None
        each: list[Any] = list(value) if isinstance(value, (list, tuple)) else [value]
        rule = f"{name} must be one or a list of {either([*map(repr, QUANTITIES), 'a Measure'])}"
        if not each:
            raise ValueError(f"{rule}, got {shown(value)}")
        for one in each:
            if isinstance(one, str) and one not in QUANTITIES:
                hint = did_you_mean_choice(one, self.known)
                raise ValueError(f"{rule}, got {shown(one)}{hint}")
            if not isinstance(one, (str, Measure)):
                raise TypeError(f"{rule}, got {shown(one)}")
        names = list(map(name_of, each))
        if len(set(names)) < len(names):
            raise ValueError(f"{name} must have each quantity once, got {shown(names)}")
        return tuple(each)


class Condition(OptionType):
    """A comparison of what is measured with a number, or None."""

    words = hint = "str"
    none = "none"

    def check(self, name: str, value: object, samples: int) -> str | None:
        """Return the text."""
        if value is None:
            return None
        found = stop_of(value) if isinstance(value, str) else None
        if found is None or found.limit != found.limit:
            wrong = ValueError if isinstance(value, str) else TypeError
            raise wrong(f"{name} must be {CONDITION}, got {shown(value)}")
        return cast(str, value)


CONDITION = "a text such as 'gradient_norm < 1e-6': what is measured, < or >, and a number"


class Flag(OptionType):
    """True or False."""

    words = hint = "bool"

    def check(self, name: str, value: object, samples: int) -> bool:
        """Return value as a bool."""
        return check_flag(name, value)


class SampleFactors(OptionType):
    """A number for each sample, or None."""

    words, hint = "(samples,) array_like", "ArrayLike | None"

    def check(self, name: str, value: object, samples: int) -> Any:
        """Return a copy of the numbers, (samples,), or None."""
        return check_sample_weight(value, samples)


@dataclass(frozen=True)
class Fielded(OptionType):
    """An instance of one of the classes of a public module, with fields that are checked."""

    words, hint = "one of `{module}`", "Optimizer"

    module: str
    classes: tuple[type[Hyperparameters], ...]
    formula: Any = None  # the class of one of one's own

    @property
    def by_command(self) -> dict[str, type[Hyperparameters]]:
        """The classes that the command line offers: those with numeric fields only."""
        return {
            kind.command: kind
            for kind in self.classes
            if kind._fields == tuple(kind.hyperparameters)
        }

    def check(self, name: str, value: object, samples: int) -> Hyperparameters:
        """Return the object with checked fields."""
        own = self.formula
        if isinstance(value, self.classes) or (own and isinstance(value, own)):
            checked = {field: self._field(value, field, samples) for field in value.hyperparameters}
            return value._replace(**checked)
        calls = list(map(_call, self.classes))
        word = (
            value.__name__ if isinstance(value, type) else value if isinstance(value, str) else ""
        )
        ours = called_here(word).removeprefix(f"{name}=")
        hint = f": did you mean {ours}?" if ours in calls else did_you_mean(word, calls)
        other = f" or a {own.__name__}" if own else ""
        is_formula = "lambda" in word or any(sign in word for sign in "*/+") or callable(value)
        if own and is_formula and not isinstance(value, type):
            hint = f": write fastgd.{own.__name__}(...)"
        raise TypeError(
            f"{name} must be {either(calls)}, from {self.module}{other}, got {shown(value)}{hint}"
        )

    def _field(self, holder: Hyperparameters, field: str, samples: int) -> Any:
        own = getattr(holder, field)
        if isinstance(own, Schedule) and isinstance(holder, Optimizer) and not holder.second_order:
            return own
        return field_kind(holder, field).check(field, own, samples)


class ScheduleKind(Fielded):
    """A schedule of `fastgd.schedules` or of one's own, or an array of factors."""

    words = "one of `{module}`, Schedule or (updates,) array_like"
    hint = "AnySchedule | ArrayLike"

    def __init__(self) -> None:
        super().__init__("fastgd.schedules", schedules.ALL, Schedule)

    def check(self, name: str, value: object, samples: int) -> Hyperparameters:
        """Return the schedule with checked fields; an array becomes `Factors`."""
        if isinstance(value, schedules.Factors):
            value = value.factors
        if not (isinstance(value, (list, tuple, range)) or hasattr(value, "__array__")):
            return super().check(name, value, samples)
        factors = numbers_of(name, value).copy()
        check_shape(name, factors, ("updates",), "one factor for each update")
        check_not_negative(name, factors)
        factors.setflags(write=False)
        return schedules.Factors(factors)


def field_kind(holder: Hyperparameters | type[Hyperparameters], field: str) -> Number | Count:
    """Return the type of a field of an optimizer or schedule."""
    fact = holder.hyperparameters[field]
    return Count(int(fact.interval[1]), _EXACT) if fact.kind is int else Number(fact.interval)


def _call(kind: type[Hyperparameters]) -> str:
    """Return how the class is called with what it needs: Adam(), Linear(steps)."""
    facts = kind.hyperparameters
    needed = (n for n in kind._fields if n not in facts or facts[n].default is None)
    return f"{kind.__name__}({', '.join(needed)})"


class Slot(NamedTuple):
    """A number that the kernel receives for an option, for each run."""

    name: str
    is_whole: bool = False  # a whole number, or infinity


class AllBut(NamedTuple):
    """With what an option must have its default, and the reason, as the message states it."""

    first_order: str = ""  # an optimizer whose step follows from the gradient
    second_order: str = ""  # LevenbergMarquardt
    bayesian: str = ""  # its regularization
    gradients: str = ""  # derivatives of the targets, which are learned, too


EVERYTHING = AllBut()
_UNSAID: Any = None


class Option(NamedTuple):
    """The declaration of an option.

    An option with ``slots`` is passed to the compiled code as numbers, one with ``masks`` as a
    number for each parameter, and may be an axis of a sweep. So may an option with ``structure``;
    the code is compiled separately for each value.
    """

    default: Any
    kind: OptionType
    doc: str
    help: str = ""
    panel: str = ""  # heading in the command's help; options without one are for Python only
    applies_to: AllBut = _UNSAID  # every option must say it
    structure: bool = False
    feature: str = ""  # the part of the kernel that the option needs unless it has its default
    slots: tuple[Slot, ...] = ()
    masks: bool = False
    detail: bool = False  # refines a feature that other options turn on
    lasting: bool = False  # a resumed run can't change it: networks or records depend on it

    @property
    def is_axis(self) -> bool:
        """Whether the option may be an axis of a sweep."""
        return self.structure or bool(self.slots) or self.masks


# ---------------------------------------------------- frozen parameters: layers or single weights

Mask = bool | NDArray[np.bool_]
"""Whether all of a layer is frozen, or which of its weights, (inputs, outputs)."""

Frozen = tuple[int, ...] | tuple[Mask, ...]
"""Layer numbers, or a mask for each layer."""

_FREEZE_RULE = (
    "freeze must be a tuple of layer numbers from 0, or a list with one entry per layer of "
    "weights: None, True or an (inputs, outputs) array of True and False"
)


class Layers(OptionType):
    """Layer numbers, or a mask for each layer, or None."""

    words, hint = "tuple of int, or list of masks", "int | Sequence[ArrayLike | None] | None"

    def annotated(self, *, is_axis: bool) -> str:
        """Return the annotation; that of a list of such values would be longer than a line."""
        return "int | Sequence[Any] | None" if is_axis else self.hint

    def check(self, name: str, value: object, samples: int) -> Frozen | None:
        """Return the layer numbers in ascending order, or copies of the masks."""
        if value is None:
            return None
        if integer(value) is not None:
            value = (value,)
        if not isinstance(value, (list, tuple)) or not value:
            raise TypeError(f"{_FREEZE_RULE}, got {shown(value)}")
        if all(integer(part) is not None for part in value):
            numbers = [check_count("a layer in freeze", part, minimum=0) for part in value]
            return tuple(sorted(set(numbers)))
        return tuple(_layer_mask(part) for part in value)


def _layer_mask(value: object) -> Mask:
    if value is None or isinstance(value, (bool, np.bool_)):
        return bool(value)
    try:
        array = np.asarray(value)
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{_FREEZE_RULE}, got {shown(value)}") from error
    if array.dtype != np.bool_ or array.ndim != 2:
        raise TypeError(f"{_FREEZE_RULE}, got {shown(value)}")
    return np.array(array)


def has_numbers(frozen: Frozen) -> TypeGuard[tuple[int, ...]]:
    """Return whether these are layer numbers, not masks."""
    return isinstance(frozen[0], int) and not isinstance(frozen[0], bool)


def mask_of(frozen: Frozen | None, k: int) -> Mask:
    """Return the mask of layer k."""
    if frozen is None:
        return False
    return k in frozen if has_numbers(frozen) else cast(Mask, frozen[k])


def check_frozen(frozen: Frozen, sizes: Sequence[int], *, bias: bool, batch_norm: bool) -> None:
    """Reject what doesn't fit a network of these sizes, or leaves nothing to train."""
    layers = len(sizes) - 1
    if has_numbers(frozen) and frozen[-1] >= layers:
        raise ValueError(
            f"freeze must have layer numbers below {layers}, the layers of weights, "
            f"got {shown(frozen)}"
        )
    if not has_numbers(frozen) and len(frozen) != layers:
        raise ValueError(
            f"freeze must have one mask per layer of weights ({layers}), got {len(frozen)}"
        )
    learns = False
    for k, shape in enumerate(pairwise(sizes)):
        mask = mask_of(frozen, k)
        if not isinstance(mask, np.ndarray):
            learns |= not mask
            continue
        if mask.shape != shape:
            raise ValueError(
                f"freeze[{k}] must have the shape of the layer's weights, {shape}, got {mask.shape}"
            )
        # A mask is of the weights alone; hidden layers have a scale and shift, too.
        learns |= bool(bias or (batch_norm and k < layers - 1) or not mask.all())
    if not learns:
        raise ValueError(f"freeze must leave something to learn, got {shown(frozen)}")

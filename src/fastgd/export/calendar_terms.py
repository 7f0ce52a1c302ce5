"""The kernel's calendar in another language: each of its operations is emitted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fastgd.kernel.predictor import calendar

Emit = Callable[[str, str, "str | int"], str]
"""Emits an operation, + - * or // (a quotient rounded down), and returns the name of its result."""


@dataclass(frozen=True)
class Term:
    """A number of the other language by its name; an operation on it emits code."""

    name: str
    emit: Emit

    def _with(self, sign: str, other: Any) -> "Term":
        return Term(self.emit(sign, self.name, getattr(other, "name", other)), self.emit)

    def __add__(self, other: Any) -> "Term":
        return self._with("+", other)

    def __sub__(self, other: Any) -> "Term":
        return self._with("-", other)

    def __mul__(self, other: Any) -> "Term":
        return self._with("*", other)

    def __floordiv__(self, other: Any) -> "Term":
        return self._with("//", other)


def fields_of(moment: Term, day: Term) -> Iterator[Term]:
    """The fields of a date, in the order of :data:`fastgd.formulas.calendar.FIELDS` from 1 on."""
    yield from calendar.py_func(day)
    yield day + 3 - (day + 3) // 7 * 7
    yield (moment - day) * 24 // 1

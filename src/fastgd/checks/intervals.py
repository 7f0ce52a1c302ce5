"""Intervals of numbers: the rule in words for messages, and a test for one number or an array."""

from collections.abc import Callable
from functools import cache
from math import inf
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """The condition on a number: in words, and as a test for one number or an array of them."""

    words: str
    holds: Callable[[Any], Any]
    kind: str = "a number"


@cache
def rule_of(interval: str) -> Rule:
    """Return the rule for an interval in mathematical notation: "[0, 1)", "(0, inf]".

    Examples
    --------
    >>> from fastgd.checks.intervals import rule_of
    >>> for interval in ("[0, 1)", "(0, inf)", "(0, inf]", "(-inf, inf)", "[1, 9]"):
    ...     print(rule_of(interval).words)
    a number of at least 0 and below 1
    a finite number above 0
    a number above 0, or infinity
    a finite number
    a number from 1 to 9
    """
    low, high = (float(end) for end in interval[1:-1].split(", "))
    with_low, with_high = interval[0] == "[", interval[-1] == "]"

    def holds(value: Any) -> Any:
        above = value >= low if with_low else value > low
        return above & (value <= high if with_high else value < high)

    if with_low and with_high:
        return Rule(f"a number from {low:g} to {high:g}", holds)
    to_infinity = high == inf and with_high
    words = ["a number" if to_infinity or inf not in (-low, high) else "a finite number"]
    if low > -inf:
        words.append(f"{'of at least' if with_low else 'above'} {low:g}")
    if high < inf:
        words.append(
            f"{'and ' if low > -inf else ''}{'at most' if with_high else 'below'} {high:g}"
        )
    return Rule(" ".join(words) + (", or infinity" if to_infinity else ""), holds)


FINITE = rule_of("(-inf, inf)")
ABOVE_ZERO = rule_of("(0, inf)")
NOT_NEGATIVE = rule_of("[0, inf)")

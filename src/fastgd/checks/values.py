"""Checks of counts, flags, numbers in intervals and names; also of all values of an axis."""

import math
import numbers
import operator
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import did_you_mean_choice, either, shown

#: The largest count: twice this number still fits into an int64.
LARGEST = 2**62

#: The largest seed of `numpy.random.RandomState`.
LAST_SEED = 2**32 - 1

#: Names of devices; "cuda:0" is the first GPU.
_DEVICES = ("cpu", "cuda", "auto")

#: Names of devices of other vendors, in other libraries.
_OTHER_DEVICES = ("amd", "hip", "metal", "mps", "opencl", "rocm", "sycl", "tpu", "vulkan", "xpu")

#: Types that are not accepted as numbers: bool, and timedelta64, an integer type for NumPy.
_NO_NUMBERS = (bool, np.bool_, np.timedelta64)


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
    >>> from fastgd.checks.numbers import rule_of
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
    to_infinity = high == math.inf and with_high
    words = ["a number" if to_infinity or math.inf not in (-low, high) else "a finite number"]
    if low > -math.inf:
        words.append(f"{'of at least' if with_low else 'above'} {low:g}")
    if high < math.inf:
        words.append(
            f"{'and ' if low > -math.inf else ''}{'at most' if with_high else 'below'} {high:g}"
        )
    return Rule(" ".join(words) + (", or infinity" if to_infinity else ""), holds)


FINITE = rule_of("(-inf, inf)")
ABOVE_ZERO = rule_of("(0, inf)")
NOT_NEGATIVE = rule_of("[0, inf)")


def check_number(name: str, value: object, rule: Rule) -> float:
    """Return value as a float, or raise if the rule does not hold for it."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be {rule.kind}, got {shown(value)}")
    try:
        number = float(value) if isinstance(value, (int, float)) else _as_float(value)
    except OverflowError:
        number = -math.inf if value < 0 else math.inf
    if not rule.holds(number):
        raise ValueError(f"{name} must be {rule.words}, got {shown(value)}")
    return number


def _as_float(value: numbers.Real) -> float:
    """Convert any other kind of number, without NumPy's overflow warnings (this takes 1 us)."""
    with np.errstate(all="ignore"):
        return float(value)


def check_numbers(name: str, axis: Sequence[object], rule: Rule) -> list[float]:
    """Return `check_number` of all values of an axis, vectorized if possible."""
    values = floats(axis)
    if values is None:
        return [check_number(name, value, rule) for value in axis]
    holds = rule.holds(values)
    if not holds.all():
        check_number(name, axis[int(holds.argmin())], rule)
    result: list[float] = values.tolist()
    return result


def check_ends(name: str, value: object) -> tuple[float, float]:
    """Return the ends of a finite interval, which must be given in ascending order."""
    several = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim)
    ends = list(cast(Sequence[object], value)) if several else []
    if len(ends) != 2:
        raise TypeError(f"{name} must be two numbers, the smaller one first, got {shown(value)}")
    low, high = (check_number(f"{name}[{k}]", end, FINITE) for k, end in enumerate(ends))
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(f"{name} must have the smaller number first, got ({low:g}, {high:g})")
    return low, high


def floats(axis: Sequence[object]) -> NDArray[np.float64] | None:
    """Return the values as an array; None if any of them is not a real number."""
    kinds = set(map(type, axis))
    if not all(issubclass(k, numbers.Real) and not issubclass(k, _NO_NUMBERS) for k in kinds):
        return None
    try:
        with np.errstate(all="ignore"):
            return np.array(axis, dtype=np.float64)
    except OverflowError:  # 10**400
        return None


def check_count(name: str, value: object, minimum: int = 1, maximum: int = LARGEST) -> int:
    """Return value as an int from minimum to maximum.

    True is not accepted as a count, and neither is 3.0: a large count that has been a float has
    lost its last digits.
    """
    count = integer(value)
    if count is None:
        raise TypeError(f"{name} must be an int, got {shown(value)}")
    if count < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {shown(value)}")
    if count > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {shown(value)}")
    return count


def check_counts(
    name: str, axis: Sequence[object], minimum: int = 1, maximum: int = LARGEST
) -> list[int]:
    """Return `check_count` of all values of an axis, fast if all are ints."""
    if set(map(type, axis)) == {int}:
        counts = cast(Sequence[int], axis)
        if minimum <= min(counts) and max(counts) <= maximum:
            return counts if isinstance(counts, list) else list(counts)
    return [check_count(name, value, minimum, maximum) for value in axis]


def check_seed(value: object, name: str = "seed") -> int:
    """Return value as a seed of `numpy.random.RandomState`: an int in [0, 2**32)."""
    return check_count(name, value, minimum=0, maximum=LAST_SEED)


def check_seeds(axis: Sequence[object]) -> list[int]:
    """Return `check_seed` of all values of an axis, fast if all are ints."""
    return check_counts("seed", axis, minimum=0, maximum=LAST_SEED)


def check_threads(value: object, available: int) -> int:
    """Return the number of threads to use, from 1 to `available`; None means all of them."""
    return available if value is None else check_count("threads", value, maximum=available)


def check_device(value: object, name: str = "device") -> str:
    """Return value if it is the name of a device, whether or not there is one.

    Examples
    --------
    >>> check_device("cuda:1")
    'cuda:1'
    >>> check_device("gpu:1")
    Traceback (most recent call last):
    ...
    ValueError: device must be 'cpu', 'cuda', 'cuda:0' (or another number) or 'auto', \
got 'gpu:1': did you mean 'cuda'?
    """
    text = str(value) if isinstance(value, str) else ""
    if text in _DEVICES or re.fullmatch("cuda:(0|[1-9][0-9]{0,8})", text):
        return text
    rule = (
        f"{name} must be 'cpu', 'cuda', 'cuda:0' (or another number) or 'auto', got {shown(value)}"
    )
    if not isinstance(value, str):
        raise TypeError(rule)
    kind = text.partition(":")[0]
    if kind.lower() in _OTHER_DEVICES:
        raise ValueError(f"{rule}: all GPUs but NVIDIA's are unknown here")
    raise ValueError(rule + ("" if kind in _DEVICES else did_you_mean_choice(kind, _DEVICES)))


def check_choice(name: str, value: object, known: Sequence[str]) -> str:
    """Return value if it is one of the known names."""
    if isinstance(value, str) and value in known:
        return str(value)
    rule = f"{name} must be {either(map(repr, known))}, got {shown(value)}"
    if not isinstance(value, str):
        raise TypeError(rule)
    raise ValueError(rule + did_you_mean_choice(str(value), known))


def check_result(name: str, value: object, *kinds: type) -> None:
    """Raise a TypeError unless value is a result of one of these classes."""
    if not isinstance(value, kinds):
        rule = either(f"a {kind.__name__}" for kind in kinds)
        raise TypeError(f"{name} must be {rule}, got {shown(value)}")


def check_path(name: str, value: object) -> Path:
    """Return value as the path of a file or folder, which need not exist."""
    rule = f"{name} must be a str or a path, got {shown(value)}"
    try:
        text = os.fspath(value)  # type: ignore[call-overload]
    except Exception as error:  # an object's own __fspath__ may raise anything
        raise TypeError(rule) from error
    if not isinstance(text, str):
        raise TypeError(rule)
    if not text or "\0" in text:
        raise ValueError(f"{name} must not be empty or contain a zero byte, got {shown(value)}")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:  # a lone surrogate
        raise ValueError(f"{name} must be a valid file name, got {shown(value)}") from error
    return Path(text)


def each_of(value: Any, rule: str) -> Iterator[Any]:
    """Yield the items of value; if iterating fails, raise a TypeError with the rule.

    The value's own ``__iter__`` may raise anything. Items are taken one by one, since there may be
    infinitely many.
    """
    try:
        yield from value
    except Exception as error:
        raise TypeError(f"{rule}, got {shown(value)}") from error


def check_flag(name: str, value: object) -> bool:
    """Return value, a bool of Python or NumPy, as a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def integer(value: object) -> int | None:
    """Return value as an int, or None if it is not an integer."""
    if isinstance(value, _NO_NUMBERS):
        return None
    try:
        return operator.index(cast(SupportsIndex, value))
    except Exception:  # an object's own __index__ may raise anything
        return None

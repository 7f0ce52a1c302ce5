"""Checks of numbers: one, all values of an axis, an array, bytes of memory; of names and paths.

Arrays leave in the only form that compiled code should meet: see `reals_of`.
"""

import math
import numbers
import operator
import os
import sys
from collections.abc import Callable, Iterator, Sequence, Sized
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, SupportsIndex, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.frames import array_in, cell_at
from fastgd.checks.messages import did_you_mean_choice, either, shown

FloatArray = NDArray[np.float64]

#: The largest count: twice this number still fits into an int64.
LARGEST = 2**62

#: The largest seed of `numpy.random.RandomState`.
LAST_SEED = 2**32 - 1

#: What a seed is given as: see `check_seed`.
Seed = int | np.random.Generator | np.random.SeedSequence

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
        if isinstance(value, (int, float)):
            number = float(value)
        else:
            with np.errstate(all="ignore"):  # NumPy would warn of an overflow (this takes 1 us)
                number = float(value)
    except OverflowError:
        number = -math.inf if value < 0 else math.inf
    if not rule.holds(number):
        raise ValueError(f"{name} must be {rule.words}, got {shown(value)}")
    return number


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


def integer(value: object) -> int | None:
    """Return value as an int, or None if it is not an integer."""
    if isinstance(value, _NO_NUMBERS):
        return None
    try:
        return operator.index(cast(SupportsIndex, value))
    except Exception:  # an object's own __index__ may raise anything
        return None


def length(value: Sized) -> int:
    """Return the length, or sys.maxsize if it is larger than that."""
    try:
        return len(value)
    except OverflowError:  # range(10**30)
        return sys.maxsize


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
    """Return value as a seed of `numpy.random.RandomState`: an int in [0, 2**32).

    A Generator draws it and advances; of a SeedSequence it is the first word of its state.
    """
    if isinstance(value, np.random.Generator):
        value = value.integers(LAST_SEED + 1)
    elif isinstance(value, np.random.SeedSequence):
        value = value.generate_state(1)[0]
    return check_count(name, value, minimum=0, maximum=LAST_SEED)


def check_seeds(axis: Sequence[object]) -> list[int]:
    """Return `check_seed` of all values of an axis, fast if all are ints."""
    are_ints = set(map(type, axis)) == {int}
    return check_counts("seed", axis, 0, LAST_SEED) if are_ints else [*map(check_seed, axis)]


def check_threads(value: object, available: int) -> int:
    """Return the number of threads to use, from 1 to `available`; None means all of them."""
    return available if value is None else check_count("threads", value, maximum=available)


# ---------------------------------------------------- arrays


def array_of(name: str, value: object, *, of_numbers: bool = False) -> NDArray[np.generic]:
    """Return value as a NumPy array; raise if that would lose information.

    With ``of_numbers`` a column's decimals and objects become numbers.
    """
    if hasattr(value, "nnz") and hasattr(value, "toarray"):
        raise TypeError(
            f"{name} must be dense, got a sparse {type(value).__name__}: use {name}.toarray()"
        )
    for part in value if isinstance(value, (list, tuple)) else (value,):
        # NumPy can't tell for structured arrays (kind V), which aren't numbers anyway.
        is_masked = isinstance(part, np.ma.MaskedArray) and part.dtype.kind != "V"
        if is_masked and np.ma.is_masked(part):
            raise ValueError(f"{name} must have no masked values, got {shown(value)}")
    if isinstance(value, range):
        # NumPy would first make Python ints, six times as large.
        is_large = any(abs(number) >= 2**63 for number in (value.start, value.stop, value.step))
        check_memory((48 if is_large else 8) * length(value), name)
        if not is_large:
            numbers = np.arange(len(value), dtype=np.int64)
            numbers *= value.step
            numbers += value.start
            return numbers
    if (found := array_in(name, value, of_numbers=of_numbers)) is not None:
        return found
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must be numbers in rows of equal length, got {shown(value)}"
        ) from error
    except MemoryError as error:
        raise ValueError(f"{name} must fit into memory, got {shown(value)}") from error
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{name} must be an array of numbers, got {shown(value)}") from error


def numbers_of(name: str, value: object) -> FloatArray:
    """Return value as :func:`reals_of` does; all numbers must be finite."""
    array = reals_of(name, value)
    finite = np.isfinite(array)
    if not finite.all():
        place = int(finite.argmin())
        came = cell_at(value, array, place) or value_at(array, place)
        raise ValueError(f"{name} must be finite, got {came}")
    return array


def reals_of(name: str, value: object) -> FloatArray:
    """Return value as an array of numbers of any shape, not empty; they need not be finite.

    It has the only type that compiled code should meet: C-contiguous, aligned, writeable float64.
    Data frames give read-only views, and structured arrays unaligned ones.
    """
    is_plain = type(value) is np.ndarray
    array = cast(FloatArray, value) if is_plain else array_of(name, value, of_numbers=True)
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must hold real numbers, got {shown(value)} (dtype {array.dtype.name})"
        )
    # Of a copy, if the numbers have another type, and of a boolean array for isfinite.
    check_memory((9 if array.dtype != np.float64 else 1) * array.size, name)
    with np.errstate(all="ignore"):
        return np.require(array, dtype=np.float64, requirements=["C", "A", "W"])


def check_shape(
    name: str, array: NDArray[Any], shape: tuple[int | str, ...], what: str = "", hint: str = ""
) -> None:
    """Raise a ValueError unless the array has this shape, in which a word stands for any size.

    ``what`` explains the shape; the hint is the end of the message.
    """
    pairs = zip(shape, array.shape, strict=False)
    if array.ndim != len(shape) or any(type(n) is not str and n != size for n, size in pairs):
        wanted = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
        rule = f"{name} must have shape ({wanted})" + (f", {what}" if what else "")
        raise ValueError(f"{rule}, got shape {array.shape}{hint}")


def value_at(array: NDArray[Any], place: SupportsIndex, form: str = "") -> str:
    """Return the number at a place of the flat array, with its indices: "-1.0 at [0, 2]"."""
    at = [int(i) for i in np.unravel_index(int(place), array.shape)]
    return f"{array[tuple(at)]:{form}} at {at}"


def check_vector(name: str, value: object, count: int) -> FloatArray:
    """Return value as (count,) float64 numbers, which need not be finite."""
    if type(value) is np.ndarray and value.dtype == np.float64 and value.shape == (count,):
        return value
    array = array_of(name, value)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must hold real numbers, got {shown(value)} (dtype {array.dtype.name})"
        )
    check_shape(name, array, (count,), "one number for each parameter")
    return array.astype(np.float64)


def check_sample_weight(
    value: object, samples: int, name: str = "sample_weight", of: str = "X"
) -> FloatArray | None:
    """Return a copy of the sample weights, (samples,), or None for None."""
    if value is None:
        return None
    weights = numbers_of(name, value).copy()
    check_shape(name, weights, (samples,), f"one for each sample of {of}")
    check_not_negative(name, weights)
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 0 < total < np.inf:
        raise ValueError(f"{name} must have a finite sum above 0, got a sum of {total}")
    return weights


def check_not_negative(name: str, array: FloatArray) -> None:
    """Raise a ValueError if any number is below 0."""
    if array.min() < 0:
        raise ValueError(f"{name} must be at least 0, got {value_at(array, array.argmin())}")


# ---------------------------------------------------- names, paths and flags


Word = TypeVar("Word", bound=str)


def check_choice(name: str, value: object, known: Sequence[Word]) -> Word:
    """Return value if it is one of the known names."""
    if isinstance(value, str) and value in known:
        return known[known.index(value)]
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


# ---------------------------------------------------- available memory


#: Needs of up to this many bytes are not checked: asking the system takes 0.2 ms.
ALWAYS_FITS = 16 * 1024**2

#: Called for memory that is held for later, where it is needed now.
SPARE: list[Callable[[], None]] = []

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_CGROUP = Path("/proc/self/cgroup")
_CGROUP_ROOT = Path("/sys/fs/cgroup")


class TooLargeError(ValueError):
    """More memory is needed than is available; ``ways`` are suggestions for needing less."""

    def __init__(self, rule: str, ways: Sequence[str] = ()) -> None:
        super().__init__(f"{rule}: {'; '.join(ways)}" if ways else rule)
        self.rule, self.ways = rule, tuple(ways)


def check_memory(
    needed: int, what: str, less: tuple[str, int] | None = None, also: str = ""
) -> None:
    """Raise TooLargeError, with both figures, if more bytes are needed than are available.

    ``less`` is an alternative that needs less, and how many bytes it needs; ``also`` names further
    alternatives.
    """
    if needed <= ALWAYS_FITS:
        return
    available = available_memory()
    for free in SPARE if needed > available else ():
        free()
        available = available_memory()
    if needed > available:
        ways = [f"{less[0]} needs {_readable(less[1])}"] if less else []
        ways += [f"{also} need less"] if also else []
        raise TooLargeError(
            f"{what} must fit into the available memory ({_readable(available)}), "
            f"got a need of {_readable(needed)}",
            ways,
        )


def available_memory() -> int:
    """Return how many bytes are free, or how many the limits of the process leave, if fewer.

    The limits are those of Linux control groups, and of the address space (``ulimit -v``). Outside
    Linux the result is the total memory of the machine. On Windows the standard library offers no
    way to find out, so there is no limit: NumPy's own MemoryError remains.
    """
    return min([_free_memory(), *_cgroup_limits(), *_address_space()])


def _free_memory() -> int:
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return sys.maxsize


def _cgroup_limits() -> Iterator[int]:
    """Yield the memory limits of the process's control group and of its parents (v2 and v1)."""
    try:
        groups = [line.split(":", 2) for line in _CGROUP.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in groups:
        if controllers == "":
            root, file = _CGROUP_ROOT, "memory.max"
        elif "memory" in controllers.split(","):
            root, file = _CGROUP_ROOT / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the group's own folder may be missing, but the root has the limit.
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                try:
                    yield int((folder / file).read_text())
                except (OSError, ValueError):  # no such file, or the limit is "max"
                    continue


def _address_space() -> Iterator[int]:
    """Yield the bytes left in the process's address space, if it is limited."""
    try:
        import resource  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(_STATM.read_text().split()[0])
            yield max(0, limit - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return


def _readable(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} PB"

"""How far the elementary functions are from the exact values, in units in the last place.

    python tests/accuracy.py [--points N] [FUNCTION ...]

draws that many points for each function, a million unless told: over the whole range, and dense
where a function is hard. The exact values are mpmath's. docs/numbers.md has the largest errors.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from mpmath import libmp

from fastgd.engine.formula_values import evaluate

BITS = 120
LARGEST = 2.0


class Subject(NamedTuple):
    """A function: its exact value, and what draws points."""

    exact: Callable[..., tuple]  # of numbers of mpmath's
    points: Callable[[np.random.Generator, int], Iterator[np.ndarray]]
    second: Callable[[np.random.Generator, np.ndarray], np.ndarray] | None = None


def _enough(x: tuple) -> int:
    """Bits that leave BITS of 1 + x - 1."""
    _, _, exponent, size = x
    return BITS + max(0, -exponent - size)


def _expm1(x: tuple) -> tuple:
    return libmp.mpf_sub(libmp.mpf_exp(x, _enough(x)), libmp.fone, BITS)


def _log1p(x: tuple) -> tuple:
    return libmp.mpf_log(libmp.mpf_add(libmp.fone, x), BITS)


def _sigmoid(x: tuple) -> tuple:
    power = libmp.mpf_exp(libmp.mpf_neg(x), BITS)
    return libmp.mpf_rdiv_int(1, libmp.mpf_add(libmp.fone, power, BITS), BITS)


def _by(base: int) -> Callable[..., tuple]:
    """The logarithm to a base."""
    below = libmp.mpf_log(libmp.from_int(base), BITS + 20)
    return lambda x: libmp.mpf_div(libmp.mpf_log(x, BITS + 20), below, BITS)


def _of(function: Callable[..., tuple]) -> Callable[..., tuple]:
    return lambda *numbers: function(*numbers, BITS)


# ---------------------------------------------------------------- points


def _sizes(random: np.random.Generator, count: int, low: float, high: float) -> np.ndarray:
    """Powers of ten from low to high, of both signs."""
    return random.choice([-1.0, 1.0], count) * 10.0 ** random.uniform(low, high, count)


def _beside(places: np.ndarray, random: np.random.Generator, count: int) -> np.ndarray:
    """Some of these places, or one of the next doubles."""
    chosen = random.choice(places, count)
    for _ in range(3):
        chosen = np.where(
            random.random(count) < 0.5,
            np.nextafter(chosen, random.choice([-np.inf, np.inf])),
            chosen,
        )
    return chosen


HALVES = np.arange(-2160, 2049) * (np.log(2) / 2)  # where the power of two changes
QUARTERS = np.concatenate(
    [
        np.arange(1, 4000) * (np.pi / 4),
        np.round(2.0 ** np.linspace(0, 60, 4000)) * (np.pi / 2),
        2.0**27 * (1 + np.arange(-20, 20) * 2.0**-26),  # where the reduction is another
        [6381956970095103.0 * 2.0**797],  # of all doubles the nearest to a multiple of pi / 2
    ]
)


def _exponents(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 5
    yield random.uniform(-745.1, 709.78, part)
    yield random.uniform(-745.1, -708, part)
    yield random.normal(0, 1, part)
    yield _sizes(random, part, -320, 1)
    yield np.clip(_beside(HALVES, random, count - 4 * part), -745.1, 709.78)


def _logarithms(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 5
    yield 10.0 ** random.uniform(-323, 308, part)
    yield random.uniform(0.3, 3, part)
    yield 1 + _sizes(random, part, -16, -0.5)
    yield random.choice([0.5, 1.0, 2.0, 4.0], part) * 0.5**0.5 * (1 + _sizes(random, part, -16, -5))
    yield 10.0 ** random.uniform(-323, -300, count - 4 * part)


def _logarithms_of_more(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 5
    yield _sizes(random, part, -320, -0.01)
    yield 10.0 ** random.uniform(-2, 308, part)
    yield random.uniform(-0.5, 1.5, part)
    yield -1 + 10.0 ** random.uniform(-16, -1, part)
    yield _beside(np.array([0.5**0.5 - 1, 2**0.5 - 1, 1.0, -0.5]), random, count - 4 * part)


def _differences(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 4
    yield random.uniform(-60, 709.78, part)
    yield random.normal(0, 0.5, part)
    yield _sizes(random, part, -320, 0)
    yield np.clip(_beside(HALVES, random, count - 3 * part), -60, 709.78)


def _saturating(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 5
    yield random.uniform(-745, 40, part)
    yield random.normal(0, 1, part)
    yield random.uniform(-25, 25, part)
    yield _sizes(random, part, -320, 1)
    yield np.clip(_beside(HALVES / 2, random, count - 4 * part), -40, 40)


def _angles(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 6
    yield random.uniform(-7, 7, part)
    yield random.uniform(-1e6, 1e6, part)
    yield _sizes(random, part, -320, 8)
    yield _sizes(random, part, 8, 308.25)
    yield _beside(QUARTERS, random, part)
    yield random.uniform(-(2.0**29), 2.0**29, count - 5 * part)


def _sines(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 4
    yield random.uniform(-1, 1, part)
    yield _sizes(random, part, -320, 0)
    yield random.choice([-1.0, 1.0], part) * (1 - 10.0 ** random.uniform(-16, 0, part))
    yield random.choice([-1.0, 1.0], count - 3 * part) * random.uniform(
        0.49, 0.51, count - 3 * part
    )


def _tangents(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 4
    yield random.uniform(-5, 5, part)
    yield _sizes(random, part, -320, 308.25)
    yield random.uniform(0.4, 0.5, part)
    yield random.uniform(0.9, 2.5, count - 3 * part)


def _hyperbolas(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 4
    yield random.uniform(-710.47, 710.47, part)
    yield random.normal(0, 1, part)
    yield _sizes(random, part, -320, 1)
    yield np.clip(_beside(HALVES, random, count - 3 * part), -710.47, 710.47)


def _bases(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    part = count // 4
    yield 10.0 ** random.uniform(-323, 308, part)
    yield random.uniform(0.2, 5, part)
    yield 1 + _sizes(random, part, -15, -1)
    yield random.integers(2, 50, count - 3 * part).astype(float)


def _powers(random: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Exponents whose powers are in range, some of them whole or a half more."""
    with np.errstate(all="ignore"):
        y = random.uniform(-745, 709.7, len(x)) / np.log(x)
    y = np.where(np.isfinite(y), y, 1.5)
    rounded = np.trunc(2 * y) / 2
    return np.where((random.random(len(x)) < 0.3) & (rounded != 0), rounded, y)


def _stretched(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    yield _sizes(random, count // 2, -320, 308.25)
    yield random.normal(0, 2, count - count // 2)


def _above_one(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    yield 1 + 10.0 ** random.uniform(-16, 1, count // 2)
    yield 10.0 ** random.uniform(0, 308.25, count - count // 2)


SUBJECTS = {
    "exp": Subject(_of(libmp.mpf_exp), _exponents),
    "expm1": Subject(_expm1, _differences),
    "log": Subject(_of(libmp.mpf_log), _logarithms),
    "log1p": Subject(_log1p, _logarithms_of_more),
    "sigmoid": Subject(_sigmoid, _saturating),
    "tanh": Subject(_of(libmp.mpf_tanh), _saturating),
    "sin": Subject(_of(libmp.mpf_sin), _angles),
    "cos": Subject(_of(libmp.mpf_cos), _angles),
    "tan": Subject(_of(libmp.mpf_tan), _angles),
    "asin": Subject(_of(libmp.mpf_asin), _sines),
    "acos": Subject(_of(libmp.mpf_acos), _sines),
    "atan": Subject(_of(libmp.mpf_atan), _tangents),
    "sinh": Subject(_of(libmp.mpf_sinh), _hyperbolas),
    "cosh": Subject(_of(libmp.mpf_cosh), _hyperbolas),
    "asinh": Subject(_of(libmp.mpf_asinh), _stretched),
    "acosh": Subject(_of(libmp.mpf_acosh), _above_one),
    "atanh": Subject(_of(libmp.mpf_atanh), _sines),
    "log2": Subject(_by(2), _logarithms),
    "log10": Subject(_by(10), _logarithms),
    "erf": Subject(_of(libmp.mpf_erf), _stretched),
    "pow": Subject(_of(libmp.mpf_pow), _bases, _powers),
}


def worst(name: str, points: int) -> tuple[float, list[float]]:
    """The largest error of a function, and where it is."""
    subject, random = SUBJECTS[name], np.random.default_rng(0)
    operands = [np.concatenate(list(subject.points(random, points)))]
    if subject.second:
        operands.append(subject.second(random, operands[0]))
    got = evaluate(name, *operands)
    near, rest = np.empty(points), np.empty(points)
    for i, given in enumerate(zip(*(column.tolist() for column in operands), strict=True)):
        value = subject.exact(*map(libmp.from_float, given))
        near[i] = libmp.to_float(value)
        rest[i] = libmp.to_float(libmp.mpf_sub(value, libmp.from_float(near[i]), BITS))
    errors = np.abs((got - near) - rest) / np.spacing(np.abs(near))
    at = int(np.argmax(errors))
    return float(errors[at]), [float(column[at]) for column in operands]


def main() -> None:
    """Print a table; exit 1 if a function is too far from its exact value."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=1_000_000, help="1,000,000 unless given")
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", default=list(SUBJECTS))
    given = parser.parse_args()
    print("| function | largest error, ULP | at |\n|---|---|---|")
    largest = 0.0
    for name in given.functions:
        error, at = worst(name, given.points)
        largest = max(largest, error)
        print(f"| `{name}` | {error:.2f} | {', '.join(map(repr, at))} |", flush=True)
    parser.exit(not largest <= LARGEST)


if __name__ == "__main__":
    main()

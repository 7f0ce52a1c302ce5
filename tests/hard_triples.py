"""Numbers whose product and sum are hard to round only once, and what they result in."""

import math

import numpy as np

SPECIAL = np.array(
    [
        *(0.0, 1.0, 5e-324, 2.0**-1022, 2.0**-1022 - 2.0**-1074, 2.0**-960, 2.0**1000),
        *(np.finfo(float).max, np.inf, np.nan),
    ]
)


class _Draws:
    """Random numbers of one size."""

    def __init__(self, seed, count):
        self.random = np.random.default_rng(seed)
        self.count = count

    def exponents(self, low, high):
        return self.random.integers(low, high, self.count)

    def numbers(self, low, high):
        """With random mantissas, and exponents from low to high."""
        return np.ldexp(1 + self.random.random(self.count), self.exponents(low, high))

    def short(self, x):
        """The same numbers with only some of their bits."""
        cleared = (np.int64(1) << self.exponents(20, 52)) - 1
        return (np.ascontiguousarray(x).view(np.int64) & ~cleared).view(float)

    def near_one(self):
        """Two factors, each 1 or a power of two more or less; their product often rounds to 1."""
        first, second = (self.random.integers(-1, 2, self.count) for _ in range(2))
        own, other = self.exponents(-52, -1), self.exponents(-52, -1)
        other = np.where(self.random.random(self.count) < 0.5, own, other)
        return 1 + np.ldexp(first, own), 1 + np.ldexp(second, other)


def _ordinary(draws):
    return draws.numbers(-30, 30), draws.numbers(-30, 30), draws.numbers(-80, 80)


def _anything(draws):
    return tuple(draws.numbers(-1080, 1024) for _ in range(3))


def _cancelling(draws):
    """The sum is what the product loses when it is rounded, or a few times that."""
    x, y = draws.numbers(-30, 30), draws.numbers(-30, 30)
    bits = (x * y).view(np.int64) + draws.exponents(-2, 3)
    return x, y, -bits.view(float)


def _far_apart(draws):
    x, y = draws.numbers(-30, 30), draws.numbers(-30, 30)
    return x, y, np.ldexp(x * y, draws.exponents(-125, 125))


def _short(draws):
    """Many of these are ties."""
    x, y = (draws.short(draws.numbers(-30, 30)) for _ in range(2))
    return x, y, draws.short(np.ldexp(x * y, draws.exponents(-60, 60)))


def _zero(draws):
    x, y = (draws.short(draws.numbers(-500, 500)) for _ in range(2))
    return x, y, -(x * y)


def _ties(draws, low=-1022, high=1000):
    """The product is half the last bit of z, or a little more or less than that."""
    z = draws.numbers(low, high)
    shift, (x, y) = draws.exponents(-50, 50), draws.near_one()
    return np.ldexp(x, shift), np.ldexp(y * np.spacing(z), -1 - shift), z


def _small_ties(draws):
    """The same where the product is about as small as one may be with an exact rest."""
    return _ties(draws, -930, -900)


def _subnormal_ties(draws):
    """The same where the last bit is that of subnormal numbers."""
    z = np.ldexp(1.0, -1074) * draws.random.integers(0, 2 ** draws.exponents(1, 54))
    shift, (x, y) = draws.exponents(-50, 50), draws.near_one()
    y *= draws.random.choice([1, 3], draws.count)
    return np.ldexp(x, -537 + shift), np.ldexp(y, -538 - shift), z


def _underflowing(draws):
    own = draws.exponents(-1074, 0)
    y = np.ldexp(1 + draws.random.random(draws.count), -1000 - own + draws.exponents(-140, 60))
    return np.ldexp(1 + draws.random.random(draws.count), own), y, draws.numbers(-1080, -900)


def _underflowing_and_cancelling(draws):
    x, y, _ = _underflowing(draws)
    bits = (x * y).view(np.int64) + draws.exponents(-2, 3)
    return x, y, -np.maximum(bits, 0).view(float)


def _half_subnormal(draws):
    """A factor is subnormal, and halfway between two numbers of 26 bits; the other is almost 2."""
    whole = 2**27 * draws.random.integers(0, 40, draws.count) + 2**26 + draws.exponents(-3, 4)
    whole = np.where(draws.random.random(draws.count) < 0.5, 2**26, whole)
    almost = 2 - np.ldexp(draws.random.random(draws.count), -draws.exponents(1, 45))
    x, y = np.ldexp(almost, draws.exponents(0, 1023)), np.ldexp(1.0, -1074) * whole
    bits = (x * y).view(np.int64) + draws.exponents(-3, 4)
    scaled = np.ldexp(x * y, draws.exponents(-60, 60))
    z = np.where(draws.random.random(draws.count) < 0.5, -bits.view(float), scaled)
    return x, y, np.where(draws.random.random(draws.count) < 0.2, 0.0, z)


def _overflowing(draws):
    own = draws.exponents(0, 1023)
    y = np.ldexp(1 + draws.random.random(draws.count), 1022 - own + draws.exponents(-25, 3))
    return np.ldexp(1 + draws.random.random(draws.count), own), y, draws.numbers(940, 1024)


def _at_the_largest(draws):
    """The same where z is about the largest number."""
    z = np.finfo(float).max - np.ldexp(draws.random.integers(0, 3, draws.count), 971)
    shift, (x, y) = draws.exponents(-50, 50), draws.near_one()
    return np.ldexp(x, shift), np.ldexp(y, 970 - shift), z


def _special(draws):
    given = [draws.numbers(-1080, 1024) for _ in range(3)]
    for each in given:
        chosen = draws.random.random(draws.count) < 0.6
        each[chosen] = draws.random.choice(SPECIAL, np.count_nonzero(chosen))
    return tuple(given)


KINDS = (
    *(_ordinary, _anything, _cancelling, _far_apart, _short, _zero, _ties, _small_ties),
    *(_subnormal_ties, _underflowing, _underflowing_and_cancelling, _half_subnormal),
    *(_overflowing, _at_the_largest, _special),
)


def hard_triples(seed, count):
    """x, y and z: ``count`` of each of the 15 kinds, shuffled."""
    draws = _Draws(seed, count)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = np.concatenate([np.array(kind(draws)) for kind in KINDS], axis=1)
    random = np.random.default_rng(seed)
    return random.choice([-1.0, 1.0], found.shape) * random.permutation(found, axis=1)


def exact(x, y, z):
    """x * y + z rounded once, by integers."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return x * y + z
    if not math.isfinite(z):
        return z
    (a, b), (c, d), (e, f) = (number.as_integer_ratio() for number in (x, y, z))
    above, below = a * c * f + e * b * d, b * d * f
    if not above:
        return x * y + z if z == 0.0 else 0.0
    try:
        return above / below  # Python rounds it correctly
    except OverflowError:
        return math.inf if above > 0 else -math.inf


def _by_python(x, y, z):
    try:
        return math.fma(x, y, z)
    except (OverflowError, ValueError):
        return exact(x, y, z)


def expected(x, y, z):
    """x * y + z of each triple, rounded once."""
    one = _by_python if hasattr(math, "fma") else exact  # Python 3.13 has it
    return np.array(list(map(one, x.tolist(), y.tolist(), z.tolist())))


def differing(got, wanted):
    """The indices of results with other bits. A NaN is a NaN."""
    differ = got.view(np.int64) != wanted.view(np.int64)
    return np.flatnonzero(differ & ~(np.isnan(got) & np.isnan(wanted)))

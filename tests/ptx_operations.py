"""What the instructions of :mod:`ptx_machine` compute: NumPy's functions, and a few of our own.

Each takes arrays, one value per thread, of which the last is for the results.
"""

from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types, vectorize
from numba.extending import intrinsic

KINDS = {"pred": bool, "f64": np.float64}
"""Types of PTX. Those of bits are as good as numbers without sign."""
for _size in (8, 16, 32, 64):
    KINDS |= {f"{_letter}{_size}": getattr(np, f"uint{_size}") for _letter in "bu"}
    KINDS[f"s{_size}"] = getattr(np, f"int{_size}")

_SMALLEST_NORMAL = 2.0**-1022


class Operation(NamedTuple):
    """An instruction without side effects: a function, and the types of its arguments."""

    function: Any
    sources: tuple[type, ...]
    target: type
    constants: tuple[int, ...] = ()  # further arguments


class _Scalar:
    """A function of a thread's values, which Numba compiles when it is needed."""

    def __init__(self, signature, **options):
        self.signature, self.options = signature, options

    def __call__(self, function):
        self.function = function
        return self

    @cached_property
    def ufunc(self):
        made = vectorize([self.signature], cache=True)(self.function)
        return partial(made.ufunc, **self.options)  # Numba's own call of it takes 2 us more


# ------------------------------------------------------------------ memory


@njit(cache=True)
def load(words, written, begin, addresses, offset, odd, active, constant, values):
    """Read words; returns the first thread that can't, or -1. ``odd``: bits that must be 0."""
    size = np.uint64(words.itemsize)
    for k in range(active.size):
        if active[k]:
            address = addresses[k] + offset
            place = (address - begin) // size
            if address & odd or place >= words.size or (constant and written[place]):
                return k
            values[k] = words[place]
    return -1


@njit(cache=True)
def store(words, written, begin, addresses, offset, odd, active, _constant, values):
    """Write words, in the same way."""
    size = np.uint64(words.itemsize)
    for k in range(active.size):
        if active[k]:
            address = addresses[k] + offset
            place = (address - begin) // size
            if address & odd or place >= words.size:
                return k
            words[place] = values[k]
            written[place] = -1  # all bits
    return -1


# ------------------------------------------------------------------ float64


@intrinsic
def _fused(_context, x, y, z):
    def emit(_codegen, builder, _signature, arguments):
        return builder.fma(*arguments)

    return types.float64(x, y, z), emit


@_Scalar("float64(float64, float64, float64)")
def fused(x, y, z):
    """x * y + z, rounded once."""
    return _fused(x, y, z)


@_Scalar("float64(float64, float64)")
def smaller(x, y):
    """The one that is a number, if only one is; -0 is smaller than +0."""
    if x != x or (x == y and np.signbit(y)):
        return y
    return y if y < x else x


@_Scalar("float64(float64, float64)")
def larger(x, y):
    if x != x or (x == y and np.signbit(x)):
        return y
    return y if y > x else x


def _with_sign_of(x, y, out):
    np.copysign(y, x, out)


def _is_normal(x, out):
    np.logical_and(np.isfinite(x), (np.abs(x) >= _SMALLEST_NORMAL) | (x == 0), out)


def _is_subnormal(x, out):
    np.logical_and(np.abs(x) < _SMALLEST_NORMAL, x != 0, out)


def _is_number(x, out):
    np.equal(x, x, out)


# ------------------------------------------------------------------ conversions


def copied(x, out):
    """The same value in another type: cut, or extended according to the sign of its own type."""
    np.copyto(out, x, casting="unsafe")


def _clamped(x, out):
    """The nearest value of another type of integers."""
    own, other = np.iinfo(x.dtype), np.iinfo(out.dtype)
    low, high = max(own.min, other.min), min(own.max, other.max)
    copied(np.clip(x, x.dtype.type(low), x.dtype.type(high)), out)


def _whole(rounded, x, out):
    """A float64, rounded, as the nearest integer; of a NaN only the highest bit is set."""
    limits, whole = np.iinfo(out.dtype), rounded(x)
    low, high = whole < limits.min, whole >= float(limits.max + 1)
    inside = ~(low | high | np.isnan(x))
    found = np.full(x.shape, limits.min or limits.max // 2 + 1, out.dtype)
    found[low], found[high] = limits.min, limits.max
    found[inside] = whole[inside].astype(out.dtype)
    out[...] = found


def _rounded(rounded, x, out):
    rounded(x, out)


def _between_0_and_1(x, out):
    out[...] = np.where(x > 0, np.minimum(x, 1.0), 0.0)


# ------------------------------------------------------------------ integers


def _minimum(x, y, out):
    np.minimum(x, y, out=out)


def _maximum(x, y, out):
    np.maximum(x, y, out=out)


def _high_product(x, y, out):
    product = x.astype(object) * y.astype(object) >> 8 * x.itemsize
    out[...] = product.astype(x.dtype)


def _wide_product(x, y, out):
    np.multiply(x, y, out, dtype=out.dtype)


def _product_and_sum(product, x, y, z, out):
    scratch = np.empty_like(out)
    product(x, y, scratch)
    np.add(scratch, z, out)


def _quotient(x, y, out):
    """Towards 0."""
    np.floor_divide(x - np.fmod(x, y), y, out)


def _selected(x, y, chosen, out):
    out[...] = np.where(chosen, x, y)


def _unordered(opposite, x, y, out):
    """True if either is NaN."""
    np.logical_not(opposite(x, y), out)


def _differ(x, y, out=None):
    """False if either is NaN."""
    return np.logical_or(x < y, x > y, out)


def _are_numbers(x, y, out):
    np.logical_and(x == x, y == y, out)


def _is_nan(x, y, out):
    np.logical_or(x != x, y != y, out)


@_Scalar("int64(int64, int64)", casting="unsafe")
def ones(x, bits):
    """How many bits are set."""
    found = 0
    for k in range(bits):
        found += x >> k & 1
    return found


@_Scalar("int64(int64, int64)", casting="unsafe")
def leading_zeros(x, bits):
    for k in range(bits):
        if x >> (bits - 1 - k) & 1:
            return k
    return bits


@_Scalar("int64(int64, int64)", casting="unsafe")
def mirrored(x, bits):
    found = 0
    for k in range(bits):
        found |= (x >> k & 1) << (bits - 1 - k)
    return found


@_Scalar("int64(int64, int64, int64, int64, int64)", casting="unsafe")
def field(x, position, length, bits, signed):
    """Bits of x from a position on, extended by the last of them, if ``signed``, or 0."""
    position, length = position & 255, length & 255
    beyond = 0
    if signed and length:
        beyond = x >> min(position + length - 1, bits - 1) & 1
    found = 0
    for k in range(bits):
        inside = k < length and position + k < bits
        found |= (x >> (position + k) & 1 if inside else beyond) << k
    return found


@_Scalar("int64(int64, int64, int64, int64, int64)", casting="unsafe")
def with_field(x, y, position, length, bits):
    """The first bits of x in the place of some of y."""
    position, length = position & 255, length & 255
    found = y
    for k in range(length):
        if position + k < bits:
            one = 1 << (position + k)
            found = found & ~one | (x >> k & 1) << (position + k)
    return found


@_Scalar("int64(int64, int64, int64, int64, int64)", casting="unsafe")
def funnel(low, high, amount, left, clamps):
    """The half of 64 bits that results from their shift."""
    amount = min(amount, 32) if clamps else amount & 31
    if left:
        return high << amount | low >> (32 - amount)
    return high << (32 - amount) | low >> amount


@_Scalar("int64(int64, int64, int64, int64)", casting="unsafe")
def looked_up(x, y, z, table):
    """Each bit is that of the table whose number three bits are."""
    found = 0
    for k in range(32):
        place = (x >> k & 1) << 2 | (y >> k & 1) << 1 | z >> k & 1
        found |= (table >> place & 1) << k
    return found


@_Scalar("int64(int64, int64, int64)", casting="unsafe")
def permuted(x, y, selectors):
    """Four of eight bytes, or their highest bits eight times."""
    found = 0
    for k in range(4):
        selector = selectors >> 4 * k & 15
        byte = (y if selector & 4 else x) >> 8 * (selector & 3) & 255
        if selector & 8:
            byte = 255 * (byte >> 7)
        found |= byte << 8 * k
    return found


# ------------------------------------------------------------------ tables

_F = np.float64
_INTEGERS = tuple(f"{letter}{size}" for size in (16, 32, 64) for letter in "us")
_BYTES_TOO = ("u8", "s8", *_INTEGERS)
_ROUNDING = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def _each(names, function, sources="tt", target="t", constants=()):
    """Operations by name, of which ``*`` stands for a type: t in the signature."""
    found = {}
    for name, kinds in names.items():
        for kind in kinds:
            letters = {"t": KINDS[kind], "p": bool, "i": np.uint32, "w": _wide(kind)}
            types = tuple(letters[each] for each in sources)
            found[name.replace("*", kind)] = Operation(
                function, types, letters[target], tuple(constants)
            )
    return found


def _wide(kind):
    return KINDS.get(f"{kind[0]}{2 * int(kind[1:])}") if kind[1:].isdigit() else None


_BITS, _SIGNED = ("b16", "b32", "b64"), ("s16", "s32", "s64")
_NARROW = ("u16", "s16", "u32", "s32")
OPERATIONS = (
    _each({"add.rn.*": ["f64"], "add.*": _INTEGERS}, np.add)
    | _each({"sub.rn.*": ["f64"], "sub.*": _INTEGERS}, np.subtract)
    | _each({"mul.rn.*": ["f64"], "mul.lo.*": _INTEGERS}, np.multiply)
    | _each({"mul.hi.*": _INTEGERS}, _high_product)
    | _each({"mul.wide.*": _NARROW}, _wide_product, target="w")
    | _each({"mad.lo.*": _INTEGERS}, partial(_product_and_sum, np.multiply), "ttt")
    | _each({"mad.hi.*": _INTEGERS}, partial(_product_and_sum, _high_product), "ttt")
    | _each({"mad.wide.*": _NARROW}, partial(_product_and_sum, _wide_product), "ttw", "w")
    | _each({"div.*": _INTEGERS}, _quotient)
    | _each({"rem.*": _INTEGERS}, np.fmod)
    | _each({"min.*": _INTEGERS}, _minimum)
    | _each({"max.*": _INTEGERS}, _maximum)
    | _each({"abs.*": (*_SIGNED, "f64")}, np.abs, "t")
    | _each({"neg.*": (*_SIGNED, "f64")}, np.negative, "t")
    | _each({"and.*": _BITS}, np.bitwise_and)
    | _each({"or.*": _BITS}, np.bitwise_or)
    | _each({"xor.*": _BITS}, np.bitwise_xor)
    | _each({"not.*": _BITS}, np.invert, "t")
    | _each({"and.*": ["pred"]}, np.logical_and)
    | _each({"or.*": ["pred"]}, np.logical_or)
    | _each({"xor.*": ["pred"]}, np.logical_xor)
    | _each({"not.*": ["pred"]}, np.logical_not, "t")
    | _each({"shl.*": _BITS}, np.left_shift, "ti")
    | _each({"shr.*": (*_BITS, *_INTEGERS)}, np.right_shift, "ti")
    | _each({"selp.*": (*_BITS, *_INTEGERS, "f64")}, _selected, "ttp")
    | _each({"div.rn.*": ["f64"]}, np.divide)
    | _each({"rcp.rn.*": ["f64"]}, np.reciprocal, "t")
    | _each({"sqrt.rn.*": ["f64"]}, np.sqrt, "t")
    | _each({"fma.rn.*": ["f64"]}, fused, "ttt")
    | _each({"min.*": ["f64"]}, smaller)
    | _each({"max.*": ["f64"]}, larger)
    | _each({"copysign.*": ["f64"]}, _with_sign_of)
    | _each({"testp.finite.*": ["f64"]}, np.isfinite, "t", "p")
    | _each({"testp.infinite.*": ["f64"]}, np.isinf, "t", "p")
    | _each({"testp.number.*": ["f64"]}, _is_number, "t", "p")
    | _each({"testp.notanumber.*": ["f64"]}, np.isnan, "t", "p")
    | _each({"testp.normal.*": ["f64"]}, _is_normal, "t", "p")
    | _each({"testp.subnormal.*": ["f64"]}, _is_subnormal, "t", "p")
    | _each({"prmt.*": ["b32"]}, permuted, "ttt")
    | {
        "lop3.b32": Operation(looked_up, (np.uint32,) * 4, np.uint32),
    }
)
for _n, _b in ((32, np.uint32), (64, np.int64)):  # as what Numba compiles takes integers
    OPERATIONS |= {
        f"popc.b{_n}": Operation(ones, (_b,), np.uint32, (_n,)),
        f"clz.b{_n}": Operation(leading_zeros, (_b,), np.uint32, (_n,)),
        f"brev.b{_n}": Operation(mirrored, (_b,), _b, (_n,)),
        f"bfi.b{_n}": Operation(with_field, (_b, _b, np.uint32, np.uint32), _b, (_n,)),
        f"bfe.u{_n}": Operation(field, (_b, np.uint32, np.uint32), _b, (_n, 0)),
        f"bfe.s{_n}": Operation(field, (_b, np.uint32, np.uint32), _b, (_n, 1)),
    }
for _left in "lr":
    for _mode in ("wrap", "clamp"):
        OPERATIONS[f"shf.{_left}.{_mode}.b32"] = Operation(
            funnel, (np.uint32,) * 3, np.uint32, (_left == "l", _mode == "clamp")
        )
for _of in _BYTES_TOO:
    for _to in _BYTES_TOO:
        _kinds = (KINDS[_of],), KINDS[_to]
        OPERATIONS[f"cvt.{_to}.{_of}"] = Operation(copied, *_kinds)
        OPERATIONS[f"cvt.sat.{_to}.{_of}"] = Operation(_clamped, *_kinds)
    OPERATIONS[f"cvt.rn.f64.{_of}"] = Operation(copied, (KINDS[_of],), _F)
    for _mode, _function in _ROUNDING.items():
        for _sat in ("", ".sat"):
            OPERATIONS[f"cvt.{_mode}{_sat}.{_of}.f64"] = Operation(
                partial(_whole, _function), (_F,), KINDS[_of]
            )
for _mode, _function in _ROUNDING.items():
    OPERATIONS[f"cvt.{_mode}.f64.f64"] = Operation(_function, (_F,), _F)
OPERATIONS["cvt.f64.f64"] = Operation(copied, (_F,), _F)
OPERATIONS["cvt.sat.f64.f64"] = Operation(_between_0_and_1, (_F,), _F)

_ORDERED = {
    "eq": np.equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_OPPOSITE = {"eq": _differ, "ne": np.equal, "lt": np.greater_equal, "le": np.greater}
_OPPOSITE |= {"gt": np.less_equal, "ge": np.less}
COMPARISONS = {("ne", _F): _differ, ("num", _F): _are_numbers, ("nan", _F): _is_nan}
"""Functions by name and type. Of floating-point numbers, without ``u`` a NaN makes them false."""
for _name, _function in _ORDERED.items():
    COMPARISONS |= {(_name, KINDS[each]): _function for each in (*_INTEGERS, "f64")}
for _name, _function in _OPPOSITE.items():
    COMPARISONS[f"{_name}u", _F] = partial(_unordered, _function)
COMPARISONS |= {("ne", KINDS[each]): np.not_equal for each in _INTEGERS}
for _name, _same in {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}.items():
    COMPARISONS |= {(_name, KINDS[f"u{n}"]): _ORDERED[_same] for n in (16, 32, 64)}

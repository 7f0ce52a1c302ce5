"""The tests' own machine executes each instruction of PTX as its manual defines it.

The definitions here are of Python's unlimited integers, of fractions, or of single bits.
"""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from hard_triples import differing, expected, hard_triples
from ptx_machine import (
    AccessError,
    DeadlockError,
    Program,
    Trapped,
    UnknownInstructionError,
    run,
)
from ptx_operations import COMPARISONS, KINDS, OPERATIONS

BASE = 1 << 40
BLOCKS = 8
CELLS = 8
"""Values of 8 bytes that each thread has; the last one is for the result."""


# ------------------------------------------------------------------ definitions


def bit(x, k):
    return x >> k & 1


def integer(bits):
    """Of bits, from the lowest on."""
    return sum(one << k for k, one in enumerate(bits))


def rounded(x):
    """A fraction that isn't 0, as the nearest float64."""
    try:
        return x.numerator / x.denominator  # Python rounds it correctly
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def exactly(operation, x, y):
    """Of fractions, if the result is one; of zeros, infinities and NaNs as Python does it."""
    if math.isfinite(x) and math.isfinite(y) and (result := operation(Fraction(x), Fraction(y))):
        return rounded(result)
    return operation(x, y)


def quotient(x, y):
    if math.isfinite(x) and math.isfinite(y) and x and y:
        return rounded(Fraction(x) / Fraction(y))
    if x != x or y != y or (x == 0 == y) or (math.isinf(x) and math.isinf(y)):
        return math.nan
    sign = math.copysign(1.0, x) * math.copysign(1.0, y)
    return math.copysign(math.inf if math.isinf(x) or y == 0 else 0.0, sign)


def root(x):
    if not 0 < x < math.inf:
        return x if x == 0 or x == math.inf else math.nan
    above = int(Fraction(x) * 2**2200)
    found = math.isqrt(above)
    return rounded(Fraction(2 * found + (found * found != above), 2**1101))


def least(x, y):
    if x != x or y != y:
        return y if x != x else x
    return min(x, y, key=lambda each: (each, math.copysign(1.0, each)))


def greatest(x, y):
    return -least(-x, -y)


def is_normal(x):
    return math.isfinite(x) and (x == 0 or abs(x) >= 2.0**-1022)


def towards_zero(x, y):
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def extracted(x, position, length, n, signed):
    """As in the manual: bits beyond the field, or beyond x, are the sign's."""
    position, length = position & 255, length & 255
    sign = bit(x, min(position + length - 1, n - 1)) if signed and length else 0
    inside = [k < length and position + k < n for k in range(n)]
    return integer(bit(x, position + k) if inside[k] else sign for k in range(n))


def inserted(x, y, position, length, n):
    position, length = position & 255, length & 255
    return integer(
        bit(x, k - position) if position <= k < position + length else bit(y, k) for k in range(n)
    )


def funnel(low, high, amount, left, clamps):
    amount = min(amount, 32) if clamps else amount % 32
    whole = high << 32 | low
    return whole << amount >> 32 if left else whole >> amount


def permuted(x, y, selectors):
    found = []
    for k in range(4):
        selector = selectors >> 4 * k & 15
        byte = (y << 32 | x).to_bytes(8, "little")[selector & 7]
        found.append((byte >> 7) * 255 if selector & 8 else byte)
    return int.from_bytes(bytes(found), "little")


def looked_up(x, y, z, table):
    """As in the manual: the table is what the function makes of these three numbers."""
    return integer(bit(table, 4 * bit(x, k) + 2 * bit(y, k) + bit(z, k)) for k in range(32))


def to_integer(x, way, low, high):
    if x != x:
        return 1 << ((high - low).bit_length() - 1)
    if math.isinf(x):
        return low if x < 0 else high
    return min(max(way(Fraction(x)), low), high)


def to_whole(x, way):
    if not math.isfinite(x):
        return x
    return math.copysign(float(way(Fraction(x))), x)


INTEGERS = [(f"{letter}{n}", n) for n in (16, 32, 64) for letter in "us"]
BITS = [("b16", 16), ("b32", 32), ("b64", 64)]
SIGNED = [("s16", 16), ("s32", 32), ("s64", 64)]
NARROW = INTEGERS[:4]
ALL = [("u8", 8), ("s8", 8), *INTEGERS]
WAYS = {"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}

DEFINITIONS = {
    # name: definition, types of the sources, type of the result
    "add.rn.f64": (lambda x, y: exactly(lambda a, b: a + b, x, y), "f64 f64", "f64"),
    "sub.rn.f64": (lambda x, y: exactly(lambda a, b: a - b, x, y), "f64 f64", "f64"),
    "mul.rn.f64": (lambda x, y: exactly(lambda a, b: a * b, x, y), "f64 f64", "f64"),
    "div.rn.f64": (quotient, "f64 f64", "f64"),
    "rcp.rn.f64": (lambda x: quotient(1.0, x), "f64", "f64"),
    "sqrt.rn.f64": (root, "f64", "f64"),
    "fma.rn.f64": (lambda *given: float(expected(*(np.array([g]) for g in given))[0]),
                   "f64 f64 f64", "f64"),
    "min.f64": (least, "f64 f64", "f64"),
    "max.f64": (greatest, "f64 f64", "f64"),
    "abs.f64": (abs, "f64", "f64"),
    "neg.f64": (lambda x: -x, "f64", "f64"),
    "copysign.f64": (lambda x, y: math.copysign(y, x), "f64 f64", "f64"),
    "testp.finite.f64": (math.isfinite, "f64", "pred"),
    "testp.infinite.f64": (math.isinf, "f64", "pred"),
    "testp.number.f64": (lambda x: not math.isnan(x), "f64", "pred"),
    "testp.notanumber.f64": (math.isnan, "f64", "pred"),
    "testp.normal.f64": (is_normal, "f64", "pred"),
    "testp.subnormal.f64": (lambda x: 0 < abs(x) < 2.0**-1022, "f64", "pred"),
    "cvt.f64.f64": (lambda x: x, "f64", "f64"),
    "cvt.sat.f64.f64": (lambda x: min(x, 1.0) if x > 0 else 0.0, "f64", "f64"),
    "selp.f64": (lambda x, y, p: x if p else y, "f64 f64 pred", "f64"),
    "and.pred": (lambda x, y: x and y, "pred pred", "pred"),
    "or.pred": (lambda x, y: x or y, "pred pred", "pred"),
    "xor.pred": (lambda x, y: x != y, "pred pred", "pred"),
    "not.pred": (lambda x: not x, "pred", "pred"),
    "prmt.b32": (permuted, "b32 b32 b32", "b32"),
    "lop3.b32": (looked_up, "b32 b32 b32", "b32"),
}  # fmt: skip
for t, n in INTEGERS:
    DEFINITIONS |= {
        f"add.{t}": (lambda x, y: x + y, f"{t} {t}", t),
        f"sub.{t}": (lambda x, y: x - y, f"{t} {t}", t),
        f"mul.lo.{t}": (lambda x, y: x * y, f"{t} {t}", t),
        f"mul.hi.{t}": (lambda x, y, n=n: x * y >> n, f"{t} {t}", t),
        f"mad.lo.{t}": (lambda x, y, z: x * y + z, f"{t} {t} {t}", t),
        f"mad.hi.{t}": (lambda x, y, z, n=n: (x * y >> n) + z, f"{t} {t} {t}", t),
        f"div.{t}": (towards_zero, f"{t} {t}", t),
        f"rem.{t}": (lambda x, y: x - y * towards_zero(x, y), f"{t} {t}", t),
        f"min.{t}": (min, f"{t} {t}", t),
        f"max.{t}": (max, f"{t} {t}", t),
        f"shr.{t}": (lambda x, y: x >> y, f"{t} shift", t),
        f"selp.{t}": (lambda x, y, p: x if p else y, f"{t} {t} pred", t),
    }
for t, n in NARROW:
    w = f"{t[0]}{2 * n}"
    DEFINITIONS[f"mul.wide.{t}"] = (lambda x, y: x * y, f"{t} {t}", w)
    DEFINITIONS[f"mad.wide.{t}"] = (lambda x, y, z: x * y + z, f"{t} {t} {w}", w)
for t, _ in SIGNED:
    DEFINITIONS[f"abs.{t}"] = (abs, t, t)
    DEFINITIONS[f"neg.{t}"] = (lambda x: -x, t, t)
for t, _ in BITS:
    DEFINITIONS |= {
        f"and.{t}": (lambda x, y: x & y, f"{t} {t}", t),
        f"or.{t}": (lambda x, y: x | y, f"{t} {t}", t),
        f"xor.{t}": (lambda x, y: x ^ y, f"{t} {t}", t),
        f"not.{t}": (lambda x: ~x, t, t),
        f"shl.{t}": (lambda x, y: x << min(y, 64), f"{t} shift", t),
        f"shr.{t}": (lambda x, y: x >> y, f"{t} shift", t),
        f"selp.{t}": (lambda x, y, p: x if p else y, f"{t} {t} pred", t),
    }
for t, n in BITS[1:]:
    DEFINITIONS |= {
        f"popc.{t}": (int.bit_count, t, "u32"),
        f"clz.{t}": (lambda x, n=n: n - x.bit_length(), t, "u32"),
        f"brev.{t}": (lambda x, n=n: int(f"{x:0{n}b}"[::-1], 2), t, t),
        f"bfi.{t}": (lambda *given, n=n: inserted(*given, n), f"{t} {t} place place", t),
        f"bfe.u{n}": (lambda *given, n=n: extracted(*given, n, False), f"{t} place place", t),
        f"bfe.s{n}": (lambda *given, n=n: extracted(*given, n, True), f"{t} place place", t),
    }
for way, left in (("l", True), ("r", False)):
    for mode, clamps in (("clamp", True), ("wrap", False)):
        DEFINITIONS[f"shf.{way}.{mode}.b32"] = (
            lambda *given, left=left, clamps=clamps: funnel(*given, left, clamps),
            "b32 b32 shift",
            "b32",
        )
for t, n in ALL:
    low, high = (-(2 ** (n - 1)), 2 ** (n - 1) - 1) if t[0] == "s" else (0, 2**n - 1)
    for of, _ in ALL:
        DEFINITIONS[f"cvt.{t}.{of}"] = (lambda x: x, of, t)
        DEFINITIONS[f"cvt.sat.{t}.{of}"] = (
            lambda x, low=low, high=high: min(max(x, low), high),
            of,
            t,
        )
    DEFINITIONS[f"cvt.rn.f64.{t}"] = (lambda x: rounded(Fraction(x)), t, "f64")
    for name, way in WAYS.items():
        definition = (
            lambda x, way=way, low=low, high=high: to_integer(x, way, low, high),
            "f64",
            t,
        )
        DEFINITIONS |= {f"cvt.{name}.{t}.f64": definition, f"cvt.{name}.sat.{t}.f64": definition}
for name, way in WAYS.items():
    DEFINITIONS[f"cvt.{name}.f64.f64"] = (lambda x, way=way: to_whole(x, way), "f64", "f64")

SAME = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}
NAN = {"num": lambda x, y: x == x and y == y, "nan": lambda x, y: x != x or y != y}
COMPARED = {(name, t): way for name, way in SAME.items() for t, _ in INTEGERS}
COMPARED |= {(name, t): SAME[name] for name in ("eq", "ne") for t, _ in BITS}
for name, of in {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}.items():
    COMPARED |= {(name, t): SAME[of] for t in ("u16", "u32", "u64")}
for name, way in SAME.items():
    COMPARED[name, "f64"] = lambda x, y, way=way: x == x and y == y and way(x, y)
    COMPARED[f"{name}u", "f64"] = lambda x, y, way=way: x != x or y != y or way(x, y)
COMPARED |= {(name, "f64"): way for name, way in NAN.items()}

COMBINED = {"and": lambda x, y: x and y, "or": lambda x, y: x or y, "xor": lambda x, y: x != y}


# ------------------------------------------------------------------ a kernel for an instruction

REGISTERS = """
    .reg .pred %p<9>;
    .reg .b16 %rs<9>;
    .reg .b32 %r<9>;
    .reg .b64 %rd<9>;
"""
OF_WIDTH = {1: "%p", 16: "%rs", 32: "%r", 64: "%rd"}
PLACE = f"""
    ld.param.u64 %rd8, [test_param_0];
    mov.u32 %r8, %tid.x;
    mov.u32 %r7, %ctaid.x;
    mad.lo.u32 %r8, %r7, 32, %r8;
    mad.wide.u32 %rd8, %r8, {8 * CELLS}, %rd8;
"""
"""Then %rd8 is the place of the thread's own values."""


def entry(body, head=""):
    return (
        f".version 7.8\n.target sm_90\n.address_size 64\n{head}\n"
        f".visible .entry test(.param .u64 test_param_0)\n{{\n{REGISTERS}\n{PLACE}\n{body}\n}}\n"
    )


def width_of(t):
    """The bits of the register that holds a value."""
    return 1 if t == "pred" else max(16, int(t[1:]))


def loaded(t, k):
    """Instructions that read a thread's value k into a register k."""
    if t == "pred":
        return f"ld.u16 %rs8, [%rd8+{8 * k}];\nsetp.ne.u16 %p{k}, %rs8, 0;\n"
    n = width_of(t)
    return f"ld.b{n} {OF_WIDTH[n]}{k}, [%rd8+{8 * k}];\n"


def stored(t, k=CELLS - 1, register=6):
    if t == "pred":
        return f"selp.b16 %rs8, 1, 0, %p{register};\nst.u16 [%rd8+{8 * k}], %rs8;\n"
    n = width_of(t)
    return f"st.b{n} [%rd8+{8 * k}], {OF_WIDTH[n]}{register};\n"


def values(t, random, count):
    """Numbers of a type, many of them at its edges."""
    if t == "pred":
        return random.integers(0, 2, count).astype(bool)
    if t == "f64":
        x = hard_triples(int(random.integers(1000)), 4)[0]
        whole = np.array([*(0.0, 0.5, 1.5, 2.5, 127.5, 2.0**31, 2.0**32, 2.0**52 + 1, 2.0**53)])
        edges = np.array([2.0**63, 2.0**64, np.nextafter(2.0**63, 0), 2.0**15 - 0.5, 5e-324])
        most = np.array([np.inf, np.nan, np.finfo(float).max, 2.0**-1022])
        some = np.concatenate([x, whole, -whole, edges, -edges, most, -most, *[-whole] * 3])
        return random.choice(some, count)
    if t in ("shift", "place"):
        return random.choice([0, 1, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 200, 2**32 - 1], count)
    kind = KINDS[t]
    limits = np.iinfo(kind)
    near = [limits.min, limits.min + 1, limits.max, limits.max - 1, limits.max // 2 + 1, 0, 1, 2]
    small = [7, -1 if limits.min else 3]
    anything = random.integers(limits.min, limits.max, count, kind, endpoint=True)
    some = random.choice(np.array(near + small, kind), count)
    return np.where(random.random(count) < 0.4, anything, some).astype(kind)


def executed(text, given, kinds, targets):
    """What a kernel with this text makes of these values; registers 0, 1, ... have them.

    The results are in registers 6, 5, ...
    """
    cells = np.zeros((len(given[0]), CELLS), np.uint64)
    for k, (each, t) in enumerate(zip(given, kinds, strict=True)):
        rows = [bits_of(x, t) for x in each.tolist()]
        cells[:, k] = np.array(rows, np.uint64)
    before = "".join(loaded(t, k) for k, t in enumerate(kinds))
    after = "".join(stored(t, CELLS - 1 - k, 6 - k) for k, t in enumerate(targets))
    program = Program(entry(f"{before}{text}\n{after}ret;"))
    run(program, {BASE: cells.reshape(-1).view(np.uint8)}, [BASE], len(cells) // 32)
    return [cells[:, CELLS - 1 - k].tolist() for k in range(len(targets))]


def bits_of(x, t, n=None):
    """The register that has a value; of so many bits, if that isn't the type's own."""
    if t == "f64":
        return int(np.array(x, float).view(np.uint64))
    if t == "pred":
        return int(x)
    n, own = n or width_of(t), int(t[1:])
    x = x % 2**own  # and then extended to the register
    return (x - 2**own if t[0] == "s" and x >> (own - 1) else x) % 2**n


def given_to(sources, seed):
    """Values for each source of an instruction; some are equal, or zeros of either sign."""
    random, count = np.random.default_rng(seed), 32 * BLOCKS
    given = [values(t, random, count) for t in sources]
    for k, t in enumerate(sources):
        if t == "f64":
            zeros = random.choice([0.0, -0.0], count)
            given[k] = np.where(random.random(count) < 0.2, zeros, given[k])
        if k and t == sources[0]:
            given[k] = np.where(random.random(count) < 0.2, given[0], given[k])
    return given


def is_defined(name, y):
    """Nothing is divided by 0, and no quotient is too large."""
    return y != 0 and not (name.startswith(("div.s", "rem.s")) and y == -1)


TABLES = (0, 0x80, 0xE8, 0x96, 0xCA, 255)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_instruction(name):
    definition, sources, target = DEFINITIONS[name]
    sources = sources.split()
    given = given_to(sources, len(name))
    if name.startswith(("div.s", "div.u", "rem.")):
        kept = [is_defined(name, y) for y in given[1]]
        given[1] = np.where(kept, given[1], given[1].dtype.type(3))
    # Numbers of a certain size are in registers, too.
    kinds = ["u32" if t in ("shift", "place") else t for t in sources]
    registers = [f"{OF_WIDTH[width_of(t)]}{k}" for k, t in enumerate(kinds)]
    result = f"{OF_WIDTH[width_of(target)]}6"
    for table in TABLES if name.startswith("lop3.") else (None,):
        constants = () if table is None else (table,)
        text = f"{name} {', '.join([result, *registers, *map(str, constants)])};"
        (found,) = executed(text, given, kinds, [target])
        for bits, *own in zip(found, *(each.tolist() for each in given), strict=True):
            wanted = bits_of(definition(*own, *constants), target)
            assert is_same(bits, wanted, target), (text, own, hex(bits), hex(wanted))


def is_same(bits, other, t):
    """A NaN is a NaN."""
    if t != "f64":
        return bits == other
    pair = np.array([bits, other], np.uint64).view(float)
    return bits == other or bool(np.isnan(pair).all())


@pytest.mark.parametrize(("name", "t"), COMPARED)
def test_comparison(name, t):
    """Also together with another predicate, and with a second result of the opposite."""
    x, y, c = given_to([t, t, "pred"], len(name + t))
    wanted = [COMPARED[name, t](*own) for own in zip(x.tolist(), y.tolist(), strict=True)]
    a, b = (f"{OF_WIDTH[width_of(t)]}{k}" for k in range(2))
    for way, both in COMBINED.items():
        text = f"setp.{name}.{way}.{t} %p6|%p5, {a}, {b}, !%p2;\nsetp.{name}.{t} %p4, {a}, {b};"
        found = np.array(executed(text, [x, y, c], [t, t, "pred"], ["pred"] * 3))
        rows = [(both(w, not p), both(not w, not p), w) for w, p in zip(wanted, c, strict=True)]
        assert found.T.tolist() == np.array(rows, int).tolist()


def test_each_operation_is_tested():
    assert set(DEFINITIONS) == set(OPERATIONS)
    assert {(name, KINDS[t]) for name, t in COMPARED} == set(COMPARISONS)


def test_fused_multiply_add():
    x, y, z = hard_triples(1, 2000)
    found = np.empty_like(x)
    with np.errstate(all="ignore"):
        OPERATIONS["fma.rn.f64"].function.ufunc(x, y, z, found)
    assert not differing(found, expected(x, y, z)).size


# ------------------------------------------------------------------ other instructions


def results(body, head="", size=64, blocks=1, threads=32, schedule="together", memory=None):
    """The last value of each thread, whose own values are its number and that times 10."""
    cells = np.zeros((size, CELLS), np.uint64)
    cells[:, 0], cells[:, 1] = np.arange(size), 10 * np.arange(size)
    program = Program(entry(body, head))
    whole = {BASE: cells.reshape(-1).view(np.uint8)} | (memory or {})
    run(program, whole, [BASE], blocks, threads, schedule)
    return cells[: blocks * threads, CELLS - 1].tolist()


STORED = [f"{letter}{n}" for n in (8, 16, 32, 64) for letter in "bus"] + ["f64"]
LOADS = {f"ld{space}.{t}": t for space in ("", ".global", ".global.nc") for t in STORED}
STORES = {f"st{space}.{t}": t for space in ("", ".global") for t in STORED}


@pytest.mark.parametrize("name", LOADS)
def test_load(name):
    """Also into a register with more bits, which are 0, or the sign's."""
    t = LOADS[name]
    (given,) = given_to([t], len(name))
    (found,) = executed(f"{name} %rd6, [%rd8];", [given], [t], ["b64"])
    assert found == [bits_of(x, t, 64) for x in given.tolist()]
    n = width_of(t)
    (found,) = executed(f"{name} {OF_WIDTH[n]}6, [%rd8];", [given], [t], [f"b{n}"])
    assert found == [bits_of(x, t, n) for x in given.tolist()]


@pytest.mark.parametrize("name", STORES)
def test_store(name):
    """Also of the lowest bits of a register with more; what lies behind them stays."""
    n = int(STORES[name][1:])
    (given,) = given_to(["b64"], len(name))
    text = f"st.b64 [%rd8+16], -1;\n{name} [%rd8+16], %rd0;\nld.b64 %rd6, [%rd8+16];"
    (found,) = executed(text, [given], ["b64"], ["b64"])
    assert found == [2**64 - 2**n | x % 2**n for x in given.tolist()]


THREADS = list(range(32))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mov.b64 %rd6, -2;", 2**64 - 2),
        ("mov.u64 %rd6, 0x10U;", 16),
        ("mov.f64 %rd6, 0d3FF8000000000000;", 0x3FF8 << 48),
        ("mov.b32 {%rs0, %rs1}, 0x10002;\nmov.b64 %rd6, {%rs1, %rs0, %rs0, %rs1};",
         0x0001_0002_0002_0001),
        ("mov.b64 {%r0, %r1}, 0x100000002;\nmov.b64 %rd6, {%r1, %r0};", 0x2_00000001),
        ("mov.b64 {_, %r1}, 0x700000002;\nmov.b64 %rd6, {%r1, 0};", 7),
        ("mov.pred %p0, -1;\nselp.b64 %rd6, 5, 6, %p0;", 5),
        ("mov.u32 %r0, %laneid;\nmov.u32 %r1, %ntid.x;\nmov.b64 %rd6, {%r0, %r1};",
         lambda t: 32 << 32 | t),
        ("mov.u32 %r0, %nctaid.x;\nmov.u32 %r1, %tid.y;\nmov.b64 %rd6, {%r0, %r1};", 1),
        ("cvta.to.global.u64 %rd0, %rd8;\nld.global.b64 %rd6, [%rd0+8];", lambda t: 10 * t),
        ("mov.b64 %rd0, %rd8;\nld.v2.b64 {%rd0, %rd6}, [%rd0];", lambda t: 10 * t),
        ("ld.global.v2.b64 {%rd0, %rd1}, [%rd8];\nsub.s64 %rd6, %rd1, %rd0;", lambda t: 9 * t),
        ("ld.global.nc.v2.b64 {%rd0, %rd1}, [%rd8];\nsub.s64 %rd6, %rd1, %rd0;", lambda t: 9 * t),
        ("ld.volatile.v4.b32 {%r0, _, %r2, _}, [%rd8];\nmov.b64 %rd6, {%r0, %r2};",
         lambda t: 10 * t << 32 | t),
        ("mov.b64 %rd0, -3;\nst.b16 [%rd8+16], %rd0;\nst.v2.b8 [%rd8+20], {1, %rd0};\n"
         "ld.b64 %rd6, [%rd8+16];", 0xFD01_0000_FFFD),
        ("st.b8 [%rd8], 200;\nld.s8 %rd6, [%rd8];", 2**64 - 56),
        ("st.b8 [%rd8], 200;\nld.s8 %rs0, [%rd8];\ncvt.u64.u16 %rd6, %rs0;", 2**16 - 56),
        ("mov.b64 %rd0, -1;\nst.b8 [%rd8+8], 200;\nld.u8 %rd6, [%rd8+8];", 200),
        ("ld.u64 %rd0, [%rd8];\nsetp.gt.u64 %p0, %rd0, 3;\nmov.b64 %rd6, 1;\n"
         "@%p0 mov.b64 %rd6, 2;\n@!%p0 add.s64 %rd6, %rd6, 4;", lambda t: 2 if t > 3 else 5),
        ("mov.b64 %rd0, four;\nld.global.u32 %rd6, [%rd0+4];", 5),
        ("ld.const.u32 %rd6, [four];", 4),
        ("mov.b64 %rd0, own;\ncvta.local.u64 %rd1, %rd0;\nst.local.b64 [%rd0+8], %rd8;\n"
         "ld.b64 %rd2, [%rd1+8];\nsub.s64 %rd6, %rd2, %rd8;\nmembar.cta;\nfence.acq_rel.gpu;",
         0),
    ],
)  # fmt: skip
def test_moves(text, wanted):
    body = f".local .align 8 .b8 own[16];\n{text}\n{stored('b64')}ret;"
    head = ".global .align 4 .b32 four[3] = {4, 5};"
    assert results(body, head) == [wanted(t) if callable(wanted) else wanted for t in THREADS]


def test_a_program():
    program = Program(
        entry(
            '.local .align 8 .b8 own[20];\n.pragma "nounroll";\n'
            "add.s64 %rd0, %rd0, 1; add.s64 %rd0, %rd0, 1; // add.s64 %rd0, %rd0, 1;"
        ).encode()
    )
    assert program.name == "test"
    assert program.local_bytes == 32
    assert program.instructions["add.s64"] == 2
    assert program.instructions["mad.wide.u32"] == 1


def test_threads_part_and_meet():
    """Each takes another number of rounds."""
    body = f"""
    ld.b64 %rd0, [%rd8];
    mov.b64 %rd6, 0;
$more:
    add.s64 %rd6, %rd6, %rd0;
    sub.s64 %rd0, %rd0, 1;
    setp.gt.s64 %p0, %rd0, 0;
    @%p0 bra $more;
    bar.warp.sync -1;
    {stored("b64")}
    """
    for schedule in ("together", "one_by_one", "reversed"):
        found = results(body, blocks=2, schedule=schedule)
        assert found == [t * (t + 1) // 2 for t in range(64)]


def test_threads_that_have_parted_come_together():
    """What follows a branch is executed once for all of them."""
    many = 100 * "add.s64 %rd1, %rd1, 1;\n"
    body = f"""
    ld.b64 %rd0, [%rd8];
    setp.gt.u64 %p0, %rd0, 5;
    @%p0 bra $else;
    mov.b64 %rd1, 1;
    bra.uni $end;
$else:
    mov.b64 %rd1, 2;
$end:
    {many}
    """
    memory = {BASE: np.zeros(32 * 8 * CELLS, np.uint8)}
    memory[BASE].view(np.uint64)[::CELLS] = np.arange(32)
    assert 100 < run(Program(entry(body)), memory, [BASE]) < 150


def test_a_branch_by_a_table():
    body = f"""
    ld.b64 %rd0, [%rd8];
    and.b64 %rd0, %rd0, 3;
    cvt.u32.u64 %r0, %rd0;
    mov.b64 %rd6, 100;
$places: .branchtargets
        $end,
        $one,
        $two, $end;
    brx.idx %r0, $places;
$one:
    mov.b64 %rd6, 1;
    bra.uni $end;
$two:
    mov.b64 %rd6, 2;
$end:
    {stored("b64")}
    exit;
    """
    assert results(body) == [100, 1, 2, 100] * 8
    assert results(body.replace("and.b64 %rd0, %rd0, 3", "mov.b64 %rd0, 2")) == [2] * 32
    with pytest.raises(AccessError, match=r"no such label for 7: line \d+: brx.idx"):
        results(body.replace("%rd0, 3", "%rd0, 7"))


VOTES = {
    "vote.sync.all.pred": ("pred", [0, 1, 0, 0]),
    "vote.sync.any.pred": ("pred", [1, 1, 0, 1]),
    "vote.sync.uni.pred": ("pred", [0, 1, 1, 0]),
    "vote.sync.ballot.b32": ("b32", [1 << 3, 2**32 - 1, 0, 2**32 - 1 - 2**31]),
}


@pytest.mark.parametrize("schedule", ["together", "one_by_one", "reversed"])
@pytest.mark.parametrize("name", VOTES)
def test_votes_are_of_a_warp(name, schedule):
    kind, wanted = VOTES[name]
    ballots = np.zeros((4, 32), np.uint64)
    ballots[0, 3] = ballots[1] = ballots[3] = 1
    ballots[3, 31] = 0
    result = {"pred": "%p6", "b32": "%r6"}[kind]
    cells = np.zeros((128, CELLS), np.uint64)
    cells[:, 0] = ballots.ravel()
    body = f"{loaded('pred', 0)}not.pred %p0, %p0;\n{name} {result}, !%p0, 0xFFFFFFFF;\n{{}}ret;"
    program = Program(entry(body.format(stored(kind))))
    run(program, {BASE: cells.reshape(-1).view(np.uint8)}, [BASE], 4, 32, schedule)
    assert cells[:, -1].reshape(4, 32).tolist() == [[each] * 32 for each in wanted]


def test_threads_that_have_ended_have_no_vote():
    body = f"""
    ld.b64 %rd0, [%rd8];
    setp.gt.u64 %p0, %rd0, 5;
    @!%p0 exit;
    vote.sync.all.pred %p1, %p0, -1;
    selp.b64 %rd6, 1, 2, %p1;
    vote.sync.ballot.b32 %r0, !%p0, -1;
    cvt.u64.u32 %rd1, %r0;
    add.s64 %rd6, %rd6, %rd1;
    {stored("b64")}
    """
    assert results(body) == [0] * 6 + [1] * 26
    assert results(body, threads=8) == [0] * 6 + [1] * 2


def test_threads_that_have_ended_execute_nothing():
    """Some come to the end when others have been there."""
    body = f"""
    ld.b64 %rd6, [%rd8];
    setp.gt.u64 %p0, %rd6, 5;
    bra.uni $begin;
$end:
    ld.b64 %rd0, [%rd8+{8 * CELLS - 8}];
    add.s64 %rd6, %rd0, 1;
    {stored("b64")}
    ret;
$begin:
    @%p0 bra $end;
    mov.b64 %rd6, 0;
    bra.uni $end;
    """
    for schedule in ("together", "one_by_one", "reversed"):
        assert results(body, schedule=schedule) == [1] * 32


def test_threads_that_wait_for_others():
    body = """
    ld.b64 %rd0, [%rd8];
    setp.gt.u64 %p0, %rd0, 5;
    @%p0 bra $else;
    bar.warp.sync 0xffffffff;
    ret;
$else:
    vote.sync.any.pred %p1, %p0, -1;
    """
    rule = r"threads of block 0 wait at line \d+: bar.warp.sync \S+ and line \d+: vote.sync.any"
    for schedule in ("together", "one_by_one", "reversed"):
        with pytest.raises(DeadlockError, match=rule):
            results(body, schedule=schedule)


def test_a_mask_without_some_threads():
    rule = r"thread 3 of block 0 has a mask without some: line \d+: bar.warp.sync"
    body = "ld.b64 %rd0, [%rd8];\nsetp.eq.u64 %p0, %rd0, 3;\nselp.b32 %r0, 7, -1, %p0;\n"
    with pytest.raises(DeadlockError, match=rule):
        results(body + "bar.warp.sync %r0;")


@pytest.mark.parametrize("barrier", ["", "bar.warp.sync -1;", "bar.sync 0;"])
def test_schedules_find_threads_that_do_not_wait(barrier):
    """Each reads what its neighbor writes."""
    body = f"""
    ld.b64 %rd0, [%rd8+8];
    st.b64 [%rd8+16], %rd0;
    {barrier}
    xor.b32 %r0, %r8, 1;
    ld.param.u64 %rd1, [test_param_0];
    mad.wide.u32 %rd1, %r0, {8 * CELLS}, %rd1;
    ld.b64 %rd6, [%rd1+16];
    {stored("b64")}
    """
    found = [results(body, schedule=each) for each in ("together", "one_by_one", "reversed")]
    wanted = [10 * (t ^ 1) for t in THREADS]
    assert found[0] == wanted
    assert found[1:] == [wanted] * 2 if barrier else found[1] != wanted != found[2] != found[1]


def test_a_trap():
    body = "ld.b64 %rd0, [%rd8];\nsetp.eq.u64 %p0, %rd0, 40;\n@%p0 trap;\n"
    with pytest.raises(Trapped, match=r"^thread 8 of block 1: line \d+: @%p0 trap"):
        results(body, blocks=2)
    results(body)


OTHERS = {
    *("bra", "bra.uni", "brx.idx", "ret", "exit", "trap", "bar.warp.sync", "bar.sync", *VOTES),
    *("cvta.to.global.u64", "cvta.local.u64", "membar.cta", "fence.acq_rel.gpu"),
    *(f"mov.{t}" for t in ("pred", "b16", "b32", "b64", "u16", "u32", "u64", "s64", "f64")),
    *("ld.param.u32", "ld.param.u64", "ld.param.b64"),
    *("ld.global.v2.b64", "ld.global.nc.v2.b64", "st.v2.b8"),
}
"""Instructions that are tested one by one."""

TESTED = {*OTHERS, *DEFINITIONS, *LOADS, *STORES, *(f"setp.{name}.{t}" for name, t in COMPARED)}


# ------------------------------------------------------------------ errors

OTHER = 1 << 41


@pytest.mark.parametrize(
    ("text", "thread", "address"),
    [
        ("ld.b64 %rd0, [%rd8+4];", 0, BASE + 4),
        ("ld.v2.b64 {%rd0, %rd1}, [%rd8+8];", 0, BASE + 8),
        ("st.b32 [%rd8+2], 1;", 0, BASE + 2),
        ("ld.b8 %r0, [%rd8+4032];", 1, BASE + 4096),
        ("st.b8 [%rd8+4032], 1;", 1, BASE + 4096),
        ("ld.b8 %r0, [%rd8+-1];", 0, BASE - 1),
        ("ld.v2.b64 {%rd0, %rd1}, [%rd8+-16];", 0, BASE - 16),
        (f"ld.b8 %r0, [{OTHER + 8}];", 0, OTHER + 8),
        (f"ld.b8 %r0, [{OTHER - 1}];", 0, OTHER - 1),
        ("ld.b64 %rd0, [0];", 0, 0),
        ("ld.b64 %rd0, [%rd8];\nsetp.lt.u64 %p0, %rd0, 9;\n@%p0 bra $on;\nst.b8 [1], 1;\n$on:",
         9, 1),
        ("ld.b64 %rd0, [%rd8];\nsetp.eq.u64 %p0, %rd0, 9;\nselp.b64 %rd0, 4, 0, %p0;\n"
         "add.s64 %rd0, %rd0, %rd8;\nld.b64 %rd1, [%rd0];", 9, BASE + 9 * 64 + 4),
        ("st.b8 [%rd8+17], 1;\nld.global.nc.b64 %rd0, [%rd8+16];", 0, BASE + 16),
        ("st.b64 [%rd8+16], 1;\nld.global.nc.b8 %r0, [%rd8+18];", 0, BASE + 18),
        (".local .align 8 .b8 own[8];\nmov.b64 %rd0, own;\nld.b64 %rd1, [%rd0+512];", 0, None),
    ],
)  # fmt: skip
def test_places_that_a_thread_may_not_read_or_write(text, thread, address):
    there = "0x[0-9a-f]+" if address is None else hex(address)
    last = text.replace("\n$on:", "").split("\n")[-1].rstrip(";")
    rule = f"^thread {thread} of block 0 has no such place at {there}, .*: {re.escape(last)}$"
    with pytest.raises(AccessError, match=rule):
        results(f"{text}\nret;", memory={OTHER: np.zeros(8, np.uint8)})


def test_threads_may_access_different_memory():
    body = f"""
    ld.b64 %rd0, [%rd8];
    and.b64 %rd0, %rd0, 1;
    setp.eq.u64 %p0, %rd0, 0;
    selp.b64 %rd1, %rd8, {OTHER}, %p0;
    ld.global.nc.b64 %rd6, [%rd1+8];
    {stored("b64")}
    """
    other = np.array([0, 77], np.uint64).view(np.uint8)
    assert results(body, memory={OTHER: other}) == [77 if t % 2 else 10 * t for t in THREADS]


def test_memory_begins_at_a_multiple_of_16():
    with pytest.raises(ValueError, match=r"^an address must be a multiple of 16, got 24$"):
        results("ret;", memory={24: np.zeros(8, np.uint8)})


def test_more_threads_than_a_warp():
    with pytest.raises(ValueError, match=r"^takes up to 32 threads, got 33, 'together'$"):
        results("ret;", threads=33)
    with pytest.raises(ValueError, match=r"got 32, 'random'$"):
        results("ret;", schedule="random")


@pytest.mark.parametrize(
    "text",
    [
        *("add.f64 %rd0, %rd1, %rd2", "mul.f64 %rd0, %rd1, %rd2", "sub.f64 %rd0, %rd1, %rd2"),
        *("fma.f64 %rd0, %rd1, %rd2, %rd3", "add.rz.f64 %rd0, %rd1, %rd2"),
        *("mad.rn.f64 %rd0, %rd1, %rd2, %rd3", "rcp.approx.ftz.f64 %rd0, %rd1"),
        *("add.rn.f32 %r0, %r1, %r2", "add.rn.ftz.f32 %r0, %r1, %r2", "sqrt.approx.f32 %r0, %r1"),
        *("cvt.f64.s64 %rd0, %rd1", "cvt.rn.f32.f64 %r0, %rd1", "cvt.s64.f64 %rd0, %rd1"),
        *("call foo", "activemask.b32 %r0", "shfl.sync.idx.b32 %r0, %r1, 0, 31, -1"),
        *("atom.global.add.u32 %r0, [%rd0], 1", "ld.shared.b32 %r0, [%rd0]", "bar.sync 1"),
        *("bar.sync 0, 16", "add.s64 %rd0, %rd1", "add.s64 %rd0, %r1, %rd2", "add.s64 %rd0, x, 1"),
        *("add.s32 %rd0, %r1, %r2", "add.s32 %r0, 0d3FF0000000000000, %r2", "bra $nowhere"),
        *("add.rn.f64 %rd0, %rd1, 1", "ld.v2.b64 %rd0, [%rd1]", "ld.b64 %r0, [%rd1]"),
        *("setp.lt.and.s64 %p0, %rd0, %rd1", "setp.num.s64 %p0, %rd0, %rd1", "{ ret"),
        *("ld.param.u32 %r0, [test_param_0]", "ld.param.u64 %rd0, [test_param_0+8]"),
        *(".shared .align 4 .b8 x[4]", ".local .align 4 .b8 x[4]; .local .align 4 .b8 y[4]"),
    ],
)
def test_what_is_not_known_is_refused(text):
    given = text.split("; ")[-1]
    with pytest.raises(UnknownInstructionError, match=f"^line 21: .*, got {re.escape(given)}$"):
        Program(entry(f"// here\n{text};\nret;"))


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("", "[]"),
        (2 * entry(""), "['.entry', '.entry']"),
        (entry("", ".func foo() {\nret;\n}"), "['.func', '.entry']"),
    ],
)
def test_a_text_has_one_kernel_and_no_functions(text, given):
    rule = f"must have one entry and no functions, got {given}"
    with pytest.raises(UnknownInstructionError, match=f"^{re.escape(rule)}$"):
        Program(text)


def test_parameters():
    text = entry(
        f"ld.param.u32 %r0, [second];\nld.param.u64 %rd0, [third_3];\ncvt.u64.u32 %rd1, %r0;\n"
        f"sub.s64 %rd6, %rd0, %rd1;\n{stored('b64')}"
    ).replace("test_param_0)", "test_param_0,\n.param .u32 second, .param .u64 third_3\n)")
    cells = np.zeros((1, CELLS), np.uint64)
    program = Program(text)
    memory = {BASE: cells.reshape(-1).view(np.uint8)}
    run(program, memory, [BASE, 5, 47], threads=1)
    assert cells[0, -1] == 42
    with pytest.raises(ValueError, match=r"^zip\(\) argument 2 is shorter"):
        run(program, memory, [BASE, 5])

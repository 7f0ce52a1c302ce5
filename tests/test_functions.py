"""exp and sigmoid against mpmath, and the instructions they become."""

import numpy as np
import pytest
from mpmath import libmp
from numba import njit

from fastgd.kernel.functions import LIMIT, exp_negative, sigmoid
from fastgd.kernel.lanes import native_lanes
from fastgd.kernel.tile import Shape, panel, store, units_of

POINTS = 1_000_000
BITS = 90


@njit(error_model="numpy", _nrt=False)
def apply_exp(shape, x, result):
    for i in range(0, len(x), units_of(shape)):
        store(shape, result, i, 0, exp_negative(panel(shape, x, i)))


@njit(error_model="numpy", _nrt=False)
def apply_sigmoid(shape, x, result):
    for i in range(0, len(x), units_of(shape)):
        store(shape, result, i, 0, sigmoid(panel(shape, x, i)))


@njit(error_model="numpy", _nrt=False)
def multiply_then_add(shape, x, y, z, result):
    for i in range(0, len(x), units_of(shape)):
        store(shape, result, i, 0, panel(shape, x, i) * panel(shape, y, i) + panel(shape, z, i))


def call(kernel, *arrays):
    """Over lanes of 8, padded; the result without the padding."""
    count = len(arrays[0])
    padded = [np.concatenate([np.asarray(a, float), np.zeros(-count % 8)]) for a in arrays]
    result = np.empty_like(padded[0])
    kernel(Shape(1, 8, 1), *padded, result)
    return result[:count]


def exact(x):
    """exp(-x) and 1 / (1 + exp(-x)), each as a double and what is missing from it."""
    parts = np.empty((4, len(x)))
    for i, value in enumerate(x):
        e = libmp.mpf_exp(libmp.from_float(-value), BITS)
        s = libmp.mpf_rdiv_int(1, libmp.mpf_add(libmp.fone, e, BITS), BITS)
        for row, number in ((0, e), (2, s)):
            near = libmp.to_float(number)
            parts[row, i] = near
            parts[row + 1, i] = libmp.to_float(libmp.mpf_sub(number, libmp.from_float(near), BITS))
    return parts[:2], parts[2:]


def ulps(got, expected):
    near, rest = expected
    return np.abs((got - near) - rest) / np.spacing(near)


def test_a_million_points_against_mpmath():
    random = np.random.default_rng(0)
    edges = [-LIMIT, LIMIT, np.nextafter(LIMIT, 0), np.nextafter(-LIMIT, 0), 0.0, 5e-324, -5e-324]
    halves = np.arange(-1021, 1021) * (np.log(2) / 2)  # where n changes, the remainder is largest
    x = np.concatenate(
        [
            edges,
            halves,
            np.nextafter(halves, 0),
            random.uniform(-LIMIT, LIMIT, POINTS // 4),
            random.normal(0, 1, POINTS // 4),
            random.normal(0, 10, POINTS // 4),
            random.normal(0, 1, POINTS // 4) * 10.0 ** random.uniform(-300, 0, POINTS // 4),
        ]
    )
    assert len(x) >= POINTS
    exp, logistic = exact(x)
    assert ulps(call(apply_exp, x), exp).max() <= 1.0
    assert ulps(call(apply_sigmoid, x), logistic).max() <= 2.1


EDGES = [
    (0.0, "0x1.0000000000000p-1"),
    (-0.0, "0x1.0000000000000p-1"),
    (np.inf, "0x1.0000000000000p+0"),
    (-np.inf, "0x0.0p+0"),
    (708.0, "0x1.0000000000000p+0"),
    (np.nextafter(708.0, np.inf), "0x1.0000000000000p+0"),
    (np.nextafter(708.0, 0.0), "0x1.0000000000000p+0"),
    (-708.0, "0x1.7c8ab2288c9abp-1022"),
    (np.nextafter(-708.0, -np.inf), "0x0.0p+0"),
    (np.nextafter(-708.0, 0.0), "0x1.7c8ab2288cca4p-1022"),
    (-1e308, "0x0.0p+0"),
    (1e308, "0x1.0000000000000p+0"),
]


@pytest.mark.parametrize(("x", "expected"), EDGES)
def test_sigmoid_at_the_edges(x, expected):
    assert call(apply_sigmoid, [x])[0].hex() == expected


def test_sigmoid_keeps_nan():
    assert np.isnan(call(apply_sigmoid, [np.nan])[0])


def test_sigmoid_at_the_edges_is_right():
    x = [-708.0, np.nextafter(-708.0, 0.0), 708.0]
    assert ulps(call(apply_sigmoid, x), exact(x)[1]).max() <= 2.1


def assembly(function):
    return "\n".join(function.inspect_asm().values())


def test_nothing_is_fused_that_is_not_written_fused():
    """x * y + z must round twice: LLVM may not contract it."""
    x, y, z = [1 + 2.0**-30], [1 + 2.0**-30], [-1.0]
    assert call(multiply_then_add, x, y, z)[0] == 2.0**-29  # fused: + 2**-60
    for fused in ("vfmadd", "vfmsub", "vfnmadd", "vfnmsub", "fmla"):
        assert fused not in assembly(multiply_then_add)


def body(function):
    """The assembly of the compiled function without its wrapper for Python."""
    return assembly(function).partition("\n_ZN7cpython")[0]


@pytest.mark.skipif(native_lanes() == 2, reason="without FMA instructions, fma is a call by design")
def test_sigmoid_is_packed_and_calls_nothing():
    call(apply_sigmoid, [0.0])
    text = body(apply_sigmoid)
    assert "vfmadd" in text or "fmla" in text
    assert "pd" in text
    assert "vdivsd" not in text
    assert "\tcall" not in text

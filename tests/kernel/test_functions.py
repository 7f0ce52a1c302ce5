"""exp, sigmoid and tanh against mpmath, the other activations, and the instructions they become."""

import numpy as np
import pytest
from mpmath import libmp
from numba import njit

from fastgd.engine.recipe import unit_choice
from fastgd.kernel.iteration.activations import (
    LIMIT,
    activate,
    derivative,
    exp_negative,
    log_1p_exp_negative,
    sigmoid,
    tanh,
)
from fastgd.kernel.language.loads_and_stores import panel, store
from fastgd.kernel.language.specialization import UNCOUNTED
from fastgd.kernel.language.tile import Shape, units_of
from fastgd.kernel.vectorization import native_lanes
from thinning import only

POINTS = 1_000_000
BITS = 90


@njit(**UNCOUNTED)
def apply_exp(shape, x, result):
    for i in range(0, len(x), units_of(shape)):
        store(shape, result, i, 0, exp_negative(panel(shape, x, i)))


@njit(**UNCOUNTED)
def apply_sigmoid(shape, x, result):
    for i in range(0, len(x), units_of(shape)):
        store(shape, result, i, 0, sigmoid(panel(shape, x, i)))


@njit(**UNCOUNTED)
def apply_tanh(shape, x, result):
    for i in range(0, len(x), units_of(shape)):
        store(shape, result, i, 0, tanh(panel(shape, x, i)))


@njit(**UNCOUNTED)
def apply_choice(shape, choice, x, result, slopes):
    for i in range(0, len(x), units_of(shape)):
        v = activate(choice, shape, x, None, panel(shape, x, i))
        store(shape, result, i, 0, v)
        store(shape, slopes, i, 0, derivative(choice, shape, x, None, v))


@njit(**UNCOUNTED)
def apply_log_1p_exp_negative(shape, x, result):
    for i in range(0, len(x), units_of(shape)):
        store(shape, result, i, 0, log_1p_exp_negative(panel(shape, x, i)))


@njit(**UNCOUNTED)
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


@pytest.mark.slow
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


def exact_log_1p_exp_negative(x):
    """log(1 + exp(-x)) as a double and what is missing from it."""
    parts = np.empty((2, len(x)))
    for i, value in enumerate(x):
        e = libmp.mpf_exp(libmp.from_float(-value), 200)
        logarithm = libmp.mpf_log(libmp.mpf_add(libmp.fone, e, 1300), 130)
        near = libmp.to_float(logarithm)
        rest = libmp.mpf_sub(logarithm, libmp.from_float(near), 130)
        parts[:, i] = near, libmp.to_float(rest)
    return parts


@pytest.mark.parametrize("points", only([8000, 64_000], 8000))
def test_log_of_1_plus_exp_against_mpmath(points):
    """From log(2) at 0 to where exp(-x) leaves the normal range, and to where it is 0."""
    random = np.random.default_rng(0)
    x = np.concatenate(
        [
            [0.0, 5e-324, np.log(2), 707.0, 708.0, 708.5, 740.0, 745.0, 745.2, 750.0, 751.0, 1e4],
            np.nextafter(np.log(2), [0, 1]),  # exp(-x) = 1/2: where log(2) is taken off
            random.uniform(0, 1, points * 5 // 8),
            random.uniform(0, 40, points * 5 // 16),
            random.uniform(40, 760, points // 32),
            10.0 ** random.uniform(-300, 0, points // 32),
        ]
    )
    got = call(apply_log_1p_exp_negative, x)
    assert ulps(got, exact_log_1p_exp_negative(x)).max() <= 2.0
    assert call(apply_log_1p_exp_negative, [np.inf, 1e308]).tolist() == [0.0, 0.0]


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


# ---------------------------------------------------------------- tanh


def exact_tanh(x):
    parts = np.empty((2, len(x)))
    for i, value in enumerate(x):
        number = libmp.mpf_tanh(libmp.from_float(value), BITS)
        near = libmp.to_float(number)
        rest = libmp.mpf_sub(number, libmp.from_float(near), BITS)
        parts[:, i] = near, libmp.to_float(rest)
    return parts


@pytest.mark.slow
def test_tanh_at_a_million_points_against_mpmath():
    random = np.random.default_rng(1)
    halves = np.arange(0, 60) * (np.log(2) / 4)  # where n changes, the remainder is largest
    sizes = 10.0 ** random.uniform(-308, 0, POINTS // 4)
    x = np.concatenate(
        [
            [0.0, 5e-324, 1e-310, 2.0**-1022, 19.0, 20.0, np.nextafter(20.0, 0), 700.0, 1e308],
            halves,
            np.nextafter(halves, 0),
            np.nextafter(halves, np.inf),
            random.uniform(0, 21, POINTS // 4),
            np.abs(random.normal(0, 1, POINTS // 4)),
            random.uniform(0, 0.4, POINTS // 4),
            random.uniform(1, 10, POINTS // 4) * sizes,
        ]
    )
    assert len(x) >= POINTS
    x = x * random.choice([-1.0, 1.0], len(x))
    got = call(apply_tanh, x)
    near, rest = exact_tanh(np.abs(x))
    assert ulps(np.abs(got), (near, rest)).max() <= 3.0  # measured: 2.9
    assert (np.signbit(got) == np.signbit(x)).all()
    assert (got == -call(apply_tanh, -x)).all()


@pytest.mark.parametrize("x", [0.0, 5e-324, 1e-310, 2.0**-1022, 1e-300, 1e-20])
def test_tanh_is_its_argument_near_zero(x):
    assert call(apply_tanh, [x, -x]).tolist() == [x, -x]
    assert np.signbit(call(apply_tanh, [x, -x])).tolist() == [False, True]


@pytest.mark.parametrize("x", [20.0, 40.0, 1e308, np.inf])
def test_tanh_saturates(x):
    assert call(apply_tanh, [x, -x]).tolist() == [1.0, -1.0]


def test_tanh_keeps_nan():
    assert np.isnan(call(apply_tanh, [np.nan])[0])


# ---------------------------------------------------------------- all activations

POINTS_OF = [-np.inf, -3.0, -5e-324, -0.0, 0.0, 5e-324, 0.5, 2.0, 1e300, np.inf, np.nan]


def values_and_slopes(name, x):
    padded = np.concatenate([x, np.zeros(-len(x) % 8)])
    result, slopes = np.empty_like(padded), np.empty_like(padded)
    apply_choice(Shape(1, 8, 1), unit_choice(name, {}), padded, result, slopes)
    return result[: len(x)], slopes[: len(x)]


def test_relu():
    values, slopes = values_and_slopes("relu", POINTS_OF)
    expected = [0.0, 0.0, 0.0, 0.0, 0.0, 5e-324, 0.5, 2.0, 1e300, np.inf, np.nan]
    np.testing.assert_array_equal(values, expected)
    assert slopes.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0]


def test_identity():
    values, slopes = values_and_slopes("identity", POINTS_OF)
    assert values.tobytes() == np.array(POINTS_OF).tobytes()
    assert slopes.tolist() == [1.0] * len(POINTS_OF)


@pytest.mark.parametrize(
    ("name", "derivative"),
    [("sigmoid", lambda v: v * (1 - v)), ("tanh", lambda v: 1 - v * v)],
)
def test_slopes_follow_from_values(name, derivative):
    x = np.random.default_rng(0).normal(size=100)
    values, slopes = values_and_slopes(name, x)
    np.testing.assert_allclose(slopes, derivative(values), rtol=1e-14, atol=1e-16)
    close = call({"sigmoid": apply_sigmoid, "tanh": apply_tanh}[name], x)
    assert values.tobytes() == close.tobytes()


@pytest.mark.skipif(native_lanes() == 2, reason="without FMA instructions, fma is a call by design")
def test_tanh_is_packed_and_calls_nothing():
    call(apply_tanh, [0.0])
    text = body(apply_tanh)
    assert "vfmadd" in text or "fmla" in text
    assert "vdivsd" not in text
    assert "\tcall" not in text

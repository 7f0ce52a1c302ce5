"""The elementary functions: how exact they are, what they do at the edges, and the same bits."""

import inspect
from fractions import Fraction

import numpy as np
import pytest
from numba import njit

from accuracy import LARGEST, SUBJECTS, worst
from fastgd import functions
from fastgd.engine.formula_values import evaluate
from fastgd.kernel.bytecode import FUNCTIONS, value
from fastgd.kernel.iteration.elementary import PIECES
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import UNCOUNTED, Choice
from fastgd.kernel.language.tile import Shape, runs_of
from fastgd.kernel.vectorization import native_lanes
from thinning import only

POINTS = 3000
"""Of each function; ``python tests/accuracy.py`` draws a million."""

INF, NAN, MAX, TINY = np.inf, np.nan, np.finfo(float).max, 5e-324

AT = [0.0, -0.0, INF, -INF, NAN, TINY, -TINY, 1.0, -1.0, MAX, -MAX]

EDGES = {
    "exp": [1.0, 1.0, INF, 0.0, NAN, 1.0, 1.0, 2.718281828459045, 0.36787944117144233, INF, 0.0],
    "expm1": [
        0.0,
        -0.0,
        INF,
        -1.0,
        NAN,
        TINY,
        -TINY,
        1.7182818284590453,
        -0.6321205588285577,
        INF,
        -1.0,
    ],
    "log": [-INF, -INF, INF, NAN, NAN, -744.4400719213812, NAN, 0.0, NAN, 709.782712893384, NAN],
    "log1p": [
        0.0,
        -0.0,
        INF,
        NAN,
        NAN,
        TINY,
        -TINY,
        0.6931471805599453,
        -INF,
        709.782712893384,
        NAN,
    ],
    "sigmoid": [
        0.5,
        0.5,
        1.0,
        0.0,
        NAN,
        0.5,
        0.5,
        0.7310585786300049,
        0.2689414213699951,
        1.0,
        0.0,
    ],
    "tanh": [
        0.0,
        -0.0,
        1.0,
        -1.0,
        NAN,
        TINY,
        -TINY,
        0.7615941559557649,
        -0.7615941559557649,
        1.0,
        -1.0,
    ],
    "sin": [
        0.0,
        -0.0,
        NAN,
        NAN,
        NAN,
        TINY,
        -TINY,
        0.8414709848078965,
        -0.8414709848078965,
        0.004961954789184062,
        -0.004961954789184062,
    ],
    "cos": [
        1.0,
        1.0,
        NAN,
        NAN,
        NAN,
        1.0,
        1.0,
        0.5403023058681398,
        0.5403023058681398,
        -0.9999876894265599,
        -0.9999876894265599,
    ],
    "tan": [
        0.0,
        -0.0,
        NAN,
        NAN,
        NAN,
        TINY,
        -TINY,
        1.5574077246549023,
        -1.5574077246549023,
        -0.004962015874444895,
        0.004962015874444895,
    ],
    "asin": [
        0.0,
        -0.0,
        NAN,
        NAN,
        NAN,
        TINY,
        -TINY,
        1.5707963267948966,
        -1.5707963267948966,
        NAN,
        NAN,
    ],
    "acos": [
        1.5707963267948966,
        1.5707963267948966,
        NAN,
        NAN,
        NAN,
        1.5707963267948966,
        1.5707963267948966,
        0.0,
        3.141592653589793,
        NAN,
        NAN,
    ],
    "atan": [
        0.0,
        -0.0,
        1.5707963267948966,
        -1.5707963267948966,
        NAN,
        TINY,
        -TINY,
        0.7853981633974483,
        -0.7853981633974483,
        1.5707963267948966,
        -1.5707963267948966,
    ],
    "sinh": [
        0.0,
        -0.0,
        INF,
        -INF,
        NAN,
        TINY,
        -TINY,
        1.1752011936438014,
        -1.1752011936438014,
        INF,
        -INF,
    ],
    "cosh": [1.0, 1.0, INF, INF, NAN, 1.0, 1.0, 1.5430806348152437, 1.5430806348152437, INF, INF],
    "asinh": [
        0.0,
        -0.0,
        INF,
        -INF,
        NAN,
        TINY,
        -TINY,
        0.881373587019543,
        -0.881373587019543,
        710.4758600739439,
        -710.4758600739439,
    ],
    "acosh": [NAN, NAN, INF, NAN, NAN, NAN, NAN, 0.0, NAN, 710.4758600739439, NAN],
    "atanh": [0.0, -0.0, NAN, NAN, NAN, TINY, -TINY, INF, -INF, NAN, NAN],
    "log2": [-INF, -INF, INF, NAN, NAN, -1074.0, NAN, 0.0, NAN, 1024.0, NAN],
    "log10": [
        -INF,
        -INF,
        INF,
        NAN,
        NAN,
        -323.3062153431158,
        NAN,
        0.0,
        NAN,
        308.25471555991675,
        NAN,
    ],
    "erf": [
        0.0,
        -0.0,
        1.0,
        -1.0,
        NAN,
        TINY,
        -TINY,
        0.8427007929497149,
        -0.8427007929497149,
        1.0,
        -1.0,
    ],
    "sqrt": [
        0.0,
        -0.0,
        INF,
        NAN,
        NAN,
        2.2227587494850775e-162,
        NAN,
        1.0,
        NAN,
        1.3407807929942596e154,
        NAN,
    ],
    "abs": [0.0, 0.0, INF, INF, NAN, TINY, TINY, 1.0, 1.0, MAX, MAX],
    "sign": [0.0, -0.0, 1.0, -1.0, NAN, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0],
    "relu": [0.0, -0.0, INF, 0.0, NAN, TINY, 0.0, 1.0, 0.0, MAX, 0.0],
    "floor": [0.0, -0.0, INF, -INF, NAN, 0.0, -1.0, 1.0, -1.0, MAX, -MAX],
}
"""Values at these places."""

WORST = 6381956970095103 * 2.0**797  # of all doubles the nearest to a multiple of pi / 2

THRESHOLDS = {
    "exp": {
        709.782712893384: 1.7976931348622732e308,
        709.7827128933841: INF,
        -708.3964185322641: 2.2250738585072626e-308,
        -745.1332191019411: TINY,
        -745.1332191019412: 0.0,
    },
    "expm1": {709.782712893384: 1.7976931348622732e308, 709.7827128933841: INF, -38.0: -1.0},
    "sigmoid": {36.0: 1 - 2.0**-52, 37.0: 1 - 2.0**-53, 38.0: 1.0, -745.1332191019411: TINY},
    "tanh": {19.0: 1 - 2.0**-53, 19.1: 1.0, -1e300: -1.0},
    "sinh": {710.4758600739439: 1.7976931348621744e308, 710.475860073944: INF},
    "cosh": {710.4758600739439: 1.7976931348621744e308, 710.475860073944: INF},
    "log": {1 - 2.0**-53: -(2.0**-53), 1 + 2.0**-52: 2.0**-52 - 2.0**-105},
    "log2": {8.0: 3.0, 2.0**-1074: -1074.0, 2.0**1023: 1023.0},
    "log10": {1e22: 22.0, 1000.0: 3.0, 1e-5: -5.0},
    "sin": {np.pi: 1.2246467991473532e-16, WORST: 1.0},
    "cos": {np.pi / 2: 6.123233995736766e-17, WORST: -4.687165924254628e-19},
    "tan": {np.pi / 2: 16331239353195370.0},
    "acos": {0.5: 1.0471975511965979, 1 - 2.0**-53: 1.4901161193847656e-08},
    "asin": {0.5: 0.5235987755982989, -0.5: -0.5235987755982989},
    "atan": {1e300: np.pi / 2, 2.414213562373095: 1.1780972450961724},
}


@pytest.mark.parametrize("name", EDGES)
def test_values_at_the_edges(name):
    beside = THRESHOLDS.get(name, {})
    got = evaluate(name, [*AT, *beside])
    expected = np.array([*EDGES[name], *beside.values()])
    np.testing.assert_array_equal(got, expected)
    there = ~np.isnan(expected)
    assert (np.signbit(got) == np.signbit(expected))[there].all()


def test_every_function_has_its_edges_and_its_exact_value():
    assert FUNCTIONS.keys() == SUBJECTS.keys()
    assert FUNCTIONS.keys() - {"pow"} == EDGES.keys() - {"sqrt", "abs", "sign", "relu", "floor"}
    assert {*functions.__all__} - {"fma", "maximum", "minimum", "where"} <= EDGES.keys()


@pytest.mark.parametrize("name", SUBJECTS)
def test_functions_are_within_two_units_in_the_last_place(name):
    error, at = worst(name, POINTS)
    assert error <= LARGEST, at


def test_the_bits_of_two_by_pi():
    from mpmath import mp

    with mp.workprec(1400):
        bits = int(mp.floor(2 / mp.pi * mp.mpf(2) ** (32 * (len(PIECES) - 2))))
    assert [int(piece) for piece in PIECES[:2]] == [0, 0]
    assert sum(int(piece) << 32 * k for k, piece in enumerate(PIECES[:1:-1])) == bits


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_angles_leave_their_neighbors_alone(name):
    """They are reduced in a branch of their own, one by one."""
    x = np.array([0.5, 1e300, -2.0, INF, 3e9, NAN, -1e22, 2.0**27])
    alone = [evaluate(name, at) for at in x]
    assert evaluate(name, x).tobytes() == np.array(alone).tobytes()


SPECIAL = [0.0, 1.0, 0.5, 2.0, 3.0, 2.5, INF, TINY, 1e308, 2.0**53 + 2, 1e-20]


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value", "ignore:overflow")
def test_powers_at_the_edges_are_those_of_c():
    x, y = map(np.ravel, np.meshgrid(*[[*SPECIAL, *(-s for s in SPECIAL), NAN]] * 2))
    got, expected = evaluate("pow", x, y), x**y
    np.testing.assert_allclose(got, expected, rtol=4e-16, atol=0)
    there = ~np.isnan(expected)
    assert (np.signbit(got) == np.signbit(expected))[there].all()


def test_whole_powers_are_exact_where_they_can_be():
    x, y = map(np.ravel, np.meshgrid(np.arange(1.0, 60), np.arange(9.0)))
    assert evaluate("pow", x, y).tolist() == [
        float(int(a) ** int(b)) for a, b in zip(x, y, strict=True)
    ]


def test_the_smaller_and_the_larger():
    a = np.array([1.0, 2.0, NAN, 1.0, NAN, 0.0, -0.0, INF])
    b = np.array([2.0, 1.0, 1.0, NAN, NAN, -0.0, 0.0, -INF])
    smaller, larger = evaluate("minimum", a, b), evaluate("maximum", a, b)
    np.testing.assert_array_equal(smaller, [1, 1, NAN, NAN, NAN, 0, 0, -INF])
    np.testing.assert_array_equal(larger, [2, 2, NAN, NAN, NAN, 0, 0, INF])
    # The left one of two equal ones.
    assert np.signbit(smaller[5:7]).tolist() == np.signbit(larger[5:7]).tolist() == [False, True]


def test_a_fused_multiply_add_is_rounded_once():
    """Of exact fractions; in about half of them two roundings give another number."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 2000))
    c = np.where(random.random(2000) < 0.5, -a * b * (1 + 1e-15 * random.normal(size=2000)), b)
    exact = [
        float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)
    ]
    assert evaluate("fma", a, b, c).tolist() == exact
    assert (a * b + c != exact).mean() > 0.3


def test_where_takes_from_one_or_the_other():
    got = evaluate("where", [True, False, True], [NAN, NAN, -0.0], 7)
    np.testing.assert_array_equal(got, [NAN, 7, 0])
    assert np.signbit(got[2])


@pytest.mark.parametrize("name", [*EDGES, "pow"])
def test_any_nan_stays_nan(name):
    """Not all of them have an upper half only, which exponents are added to."""
    bits = [0x7FF8000000000001, 0x7FF0000000000FFF, -1, -0x0007FFFFFFFFFF00, 0x7FF00000000007A2]
    x = np.array(bits, np.int64).view(float)
    assert np.isnan(x).all()
    assert np.isnan(evaluate(name, *[x] * (2 if name == "pow" else 1))).all()


# ---------------------------------------------------------------- as code


@njit(**UNCOUNTED)
def apply_function(shape, choice, x, result):
    for i in range(0, len(x), runs_of(shape)):
        tile = load(shape, x, i, 0)
        store(shape, result, i, 0, value(choice, tile, tile))


@pytest.mark.skipif(native_lanes() == 2, reason="without FMA instructions, fma is a call by design")
@pytest.mark.parametrize("name", only(["exp", "log", "sin", "pow"], "pow"))
def test_functions_call_nothing(name):
    """No function of the C library's is left."""
    x = np.linspace(-3.0, 3.0, 16)
    result = np.empty_like(x)
    apply_function(Shape(1, 1, 8), Choice(name), x, result)
    assert result.tobytes() == evaluate(name, *[x] * (2 if name == "pow" else 1)).tobytes()
    [text] = [text for kinds, text in apply_function.inspect_asm().items() if name in str(kinds[1])]
    text = text.partition("\n_ZN7cpython")[0]  # without what Python calls
    assert "\tret" in text
    assert "\tcall" not in text


# ---------------------------------------------------------------- fastgd.functions


def test_the_public_functions_are_these():
    for name in functions.__all__:
        given = [name == "where" or 0.25, 0.75, 0.5][
            -len(inspect.signature(getattr(functions, name)).parameters) :
        ]
        assert getattr(functions, name)(*given) == evaluate(name, *given)


def test_shapes_and_kinds_of_what_comes_back():
    assert isinstance(evaluate("exp", 0), float)
    assert isinstance(evaluate("exp", np.float32(0.5)), float)
    assert evaluate("exp", np.zeros((2, 0))).shape == (2, 0)
    assert evaluate("maximum", np.zeros((2, 1)), np.ones(700)).shape == (2, 700)
    x = np.arange(12.0).reshape(3, 4)[:, ::2]
    assert evaluate("sqrt", x).tolist() == np.sqrt(x).tolist()
    assert x.flags.writeable


@pytest.mark.parametrize(
    ("name", "given", "kind", "message"),
    [
        ("exp", ["a"], TypeError, r"the arguments of exp\(\) must be real numbers, got 'a'"),
        ("exp", [1j], TypeError, r"the arguments of exp\(\) must be real numbers"),
        ("exp", [True], TypeError, r"the arguments of exp\(\) must be real numbers, got True"),
        ("exp", [None], TypeError, r"the arguments of exp\(\) must be real numbers, got None"),
        (
            "where",
            [1.0, 2, 3],
            TypeError,
            r"the arguments of where\(\) must be True or False, got 1.0",
        ),
        (
            "minimum",
            [[1, 2], [1, 2, 3]],
            ValueError,
            r"minimum\(\) must have shapes that can be broadcast, got \(2,\) and \(3,\)",
        ),
        (
            "maximum",
            [np.zeros((10**6, 1)), np.zeros(10**6)],
            ValueError,
            r"the result of maximum\(\) must fit into the available memory",
        ),
    ],
)
def test_what_is_no_number_is_refused(name, given, kind, message):
    with pytest.raises(kind, match=message):
        evaluate(name, *given)

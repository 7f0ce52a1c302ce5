"""Every message of checks.py, what passes, and that nothing else ever comes out."""

import re
import tracemalloc
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases import XOR_X, XOR_Y
from fastgd.arguments.axes import as_axis, check_axes
from fastgd.arguments.initial_network import (
    check_alpha,
    check_hidden_size,
    check_start,
    check_weights,
)
from fastgd.arguments.samples import check_inputs, check_samples
from fastgd.checks import numbers as memory
from fastgd.checks.numbers import array_of, check_count, check_flag, check_seed, check_threads
from thinning import only

X, Y = XOR_X.tolist(), XOR_Y.ravel().tolist()
NETWORK = [np.ones((3, 2)), np.ones((2, 1))]
HUGE = 10**5000  # more digits than Python turns into a string
MASKED = np.ma.masked_equal([1.0, 2.0], 2.0)


class Sparse:
    """What a SciPy sparse matrix looks like."""

    nnz = 1
    toarray = None


class Hostile:
    """An object that fails at whatever it is asked for."""

    def _fail(self, *_args, **_kwargs):
        raise RuntimeError

    __array__ = __index__ = __float__ = __repr__ = _fail


class TooBig:
    """An object that there is no memory for, as an array."""

    def __array__(self, dtype=None, copy=None):
        raise MemoryError

    def __repr__(self):
        return "TooBig()"


def rows(*groups):
    """One test case for each value of groups (error, rule, [(value, what came), ...])."""
    return pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            pytest.param(value, error, f"{rule}, got {came}", id=f"{rule[:30]}, got {came[:20]}")
            for error, rule, cases in groups
            for value, came in cases
        ],
    )


def refused(error, message, call, *args, **kwargs):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(*args, **kwargs)


# ---- data

MATRIX = "X must have shape (samples, inputs)"


@rows(
    (
        ValueError,
        MATRIX,
        [
            ([1, 2, 3], "shape (3,): use X.reshape(-1, 1) for one input"),
            (3.0, "shape ()"),
            (np.ones((4, 1, 1)), "shape (4, 1, 1)"),
        ],
    ),
    (
        ValueError,
        "X must not be empty",
        [([], "shape (0,)"), (np.ones((0, 3)), "shape (0, 3)"), ([[], []], "shape (2, 0)")],
    ),
    (
        TypeError,
        "X must hold real numbers",
        [
            ([["a"]], "[['a']] (dtype str32)"),
            ("abc", "'abc' (dtype str96)"),
            (None, "None (dtype object)"),
            ({"a": 1}, "{'a': 1} (dtype object)"),
            ([[1j]], "[[1j]] (dtype complex128)"),
            (
                np.ma.array([(1, 2.0)], mask=True, dtype="i4,f8"),
                "masked_array(data=[(--, --)]...'f0', '<i4'), ('f1', '<f8')]) (dtype void96)",
            ),
            ([[2**64]], "[[18446744073709551616]] (dtype object)"),
            (
                np.array([["2015-07-27"]], "M8[D]"),
                "array([['2015-07-27']], dtype='datetime64[D]') (dtype datetime64[D])",
            ),
        ],
    ),
    (
        ValueError,
        "X must be numbers in rows of equal length",
        [([[1, 2], [3]], "[[1, 2], [3]]"), ([1, [2]], "[1, [2]]")],
    ),
    (ValueError, "X must fit into memory", [(TooBig(), "TooBig()")]),
    (TypeError, "X must be dense", [(Sparse(), "a sparse Sparse: use X.toarray()")]),
    (
        ValueError,
        "X must be finite",
        [
            ([[0, np.nan]], "nan at [0, 1]"),
            ([[1], [np.inf]], "inf at [1, 0]"),
            ([[-np.inf, np.nan]], "-inf at [0, 0]"),
            ([[np.longdouble("1e4000")]], "inf at [0, 0]"),
        ],
    ),
    (
        ValueError,
        "X must have no masked values",
        [
            (MASKED, "masked_array(data=[1.0, --],...True], fill_value=2.0)"),
            ([MASKED, MASKED], "[masked_array(data=[1.0, --],...True], fill_value=2.0), m..."),
        ],
    ),
)
def test_bad_x_is_refused(value, error, message):
    refused(error, message, check_samples, value, Y)


@rows(
    (ValueError, "y must not be empty", [([], "shape (0,)"), (np.ones((4, 0)), "shape (4, 0)")]),
    (
        ValueError,
        "y must have shape (samples,) or (samples, outputs)",
        [(1, "shape ()"), (np.ones((4, 1, 1)), "shape (4, 1, 1)")],
    ),
    (ValueError, "X and y must have the same number of samples", [([0, 1, 1], "4 and 3")]),
    (ValueError, "y must be finite", [([0, 1, np.inf, 0], "inf at [2]")]),
    (TypeError, "y must hold real numbers", [(list("abcd"), "['a', 'b', 'c', 'd'] (dtype str32)")]),
    (ValueError, "y must be numbers in rows of equal length", [([0, [1]], "[0, [1]]")]),
)
def test_bad_y_is_refused(value, error, message):
    refused(error, message, check_samples, X, value)


def test_an_object_that_fails_to_be_an_array_or_an_int_is_refused():
    with pytest.raises(TypeError, match=r"^X must be an array of numbers, got <Hostile instance"):
        check_samples(Hostile(), Y)
    with pytest.raises(TypeError, match=r"^seed must be an int, got <Hostile instance"):
        check_seed(Hostile())


def test_absurd_ranges_are_refused_unread(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 8 * 10**9)
    message = "y must fit into the available memory (8 GB), got a need of"
    refused(ValueError, f"{message} 8 TB", check_samples, X, range(10**12))
    refused(ValueError, f"{message} 4.43e+05 PB", check_samples, X, range(10**30))


def test_a_range_becomes_an_array_without_a_list():
    tracemalloc.start()
    try:
        y = array_of("y", range(10**6))
        assert tracemalloc.get_traced_memory()[1] < 9 * 10**6
    finally:
        tracemalloc.stop()
    assert np.array_equal(y, np.arange(10**6))
    for odd in (range(5, -6, -3), range(2**63 - 3, 2**63 - 1), range(2**63, 2**63 + 2)):
        assert array_of("y", odd).tolist() == list(odd)


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", ">i4", "f2", "f4", "f8", ">f8", "g"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_all_real_dtypes_and_memory_orders_become_one(dtype, order):
    inputs, outputs = check_samples(np.array(X, dtype, order=order), np.array(Y, dtype))
    for array, values, shape in ((inputs, X, (4, 3)), (outputs, Y, (4, 1))):
        assert type(array) is np.ndarray
        assert array.dtype == np.dtype("f8")
        assert array.shape == shape
        assert array.flags.c_contiguous
        assert np.array_equal(array.ravel(), np.ravel(values))


def test_read_only_and_unaligned_data_become_writeable_and_aligned():
    unaligned = np.frombuffer(bytearray(8 * 12 + 1), offset=1).reshape(4, 3)
    unaligned[:] = X
    assert not unaligned.flags.aligned
    read_only = np.array(Y, dtype=float)
    read_only.flags.writeable = False
    inputs, outputs = check_samples(unaligned, read_only)
    assert inputs.flags.aligned
    assert outputs.flags.writeable
    assert inputs.tolist() == X


def test_data_in_the_right_form_is_not_copied():
    given = np.array(X, dtype=float)
    assert check_samples(given, Y)[0] is given


def test_masked_arrays_without_masked_values_pass():
    assert check_samples(np.ma.array(X), np.ma.array(Y))[0].tolist() == X


def test_data_frames_pass():
    frame = pandas.DataFrame(X, columns=["a", "b", "c"]).assign(y=Y)
    inputs, outputs = check_samples(frame[["a", "b", "c"]], frame["y"])
    assert inputs.tolist() == X
    assert outputs.ravel().tolist() == Y


@pytest.mark.parametrize(
    ("cells", "came"),
    [
        ([1, "red"], "'red' in column 'color', row 1"),
        (pandas.to_datetime(["2020-01-01", "2020-01-02"]), "in column 'color', row 0"),
        (pandas.Categorical(["a", "b"]), "'a' in column 'color', row 0"),
    ],
)
def test_a_column_of_a_data_frame_that_holds_no_numbers_is_named(cells, came):
    frame = pandas.DataFrame({"size": [1.0, 2.0], "color": cells}, dtype=object)
    with pytest.raises(TypeError, match=f"^X must hold real numbers, got .*{came}$"):
        check_samples(frame, [0, 1])


@pytest.mark.parametrize(
    ("cells", "kind", "came"),
    [
        ([1, None], "Int64", "a missing value"),
        ([True, None], "boolean", "a missing value"),
        ([1, None], "object", "a missing value"),
        ([1, np.inf], "Float64", "inf"),
    ],
)
def test_a_cell_of_a_data_frame_that_is_not_finite_is_named(cells, kind, came):
    frame = pandas.DataFrame({"size": [1.0, 2.0], "rooms": pandas.array(cells, dtype=kind)})
    with pytest.raises(ValueError, match=f"got {came} in column 'rooms', row 1$"):
        check_samples(frame, [0, 1])


def test_a_column_of_a_data_frame_with_a_huge_int_is_named():
    frame = pandas.DataFrame({"rooms": [1, 10**400]}, dtype=object)
    with pytest.raises(ValueError, match="got an int above 1e308 in column 'rooms'"):
        check_samples(frame, [0, 1])


def test_columns_of_one_name_are_read_as_by_numpy():
    frame = pandas.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    assert check_samples(frame, [0, 1])[0].tolist() == [[1, 2], [3, 4]]


@rows(
    (
        ValueError,
        "X must have one column for each input of the network (3)",
        [([[1, 2]], "shape (1, 2)")],
    ),
    (
        ValueError,
        MATRIX,
        [
            ([1, 2, 3], "shape (3,): use X.reshape(1, -1) for one sample"),
            ([1, 2], "shape (2,): use X.reshape(-1, 1) for one input"),
        ],
    ),
    (ValueError, "X must be finite", [([[1, 2, np.inf]], "inf at [0, 2]")]),
)
def test_bad_inputs_are_refused(value, error, message):
    refused(error, message, check_inputs, value, 3)


def test_a_list_of_samples_with_one_input_gets_the_hint_for_that():
    message = f"{MATRIX}, got shape (1,): use X.reshape(-1, 1) for one input"
    refused(ValueError, message, check_inputs, [1], 1)


# ---- weights


@rows(
    (
        TypeError,
        "weights must be a list or tuple of one (inputs, outputs) array per layer",
        [(np.ones((2, 1)), "array([[1.], [1.]])"), ({0: 1}, "{0: 1}"), ("ab", "'ab'")],
    ),
    (ValueError, "weights must have at least one layer", [([], "[]"), ((), "()")]),
    (
        ValueError,
        "weights[0] must have shape (3, outputs), one row for each input of X",
        [([np.ones((2, 1))], "shape (2, 1)"), ([np.ones(3)], "shape (3,)")],
    ),
    (
        ValueError,
        "weights[1] must have shape (2, outputs), one row for each output of weights[0]",
        [((np.ones((3, 2)), np.ones((3, 1))), "shape (3, 1)")],
    ),
    (
        ValueError,
        "weights[1] must have one column for each output of y (1)",
        [([np.ones((3, 2)), np.ones((2, 2))], "shape (2, 2)")],
    ),
    (
        ValueError,
        "weights[1] must be finite",
        [([np.ones((3, 2)), [[0], [np.nan]]], "nan at [1, 0]")],
    ),
    (TypeError, "weights[0] must hold real numbers", [([[["a"]]], "[['a']] (dtype str32)")]),
    (ValueError, "weights[0] must not be empty", [([np.ones((3, 0))], "shape (3, 0)")]),
)
def test_bad_weights_are_refused(value, error, message):
    refused(error, message, check_weights, value, 3, 1)


@pytest.mark.parametrize("hidden_size", [4, (4,), 2, (2,)])
def test_weights_overrule_the_default_hidden_size(hidden_size):
    sizes, start = check_start(hidden_size, NETWORK, 3, 1)
    assert sizes == (2,)
    assert start is not None
    assert [layer.shape for layer in start.weights] == [(3, 2), (2, 1)]
    assert start[1:] == ((), ())


def test_without_weights_the_hidden_size_is_as_given():
    assert check_start((5, 6), None, 3, 1) == ((5, 6), None)


@rows(
    (
        ValueError,
        "hidden_size must be left out or that of the weights, (2,)",
        [(3, "3"), ((), "()"), ((2, 2), "(2, 2)")],
    )
)
def test_weights_beside_another_hidden_size_are_refused(value, error, message):
    refused(error, message, check_start, value, NETWORK, 3, 1)


# ---- settings


@rows(
    (ValueError, "hidden_size must be at least 1", [(0, "0"), (-3, "-3")]),
    (ValueError, "hidden_size[1] must be at least 1", [((4, 0), "0")]),
    (ValueError, f"hidden_size must be at most {2**62}", [(2**63, f"{2**63}")]),
    (TypeError, "hidden_size[1] must be an int", [((4, 2.0), "2.0"), ((4, (2,)), "(2,)")]),
    (
        TypeError,
        "hidden_size must be an int or a tuple with one per hidden layer",
        [
            (4.0, "4.0"),
            (True, "True"),
            (np.True_, "True"),
            (None, "None"),
            ("4", "'4'"),
            ([4, 8], "[4, 8]"),
            (np.array([4, 8]), "array([4, 8])"),
        ],
    ),
)
def test_bad_hidden_sizes_are_refused(value, error, message):
    refused(error, message, check_hidden_size, value)


@pytest.mark.parametrize(
    ("value", "sizes"),
    [(4, (4,)), ((), ()), ((4, 8), (4, 8)), (np.int8(3), (3,)), (np.array(3), (3,))],
)
def test_good_hidden_sizes_pass(value, sizes):
    result = check_hidden_size(value)
    assert result == sizes
    assert all(type(size) is int for size in result)


@rows(
    (
        ValueError,
        "alpha must be a finite number above 0",
        [
            (-1.0, "-1.0"),
            (np.float64(-1), "-1.0"),
            (np.array(0.0), "0.0"),
            (0, "0"),
            (np.inf, "inf"),
            (np.nan, "nan"),
            (10**400, f"1{'0' * 27}...{'0' * 29}"),
        ],
    ),
    (ValueError, "alpha[1] must be a finite number above 0", [((1, 0.0), "0.0")]),
    (
        ValueError,
        "alpha must be a number or a tuple with one per layer of weights (2)",
        [((1, 2, 3), "(1, 2, 3)"), ((), "()")],
    ),
    (
        TypeError,
        "alpha[1] must be a number or a tuple with one per layer of weights",
        [((1, "2"), "'2'")],
    ),
    (
        TypeError,
        "alpha must be a number or a tuple with one per layer of weights",
        [
            ("1", "'1'"),
            (True, "True"),
            (1j, "1j"),
            (None, "None"),
            ([1, 2], "[1, 2]"),
            (np.array([1.0, 2.0]), "array([1., 2.])"),
            (Decimal(1), "Decimal('1')"),
        ],
    ),
)
def test_bad_alphas_are_refused(value, error, message):
    refused(error, message, check_alpha, value, 2)


@pytest.mark.parametrize(
    ("value", "rates"),
    [
        (1, (1.0, 1.0)),
        (np.float32(0.5), (0.5, 0.5)),
        (np.array(2), (2.0, 2.0)),
        (Fraction(1, 4), (0.25, 0.25)),
        (5e-324, (5e-324, 5e-324)),
        ((1, 2.5), (1.0, 2.5)),
    ],
)
def test_good_alphas_pass(value, rates):
    result = check_alpha(value, 2)
    assert result == rates
    assert all(type(rate) is float for rate in result)


@rows(
    (ValueError, "iterations must be at least 1", [(0, "0"), (np.int64(-1), "-1")]),
    (ValueError, f"iterations must be at most {2**62}", [(2**62 + 1, f"{2**62 + 1}")]),
    (
        TypeError,
        "iterations must be an int",
        [
            (3.0, "3.0"),
            (np.float64(3), "3.0"),
            (True, "True"),
            ("3", "'3'"),
            ("x" * 100, f"'{'x' * 27}...{'x' * 28}'"),
            ([[10**5] * 9] * 9, "[[100000, 100000, 100000, 100000, 100000, 100000, ...], [..."),
            (np.ones((2, 2)), "array([[1., 1.], [1., 1.]])"),
        ],
    ),
)
def test_bad_counts_are_refused(value, error, message):
    refused(error, message, check_count, "iterations", value)


@pytest.mark.parametrize("value", [1, 2**62, np.uint64(7), np.array(7)])
def test_good_counts_pass(value):
    count = check_count("iterations", value)
    assert count == value
    assert type(count) is int


def test_numbers_too_long_for_words_are_refused():
    message = f"iterations must be at most {2**62}, got a value of type int"
    refused(ValueError, message, check_count, "iterations", HUGE)
    message = "alpha must be a finite number above 0, got a value of type int"
    refused(ValueError, message, check_alpha, HUGE, 2)


@rows(
    (ValueError, "seed must be at least 0", [(-1, "-1")]),
    (ValueError, f"seed must be at most {2**32 - 1}", [(2**32, f"{2**32}")]),
    (TypeError, "seed must be an int", [(1.5, "1.5"), (None, "None"), ((1, 2), "(1, 2)")]),
)
def test_bad_seeds_are_refused(value, error, message):
    refused(error, message, check_seed, value)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_numpy_takes_the_first_and_the_last_seed(seed):
    np.random.RandomState(check_seed(seed))


@rows(
    (ValueError, "threads must be at least 1", [(0, "0")]),
    (ValueError, "threads must be at most 8", [(9, "9")]),
    (TypeError, "threads must be an int", [(2.0, "2.0")]),
)
def test_bad_threads_are_refused(value, error, message):
    refused(error, message, check_threads, value, 8)


def test_threads_left_open_are_all():
    assert check_threads(None, 8) == 8
    assert check_threads(3, 8) == 3


def test_flags():
    assert check_flag("progress", True) is True
    assert check_flag("progress", np.False_) is False
    message = "progress must be True or False, got 1"
    refused(TypeError, message, check_flag, "progress", 1)


# ---- axes


@pytest.mark.parametrize(
    ("name", "value", "axis"),
    [
        ("hidden_size", [4, (8, 8), ()], [4, (8, 8), ()]),
        ("seed", range(3), [0, 1, 2]),
        ("seed", np.arange(3), [0, 1, 2]),
        ("alpha", np.array([0.5, 2]), [0.5, 2.0]),
        ("alpha", np.array([[1.0, 2.0], [3.0, 4.0]]), [(1.0, 2.0), (3.0, 4.0)]),
        ("alpha", np.float64(1), None),
        ("alpha", np.array(1.0), None),
        ("alpha", (1, 2), None),
        ("hidden_size", (), None),
        ("hidden_size", 4, None),
        ("seed", None, None),
        ("weights", None, None),
        ("weights", NETWORK, None),
        ("weights", tuple(NETWORK), None),
        ("weights", [[[1.0], [2.0]]], None),
        ("weights", [], None),
    ],
)
def test_axes_and_single_values_are_told_apart(name, value, axis):
    result = as_axis(name, value)
    assert result == axis
    assert not any(isinstance(element, np.generic) for element in result or [])


@pytest.mark.parametrize(
    "axis",
    [[tuple(NETWORK), NETWORK], [[[[1.0], [2.0], [3.0]]]]],
    ids=["arrays", "lists"],
)
def test_a_list_of_weights_is_an_axis(axis):
    values = as_axis("weights", axis)
    assert values is not None
    for value, weights in zip(values, axis, strict=True):
        assert value is weights
        check_weights(value, 3, 1)


def test_a_series_is_an_axis():
    assert as_axis("alpha", pandas.Series([0.5, 1.0])) == [0.5, 1.0]


@rows(
    (
        ValueError,
        "an axis of alpha must have at least one value",
        [
            ([], "[]"),
            (range(0), "range(0, 0)"),
            (np.ones((0, 2)), "array([], shape=(0, 2), dtype=float64)"),
        ],
    ),
    (
        TypeError,
        "alpha must be one value, or a list, range or 1-D array of values as an axis",
        [({1}, "{1}"), ({1: 2}, "{1: 2}"), ("0.1,1", "'0.1,1'"), (b"1", "b'1'")],
    ),
    (
        ValueError,
        "an axis of alpha must be 1-D",
        [(np.ones((2, 2, 2)), "shape (2, 2, 2)")],
    ),
    (
        ValueError,
        "alpha must have no masked values",
        [(MASKED, "masked_array(data=[1.0, --],...True], fill_value=2.0)")],
    ),
)
def test_bad_axes_are_refused(value, error, message):
    refused(error, message, as_axis, "alpha", value)


def test_seeds_are_no_tuple_and_no_matrix():
    message = "seed must be one value, or a list, range or 1-D array of values as an axis"
    refused(TypeError, f"{message}, got (1, 2)", as_axis, "seed", (1, 2))
    message = "an axis of seed must be 1-D, got shape (1, 2)"
    refused(ValueError, message, as_axis, "seed", np.array([[1, 2]]))


def test_an_iterator_is_no_axis_and_stays_unread():
    iterator = iter([1, 2])
    with pytest.raises(TypeError, match=r"^seed must be one value, or .*, got <list_iterator"):
        as_axis("seed", iterator)
    assert next(iterator) == 1


def test_absurd_axes_are_refused_unread(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 8 * 10**9)
    message = "an axis of seed must fit into the available memory (8 GB), got a need of"
    refused(ValueError, f"{message} 80 TB", as_axis, "seed", range(10**12))
    refused(ValueError, f"{message} 7.38e+05 PB", as_axis, "seed", range(10**30))


@pytest.mark.parametrize("name", ["hidden_size", "seed"])
def test_axes_that_weights_replace_are_refused(name):
    check_axes(["alpha", name], weights_given=False)
    check_axes(["alpha", "weights"], weights_given=True)
    message = f"{name} must not be an axis where weights are given, since they replace it, got both"
    refused(ValueError, message, check_axes, ["alpha", name], weights_given=True)


# ---- anything else

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.fractions()
    | st.decimals()
    | st.dates()
    | st.sampled_from([2**62, 2**64, 10**400, np.ma.masked, Ellipsis, int])
    | st.builds(lambda: HUGE)
    | st.builds(Hostile)
    | st.builds(TooBig)
    | st.builds(Sparse)
)
dtypes = (
    hnp.scalar_dtypes()
    | hnp.byte_string_dtypes()
    | hnp.array_dtypes(max_size=2)
    | st.just(np.dtype(object))
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, shapes))
ranges = st.builds(range, st.integers(-3, 3), st.sampled_from([0, 2, 5, 10**12, 10**30]))

masked_arrays = st.builds(
    lambda array: np.ma.masked_array(array, mask=True),
    hnp.arrays(st.sampled_from([np.dtype(t) for t in ("f8", "i2", "U3", "O", "i4,f8")]), shapes),
)
leaves = scalars | arrays | ranges | masked_arrays
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers(0, 3), inner, max_size=2)
        | st.lists(inner, max_size=2).map(iter)
    ),
    max_leaves=8,
)
CALLS = {
    "X": lambda value: check_samples(value, Y),
    "y": lambda value: check_samples(X, value),
    "inputs": lambda value: check_inputs(value, 3),
    "weights": lambda value: check_weights(value, 3, 1),
    "start": lambda value: check_start(value, NETWORK, 3, 1),
    "hidden_size": check_hidden_size,
    "alpha": lambda value: check_alpha(value, 2),
    "count": lambda value: check_count("iterations", value),
    "seed": check_seed,
    "threads": lambda value: check_threads(value, 2),
    "flag": lambda value: check_flag("progress", value),
    **{
        f"axis of {name}": lambda value, name=name: as_axis(name, value)
        for name in ("hidden_size", "alpha", "seed", "weights")
    },
}


def is_taken_or_refused_with_a_rule(value):
    for name, call in CALLS.items():
        try:
            call(value)
        except (ValueError, TypeError) as error:
            message = str(error)
            if not re.match(r"[\w\[\] ]+ must .*, got .", message) or len(message) > 200:
                pytest.fail(f"{name}: {message}")


@pytest.mark.filterwarnings("ignore:Warning. converting a masked element:UserWarning")
@pytest.mark.parametrize("examples", only([30, 100], 30))
def test_whatever_comes_is_taken_or_refused_with_a_rule(examples):
    settings(max_examples=examples)(given(anything)(is_taken_or_refused_with_a_rule))()


matrices = hnp.arrays(
    st.sampled_from([np.dtype(t) for t in ("?", "i2", "u8", ">f4", "f8")]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=4),
)


@given(matrices, st.data())
def test_what_is_given_stays_as_it_is(matrix, data):
    y = data.draw(hnp.arrays(np.int8, len(matrix)))
    before = matrix.tobytes(), y.tobytes()
    with suppress(ValueError):  # not finite
        check_samples(matrix, y)
        check_inputs(matrix, matrix.shape[1])
        for layer in check_weights([matrix], *matrix.shape):
            layer[:] = 7
    assert (matrix.tobytes(), y.tobytes()) == before


@given(matrices, st.data())
def test_values_arrive_and_the_first_that_is_not_finite_is_named(matrix, data):
    values = matrix.astype(float)
    values[~np.isfinite(values)] = 0
    assert np.array_equal(check_inputs(values, values.shape[1]), values)
    at = data.draw(st.tuples(*(st.integers(0, side - 1) for side in values.shape)))
    values[at] = values[-1, -1] = np.nan
    refused(
        ValueError,
        f"X must be finite, got nan at {list(at)}",
        check_inputs,
        values,
        values.shape[1],
    )

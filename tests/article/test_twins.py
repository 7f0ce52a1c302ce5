import numpy as np
import pytest

from fastgd.article.comparison import COUNT, ERROR, EXACT, WEIGHT, Mark, compare, twins
from fastgd.engine.network import first_weights


def mark(values, published, form):
    return compare(np.array(values), published, form).mark


# Marks


def test_an_error_agrees_if_its_twelve_digits_are_the_published_ones():
    assert mark([0.1234567890124999] * 3, 0.123456789012, ERROR) is Mark.AGREES
    assert mark([0.12345678901250001] * 3, 0.123456789012, ERROR) is Mark.DIFFERS


def test_trailing_zeros_are_digits_too():
    # Python 2 dropped them: 0.12523107366 stands for 0.125231073660.
    assert mark([0.12523107366049] * 2, 0.12523107366, ERROR) is Mark.AGREES
    assert mark([0.12523107366051] * 2, 0.12523107366, ERROR) is Mark.DIFFERS


def test_a_weight_agrees_if_its_eight_decimals_are_the_published_ones():
    assert mark([-116.600533794] * 2, -116.60053379, WEIGHT) is Mark.AGREES
    assert mark([-116.600533796] * 2, -116.60053379, WEIGHT) is Mark.DIFFERS


def test_a_count_agrees_only_if_it_is_the_same():
    assert mark([7, 7], 7, COUNT) is Mark.AGREES
    assert mark([7, 7], 8, COUNT) is Mark.DIFFERS
    assert mark([7, 9], 8, COUNT) is Mark.WITHIN


def test_within_the_spread_is_three_standard_deviations_from_the_mean():
    values = [0.2, 0.1, 0.3, 0.1, 0.3]  # mean 0.2, standard deviation 0.0894427
    assert mark(values, 0.2 + 0.26, ERROR) is Mark.WITHIN
    assert mark(values, 0.2 - 0.26, ERROR) is Mark.WITHIN
    assert mark(values, 0.2 + 0.27, ERROR) is Mark.DIFFERS
    assert mark(values, 0.2 - 0.27, ERROR) is Mark.DIFFERS


def test_the_run_itself_is_compared_not_the_mean():
    assert mark([0.25, 0.35, 0.35], 0.25, ERROR) is Mark.AGREES
    assert mark([0.35, 0.25, 0.25], 0.25, ERROR) is Mark.WITHIN


def test_half_a_unit_of_the_last_published_digit_is_granted():
    # The twins straddle the boundary by less than the published number's own rounding.
    values = np.array([0.1234567890125001, 0.1234567890124997])
    assert mark(values, 0.123456789012, ERROR) is Mark.WITHIN
    assert mark(values, 0.123456789011, ERROR) is Mark.DIFFERS


def test_a_run_that_is_not_a_number_never_agrees():
    assert mark([np.nan, 0.5], 0.5, ERROR) is Mark.DIFFERS


def test_a_table_is_as_good_as_its_worst_number():
    values = np.array([[1.0, 2.0, 3.0], [1.0, 2.5, 3.0]])
    assert compare(values, [1.0, 2.0, 3.0], ERROR).mark is Mark.AGREES
    assert compare(values, [1.0, 2.2, 3.0], ERROR).mark is Mark.WITHIN
    compared = compare(values, [1.0, 2.2, 4.0], ERROR)
    assert compared.mark is Mark.DIFFERS
    assert compared.marks.tolist() == ["agrees", "within the spread", "differs"]
    assert compared.part(1).mark is Mark.WITHIN


def test_no_published_numbers_no_marks():
    compared = compare(np.ones((3, 2)), None, ERROR)
    assert compared.marks is None
    assert compared.mark is None
    assert compared.part(0).published is None


def test_published_numbers_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"must have shape \(2,\), got \(3,\)"):
        compare(np.ones((4, 2)), [1, 1, 1], ERROR)


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ([0.5, 0.5], EXACT),
        ([0.0, 0.0], EXACT),
        ([0.5, np.nextafter(0.5, 1)], 15),
        ([0.12345, 0.12346], 4),
        ([1.0, -1.0], 0),
        ([0.0, 1e-300], 0),
        ([np.nan, 1.0], 0),
    ],
)
def test_stable_digits_follow_the_range_of_run_and_twins(values, digits):
    assert compare(np.array(values), None, ERROR).digits == digits


# Twins


def test_twins_differ_by_one_unit_in_the_last_place_and_from_each_other():
    weights = first_weights((3, 4, 1), 1)
    made = twins(weights)
    assert len(made) == 63
    assert len({tuple(np.concatenate([layer.ravel() for layer in w])) for w in made}) == 63
    for twin in made:
        assert any((a != b).any() for a, b in zip(twin, weights, strict=True))
        for moved, layer in zip(twin, weights, strict=True):
            up, down = np.nextafter(layer, np.inf), np.nextafter(layer, -np.inf)
            assert ((moved == layer) | (moved == up) | (moved == down)).all()


def test_twins_are_always_the_same_and_leave_the_weights_alone():
    weights = first_weights((3, 4, 1), 1)
    np.random.seed(5)  # noqa: NPY002  the global state must not matter
    first = twins(weights)
    np.testing.assert_equal(twins(weights), first)
    np.testing.assert_equal(weights, first_weights((3, 4, 1), 1))


def test_a_network_of_two_weights_has_eight_twins():
    assert len(twins(first_weights((2, 1), 1))) == 8

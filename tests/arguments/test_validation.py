"""Held-out samples: what is taken, what is refused."""

import re

import numpy as np
import pandas as pd
import pytest

from fastgd.arguments.samples import check_validation

X = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
Y = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]


def test_none_is_none():
    assert check_validation(None, 2, 1) is None


@pytest.mark.parametrize("kind", [np.array, list, pd.DataFrame])
def test_pairs_and_triples(kind):
    inputs, outputs, weight = check_validation((kind(X), kind(Y)), 2, 2)
    np.testing.assert_array_equal(inputs, X)
    np.testing.assert_array_equal(outputs, Y)
    assert weight is None
    assert check_validation([kind(X), kind(Y), None], 2, 2).weight is None
    assert check_validation((X, Y, [0, 1, 2]), 2, 2).weight.tolist() == [0.0, 1.0, 2.0]


def test_one_output_may_be_1d():
    validation = check_validation((X, [1, 2, 3]), 2, 1)
    assert validation.y.tolist() == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array(X), "validation must be a tuple (X, y) or (X, y, sample_weight), got array"),
        (3, "validation must be a tuple (X, y) or (X, y, sample_weight), go"),
        ((X,), "validation must be a tuple (X, y)"),
        ((X, Y, [1, 1, 1], 3), "validation must be a tuple (X, y)"),
        (
            ([[1.0]], Y),
            "validation[0] must have shape (samples, 2), the columns of X, got shape (1, 1)",
        ),
        (([1.0, 2.0], Y), "validation[0] must have shape (samples, 2), the columns of X, got"),
        (
            (X, [1.0, 2.0, 3.0]),
            "validation[1] must have shape (samples, 2), the columns of y, got shape (3, 1)",
        ),
        ((X, [Y]), "validation[1] must have shape (samples, 2), the columns of y, got shape (1,"),
        ((X, Y[:2]), "validation must have X and y of the same number of samples, got 3 and 2"),
        ((np.empty((0, 2)), np.empty((0, 2))), "validation[0] must not be empty, got shape (0, 2)"),
        (([*X, [0, np.nan]], Y), "validation[0] must be finite, got nan at [3, 1]"),
        ((X, [[1, np.inf]] * 3), "validation[1] must be finite, got inf at [0, 1]"),
        ((["a"], Y), "validation[0] must hold real numbers, got ['a']"),
        ((X, Y, [1]), "validation[2] must have shape (3,), one for each sample of validation[0]"),
        ((X, Y, [1, -1, 0]), "validation[2] must be at least 0, got -1.0 at [1]"),
        ((X, Y, [0, 0, 0]), "validation[2] must have a finite sum above 0, got a sum of 0.0"),
        ((X, Y, [np.nan, 1, 1]), "validation[2] must be finite, got nan at [0]"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(value, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        check_validation(value, 2, 2)

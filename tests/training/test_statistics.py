"""Curves, quartiles and shares of runs, compared with NumPy and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.training import statistics

SETTINGS = {"iterations": 60, "record_every": 20}


@pytest.fixture(scope="module")
def sweep():
    sizes = {"hidden_size": [(), 4], "alpha": [1.0, 10.0, 0.1], "seed": range(5)}
    return fastgd.sweep(XOR_X, XOR_Y, **sizes, l2=[0.0, 0.01], **SETTINGS)


def test_a_curve_ends_at_the_final_error(xor):
    run = fastgd.train(*xor, **SETTINGS)
    iterations, errors = statistics.error_curves(run)
    assert iterations.tolist() == [0, 20, 40, 60]
    assert errors.tolist() == [*run.errors, run.final_error]


def test_a_run_that_converged_stays_where_it_is(xor):
    seeds = list(range(8))
    sweep = fastgd.sweep(*xor, alpha=10, seed=seeds, tolerance=0.05, iterations=110, record_every=9)
    assert set(sweep.status) == {"converged", "finished"}
    iterations, errors = statistics.error_curves(sweep)
    assert iterations[-1] == 110
    for row, seed in zip(errors, seeds, strict=True):
        alone = sweep[seed]
        before = iterations < alone.iterations
        assert (row[before] == alone.errors[: before.sum()]).all()
        assert (row[~before] == alone.final_error).all()


def test_curves_end_where_the_last_run_ended(xor):
    sweep = fastgd.sweep(*xor, alpha=[10], tolerance=0.4, iterations=10_000, record_every=9)
    iterations, errors = statistics.error_curves(sweep)
    assert iterations[-1] == sweep.iterations[0] < 100
    assert errors[0, -1] == sweep.final_error[0]
    assert np.isfinite(errors).all()


def test_curves_of_validation_errors(xor):
    run = fastgd.train(*xor, **SETTINGS)
    rule = "^validation errors need a result with a validation set .*, got one without$"
    with pytest.raises(ValueError, match=rule):
        statistics.error_curves(run, validation=True)
    held = replace(run, validation_errors=2 * run.errors, final_validation_error=7.0)
    iterations, errors = statistics.error_curves(held, validation=True)
    assert iterations.tolist() == [0, 20, 40, 60]
    assert errors.tolist() == [*(2 * run.errors), 7.0]
    assert statistics.error_curves(held)[1].tolist() == [*run.errors, run.final_error]


def test_folds_and_weightings_are_repetitions(sweep):
    axes = dict(zip(("fold", "sample_weight", "l2", "seed"), sweep.axes.values(), strict=True))
    first, second = statistics.groups(replace(sweep, axes=axes), sweep.final_error)
    assert (first.setting, second.setting) == ({"l2": 0.0}, {"l2": 0.01})
    assert (second.values == sweep.final_error[:, :, 1].ravel()).all()
    along = statistics.groups(replace(sweep, axes=axes), sweep.final_error, along="fold")
    assert (next(along).values == sweep.final_error[:, :, 0].reshape(2, -1)).all()


def test_groups_have_all_seeds_of_a_setting(sweep):
    found = list(statistics.groups(sweep, sweep.final_error))
    assert len(found) == 12
    assert found[1].setting == {"hidden_size": (), "alpha": 1.0, "l2": 0.01}
    assert (found[1].values == sweep.final_error[0, 0, 1]).all()
    last = list(statistics.groups(sweep, sweep.errors))[-1]
    assert (last.values == sweep.errors[1, 2, 1]).all()


def test_groups_along_an_axis(sweep):
    found = list(statistics.groups(sweep, sweep.final_error, along="alpha"))
    assert [group.setting["hidden_size"] for group in found] == [(), (), (4,), (4,)]
    assert found[2].values.shape == (3, 5)
    assert (found[2].values == sweep.final_error[1, :, 0]).all()


def test_axes_of_one_value_are_no_setting(xor):
    sweep = fastgd.sweep(*xor, alpha=[1.0], seed=[3], **SETTINGS)
    (group,) = statistics.groups(sweep, sweep.final_error)
    assert group.setting == {}
    assert group.values.shape == (1,)


def test_initial_weights_count_as_seeds(xor):
    starts = [(np.full((3, 4), value), np.ones((4, 1))) for value in (0.1, 0.2, 0.3)]
    sweep = fastgd.sweep(*xor, alpha=[1, 10], weights=starts, **SETTINGS)
    assert [group.values.shape for group in statistics.groups(sweep, sweep.final_error)] == [
        (3,)
    ] * 2


def test_quartiles_pass_over_what_is_no_number():
    values = np.random.default_rng(1).random((9, 4))
    values[0, 1] = values[:, 2] = np.nan
    low, median, high = statistics.quartiles(values)
    assert (median[[0, 3]] == np.median(values[:, [0, 3]], axis=0)).all()
    assert median[1] == np.median(values[1:, 1])
    assert low[3] == np.quantile(values[:, 3], 0.25)
    assert high[3] == np.quantile(values[:, 3], 0.75)
    assert np.isnan([low[2], median[2], high[2]]).all()
    turned = statistics.quartiles(values.T, axis=1)
    assert np.array_equal(turned.low, low, equal_nan=True)


@pytest.mark.parametrize(("count", "runs"), [(0, 20), (1, 20), (13, 20), (20, 20), (1, 1)])
def test_the_interval_is_wilsons(count, runs):
    errors = np.where(np.arange(runs) < count, 0.01, 0.3)
    share = statistics.solved(errors)
    theirs = binomtest(count, runs).proportion_ci(method="wilson")
    assert share.solved == count
    assert share.share == count / runs
    assert (share.low, share.high) == pytest.approx(tuple(theirs), abs=1e-12)
    assert 0 <= share.low <= share.share <= share.high <= 1


def test_the_threshold_itself_and_no_number_are_not_solved():
    share = statistics.solved([[0.1, 0.0999, np.nan], [0.2, 0.2, 0.2]])
    assert share.solved.tolist() == [1, 0]
    assert statistics.solved([0.2], threshold=0.3).solved == 1


@pytest.mark.parametrize(
    ("threshold", "error", "message"),
    [
        (0, ValueError, "threshold must be a finite number above 0, got 0"),
        (np.nan, ValueError, "threshold must be a finite number above 0, got nan"),
        ("1", TypeError, "threshold must be a number, got '1'"),
    ],
)
def test_a_bad_threshold_is_rejected(threshold, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        statistics.solved([0.1], threshold)


def test_no_network_with_a_wrong_output_is_below_the_threshold():
    right = np.array([0.0, 1.0, 1.0, 0.0])
    outputs = np.array([0.0, 1.0, 1.0, 0.5])  # one on the edge, the others perfect
    assert np.abs(right - outputs).mean() > statistics.SOLVED

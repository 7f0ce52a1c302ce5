"""When a run of the reference is over, and its summary: from the errors of the same run whole.

The kernel's endings are compared with it in tests/training/test_methods.py (all below "when a run
is over"), errors that equal the tolerance or the smallest one to the last bit.
"""

from functools import cache

import numpy as np
import pytest

from cases import XOR_X, XOR_Y
from fastgd import Run, reference

X, Y = XOR_X, XOR_Y


@cache
def whole(iterations, **settings):
    """Errors e_0 to e_iterations, the last one being that of the last weights."""
    run = reference.train(X, Y, iterations=iterations, record_every=1, **settings)
    return run, np.append(run.errors, run.final_error)


def same(a: Run, b: Run):
    for one, other in zip(
        [*a.weights, *a.biases, *a.direction_changes, *a.bias_direction_changes],
        [*b.weights, *b.biases, *b.direction_changes, *b.bias_direction_changes],
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert a.final_error == b.final_error


BATCHES = [{}, {"batch_size": 2}, {"batch_size": 3, "dropout": 0.2}]
BATCHES.append({"batch_size": 2, "sampling": "adaptive", "sampling_rate": 0.1})


def looked_at(iterations, options):
    """The iterations whose error counts."""
    size = options.get("batch_size", 4)
    return sorted({*range(0, iterations, -(-4 // size)), iterations})


@pytest.mark.parametrize("options", BATCHES)
@pytest.mark.parametrize("tolerance", [0.4, 0.3])
def test_tolerance(tolerance, options):
    settings = {"alpha": 10.0, "bias": True} | options
    _, errors = whole(900, **settings)
    end = next(j for j in looked_at(900, options) if errors[j] < tolerance)
    assert end < 850
    run = reference.train(X, Y, iterations=900, record_every=7, tolerance=tolerance, **settings)
    assert (run.status, run.iterations) == ("converged", end)
    assert run.final_error == errors[end]
    same(run, reference.train(X, Y, iterations=end, **settings))
    reached = run.recorded <= end
    assert 1 < reached.sum() < len(reached) == 129
    assert run.errors[reached].tolist() == errors[run.recorded[reached]].tolist()
    assert np.isnan(run.errors[~reached]).all()


def test_a_run_may_be_over_before_its_first_update():
    run = reference.train(X, Y, iterations=50, record_every=10, tolerance=0.6)
    assert (run.status, run.iterations) == ("converged", 0)
    assert run.final_error == run.errors[0]
    assert np.isnan(run.errors[1:]).all()
    assert all((changes == 0).all() for changes in run.direction_changes)


def test_a_run_may_converge_with_its_last_update():
    _, errors = whole(40, alpha=10.0)
    assert errors[40] < errors[39] == errors[:40].min()
    between = (errors[39] + errors[40]) / 2
    run = reference.train(X, Y, alpha=10.0, iterations=40, tolerance=between)
    assert (run.status, run.iterations) == ("converged", 40)
    # below, not at
    run = reference.train(X, Y, alpha=10.0, iterations=40, tolerance=errors[40])
    assert (run.status, run.iterations) == ("finished", 40)


def test_a_record_at_the_end_is_the_final_error():
    _, errors = whole(60, alpha=10.0)
    run = reference.train(X, Y, alpha=10.0, iterations=60, record_every=1, tolerance=errors[30])
    assert run.iterations == 31
    assert run.errors[31] == run.final_error
    assert np.isnan(run.errors[32:]).all()


@pytest.mark.parametrize("options", BATCHES)
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_patience(patience, options):
    settings = {"alpha": 150.0, "hidden_size": 3, "seed": 2} | options
    _, errors = whole(400, **settings)
    end, smallest = None, 0
    for j in looked_at(400, options):
        if errors[j] < errors[smallest]:
            smallest = j
        if j - smallest >= patience:
            end = j
            break
    assert end is not None
    run = reference.train(X, Y, iterations=400, patience=patience, summary=3, **settings)
    assert (run.status, run.iterations) == ("stalled", end)
    assert run.summary.smallest_iteration == smallest
    same(run, reference.train(X, Y, iterations=end, **settings))


def test_an_equal_error_is_no_smaller_one():
    # An input that is 0 leaves the weight, and with it the error, as it is.
    run = reference.train([[0.0]], [1.0], hidden_size=(), iterations=50, patience=8, summary=1)
    assert (run.status, run.iterations) == ("stalled", 8)
    assert run.summary.smallest_iteration == 0


@pytest.mark.parametrize("options", BATCHES)
@pytest.mark.parametrize("window", [1, 4, 10**6])
def test_summary(window, options):
    settings = {"alpha": 20.0, "hidden_size": 3} | options
    _, errors = whole(61, **settings)
    run = reference.train(X, Y, iterations=61, record_every=1, summary=window, **settings)
    at = looked_at(61, options)
    looked = errors[at]
    assert run.status == "finished"
    assert run.summary.smallest_error == looked.min()
    assert run.summary.smallest_iteration == at[looked.argmin()]
    assert run.summary.tail_mean == pytest.approx(looked[-window:].mean() / looked[0], rel=1e-13)
    assert run.summary.error_sum == pytest.approx((looked / looked[0]).sum(), rel=1e-13)
    assert run.summary.inverse_sum == pytest.approx((looked[0] / looked).sum(), rel=1e-13)


def test_a_summary_stops_with_its_run():
    _, errors = whole(200, alpha=10.0)
    run = reference.train(X, Y, alpha=10.0, iterations=200, tolerance=0.2, summary=4)
    looked = errors[: run.iterations + 1]
    assert run.summary.smallest_error == run.final_error == looked[-1]
    assert run.summary.tail_mean == pytest.approx(looked[-4:].mean() / looked[0], rel=1e-13)
    assert run.summary.error_sum == pytest.approx(looked.sum() / looked[0], rel=1e-13)
    assert reference.train(X, Y, iterations=1).summary is None


def test_looking_changes_nothing():
    settings = {"alpha": 10.0, "iterations": 90, "record_every": 8}
    plain = reference.train(X, Y, **settings)
    watched = reference.train(X, Y, **settings, summary=5, tolerance=1e-9, patience=1000)
    same(plain, watched)
    assert plain.errors.tolist() == watched.errors.tolist()
    assert (watched.status, watched.iterations) == ("finished", 90)


# Identity and a rate that is too large: the error grows by a constant factor until it overflows.
GROWING = {"X": [[1.0]], "y": [1.0], "weights": [[[0.0]]], "output": "identity", "alpha": 1e30}


@pytest.mark.parametrize("options", [{}, {"summary": 2}, {"bias": True, "biases": [[0.0]]}])
def test_a_weight_that_is_not_finite_ends_the_run(options):
    run = reference.train(**GROWING, iterations=40, record_every=3, **options)
    assert run.status == "diverged"
    assert 5 < run.iterations < 20
    assert np.isnan(run.final_error)
    assert not np.isfinite(run.weights[0]).all()
    reached = run.recorded < run.iterations
    assert np.isfinite(run.errors[reached]).all()
    assert np.isnan(run.errors[~reached]).all()
    before = reference.train(**GROWING, iterations=run.iterations - 1, **options)
    assert before.status == "finished"
    assert np.isfinite(before.final_error)
    assert before.summary == run.summary or "summary" in options
    last = reference.train(**GROWING, iterations=run.iterations, **options)
    assert (last.status, last.iterations) == ("diverged", run.iterations)
    assert last.direction_changes[0] == run.direction_changes[0] > 0


def test_a_bias_that_is_not_finite_ends_the_run_too():
    run = reference.train(
        [[0.0]],
        [1.0],
        weights=[[[0.0]]],
        biases=[[0.0]],
        output="identity",
        alpha=1e30,
        bias=True,
        iterations=40,
    )
    assert run.status == "diverged"
    assert np.isfinite(run.weights[0]).all()
    assert not np.isfinite(run.biases[0]).all()


# The weight stays finite, and its product with the input does not.
BURSTING = {"X": [[1e200]], "y": [1.0], "output": "identity", "hidden_size": ()}
BURSTING |= {"alpha": 1e-90, "weights": [[[0.0]]]}


@pytest.mark.parametrize(
    ("options", "record_every"), [({}, 1), ({"summary": 3}, 100), ({"patience": 50}, 100)]
)
def test_an_error_that_is_not_finite_ends_the_run(options, record_every):
    run = reference.train(**BURSTING, iterations=40, record_every=record_every, **options)
    assert (run.status, run.iterations) == ("diverged", 1)
    assert np.isfinite(run.weights[0]).all()
    assert run.final_error == np.inf
    if record_every == 1:
        assert run.errors[:2].tolist() == [1.0, np.inf]
        assert np.isnan(run.errors[2:]).all()
    if options.get("summary"):
        assert run.summary == (1.0, 0, 1.0, 1.0, 1.0)


def test_a_last_error_that_is_not_finite_is_no_finish():
    run = reference.train(**BURSTING, iterations=1)
    assert (run.status, run.iterations, run.final_error) == ("diverged", 1, np.inf)


def test_what_was_given_stands_in_the_run():
    assert reference.train(X, Y, iterations=1).options == {}
    assert reference.train(X, Y, iterations=1, l2=0.01, bias=False, patience=3).options == {
        "l2": 0.01,
        "patience": 3,
    }


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="dropuot"):
        reference.train(X, Y, dropuot=0.1)
    with pytest.raises(ValueError, match="dropout"):
        reference.train(X, Y, dropout=1.0)

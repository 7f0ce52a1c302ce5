"""The oracle itself: against the article's listings and numbers, and against its derivative.

Of the compiled training, which is compared with this one in tests/training (test_training.py,
`test_agrees_with_the_reference`; test_methods.py), tests/article/test_comparison.py asks for the
same numbers, and test_objective.py for the same derivative.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import LINE_X, LINE_Y, XOR_X, XOR_Y
from fastgd import reference
from thinning import only

X, Y = XOR_X, XOR_Y

# Errors, and direction changes of both synapses, as printed in part 5 of the article.
PUBLISHED = {
    0.01: (
        "0.496410031903 0.457431074442 0.359097202563 "
        "0.239358137159 0.143070659013 0.0985964298089",
        [[1, 1, 0, 0], [2, 0, 0, 2], [4, 2, 1, 1]],
        [2, 1, 0, 1],
    ),
    10: (
        "0.496410031903 0.00312938876301 0.00214459557985 "
        "0.00172397549956 0.00147821451229 0.00131274062834",
        [[7, 19, 2, 6], [7, 2, 0, 22], [19, 26, 9, 17]],
        [22, 15, 4, 15],
    ),
    1000: (
        "0.496410031903 0.5 0.5 0.5 0.5 0.5",
        [[3, 2, 4, 1], [1, 2, 2, 1], [6, 6, 4, 1]],
        [7, 7, 7, 3],
    ),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def outputs(X, weights):
    for layer in weights:
        X = sigmoid(X @ layer)
    return X


def listing(X, y, hidden_size, alpha, iterations, record_every):
    """Part 5 of the article, "Let's Take a Closer Look", line by line (Python 3, no prints)."""
    random = np.random.RandomState(1)
    synapse_0 = 2 * random.random_sample((X.shape[1], hidden_size)) - 1
    synapse_1 = 2 * random.random_sample((hidden_size, y.shape[1])) - 1
    prev_synapse_0_weight_update = np.zeros_like(synapse_0)
    prev_synapse_1_weight_update = np.zeros_like(synapse_1)
    synapse_0_direction_count = np.zeros_like(synapse_0)
    synapse_1_direction_count = np.zeros_like(synapse_1)
    errors = []
    for j in range(iterations):
        layer_0 = X
        layer_1 = sigmoid(np.dot(layer_0, synapse_0))
        layer_2 = sigmoid(np.dot(layer_1, synapse_1))
        layer_2_error = y - layer_2
        if (j % record_every) == 0:
            errors.append(np.mean(np.abs(layer_2_error)))
        layer_2_delta = layer_2_error * (layer_2 * (1 - layer_2))
        layer_1_error = layer_2_delta.dot(synapse_1.T)
        layer_1_delta = layer_1_error * (layer_1 * (1 - layer_1))
        synapse_1_weight_update = layer_1.T.dot(layer_2_delta)
        synapse_0_weight_update = layer_0.T.dot(layer_1_delta)
        if j > 0:
            synapse_0_direction_count += np.abs(
                ((synapse_0_weight_update > 0) + 0) - ((prev_synapse_0_weight_update > 0) + 0)
            )
            synapse_1_direction_count += np.abs(
                ((synapse_1_weight_update > 0) + 0) - ((prev_synapse_1_weight_update > 0) + 0)
            )
        synapse_1 += alpha * synapse_1_weight_update
        synapse_0 += alpha * synapse_0_weight_update
        prev_synapse_0_weight_update = synapse_0_weight_update
        prev_synapse_1_weight_update = synapse_1_weight_update
    return (
        errors,
        (synapse_0, synapse_1),
        (synapse_0_direction_count, synapse_1_direction_count),
    )


@pytest.mark.parametrize("alpha", only(PUBLISHED, 10))
def test_the_first_published_errors_come_out_to_every_digit(alpha):
    """One more than the first of all: compiled, 60,000 iterations take no time, here seconds."""
    errors, *_ = PUBLISHED[alpha]
    run = reference.train(X, Y, hidden_size=4, alpha=alpha, iterations=10_001)
    assert [f"{error:.12g}" for error in run.errors] == errors.split()[:2]


@pytest.mark.slow
@pytest.mark.parametrize("alpha", PUBLISHED)
def test_the_published_numbers_come_out_to_every_digit(alpha):
    errors, *changes = PUBLISHED[alpha]
    run = reference.train(X, Y, hidden_size=4, alpha=alpha)
    assert [f"{error:.12g}" for error in run.errors] == errors.split()
    for got, printed in zip(run.direction_changes, changes, strict=True):
        assert got.tolist() == np.reshape(printed, got.shape).tolist()


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(("hidden_size", "alpha"), [(4, 10.0), (3, 0.1), (32, 10.0)])
def test_it_is_the_article_listing_bit_for_bit(hidden_size, alpha, outputs):
    y = np.hstack([Y, 1 - 0.8 * Y])[:, :outputs]
    errors, weights, changes = listing(X, y, hidden_size, alpha, 400, 50)
    run = reference.train(
        X, y, hidden_size=hidden_size, alpha=alpha, iterations=400, record_every=50
    )
    assert sum(int(count.sum()) for count in changes) > 0
    assert run.errors.tolist() == errors
    for k in range(2):
        np.testing.assert_array_equal(run.weights[k], weights[k])
        np.testing.assert_array_equal(run.direction_changes[k], changes[k])


def test_two_layers_are_the_article_listing_bit_for_bit():
    """Part 4: no hidden layer, no alpha, 10,000 iterations; the article subtracts a derivative."""
    X, y = LINE_X, LINE_Y
    synapse_0 = 2 * np.random.RandomState(1).random_sample((2, 1)) - 1
    for _ in range(10_000):
        layer_1 = sigmoid(np.dot(X, synapse_0))
        layer_1_delta = (layer_1 - y) * (layer_1 * (1 - layer_1))
        synapse_0 -= np.dot(X.T, layer_1_delta)
    run = reference.train(X, y, hidden_size=(), iterations=10_000)
    np.testing.assert_array_equal(run.weights[0], synapse_0)
    assert run.hidden_size == ()
    assert run.final_error < 0.01


@pytest.mark.parametrize("hidden_size", [(), (4,), (5, 3), (2, 3, 4)])
def test_an_update_is_minus_the_derivative(hidden_size):
    random = np.random.RandomState(0)
    X, y = random.normal(size=(7, 3)), random.uniform(size=(7, 2))
    sizes = (3, *hidden_size, 2)
    weights = [random.normal(size=shape) for shape in pairwise(sizes)]
    rates = tuple(float(2**k) for k in range(len(weights)))
    run = reference.train(X, y, weights=weights, alpha=rates, iterations=1)

    def loss():
        return 0.5 * np.sum((y - outputs(X, weights)) ** 2)

    step = 1e-6
    for before, after, rate in zip(weights, run.weights, rates, strict=True):
        update = (after - before) / rate
        for at in np.ndindex(before.shape):
            kept = before[at]
            before[at] = kept + step
            above = loss()
            before[at] = kept - step
            below = loss()
            before[at] = kept
            assert update[at] == pytest.approx((below - above) / (2 * step), rel=1e-6, abs=1e-9)


@settings(max_examples=30)
@given(
    hidden_size=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    alpha=st.floats(0.01, 100),
    seed=st.integers(0, 2**32 - 1),
    parts=st.tuples(st.integers(1, 8), st.integers(1, 8)),
)
def test_training_goes_on_from_its_own_weights(hidden_size, alpha, seed, parts):
    settings = {"alpha": alpha, "record_every": 1}
    whole = reference.train(
        X, Y, hidden_size=hidden_size, seed=seed, iterations=sum(parts), **settings
    )
    first = reference.train(
        X, Y, hidden_size=hidden_size, seed=seed, iterations=parts[0], **settings
    )
    rest = reference.train(X, Y, weights=first.weights, iterations=parts[1], **settings)
    assert (rest.seed, rest.hidden_size) == (None, whole.hidden_size)
    assert [*first.errors, *rest.errors] == whole.errors.tolist()
    assert first.final_error == rest.errors[0]
    assert rest.final_error == whole.final_error
    for k, layer in enumerate(whole.weights):
        assert np.array_equal(rest.weights[k], layer)


def test_final_error_is_that_of_the_last_weights():
    run = reference.train(X, Y, hidden_size=(3, 2), iterations=20)
    assert run.final_error == pytest.approx(np.abs(Y - outputs(X, run.weights)).mean(), rel=1e-14)


@pytest.mark.parametrize(
    ("iterations", "record_every", "recorded"),
    [(1, 1, [0]), (6, 2, [0, 2, 4]), (7, 3, [0, 3, 6]), (3, 10**18, [0])],
)
def test_errors_are_recorded_before_updates(iterations, record_every, recorded):
    run = reference.train(X, Y, iterations=iterations, record_every=record_every)
    every = reference.train(X, Y, iterations=iterations, record_every=1)
    assert run.recorded.tolist() == recorded
    assert run.recorded.dtype == np.int64
    assert run.errors.tolist() == every.errors[recorded].tolist()


def test_settings_come_back_as_they_were_given():
    run = reference.train(X, Y[:, 0], hidden_size=np.int8(2), alpha=1, iterations=3, seed=7)
    assert (run.alpha, run.hidden_size, run.seed) == (1.0, (2,), 7)
    assert (run.status, run.iterations) == ("finished", 3)
    assert reference.train(X, Y, alpha=(1, 2), iterations=1).alpha == (1.0, 2.0)


FAR = [0, 1e200, 1, 0]


@pytest.mark.parametrize(
    ("how", "iterations"),
    [
        ({"y": FAR, "alpha": 1e120, "hidden_size": (4, 2)}, 1),
        ({"y": FAR, "alpha": (1e120, 1e-300)}, 1),
        ({"y": FAR, "alpha": (1e-300, 1e120)}, 1),
        # X is so small that the sigmoid doesn't saturate before the weight overflows.
        ({"X": [[1e-308]], "y": [1e308], "alpha": 1.7e308, "hidden_size": ()}, 6),
    ],
    ids=["all layers", "first layer", "last layer", "later"],
)
def test_an_overflow_is_reported_with_its_iteration(how, iterations):
    call = {"X": X, "record_every": 1} | how
    with np.errstate(all="raise"):
        run = reference.train(**call, iterations=20)
    assert (run.status, run.iterations) == ("diverged", iterations)
    assert run.errors.shape == (20,)
    assert np.isfinite(run.errors[:iterations]).all()
    assert np.isnan(run.errors[iterations:]).all()
    assert np.isnan(run.final_error)
    assert not all(np.isfinite(layer).all() for layer in run.weights)
    upto = reference.train(**call, iterations=iterations)
    assert (upto.status, upto.iterations) == ("diverged", iterations)
    if iterations > 1:
        before = reference.train(**call, iterations=iterations - 1)
        assert (before.status, before.iterations) == ("finished", iterations - 1)


def test_nothing_that_is_given_changes():
    X_, Y_, weights = X.copy(), Y.copy(), [np.ones((3, 2)), np.ones((2, 1))]
    reference.train(X_, Y_, weights=weights, iterations=5)
    assert np.array_equal(X_, X)
    assert np.array_equal(Y_, Y)
    assert all((layer == 1).all() for layer in weights)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"X": [1, 2]}, "X must have shape"),
        ({"y": [1]}, "X and y must have the same number of samples"),
        ({"hidden_size": 0}, "hidden_size must be at least 1"),
        ({"alpha": -1}, "alpha must be a finite number above 0"),
        ({"alpha": (1, 2, 3)}, "alpha must be a number or a tuple with one per layer"),
        ({"iterations": 1.5}, "iterations must be an int"),
        ({"record_every": 0}, "record_every must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"weights": []}, "weights must have at least one layer"),
        ({"weights": [np.ones((3, 1))], "hidden_size": 3}, "hidden_size must be left out"),
        ({"hidden_size": 10**12}, "the training must fit into the available memory"),
        ({"iterations": 2**62, "record_every": 1}, "the training must fit into the available"),
    ],
)
def test_everything_is_checked(bad, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}"):
        reference.train(**{"X": X, "y": Y} | bad)


def test_memory_is_estimated_generously_but_not_absurdly(monkeypatch):
    needs = []
    monkeypatch.setattr(reference.training, "check_memory", lambda needed, *_: needs.append(needed))
    reference.train(np.ones((100, 30)), np.ones(100), hidden_size=20, iterations=1)
    assert 8 * (620 + 100 * 51) < needs[0] < 10 * 8 * (620 + 100 * 51)

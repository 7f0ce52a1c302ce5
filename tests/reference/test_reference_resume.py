"""A training of the reference that goes on is the one that was never stopped, to the last bit.

For the compiled training: tests/training/test_parts.py (`test_it_goes_on`, every option),
test_resuming.py and test_checkpoints.py.
"""

import re

import numpy as np
import pytest

from cases import OPTIONS, X, Y
from fastgd import reference
from fastgd.optimizers import Adam
from thinning import some

HELD = (X[::-2] + 0.1, Y[::-2], [1, 2, 0.5, 0, 1, 3])
CASES = {
    f"{name} {k}": setting
    for name, case in OPTIONS.items()
    for k, setting in enumerate(case.settings)
}


def same(a, b):
    """All that two runs have."""
    for name in vars(a):
        one, other = getattr(a, name), getattr(b, name)
        if name == "state":
            one, other = one._asdict(), other._asdict()
            for field in one:
                np.testing.assert_array_equal(one[field], other[field], err_msg=field)
                assert one[field].dtype == other[field].dtype
        elif name == "options":
            assert list(one) == list(other)
        else:
            equal(one, other, name)


def equal(a, b, name):
    if isinstance(a, tuple):
        assert len(a) == len(b), name
        for one, other in zip(a, b, strict=True):
            equal(one, other, name)
    else:
        np.testing.assert_array_equal(a, b, err_msg=name)


def in_parts(parts, settings):
    run = reference.train(**settings, iterations=parts[0])
    data = {name: settings[name] for name in ("X", "y", "validation") if name in settings}
    for more in parts[1:]:
        run = reference.train(**data, iterations=more, resume=run)
    return run


def settings_of(setting):
    given = {"X": X, "y": Y, "hidden_size": (5, 4), "record_every": 7, "alpha": 0.1} | setting
    given.pop("iterations", None)
    return given


WAYS = [
    (name, beside, k % 2 == bool(beside))
    for beside in ({}, {"validation": HELD, "record_weights": True})
    for k, name in enumerate(CASES)
]
"""Of each setting one in turn, or both among the slow tests."""


@pytest.mark.parametrize(("name", "beside"), some([w[:2] for w in WAYS], [w[2] for w in WAYS]))
def test_in_parts(name, beside):
    settings = settings_of(CASES[name]) | beside
    if beside:  # a loss is watched only where no samples are held out
        settings.pop("monitor", None)
    whole = reference.train(**settings, iterations=40)
    same(whole, in_parts([14, 26], settings))
    same(whole, in_parts([1, 8, 31], settings))


WATCHED = {
    "records": {"restore_best": True},
    "batches": {"restore_best": True, "patience": 11, "batch_size": 3},
    "looks": {"evaluate_every": 6, "summary": 3},
    "tolerance": {"evaluate_every": 5, "restore_best": True, "tolerance": 0.2},
    "weights": {
        "weights": [np.eye(3, 5), np.ones((5, 4)) / 9, np.eye(4, 2)], "seed": 5, "dropout": 0.3,
    },
    "alphas": {"alpha": (0.2, 3.0), "hidden_size": 4},
    "adam": {"alpha": 100.0, "hidden_size": 4, "restore_best": True, "optimizer": Adam()},
}  # fmt: skip
CUTS = [(name, cut, cut in (6, 39)) for name in WATCHED for cut in (1, 6, 20, 39)]


@pytest.mark.parametrize(("name", "cut"), some([c[:2] for c in CUTS], [c[2] for c in CUTS]))
def test_of_what_is_watched(name, cut):
    settings = settings_of({"alpha": 3.0, "validation": HELD} | WATCHED[name])
    same(reference.train(**settings, iterations=40), in_parts([cut, 40 - cut], settings))


@pytest.mark.parametrize(
    "beside",
    [{"tolerance": 0.285}, {"patience": 1, "alpha": 40.0}, {"output": "identity", "alpha": 1e30}],
    ids=["converged", "stalled", "diverged"],
)
def test_a_run_that_was_over_stays_over(beside):
    settings = settings_of({"validation": HELD, "hidden_size": 4, "alpha": 0.1} | beside)
    whole = reference.train(**settings, iterations=60)
    assert 0 < whole.iterations < 30
    assert whole.status != "finished"
    joined = in_parts([30, 30], settings)
    assert joined.state.ended == whole.iterations
    same(whole, joined)


def test_a_last_look_that_nobody_would_have_had_does_not_end_the_run():
    # In one call nobody looks at iteration 5: an epoch has 4.
    settings = settings_of({"batch_size": 3, "tolerance": 0.235, "alpha": 1.0, "hidden_size": 4})
    for cut in range(1, 60):
        part = reference.train(**settings, iterations=cut)
        if part.status == "converged":
            break
    assert (part.iterations, part.state.ended) == (cut, -1)
    assert cut % 4
    same(reference.train(**settings, iterations=80), in_parts([cut, 80 - cut], settings))


RUN = reference.train(X, Y, iterations=20, record_every=7, l2=0.01)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"l2": 0.02}, "l2 must be left out with resume, or as it was in the run, 0.01, got 0.02"),
        ({"seed": 4}, "seed must be left out with resume, or as it was in the run, 1, got 4"),
        (
            {"validation": HELD},
            "validation must be left out to resume a training without it",
        ),
        (
            {"y": Y[:, :1]},
            "resume must be of a network with 3 inputs and 1 outputs, as X and y hav",
        ),
        ({"resume": 3}, "resume must be a Run, got 3"),
    ],
    ids=["option", "seed", "validation", "network", "kind"],
)
def test_another_training_is_refused(other, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        reference.train(**{"X": X, "y": Y, "iterations": 3, "resume": RUN} | other)

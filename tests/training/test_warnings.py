"""Warnings of a training: the same as on the command line, once, at the caller's line."""

import warnings

import numpy as np
import pytest

import fastgd
from fastgd import TrainingWarning
from fastgd.optimizers import GradientDescent, Momentum

X = [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
NAMES = {"train": fastgd.train, "sweep": fastgd.sweep}


def warned(call, *given, **settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(*given, **settings)
    for warning in caught:
        assert issubclass(warning.category, UserWarning)
        assert warning.filename == __file__
    return result, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("call", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize(
    ("y", "options", "texts"),
    [
        ([0, 1, 0.5], {}, []),
        ([-1, 1, 0.5], {"output": "tanh"}, []),
        ([-9, 9, 0.5], {"output": "identity"}, []),
        ([0, 1.5, 0], {}, ["y has values outside 0 to 1, which a sigmoid never reaches"]),
        ([0, -1.5, 0], {"output": "tanh"}, ["y has values outside -1 to 1, which a tanh never r"]),
        ([[0, 2], [1, 1], [1, 0]], {}, ["y[:, 1] has values outside 0 to 1"]),
        ([[0, 2, -1], [1, 1, 1], [1, 0, 1]], {}, ["y[:, [1, 2]] has values outside 0 to 1"]),
    ],
)
def test_targets_out_of_reach(call, y, options, texts):
    _, messages = warned(call, X, y, hidden_size=(), iterations=2, **options)
    assert len(messages) == len(texts)
    for message, text in zip(messages, texts, strict=True):
        assert message.startswith(text)
        assert message.endswith('output="identity" would')


def test_a_sweep_warns_once_for_each_kind_of_output():
    settings = {"output": ["tanh", "sigmoid", "identity"], "bias": [False, True], "iterations": 1}
    _, messages = warned(fastgd.sweep, X, [0, 1.5, 0], alpha=[1, 2], hidden_size=(), **settings)
    assert [message[:30] for message in messages] == [
        "y has values outside 0 to 1, w", "y has values outside -1 to 1, "
    ]  # fmt: skip


def test_what_is_rejected_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="alpha must be"):
            fastgd.train(X, [5, 5, 5], alpha=-1)


DIVERGING = {"output": "identity", "hidden_size": (), "alpha": 1e30, "iterations": 100}


def test_a_training_that_diverges_warns_and_does_not_predict(tmp_path):
    run, messages = warned(fastgd.train, X, [0.0, 1.0, 2.0], **DIVERGING)
    assert run.status == "diverged"
    assert messages == [
        f"the training diverged after {run.iterations} iterations: a weight or the error is "
        "infinite or NaN"
    ]
    assert not np.isfinite(run.weights[0]).all()
    rule = "predict needs a network of finite numbers, got one whose training diverged"
    run.save(tmp_path / "run.npz")
    for each in (run, fastgd.load(tmp_path / "run.npz")):
        with pytest.raises(ValueError, match=rule):
            each.predict(X)
    sweep, messages = warned(fastgd.sweep, X, [0.0, 1.0, 2.0], **DIVERGING | {"alpha": [1e30, 0.1]})
    assert sweep.status.tolist() == ["diverged", "finished"]
    assert messages == []  # some of many always do
    with pytest.raises(ValueError, match=rule):
        sweep[0].predict(X)
    assert np.isfinite(sweep[1].predict(X)).all()


ENTRANTS = [(GradientDescent(), 1e30), (Momentum(), 1e30)]


@pytest.mark.slow
def test_a_race_warns_of_no_run():
    settings = {"output": "identity", "hidden_size": (), "iterations": 100}
    race, messages = warned(fastgd.race, X, [0.0, 1.0, 2.0], ENTRANTS, **settings)
    assert {run.status for run in race.runs.values()} == {"diverged"}
    assert messages == []


def test_a_race_warns_of_targets_once():
    _, messages = warned(fastgd.race, X, [0.0, 1.0, 2.0], ENTRANTS, iterations=2)
    assert [message[:27] for message in messages] == ["y has values outside 0 to 1"]


def test_the_warning_has_a_kind_of_its_own():
    with pytest.warns(TrainingWarning, match="which a sigmoid never reaches"):
        fastgd.train(X, [0.0, 1.0, 2.0], iterations=1)

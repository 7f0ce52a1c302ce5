"""One assembly of the kernel's calls: the same bits by whichever door, chunk, block or lane."""

from fractions import Fraction

import numpy as np
import pytest

import fastgd
from cases import OPTIONS as CASES
from fastgd.arguments.options import Method
from fastgd.engine import prediction
from fastgd.engine.network import Network
from fastgd.engine.packing import PackedSamples, arrange, lanes_of
from fastgd.engine.prediction import LossEvaluation, measure_plane
from fastgd.engine.progress import unreported
from fastgd.engine.recipe import ValueColumn, recipe_of
from fastgd.engine.results import read
from fastgd.engine.session import Session
from fastgd.kernel.block import CONVERGED, DIVERGED
from fastgd.optimizers import Momentum
from thinning import only

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.normal(size=(13, 3)), RANDOM.random((13, 2))
METHOD = Method(bias=True, sample_weight=RANDOM.random(13))
NETWORK = Network((3, 5, 2), bias=True)
P = NETWORK.parameters
ROWS = RANDOM.normal(size=(5, P))


class Owner:
    """Of a network."""


def outputs(network, method, row, inputs):
    """Outputs of one network (samples, outputs)."""
    return prediction.outputs(Owner(), network, lambda: [method], row[None], inputs)[0]


def session_of(method=METHOD, runs=5, network=NETWORK, axes=None, side_by_side=None, **given):
    samples = PackedSamples(X, Y, method.sample_weight)
    recipe = recipe_of(method, axes or {})
    [lot] = arrange(samples, recipe, runs, network.matrices, 1, side_by_side)
    return Session.make(network, method, samples, recipe, lot, **given)


def fma_chain(products):
    """Sum |y - output| * weight as the kernel does: each product and sum rounded once."""
    total = 0.0
    for a, b in products:
        total = float(Fraction(a) * Fraction(b) + Fraction(total))
    return total


@pytest.mark.parametrize("side_by_side", [1, 2, 8])
def test_all_doors_have_the_same_error(side_by_side):
    """What is measured, trained, evaluated, predicted, and a point of a plane."""
    measuring = session_of(side_by_side=side_by_side).load(ROWS)
    measuring.run(0, 1)
    errors = measuring.curve("errors")[:5, 0]

    training = session_of(side_by_side=side_by_side, iterations=3).load(ROWS)
    training.run(0, 1)
    np.testing.assert_array_equal(training.curve("errors")[:5, 0], errors)

    evaluation = LossEvaluation(NETWORK, METHOD, X, Y)
    assert [evaluation.at(row)[2] for row in ROWS] == errors.tolist()

    weights = np.repeat(METHOD.sample_weight, 2)
    total = float(METHOD.sample_weight.sum() * 2)
    for row, error in zip(ROWS, errors, strict=True):
        miss = np.abs(Y - outputs(NETWORK, METHOD, row, X)).ravel()
        assert fma_chain(zip(miss, weights, strict=True)) / total == error

    first, last = NETWORK.parts(ROWS[0]).weights
    x, y = np.array([first[0, 4], 0.25]), np.array([last[3, 1]])
    places, session = ((0, 0, 4), (1, 3, 1)), session_of(side_by_side=side_by_side)
    plane = measure_plane(session, ROWS[0], x, y, places, 1, unreported)
    assert plane[0, 0] == errors[0]


def test_an_update_of_alpha_1_takes_off_the_derivative():
    runs = session_of(iterations=1).load(ROWS)
    runs.run(0, 2)
    evaluation = LossEvaluation(NETWORK, METHOD, X, Y)
    for row, updated in zip(ROWS, read(runs).parameters, strict=False):
        np.testing.assert_array_equal(updated, row - evaluation.at(row)[1])


def test_an_evaluation_is_a_copy_and_has_no_memory():
    x, y = X.copy(), Y.copy()
    evaluation = LossEvaluation(NETWORK, METHOD, x, y)
    before = evaluation.at(ROWS[0])
    x[:], y[:] = 0, 0
    evaluation.at(ROWS[1] * 1e200)
    after = evaluation.at(ROWS[0])
    assert (after[0], after[2]) == (before[0], before[2])
    np.testing.assert_array_equal(after[1], before[1])


DRAWN = Method(**CASES["everything drawn"].options)
"""Its kernels are those of the golden hashes."""

OPTIONS = {
    "plain": (METHOD, 2),
    "batches": (Method(batch_size=4, dropout=0.2, optimizer=Momentum()), 2),
    "drawn": (Method(sampling="adaptive", batch_size=3, summary=2), 2),
    "everything drawn": (DRAWN, 1),
}


@pytest.mark.parametrize("name", only(OPTIONS, "plain", "everything drawn"))
def test_calls_may_end_anywhere_and_runs_may_be_packed(name):
    method, wide = OPTIONS[name]
    network = Network((3, 5, 2), method.bias)
    rows, seeds = ROWS[:, : network.parameters], np.arange(5)
    session = session_of(method, network=network, side_by_side=wide, iterations=9, record_every=2)
    whole = session.load(rows, seeds=seeds)
    whole.run(0, 10)
    parts = session.load(rows, seeds=seeds)
    for first, last in ((0, 1), (1, 4), (4, 5)):
        parts.run(first, last)
    some = np.array([0, 3, 4])
    packed = parts.pack(some, lanes_of(None, len(some), wide))
    assert (parts.blocks, packed.blocks) == ((3, 2) if wide == 2 else (5, 3))
    for first, last in ((5, 6), (6, 10)):
        parts.run(first, last)
        packed.run(first, last)
    for seen in (
        lambda runs: read(runs).parameters,
        lambda runs: runs.curve("errors"),
        lambda runs: read(runs).changes,
        lambda runs: read(runs).watch,
    ):
        np.testing.assert_array_equal(seen(parts), seen(whole))
        np.testing.assert_array_equal(seen(packed)[:3], seen(whole)[some])
    assert len({row.tobytes() for row in read(whole).parameters}) == 5


def test_a_run_that_is_over_is_read_as_it_ended():
    method = Method(tolerance=0.1, bias=True, activation="identity", output="identity")
    axis = {"tolerance": [0.0, 100.0, 0.0]}
    session = session_of(method, 3, axes=axis, side_by_side=8, iterations=6, record_every=1)
    alpha, rows = np.full((3, 2), 0.01), ROWS[:3] * [[1], [1], [1e300]]
    column = ValueColumn.of("tolerance", axis["tolerance"], method)
    runs = session.load(rows, alpha, [(column, np.arange(3))])
    runs.run(0, 7)
    assert read(runs).outcome[:3].tolist() == [0, CONVERGED, DIVERGED]
    assert runs.ended[:2].tolist() == [-1, 0]
    assert runs.ended[2] >= 0
    np.testing.assert_array_equal(read(runs).parameters[1], ROWS[1])
    assert read(runs).final[1] == runs.curve("errors")[1, 0]
    alone = session_of(method, 1, side_by_side=1, iterations=6).load(ROWS[:1], alpha[:1])
    alone.run(0, 7)
    np.testing.assert_array_equal(read(alone).parameters[0], read(runs).parameters[0])


def test_columns_seeds_and_alpha_are_each_run_s_own():
    method = DRAWN.at({"dropout": 0.5, "l2": 0.1})
    network = Network((3, 5, 2), method.bias)
    rows = np.tile(ROWS[0, : network.parameters], (4, 1))
    axes = {"dropout": [0.5, 0.25], "l2": [0.1, 0.0]}
    columns = [ValueColumn.of(name, axis, method) for name, axis in axes.items()]
    index = np.array([0, 1, 0, 0]), np.array([0, 0, 1, 0])
    seeds, alpha = np.array([1, 1, 1, 2]), np.full((4, 2), 0.5)
    session = session_of(method, 4, network=network, axes=axes, side_by_side=8, iterations=5)
    runs = session.load(rows, alpha, list(zip(columns, index, strict=True)), seeds)
    runs.run(0, 6)
    alone = (method, method.at({"dropout": 0.25}), method.at({"l2": 0.0}), method)
    for r, (own, seed) in enumerate(zip(alone, seeds, strict=True)):
        single = session_of(own, 1, network=network, axes=axes, side_by_side=1, iterations=5)
        single = single.load(rows[:1], alpha[:1], seeds=np.array([seed]))
        single.run(0, 6)
        np.testing.assert_array_equal(read(single).parameters[0], read(runs).parameters[r])
    assert len({row.tobytes() for row in read(runs).parameters}) == 4


@pytest.mark.parametrize("threads", [1, 2])
def test_a_grid_in_chunks_is_the_runs_one_by_one(monkeypatch, threads):
    monkeypatch.setattr(prediction, "CHUNK_SECONDS", 1e-9)
    x, y = np.linspace(-1, 1, 5), np.linspace(0, 3, 4)
    session = session_of(runs=20, side_by_side=2)
    done = []
    places = (0, 1, 2), (1, 5, 1)
    errors = measure_plane(
        session, ROWS[0], x, y, places, threads, lambda points, _: done.append(points)
    )
    assert errors.shape == (4, 5)
    assert sum(done) == 20
    assert len(done) > 5
    parts = NETWORK.parts(np.arange(P))
    first, second = parts.weights[0][1, 2], parts.biases[1][1]
    rows = np.tile(ROWS[0], (20, 1))
    rows[:, first], rows[:, second] = np.tile(x, 4), np.repeat(y, 5)
    one_by_one = session.load(rows)
    one_by_one.run(0, 1)
    np.testing.assert_array_equal(errors.ravel(), one_by_one.curve("errors")[:, 0])


def test_outputs_owe_nothing_to_how_many_go_through_at_a_time(monkeypatch):
    many = np.tile(X, (40, 1))

    def found(rows):
        return prediction.outputs(Owner(), NETWORK, lambda: [METHOD] * len(rows), rows, many)

    expected = found(ROWS[:1])
    monkeypatch.setattr(prediction, "TOGETHER", 7)
    np.testing.assert_array_equal(found(ROWS[:1]), expected)
    np.testing.assert_array_equal(found(np.tile(ROWS[:1], (9, 1))), np.tile(expected, (9, 1, 1)))


def test_the_public_calls_go_through_it(monkeypatch, xor):
    """Training, prediction, objective and surface: there is no other assembly."""
    loaded = []
    load = Session.load

    def spy(session, *given, **named):
        loaded.append(session.layout.recipe.optimizer.name)
        return load(session, *given, **named)

    monkeypatch.setattr(Session, "load", spy)
    run = fastgd.train(*xor, iterations=1)
    assert loaded == ["rule"]
    run.predict(xor[0])
    assert len(loaded) == 2
    fastgd.objective(*xor)
    assert loaded[2:] == ["Derivative"]
    fastgd.surface(*xor, run, resolution=2)
    assert len(loaded) == 4

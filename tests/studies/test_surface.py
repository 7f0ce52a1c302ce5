"""surface(): its numbers beside the training's own, beside plain NumPy, and what it refuses."""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

import fastgd
from cases import LINE_CODE, LINE_X, LINE_Y
from fastgd.engine import prediction
from fastgd.engine.devices import available_threads
from fastgd.optimizers import Adam
from fastgd.studies.job import StudyJob
from fastgd.training.sweep_axes import CHUNK_SECONDS

TWO_LAYERS = LINE_X, LINE_Y.ravel()


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def numpy_plane(X, y, weights, axes, x, y_values, activation=sigmoid, output=sigmoid):
    """The article's logic (part 4), once for each pair of weights."""
    errors = np.empty((len(y_values), len(x)))
    layers = [np.array(layer, dtype=float) for layer in weights]
    for r, second in enumerate(y_values):
        for c, first in enumerate(x):
            for (layer, i, j), value in zip(axes, (first, second), strict=True):
                layers[layer][i, j] = value
            values = X
            for k, layer in enumerate(layers):
                values = (output if k == len(layers) - 1 else activation)(values @ layer)
            errors[r, c] = np.mean(np.abs(y - values))
    return errors


def start(sizes, seed=3):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in pairwise(sizes)]


# The numbers


def test_the_article_s_plane_is_the_article_s_formula():
    X, y = TWO_LAYERS
    plane = fastgd.surface(X, y, [np.zeros((2, 1))], resolution=41)
    assert plane.axes == ((0, 0, 0), (0, 1, 0))
    np.testing.assert_array_equal(plane.x, np.linspace(-10, 10, 41))
    np.testing.assert_array_equal(plane.y, plane.x)
    expected = numpy_plane(X, y[:, None], [np.zeros((2, 1))], plane.axes, plane.x, plane.y)
    np.testing.assert_allclose(plane.errors, expected, rtol=0, atol=1e-15)
    assert plane.held == 0
    assert plane.lowest() == (10.0, -10.0, plane.errors[0, -1])


def test_any_two_weights_of_any_network(random_problem):
    X, y = random_problem
    weights = start((5, 3, 2))
    axes = ((1, 2, 0), (0, 4, 1))
    plane = fastgd.surface(
        X, y, weights, axes=axes, span=((-2, 3), (0.5, 4)), resolution=7, output="identity"
    )
    assert (plane.x[0], plane.x[-1], plane.y[0], plane.y[-1]) == (-2, 3, 0.5, 4)
    expected = numpy_plane(X, y, weights, axes, plane.x, plane.y, output=lambda z: z)
    np.testing.assert_allclose(plane.errors, expected, rtol=1e-13)
    assert plane.held == 5 * 3 + 3 * 2 - 2
    assert all(np.array_equal(*pair) for pair in zip(plane.weights, weights, strict=True))
    assert plane.options == {"output": "identity"}


@pytest.mark.parametrize("resolution", [2, 9])  # less and more than a block has runs
def test_each_error_has_the_bits_of_a_training_s_first(xor, resolution):
    X, y = xor
    weights = start((3, 4, 1))
    axes = ((0, 2, 3), (1, 1, 0))
    plane = fastgd.surface(X, y, weights, axes=axes, span=(-4, 5), resolution=resolution)
    for r, c in ((0, 0), (0, resolution - 1), (resolution - 1, 0), (resolution // 2, 1)):
        weights[0][2, 3], weights[1][1, 0] = plane.x[c], plane.y[r]
        run = fastgd.train(X, y, weights=weights, iterations=1)
        assert run.errors[0] == plane.errors[r, c]


def test_a_run_brings_biases_and_options_along(xor):
    X, y = xor
    importance = [1.0, 2.0, 0.5, 1.0]
    run = fastgd.train(
        X, y, bias=True, activation="tanh", optimizer=Adam(), alpha=0.1, iterations=50,
        sample_weight=importance, hidden_size=3,
    )  # fmt: skip
    weight, bias = run.weights[0][1, 2], run.biases[1][0]
    axes = ((0, 1, 2), (1, 3, 0))  # the output unit's bias comes after its three inputs
    window = {"axes": axes, "span": ((weight, weight + 1), (bias, bias + 2)), "resolution": 5}
    plane = fastgd.surface(X, y, run, **window)
    assert (plane.x[0], plane.y[0]) == (weight, bias)
    assert plane.errors[0, 0] == run.final_error
    assert len(np.unique(plane.errors)) == 25
    assert plane.options.keys() == {"activation", "bias", "sample_weight"}
    assert plane.held == 3 * 3 + 3 + 3 + 1 - 2
    alike = fastgd.surface(X, y, run, sample_weight=[1.0] * 4, **window)
    assert alike.errors[0, 0] == pytest.approx(np.abs(y - run.predict(X)).mean(), rel=1e-14)


@pytest.mark.slow
def test_batch_normalization_is_that_of_prediction(xor):
    X, y = xor
    run = fastgd.train(X, y, batch_norm=True, iterations=50)
    weight = run.weights[0][0, 0]
    plane = fastgd.surface(X, y, run, span=(weight, weight + 1), resolution=5)
    weights = [layer.copy() for layer in run.weights]
    weights[0][1, 0] = plane.y[4]
    moved = type(run)(**vars(run) | {"weights": tuple(weights)})
    assert plane.errors[4, 0] == pytest.approx(np.abs(y - moved.predict(X)).mean(), rel=1e-14)


def test_threads_never_change_a_bit(random_problem, monkeypatch):
    X, y = random_problem
    measure, calls = prediction.launch.measure_grid, []

    def spy(call, grid, threads):
        calls.append((len(call.blocks.numbers), threads, grid.last - grid.first))
        measure(call, grid, threads)

    def errors(**given):
        return fastgd.surface(
            X, y, start((5, 3, 2)), resolution=101, output="identity", **given
        ).errors

    monkeypatch.setattr(prediction.launch, "measure_grid", spy)
    most = min(2, available_threads())
    one, several, all_ = errors(threads=1), errors(threads=most), errors()
    assert calls[:2] == [(1, 1, 101**2), (most, most, 101**2)]
    monkeypatch.setattr(prediction, "CHUNK_SECONDS", 1e-9)  # a block in each call
    in_chunks = errors(threads=1)
    assert {points for _, _, points in calls[4:-1]} == {calls[3][2]}
    assert calls[3][2] < 101
    assert all(np.array_equal(one, other) for other in (several, all_, in_chunks))


def test_a_small_plane_wakes_no_thread(monkeypatch):
    X, y = TWO_LAYERS
    threads = []
    monkeypatch.setattr(prediction.launch, "measure_grid", lambda *given: threads.append(given[-1]))
    fastgd.surface(X, y, [np.zeros((2, 1))], resolution=41)
    assert threads == [1]


def test_overflow_stays_where_it_is(xor):
    X, y = xor
    plane = fastgd.surface(
        X, y, [np.ones((3, 1))], span=((1, 1.5e308), (1, 1.7e308)), resolution=5, output="identity"
    )
    with np.errstate(over="ignore"):
        expected = numpy_plane(X, y, [np.ones((3, 1))], plane.axes, plane.x, plane.y, output=abs)
    finite = np.isfinite(plane.errors)
    assert finite[0, 0]
    assert not finite[-1, -1]
    np.testing.assert_array_equal(finite, np.isfinite(expected))
    assert plane.lowest() == (1.0, 1.0, plane.errors[0, 0])


def test_in_several_python_threads():
    X, y = TWO_LAYERS
    expected = fastgd.surface(X, y, [np.zeros((2, 1))], resolution=401, threads=1).errors
    found = []

    def call():
        found.append(fastgd.surface(X, y, [np.zeros((2, 1))], resolution=401).errors)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(expected, errors) for errors in found)


FORK = (
    LINE_CODE
    + """
import os, fastgd
def work():
    return fastgd.surface(X, y, [[[0], [0]]], resolution=401).errors.tobytes()
before = work()
child = os.fork()
if child == 0:
    os._exit(0 if work() == before else 3)
assert os.waitpid(child, 0)[1] == 0
assert work() == before
print("same")
"""
)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_after_a_fork():
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "same\n", done.stderr


def test_progress_counts_the_points(capsys):
    X, y = TWO_LAYERS
    fastgd.surface(X, y, [np.zeros((2, 1))], resolution=41, progress=True)
    assert "1.68k/1.68k" in capsys.readouterr().err


# The path of a training


def test_a_path_is_the_recorded_weights_and_the_last_ones(xor):
    X, y = xor
    run = fastgd.train(X, y, iterations=30, record_every=10, record_weights=True)
    plane = fastgd.surface(X, y, run, axes=((1, 2, 0), (0, 1, 3)), resolution=5)
    path = plane.path(run)
    first, last = run.recorded_weights, run.weights
    np.testing.assert_array_equal(path[:3, 0], first[1][:, 2, 0])
    np.testing.assert_array_equal(path[:3, 1], first[0][:, 1, 3])
    np.testing.assert_array_equal(path[:, 2], [*run.errors, run.final_error])
    assert path[3, :2].tolist() == [last[1][2, 0], last[0][1, 3]]


def test_a_path_ends_where_the_training_did(xor):
    X, y = xor
    with pytest.warns(UserWarning, match="the training diverged"):
        run = fastgd.train(X, y, output="identity", alpha=1e6, iterations=60, record_every=1,
                           record_weights=True)  # fmt: skip
    assert run.status == "diverged"
    path = fastgd.surface(X, y, [layer[0] for layer in run.recorded_weights], resolution=5,
                          output="identity").path(run)  # fmt: skip
    assert np.isfinite(path[:, :2]).all()
    assert 1 < len(path) <= run.iterations + 1


@pytest.mark.parametrize(
    ("axes", "given", "message"),
    [
        (((0, 0, 0), (0, 1, 0)), {}, "a path needs a run trained with record_weights=True"),
        (((0, 0, 0), (0, 1, 0)), {"hidden_size": 3, "record_weights": True},
         r"a path's run must have layers of shapes \[\(3, 4\), \(4, 1\)\], got \[\(3, 3\), "),
        (((0, 3, 0), (0, 1, 0)), {"record_weights": True}, "needs a run with recorded biases, got"),
    ],
)  # fmt: skip
def test_what_has_no_path(xor, axes, given, message):
    X, y = xor
    biases = [np.zeros(4), np.zeros(1)]
    plane = fastgd.surface(
        X, y, start((3, 4, 1)), biases=biases, axes=axes, resolution=5, bias=True
    )
    run = fastgd.train(X, y, iterations=30, record_every=10, **given)
    with pytest.raises(ValueError, match=message):
        plane.path(run)


# What is refused


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"axes": ((2, 0, 0), (0, 1, 0))}, ValueError,
         r"axes\[0\] must be in layer 0 to 1, got \(2, 0, 0\)"),
        ({"axes": ((0, 0, 0), (0, 3, 0))}, ValueError,
         r"axes\[1\] must be from input 0 to 2 to output 0 to 3 of layer 0, got \(0, 3, 0\)"),
        ({"axes": ((0, 0, 0), (1, 0, -1))}, ValueError,
         r"axes\[1\] must be from input 0 to 3 to output 0 of layer 1, got \(1, 0, -1\)"),
        ({"axes": ((0, 0, 0), (0, 0, 0))}, ValueError,
         r"axes must be two different weights, got \(0, 0, 0\) twice"),
        ({"axes": (0, 1, 0)}, TypeError, r"axes must be two weights \(layer, input, output\), got"),
        ({"axes": ((0, 1), (0, 1, 0))}, TypeError, r"axes\[0\] must be a weight .*, got \(0, 1\)"),
        ({"axes": ((0, 1, 0.5), (0, 1, 0))}, TypeError, r"axes\[0\] must be a weight .* ints, got"),
        ({"span": (3, 3)}, ValueError, r"span must have the smaller number first, got \(3, 3\)"),
        ({"span": ((0, 1), (2, 1))}, ValueError, r"span\[1\] must have the .*, got \(2, 1\)"),
        ({"span": (-1.7e308, 1.7e308)}, ValueError, "span must have the smaller number first, got"),
        ({"span": (0, np.nan)}, ValueError, r"span\[1\] must be a finite number, got nan"),
        ({"span": 10}, TypeError, r"span must be \(low, high\), or two of these, got 10"),
        ({"span": ((0, 1), 5)}, TypeError, r"span\[1\] must be two numbers, .* first, got 5"),
        ({"span": ("a", "b")}, TypeError, r"span\[0\] must be a number, got 'a'"),
        ({"resolution": 1}, ValueError, "resolution must be at least 2, got 1"),
        ({"resolution": 2.5}, TypeError, "resolution must be an int, got 2.5"),
        ({"resolution": 10**9}, ValueError, "the surface must fit into the available memory"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"progress": 1}, TypeError, "progress must be True, False or a function, got 1"),
        ({"weights": [np.full((3, 1), np.nan)]}, ValueError,
         r"weights\[0\] must be finite, got nan at \[0, 0\]"),
        ({"weights": []}, ValueError, "weights must have at least one layer"),
        ({"weights": [np.ones((2, 1))]}, ValueError, r"weights\[0\] must have shape \(3, outp"),
        ({"l2": 0.1}, TypeError, "an option of a surface must be one of activation, .*, got 'l2'"),
        ({"activatoin": "tanh"}, TypeError, "got 'activatoin': did you mean activation?"),
        ({"output": "relu"}, ValueError, "output must be 'sigmoid', .* got 'relu'"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(xor, given, error, message):
    X, y = xor
    given = {"weights": start((3, 4, 1))} | given
    with pytest.raises(error, match=message):
        fastgd.surface(X, y, **given)


def test_options_of_a_run_are_its_own(xor):
    run = fastgd.train(*xor, iterations=1)
    with pytest.raises(TypeError, match="bias must not be given with a run, which has its own"):
        fastgd.surface(*xor, run, bias=True)


def test_axes_may_be_lists_or_arrays():
    X, y = TWO_LAYERS
    axes, span = np.array([[0, 1, 0], [0, 0, 0]]), [[-1.0, 1.0], np.array([0, 2])]
    plane = fastgd.surface(X, y, [np.zeros((2, 1))], axes=axes, span=span, resolution=41)
    assert plane.axes == ((0, 1, 0), (0, 0, 0))
    assert (plane.x[0], plane.y[-1]) == (-1.0, 2.0)


def test_its_repr_says_where_it_is_lowest():
    X, y = TWO_LAYERS
    plane = fastgd.surface(X, y, [np.zeros((2, 1))], span=((-10, 10), (-5, 5)), resolution=41)
    assert repr(plane) == (
        "Surface(axes=((0, 0, 0), (0, 1, 0)), span=((-10, 10), (-5, 5)), resolution=41, "
        f"lowest={plane.errors[0, -1]:.6g} at (10, -5))"
    )


# In parts


@pytest.fixture
def in_bands(monkeypatch):
    """Cut planes of 9 x 9 points into bands of 1 or 2 rows; which of them are measured."""
    measured, compute = [], StudyJob.compute
    monkeypatch.setattr("fastgd.studies.surface.seconds_of", lambda *_: CHUNK_SECONDS / 9 / 2.5)

    def counted(self, chunk, threads, advance):
        arrays = compute(self, chunk, threads, advance)
        measured.append(chunk)
        return arrays

    monkeypatch.setattr(StudyJob, "compute", counted)
    return measured


def test_enough_work_makes_several_bands(monkeypatch, tmp_path):
    X, y = TWO_LAYERS
    jobs = []

    def kept(job, *_, **__):
        jobs.append(job)
        return [{"errors": np.zeros((1, 1))}]

    monkeypatch.setattr("fastgd.studies.surface.results_of", kept)
    for copies, resolution in ((1000, 2000), (1, 9)):
        samples = np.tile(X, (copies, 1)), np.tile(y, copies)
        fastgd.surface(*samples, [np.zeros((2, 1))], resolution=resolution, out=tmp_path)
    many, few = jobs
    assert 1 < len(many.pieces) < 2000
    assert sum(many.sizes) == 2000**2
    assert len(few.pieces) == 1


class StoppedError(Exception):
    """What ends the work in the middle."""


def test_interrupted_and_continued_in_a_folder(in_bands, tmp_path, monkeypatch):
    X, y = TWO_LAYERS
    given = {"weights": [np.zeros((2, 1))], "resolution": 9}
    whole = fastgd.surface(X, y, **given)
    in_bands.clear()
    compute = StudyJob.compute

    def stopped(*arguments):
        if len(in_bands) == 2:
            raise StoppedError
        return compute(*arguments)

    with monkeypatch.context() as changed:
        changed.setattr(StudyJob, "compute", stopped)
        with pytest.raises(StoppedError):
            fastgd.surface(X, y, **given, out=tmp_path, threads=1)
    for _ in range(2):
        plane = fastgd.surface(X, y, **given, out=tmp_path)
        assert plane.errors.tobytes() == whole.errors.tobytes()
        assert in_bands[:2] == [0, 1]
        assert sorted(in_bands) == [0, 1, 2, 3, 4]
    for other, message in (
        ({"span": (-1, 1)}, r"the same surface, got one with span\[0\]\[0\] -10.0 instead of -1.0"),
        ({"axes": ((0, 1, 0), (0, 0, 0))}, r"got one with axes\[0\]\[1\] 0 instead of 1"),
        ({"weights": [np.zeros((2, 1)) + 1]}, "got one with weights 'float64"),
        ({"activation": "tanh"}, "got one with no activation instead of 'tanh'"),
    ):
        with pytest.raises(ValueError, match=message):
            fastgd.surface(X, y, **given | other, out=tmp_path)


def test_an_executor_changes_no_bit(in_bands, tmp_path):
    X, y = TWO_LAYERS
    given = {"weights": [np.zeros((2, 1))], "resolution": 9}
    whole = fastgd.surface(X, y, **given)
    in_bands.clear()
    with ThreadPoolExecutor(2) as executor:
        for where in ({}, {"out": tmp_path}):
            plane = fastgd.surface(X, y, **given, **where, executor=executor)
            assert plane.errors.tobytes() == whole.errors.tobytes()
    assert sorted(in_bands) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.slow
@pytest.mark.usefixtures("in_bands")
def test_an_executor_of_processes_changes_no_bit():
    X, y = TWO_LAYERS
    given = {"weights": [np.zeros((2, 1))], "resolution": 9}
    whole = fastgd.surface(X, y, **given)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        plane = fastgd.surface(X, y, **given, executor=executor)
    assert plane.errors.tobytes() == whole.errors.tobytes()

"""train() and sweep() as public functions: all they promise in addition to the bits."""

import os
import platform
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

import fastgd
from cases import XOR_CODE
from fastgd.engine import execution, prediction

ALPHAS = [0.001, 0.01, 0.1, 1, 10, 100, 1000]


def agrees(run, twin, rtol=1e-9):
    for a, b in zip((run.errors, *run.weights), (twin.errors, *twin.weights), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)
    for a, b in zip(run.direction_changes, twin.direction_changes, strict=True):
        np.testing.assert_array_equal(a, b)
    assert run.final_error == pytest.approx(twin.final_error, rel=rtol)
    assert (run.status, run.iterations) == (twin.status, twin.iterations)
    assert (run.alpha, run.hidden_size, run.seed) == (twin.alpha, twin.hidden_size, twin.seed)
    np.testing.assert_array_equal(run.recorded, twin.recorded)


@pytest.mark.parametrize("hidden_size", [(), 1, 4, (5, 3), (17,), (2, 2, 2)])
@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_agrees_with_the_reference(random_problem, hidden_size, alpha):
    settings = {"hidden_size": hidden_size, "alpha": alpha, "iterations": 300, "record_every": 70}
    run = fastgd.train(*random_problem, **settings)
    agrees(run, fastgd.reference.train(*random_problem, **settings))


def test_alpha_per_layer(xor):
    settings = {"hidden_size": (3, 2), "alpha": (0.5, 2.0, 1.0), "iterations": 400}
    run = fastgd.train(*xor, **settings)
    agrees(run, fastgd.reference.train(*xor, **settings))
    assert run.alpha == (0.5, 2.0, 1.0)
    assert (run.weights[0] != fastgd.train(*xor, **settings | {"alpha": 0.5}).weights[0]).any()


def test_given_weights(xor):
    start = [np.full((3, 2), 0.5), np.array([[1.0], [-1.0]])]
    before = [layer.copy() for layer in start]
    run = fastgd.train(*xor, weights=start, iterations=200)
    agrees(run, fastgd.reference.train(*xor, weights=start, iterations=200))
    assert run.seed is None
    assert run.hidden_size == (2,)
    for layer, copy in zip(start, before, strict=True):
        np.testing.assert_array_equal(layer, copy)


def test_training_resumes_from_its_weights(xor):
    whole = fastgd.train(*xor, iterations=100, record_every=50)
    half = fastgd.train(*xor, iterations=50)
    rest = fastgd.train(*xor, weights=half.weights, iterations=50)
    assert rest.weights[0].tobytes() == whole.weights[0].tobytes()
    assert rest.errors[0] == whole.errors[1]
    assert rest.final_error == whole.final_error


@pytest.mark.parametrize(
    ("iterations", "record_every", "recorded"),
    [(1, 1, [0]), (10, 3, [0, 3, 6, 9]), (9, 3, [0, 3, 6]), (5, 100, [0])],
)
def test_recorded_iterations(xor, iterations, record_every, recorded):
    run = fastgd.train(*xor, iterations=iterations, record_every=record_every)
    assert run.recorded.tolist() == recorded
    twin = fastgd.reference.train(*xor, iterations=iterations, record_every=record_every)
    np.testing.assert_allclose(run.errors, twin.errors, rtol=1e-14)


def test_direction_changes_past_a_byte():
    """At every update: more than the kernel's bytes can hold between two flushes."""
    X, y = np.array([[1.0]]), np.array([[0.5]])
    settings = {"hidden_size": (), "alpha": 40.0, "weights": [[[0.1]]], "iterations": 1000}
    run = fastgd.train(X, y, **settings)
    assert run.direction_changes[0].item() == 999
    agrees(run, fastgd.reference.train(X, y, **settings), rtol=1e-6)


def test_arguments_are_not_changed(xor):
    X, y = xor
    X.flags.writeable = y.flags.writeable = False
    fastgd.train(X, y, iterations=10)
    fastgd.sweep(X, y, alpha=[1, 2], iterations=10)


def test_rows_of_a_sweep_know_their_settings(xor):
    sweep = fastgd.sweep(
        *xor, hidden_size=[2, (3, 2), ()], alpha=[1, 2.5], seed=[7, 9], iterations=20
    )
    assert sweep.axes == {
        "hidden_size": [(2,), (3, 2), ()],
        "alpha": [1.0, 2.5],
        "seed": [7, 9],
    }
    assert sweep.shape == (3, 2, 2) == sweep.final_error.shape == sweep.errors.shape[:-1]
    assert len(sweep) == 12
    for index, hidden_size in enumerate([2, (3, 2), ()]):
        run = fastgd.train(*xor, hidden_size=hidden_size, alpha=2.5, seed=9, iterations=20)
        row = sweep[index, 1, -1]
        agrees(row, run, rtol=0)
        assert row.final_error == run.final_error == sweep.final_error[index, 1, 1]
        assert sweep.total_changes[index, 1, 1] == sum(c.sum() for c in run.direction_changes)


def test_weights_as_an_axis(xor):
    starts = [[np.full((3, 2), v), np.full((2, 1), -v)] for v in (0.1, 0.2, 0.3)]
    sweep = fastgd.sweep(*xor, weights=starts, alpha=[1, 2], iterations=30)
    assert sweep.shape == (2, 3)
    for i, alpha in enumerate([1, 2]):
        for j, start in enumerate(starts):
            agrees(sweep[i, j], fastgd.train(*xor, weights=start, alpha=alpha, iterations=30), 0)


def test_alphas_per_layer_as_an_axis(xor):
    sweep = fastgd.sweep(*xor, alpha=np.array([[1.0, 2.0], [3.0, 4.0]]), iterations=20)
    assert sweep.axes == {"alpha": [(1.0, 2.0), (3.0, 4.0)]}
    agrees(sweep[1], fastgd.train(*xor, alpha=(3.0, 4.0), iterations=20), 0)


def test_a_sweep_without_axes_is_one_run(xor):
    sweep = fastgd.sweep(*xor, iterations=10)
    assert sweep.shape == ()
    agrees(sweep[()], fastgd.train(*xor, iterations=10), 0)
    assert sweep.best_index() == ()


# A sigmoid bounds what an update can be, so it takes extreme numbers to make a weight overflow:
# here it grows by about 4e307 with each update.
OVERFLOWING = {"X": [[1e-308]], "y": [1.7e308], "hidden_size": (), "weights": [[[0.0]]]}


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_diverged_runs_say_when():
    settings = {**OVERFLOWING, "iterations": 50, "record_every": 5}
    twin = fastgd.reference.train(**settings, alpha=1e308)
    assert twin.status == "diverged"
    assert 1 < twin.iterations < 50
    run = fastgd.train(**settings, alpha=1e308)
    assert (run.status, run.iterations) == ("diverged", twin.iterations)
    assert not np.isfinite(run.weights[0]).all()
    sweep = fastgd.sweep(**settings, alpha=[1e308, 1.0])
    assert sweep.status.tolist() == ["diverged", "finished"]
    assert sweep.iterations.tolist() == [twin.iterations, 50]


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_divergence_in_a_later_chunk(monkeypatch):
    monkeypatch.setattr(execution, "CHUNK_SECONDS", 1e-9)
    twin = fastgd.reference.train(**OVERFLOWING, alpha=1e308, iterations=40)
    run = fastgd.train(**OVERFLOWING, alpha=1e308, iterations=40)
    assert (run.status, run.iterations) == (twin.status, twin.iterations)


def test_keep_weights_false(xor):
    kept = fastgd.sweep(*xor, alpha=ALPHAS, iterations=50)
    sweep = fastgd.sweep(*xor, alpha=ALPHAS, iterations=50, keep_weights=False)
    np.testing.assert_array_equal(sweep.errors, kept.errors)
    np.testing.assert_array_equal(sweep.total_changes, kept.total_changes)
    assert sweep.kept_weights is None


@pytest.mark.parametrize("call", [fastgd.train, fastgd.sweep])
def test_absurd_sizes_are_rejected_before_anything_is_allocated(xor, call):
    with pytest.raises(ValueError, match=r"must fit into the available memory \(.*B\), got a need"):
        call(*xor, hidden_size=10**12)
    with pytest.raises(ValueError, match="must fit into the available memory"):
        call(*xor, iterations=10**15, record_every=1)


def test_a_sweep_that_cannot_fit_is_rejected(xor):
    with pytest.raises(ValueError, match="the sweep must fit into the available memory"):
        fastgd.sweep(*xor, hidden_size=2000, alpha=ALPHAS, seed=range(1_000_000))


def test_progress_counts_every_iteration(xor, capsys):
    fastgd.sweep(*xor, alpha=ALPHAS, iterations=1000, progress=True)
    bar = capsys.readouterr().err
    assert "100%" in bar
    assert "7.00k/7.00k" in bar  # of all runs


def test_progress_without_tqdm_says_what_to_install(xor, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match=r"progress=True needs tqdm: pip install tqdm$"):
        fastgd.train(*xor, iterations=1, progress=True)


@pytest.mark.parametrize("shape", [(1, 5), (4, 5), (5, 5), (1001, 5)])
def test_predict(random_problem, shape, monkeypatch):
    monkeypatch.setattr(prediction, "TOGETHER", 64)
    run = fastgd.train(*random_problem, hidden_size=(6, 3), iterations=50)
    X = np.random.default_rng(1).normal(size=shape)
    layer = X
    for weights in run.weights:
        layer = 1 / (1 + np.exp(-layer @ weights))
    np.testing.assert_allclose(run.predict(X), layer, rtol=1e-12)


def test_predict_is_bit_identical_to_the_error(random_problem):
    X, y = random_problem
    run = fastgd.train(X, y, iterations=20)
    assert run.final_error == pytest.approx(np.abs(y - run.predict(X)).mean(), rel=1e-14)


# ---------------------------------------------------------------- threads, processes, signals


def test_calls_from_several_python_threads(xor):
    alone = [
        fastgd.sweep(*xor, alpha=ALPHAS, seed=range(10 * i, 10 * i + 10), iterations=2000)
        for i in range(4)
    ]
    together = [None] * 4

    def work(i):
        seeds = range(10 * i, 10 * i + 10)
        together[i] = fastgd.sweep(*xor, alpha=ALPHAS, seed=seeds, iterations=2000)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(alone, together, strict=True):
        assert a.errors.tobytes() == b.errors.tobytes()


@intrinsic
def control_register(_typing, _new):
    """Set the SSE control register; what it was before."""

    def codegen(_context, builder, _sig, args):
        pointer = cgutils.alloca_once(builder, ir.IntType(32))
        # A pointer to bytes where LLVM still tells pointers apart (Numba 0.61).
        place = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type])
        for name in ("stmxcsr", "ldmxcsr"):
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}")
            builder.call(function, [place])
            if name == "stmxcsr":
                before = builder.load(pointer)
                builder.store(args[0], pointer)
        return before

    return types.uint32(types.uint32), codegen


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="sets an x86 register")
def test_flushing_subnormals_to_zero_is_rejected(xor):
    exchange = njit(lambda new: control_register(new))
    before = exchange(np.uint32(0x1F80 | 0x8040))  # flush to zero, denormals are zero
    try:
        with pytest.raises(RuntimeError, match="subnormal numbers must not be flushed to zero"):
            fastgd.train(*xor, iterations=1)
    finally:
        exchange(np.uint32(before))
    fastgd.train(*xor, iterations=1)


FORK = (
    XOR_CODE
    + """
import os, sys, fastgd
def work():
    return fastgd.sweep(X, y, seed=range(40), iterations=500).errors.tobytes()
before = work()
child = os.fork()
if child == 0:
    os._exit(0 if work() == before else 3)
assert os.waitpid(child, 0)[1] == 0
assert work() == before
print("same")
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_after_a_fork(layer):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        env=os.environ | {"NUMBA_THREADING_LAYER": layer},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "same\n", done.stderr


LONG = (
    XOR_CODE
    + """
import sys, fastgd
fastgd.sweep(X, y, seed=range(40), iterations=10)
print("ready", flush=True)
try:
    fastgd.sweep(X, y, seed=range(40), iterations=10**12, record_every=10**12)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals to one process only are POSIX")
def test_ctrl_c_ends_a_call_within_half_a_second():
    # A busy machine may take longer, once or twice.
    assert any(seconds_until_it_ends() < 0.5 for _ in range(4))


def seconds_until_it_ends():
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert process.stdout.readline() == "stopped\n"
    seconds = time.monotonic() - began
    process.stdout.close()
    assert process.wait(60) == 0
    return seconds


def test_recorded_weights_are_those_that_had_the_recorded_errors(xor):
    settings = {"hidden_size": (5, 3), "alpha": 2.0, "bias": True}
    run = fastgd.train(*xor, **settings, iterations=50, record_every=7, record_weights=True)
    assert [path.shape for path in run.recorded_weights] == [(8, 3, 5), (8, 5, 3), (8, 3, 1)]
    first = fastgd.engine.network.first_weights((3, 5, 3, 1), 1)
    for at, iterations in enumerate(run.recorded):
        expected = first
        if iterations:
            expected = fastgd.train(*xor, **settings, iterations=int(iterations)).weights
        for path, weights in zip(run.recorded_weights, expected, strict=True):
            assert path[at].tobytes() == weights.tobytes()


def test_recorded_weights_stop_where_a_run_ends(xor):
    run = fastgd.train(
        *xor, alpha=10, iterations=900, record_every=10, tolerance=0.1, record_weights=True
    )
    assert run.status == "converged"
    reached = run.recorded <= run.iterations
    for path in run.recorded_weights:
        assert np.isfinite(path[reached]).all()
        assert np.isnan(path[~reached]).all()
    assert 1 < reached.sum() < len(reached)


def test_weights_are_recorded_only_when_asked(xor):
    assert fastgd.train(*xor, iterations=3).recorded_weights is None
    with pytest.raises(TypeError, match="record_weights must be True or False, got 1"):
        fastgd.train(*xor, iterations=3, record_weights=1)

"""Threads that share the work of an update: bit-identical to one thread."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgd
from cases import NETWORKS
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.engine import packing, session
from fastgd.engine import session as layouts
from fastgd.engine.devices import available_threads
from fastgd.engine.execution import LAST_SECONDS, ThreadTuning
from fastgd.engine.network import Network
from fastgd.engine.plan import Plan
from fastgd.engine.recipe import recipe_of
from fastgd.engine.session import area_of, layout_for
from fastgd.kernel.block import Area, Layer
from fastgd.kernel.language.tile import Shape
from fastgd.kernel.vectorization import shapes_for
from fastgd.optimizers import Adam, Momentum
from fastgd.training import train_sweep as checkpoints
from golden import GOLDEN, digest
from thinning import crossed, only, some

HASHES = json.loads(GOLDEN.read_text())

RANDOM = np.random.default_rng(3)
X, Y = RANDOM.normal(size=(37, 5)), RANDOM.random((37, 3))
HELD = RANDOM.normal(size=(21, 5)), RANDOM.random((21, 3)), RANDOM.random(21)

CASES = {
    "no hidden layer, changes past a byte": {"hidden_size": (), "alpha": 1.0, "iterations": 300},
    "wide and narrow tiles": {"hidden_size": 19, "optimizer": Momentum(momentum=0.9)},
    "softmax": {"hidden_size": (5, 3), "output": "softmax", "loss": "cross_entropy"},
    "in batches": {
        "hidden_size": (7, 6),
        "bias": True,
        "batch_size": 11,
        "sample_weight": RANDOM.random(37),
        "dropout": 0.2,
        "optimizer": Adam(),
        "alpha": 0.01,
        "summary": 5,
        "validation": HELD,
    },  # on one thread this is the kernel of the golden case "taken up again"
    "means of batches": {
        "hidden_size": (7, 6),
        "bias": True,
        "batch_size": 11,
        "reduction": "mean",
        "sample_weight": RANDOM.random(37),
        "dropout": 0.2,
        "dropconnect": 0.1,
        "optimizer": Adam(),
        "alpha": 0.01,
    },
    "with an end": {
        "hidden_size": (6, 9),
        "bias": True,
        "activation": "tanh",
        "sample_weight": RANDOM.random(37),
        "l1": 0.001,
        "l2": 0.01,
        "clip_norm": 0.5,
        "validation": HELD,
        "evaluate_every": 3,
        "patience": 20,
        "restore_best": True,
        "record_weights": True,
        "freeze": (np.arange(30).reshape(5, 6) % 3 == 0, None, None),
    },
    "derivatives in batches": {
        "hidden_size": (7, 6),
        "activation": "softplus",
        "batch_size": 11,
        "reduction": "mean",
        "gradients": RANDOM.random((37, 3, 5)),
        "alpha": 0.01,
    },  # and this is the kernel of that of this name
    "derivatives": {
        "hidden_size": (7, 6),
        "activation": "tanh",
        "bias": True,
        "gradients": np.where(RANDOM.random((37, 3, 5)) < 0.2, np.nan, RANDOM.random((37, 3, 5))),
        "alpha": 0.01,
        "validation": HELD,
    },
}


@pytest.fixture
def sharing(monkeypatch):
    """Make this number of threads share every update, with this number of samples at a time."""

    def share(threads, together=1 << 20, rows=32):
        monkeypatch.setattr(layouts, "_remembered", layouts._grouped)
        monkeypatch.setattr(layouts, "SHARE_SECONDS", 1e-15)
        monkeypatch.setattr(layouts, "SHARE_SAMPLES", 0.25)
        monkeypatch.setattr(layouts, "GROUP_BYTES", 1)
        monkeypatch.setattr(layouts, "TOGETHER_BYTES", together)
        monkeypatch.setattr(layouts, "GRADIENT_SAMPLES", rows)
        made = []

        def planned(*arguments, **given):
            made.append(layout_for(*arguments, **given | {"threads": threads}))
            return made[-1]

        monkeypatch.setattr(session, "layout_for", planned)
        return made

    return share


def same(a, b):
    """Whether two runs have the same bits."""
    names = ("errors", "losses", "final_error", "final_loss", "status", "iterations")
    names += ("validation_errors", "final_validation_error", "best_iteration")
    for name in names:
        one, other = getattr(a, name), getattr(b, name)
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes(), name
    for name in ("weights", "biases", "direction_changes", "bias_direction_changes"):
        for one, other in zip(getattr(a, name), getattr(b, name), strict=True):
            assert one.tobytes() == other.tobytes(), name
    return True


@pytest.mark.parametrize(
    "case",
    only(CASES, "no hidden layer, changes past a byte", "in batches"),
)
@pytest.mark.slow
def test_bits_are_those_of_one_thread(case, sharing):
    settings = {"alpha": 0.3, "iterations": 60, "record_every": 7} | CASES[case]
    targets = Y / Y.sum(axis=1, keepdims=True)  # as softmax wants them
    alone = fastgd.train(X, targets, threads=1, **settings)
    for threads, together, rows in ((2, 1 << 20, 32), (3, 1 << 20, 4), (3, 1, 5)):
        made = sharing(threads, together, rows)
        assert same(fastgd.train(X, targets, threads=1, **settings), alone)
        assert made[0].threads == threads
        assert (made[0].room >= len(X) * made[0].lines) == (together > 1)


@pytest.mark.parametrize(
    "case", only(["in batches", "means of batches", "with an end"], "in batches")
)
@pytest.mark.slow
def test_a_checkpoint_is_continued_on_any_number_of_threads(case, sharing, tmp_path, monkeypatch):
    settings = {"alpha": 0.3, "iterations": 60, "record_every": 7} | CASES[case]
    alone = fastgd.train(X, Y, threads=1, **settings)
    write, file = checkpoints._write, tmp_path / "run.npz"

    def once(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "FIRST", 16)
    monkeypatch.setattr(checkpoints, "GROWTH", 1)
    for threads in (2, 3, 1):
        made = sharing(threads)
        monkeypatch.setattr(checkpoints, "_write", once)
        with pytest.raises(KeyboardInterrupt):
            fastgd.train(X, Y, threads=1, checkpoint=file, checkpoint_every=1e-9, **settings)
        assert {layout.threads for layout in made} == {threads}
    assert checkpoints.planned(fastgd.load(file)) == 48
    monkeypatch.setattr(checkpoints, "_write", write)
    sharing(3)
    assert same(fastgd.train(X, Y, threads=1, checkpoint=file, **settings), alone)
    assert same(fastgd.load(file), alone)


def test_a_training_resumes(sharing):
    settings = {"record_every": 10, "threads": 1} | CASES["in batches"]
    whole = fastgd.train(X, Y, iterations=60, **settings)
    sharing(2)
    half = fastgd.train(X, Y, iterations=30, **settings)
    again = fastgd.train(X, Y, resume=half, iterations=30, validation=HELD, threads=1)
    assert same(again, whole)


@pytest.mark.parametrize(("case", "runs"), crossed(list(NETWORKS), [1, 8]))
def test_golden_hashes(case, runs, sharing):
    made = sharing(3)
    assert digest(case, runs) == HASHES[case]
    assert made[0].threads == 3


def test_a_run_that_diverges(sharing):
    settings = {"hidden_size": 6, "activation": "identity", "output": "identity", "alpha": 50.0}
    settings |= {"iterations": 600, "record_every": 7, "threads": 1}
    with pytest.warns(UserWarning, match="diverged"):
        alone = fastgd.train(X, Y, **settings)
    sharing(3)
    with pytest.warns(UserWarning, match="diverged"):
        shared = fastgd.train(X, Y, **settings)
    assert same(shared, alone)
    assert shared.status == "diverged"


def test_a_run_of_which_only_the_second_threads_weights_overflow(sharing):
    inputs = np.ones((8, 8))
    inputs[:, 7] = 1e200
    settings = {"weights": [np.zeros((8, 1))], "activation": "identity", "output": "identity"}
    settings |= {"alpha": 1e150, "iterations": 5, "record_every": 5, "threads": 1}
    made = sharing(2)
    with pytest.warns(UserWarning, match="diverged"):
        run = fastgd.train(inputs, np.ones(8), **settings)
    assert made[0].threads == 2
    assert np.isfinite(run.weights[0].ravel()).tolist() == [True] * 7 + [False]
    assert (run.status, run.iterations) == ("diverged", 1)


# ---------------------------------------------------------------- who shares


def planned(sizes, samples, threads=8, batch=0, **options):
    method = Method(**options)
    recipe = recipe_of(method, {})
    return layout_for(Network(sizes), 1, samples, recipe, batch, threads=threads)


@pytest.mark.parametrize(
    ("sizes", "samples", "batch", "threads"),
    [
        ((3, 4, 1), 4, 0, 1),
        ((16, 16, 1), 272, 0, 1),
        ((64, 64, 10), 256, 0, 2),
        ((784, 100, 10), 2000, 0, 8),
        ((784, 100, 10), 2000, 4, 1),
        ((784, 100, 10), 2000, 32, 1),
        ((784, 100, 10), 2000, 100, 3),
    ],
)
def test_threads_have_enough_to_do(sizes, samples, batch, threads):
    assert planned(sizes, samples, batch=batch).threads == threads


@pytest.mark.parametrize(
    "options",
    [{"batch_norm": True}, {"sampling": "adaptive", "batch_size": 100}],
)
def test_what_needs_a_whole_batch_has_one_thread(options):
    batch = options.get("batch_size", 0)
    assert planned((784, 100, 10), 2000, batch=batch, **options).threads == 1


def test_only_so_many_values_are_kept():
    layout = planned((784, 100, 10), 10**7)
    kept = 16 * 112 * layout.room  # strides are at most so many numbers
    assert layout.threads == 8
    assert layouts.TOGETHER_BYTES * 0.9 < kept < layouts.TOGETHER_BYTES * 1.1
    assert planned((784, 100, 10), 2001).room == 2004


@pytest.mark.usefixtures("users_kernels")
@pytest.mark.parametrize(
    ("runs", "threads", "each"), [(1, 8, 8), (2, 2, 1), (2, 8, 8), (7, 8, 8), (8, 8, 1), (99, 8, 1)]
)
def test_blocks_that_are_fewer_than_threads_are_shared(runs, threads, each):
    task = TrainingData.check(np.zeros((40_000, 784)), np.zeros((40_000, 10)), 3, 1)
    alphas = np.full((runs, 2), 0.1)
    plan = Plan.make(task, Network((784, 100, 10)), Method(), alphas, {}, 1, threads)
    assert plan.layout.runs == 1
    assert plan.layout.threads == each
    assert each == 1 or runs * 16 * 112 * plan.layout.room < layouts.TOGETHER_BYTES * 1.1


def test_blocks_take_turns_on_all_threads(sharing, monkeypatch):
    monkeypatch.setattr(packing, "runs_side_by_side", lambda *_, **__: 1)
    settings = {"hidden_size": (6, 9), "alpha": [0.1, 0.3], "iterations": 60, "record_every": 7}
    alone = [fastgd.train(X, Y, **settings | {"alpha": alpha}, threads=1) for alpha in (0.1, 0.3)]
    made = sharing(3)
    sweep = fastgd.sweep(X, Y, **settings)
    assert (made[0].threads, made[0].runs) == (3, 1)
    assert all(same(one, other) for one, other in zip(sweep, alone, strict=True))


LAYERS = st.tuples(st.integers(1, 40), st.integers(1, 99), st.sampled_from([1, 4, 16, 32]))


@given(LAYERS, st.sampled_from([1, 16]), st.integers(1, 5))
def test_shares_are_all_weights_once(layer, rest, threads):
    inputs, outputs, wide = layer
    shapes = shapes_for(1, 1)._replace(wide=Shape(4, wide, 1), rest=Shape(4, rest, 1))
    facts = dict.fromkeys(Layer._fields, 0) | {
        "inputs": inputs,
        "outputs": outputs,
        "full_inputs": (inputs - 1) // 4 * 4,  # the last one is that of a bias
        "wide_outputs": outputs // wide * wide,
    }
    made = Layer(**facts)
    count = np.zeros((inputs, outputs), int)
    for thread in range(threads):
        area = area_of(made, shapes, thread, threads)
        assert isinstance(area, Area)
        count[area.first_input : area.inputs, area.first_unit : area.units] += 1
        assert (area.full_inputs - area.first_input) % 4 == 0
        assert area.first_input == area.full_inputs or area.full_inputs <= made.full_inputs
        assert (area.wide_units - area.first_unit) % wide == 0
        assert area.first_unit == area.wide_units or area.wide_units <= made.wide_outputs
    assert (count == 1).all()


# ---------------------------------------------------------------- by the clock


def ways(pace, calls, seconds):
    """Which ways so many calls of 50 ms go, if an iteration takes so long by each of them."""
    taken = []
    for _ in range(calls):
        threads, most = pace.next()
        count = most or max(1, int(0.05 / seconds[threads]))
        taken.append(threads)
        pace.took(threads, count, count * seconds[threads])
    return taken


def test_threads_that_hinder_each_other_are_left_out():
    pace = ThreadTuning(2, seconds=1e-4)
    taken = ways(pace, 2000, {1: 1e-4, 2: 1e-2})
    assert taken[:5] == [2, 2, 1, 1, 1]
    assert 4 < taken.count(2) < 12  # less and less often
    assert pace._wait == LAST_SECONDS


def test_a_machine_that_is_no_longer_busy_is_noticed():
    pace = ThreadTuning(2, seconds=1e-4)
    ways(pace, 100, {1: 1e-4, 2: 1e-2})
    assert ways(pace, 2000, {1: 1e-4, 2: 6e-5})[-1000:].count(1) < 10
    assert ways(pace, 10, {1: 1e-4, 2: 1e-2})[1:] == [1] * 9


# ---------------------------------------------------------------- threads=


@pytest.mark.parametrize(
    ("threads", "said"),
    [
        (0, "threads must be at least 1, got 0"),
        (-1, "threads must be at least 1, got -1"),
        (1.5, "threads must be an int"),
        (True, "threads must be an int"),
        (10**6, "threads must be at most"),
    ],
)
def test_rejected(threads, said, xor):
    with pytest.raises((ValueError, TypeError), match=said):
        fastgd.train(*xor, threads=threads)


LARGE = """
import os, sys, numpy as np, fastgd
random = np.random.RandomState(0)
X, y = random.normal(size=(400, 60)), random.random_sample((400, 5))
def work(**given):
    return fastgd.train(X, y, hidden_size=40, alpha=0.01, iterations=30, **given).final_error
before = work()
if "alone" in sys.argv:
    assert before == work(threads=1)
child = os.fork()
if child == 0:
    os._exit(0 if work() == before else 3)
assert os.waitpid(child, 0)[1] == 0
assert work() == before
print("same")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize(
    ("layer", "more"), some([("omp", ["alone"]), ("workqueue", [])], [False, True])
)
@pytest.mark.slow
def test_after_a_fork(layer, more):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", LARGE, *more],
        env=os.environ | {"NUMBA_THREADING_LAYER": layer},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "same\n", done.stderr


def test_as_many_threads_as_there_are(xor):
    assert fastgd.train(*xor, iterations=1, threads=available_threads()).iterations == 1

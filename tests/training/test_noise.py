"""gradient_noise and input_noise: the numbers, where they are added, and who they are the same for.

That the twin in NumPy has the same ones is tested in test_methods.py.
"""

import numpy as np
import pytest
from scipy.stats import kstest
from test_shared_updates import same, sharing  # noqa: F401 - a fixture

import fastgd
import plain
from cases import WEIGHTS, X, Y
from fastgd import reference
from fastgd.engine import network
from fastgd.optimizers import Adam, LevenbergMarquardt
from networks import fresh
from thinning import at_a_time, kernels_of, some

pytestmark = pytest.mark.slow  # each of them compiles

SEED = 2**32 - 3
GIVEN = {"hidden_size": (5, 3), "bias": True, "alpha": 0.25, "seed": SEED}
GRADIENT, INPUT, DECAY = 0.5, 0.3, 1.5
NOISES = {"gradient_noise": GRADIENT, "input_noise": INPUT, "noise_decay": DECAY}
AXES = {name: [0.0, size] for name, size in NOISES.items()}
"""Of sweeps, which have the kernel of the golden case "input noise"."""


def trained(train, **given):
    """A run with these noises, of the twin or of a sweep."""
    if train is reference.train:
        return train(X, Y, **GIVEN | given)
    noises = {name: given.pop(name, 0.0) for name in AXES}
    with kernels_of("input noise"):
        return fastgd.sweep(X, Y, **GIVEN | given | AXES).sel(**noises)


def step_from(run, X=X):
    """The network after one update without noise."""
    start = fresh(run.weights, bias=True)._replace(biases=run.biases)
    given = {name: value for name, value in GIVEN.items() if name != "hidden_size"}
    return reference.train(X, Y, **given, weights=start, iterations=1)


def noise_of(shape, iteration, purpose):
    return np.array(plain.normal(*shape, iteration, SEED, purpose)).reshape(shape)


HELD = X[:5] + 1, Y[:5]
STEPS = {"iterations": 5, "record_every": 1, "record_weights": True, "validation": HELD}
BOTH = pytest.mark.parametrize("train", [fastgd.train, reference.train])


@BOTH
@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_each_derivative_has_noise_of_its_own(train, decay):
    """The variance is that at the start over (1 + t)**decay; a step without noise is compared."""
    run = trained(train, **STEPS, gradient_noise=GRADIENT, noise_decay=decay)
    for t in range(5):
        at, after = run.at(t), run.at(t + 1) if t < 4 else run
        free, size = step_from(at), 0.25 * GRADIENT / (1 + t) ** (decay / 2)
        for k, w in enumerate(after.weights):
            row = size * noise_of((w.size + w.shape[1], 1), t, 8 * k + 5)[:, 0]
            moved = (w - free.weights[k]).ravel(), after.biases[k] - free.biases[k]
            np.testing.assert_allclose(np.concatenate(moved), row, rtol=1e-8, atol=1e-14)


@BOTH
def test_inputs_have_noise_in_training_only(train):
    """Each step is that on samples with the same numbers added; all errors are without."""
    run = trained(train, **STEPS, input_noise=INPUT, noise_decay=DECAY)
    for t in range(5):
        at, after = run.at(t), run.at(t + 1) if t < 4 else run
        step = step_from(at, X + INPUT / (1 + t) ** (DECAY / 2) * noise_of(X.shape, t, 6))
        for w, v in zip(after.weights, step.weights, strict=True):
            np.testing.assert_allclose(w, v, rtol=1e-10)
        errors = [np.abs(y - at.predict(x)).mean() for x, y in ((X, Y), HELD)]
        np.testing.assert_allclose([run.errors[t], run.validation_errors[t]], errors, rtol=1e-12)


def test_normal_numbers_are_normal():
    """A million of them, the compiled ones of one update: moments, distribution, and neighbors.

    The inputs are 0 and the outputs as wanted, so that an update is its noise.
    """
    inputs, y = 1000, np.full((1, 1000), 0.5)
    start = {"weights": [np.zeros((inputs, 1000))], "biases": [np.zeros(1000)], "bias": True}
    with kernels_of("input noise"):
        sweep = fastgd.sweep(np.zeros((1, inputs)), y, **start, alpha=1, iterations=1, seed=SEED,
                             **AXES | {"gradient_noise": [0.0, 1.0]})  # fmt: skip
    noise = sweep.weights[0][1, 0, 0].ravel()
    assert kstest(noise, "norm").pvalue > 0.001
    moments = [(noise**k).mean() for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.02)
    for lag in (1, 2, 3, 4):
        assert abs(np.corrcoef(noise[:-lag], noise[lag:])[0, 1]) < 0.004
    assert len(np.unique(noise)) == len(noise)
    assert abs(noise).max() < 6.8
    assert (sweep.weights[0][0, 0, 0] == 0).all()


STREAMS = {
    "epochs": {"dropout": 0.2, "dropconnect": 0.2, "init": "he_normal", "shuffle_seed": SEED},
    "adaptive": {"sampling": "adaptive", "init": ("article", "glorot", "lecun_normal")},
}


@pytest.mark.parametrize("case", STREAMS)
def test_no_random_word_is_used_twice(case, monkeypatch):
    """Keys and counters of all that a training draws, of the twin, which draws what kernels do."""
    drawn = []
    real = network.philox

    def noting(counter, key):
        words = np.broadcast_arrays(*counter, *key)
        drawn.extend(zip(*(word.ravel().tolist() for word in words), strict=True))
        return real(counter, key)

    for module in (network, reference.philox):
        monkeypatch.setattr(module, "philox", noting)
    given = GIVEN | NOISES | {"batch_size": 4} | STREAMS[case]
    reference.train(X, Y, **given, iterations=8)
    assert len(set(drawn)) == len(drawn)
    purposes = {key % 8 for *_, key in drawn}
    assert purposes == ({0, 1, 2, 4, 5, 6} if case == "epochs" else {3, 4, 5, 6})


def test_a_run_without_noise_beside_others_keeps_its_bits():
    free = fastgd.train(X, Y, **GIVEN, iterations=40)
    with kernels_of("input noise"):
        sweep = fastgd.sweep(X, Y, **GIVEN, iterations=40, **AXES)
    assert same(sweep[0, 0, 0], free)
    assert same(sweep[0, 0, 1], free)
    assert sweep[0, 1, 0].final_error != free.final_error != sweep[1, 0, 0].final_error


def test_a_run_without_noise_is_trained_again_where_others_decay():
    """What falls with nothing to fall is no mistake in a row of a sweep."""
    given = GIVEN | {"noise_decay": DECAY, "gradient_noise": [0.0, 0.5], "iterations": 9}
    sweep = fastgd.sweep(X, Y, **given, keep_weights=False)
    assert sweep[0].final_error == fastgd.train(X, Y, **GIVEN, iterations=9).final_error


OPTIONS = [
    {"bias": True},
    {"dropout": 0.2, "batch_size": 4, "bias": True},
    {"dropconnect": 0.2, "optimizer": Adam(), "clip_norm": 0.5},
    {"batch_norm": True, "freeze": (0,), "sample_weight": WEIGHTS},
    {"batch_size": 4, "sampling": "adaptive"},
]


@pytest.mark.parametrize(
    ("options", "lanes"),
    some(
        [(options, lanes) for options in OPTIONS for lanes in (8, 1)],
        [True] + [False] * (2 * len(OPTIONS) - 1),
    ),
)
def test_rows_of_a_sweep_and_resumed_runs(options, lanes):
    """Alone, and after a stop, each run has the bits that it has beside others."""
    given = {"hidden_size": (5, 4), "alpha": 0.1, "record_every": 7} | options
    axes = {name: [size / 2, size] for name, size in NOISES.items()} | {"seed": [1, 2, 3]}
    with at_a_time(8):
        sweep = fastgd.sweep(X, Y, **given, **axes, iterations=50)
        half = fastgd.sweep(X, Y, **given, **axes, iterations=21, keep_state=True)
        whole = fastgd.sweep(X, Y, resume=half, iterations=29)
    assert len({run.final_error for run in sweep}) == len(sweep)
    with at_a_time(lanes):
        for place in np.ndindex(sweep.shape):
            assert same(whole[place], sweep[place])
            if sum(place) % 3 == 0:
                values = zip(sweep.axes.items(), place, strict=True)
                alone = {name: axis[i] for (name, axis), i in values}
                assert same(fastgd.train(X, Y, **given, **alone, iterations=50), sweep[place])


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_that_share_an_update(threads, sharing):  # noqa: F811 - asks for the fixture
    given = GIVEN | NOISES | {"hidden_size": (15, 9), "iterations": 40, "record_every": 7}
    alone = fastgd.train(X, Y, **given, threads=1)
    made = sharing(threads, together=1 << 12)
    assert same(fastgd.train(X, Y, **given, threads=1), alone)
    assert made[0].threads == threads


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_noise_that_overflows_ends_its_own_run_only():
    with kernels_of("input noise"):
        sweep = fastgd.sweep(X, Y, **GIVEN, iterations=20, **AXES | {"gradient_noise": [0, 1e308]})
    assert (sweep.sel(gradient_noise=1e308).status == "diverged").all()
    assert (sweep.sel(gradient_noise=0).status == "finished").all()


LM = {"optimizer": LevenbergMarquardt()}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gradient_noise": -1}, "gradient_noise must be a finite number of at least 0, got -1"),
        ({"input_noise": np.inf}, "input_noise must be a finite number of at least 0, got inf"),
        ({"noise_decay": [0, -0.5]}, "noise_decay must be a finite number of at least 0, got -0.5"),
        ({"gradient_noise": [0, 1], **LM}, "gradient_noise must be 0.0 with .*, whose step is"),
        ({"input_noise": 1, **LM}, "input_noise must be 0.0 with .*, which compares the losses"),
        (
            {"input_noise": 1, "gradients": np.ones((11, 2, 3)), "activation": "tanh"},
            "input_noise must be 0.0 with gradients, since they are known at the inputs without n",
        ),
        ({"noise": 1}, "did you mean input_noise|fastgd calls it input_noise"),
    ],
    ids=str,
)
def test_what_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fastgd.sweep(X, Y, iterations=1, **given)

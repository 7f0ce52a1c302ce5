"""Custom functions in trainings: bits, what they compile, NaN, files, resuming; classes."""

import pickle
from contextlib import nullcontext
from fractions import Fraction

import numpy as np
import pytest
import scipy.special
from test_results import same

import fastgd
from cases import CAUCHY, SWISH, XOR_X, XOR_Y
from fastgd import reference
from fastgd.checks.messages import TrainingWarning
from fastgd.formulas.expressions import FUNCTIONS
from fastgd.functions import exp, log, sqrt, tanh
from fastgd.kernel.training_loop import descend
from fastgd.optimizers import Adam
from thinning import at_a_time, kernels_of, only, some

RANDOM = np.random.RandomState(4)
X, Y = RANDOM.random_sample((12, 3)), RANDOM.random_sample((12, 2))
CLASSES = np.array([0, 2, 1, 1, 0, 2, 0, 1, 2, 2, 0, 1])
ROOT = fastgd.Function(lambda a, p: a * sqrt(p), p=1.0)
"""NaN where p is below 0."""

OWN = {"activation": ROOT, "loss": CAUCHY, "output": "identity"}
SETTINGS = {"X": X, "y": Y, "hidden_size": 3, "iterations": 25, "record_every": 7, "alpha": 0.02}


@pytest.fixture(scope="module", autouse=True)
def with_the_kernels_of_sweeps():
    """Runs alone have those, too, in which the other lanes are empty."""
    with at_a_time(8):
        yield


# ---------------------------------------------------------------- NaN


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_a_function_that_gives_nan_ends_its_run_and_no_other():
    axes = {"p": [1.0, -1.0, 0.5, -0.25, 2.0], "c": [0.3, 1.0]}
    sweep = fastgd.sweep(**SETTINGS, **OWN, **axes, keep_state=True)
    for p, status in zip(axes["p"], sweep.status, strict=True):
        assert set(status) == {"diverged" if p < 0 else "finished"}
    for place in np.ndindex(sweep.shape):
        chosen = {name: sweep.axes[name][i] for name, i in zip(axes, place, strict=True)}
        alone = fastgd.train(**SETTINGS, **OWN, **chosen)
        assert same(sweep[place], alone), chosen
        twin = reference.train(**SETTINGS, **OWN, **chosen)
        assert (alone.status, alone.iterations) == (twin.status, twin.iterations)
        np.testing.assert_allclose(alone.errors, twin.errors, rtol=1e-9)


def test_it_is_said_that_a_run_diverged():
    with pytest.warns(TrainingWarning, match="the training diverged after 0 iterations"):
        fastgd.train(**SETTINGS, **OWN, p=-1.0)


OVERFLOWING = {
    "activation": ["a / 0", "a * 1e308 * 10", "1e308 * (10 * a)", "-(a / 0)", "0 * a / 0"],
    "output": ["a / 0", "a * 1e308 * 10"],
    "loss": ["(y - v)**2 / 0", "(v - y) * 1e308 * 10"],
}
"""By option: what is infinite or NaN itself, or has such a derivative, because of constants."""


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize(
    ("option", "text"),
    [
        pytest.param(option, text, marks=pytest.mark.slow if k or option != "activation" else [])
        for option, texts in OVERFLOWING.items()
        for k, text in enumerate(texts)
    ],
)
def test_constants_that_overflow_are_what_arithmetic_makes_of_them(option, text):
    formula = (fastgd.Loss if option == "loss" else fastgd.Function)(text)
    given = {**SETTINGS, "output": "identity", option: formula}
    run, twin = fastgd.train(**given), reference.train(**given)
    assert run.status == twin.status == "diverged"
    assert run.iterations == twin.iterations


@pytest.mark.parametrize(
    ("option", "formula", "chosen"),
    some(
        [
            ("activation", fastgd.Function("where(a < 9, tanh(a), a / 0)"), "tanh"),
            ("activation", fastgd.Function("where(a > 9, 0 * a / 0, tanh(a))"), "tanh"),
            ("activation", fastgd.Function("where(a < 9, tanh(a), a * 1e308 * 10)"), "tanh"),
            ("output", fastgd.Function("where(a < 9, sigmoid(a), -(a / 0))"), "sigmoid"),
            ("loss", fastgd.Loss("where(v < 9, 0.5 * (y - v)**2, (y - v) / 0)"), "squared"),
            ("loss", fastgd.Loss("where(v1 < 9, 0.5*(y - v1)**2 + 0*v2, v2/0)"), None),
        ],
        [True, False, False, False, False, False],
    ),
)
def test_what_overflows_and_is_not_chosen_counts_for_nothing(option, formula, chosen, tmp_path):
    given = {**SETTINGS, option: formula}
    if option == "activation":
        given["output"] = "identity"  # as a golden case has it beside tanh
    run, twin = fastgd.train(**given), reference.train(**given)
    assert run.status == twin.status == "finished"
    np.testing.assert_allclose(run.errors, twin.errors, rtol=1e-12)
    if chosen is not None:
        with kernels_of("tanh, identity") if option == "activation" else nullcontext():
            plain = fastgd.train(**given | {option: chosen})
        np.testing.assert_allclose(run.errors, plain.errors, rtol=1e-12)
    run.save(tmp_path / "run.npz")
    again = fastgd.load(tmp_path / "run.npz")
    assert again.options == run.options
    assert again.predict(X).tobytes() == run.predict(X).tobytes()


# ---------------------------------------------------------------- what is compiled


def test_other_numbers_and_other_names_compile_nothing():
    fastgd.train(**SETTINGS, **OWN)
    fastgd.sweep(**SETTINGS, **OWN, seed=[1, 2])
    before = len(descend.overloads)
    fastgd.train(**SETTINGS, **OWN, p=3.0, c=0.25)
    fastgd.sweep(**SETTINGS, **OWN, p=np.linspace(0.5, 2, 20), c=[0.5, 2.0])
    renamed = {
        "activation": fastgd.Function("x * sqrt(scale)", scale=2.0),
        "loss": fastgd.Loss(lambda goal, v, width: log(1 + ((goal - v) / width) ** 2), width=0.5),
        "output": fastgd.Function("input"),
    }
    other = fastgd.train(**SETTINGS, **renamed)
    own = fastgd.train(**SETTINGS, **OWN, p=2.0, c=0.5)
    assert other.weights[0].tobytes() == own.weights[0].tobytes()
    assert other.errors.tobytes() == own.errors.tobytes()
    assert len(descend.overloads) == before


@pytest.mark.parametrize(
    ("given", "formulas"),
    [
        ({}, [(text, text) for text in ("1 / (1 + exp(-a))", "1 / (exp(-a) + 1)", "sigmoid(a)")]),
        ({"activation": "tanh", "output": "identity"}, [("tanh(a)", "a")]),
        pytest.param(
            {"activation": "tanh", "output": "tanh"},
            [("tanh(a)", "tanh(a)")],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_built_in_that_is_written_out_is_the_built_in(given, formulas):
    """The same code, so the same bits and the same speed."""
    with kernels_of("tanh, identity" if given else "plain"):
        plain = fastgd.train(XOR_X, XOR_Y, iterations=100, **given)
        before = len(descend.overloads)
        for units in formulas:
            own = dict(zip(("activation", "output"), map(fastgd.Function, units), strict=True))
            run = fastgd.train(XOR_X, XOR_Y, iterations=100, **own)
            assert run.weights[1].tobytes() == plain.weights[1].tobytes()
        assert len(descend.overloads) == before


def test_a_slope_that_is_given_counts():
    """One that is wrong: half of it is the same as half the learning rate, without hidden units.

    And it does compile, which shows that the test of what compiles nothing can fail.
    """
    given = {"X": X, "y": Y, "hidden_size": (), "iterations": 20}
    given |= {"activation": "identity", "output": "identity"}
    half = fastgd.Loss("0.5*(y - v)**2", derivative="0.5*(v - y)")
    before = len(descend.overloads)
    run = fastgd.train(**given, alpha=0.1, loss=half)
    assert len(descend.overloads) == before + 1
    with at_a_time(1):  # as other tests train without limits
        plain = fastgd.train(**given, alpha=0.05)
    np.testing.assert_allclose(run.weights[0], plain.weights[0], rtol=1e-13)
    twin = reference.train(**given, alpha=0.1, loss=half)
    np.testing.assert_allclose(run.weights[0], twin.weights[0], rtol=1e-13)


@pytest.mark.parametrize(
    "unit",
    [
        fastgd.Function("sign(a)", derivative="where(abs(a) < 1, 1, 0)"),
        pytest.param(fastgd.Function("a + a**3", derivative="k", k=2.0), marks=pytest.mark.slow),
        pytest.param("softplus", marks=pytest.mark.slow),
    ],
    ids=["straight through", "wrong", "built in"],
)
def test_a_derivative_that_is_given_counts_with_several_outputs_to_a_target(unit):
    """That of the output unit, also where its sides bend, as softplus has them at 0."""
    loss = fastgd.Loss(lambda y, a, b, c: (y - a * b) ** 2 + 0.5 * (c - tanh(a)) ** 2)
    given = {"hidden_size": 3, "output": unit, "loss": loss}
    f = fastgd.objective(X, Y, **given)
    for w in (f.start(1), np.zeros_like(f.start(1))):
        value, derivative = f(w)
        expected, expected_derivative = reference.objective(X, Y, w, **given)
        assert value == pytest.approx(expected, rel=1e-13)
        np.testing.assert_allclose(derivative, expected_derivative, rtol=1e-11, atol=1e-14)


# ---------------------------------------------------------------- files, and resuming


BESIDE = {"activation": SWISH, "beta": 2.0, "loss": CAUCHY, "c": 0.3, "output": "tanh"}
MADE = {
    "run": lambda: fastgd.train(**SETTINGS, **BESIDE),
    "numbers": lambda: fastgd.sweep(
        **SETTINGS, **BESIDE | {"beta": [0.5, 2.0], "c": [0.3, 1.0]}, keep_state=True
    ),
    "functions": lambda: fastgd.sweep(
        **SETTINGS, activation=[SWISH, "tanh"], loss=[CAUCHY], output="tanh", keep_state=True
    ),
    "sloped": lambda: reference.train(
        **SETTINGS, output="identity", loss=fastgd.Loss("abs(y - v)", derivative="sign(v - y)")
    ),
    "outputs": lambda: fastgd.sweep(
        **SETTINGS, output="identity", loss=["squared", "gaussian"], keep_state=True
    ),
    "classes": lambda: fastgd.train(
        **SETTINGS | {"y": CLASSES},
        activation="leaky_relu",
        output="softmax",
        loss="cross_entropy",
    ),
}
"""Runs and sweeps with custom functions as every option."""

NAMES = tuple(MADE)


class Results(dict):
    """Each is trained when it is asked for, since it may need a kernel of its own."""

    def __missing__(self, name):
        self[name] = MADE[name]()
        return self[name]


@pytest.fixture(scope="module")
def results():
    return Results()


@pytest.mark.parametrize("name", only(NAMES, "run", "outputs"))
def test_results_survive_a_file_and_pickle(results, name, tmp_path):
    result = results[name]
    result.save(tmp_path / "result.npz")
    for other in (fastgd.load(tmp_path / "result.npz"), pickle.loads(pickle.dumps(result))):
        assert same(other, result)
        assert repr(other) == repr(result)
        assert other.options == result.options
        if name not in ("outputs", "sloped"):  # no outputs of one number, and made in plain NumPy
            assert other.predict(X).tobytes() == result.predict(X).tobytes()
            if isinstance(result, fastgd.Sweep):
                last = (-1,) * len(result.shape)
                assert same(other[last], result[last])


# A table of functions, and classes, have kernels of their own.
@pytest.mark.parametrize(
    "name", only([name for name in NAMES if name != "sloped"], "run", "numbers", "outputs")
)
def test_they_resume_from_a_file(results, name, tmp_path):
    result = results[name]
    result.save(tmp_path / "result.npz")
    loaded = fastgd.load(tmp_path / "result.npz")
    y = CLASSES if name == "classes" else Y
    if isinstance(result, fastgd.Run):
        on = fastgd.train(X, y, resume=loaded, iterations=10)
        given = result.options | {"alpha": result.alpha, "hidden_size": 3, "iterations": 35}
        whole = fastgd.train(X, y, **given, record_every=7)
        assert on.weights[0].tobytes() == whole.weights[0].tobytes()
        return
    on = fastgd.sweep(X, y, resume=loaded, iterations=10)
    for place in np.ndindex(result.shape):
        alone = fastgd.train(X, y, resume=result[place], iterations=10)
        assert same(on[place], alone), place


def test_a_number_must_be_as_it_was_to_resume(results):
    run = results["run"]
    for given, mine in (({"beta": 1.0}, "2.0"), ({"c": 0.5}, "0.3"), ({"loss": "huber"}, "Loss")):
        [name] = given
        rule = f"{name} must be left out with resume, or as it was in the run, {mine}"
        with pytest.raises(ValueError, match=rule):
            fastgd.train(X, Y, resume=run, iterations=1, **given)
    fastgd.train(X, Y, resume=run, iterations=1, beta=2.0, activation=SWISH, c=0.3)


def test_a_number_that_had_its_default_must_have_it_to_resume():
    """The options of a run don't name it, and what was given would have been taken in silence."""
    run = reference.train(**SETTINGS, **OWN)
    assert not {"p", "c"} & run.options.keys()
    for given in ({"p": 2.0}, {"c": 0.5}):
        [name] = given
        rule = f"{name} must be left out with resume, or as it was in the run, 1.0, got"
        with pytest.raises(ValueError, match=rule):
            fastgd.train(X, Y, resume=run, iterations=1, **given)


@pytest.mark.slow
def test_tables_have_formulas_as_text(results):
    table = results["functions"].columns()
    assert table["activation"] == [f"{SWISH}, beta=1", "tanh"]
    assert table["loss"] == [f"{CAUCHY}, c=1"] * 2


def test_tables_have_the_numbers_of_formulas(results):
    assert results["numbers"].columns()["beta"] == [0.5, 0.5, 2.0, 2.0]


def test_several_outputs_to_a_target_have_errors_of_the_first(results):
    sweep = results["outputs"]
    gaussian = sweep.sel(loss="gaussian")
    outputs = gaussian.predict(X)
    assert outputs.shape == (12, 4)
    assert gaussian.final_error == pytest.approx(np.abs(Y - outputs[:, :2]).mean(), rel=1e-13)
    with pytest.raises(ValueError, match=r"^predict must have one shape .* axis loss changes it"):
        sweep.predict(X)


@pytest.mark.slow
def test_planes_and_minima_know_the_functions(results):
    run = results["run"]
    at = run.weights[0][0, 0], run.weights[0][1, 0]
    span = tuple((float(value), float(value) + 1) for value in at)
    assert fastgd.surface(X, Y, run, span=span, resolution=2).errors[0, 0] == run.final_error
    given = {name: run.options[name] for name in ("activation", "beta", "output", "loss", "c")}
    plane = fastgd.surface(X, Y, run.weights, span=span, resolution=2, **given)
    assert plane.errors[0, 0] == run.final_error
    with pytest.raises(TypeError, match="got 'tau': tau is a parameter of loss='quantile'"):
        fastgd.surface(X, Y, run.weights, tau=0.5)


@pytest.mark.slow
def test_planes_and_minima_know_the_classes(results):
    classes = results["classes"]
    span = tuple((float(value), float(value) + 1) for value in classes.weights[0][:2, 0])
    plane = fastgd.surface(X, CLASSES, classes, span=span, resolution=2)
    assert plane.errors[0, 0] == classes.final_error
    some = CLASSES < 2  # the class that is missing is known from the network
    assert fastgd.surface(X[some], CLASSES[some], classes, resolution=2).samples == some.sum()


def test_a_sweep_trains_again_what_it_did_not_keep():
    axes = {"p": [0.5, 2.0], "c": [0.3, 1.0]}
    sweep = fastgd.sweep(**SETTINGS, **OWN, **axes, keep_weights=False)
    alone = fastgd.train(**SETTINGS, **OWN, p=2.0, c=0.3)
    assert sweep[1, 0].weights[0].tobytes() == alone.weights[0].tobytes()


# ---------------------------------------------------------------- classes

WITH_CLASSES = {
    "activation": "leaky_relu",
    "output": "softmax",
    "loss": "cross_entropy",
    "bias": True,
}
"""As a golden case has it."""


@pytest.mark.parametrize("held", [0, pytest.param(5, marks=pytest.mark.slow)])
def test_class_numbers_are_one_hot_targets(held):
    given = SETTINGS | WITH_CLASSES
    one_hot = np.eye(3)[CLASSES]
    parts = [{"validation": (X[:held], y[:held])} if held else {} for y in (CLASSES, one_hot)]
    with kernels_of("softmax"):
        as_numbers = fastgd.train(**given | {"y": CLASSES}, **parts[0], tolerance=0.0)
        as_columns = fastgd.train(**given | {"y": one_hot}, **parts[1])
    assert same(as_numbers, as_columns)
    for more in ({"folds": 3}, {"groups": [*"abbaabbaabba"]}, {"folds": 2, "groups": [*"aab"] * 4}):
        sweep = fastgd.sweep(**given | {"y": CLASSES}, **more)
        assert same(sweep, fastgd.sweep(**given | {"y": one_hot}, **more))


def test_parts_that_lack_a_class_have_all_outputs():
    groups = ["none of 2" if c < 2 else "only 2" for c in CLASSES]
    sweep = fastgd.sweep(**SETTINGS | WITH_CLASSES | {"y": CLASSES}, groups=groups)
    for place, part in enumerate(("none of 2", "only 2")):
        rows = [group == part for group in groups]
        with kernels_of("softmax"):
            alone = fastgd.train(
                **SETTINGS | WITH_CLASSES | {"X": X[rows], "y": np.eye(3)[CLASSES[rows]]}
            )
        assert alone.weights[0].tobytes() == sweep[place].weights[0].tobytes()
    assert sweep.predict(X).shape == (2, 12, 3)


@pytest.fixture(scope="module")
def softmax():
    """Outputs, loss and minus the derivative of units with these inputs, for one sample."""

    def call(z, target=0):
        z = np.asarray(z, dtype=float)
        y = np.eye(len(z))[[target]]
        f = fastgd.objective([[1.0]], y, hidden_size=(), **WITH_CLASSES | {"bias": False})
        value, derivative = f(z)
        return f.run(z).predict([[1.0]])[0], value, -derivative

    return call


@pytest.mark.parametrize(
    "classes", [2, 10, *(pytest.param(count, marks=pytest.mark.slow) for count in (100, 1000))]
)
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 700.0, 1e300])
def test_probabilities_add_up_to_one(softmax, classes, scale):
    random = np.random.RandomState(classes)
    for z in (scale * random.normal(size=classes), scale * random.choice([-1.0, 1.0], classes)):
        v, loss, minus = softmax(z)
        assert ((v >= 0) & (v <= 1)).all()
        assert abs(sum(map(Fraction, v.tolist())) - 1) <= Fraction(2, 2**52)
        np.testing.assert_allclose(v, scipy.special.softmax(z), rtol=1e-13, atol=1e-300)
        with np.errstate(over="ignore"):
            expected = -scipy.special.log_softmax(z)[0]
        assert loss == pytest.approx(expected, rel=1e-13, abs=1e-300)
        assert np.isfinite(loss)
        assert minus.tolist() == (np.eye(classes)[0] - v).tolist()


def test_the_largest_input_is_taken_off(softmax):
    z = np.array([3.0, -1.0, 0.5, 2.0])
    v, loss, _ = softmax(z)
    for shift in (1e3, -1e3, 2.0**40, -(2.0**50)):
        moved, other, _ = softmax(z + shift)
        assert (moved.tobytes(), other) == (v.tobytes(), loss)
    v, loss, minus = softmax([1e300, -1e300])
    assert (v.tolist(), loss, minus.tolist()) == ([1.0, 0.0], 0.0, [0.0, 0.0])
    v, loss, minus = softmax([-1e300, 1e300])
    assert (v.tolist(), loss, minus.tolist()) == ([0.0, 1.0], 2e300, [1.0, -1.0])
    v, loss, _ = softmax([-800.0, 0.0, -1.0], target=0)
    assert v[0] == 0.0
    assert loss == pytest.approx(800 + np.log1p(np.exp(-1)), rel=1e-15)


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
def test_softmax_of_nan_and_infinity_ends_the_run():
    """The result of infinity minus itself as an input; NaN stays NaN."""
    for weights in ([[1e300, 1.0]], [[-1e300, 1e300]]):
        given = {"X": [[1e300]], "y": [[1.0, 0.0]], "weights": [weights], "iterations": 3}
        given |= WITH_CLASSES | {"bias": False}
        with kernels_of("softmax"):
            run, twin = fastgd.train(**given), reference.train(**given)
        assert (run.status, run.iterations) == (twin.status, twin.iterations)
        assert run.status == "diverged"


@pytest.mark.slow
def test_adam_reaches_all_classes():
    run = fastgd.train(
        X, CLASSES, hidden_size=8, alpha=0.02, optimizer=Adam(), iterations=2000, **WITH_CLASSES
    )
    assert (run.predict(X).argmax(axis=1) == CLASSES).all()


def test_two_outputs_with_a_formula_of_ones_own_are_the_named_ones():
    """To the bit: a Loss of a mean and a log variance, and loss="gaussian"."""
    own = fastgd.Loss(lambda y, m, s: 0.5 * (s + (y - m) ** 2 * exp(-s)))
    given = SETTINGS | {"output": "identity"}
    run, named = (fastgd.train(**given, loss=loss) for loss in (own, "gaussian"))
    assert run.weights[1].tobytes() == named.weights[1].tobytes()
    assert run.weights[1].shape == (3, 4)


EVERYTHING = (
    "tan(a / 9) + asin(a / 9) - acos(a / 9) + atan(a) + sinh(a) - cosh(a / 2) + sin(a) * cos(a)"
    " + tanh(a) + exp(-a) + expm1(a / 3) + log(a * a + 1) + log1p(a * a) + sqrt(a * a + 2)"
    " + abs(a) + sign(a) * a + floor(a) * a + sigmoid(2 * a) + relu(a)"
    " + minimum(a, k) + maximum(a, -k)"
    " + where(a > 0.1, a, k * a) + fma(a, k, a * a) + (a * a + 1)**k + k**a"
)


@pytest.mark.slow
def test_whatever_may_stand_in_an_expression_is_compiled():
    """Each function of the language and its derivative, against differences and the twin.

    Each by itself is compiled in kernel/test_transcendental.py.
    """
    assert all(f"{name}(" in EVERYTHING for name in FUNCTIONS)
    given = {"hidden_size": 3, "output": "identity"}
    given["activation"] = fastgd.Function(EVERYTHING, k=1.5)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(5, 2)), random.random((5, 1))
    f = fastgd.objective(x, y, **given)
    w = 0.3 * random.normal(size=f.network.parameters)
    value, derivative = f(w)
    steps = 1e-6 * np.eye(len(w))
    slopes = [(f(w + step)[0] - f(w - step)[0]) / 2e-6 for step in steps]
    np.testing.assert_allclose(derivative, slopes, rtol=1e-7, atol=1e-9)
    twin, twins_derivative = reference.objective(x, y, w, **given)
    assert value == pytest.approx(twin, rel=1e-13)
    np.testing.assert_allclose(derivative, twins_derivative, rtol=1e-12)

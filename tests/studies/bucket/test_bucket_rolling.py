"""Balls, against the article's pseudo-codes written out in NumPy."""

import threading

import numpy as np
import pytest

from fastgd import bucket
from fastgd.studies.bucket import rolling
from fastgd.studies.bucket.rolling import STATUS

W = "x**4 - 3*x**2 + x"  # two minima
SIZE = 300  # several blocks, the last of which is not full


def slope_of_w(x):
    return 4 * x**3 - 6 * x + 1


def plain(x, alpha, rule, iterations, tolerance):
    """One ball: its path."""
    path = [x]
    for _ in range(iterations):
        slope = slope_of_w(x)
        if not tolerance < abs(slope) < np.inf:
            break
        if rule == "sign":
            x = x - alpha * np.sign(slope)
        elif rule == "naive":
            x = x - slope
        else:
            x = x - alpha * slope
        path.append(x)
    return path


@pytest.mark.parametrize(("rule", "alpha"), [("alpha", 0.01), ("sign", 0.05), ("naive", None)])
def test_does_what_the_article_says(rule, alpha):
    starts = [2.0, -2.0, 0.3, 0.16]
    options = {"rule": rule, "alpha": alpha, "iterations": 60, "tolerance": 0.1}
    with np.errstate(over="ignore", invalid="ignore"):
        paths = [plain(np.float64(x), alpha, rule, 60, 0.1) for x in starts]
    rolled = bucket.roll(slope_of_w, starts, record_path=True, **options)
    for k, path in enumerate(paths):
        if rolled.status[k] == "diverged":
            path = path[: rolled.iterations[k] + 1]
        assert rolled.iterations[k] == len(path) - 1
        np.testing.assert_allclose(rolled.path[k, : len(path)], path, rtol=1e-9)
        assert np.isnan(rolled.path[k, len(path) :]).all()
        assert rolled.x[k] == rolled.path[k, rolled.iterations[k]]
    assert rolled.path.shape == (4, rolled.iterations.max() + 1)
    if rule == "naive":
        assert "diverged" in rolled.status
    assert (
        rolled.step
        == "x -= "
        + {
            "alpha": "alpha * slope",
            "sign": "alpha * sign(slope)",
            "naive": "slope",
        }[rule]
    )


def test_the_derived_slope_does_the_same_as_the_given_one():
    given = bucket.roll(slope_of_w, 2.0, alpha=0.01)
    derived = bucket.roll(curve=W, start=2.0, alpha=0.01)
    assert derived.x == pytest.approx(given.x, rel=1e-9)
    assert derived.status == given.status == "converged"
    assert np.isnan(given.height)
    assert derived.height == pytest.approx(derived.x**4 - 3 * derived.x**2 + derived.x, rel=1e-15)
    assert abs(derived.slope) <= 1e-9


def test_one_ball_has_numbers():
    rolled = bucket.roll(curve=W, start=2, alpha=0.01)
    assert [type(value) for value in (rolled.x, rolled.height, rolled.slope)] == [float] * 3
    assert (type(rolled.status), type(rolled.iterations)) == (str, int)
    assert rolled.path is None
    assert repr(rolled) == "Roll(x=1.1309, converged after 223 iterations)"


def test_start_and_alpha_are_broadcast():
    starts, rates = np.array([[2.0], [-2.0]]), np.array([0.01, 0.02, 0.03])
    rolled = bucket.roll(curve=W, start=starts, alpha=rates, record_path=True)
    assert rolled.x.shape == rolled.status.shape == rolled.iterations.shape == (2, 3)
    assert rolled.path.shape[:2] == (2, 3)
    np.testing.assert_array_equal(rolled.start, starts + 0 * rates)
    np.testing.assert_array_equal(rolled.alpha, rates + 0 * starts)
    for i in range(2):
        for k in range(3):
            alone = bucket.roll(curve=W, start=starts[i, 0], alpha=rates[k])
            assert (alone.x, alone.iterations) == (rolled.x[i, k], rolled.iterations[i, k])
    assert repr(rolled) == "Roll(6 balls: 6 converged)"


def same(a, b):
    for name in ("x", "height", "slope", "iterations", "status", "path"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_same_bits_for_any_threads_groups_and_chunks(monkeypatch):
    starts = np.random.RandomState(1).uniform(-4, 4, SIZE)
    settings = {"curve": W, "start": starts, "alpha": 0.04, "record_path": True, "iterations": 40}
    one = bucket.roll(**settings, threads=1)
    assert set(one.status) == {"converged", "diverged", "rolling"}
    same(bucket.roll(**settings), one)
    monkeypatch.setattr(rolling, "GROUP", 128)
    monkeypatch.setattr(rolling, "EVALUATIONS", 128 * 3)
    same(bucket.roll(**settings), one)
    k = 77
    alone = bucket.roll(**settings | {"start": starts[k]})
    np.testing.assert_array_equal(alone.path, one.path[k, : alone.iterations + 1])


def test_python_threads_take_turns():
    starts = np.linspace(-2, 2, SIZE)
    found = []
    calls = [
        threading.Thread(
            target=lambda: found.append(bucket.roll(curve=W, start=starts, alpha=0.01).x)
        )
        for _ in range(4)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert len(found) == 4
    for x in found:
        np.testing.assert_array_equal(x, found[0])


def test_ctrl_c_is_met_between_calls(monkeypatch):
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(rolling, "roll_balls", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bucket.roll(curve=W, start=2.0, iterations=10**12)
    assert len(calls) == 3
    assert all(rules.last - rules.first == rolling.EVALUATIONS for _, _, rules, _ in calls)


# How balls end


def status(curve, start, **options):
    return bucket.roll(curve=curve, start=start, **options).status


def test_a_minimum_is_no_flat_stretch():
    assert status("x**4", 1.0, tolerance=1e-4) == "converged"
    assert status("relu(abs(x) - 1)**2", [3.0, 0.5, -3.0], tolerance=1e-6).tolist() == (
        ["converged"] * 3
    )


def test_what_is_flat_but_no_minimum():
    assert status("x**3", [1.0, 0.0], tolerance=1e-4).tolist() == ["stuck"] * 2  # a step in a slope
    assert status("-x**2", 0.0) == "stuck"  # a summit
    assert status("-exp(-x**2)", [7.0, -7.0, 40.0]).tolist() == ["stuck"] * 3  # plains
    assert status("3", 1.0) == "stuck"
    assert status("exp(-x)", 30.0) == "stuck"


def test_what_diverges():
    assert status("x**2", 1.0, alpha=1.1) == "diverged"
    rolled = bucket.roll(curve="x**2", start=1.0, alpha=1.1, farthest=100)
    assert 99 < abs(rolled.x) < 200
    assert bucket.roll(curve="x**4", start=9.0, rule="naive", farthest=np.inf).status == "diverged"
    assert status("log(x)", 0.1, alpha=1.0) == "diverged"  # leaves where the logarithm is


def test_a_ball_at_the_farthest_place_rolls_on():
    """The next step leads out."""
    rolled = bucket.roll(curve="x", start=0.0, alpha=1.0, farthest=3, record_path=True)
    assert (rolled.status, rolled.iterations) == ("diverged", 4)
    assert rolled.path.tolist() == [0.0, -1.0, -2.0, -3.0, -4.0]


def test_what_is_still_rolling():
    rolled = bucket.roll(curve="x**2", start=1.0, iterations=3)
    assert (rolled.status, rolled.iterations) == ("rolling", 3)
    assert rolled.x == pytest.approx(0.8**3)
    assert status("x**2", 1.0, rule="sign", alpha=0.3) == "rolling"  # to and fro


def test_repeats_until_the_slope_is_zero():
    rolled = bucket.roll(curve="x**2", start=1.0, alpha=0.5, tolerance=0)
    assert (rolled.x, rolled.status, rolled.iterations) == (0.0, "converged", 1)


EXPECTED = {
    "too-big": ["diverged", "converged"],
    "local-minimum": ["converged", "converged"],
    "too-small": ["stuck", "rolling", "converged"],
    "rut": ["converged", "converged"],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_articles_problems(name):
    example = bucket.EXAMPLES[name]
    rolled = example.roll()
    assert rolled.status.tolist() == EXPECTED[name]
    assert rolled.path is not None
    if name in ("local-minimum", "rut"):  # the first ball misses the lowest place
        assert rolled.height[0] > rolled.height[1] + 0.5


def test_every_problem_has_an_example():
    assert set(bucket.EXAMPLES) == set(EXPECTED)
    assert {"Problem 1", "Problem 2", "Problem 3"} == {
        example.title[:9] for example in bucket.EXAMPLES.values()
    }


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "curve or slope must be given, got neither"),
        ({"curve": W, "start": None}, "start must be given: the x where balls start"),
        ({"curve": W, "start": []}, "start must not be empty"),
        ({"curve": W, "start": np.nan}, "start must be a finite number, got nan"),
        ({"curve": W, "start": [1, np.inf]}, r"start must be finite, got inf at \[1\]"),
        ({"curve": W, "alpha": 0}, "alpha must be a finite number above 0, got 0"),
        ({"curve": W, "alpha": -1}, "alpha must be a finite number above 0, got -1"),
        ({"curve": W, "alpha": np.nan}, "alpha must be a finite number above 0, got nan"),
        ({"curve": W, "alpha": [0.1, -2]}, "alpha must be a finite number above 0, got -2"),
        ({"curve": W, "alpha": [0.1, np.nan]}, r"alpha must be finite, got nan at \[1\]"),
        (
            {"curve": W, "start": [1, 2], "alpha": [0.1, 0.2, 0.3]},
            r"start and alpha must have shapes that can be broadcast, got \(2,\) and \(3,\)",
        ),
        ({"curve": W, "rule": "fast"}, "rule must be 'sign', 'naive' or 'alpha', got 'fast'"),
        (
            {"curve": W, "rule": "naive", "alpha": 1},
            "alpha must be left out with rule='naive', got 1",
        ),
        ({"curve": W, "iterations": 0}, "iterations must be at least 1, got 0"),
        ({"curve": W, "tolerance": -1}, "tolerance must be a finite number of at least 0, got -1"),
        ({"curve": W, "farthest": 0}, "farthest must be a number above 0, or infinity, got 0"),
        ({"curve": W, "threads": 0}, "threads must be at least 1, got 0"),
        (
            {"curve": "log(x)", "start": [1.0, -2.0]},
            r"the curve must have a slope where a ball starts, got nan at x = -2 of log\(x\)",
        ),
        (
            {"curve": W, "start": np.zeros(10**6), "iterations": 10**9, "record_path": True},
            "the balls must fit into the available memory",
        ),
    ],
)
def test_bad_values(options, message):
    with pytest.raises(ValueError, match=message):
        bucket.roll(**{"start": 1.0} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "x"}, "start must be a number, got 'x'"),
        ({"start": ["x"]}, "start must hold real numbers"),
        ({"alpha": "x"}, "alpha must be a number, got 'x'"),
        ({"rule": 1}, "rule must be 'sign', 'naive' or 'alpha', got 1"),
        ({"iterations": 1.0}, "iterations must be an int, got 1.0"),
        ({"record_path": 1}, "record_path must be True or False, got 1"),
        ({"progress": 1}, "progress must be True, False or a function, got 1"),
        ({"slope": 3}, "slope must be a function of one number or an expression of x, got 3"),
    ],
)
def test_bad_types(options, message):
    with pytest.raises(TypeError, match=message):
        bucket.roll(**{"curve": W, "start": 1.0} | options)


def raises(x):
    raise ValueError(f"too far left: {x}")


def test_what_the_function_raises_gets_out():
    with pytest.raises(TypeError, match="too far left") as error:
        bucket.roll(curve=raises, start=1.0)
    assert isinstance(error.value.__cause__, ValueError)


def test_progress(capsys):
    bucket.roll(curve=W, start=2.0, alpha=0.01, progress=True)
    assert "100%" in capsys.readouterr().err


def test_all_statuses_are_told():
    assert sorted(STATUS) == ["converged", "diverged", "rolling", "stuck"]


def test_the_examples_show_what_they_say():
    rolled = {name: example.roll() for name, example in bucket.EXAMPLES.items()}
    big = rolled["too-big"]
    first = np.abs(np.diff(big.path[:, :2])).ravel()  # from the same place, and so the same slope
    assert first[1] < first[0]
    assert np.all(np.diff(np.abs(big.path[0, :20])) > 0)  # each step to a steeper place
    assert list(big.status) == ["diverged", "converged"]
    assert "A smaller alpha makes the steps smaller" in bucket.EXAMPLES["too-big"].takeaway
    right, left = rolled["local-minimum"].height
    assert right > left
    assert list(rolled["too-small"].status) == ["stuck", "rolling", "converged"]
    inside, out = np.abs(rolled["rut"].x)
    assert inside > 2.9
    assert out < 1e-6

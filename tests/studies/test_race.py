"""race(): the same as training each, its names and ranking, its plane, and what it refuses."""

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import fastgd
from fastgd.optimizers import ALL, Adam, GradientDescent, LevenbergMarquardt, Momentum
from fastgd.studies.job import StudyJob

PAIR = [(GradientDescent(), 1.0), (Momentum(), 0.5)]


@pytest.fixture
def pair(xor):
    return fastgd.race(*xor, PAIR, iterations=60)


def test_each_run_is_what_train_gives(xor, pair):
    assert list(pair.runs) == ["GradientDescent", "Momentum"]
    for run, (optimizer, alpha) in zip(pair.runs.values(), PAIR, strict=True):
        alone = fastgd.train(
            *xor, optimizer=optimizer, alpha=alpha, iterations=60, record_every=1,
            record_weights=True,
        )  # fmt: skip
        np.testing.assert_array_equal(run.errors, alone.errors)
        for k in range(2):
            np.testing.assert_array_equal(run.recorded_weights[k], alone.recorded_weights[k])
            np.testing.assert_array_equal(run.weights[k], alone.weights[k])


def test_all_start_from_the_same_weights(xor):
    weights = [np.full((3, 4), 0.25), np.full((4, 1), -0.5)]
    race = fastgd.race(*xor, PAIR, weights=weights, iterations=60)
    for run in race.runs.values():
        np.testing.assert_array_equal(run.recorded_weights[0][0], weights[0])
        np.testing.assert_array_equal(run.recorded_weights[1][0], weights[1])
    assert len({run.errors[0] for run in race.runs.values()}) == 1


def test_options_are_for_all(xor):
    race = fastgd.race(*xor, PAIR, hidden_size=4, seed=7, iterations=60, sample_weight=[1, 2, 3, 4])
    for run in race.runs.values():
        assert run.options["sample_weight"].tolist() == [1, 2, 3, 4]
    assert [run.seed for run in race.runs.values()] == [7, 7]


@pytest.mark.parametrize(("iterations", "records"), [(60, 60), (1000, 1000), (1001, 501)])
def test_about_a_thousand_errors_are_recorded(xor, iterations, records):
    race = fastgd.race(*xor, [PAIR[0]], iterations=iterations)
    assert len(race.runs["GradientDescent"].errors) == records
    spaced = fastgd.race(*xor, [PAIR[0]], iterations=iterations, record_every=50)
    assert spaced.runs["GradientDescent"].recorded[1] == 50


@pytest.mark.slow
def test_by_default_all_optimizers_run():
    race = fastgd.race([[0, 1], [1, 0]], [0, 1], hidden_size=(), iterations=1)
    assert list(race.runs) == [kind.__name__ for kind in ALL]
    assert [run.alpha for run in race.runs.values()] == [kind.race_alpha for kind in ALL]


def test_a_race_of_all_leaves_out_whom_its_options_exclude(monkeypatch):
    monkeypatch.setattr("fastgd.studies.race.ALL", (GradientDescent, LevenbergMarquardt))
    samples = [[0, 1], [1, 0]], [0, 1]
    given = {"hidden_size": (), "iterations": 1, "loss": "cross_entropy"}
    race = fastgd.race(*samples, **given)
    assert list(race.runs) == ["GradientDescent"]
    rule = "loss must be 'squared' with optimizer=LevenbergMarquardt()"
    assert [*race.left_out] == ["LevenbergMarquardt"]
    assert race.left_out["LevenbergMarquardt"].startswith(rule)
    with pytest.raises(ValueError, match=re.escape(rule)):
        fastgd.race(*samples, [GradientDescent(), LevenbergMarquardt()], **given)
    with pytest.raises(ValueError, match="l2 must be"):  # a reason of all of them
        fastgd.race(*samples, **given, l2=-1)


def test_one_alone_has_the_alpha_of_the_field(xor):
    race = fastgd.race(*xor, {"plain": GradientDescent(), "slow": (GradientDescent(), 0.5)},
                       iterations=60)  # fmt: skip
    assert [(name, run.alpha) for name, run in race.runs.items()] == [("plain", 10), ("slow", 0.5)]


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ([Adam(), Momentum(0.5), Momentum(0.25)],
         ["Adam", "Momentum(momentum=0.5)", "Momentum(momentum=0.25)"]),
        ([(Momentum(), 1), (Momentum(), 2)],
         ["Momentum(momentum=0.9), alpha 1", "Momentum(momentum=0.9), alpha 2"]),
        ((Momentum(), GradientDescent()), ["Momentum", "GradientDescent"]),
    ],
)  # fmt: skip
def test_each_has_a_name_of_its_own(field, names):
    race = fastgd.race([[0, 1], [1, 0]], [0, 1], field, hidden_size=(), iterations=1)
    assert list(race.runs) == names


def test_the_ranking_is_by_final_error_and_who_has_none_is_last(xor):
    race = fastgd.race(
        *xor,
        {"lost": (GradientDescent(), 1e300), "slow": (GradientDescent(), 1e-3),
         "fast": (GradientDescent(), 10)},
        iterations=60, output="identity",
    )  # fmt: skip
    runs = race.runs
    assert runs["lost"].status == "diverged"
    finite = sorted((name for name in runs if not np.isnan(runs[name].final_error)),
                    key=lambda name: runs[name].final_error)  # fmt: skip
    assert race.ranking() == [*finite, *(name for name in runs if name not in finite)]
    assert race.ranking()[-1] == "lost"
    assert repr(race).startswith(f"Race({finite[0]}: {runs[finite[0]].final_error:.6g}, ")


def test_when_an_error_was_reached(pair):
    run = pair.runs["Momentum"]
    middle = run.errors[30]
    first = int(np.flatnonzero(run.errors < middle + 1e-9)[0])
    assert pair.reached(middle + 1e-9)["Momentum"] == first
    assert pair.reached(0.0) == {"GradientDescent": None, "Momentum": None}
    assert pair.reached(9.0) == {"GradientDescent": 0, "Momentum": 0}
    least = min(run.errors.min(), run.final_error)
    assert run.final_error == least  # so the last update was the one
    assert pair.reached(np.nextafter(least, 1))["Momentum"] == 60


def test_an_equal_error_is_not_below_the_one_asked_for(pair):
    run = pair.runs["Momentum"]
    least = min(run.errors.min(), run.final_error)
    assert pair.reached(least)["Momentum"] is None


def test_its_plane_holds_all_paths(pair):
    plane = pair.surface(axes=((0, 0, 1), (1, 3, 0)), resolution=7)
    winner = pair.runs[pair.ranking()[0]]
    np.testing.assert_array_equal(plane.weights[0], winner.weights[0])
    paths = np.concatenate([plane.path(run) for run in pair.runs.values()])
    for values, along in ((plane.x, paths[:, 0]), (plane.y, paths[:, 1])):
        room = 0.1 * np.ptp(along)
        assert values[0] == pytest.approx(along.min() - room)
        assert values[-1] == pytest.approx(along.max() + room)


def test_its_plane_as_asked_for(pair):
    loser = pair.ranking()[-1]
    plane = pair.surface(span=(-3, 2), resolution=7, at=loser)
    np.testing.assert_array_equal(plane.weights[1], pair.runs[loser].weights[1])
    assert (plane.x[0], plane.y[-1]) == (-3, 2)
    with pytest.raises(ValueError, match="at must be 'GradientDescent' or 'Momentum', got 'Adam'"):
        pair.surface(at="Adam")


def test_who_diverged_does_not_stretch_the_plane(xor):
    race = fastgd.race(
        *xor, {"lost": (GradientDescent(), 1e300), "slow": (GradientDescent(), 1e-3)},
        iterations=60, output="identity",
    )  # fmt: skip
    plane = race.surface(resolution=7)
    assert max(abs(plane.x[0]), abs(plane.x[-1])) < 10


@pytest.mark.parametrize(("others", "widest"), [(3, 0.8), (1, 1316.8)])
def test_who_went_ten_times_as_far_as_is_usual_leaves_the_plane(xor, others, widest):
    near = {f"near {k}": (GradientDescent(), 1 + k / 10) for k in range(others)}
    race = fastgd.race(*xor, near | {"far": (GradientDescent(), 1e4)}, iterations=60)
    plane = race.surface(resolution=7)
    found = max(np.abs(plane.x).max(), np.abs(plane.y).max())
    assert found == pytest.approx(widest, abs=0.05)


@pytest.mark.parametrize(
    ("field", "given", "error", "message"),
    [
        ([], {}, ValueError, r"optimizers must have at least one, got []"),
        ({}, {}, ValueError, r"optimizers must have at least one, got {}"),
        ("adam", {}, TypeError, "optimizers must be a list, or a dict by name, of optimizers, got"),
        (Adam(), {}, TypeError, "optimizers must be a list, or a dict by name, of optimizers, got"),
        (["adam"], {}, TypeError, "optimizers[0] must be one of fastgd.optimizers, such as Adam()"),
        ({"a": Adam}, {}, TypeError, "optimizers['a'] must be one of fastgd.optimizers, such as"),
        ([(Adam(), 1, 2)], {}, TypeError, "optimizers[0] must be one of fastgd.optimizers"),
        ([Adam(), Adam()], {}, ValueError, "optimizers must differ from one another, got Adam("),
        (
            [Momentum(momentum=2)],
            {},
            ValueError,
            "momentum must be a number of at least 0 and below 1, got 2",
        ),
        ([*PAIR, (Adam(), -1)], {}, ValueError, "alpha must be a finite number above 0, got -1"),
        (PAIR, {"iterations": 0}, ValueError, "iterations must be at least 1, got 0"),
        (
            PAIR,
            {"optimizer": Adam()},
            TypeError,
            "optimizer must be left out of a race, which takes optimizers, got ",
        ),
        (PAIR, {"activatoin": "tanh"}, TypeError, "got 'activatoin': did you mean activation?"),
        (PAIR, {"weights": [np.full((3, 1), np.inf)]}, ValueError, "weights[0] must be finite"),
        (PAIR, {"progress": 2}, TypeError, "progress must be True, False or a function, got 2"),
    ],
)
def test_bad_input_is_refused_before_any_training(xor, monkeypatch, field, given, error, message):
    monkeypatch.setitem(fastgd.race.__globals__, "results_of", None)
    with pytest.raises(error, match=re.escape(message)):
        fastgd.race(*xor, field, **given)


def test_progress_counts_updates(xor, capsys):
    fastgd.race(*xor, PAIR, iterations=60, progress=True)
    assert "120/120" in capsys.readouterr().err


def same(race, other):
    assert list(race.runs) == list(other.runs)
    for run, known in zip(race.runs.values(), other.runs.values(), strict=True):
        for name in ("alpha", "seed", "errors", "losses", "weights", "recorded_weights", "status"):
            np.testing.assert_equal(getattr(run, name), getattr(known, name), err_msg=name)
        assert run.options == known.options
        np.testing.assert_equal(run.state._asdict(), known.state._asdict())


class StoppedError(Exception):
    """What ends a race in the middle."""


def test_interrupted_and_continued_in_a_folder(xor, pair, tmp_path, monkeypatch):
    compute, computed = StudyJob.compute, []

    def stopped(self, chunk, *given):
        if computed:
            raise StoppedError
        computed.append(chunk)
        return compute(self, chunk, *given)

    folder = tmp_path / "race"
    monkeypatch.setattr(StudyJob, "compute", stopped)
    with pytest.raises(StoppedError):
        fastgd.race(*xor, PAIR, iterations=60, out=folder, threads=1)

    def counted(self, chunk, *given):
        computed.append(chunk)
        return compute(self, chunk, *given)

    monkeypatch.setattr(StudyJob, "compute", counted)
    for _ in range(2):
        same(fastgd.race(*xor, PAIR, iterations=60, out=folder), pair)
    assert computed == [0, 1]


def test_another_race_is_refused(xor, tmp_path):
    folder = tmp_path / "race"
    fastgd.race(*xor, PAIR, iterations=60, out=folder)
    for given, message in (
        ({"seed": 2}, "hold the same race, got one with GradientDescent.seed 1 instead of 2"),
        ({"optimizers": [PAIR[0]]}, "got one with Momentum .* instead of none"),
        ({"y": xor[1] / 2}, r"got one with y 'float64 \(4, 1\) \w{8}' instead of 'float64"),
    ):
        asked = {"X": xor[0], "y": xor[1], "optimizers": PAIR, "iterations": 60} | given
        with pytest.raises(ValueError, match=message):
            fastgd.race(**asked, out=folder)


@pytest.mark.slow
def test_an_executor_changes_no_bit(xor, pair, tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        same(fastgd.race(*xor, PAIR, iterations=60, executor=executor), pair)
    with ThreadPoolExecutor(2) as executor:
        given = {"activation": fastgd.Function(lambda a: a / (1 + a * a))}
        race = fastgd.race(*xor, PAIR, iterations=60, executor=executor, out=tmp_path, **given)
    same(race, fastgd.race(*xor, PAIR, iterations=60, threads=1, **given))


def test_arguments_that_say_who_works(xor):
    for given, kind, message in (
        ({"executor": 4}, TypeError, "executor must be a concurrent.futures.Executor"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"out": 3}, TypeError, "out must be a str or a path, got 3"),
    ):
        with pytest.raises(kind, match=message):
            fastgd.race(*xor, PAIR, **given)

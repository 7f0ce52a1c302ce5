import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event, get_ident

import numpy as np
import pytest

import fastgd
from fastgd.engine import execution, progress
from fastgd.engine.progress import StoppedError, check_progress, reporting, stopped_by
from thinning import at_a_time


def test_work_that_nobody_waits_for_ends(xor):
    left = Event()
    with stopped_by(left):
        fastgd.train(*xor, iterations=2)
        left.set()
        with pytest.raises(StoppedError):
            fastgd.train(*xor, iterations=10**12, record_every=10**12)
    fastgd.train(*xor, iterations=2)


# ---------------------------------------------------------------- events


@pytest.fixture
def clock(monkeypatch):
    """The time, in a list, which only the test changes."""
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def often(monkeypatch):
    """Each call of the kernel makes an event."""
    monkeypatch.setattr(progress, "EVERY", 0.0)


def test_events_come_first_last_and_at_most_five_times_a_second(clock):
    events = []
    with reporting(events.append, 100, done=10) as advance:
        for _ in range(9):
            clock[0] += 0.0625
            advance(10, lambda: np.array([0.5, np.nan, 0.25]))
        assert [(event.done, event.elapsed) for event in events] == [(10, 0), (50, 0.25), (90, 0.5)]
        assert np.isnan(events[0].best_error)
        assert events[1].best_error == 0.25
    assert events[-1] == (100, 100, 0.25, 0.5625)
    assert len(events) == 4


@pytest.mark.usefixtures("often")
def test_the_last_event_comes_when_results_are_kept():
    events = []
    with reporting(events.append, 3) as advance:
        advance(3)
        assert len(events) == 1
    assert events[1].done == 3


def test_an_event_that_was_told_is_not_told_again():
    events = []
    with reporting(events.append, 3, done=3) as advance:
        advance(0)
    assert [event.done for event in events] == [3]


@pytest.mark.usefixtures("often")
def test_work_that_is_done_twice_is_not_more_than_all():
    """A chunk whose file was removed meanwhile, for example."""
    events = []
    with reporting(events.append, 9) as advance:
        for _ in range(4):
            advance(3)
    assert [event.done for event in events] == [0, 3, 6, 9]


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("answer", [None, 0, True, ""])
def test_only_false_stops(answer):
    with reporting(lambda _: answer, 9) as advance:
        advance(4)
        advance(5)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("answer", [False, np.False_])
def test_false_stops_unless_all_is_done(answer):
    with (
        pytest.raises(KeyboardInterrupt, match="progress returned False"),
        reporting(lambda event: answer if event.done else None, 9) as advance,
    ):
        advance(4)
    with reporting(lambda event: answer if event.done else None, 9) as advance:
        advance(9)
    with (
        pytest.raises(KeyboardInterrupt),  # before the work
        reporting(lambda _: answer, 9) as advance,
    ):
        raise AssertionError


@pytest.mark.usefixtures("often")
def test_other_threads_report_and_this_one_is_called():
    whose = []
    with (
        ThreadPoolExecutor(1) as pool,
        reporting(lambda _: whose.append(get_ident()), 9) as advance,
    ):
        pool.submit(advance, 4, lambda: np.array([1.0])).result()
        assert len(whose) == 1
        advance(0)
    assert whose == [get_ident()] * 2


def test_a_bar_needs_no_errors():
    with reporting(True, 9) as advance:
        advance(9, lambda: 1 / 0)


@pytest.mark.parametrize("value", [1, None, "bar", list])
def test_progress_is_checked(value):
    with pytest.raises(TypeError, match="progress must be True, False or a function, got"):
        check_progress(value)


def test_all_public_calls_take_a_function():
    taken = {}
    for name in fastgd.__all__:
        found = getattr(fastgd, name)
        if inspect.isfunction(found) and "progress" in inspect.signature(found).parameters:
            taken[name] = inspect.signature(found).parameters["progress"].annotation
    calls = {"train", "sweep", "race", "surface", "trainability", "fit", "fit_groups"}
    assert set(taken) == calls
    assert set(taken.values()) == {"bool | ProgressHook"}


# ---------------------------------------------------------------- calls


@pytest.mark.usefixtures("often")
def test_the_best_error_is_that_of_the_result(xor, monkeypatch):
    monkeypatch.setattr(execution._Work, "_step", lambda *_: 50)
    events = []
    run = fastgd.train(*xor, alpha=10, iterations=500, record_every=7, progress=events.append)
    assert events[-1].best_error == min(run.errors.min(), run.final_error)
    found = {event.best_error for event in events[1:]}
    assert len(found) > 5
    assert found <= {*run.errors, run.final_error}
    with at_a_time(8):
        sweep = fastgd.sweep(
            *xor, alpha=[1e300, 10, 1], seed=range(9), tolerance=0.01, iterations=3000,
            record_every=7, progress=events.append,
        )  # fmt: skip
    assert events[-1].best_error == min(np.nanmin(sweep.errors), np.nanmin(sweep.final_error))
    best = [event.best_error for event in events[-3:]]
    assert best == sorted(best, reverse=True)


@pytest.mark.parametrize("kind", ["threads", "executor", "executor, in memory"])
def test_the_best_error_of_chunks(xor, kind, tmp_path):
    """Also of those that are in a folder already: a call that finds all of them says the same."""
    events = []
    given = {"alpha": 10, "seed": range(24), "hidden_size": [4, 3], "iterations": 300}
    given |= {"record_every": 50, "progress": events.append}
    if "memory" not in kind:
        given["out"] = tmp_path / "runs"
    with ThreadPoolExecutor(1) as executor, at_a_time(8):
        given |= {"threads": 2} if kind == "threads" else {"executor": executor}
        sweep = fastgd.sweep(*xor, **given)
        fastgd.sweep(*xor, **given)
    total = 48 * 300
    best = min(sweep.errors.min(), sweep.final_error.min())
    last = [event for event in events if event.done == total]
    assert [event.best_error for event in last] == [best, best]


@pytest.mark.usefixtures("often")
def test_the_best_error_of_a_resumed_training(xor, tmp_path):
    """Its alpha is too large: the first errors are the smallest."""
    events = []
    given = {"alpha": 2000, "record_every": 1, "progress": events.append}
    first = fastgd.train(*xor, iterations=30, **given)
    both = fastgd.train(*xor, iterations=20, resume=first, record_every=1, progress=events.append)
    best = min(both.errors.min(), both.final_error)
    assert events[-1].best_error == best < min(both.errors[30:].min(), both.final_error)
    given |= {"iterations": 50, "checkpoint": tmp_path / "run.npz"}
    for _ in range(2):  # the second finds it in its file
        fastgd.train(*xor, **given)
        assert events[-1][:3] == (50, 50, best)
    assert events[-2].done == 50 > events[-3].done
    sweep = fastgd.sweep(*xor, alpha=[2000, 1], iterations=9, keep_state=True)
    sweep = fastgd.sweep(*xor, resume=sweep, iterations=9, progress=events.append)
    assert events[-1].best_error == min(sweep.errors.min(), sweep.final_error.min())


@pytest.mark.usefixtures("often")
def test_a_function_may_train_itself(xor):
    own, events = partial(fastgd.train, *xor, alpha=10, iterations=300), []
    sweep = fastgd.sweep(
        *xor, seed=range(9), iterations=300, progress=lambda _: events.append(own())
    )
    assert sweep == fastgd.sweep(*xor, seed=range(9), iterations=300)
    assert set(events) == {own()}


@pytest.mark.usefixtures("often")
def test_studies_report_errors(xor):
    events = []
    plane = fastgd.surface(
        *xor, [np.zeros((3, 1))], span=(-9, 9), resolution=21, progress=events.append
    )
    assert events[-1][:3] == (21**2, 21**2, plane.errors.min())
    race = fastgd.race(*xor, {"plain": (fastgd.optimizers.GradientDescent(), 1.0)},
                       iterations=60, progress=events.append)  # fmt: skip
    assert events[-1].best_error == race.runs["plain"].final_error
    rolled = fastgd.bucket.roll(curve="x**4 - 3*x**2", start=2.0, alpha=0.01,
                                progress=events.append)  # fmt: skip
    assert events[-1].done == events[-1].total >= rolled.iterations
    assert np.isnan(events[-1].best_error)


# ---------------------------------------------------------------- what is kept


class PlannedError(Exception):
    pass


def stops(event):
    return not event.done


def raises(event):
    if event.done:
        raise PlannedError


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(("hook", "error"), [(stops, KeyboardInterrupt), (raises, PlannedError)])
@pytest.mark.parametrize("kind", ["threads", "executor"])
def test_a_hook_that_ends_a_sweep_leaves_its_finished_chunks(xor, tmp_path, hook, error, kind):
    given = {"hidden_size": [4, 3, 2, 5], "seed": range(16), "iterations": 300}
    sweep = partial(fastgd.sweep, *xor, **given, out=tmp_path / "runs")
    with ThreadPoolExecutor(1) as executor, at_a_time(8):
        how = {"threads": 1} if kind == "threads" else {"executor": executor}
        with pytest.raises(error):
            sweep(**how, progress=hook)
        left = fastgd.open(tmp_path / "runs").missing
        assert not list((tmp_path / "runs" / "claims").iterdir())
        assert sweep(**how).digest() == fastgd.sweep(*xor, **given).digest()
    if kind == "executor":  # without threads that report earlier, a chunk was finished and kept
        assert left <= 48

"""Checkpoints: interrupted, killed and resumed trainings, rejected and corrupt files."""

import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from test_resuming import GIVEN, HELD, WEIGHT, X, Y, equal

import fastgd
from fastgd.checks.messages import TrainingWarning
from fastgd.engine import progress
from fastgd.optimizers import Adam
from fastgd.schedules import Factors
from fastgd.training import train_sweep as checkpoints
from fastgd.training.train_sweep import check_file
from thinning import only

STOPPED = {"alpha": 0.5, "patience": 30, "restore_best": True}
OPTIONS = {
    "everything that is recorded": GIVEN,
    "restored": STOPPED | {"validation": HELD, "record_every": 4, "iterations": 60},
    "over at once": {"alpha": 1.0, "tolerance": 0.3, "record_every": 5, "iterations": 300},
    "converged later": {"alpha": 1.0, "tolerance": 0.27, "record_every": 5, "iterations": 300},
    "summary and schedule": {
        "alpha": 0.01,
        "optimizer": Adam(),
        "summary": 10,
        "schedule": Factors(np.linspace(1, 0.1, 40)),
    },
    "adaptive": {"batch_size": 5, "sampling": "adaptive", "record_every": 3},
    "normalized": {"batch_norm": True, "batch_size": 6, "record_every": 9},
    "given weights": {"weights": [np.ones((3, 2)), np.ones((2, 1))], "dropout": 0.5, "seed": 5},
}


class StoppedError(Exception):
    """Ends a training in the middle."""


@pytest.fixture
def short_stretches(monkeypatch):
    """A checkpoint every 7 iterations."""
    monkeypatch.setattr(checkpoints, "FIRST", 7)
    monkeypatch.setattr(checkpoints, "GROWTH", 1)
    monkeypatch.setattr(checkpoints, "EARLY", 1)


@pytest.fixture
def stopping(monkeypatch):
    """Make each call write one checkpoint, and end."""
    write = checkpoints._write

    def once(path, run, asked):
        write(path, run, asked)
        raise StoppedError

    def call(work):
        with monkeypatch.context() as changed:
            changed.setattr(checkpoints, "_write", once)
            with pytest.raises(StoppedError):
                work()

    return call


@pytest.mark.usefixtures("short_stretches")
@pytest.mark.parametrize("name", only(OPTIONS, *(set(OPTIONS) - {"summary and schedule"})))
def test_a_training_in_stretches_is_bit_identical_to_one_in_one_go(tmp_path, stopping, name):
    given = {"iterations": 40} | OPTIONS[name]
    file = tmp_path / "run.npz"
    whole = fastgd.train(X, Y, **given)
    train = partial(fastgd.train, X, Y, checkpoint=file, checkpoint_every=1e6, **given)
    for done in (7, 14):
        stopping(train)
        so_far = fastgd.load(file)
        ended_before = done > 7 and whole.iterations < 7
        stopped_at = given["iterations"] if ended_before else done
        equal(so_far, fastgd.train(X, Y, **given | {"iterations": stopped_at}))
    run = train()
    equal(run, whole)
    assert str(run) == str(whole)
    np.testing.assert_equal(run.summary, whole.summary)
    equal(fastgd.load(file), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


def test_what_is_finished_is_only_read(tmp_path, monkeypatch):
    file = tmp_path / "run.npz"
    run = fastgd.train(X, Y, iterations=20, checkpoint=file, **GIVEN)
    monkeypatch.setattr(checkpoints.TrainingJob, "train_one", None)
    equal(fastgd.train(X, Y, iterations=20, checkpoint=file, checkpoint_every=3, **GIVEN), run)


@pytest.mark.usefixtures("short_stretches")
def test_a_run_that_resumes_is_kept_in_a_file(tmp_path, stopping):
    first = fastgd.train(X, Y, iterations=20, **GIVEN)
    file = tmp_path / "run.npz"
    train = partial(fastgd.train, X, Y, resume=first, iterations=25, checkpoint=file)
    stopping(train)
    equal(train(), fastgd.train(X, Y, iterations=45, **GIVEN))
    equal(train(**GIVEN), fastgd.load(file))
    with pytest.raises(ValueError, match="got one with resume weights_0 'float64"):
        fastgd.train(
            X, Y, resume=fastgd.train(X, Y, iterations=21, **GIVEN), iterations=25, checkpoint=file
        )
    equal(
        fastgd.train(X, Y, resume=fastgd.load(file), iterations=5),
        fastgd.train(X, Y, iterations=50, **GIVEN),
    )


def test_a_run_that_had_ended_stays_ended(tmp_path):
    given = {"alpha": 1.0, "tolerance": 0.3, "record_every": 5}
    first = fastgd.train(X, Y, iterations=300, **given)
    on = fastgd.train(X, Y, resume=first, iterations=100, checkpoint=tmp_path / "run.npz")
    equal(on, fastgd.train(X, Y, iterations=400, **given))


@pytest.mark.usefixtures("short_stretches")
def test_it_warns_once_and_again_when_it_is_read(tmp_path):
    train = partial(
        fastgd.train, X, Y * 1e200, output="identity", alpha=1e200, iterations=100,
        checkpoint=tmp_path / "run.npz", checkpoint_every=1e6,
    )  # fmt: skip
    for _ in range(2):
        with pytest.warns(TrainingWarning, match="diverged after") as warned:
            assert train().status == "diverged"
        assert len(warned) == 1


@pytest.mark.usefixtures("short_stretches")
def test_the_bar_is_that_of_the_whole_training(tmp_path, stopping, monkeypatch):
    shown = []

    class Bar:
        def __init__(self, total, initial, **_):
            shown.append([total, initial])
            self.n = initial

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def update(self, done):
            shown[-1] += [done] * (done > 0)
            self.n += done

    monkeypatch.setattr("tqdm.tqdm", Bar)
    train = partial(
        fastgd.train,
        X,
        Y,
        iterations=40,
        checkpoint=tmp_path / "run.npz",
        checkpoint_every=1e6,
        progress=True,
    )
    stopping(train)
    train()
    train()
    (total, first, *_), (_, second, *rest), last = shown
    assert (total, first, second, second + sum(rest)) == (40, 0, 7, 40)
    assert last == [40, 40]
    with progress.reporting(True, 9) as advance:
        advance(9)
    assert shown[-1] == [9, 0, 9]


@pytest.mark.usefixtures("short_stretches")
def test_a_hook_that_stops_a_training_leaves_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    file, events = tmp_path / "run.npz", []
    train = partial(fastgd.train, X, Y, iterations=40, checkpoint=file, checkpoint_every=1e6)
    with pytest.raises(KeyboardInterrupt, match="progress returned False"):
        train(progress=lambda event: event.done < 20)
    assert fastgd.load(file).iterations == 14
    equal(train(progress=events.append), fastgd.train(X, Y, iterations=40))
    assert (events[0].done, events[-1].done) == (14, 40)


def test_stretches_are_as_long_as_was_said(tmp_path, monkeypatch):
    """The clock simulates 1,000 iterations per second, after a minute of compiling."""
    now, lengths, written = [0.0], [], []
    monkeypatch.setattr(checkpoints, "perf_counter", lambda: now[0])

    def train_one(job, plan, _advance):
        lengths.append(plan.task.iterations - plan.task.done)
        now[0] += lengths[-1] / 1000 + (60 if job.resume is None else 0)
        return job.resume or run

    run = fastgd.train(X, Y, iterations=1)
    monkeypatch.setattr(checkpoints.TrainingJob, "train_one", train_one)
    monkeypatch.setattr(checkpoints, "_write", lambda *_: written.append(now[0]))
    fastgd.train(X, Y, iterations=10**6, checkpoint=tmp_path / "run.npz", checkpoint_every=50)
    assert sum(lengths) == 10**6
    assert len(lengths) < 40
    assert written[0] < 61
    gaps = np.diff(written[:-1])
    assert ((gaps > 44) & (gaps < 56)).all()


DIFFERENT = {
    "X": (X + 1, Y, {}),
    "y": (X, Y / 2, {}),
    "alpha": (X, Y, {"alpha": (0.3, 0.2, 0.5)}),
    "iterations": (X, Y, {"iterations": 21}),
    "hidden_size": (X, Y, {"hidden_size": (5, 3)}),
    "seed": (X, Y, {"seed": 8}),
    "record_every": (X, Y, {"record_every": 8}),
    "record_weights": (X, Y, {"record_weights": False}),
    "optimizer": (X, Y, {"optimizer": Adam()}),
    "sample_weight": (X, Y, {"sample_weight": WEIGHT + 1}),
    "l2": (X, Y, {"l2": 0.5}),
    "dropout": (X, Y, {"dropout": 0.0}),
    "validation X": (X, Y, {"validation": HELD}),
}
SHOWN = {
    "iterations": "iterations 20 instead of 21",
    "alpha": r"alpha\[2\] 0.1 instead of 0.5",
    "hidden_size": r"hidden_size\[1\] 2 instead of 3",
    "l2": "no l2 instead of 0.5",
    "dropout": "dropout 0.25 instead of none",
    "X": r"X 'float64 \(12, 3\) \w{8}' instead of 'float64 \(12, 3\) ",
    "optimizer": r"optimizer\[0\] 'Momentum' instead of 'Adam'",
    "validation X": r"no validation X instead of 'float64 \(5, 3\) ",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    file = tmp_path_factory.mktemp("kept") / "run.npz"
    fastgd.train(X, Y, iterations=20, checkpoint=file, **GIVEN)
    return file


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_file_of_another_call_is_rejected(kept, name):
    inputs, targets, given = DIFFERENT[name]
    before = kept.read_bytes()
    message = (
        f"{kept} must be the checkpoint of this training, got one with {SHOWN.get(name, name)}"
    )
    with pytest.raises(ValueError, match=message):
        fastgd.train(inputs, targets, checkpoint=kept, **{"iterations": 20} | GIVEN | given)
    assert kept.read_bytes() == before


def test_the_file_of_other_validation_samples_is_rejected(tmp_path):
    file, held = tmp_path / "run.npz", (*HELD, np.arange(1.0, 6.0))
    train = partial(fastgd.train, X, Y, iterations=10, checkpoint=file, **STOPPED)
    run = train(validation=held)
    for place, name in enumerate(("X", "y", "weight")):
        other = (*held[:place], held[place][::-1], *held[place + 1 :])
        with pytest.raises(ValueError, match=f"got one with validation {name} 'float64 "):
            train(validation=other)
    with pytest.raises(ValueError, match=r"validation weight 'float64 .* instead of none"):
        train(validation=HELD)
    equal(train(validation=held), run)


def test_the_file_of_another_start_is_rejected(tmp_path):
    train = partial(fastgd.train, X, Y, iterations=10, checkpoint=tmp_path / "run.npz")
    train(weights=[np.ones((3, 1))])
    for other in ({"weights": [np.zeros((3, 1))]}, {"hidden_size": ()}):
        with pytest.raises(ValueError, match=r"must be the checkpoint of this .* one with weights"):
            train(**other)


def test_what_was_saved_otherwise_is_rejected(tmp_path):
    file = tmp_path / "run.npz"
    for result in (
        fastgd.train(X, Y, iterations=5),
        fastgd.sweep(X, Y, iterations=5, alpha=[0.1, 0.2]),
    ):
        result.save(file)
        kind = type(result).__name__
        with pytest.raises(ValueError, match=f"{file} must be the .*, got a {kind} that was saved"):
            fastgd.train(X, Y, iterations=5, checkpoint=file)


def test_a_corrupt_file_is_rejected(kept, tmp_path):
    whole, file = kept.read_bytes(), tmp_path / "run.npz"
    bits = random.Random(1)
    damaged = [b"", b"no file of ours", whole[: len(whole) // 2]]
    for _ in range(20):
        one = bytearray(whole)
        one[bits.randrange(len(one))] ^= 1 << bits.randrange(8)
        damaged.append(bytes(one))
    messages = []
    for content in damaged:
        file.write_bytes(content)
        try:
            run = fastgd.train(X, Y, iterations=20, checkpoint=file, **GIVEN)
        except ValueError as error:
            messages.append(str(error))
        else:  # not all bytes of a zip mean anything
            equal(run, fastgd.load(kept))
    assert len(messages) > 15
    way = "choose another file, or remove it if it is a corrupt checkpoint"
    assert set(messages) == {f"{file} must be a whole file that fastgd has saved: {way}"}


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"checkpoint": 3}, TypeError, "checkpoint must be a str or a path, got 3"),
        ({"checkpoint": "."}, ValueError, "checkpoint must be a file, got ., which is none"),
        ({"checkpoint": "no/run.npz"}, ValueError, "checkpoint must be in a folder that exists"),
        (
            {"checkpoint": "run.npz", "checkpoint_every": 0},
            ValueError,
            "checkpoint_every must be a finite number above",
        ),
        (
            {"checkpoint_every": 1.0},
            ValueError,
            "checkpoint_every must go with checkpoint, got checkpoint_every=1.0 without one",
        ),
    ],
    ids=["kind", "folder", "nowhere", "no time", "no file"],
)
def test_arguments(given, kind, message):
    with pytest.raises(kind, match=message):
        fastgd.train(X, Y, iterations=5, **given)
    assert check_file(None, 60) is None
    assert check_file("run.npz", 1) == (Path("run.npz"), 1)


def test_a_folder_that_is_not_writable_is_noticed_early(tmp_path, monkeypatch):
    """The first checkpoint is written after a few iterations."""

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    began = time.monotonic()
    with pytest.raises(OSError, match=r"No space left on device: .*run\.npz"):
        fastgd.train(X, Y, iterations=10**9, checkpoint=tmp_path / "run.npz")
    assert time.monotonic() - began < 30
    assert not list(tmp_path.iterdir())


PROGRAM = """
import sys
import numpy as np
import fastgd

random = np.random.default_rng(9)
X, y = random.normal(size=(12, 3)), random.random((12, 1))
given = {given}
fastgd.train(X, y, **given | {{"iterations": 1}})  # loads the kernel
print("ready", flush=True)
fastgd.train(X, y, checkpoint=sys.argv[1], checkpoint_every=0.02, **given)
"""

LONG = {"iterations": 6_000_000, "record_every": 70_001, "alpha": 0.01, "record_weights": True}
LONG |= {"batch_size": 5, "dropout": 0.25}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no SIGKILL")
def test_killed_ten_times_it_is_bit_identical_to_one_that_was_not(tmp_path):
    file, moments = tmp_path / "run.npz", random.Random(12)
    program = PROGRAM.format(given=LONG)
    whole = fastgd.train(X, Y, **LONG)
    done = [0]
    for _ in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", program, file], stdout=subprocess.PIPE, text=True
        )
        with child:
            assert child.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0, 0.4))
            child.kill()
        if file.exists():
            done.append(checkpoints.planned(fastgd.load(file)))
    assert done == sorted(done)
    assert len(set(done)) > 3
    equal(fastgd.train(X, Y, checkpoint=file, **LONG), whole)

"""No result depends on a clock, and no clock that jumps ends or delays a call."""

import os
import random
import time
from itertools import pairwise

import pytest

import fastgd
from fastgd.engine import execution
from fastgd.store import files as leases
from fastgd.store.folder import Folder
from fastgd.training import train_sweep as checkpoints
from fastgd.workers import run_job

DATES = {"1901": -2_177_452_800, "1970": 1, "2038": 2**31, "2108": 4_354_819_200}


def files_of(path):
    """The content of each file."""
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def write_all(xor, path):
    """Write one file of each kind of result."""
    path.mkdir()
    X, y = xor
    fastgd.train(X, y, iterations=20, checkpoint=path / "checkpoint.npz").save(path / "run.npz")
    fastgd.sweep(X, y, seed=range(8), iterations=20, threads=1, out=path / "sweep")
    return files_of(path)


def test_files_have_the_same_bytes_on_any_day(xor, tmp_path, monkeypatch):
    """Zip files have dates, which can't be before 1980 or after 2107."""
    today = write_all(xor, tmp_path / "today")
    for year, now in DATES.items():
        with monkeypatch.context() as changed:
            changed.setattr(time, "time", lambda now=now: now)
            assert write_all(xor, tmp_path / year) == today


def test_dates_of_files_do_not_matter(xor, tmp_path):
    X, y = xor
    call = {"seed": range(8), "iterations": 20, "threads": 1, "out": tmp_path / "sweep"}
    digest = fastgd.sweep(X, y, **call).digest()
    for now in DATES.values():
        for path in tmp_path.rglob("*"):
            os.utime(path, (now, now))
        assert fastgd.open(tmp_path / "sweep").digest() == digest
        assert fastgd.sweep(X, y, **call).digest() == digest


class Jumping:
    """A clock that is sometimes hours ahead of where it last was, or behind."""

    def __init__(self, back):
        self.random, self.now, self.back, self.read = random.Random(1), 1e6, back, [0.0]

    def __call__(self):
        hours = self.random.choice([1e-7] * 9 + [1000])
        self.now += self.random.uniform(-hours * self.back, hours) * 3600
        self.read.append(self.now)
        return self.now


@pytest.mark.parametrize("back", [0, 1], ids=["forward", "both ways"])
def test_clocks_that_jump_change_no_bit(xor, tmp_path, monkeypatch, back):
    X, y = xor
    many = {"seed": range(40), "patience": 50, "iterations": 3000, "threads": 2}
    run = fastgd.train(X, y, iterations=5000)
    swept = fastgd.sweep(X, y, out=tmp_path / "steady", **many).digest()
    clock = Jumping(back)
    monkeypatch.setattr(execution, "perf_counter", clock)
    monkeypatch.setattr(checkpoints, "perf_counter", clock)
    for module in (leases, run_job):
        monkeypatch.setattr(module, "monotonic", clock)
    kept = fastgd.train(X, y, iterations=5000, checkpoint=tmp_path / "run.npz")
    for found in (kept, fastgd.load(tmp_path / "run.npz"), fastgd.train(X, y, iterations=5000)):
        assert (found.errors == run.errors).all()
    assert fastgd.sweep(X, y, out=tmp_path / "jumping", **many).digest() == swept
    assert not (Folder.open(tmp_path / "jumping").path / "claims").exists()
    assert any(later < sooner for sooner, later in pairwise(clock.read[1:])) == bool(back)

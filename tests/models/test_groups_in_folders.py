"""A network for each group, in a folder and on executors: interrupted, gone on with, refused."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import fastgd
from fastgd.models import group_training
from fastgd.training.training_job import TrainingJob
from shops import SHORT, shops

GIVEN = {"unknown": "global", "alpha": [0.01, 0.1]}


def fitted(**options):
    return fastgd.fit_groups(shops(), by="shop", target="sales", **SHORT | options)


@pytest.fixture(scope="module")
def models():
    return fitted(**GIVEN)


def same(models, known):
    assert models.groups == known.groups
    np.testing.assert_equal(models.measured, known.measured)
    np.testing.assert_array_equal(models.fits.trained.places, known.fits.trained.places)
    for one, other in zip(models.fits.trained.sweeps, known.fits.trained.sweeps, strict=True):
        assert one.axes == other.axes
        for name in ("errors", "kept_weights", "kept_changes", "status"):
            np.testing.assert_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_equal(models.fallback.weights, known.fallback.weights)


class StoppedError(Exception):
    """What ends the work in the middle."""


def test_interrupted_anywhere_and_continued(models, tmp_path, monkeypatch):
    """Between the network that all start from, the sweeps and the one for unknown groups."""
    train, sweep = group_training.train, group_training.sweep
    calls = []

    def stopped(work):
        def call(*given, **options):
            if len(calls) == stop_before:
                raise StoppedError
            calls.append(work)
            return work(*given, **options)

        return call

    monkeypatch.setattr(group_training, "train", stopped(train))
    monkeypatch.setattr(group_training, "sweep", stopped(sweep))
    out = tmp_path / "groups"
    plans = len(models.fits.trained.sweeps)
    for stop_before in range(3 + 2 * plans):  # noqa: B007  `stopped` reads it
        calls.clear()
        with pytest.raises(StoppedError):
            fitted(**GIVEN, out=out)
    stop_before = 3 + 2 * plans
    calls.clear()
    same(fitted(**GIVEN, out=out), models)
    assert calls == [train, sweep, *[sweep] * (2 * plans), train]
    assert sorted(path.name for path in out.iterdir()) == [
        *(f"final-{k}" for k in range(plans)), "groups", *(f"judged-{k}" for k in range(plans)),
        "manifest.json", "start.npz", "unknown.npz",
    ]  # fmt: skip


def test_what_is_done_is_only_read_and_the_models_need_no_folder(models, tmp_path, monkeypatch):
    fitted(**GIVEN, out=tmp_path)
    monkeypatch.setattr(TrainingJob, "compute", None)
    monkeypatch.setattr("fastgd.training.training_job.TrainingJob.train_one", None)
    again = fitted(**GIVEN, out=tmp_path)
    same(again, models)
    for path in tmp_path.rglob("*.npz"):
        path.unlink()
    table = shops()
    np.testing.assert_array_equal(again.predict(table), models.predict(table))
    again.save(tmp_path / "models.npz")
    same(fastgd.load(tmp_path / "models.npz"), models)


@pytest.mark.slow
def test_an_executor_changes_no_bit(models, tmp_path):
    with ThreadPoolExecutor(2) as executor:
        same(fitted(**GIVEN, executor=executor), models)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        same(fitted(**GIVEN, executor=executor, out=tmp_path, threads_per_worker=2), models)


def test_what_differs_is_refused(tmp_path):
    fitted(**GIVEN, out=tmp_path)
    table = shops()
    table.loc[0, "sales"] += 1  # all of them would be standardized to the same
    for given, message in (
        ({"split_seed": 1}, "the same models of groups, got one with split_seed 0 instead of 1"),
        ({"start": "own"}, "got one with start 'global' instead of 'own'"),
        ({"hidden_size": 4}, "same models of groups, got one with hidden_size 3 instead of 4"),
        ({"alpha": [0.01, 0.2]}, r"got one with alpha\[1\] 0.1 instead of 0.2"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted(**GIVEN | given, out=tmp_path)
    with pytest.raises(ValueError, match="got one with targets 'float64"):
        fastgd.fit_groups(table, by="shop", target="sales", **SHORT | GIVEN, out=tmp_path)


def test_arguments_that_say_who_works():
    for given, kind, message in (
        ({"executor": 4}, TypeError, "executor must be a concurrent.futures.Executor"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"threads_per_worker": 2}, ValueError, "threads_per_worker must be left out without an"),
        ({"out": 3}, TypeError, "out must be a str or a path, got 3"),
    ):
        with pytest.raises(kind, match=message):
            fitted(**given)

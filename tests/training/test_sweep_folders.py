"""Sweeps in folders: the same as in memory, also after interruptions, and read lazily."""

import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.arguments.options import Method
from fastgd.optimizers import Adam, Momentum
from fastgd.schedules import Factors
from fastgd.store.folder import DamageWarning, Folder
from fastgd.training import sweep_axes
from fastgd.training.stored_results import SOURCES
from fastgd.training.sweep_axes import Chunks
from fastgd.training.training_job import TrainingJob
from thinning import only

RANDOM = np.random.default_rng(4)
TABLE = {"X": RANDOM.normal(size=(24, 3)), "y": RANDOM.random(24)}

HELD = (XOR_X[:3] + 0.5, XOR_Y[1:], np.array([1.0, 2.0, 3.0]))
START = [np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(1, 0, 4).reshape(4, 1)]
SWEEPS = {
    "grid": {"alpha": [0.1, 1, 10, 1000], "seed": range(5)},
    "one-run": {},
    "networks": {
        "hidden_size": [4, (3, 2)],
        "alpha": [1, 10],
        "patience": [None, 20],
        "tolerance": [0, 0.1],
        "seed": range(3),
        "summary": 5,
        "keep_state": True,
    },
    "momenta": {"optimizer": [Momentum(0.5), Momentum()], "alpha": [1, 10], "bias": True},
    "optimizers": {"optimizer": [Adam(), Momentum()], "alpha": [1, 10], "bias": True},
    "no-weights": {
        "alpha": [1, 10],
        "seed": range(3),
        "keep_weights": False,
        "record_weights": True,
        "keep_state": True,
        "validation": HELD,
    },
    "groups-and-folds": TABLE
    | {"groups": list("abcd") * 6, "folds": 2, "alpha": [1, 2], "seed": range(2)},
    "cases-and-weights": TABLE
    | {
        "combinations": [{"alpha": 1, "l2": 0}, {"alpha": 2, "l2": 0.1}, {"alpha": 3, "l2": 0.2}],
        "sample_weight": np.vstack([np.ones(24), np.arange(24)]),
        "seed": range(3),
    },
    "draws-of-samples": TABLE
    | {
        "groups": ["a"] * 10 + ["b"] * 14,
        "sampling": "adaptive",
        "batch_size": 4,
        "seed": range(3),
        "keep_state": True,
    },
}


def asked(name):
    """The arguments of a sweep of many chunks."""
    return {"X": XOR_X, "y": XOR_Y, "iterations": 60, "record_every": 25} | SWEEPS[name]


@pytest.fixture(autouse=True)
def chunks_of_few_runs(monkeypatch):
    monkeypatch.setattr("fastgd.training.training_job.runs_per_chunk", lambda _seconds, _size: 4)


def differences(one, other, *, source=True):
    """The fields in which two sweeps differ by at least a bit."""

    def equal(a, b):
        if isinstance(a, np.ndarray):
            return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        if isinstance(a, (list, tuple)):
            return len(a) == len(b) and all(map(equal, a, b))
        if isinstance(a, Method):
            return equal(list(a.given), list(b.given)) and equal(
                list(a.given.values()), list(b.given.values())
            )
        if dataclasses.is_dataclass(a):
            return all(equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
        return a == b

    names = {field.name for field in dataclasses.fields(fastgd.Sweep)}
    names -= set() if source else {"source"}
    return [name for name in sorted(names) if not equal(getattr(one, name), getattr(other, name))]


ALWAYS = ("grid", "one-run", "networks", "momenta", "groups-and-folds")


@pytest.fixture(scope="module", params=only(SWEEPS, *ALWAYS))
def pair(request, tmp_path_factory):
    """A sweep in memory, and the same one in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastgd.training.training_job.runs_per_chunk", lambda _seconds, _size: 4)
        folder = tmp_path_factory.mktemp(request.param) / "folder"
        given = asked(request.param)
        return fastgd.sweep(**given), fastgd.sweep(**given, out=folder), folder, given


# ---------------------------------------------------------------- results


def test_a_folder_is_bit_identical_to_a_sweep_in_memory(pair):
    memory, returned, folder, _ = pair
    opened = fastgd.open(folder)
    if memory.partition:  # a folder has the samples, and hashes a subset when a run is taken
        memory = dataclasses.replace(
            memory, partition=dataclasses.replace(memory.partition, hashes=())
        )
    assert not differences(memory, returned)
    assert not differences(memory, opened, source=False)
    assert repr(memory) == repr(returned) == repr(opened)
    assert (memory.source is None) == (opened.source is None)
    assert not differences(memory, pickle.loads(pickle.dumps(opened)), source=False)


def test_an_executor_gives_the_bits_of_a_sweep_in_memory(pair):
    memory, _, _, given = pair
    with ThreadPoolExecutor(2) as executor:
        assert not differences(memory, fastgd.sweep(**given, executor=executor))


def test_chunks_of_a_folder_are_those_of_the_sweep(pair):
    memory, _, folder, _ = pair
    opened = fastgd.open(folder)
    if not memory.axes:
        assert opened[()].final_error == memory[()].final_error
        return
    last = tuple(length - 1 for length in memory.shape)
    for index in (slice(1, None), (..., slice(None, None, 2)), (0, ..., [0]), ...):
        assert not differences(memory[index], opened[index], source=False)
    assert np.array_equal(memory[last].weights[0], opened[last].weights[0])
    assert np.array_equal(memory.best().weights[0], opened.best().weights[0])
    names = ["final_error"]
    names += ["final_validation_error"] * (memory.final_validation_error is not None)
    for name in names:
        found = [getattr(run, name) for run in opened]
        assert np.array_equal(found, getattr(memory, name).ravel(), equal_nan=True)


def test_a_folder_becomes_one_file(pair, tmp_path):
    memory, returned, _, _ = pair
    returned.save(tmp_path / "sweep.npz")
    assert not differences(memory, fastgd.load(tmp_path / "sweep.npz"), source=False)


def test_dask_reads_chunk_by_chunk(pair):
    memory, returned, _, _ = pair
    lazy = returned.to_xarray()
    xarray.testing.assert_identical(memory.to_xarray(), lazy.compute())
    if memory.axes:
        assert lazy.errors.chunks is not None
        assert lazy.errors.data.npartitions > 1 or len(memory) <= 4


# ---------------------------------------------------------------- digests


def test_a_digest_is_the_same_in_memory_and_from_a_file(pair, tmp_path):
    memory, returned, folder, _ = pair
    memory.save(tmp_path / "sweep.npz")
    forms = [memory, fastgd.load(tmp_path / "sweep.npz"), returned, returned.in_memory()]
    assert {sweep.digest() for sweep in [*forms, fastgd.open(folder)]} == {memory.digest()}
    if memory.axes:
        some = memory[..., :1]
        assert some.digest() == returned[..., :1].digest()
        assert (some.digest() == memory.digest()) == (len(some) == len(memory))


@pytest.mark.parametrize(
    ("runs", "folds", "count"),
    [
        (1, None, 50),
        (3, None, 150),
        (100, None, 1200),
        pytest.param(1, 2, 50, marks=pytest.mark.slow),
        pytest.param(3, 2, 1200, marks=pytest.mark.slow),
        pytest.param(100, 2, 1200, marks=pytest.mark.slow),
    ],
)
def test_a_digest_is_the_same_however_the_sweep_is_cut(runs, folds, count, monkeypatch, tmp_path):
    monkeypatch.setattr("fastgd.training.training_job.runs_per_chunk", lambda _seconds, _size: runs)
    alphas = np.geomspace(0.1, 1e6, count).tolist()  # a long axis, and runs that diverge
    for number, given in enumerate(
        (
            asked("grid") | {"keep_state": True, "weights": START, "seed": 3},
            asked("draws-of-samples") | {"folds": folds},
            asked("grid") | {"alpha": alphas, "seed": 1},
        )
    ):
        folder = fastgd.sweep(**given, out=tmp_path / f"{number}")
        assert folder.digest() == fastgd.sweep(**given).digest()


def test_every_result_counts_in_a_digest():
    sweep = fastgd.sweep(**asked("grid") | {"record_weights": True})
    digests = {sweep.digest()}
    for name in SOURCES:
        value = getattr(sweep, name)
        if value is not None:
            whole = value if isinstance(value, tuple) else (value,)
            last = whole[-1].copy()
            last.flat[-1] = "stalled" if name == "status" else last.flat[-1] + 1
            changed = (*whole[:-1], last) if isinstance(value, tuple) else last
            digests.add(dataclasses.replace(sweep, **{name: changed}).digest())
    assert len(digests) == 1 + sum(getattr(sweep, name) is not None for name in SOURCES)
    assert fastgd.sweep(**asked("grid") | {"seed": [9]}).digest() not in digests


# ---------------------------------------------------------------- resuming


def test_what_is_missing_is_said_and_the_same_call_resumes(tmp_path):
    given = asked("grid")
    whole = fastgd.sweep(**given, out=tmp_path / "whole")
    fastgd.sweep(**given, out=tmp_path / "cut")
    for chunk in (1, 3):
        chunk_file(tmp_path / "cut", chunk).unlink()
    cut = fastgd.open(tmp_path / "cut")
    gone = np.array(cut.status == "missing")
    assert cut.missing == gone.sum() > 0
    assert np.isnan(cut.final_error[gone]).all()
    assert np.array_equal(cut.final_error[~gone], whole.final_error[~gone], equal_nan=True)
    assert f"{gone.sum()} of 20 runs missing" in repr(cut)
    with pytest.raises(ValueError, match="must have been trained, got one that is missing"):
        cut[tuple(np.argwhere(gone)[0])]
    for unfinished in (cut, cut.in_memory()):
        with pytest.raises(LookupError):
            unfinished.digest()
    again = fastgd.sweep(**given, out=tmp_path / "cut")
    assert again.missing == 0
    assert again.digest() == whole.digest()
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


def chunk_file(folder, chunk):
    return folder / "parts" / "00000" / f"{chunk:08}.npz"


def test_code_is_compiled_without_more_iterations_than_there_are(tmp_path, monkeypatch):
    """A schedule has no factors beyond the last one."""
    seen, compute = [], TrainingJob.compute

    def noted(self, *given):
        seen.append(self.task.iterations)
        return compute(self, *given)

    monkeypatch.setattr(TrainingJob, "compute", noted)
    given = asked("grid") | {"iterations": 1, "schedule": Factors([0.5])}
    assert not differences(fastgd.sweep(**given), fastgd.sweep(**given, out=tmp_path))
    assert set(seen) == {1}


def files_of(folder):
    """All files below a folder, by their names there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_corrupt_chunk_is_named_and_trained_again(tmp_path):
    given = asked("grid")
    before = fastgd.sweep(**given, out=tmp_path).digest()
    path = chunk_file(tmp_path, 2)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=path.name):
        fastgd.open(tmp_path).digest()
    with pytest.warns(DamageWarning, match="chunk 2"):
        after = fastgd.sweep(**given, out=tmp_path)
    assert after.digest() == before


def test_a_folder_resumes_a_sweep(tmp_path):
    first = fastgd.sweep(**asked("grid"), keep_state=True)
    more = {"X": XOR_X, "y": XOR_Y, "iterations": 40, "resume": first}
    assert not differences(fastgd.sweep(**more), fastgd.sweep(**more, out=tmp_path / "a"))
    begun = fastgd.sweep(**asked("grid"), keep_state=True, out=tmp_path / "b")
    assert not differences(
        fastgd.sweep(**more), fastgd.sweep(**more | {"resume": begun}), source=False
    )


@pytest.mark.parametrize(
    "other",
    [
        {"alpha": [0.1, 1, 10, 100]},
        {"seed": range(6)},
        {"iterations": 61},
        {"y": 1 - XOR_Y},
        {"l2": 0.1},
        {"keep_weights": False},
        {"validation": (XOR_X, XOR_Y)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_folder_of_another_call_is_rejected(other, tmp_path):
    given = asked("grid")
    fastgd.sweep(**given, out=tmp_path)
    before = files_of(tmp_path)
    with pytest.raises(ValueError, match=r"must be empty or hold the same sweep, got one with "):
        fastgd.sweep(**given | other, out=tmp_path)
    assert files_of(tmp_path) == before


def test_a_folder_of_other_validation_samples_or_another_start_is_rejected(tmp_path):
    given = asked("one-run") | {"validation": HELD, "weights": START}
    fastgd.sweep(**given, out=tmp_path)
    for name in ("validation", "weights"):
        for place, array in enumerate(given[name]):
            other = [*given[name][:place], array[::-1], *given[name][place + 1 :]]
            with pytest.raises(ValueError, match=rf"hold the same sweep, got one with \w*{name}"):
                fastgd.sweep(**given | {name: tuple(other)}, out=tmp_path)


def begun(tmp_path, chunks, **more):
    """A sweep in a folder in which some chunks are missing."""
    given = asked("grid") | more
    fastgd.sweep(**given, out=tmp_path / "begun")
    for chunk in chunks:
        chunk_file(tmp_path / "begun", chunk).unlink()
    return fastgd.open(tmp_path / "begun"), given


def test_a_sweep_with_missing_runs_can_not_resume(tmp_path):
    sweep, _ = begun(tmp_path, [0, 3], keep_state=True)
    more = {"X": XOR_X, "y": XOR_Y, "iterations": 5}
    for resume in (sweep, sweep[0], sweep[...]):
        with pytest.raises(ValueError, match=r"runs are all trained, got one with \d+ of \d+ miss"):
            fastgd.sweep(**more, resume=resume)
    assert fastgd.sweep(**more, resume=sweep[2]).shape == (5,)


@pytest.mark.parametrize("keep_weights", [True, False])
def test_a_missing_run_is_rejected_however_it_is_asked_for(keep_weights, tmp_path):
    sweep, _ = begun(tmp_path, [0], keep_weights=keep_weights)
    for ask in (lambda: sweep[0, 0], lambda: sweep[0][0], lambda: list(sweep)):
        with pytest.raises(ValueError, match="must have been trained, got one that is missing"):
            ask()
    assert sweep[3, 1].status == "finished"


def test_networks_of_which_nothing_is_there_are_missing(tmp_path):
    more = {"hidden_size": [4, (3, 2)], "summary": 3, "record_weights": True, "keep_state": True}
    sweep, given = begun(tmp_path, range(8), **more)
    memory = fastgd.sweep(**given)
    assert (sweep.status[0] == "missing").all()
    assert np.array_equal(sweep.errors[1], memory.errors[1], equal_nan=True)
    assert "20 of 40 runs missing" in repr(sweep)
    assert "20 missing" in sweep._repr_html_()
    assert len(sweep.to_dataframe()) == 40
    assert [one.shape for one in sweep.kept_weights] == [one.shape for one in memory.kept_weights]
    assert [one.dtype for one in sweep.kept_changes] == [one.dtype for one in memory.kept_changes]
    assert [one.shape for one in sweep.kept_path] == [one.shape for one in memory.kept_path]
    assert sweep[0].summary.tail_mean.shape == memory[0].summary.tail_mean.shape
    sweep.save(tmp_path / "begun.npz")
    assert repr(fastgd.load(tmp_path / "begun.npz")) == repr(sweep)


def test_the_old_folder_is_read_once_to_resume(tmp_path, monkeypatch):
    sweep = fastgd.sweep(**asked("grid"), keep_state=True, out=tmp_path / "first")
    reads, read = [], Folder.read

    def counted(self, *given):
        reads.append(self.path.name)
        return read(self, *given)

    monkeypatch.setattr(Folder, "read", counted)
    more = {"X": XOR_X, "y": XOR_Y, "iterations": 5, "resume": sweep}
    fastgd.sweep(**more, out=tmp_path / "second")
    arrays = len(Folder.open(tmp_path / "first").read(0))
    assert reads.count("first") <= 8 * arrays + 1


def test_columns_read_each_chunk_once_per_array(tmp_path, monkeypatch):
    sweep = fastgd.sweep(**asked("grid"), out=tmp_path / "runs")
    reads, read = [], Folder.read

    def counted(self, chunk, names=None):
        reads.extend(names or ())
        return read(self, chunk, names)

    monkeypatch.setattr(Folder, "read", counted)
    sweep.columns()
    assert reads
    assert len(reads) == len(set(reads)) * sweep._folder.chunk_count


def test_a_sweep_resumes_a_file_as_with_what_was_saved(tmp_path):
    first = fastgd.sweep(**asked("grid"), keep_state=True, keep_weights=False)
    more = {"X": XOR_X, "y": XOR_Y, "iterations": 5, "out": tmp_path / "more"}
    fastgd.sweep(**more, resume=first)
    first.save(tmp_path / "first.npz")
    assert fastgd.sweep(**more, resume=fastgd.load(tmp_path / "first.npz")).missing == 0


def test_runs_are_trained_again_from_the_samples_of_the_folder(tmp_path):
    inputs = XOR_X.copy()
    sweep = fastgd.sweep(**asked("grid") | {"X": inputs}, keep_weights=False, out=tmp_path)
    inputs[:] = 7
    assert sweep[1, 2].final_error == sweep.final_error[1, 2]


def test_what_is_no_file_in_the_place_of_a_chunk_is_an_error(tmp_path):
    fastgd.sweep(**asked("grid"), out=tmp_path)
    path = chunk_file(tmp_path, 1)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=f"{path.name} must be a file, got a folder$"):
        fastgd.sweep(**asked("grid"), out=tmp_path)


# ---------------------------------------------------------------- arguments and foreign folders


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"out": 3}, r"out must be a str or a path, got 3"),
        ({"executor": 2}, r"executor must be .* got 2"),
        ({"threads_per_worker": 0}, r"threads_per_worker must be .* got 0"),
        ({"threads_per_worker": 2}, r"threads_per_worker must be left out"),
    ],
    ids=["out", "executor", "zero-threads", "threads-of-nobody"],
)
def test_wrong_arguments_are_rejected(wrong, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fastgd.sweep(**asked("grid"), **wrong)


def test_a_folder_with_something_else_is_rejected(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"must be empty .* 'notes.txt'"):
        fastgd.sweep(**asked("grid"), out=tmp_path)
    with pytest.raises(ValueError, match=r"without manifest\.json"):
        fastgd.open(tmp_path)
    with pytest.raises(FileNotFoundError):
        fastgd.open(tmp_path / "nowhere")
    Folder.create(tmp_path / "other", "map", {}, {}, {}, 1)
    with pytest.raises(ValueError, match="must hold a sweep, got 'map'"):
        fastgd.open(tmp_path / "other")


def test_files_and_folders_are_told_apart(tmp_path):
    sweep = fastgd.sweep(**asked("one-run"), out=tmp_path / "folder")
    sweep.save(tmp_path / "file.npz")
    with pytest.raises(ValueError, match=r"must be a folder, got a file: fastgd\.load"):
        fastgd.open(tmp_path / "file.npz")
    with pytest.raises(ValueError, match=r"must be a file, got a folder: fastgd\.open"):
        fastgd.load(tmp_path / "folder")


@pytest.mark.parametrize("pair", only(SWEEPS, "networks"), indirect=True)
def test_a_notebook_shows_a_folder(pair):
    memory, returned, _, _ = pair
    assert returned._repr_html_() == memory._repr_html_()


def test_a_manifest_that_makes_no_sense_is_rejected(tmp_path):
    Folder.create(tmp_path, "sweep", {"axes": {"alpha": [1]}}, {}, {}, 1)
    with pytest.raises(ValueError, match="as fastgd writes it"):
        fastgd.open(tmp_path)


def test_in_an_empty_folder_all_runs_are_missing(tmp_path):
    empty, given = begun(tmp_path, range(8))
    assert "all runs missing" in repr(empty)
    assert empty._repr_html_()
    assert (empty.status == "missing").all()
    assert np.isnan(empty.errors).all()
    assert empty.errors.shape == fastgd.sweep(**given).errors.shape


@pytest.mark.slow
def test_long_axes_are_as_they_were(tmp_path):
    seeds = list(range(7, 2000))
    sweep = fastgd.sweep(XOR_X, XOR_Y, seed=seeds, iterations=1, out=tmp_path, keep_weights=False)
    assert fastgd.open(tmp_path).axes == {"seed": seeds} == sweep.axes
    assert len((tmp_path / "manifest.json").read_bytes()) < 10_000


# ---------------------------------------------------------------- chunks


@pytest.mark.parametrize("seed", range(20))
def test_chunks_are_boxes_of_neighbors(seed):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 8, random.integers(0, 5)).tolist())
    runs = int(random.integers(1, 60))
    cut, count = Chunks.of(shape, runs), int(np.prod(shape))
    numbers, found = np.arange(count).reshape(shape), cut.find(np.arange(count))
    ends = [0]
    for chunk in range(cut.count):
        place = cut.runs(chunk)
        assert place.start == ends[-1]
        assert 1 <= place.stop - place.start <= runs
        assert (found[place] == chunk).all()
        assert numbers[cut.box(chunk)].ravel().tolist() == list(range(place.start, place.stop))
        ends.append(place.stop)
    assert ends[-1] == count


def test_chunks_take_some_seconds_and_fill_the_lanes():
    assert sweep_axes.CHUNK_SECONDS == 4
    for seconds, runs in ((1e-9, 2**15), (1e-3, 4000), (1.0, 8), (10.0, 3), (100.0, 1)):
        assert sweep_axes.runs_per_chunk(seconds, 1024) == runs

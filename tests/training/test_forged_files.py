"""Malicious files and folders: a result, or an error of one sentence.

Each is drawn by its number. None may take half a gigabyte, wait for something, or change what is
outside of its folder.
"""

import io
import json
import os
import shutil
import signal
import sys
import tracemalloc
import warnings
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from forging import Forger, array_in, members, npy, packed

import fastgd
from fastgd import plots
from fastgd.models.group_models import decode as decode_groups
from fastgd.models.model import decode as decode_model
from fastgd.plots.style import pyplot
from fastgd.store import npz
from fastgd.store import npz as chunk_file
from fastgd.store.folder import Folder
from fastgd.store.manifest import parsed
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import NumberTarget
from folder_state import state_of

resource = pytest.importorskip("resource")  # there is none on Windows

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
Y = [0, 1, 1, 0]
SWEEP = {"hidden_size": [(), 2, 3], "alpha": [1, 2], "iterations": 6, "record_every": 2}
TABLE = {"a": [1.0, 2.0, 4.0], "b": [3.0, 2.0, 9.0], "c": ["x", "y", "x"]}
GROUPS = {"g": ["a", "b"] * 5, "x": list(range(10)), "y": list(range(0, 30, 3))}
FILES, FOLDERS, PICTURES = 600, 100, 8
ROOM = 2**29


class TooLateError(BaseException):
    """Raised after too long a time; nothing catches it."""


@pytest.fixture
def limited():
    """Little memory, and little time for each step."""

    def late(*_):
        raise TooLateError

    before, signals = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGALRM, late)
    with suppress(FileNotFoundError), open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield lambda: signal.alarm(20)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signals)
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def little_work(calls=2 * 10**5, room=2**23):
    """Few calls of functions, Python's own included, and little memory, however fast they are."""
    left = iter(range(calls))

    def count(*_):
        if next(left, None) is None:
            raise TooLateError

    tracemalloc.start()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < room


@pytest.fixture(scope="module")
def sweep_file(tmp_path_factory):
    """The members of a small sweep, and its header."""
    path = tmp_path_factory.mktemp("small") / "sweep.npz"
    sweep = fastgd.sweep(X, Y, alpha=[1, 2], seed=[1, 2], iterations=6, keep_weights=False)
    sweep.save(path)
    content = members(path.read_bytes())
    return content, json.loads(str(array_in(content["fastgd.npy"])))


def forge(path, sweep_file, more, **header):
    """A sweep with more arrays, and another header."""
    content, known = sweep_file
    known = known | header | {"members": [*known["members"], *more]}
    arrays = more | {"fastgd": np.array(json.dumps(known))}
    path.write_bytes(
        packed(content | {f"{name}.npy": npy(array) for name, array in arrays.items()})
    )


MANY = 1500


def networks(*sizes, count=1):
    return [[sizes, False, False]] * count


FEW_BYTES = {
    "initial networks without layers": {
        "axes": {"weights": 10**9}, "networks": networks(3),
    },
    "initial networks without units": {
        "axes": {"weights": 10**9}, "networks": networks(),
    },
    "initial networks that are not there": {
        "axes": {"weights": 10**9}, "networks": networks(3, 4, 1),
    },
    "alphas for each layer": {
        "axes": {"alpha": [1.0] * MANY, "seed": [1, 2]}, "networks": networks(*[1] * MANY),
    },
    "alphas for each layer, and of each": {
        "axes": {"alpha": [*[1.0] * MANY, [1.0] * (MANY - 1)], "seed": [1, 2]},
        "networks": networks(*[1] * MANY),
    },
    "schedules of one array": {
        "axes": {"schedule": [["Factors", {"factors": "factors_0"}]] * 200, "alpha": [1, 2]},
        "networks": networks(3, 4, 1, count=200),
    },
}  # fmt: skip
"""Headers that say more than the bytes of a file can have."""


@pytest.mark.parametrize("name", FEW_BYTES)
def test_counts_are_bounded_by_what_a_file_has(sweep_file, tmp_path, name):
    path = tmp_path / "file.npz"
    forge(path, sweep_file, {"factors_0": np.ones(10**5)}, **FEW_BYTES[name])
    assert path.stat().st_size < 2**13
    with little_work(), pytest.raises(ValueError, match="must be a whole file"):
        fastgd.load(path)


def test_arrays_that_no_result_has_cost_nothing(sweep_file, tmp_path, monkeypatch):
    path, found, header_of = tmp_path / "file.npz", [], npz.header_of
    forge(path, sweep_file, {f"empty_{k}": np.zeros(0) for k in range(100)})
    monkeypatch.setattr(npz, "header_of", lambda *given: found.append(1) or header_of(*given))
    assert fastgd.load(path).shape == (2, 2)
    assert len(found) == len(sweep_file[0])


class Counted(dict):
    """Arrays of a file that count how often all of their names are gone through."""

    passes = 0

    def items(self):
        self.passes += 1
        return super().items()


@pytest.mark.parametrize("decode", [decode_model, decode_groups])
def test_results_in_a_file_are_told_apart_in_one_pass(tmp_path, decode):
    path = tmp_path / "file.npz"
    if decode is decode_model:
        model(7).save(path)
    else:
        fastgd.fit_groups(GROUPS, "g", "y", hidden_size=(), iterations=3).save(path)
    with npz.reading(path) as (_, header, arrays):
        counted = Counted(arrays)
        assert decode(header, counted)
    assert counted.passes == 1


def model(runs):
    """A small model, whose members are alike."""
    preparation = Preparation.learn(TABLE)
    inputs = np.eye(len(preparation.names))
    run = fastgd.train(inputs, inputs[:, :1], iterations=2)
    return fastgd.Model((run,) * runs, preparation, (NumberTarget("y", mean=0.0, scale=1.0),))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The bytes of a file of each kind."""
    path = tmp_path_factory.mktemp("files")
    fastgd.train(X, Y, iterations=6, record_every=2).save(path / "run.npz")
    fastgd.train(X, Y, iterations=6, record_every=2, checkpoint=path / "checkpoint.npz")
    fastgd.sweep(X, Y, alpha=[1, 2], seed=[1, 2], iterations=6).save(path / "sweep.npz")
    fastgd.sweep(X, Y, **SWEEP, keep_state=True).save(path / "states.npz")
    model(2).save(path / "model.npz")
    groups = {"hidden_size": (), "iterations": 3, "unknown": "global"}
    fastgd.fit_groups(GROUPS, "g", "y", **groups).save(path / "groups.npz")
    return [file.read_bytes() for file in sorted(path.iterdir())]


def use(result):
    """Use a result in all usual ways."""
    repr(result)
    if isinstance(result, fastgd.Run):
        result.predict(np.ones((2, len(result.weights[0]))))
    elif isinstance(result, fastgd.Sweep):
        result.columns()
        result.best()
        list(result)
    else:
        result.predict(TABLE if isinstance(result, fastgd.Model) else GROUPS)


def is_refused(work, *arguments):
    """Whether something is refused: not because it has tried to take all memory."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work(*arguments)
    except (OSError, ValueError) as error:
        why = error.__cause__
    else:
        return False
    assert not isinstance(why, MemoryError)
    return True


@pytest.mark.slow
def test_forged_files(files, tmp_path, limited):
    path, refused = tmp_path / "file.npz", 0
    for number in range(FILES):
        path.write_bytes(Forger(number).file(files[number % len(files)], files))
        limited()

        def work(path=path):
            use(fastgd.load(path))

        refused += is_refused(work)
    assert os.listdir(tmp_path) == ["file.npz"]
    assert FILES / 2 < refused < FILES


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A sweep in a folder."""
    path = tmp_path_factory.mktemp("made") / "sweep"
    return path, fastgd.sweep(X, Y, **SWEEP, keep_state=True, out=path).digest()


def read(path):
    """All that a folder has."""
    sweep = fastgd.open(path)
    use(sweep)
    for name in ("errors", "losses", "kept_weights", "kept_changes", "states", "summary"):
        getattr(sweep, name)
    return sweep.digest()


@pytest.mark.slow
def test_forged_folders(made, tmp_path, limited):
    """Read, and passed to the call that made it: a corrupt folder is repaired to the last bit."""
    path, digest = made
    folder, outside = tmp_path / "sweep", tmp_path / "outside"
    refused = mended = 0
    for number in range(FOLDERS):
        for old in (folder, outside):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(path, folder)
        outside.mkdir()
        is_damaged = Forger(number).folder(folder, outside)
        before = state_of(outside)
        limited()
        refused += is_refused(read, folder)

        def again(folder=folder, is_damaged=is_damaged):
            found = fastgd.sweep(X, Y, **SWEEP, keep_state=True, out=folder).digest()
            assert found == digest or not is_damaged

        mended += not is_refused(again)
        assert state_of(outside) == before
    assert FOLDERS / 2 < refused < FOLDERS
    assert FOLDERS / 4 < mended < FOLDERS


FORGED = {
    "errors": [None, np.zeros((1, 3)), np.zeros((2, 9)), np.zeros(2), np.full((2, 3), "x")],
    "outcome": [np.array([0, 9]), np.array([-1, 0]), np.array([0.0, 1.0])],
    "weights": [None, np.zeros((2, 3, 1)), np.zeros((1, 3))],
    "state_parameters": [None, np.zeros((2, 2)), np.zeros((2, 3), np.float32)],
    "state_signs": [np.full((2, 3), 2, np.uint8), np.zeros((2, 3))],
    "state_planned": [np.zeros(2, np.int64), np.ones((2, 1), np.int64)],
}


@pytest.mark.parametrize("name", FORGED)
def test_an_array_that_no_part_has(made, tmp_path, name):
    """With a valid checksum: the forger knew the folder."""
    shutil.copytree(made[0], tmp_path / "sweep")
    file = tmp_path / "sweep" / "parts" / "00000" / "00000000.npz"
    origin = f"{Folder.open(tmp_path / 'sweep').manifest.id}/0"
    arrays = chunk_file.unpacked(io.BytesIO(file.read_bytes()), origin)
    for other in FORGED[name]:
        changed = {own: array for own, array in arrays.items() if own != name}
        if other is not None:
            changed[name] = other
        file.write_bytes(chunk_file.packed(changed, origin))
        with pytest.raises(ValueError, match=r"must have .*, as fastgd writes (it|them), got"):
            read(tmp_path / "sweep")


@pytest.mark.parametrize("pieces", [0.5, [], [[1], [1]], [["x"], [1], [1]], [[9], [1], [1]], None])
def test_parts_that_no_folder_has(made, tmp_path, pieces):
    path = tmp_path / "sweep"
    shutil.copytree(made[0], path)
    manifest = parsed((path / "manifest.json").read_bytes())
    manifest.facts["pieces"] = pieces
    (path / "manifest.json").write_bytes(manifest.text())
    for work in (read, lambda path: fastgd.sweep(X, Y, **SWEEP, keep_state=True, out=path)):
        with pytest.raises(ValueError, match="must hold a sweep as fastgd writes it, got a manif"):
            work(path)


def test_samples_that_no_sweep_has(tmp_path):
    """From which runs without weights are trained again."""
    given = {"hidden_size": (), "alpha": [1, 2], "iterations": 3, "keep_weights": False}
    fastgd.sweep(X, Y, **given, out=tmp_path)
    file = tmp_path / "manifest.json"
    shared = tmp_path / "shared.npz"
    old = parsed(file.read_bytes())
    arrays = chunk_file.unpacked(io.BytesIO(shared.read_bytes()), f"{old.id}/shared.npz")
    shared.write_bytes(
        chunk_file.packed(arrays | {"X": np.array([["x"] * 3] * 4)}, f"{old.id}/shared.npz")
    )
    with pytest.raises(ValueError, match="must hold a sweep as fastgd writes it, got a manifest"):
        read(tmp_path)


@pytest.mark.slow
def test_plotting_a_forged_file(files, tmp_path, limited):
    pytest.importorskip("matplotlib")
    for number in range(PICTURES):
        path = tmp_path / "file.npz"
        path.write_bytes(Forger(10**6 + number).odd_value(files[4 + number % 2], files))
        limited()

        def draw(path=path):
            ax = plots.errors(fastgd.load(path))
            ax.figure.canvas.draw()
            pyplot().close(ax.figure)

        is_refused(draw)

"""Several processes share the work in one folder, even if some of them are killed."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import filling
import numpy as np
import pytest

from fastgd.store import files as leases
from fastgd.store.folder import Folder

CHUNKS = 24


def bytes_of(path):
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The result of one undisturbed process: all files and their bytes."""
    path = tmp_path_factory.mktemp("undisturbed")
    filling.fill(filling.folder_at(path, CHUNKS))
    return bytes_of(path)


@pytest.fixture
def begin(tmp_path):
    """Start processes that fill the folder; those that are still running at the end are killed."""
    with ExitStack() as stack:

        def started(seconds, chunks, settings):
            command = [sys.executable, filling.__file__, str(tmp_path / "out"), str(chunks)]
            environment = {f"FILLING_{name.upper()}": str(of) for name, of in settings.items()}
            process = subprocess.Popen(
                [*command, str(seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | environment,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        def begin(seconds, *settings, chunk_count=CHUNKS):
            """One process for each of the settings: they begin when all of them are ready."""
            processes = [started(seconds, chunk_count, each) for each in settings or ({},)]
            for process in processes:
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                print(file=process.stdin, flush=True)
            return processes

        yield begin


def finish(processes):
    """Wait for the processes; return the chunks that each of them has computed."""
    outputs = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [list(map(int, output.split())) for output in outputs]


def kill(process):
    process.kill()
    process.wait()


def assert_each_once(computed, chunk_count=CHUNKS):
    """Each chunk is computed once, and each process has done some."""
    assert sorted(chunk for each in computed for chunk in each) == list(range(chunk_count))
    assert all(computed)


def wait_for_chunks(path, count):
    """Wait until a folder has this number of chunks."""
    while True:
        try:
            if np.count_nonzero(Folder.open(path).done()) >= count:
                return
        except (FileNotFoundError, ValueError):  # it doesn't exist yet
            pass
        time.sleep(0.01)


@pytest.mark.parametrize("count", [2, 4])
def test_processes_share_the_work(tmp_path, undisturbed, begin, count):
    assert_each_once(finish(begin(0.1, *[{}] * count)))
    assert bytes_of(tmp_path / "out") == undisturbed


def test_clocks_that_differ_by_hours(tmp_path, begin):
    """Chunks take longer than leases last without renewal, and yet none is computed twice."""
    settings = [{"expiry": 2, "hours": hours} for hours in (-5, 7)]
    assert_each_once(finish(begin(2.5, *settings, chunk_count=4)), chunk_count=4)
    assert Folder.open(tmp_path / "out").damaged() == []


@pytest.mark.slow
def test_processes_that_are_killed_are_replaced(tmp_path, undisturbed, begin):
    """One of two is killed at a random moment, again and again."""
    random = np.random.default_rng(3)
    survivors = begin(0.2)
    for _ in range(4):
        (victim,) = begin(0.2)
        time.sleep(random.uniform(0, 0.5))
        kill(victim)
    finish(survivors)
    assert bytes_of(tmp_path / "out") == undisturbed


@pytest.mark.slow
@pytest.mark.skipif(leases._birth(os.getpid()) == "", reason="no /proc to ask")
def test_the_chunk_of_a_process_that_was_killed_is_taken_over_at_once(tmp_path, undisturbed, begin):
    """No lease expires within the time of this test."""
    (victim,) = begin(1000, {"expiry": 1000})
    while not any(lease.stat().st_size for lease in tmp_path.glob("out/claims/*")):
        time.sleep(0.01)  # an empty lease, whose owner is unknown, would have to expire
    kill(victim)
    (lease,) = tmp_path.glob("out/claims/*")
    assert lease.name == "00000000"
    (computed,) = finish(begin(0, {"expiry": 1000}))
    assert computed == list(range(CHUNKS))
    assert bytes_of(tmp_path / "out") == undisturbed


def test_a_lease_of_another_machine_holds_up_one_chunk_only(tmp_path, undisturbed, begin):
    folder = filling.folder_at(tmp_path / "out", CHUNKS)
    lease = Path(folder.path, "claims", "00000005")
    lease.parent.mkdir()
    lease.write_text("1 1 name another-boot pid:[1] another-machine")
    (computed,) = finish(begin(0, {"expiry": 1}))
    assert computed == [*range(5), *range(6, CHUNKS), 5]
    assert bytes_of(tmp_path / "out") == undisturbed


@pytest.mark.slow
def test_a_process_that_is_killed_and_repeated_alone(tmp_path, undisturbed, begin):
    """Each time with half-written files and leases left behind."""
    random = np.random.default_rng(4)
    for turn in range(5):
        (process,) = begin(0.05)
        wait_for_chunks(tmp_path / "out", 2 * turn + 1)
        time.sleep(random.uniform(0, 0.2))
        kill(process)
        (tmp_path / "out" / "parts" / "00000" / f".unfinished-{turn}.npz").write_bytes(b"half")
    finish(begin(0))
    assert bytes_of(tmp_path / "out") == undisturbed


def test_a_folder_that_is_removed_while_it_is_filled(tmp_path, undisturbed, begin):
    processes = begin(0.1, {}, {})
    wait_for_chunks(tmp_path / "out", 3)
    (tmp_path / "out").rename(tmp_path / "gone")
    finish(processes)
    assert bytes_of(tmp_path / "out") == undisturbed


@pytest.mark.slow
def test_readers_see_whole_chunks_only(tmp_path, undisturbed, begin):
    """And don't disturb writers."""
    (process,) = begin(0.02)
    wait_for_chunks(tmp_path / "out", 1)
    folder = Folder.open(tmp_path / "out")
    while process.poll() is None:
        for chunk in np.flatnonzero(folder.done()).tolist():
            assert folder.read(chunk).keys() == filling.arrays_of(chunk).keys()
    finish([process])
    assert bytes_of(tmp_path / "out") == undisturbed

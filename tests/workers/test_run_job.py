"""How chunks are scheduled, with executors whose workers are threads of this process."""

import pickle
import re
import shutil
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from tiny_jobs import Squares, Told, work_into

from fastgd.checks.messages import TrainingWarning
from fastgd.engine.devices import available_threads
from fastgd.engine.progress import unreported as ignore
from fastgd.store.folder import DamageWarning, Folder
from fastgd.workers import tasks as worker
from fastgd.workers.run_job import InFolder, InMemory, WorkerOptions, run_job
from fastgd.workers.tasks import Scheduler, Workers

CHUNKS = 20


def folder_at(path, chunk_count=CHUNKS):
    return Folder.create(path, "squares", {"parts": chunk_count}, {}, {}, chunk_count)


def squares_of(found):
    return [int(arrays["square"]) for arrays in found]


def in_order(chunk_count=CHUNKS):
    return [chunk**2 for chunk in range(chunk_count)]


class Watched(Executor):
    """An executor of two workers that records its tasks, and may change them."""

    def __init__(self, before=lambda order: order):
        self.pool = ThreadPoolExecutor(2)
        self.before = before
        self.tasks, self.at_once, self._in_hand, self._lock = [], 0, 0, threading.Lock()

    def submit(self, fn, /, order, *task):
        with self._lock:
            self.tasks.append((order, *task))
            self._in_hand += 1
            self.at_once = max(self.at_once, self._in_hand)
        future = self.pool.submit(fn, self.before(order), *task)
        future.add_done_callback(self._out_of_hand)
        return future

    def _out_of_hand(self, _future):
        with self._lock:
            self._in_hand -= 1

    def shutdown(self, *_arguments, **_options):
        raise AssertionError("the executor belongs to its creator")


@pytest.fixture
def watched():
    made = Watched()
    with made.pool:
        yield made


@pytest.fixture(params=["threads", "executor"])
def worker_options(request, watched):
    """Two threads of this process, or an executor."""
    return WorkerOptions(None, 2, 1) if request.param == "threads" else WorkerOptions(watched, 1, 1)


def test_chunks_come_in_order_each_is_computed_and_reported_once(worker_options, tmp_path):
    job, told = Squares(CHUNKS, 0.01, str(tmp_path)), Told()
    assert squares_of(run_job(job, worker_options, told)) == in_order()
    assert sum(told) == sum(job.sizes)
    assert [len(calls) for calls in job.calls()] == [1] * CHUNKS


def test_a_folder_is_filled_and_existing_chunks_are_only_reported(worker_options, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    folder, job, told = folder_at(tmp_path / "folder"), Squares(CHUNKS, 0.01, str(log)), Told()
    for chunk in (0, 3, 19):
        folder.write(chunk, job.compute(chunk, 1, ignore))
    work_into(folder, job, worker_options, told)
    assert squares_of(map(folder.read, range(CHUNKS))) == in_order()
    assert sum(told) == sum(job.sizes)
    assert [len(calls) for calls in job.calls()] == [1] * CHUNKS
    assert not (folder.path / "claims").exists()
    work_into(folder, job, worker_options, ignore)
    assert [len(calls) for calls in job.calls()] == [1] * CHUNKS


def test_a_job_of_no_chunks_is_done(worker_options, tmp_path):
    assert run_job(Squares(0), worker_options, ignore) == []
    work_into(folder_at(tmp_path, 0), Squares(0), worker_options, ignore)


@pytest.mark.parametrize("chunks", [1, 3])
def test_threads_get_a_chunk_each_and_a_single_chunk_gets_all(chunks, tmp_path):
    job = Squares(chunks, 0, str(tmp_path))
    run_job(job, WorkerOptions(None, 2, 1), ignore)
    work_into(folder_at(tmp_path / "folder", chunks), job, WorkerOptions(None, 2, 1), ignore)
    expected = 2 if chunks == 1 else 1
    assert {threads for calls in job.calls() for _, threads in calls} == {expected}


def test_an_error_in_a_thread_is_raised_as_it_is_and_ends_the_others(tmp_path):
    job, folder = Squares(CHUNKS, 0.1, fails=(5,)), folder_at(tmp_path)
    with pytest.raises(ValueError, match=r"^5 is a bad number$"):
        work_into(folder, job, WorkerOptions(None, 2, 1), ignore)
    assert folder.done()[:4].all()
    assert not folder.done()[8:].any()
    assert not list((tmp_path / "claims").iterdir())
    work_into(folder, Squares(CHUNKS), WorkerOptions(None, 2, 1), ignore)
    assert folder.done().all()


def test_ctrl_c_between_a_lease_and_its_chunk_leaves_no_lease(tmp_path, monkeypatch):
    lease = Folder.acquire

    def interrupted(folder, chunk):
        leased = lease(folder, chunk)
        if chunk == 3:
            raise KeyboardInterrupt
        return leased

    monkeypatch.setattr(Folder, "acquire", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work_into(folder_at(tmp_path), Squares(CHUNKS), WorkerOptions(None, 2, 1), ignore)
    assert not list((tmp_path / "claims").iterdir())


def test_ctrl_c_interrupts_chunks(tmp_path):
    """The progress callback raises, as Ctrl-C does."""
    told, folder = [], folder_at(tmp_path)

    def stop(done, _errors=None):
        if done:
            told.append(done)
            if len(told) == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work_into(folder, Squares(CHUNKS, 1.0), WorkerOptions(None, 2, 1), stop)
    assert len(told) <= 6
    assert not folder.done().any()  # as it were if they had been computed to their ends


def test_a_chunk_that_fails_once_is_computed_again(watched, tmp_path, caplog):
    caplog.set_level("INFO", "fastgd")
    job = Squares(CHUNKS, 0.01, str(tmp_path), fails_once=(3, 7))
    assert squares_of(run_job(job, WorkerOptions(watched, 1, 1), ignore)) == in_order()
    assert [len(calls) for calls in job.calls()] == [1 + (p in (3, 7)) for p in range(CHUNKS)]
    assert sorted(caplog.messages) == [
        f"chunk {p} is computed again: ValueError('{p} is a bad number')" for p in (3, 7)
    ]


def test_a_chunk_that_always_fails_is_tried_four_times_and_named(watched, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    job, folder = Squares(CHUNKS, 0.01, str(log), fails=(7,)), folder_at(tmp_path / "folder")
    with pytest.raises(RuntimeError) as caught:
        work_into(folder, job, WorkerOptions(watched, 1, 1), ignore)
    done = int(folder.done().sum())
    assert str(caught.value) == (
        "chunk 7 has failed 4 times, the last time with ValueError: 7 is a bad number; "
        f"{done} of 20 chunks are done, and kept in {folder.path}: repeat the call, with a new "
        "executor if it has one, to resume"
    )
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(job.calls_of(7)) == 4
    assert done >= 7
    work_into(folder, Squares(CHUNKS), WorkerOptions(watched, 1, 1), ignore)
    assert squares_of(map(folder.read, range(CHUNKS))) == in_order()


def test_without_a_folder_a_failure_says_that_all_is_lost(watched):
    job = Squares(3, fails=(1,))
    with pytest.raises(RuntimeError, match="2 of 3 chunks were done, and are lost, as there is no"):
        run_job(job, WorkerOptions(watched, 1, 1), ignore)


def test_an_executor_that_takes_no_tasks_is_reported(watched, tmp_path):
    watched.pool.shutdown()
    folder = folder_at(tmp_path)
    with pytest.raises(BrokenExecutor) as caught:
        work_into(folder, Squares(CHUNKS), WorkerOptions(watched, 1, 1), ignore)
    assert str(caught.value) == (
        "executor takes no more tasks: cannot schedule new futures after shutdown; "
        f"0 of 20 chunks are done, and kept in {tmp_path}: repeat the call, with a new "
        "executor if it has one, to resume"
    )
    assert not list((tmp_path / "claims").iterdir())


def test_tasks_are_small_the_job_resumesce_and_no_two_are_alike(watched):
    job = Squares(CHUNKS, 0.01, data=bytes(10**6))
    run_job(job, WorkerOptions(watched, 1, 1), ignore)
    parcels = [parcels for _, _, parcels, _ in watched.tasks if parcels]
    assert len(parcels) == 1  # both workers are of one process
    assert len({serial for *_, serial in watched.tasks}) == len(watched.tasks)
    run_job(job, WorkerOptions(watched, 1, 1), ignore)
    assert not any(parcels for _, _, parcels, _ in watched.tasks[-CHUNKS:])


def test_code_that_a_process_has_got_is_not_sent_again_for_it():
    sent = []

    def submit(chunk, along):
        sent.append((chunk, along, Future()))
        return sent[-1][-1]

    def answer(process, missing=""):
        *_, future = next(task for task in sent if not task[-1].done())
        future.set_result(worker.Answer(worker.WorkerState("here", process, len(sent)), missing))
        return scheduler.next(1.0)

    scheduler = Scheduler(submit)
    scheduler.start(0)
    answer(1, "code")
    assert answer(1).chunk == 0
    for chunk in (1, 2):
        scheduler.start(chunk)
    for _ in range(2):  # two threads of another process
        answer(2, "code")
    assert [task[:2] for task in sent] == [(0, ""), (0, "code"), (1, ""), (2, ""), (1, "code")]
    assert answer(2).chunk == 1
    assert sent[-1][:2] == (2, "")


def named(job):
    return sha256(pickle.dumps(job, protocol=5)).hexdigest()


def test_a_worker_keeps_the_last_two_jobs(watched):
    jobs = [Squares(2, data=bytes([n])) for n in range(3)]
    for job in jobs:
        run_job(job, WorkerOptions(watched, 1, 1), ignore)
    assert list(worker._jobs) == [*map(named, jobs[1:])]


def test_a_worker_forgets_the_job_whose_chunks_came_longest_ago(watched):
    first, second, third = jobs = [Squares(2, data=bytes([n])) for n in range(3, 6)]
    for job in (first, second, first, third):
        run_job(job, WorkerOptions(watched, 1, 1), ignore)
    assert list(worker._jobs) == [*map(named, jobs[::2])]


def test_a_chunk_that_comes_back_twice_counts_once():
    sink = InMemory(2)
    for chunk in (0, 0):
        assert sink.keep(chunk, {})
    assert not sink.is_complete
    assert sink.summary.startswith("1 of 2 chunks were done")


def test_few_chunks_are_submitted_for_few_workers(watched):
    run_job(Squares(60, 0.01), WorkerOptions(watched, 1, 1), ignore)
    assert 8 <= watched.at_once <= 12


@pytest.mark.parametrize("asked", [1, 1000])
def test_workers_use_as_many_threads_as_asked_for_if_they_have_them(asked, watched, tmp_path):
    job = Squares(4, 0, str(tmp_path))
    run_job(job, WorkerOptions(watched, 1, asked), ignore)
    used = {threads for calls in job.calls() for _, threads in calls}
    assert used == {min(asked, available_threads())}


def test_a_worker_that_sees_the_folder_writes_and_sends_nothing(watched, tmp_path, monkeypatch):
    folder = folder_at(tmp_path)
    monkeypatch.setattr(folder, "write", None)  # the worker opens it itself
    work_into(folder, Squares(CHUNKS), WorkerOptions(watched, 1, 1), ignore)
    assert squares_of(map(folder.read, range(CHUNKS))) == in_order()


def test_arrays_of_a_worker_without_the_folder_are_sent(tmp_path):
    elsewhere = Watched(lambda order: order._replace(folder=(str(tmp_path / "no"), "id")))
    folder = folder_at(tmp_path / "folder")
    with elsewhere.pool:
        work_into(folder, Squares(CHUNKS), WorkerOptions(elsewhere, 1, 1), ignore)
    assert squares_of(map(folder.read, range(CHUNKS))) == in_order()
    assert not (tmp_path / "no").exists()


def test_a_worker_that_finds_another_folder_there_leaves_it_alone(tmp_path):
    other = Folder.create(tmp_path / "other", "cubes", {}, {}, {}, CHUNKS)

    def there(order):
        return order._replace(folder=order.folder and (str(other.path), order.folder[1]))

    folder, elsewhere = folder_at(tmp_path / "folder"), Watched(there)
    with elsewhere.pool:
        work_into(folder, Squares(CHUNKS), WorkerOptions(elsewhere, 1, 1), ignore)
    assert squares_of(map(folder.read, range(CHUNKS))) == in_order()
    assert not other.done().any()


def test_a_worker_that_writes_to_another_disk_is_found_out(tmp_path):
    """Its folder has the same path and result, but this process can't see its files."""
    other = folder_at(tmp_path / "other")

    def there(order):
        return order._replace(folder=order.folder and (str(other.path), other.manifest.id))

    folder, elsewhere = folder_at(tmp_path / "folder"), Watched(there)
    with elsewhere.pool:
        work_into(folder, Squares(CHUNKS), WorkerOptions(elsewhere, 1, 1), ignore)
    assert squares_of(map(folder.read, range(CHUNKS))) == in_order()
    assert other.done().sum() <= elsewhere.at_once


def test_a_corrupt_chunk_is_named_and_computed_again(worker_options, tmp_path):
    folder = folder_at(tmp_path)
    work_into(folder, Squares(CHUNKS), worker_options, ignore)
    whole = folder.digest()
    path = tmp_path / "parts" / "00000" / "00000004.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.warns(DamageWarning, match=f"^chunk 4 in {re.escape(str(tmp_path))} was corrupt"):
        work_into(folder, Squares(CHUNKS), worker_options, ignore)
    assert folder.digest() == whole


# A process that looks while half of the folder is gone finds chunks without a manifest.
@pytest.mark.filterwarnings("ignore:.*was corrupt or missing:fastgd.store.folder.DamageWarning")
def test_a_folder_that_is_removed_meanwhile_is_made_again(worker_options, tmp_path):
    folder, told = folder_at(tmp_path / "folder"), []

    def remove(done, _errors=None):
        told.append(done)
        if done and sum(told) == 100:
            shutil.rmtree(folder.path, ignore_errors=True)

    work_into(folder, Squares(CHUNKS, 0.01), worker_options, remove)
    assert squares_of(map(folder.read, range(CHUNKS))) == in_order()


def test_two_callers_share_the_chunks_of_a_folder(worker_options, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    job, told = Squares(CHUNKS, 0.02, str(log)), (Told(), Told())
    folders = [folder_at(tmp_path / "folder") for _ in told]
    with ThreadPoolExecutor(2) as callers:
        for call in [
            callers.submit(work_into, folder, job, worker_options, one)
            for folder, one in zip(folders, told, strict=True)
        ]:
            call.result()
    assert [len(calls) for calls in job.calls()] == [1] * CHUNKS
    assert [sum(one) for one in told] == [sum(job.sizes)] * 2
    assert Path(folders[0].path, "manifest.json").exists()


def test_of_an_executor_that_never_answers_the_caller_is_warned(monkeypatch):
    """As when the only worker waits for its own chunks, or a cluster has no worker yet."""
    monkeypatch.setattr(Workers, "patience", 0.2)
    with ThreadPoolExecutor(1) as pool:
        free = threading.Event()
        pool.submit(free.wait)
        threading.Timer(1.0, free.set).start()
        with pytest.warns(TrainingWarning, match=r"^no worker of executor has answered for 0.2 s"):
            found = run_job(Squares(CHUNKS), WorkerOptions(pool, 1, 1), ignore)
    assert squares_of(found) == in_order()


def test_a_chunk_in_hand_keeps_its_lease_and_is_reported_once(tmp_path):
    """Also if the folder is scanned between the writing of a worker and its answer."""
    folder, reported = folder_at(tmp_path, 2), []
    sink = InFolder(folder, reported.extend)
    assert [sink.take(), sink.take(), sink.take()] == [0, 1, None]
    sink._look()
    assert sink.take() is None
    assert sink._taken == {0, 1}
    folder.write(0, {"square": np.array(0)})
    sink._look()
    assert not reported
    assert sink.keep(0, None)
    assert sink._taken == {1}
    sink.keep(1, {"square": np.array(1)})
    assert sink.is_complete
    assert not reported


def test_no_answer_is_waited_for_once_all_chunks_are_there(tmp_path):
    """A worker has written its chunk, and its answer is lost."""
    folder, reported = folder_at(tmp_path, 2), []
    sink = InFolder(folder, reported.extend)
    assert [sink.take(), sink.take()] == [0, 1]
    assert sink.keep(0, {"square": np.array(0)})
    folder.write(1, {"square": np.array(1)})
    assert not sink.is_complete
    sink._look()
    assert sink.is_complete
    assert reported == [1]
    assert not sink._taken

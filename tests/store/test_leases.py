"""Leases on chunks: one owner at a time, and never a process that has ended."""

import os
import platform
import shutil
import subprocess
import sys

import pytest
from filling import fill, folder_at

from fastgd.store import files as leases
from fastgd.store.files import Leases

FOREIGN = "4711 98765 0123456789abcdef another-boot pid:[1] another-machine"


class Clock:
    """A clock that only the test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(leases, "monotonic", clock)
    return clock


@pytest.fixture
def ours(tmp_path):
    return Leases(tmp_path / "claims", expiry=15.0)


@pytest.fixture
def theirs(tmp_path):
    return Leases(tmp_path / "claims", expiry=15.0)


def foreign_lease(ours, chunk=3, text=FOREIGN):
    """A lease of a process on another machine; its file."""
    ours.path.mkdir(exist_ok=True)
    file = ours.path / f"{chunk:08}"
    file.write_text(text)
    return file


def test_a_chunk_is_leased_by_one_owner(ours, theirs):
    assert ours.acquire(3)
    assert not ours.acquire(3)
    assert not theirs.acquire(3)
    assert theirs.acquire(4)
    ours.release(3)
    assert theirs.acquire(3)
    assert sorted(os.listdir(ours.path)) == ["00000003", "00000004"]


def test_ctrl_c_while_a_lease_is_made_leaves_none(ours, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Leases, "_owner", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ours.acquire(3)
    assert os.listdir(ours.path) == []


def test_without_a_lease_nothing_is_released_or_renewed(ours, theirs):
    assert ours.acquire(3)
    file = ours.path / "00000003"
    os.utime(file, (1, 1))
    theirs.release(3)
    theirs.renew([3, 5])
    theirs.release(5)
    assert file.stat().st_mtime == 1
    ours.renew([3])
    assert file.stat().st_mtime > 1
    ours.release(3)
    ours.renew([3])
    assert os.listdir(ours.path) == []


def test_a_lease_of_another_machine_is_taken_over_when_it_expires(ours, clock):
    file = foreign_lease(ours)
    assert not ours.acquire(3)
    clock.now += 14.9
    assert not ours.acquire(3)
    clock.now += 0.2
    assert ours.acquire(3)
    assert file.read_text().endswith(platform.node())
    assert os.listdir(ours.path) == ["00000003"]


def test_a_lease_that_is_renewed_never_expires(ours, clock):
    file = foreign_lease(ours)
    for turn in range(10):
        assert not ours.acquire(3)
        clock.now += 14
        os.utime(file, (turn, turn))
    assert not ours.acquire(3)
    clock.now += 15
    assert ours.acquire(3)


@pytest.mark.parametrize("hours", [-30, 0, 30])
def test_clocks_that_differ_do_not_matter(ours, clock, hours):
    """The time of a lease is only compared with its time when it was last seen."""
    file = foreign_lease(ours)
    time = file.stat().st_mtime + 3600 * hours
    for _ in range(3):
        os.utime(file, (time, time))
        assert not ours.acquire(3)
        time -= 1
        clock.now += 14
    os.utime(file, (time, time))
    assert not ours.acquire(3)
    clock.now += 15
    assert ours.acquire(3)


def test_another_lease_in_the_place_of_one_is_a_new_one(ours, clock):
    file = foreign_lease(ours)
    assert not ours.acquire(3)
    clock.now += 14
    stat = file.stat()
    file.write_text(FOREIGN.replace("4711", "4712"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not ours.acquire(3)
    clock.now += 14
    assert not ours.acquire(3)
    clock.now += 1
    assert ours.acquire(3)


@pytest.mark.parametrize(
    "text",
    ["", "x", "4711", "x y z u", f"{2**80} 1 x {leases._machine()}", f"-1 1 x {leases._machine()}"],
    ids=["empty", "word", "number", "words", "huge", "negative"],
)
def test_a_lease_that_is_not_whole_expires_like_any(ours, clock, text):
    """Its owner may be about to write it, or may have been killed before."""
    foreign_lease(ours, text=text)
    assert not ours.acquire(3)
    clock.now += 15
    assert ours.acquire(3)


def test_a_lease_that_is_no_text_expires_like_any(ours, clock):
    foreign_lease(ours).write_bytes(b"\xff\xfe\x00")
    assert not ours.acquire(3)
    clock.now += 15
    assert ours.acquire(3)


def test_an_owner_whose_lease_was_taken_over_notices(ours, theirs, clock):
    """As when a machine sleeps, and others have taken over its leases when it wakes up."""
    assert ours.acquire(3)
    assert not theirs.acquire(3)
    clock.now += 15
    assert theirs.acquire(3)
    ours.renew([3])
    ours.release(3)
    assert os.listdir(ours.path) == ["00000003"]
    theirs.release(3)
    assert os.listdir(ours.path) == []


def test_of_two_that_take_a_lease_over_the_second_gives_way(ours, theirs, clock):
    foreign_lease(ours)
    assert not ours.acquire(3)
    assert not theirs.acquire(3)
    clock.now += 15
    assert ours.acquire(3)
    assert not theirs._take_over(theirs.path / "00000003", 3)
    assert not theirs.acquire(3)


@pytest.mark.parametrize("function", ["_make", "_is_over", "_take_over"])
def test_leases_that_another_process_removes_at_the_end(ours, clock, monkeypatch, function):
    """At any moment, together with their folder: then no lease exists."""
    foreign_lease(ours)
    assert not ours.acquire(3)
    clock.now += 15
    done = getattr(ours, function)
    removals = iter([ours.path])

    def remove_and_do(*arguments):
        for path in removals:
            shutil.rmtree(path)
        return done(*arguments)

    monkeypatch.setattr(ours, function, remove_and_do)
    assert ours.acquire(3) or ours.acquire(3)
    assert os.listdir(ours.path) == ["00000003"]


linux = pytest.mark.skipif(leases._birth(os.getpid()) == "", reason="no /proc to ask")


@pytest.fixture
def sleeper():
    """Another process of this machine, which acquires a lease."""
    code = (
        "import pathlib, sys\n"
        "from fastgd.store.files import Leases\n"
        "leases = Leases(pathlib.Path(input()))\n"
        "print(leases.acquire(3), flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@linux
def test_a_lease_of_a_process_that_was_killed_is_taken_over_at_once(ours, clock, sleeper):
    print(ours.path, file=sleeper.stdin, flush=True)
    assert sleeper.stdout.readline() == "True\n"
    assert not ours.acquire(3)
    clock.now += 14
    assert not ours.acquire(3)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # a zombie doesn't work any more
    assert leases._birth(sleeper.pid) == "ended"
    assert ours.acquire(3)
    ours.release(3)
    sleeper.wait()
    assert leases._birth(sleeper.pid) == ""


@linux
def test_a_process_number_that_is_used_again_is_another_process(ours):
    assert ours.acquire(3)
    file = ours.path / "00000003"
    pid, birth, rest = file.read_text().split(" ", 2)
    assert (pid, birth) == (str(os.getpid()), leases._birth(os.getpid()))
    file.write_text(f"{pid} {int(birth) - 1} {rest}")
    assert ours.acquire(3)


@linux
def test_a_process_that_was_reaped_is_gone(ours, caplog):
    caplog.set_level("INFO", "fastgd")
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    foreign_lease(ours, text=f"{process.pid} 1 x {leases._machine()}")
    assert ours.acquire(3)
    assert caplog.messages == [f"lease taken over: {ours.path / '00000003'}"]


@linux
def test_a_process_that_only_does_not_show_is_not_gone(ours, clock, monkeypatch):
    """Some machines hide the processes of other users."""
    foreign_lease(ours, text=f"{os.getpid()} 1 x {leases._machine()}")
    monkeypatch.setattr(leases, "_birth", lambda _: "")
    assert not ours.acquire(3)
    clock.now += 15
    assert ours.acquire(3)


def test_where_nothing_is_known_of_processes_leases_expire(ours, theirs, clock, monkeypatch):
    """As on macOS, and on Windows, where os.kill would end the process."""
    monkeypatch.setattr(leases, "_birth", lambda _: "")
    monkeypatch.delattr(os, "kill")
    foreign_lease(ours, text=f"{2**22 + 1}  x {leases._machine()}")
    assert not ours.acquire(3)
    clock.now += 15
    assert ours.acquire(3)
    assert not theirs.acquire(3)


def test_leases_of_another_start_of_this_machine_expire(ours, clock):
    boot, rest = leases._machine().split(" ", 1)
    foreign_lease(ours, text=f"4711 1 x {boot}0 {rest}")
    assert not ours.acquire(3)
    clock.now += 15
    assert ours.acquire(3)


def test_a_chunk_that_is_done_is_not_leased(tmp_path, monkeypatch):
    folder = folder_at(tmp_path)
    fill(folder)
    assert not folder.acquire(1)
    answers = iter([False, True])  # another process finishes it meanwhile
    monkeypatch.setattr(type(folder), "has", lambda *_: next(answers))
    assert not folder.acquire(1)
    assert os.listdir(tmp_path / "claims") == []

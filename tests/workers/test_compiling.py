"""Which process compiles the code of several calls; the last tests use real kernels."""

import json
import os
import subprocess
import sys
from collections import Counter
from functools import partial

import pytest
from short_calls import interrupt_beside, maker_of, pretend, pretend_beside, pretend_here

from fastgd.workers import compiling
from fastgd.workers.compiling import compile_all


@pytest.fixture
def processes(monkeypatch):
    """Two processors; the helpers that were started."""
    started = []
    start = compiling._start

    def watched():
        started.append(start())
        return started[-1]

    monkeypatch.setattr(compiling, "available_threads", lambda: 2)
    monkeypatch.setattr(compiling, "_start", watched)
    return started


def are_gone(processes):
    return all(process.returncode is not None for process in processes)


def made_here(folder):
    """How often this process has made each call."""
    path = folder / f"made-by-{os.getpid()}"
    return Counter(path.read_text().split() if path.exists() else ())


def test_a_helper_takes_calls_and_all_are_made_here_in_the_end(tmp_path, processes):
    told = []
    first, *others = "abcd"
    calls = [
        partial(pretend_beside, tmp_path, first),
        *(partial(pretend, tmp_path, name) for name in others),
    ]
    assert compile_all(calls, told.append) == 4
    assert len(maker_of(tmp_path)) == 2
    assert len(processes) == 1
    assert are_gone(processes)
    assert sum(told) == 4
    made = made_here(tmp_path)
    assert set(made) == set("abcd")
    assert all(count == 2 for count in made.values())  # once in vain


def test_what_is_there_is_made_once_and_needs_nobody(tmp_path, processes):
    for i in range(6):
        pretend(tmp_path, str(i))
    assert compile_all([partial(pretend, tmp_path, str(i)) for i in range(6)]) == 0
    assert not processes
    assert set(made_here(tmp_path).values()) == {2}


def test_what_several_need_is_compiled_once(tmp_path, processes):
    calls = [partial(pretend, tmp_path, name) for name in "aabbaabb"]
    assert compile_all(calls) == 2
    assert not processes  # two are too few


@pytest.mark.parametrize("how", ["dies", "raises"])
def test_what_a_helper_fails_at_is_done_here(tmp_path, processes, how):
    calls = [partial(pretend_here, tmp_path, str(i), os.getpid(), how) for i in range(5)]
    assert compile_all(calls) == 5
    assert {str(i) for i in range(5)} <= set(made_here(tmp_path))
    assert are_gone(processes)


def test_what_can_not_be_sent_is_done_here(tmp_path, processes):
    calls = [lambda name=name: pretend(tmp_path, name) for name in "abcd"]
    assert compile_all(calls) == 4
    assert maker_of(tmp_path) == {os.getpid()}
    assert are_gone(processes)


def test_ctrl_c_ends_the_helpers(tmp_path, processes):
    calls = [partial(pretend, tmp_path, name) for name in "bcd"]
    with pytest.raises(KeyboardInterrupt):
        compile_all([partial(interrupt_beside, tmp_path, "a"), *calls])
    assert processes
    assert are_gone(processes)


def test_an_error_is_the_call_s_own(processes):
    def broken():
        raise ValueError("alpha must be above 0")

    with pytest.raises(ValueError, match="alpha must be above 0"):
        compile_all([broken] * 4)
    assert not processes


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("available_threads", lambda: 1),
        ("parent_process", lambda: "a pool's"),
        ("_is_helper", True),
        ("sys", type("host", (), {"executable": "/usr/bin/host", "path": sys.path})),
        ("sys", type("host", (), {"executable": None, "path": sys.path})),
    ],
)
def test_where_helpers_are_of_no_use_there_are_none(tmp_path, processes, monkeypatch, name, found):
    monkeypatch.setattr(compiling, name, found)
    assert compile_all([partial(pretend, tmp_path, name) for name in "abcdef"]) == 6
    assert not processes
    assert maker_of(tmp_path) == {os.getpid()}


def test_without_a_folder_for_code_there_are_none(tmp_path, processes, monkeypatch):
    monkeypatch.setattr(compiling, "code_place", lambda: None)
    assert compile_all([partial(pretend, tmp_path, name) for name in "abcdef"]) == 6
    assert not processes


def test_a_system_without_more_processes_does_without(tmp_path, monkeypatch):
    def refused():
        raise BlockingIOError

    monkeypatch.setattr(compiling, "available_threads", lambda: 2)
    monkeypatch.setattr(compiling, "_start", refused)
    assert compile_all([partial(pretend, tmp_path, name) for name in "abcdef"]) == 6
    assert maker_of(tmp_path) == {os.getpid()}


ROLLS = """
import json, os
from functools import partial
from fastgd import bucket
from fastgd.workers import compiling

print("read")
begun, start = [], compiling._start
compiling.available_threads = lambda: 2
compiling._start = lambda: begun.append(start()) or begun[-1]
bucket.roll("x**2", 1.0, alpha=0.1)
names = "sin", "cos", "tanh", "exp"
count = compiling.compile_all(partial(bucket.roll, f"{name}(x)", 1.0, alpha=0.1) for name in names)
print(json.dumps([count, len(begun), all(process.returncode is not None for process in begun)]))
"""


@pytest.mark.slow
def test_a_script_without_a_main_guard_compiles_kernels(tmp_path):
    """The script runs once, and the next process finds all code."""
    script = tmp_path / "script.py"
    script.write_text(ROLLS)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for expected in ([4, 1, True], [0, 0, True]):
        done = subprocess.run(
            [sys.executable, script], env=environment, capture_output=True, text=True, check=True
        )
        read, answer = done.stdout.splitlines()
        assert read == "read"
        assert json.loads(answer) == expected
        assert done.stderr == ""
    assert not list((tmp_path / "cache").rglob("*.tmp"))

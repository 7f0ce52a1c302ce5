import os
import subprocess
import sys
import threading
import time

import pytest
from llvmlite.binding.ffi import lib
from numba.core.compiler_lock import global_compiler_lock

from fastgd.engine.layout import Layout
from fastgd.kernel.fork_lock import ForkSafeLock
from fastgd.workers import tasks as worker
from thinning import only

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

CHILDREN = 10

# A thread works without a pause; children made meanwhile must do the same work and end.
PROGRAM = """
import os, threading, time
import numpy as np
import fastgd

random = np.random.RandomState(1)
X, y = random.random_sample((600, 3)), random.random_sample((600, 1))
f = fastgd.objective(X, y, hidden_size=8)
start = f.start(1)

def objective():
    return f(start)[1].tobytes()

def sweep():
    return fastgd.sweep(X[:4], y[:4], seed=range(40), iterations=200, threads=2).errors.tobytes()

work = {work}
expected = work()
over = threading.Event()

def busy():
    while not over.is_set():
        work()

thread = threading.Thread(target=busy)
thread.start()
children = []
for _ in range({children}):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        os._exit(0 if work() == expected else 3)
    children.append(child)
codes, deadline = {{}}, time.monotonic() + 30
while len(codes) < len(children) and time.monotonic() < deadline:
    for child in set(children) - set(codes):
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            codes[child] = code
    time.sleep(0.01)
over.set()
thread.join()
for child in set(children) - set(codes):
    os.kill(child, 9)
    os.waitpid(child, 0)
print(sorted(codes.values()))
"""


@pytest.mark.parametrize("work", only(["objective", "sweep"], "sweep"))
def test_children_of_a_busy_process_return(work):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c",
         PROGRAM.format(work=work, children=CHILDREN)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == f"{[0] * CHILDREN}\n", done.stderr


def in_a_child(work):
    """The exit code of a child that does this."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def is_free(lock):
    """Whether another thread can get in, soon."""
    inside = threading.Event()

    def enter():
        with lock:
            inside.set()

    threading.Thread(target=enter, daemon=True).start()
    return inside.wait(0.5)


def test_a_lock_lets_one_in_at_a_time():
    lock = ForkSafeLock()
    with lock:
        assert not is_free(lock)
    assert is_free(lock)


# From Python 3.12 on; threads that other tests have started are none of this one's.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_who_forks_inside_comes_out_on_both_sides():
    lock = ForkSafeLock()

    def work():
        lock.__exit__()
        return 0 if is_free(lock) else 3

    with lock:
        assert in_a_child(work) == 0
        assert not is_free(lock)
    assert is_free(lock)


LOCKS = {
    "Numba's": (global_compiler_lock, global_compiler_lock._lock),
    "llvmlite's": (lib._lock, lib._lock._lock),
    "of jobs": (worker._lock, worker._lock),
}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("whose", LOCKS)
def test_a_fork_waits_for_who_compiles_or_receives(whose):
    """A child that was forked meanwhile waited for the lock forever when it trained."""
    held, (context, lock) = threading.Event(), LOCKS[whose]

    def hold():
        with context:
            held.set()
            time.sleep(0.1)

    def work():
        return 0 if lock.acquire(timeout=1) else 3

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert in_a_child(work) == 0
    thread.join()
    with context:  # which fails if this thread still has it
        pass
    assert is_free(context)


@pytest.mark.slow
def test_what_numpy_imports_late_is_there_before_a_first_training_asks_for_it():
    """A child that was forked meanwhile waited for the module forever."""
    code = "import sys, fastgd; fastgd.train; print('numpy.ma' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_lock_goes_with_its_owner():
    from fastgd.kernel import fork_lock

    lock = ForkSafeLock()
    assert lock in fork_lock._all
    before = len(fork_lock._all)
    del lock
    assert len(fork_lock._all) == before - 1


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="cached properties have no locks any more")
def test_no_fork_leaves_a_cached_property_locked():
    """A child that another thread's property was locked for hung when it trained."""
    lock = vars(Layout)["table"].lock
    held, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert not lock.acquire(blocking=False)
        assert (
            in_a_child(lambda: 0 if vars(Layout)["table"].lock.acquire(blocking=False) else 3) == 0
        )
    finally:
        done.set()
        thread.join()

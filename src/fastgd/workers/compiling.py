"""Code that several calls need is compiled by several processes at once, into the cache on disk.

Numba compiles one function after the other, however many threads ask. So calls that are there to
compile are shared out: this process makes some of them, helpers make others, and at the end this
process loads what these have written. A helper is a fresh interpreter that reads calls from a pipe.
It inherits no threads and no locks, and it doesn't read the caller's script, which needs no main
guard. It ends with the pipe, if its caller dies without a word, after the call in hand.

A helper takes a second to start (1.0 s of CPU) and a kernel 1.3 to 1.7 s to compile: two kernels
are compiled here one after the other, as a helper would gain 0.3 s of 2.7 and cost a second of
another processor.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from fastgd.engine import code_cache
from fastgd.engine.session import available_threads

Call = Callable[[], object]
"""A short training, or the like, that compiles what a long one needs. A ``functools.partial`` of a
module's function goes to a helper; what can't be pickled is called here."""

EACH = 2
"""Calls for each process: for fewer, another one does not pay."""

MOST = 8
"""Processes at most: each takes some 200 MB."""

_ANSWER = b"."

_START = """
import sys
sys.path[:] = {path!r}
from fastgd.workers.compiling import help_out
help_out()
"""


def compile_all(calls: Iterable[Call], advance: Callable[[int], None] | None = None) -> int:
    """Make all these calls in this process, with help by others where they lack code.

    Without helpers (few calls, a single processor, no folder for code, a worker of a pool) they are
    made one after the other. ``advance`` is told of each that needs nothing more than to be loaded.

    Returns
    -------
    int
        How many of them have compiled something.

    Raises
    ------
    Exception
        Whatever a call raises.
    """
    told = advance or (lambda _done: None)
    waiting, count = list(calls), 0
    while waiting:
        lacking: dict[str, Call] = {}
        again = []
        for call in waiting:
            name = _lacked_by(call)
            if not name:
                told(1)
            elif name in lacking:  # the first of them compiles it for all
                again.append(call)
            else:
                lacking[name] = call
        count += len(lacking)
        _share_out(list(lacking.values()), told)
        waiting = again
    return count


def _lacked_by(call: Call) -> str:
    """Make a call if all its code is there; else a name for what is lacking first."""
    try:
        with code_cache.asking():
            call()
    except code_cache.CodeLackingError as lacking:
        return lacking.name
    return ""


class _Calls:
    """Calls that nobody has made, and those that helpers have taken."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self._left = deque(calls)
        self._lock = Lock()
        self.taken: list[Call] = []
        self.over: SimpleQueue[None] = SimpleQueue()  # one for each taken call that is over

    def take(self, *, helps: bool = False) -> Call | None:
        """One that nobody has made, if there is one."""
        with self._lock:
            if not self._left:
                return None
            call = self._left.popleft()
            if helps:
                self.taken.append(call)
            return call


def _share_out(given: Sequence[Call], told: Callable[[int], None]) -> None:
    calls = _Calls(given)
    with _helpers(_useful(len(given)), calls):
        while call := calls.take():
            call()
            told(1)
        for _ in calls.taken:
            calls.over.get()
            told(1)
    # What helpers have compiled is loaded; what they could not, or not for this process, compiled.
    for call in calls.taken:
        call()


def _useful(calls: int) -> int:
    """Helpers for so many calls."""
    is_python = Path(sys.executable or "").name.lower().startswith("python")
    # A worker of a pool has others beside it. Where no code can be kept, helpers work in vain.
    if calls <= EACH or not is_python or _is_helper or parent_process() or not code_cache.place():
        return 0
    return min(available_threads(), MOST, -(-calls // EACH)) - 1


@contextmanager
def _helpers(count: int, calls: _Calls) -> Iterator[None]:
    """Let so many processes take calls; whatever happens, they are gone in the end."""
    processes: list[subprocess.Popen[bytes]] = []
    threads: list[Thread] = []
    try:
        for _ in range(count):
            with suppress(OSError):  # no more processes: then without
                processes.append(_start())
                threads.append(Thread(target=_feed, args=(processes[-1], calls), daemon=True))
                threads[-1].start()
        yield
    finally:
        for process in processes:
            process.kill()
        for thread in threads:
            thread.join()
        for process in processes:
            with suppress(OSError), process:
                pass


def _start() -> "subprocess.Popen[bytes]":
    code = _START.format(path=[str(Path(folder).absolute()) for folder in sys.path])
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    )


def _feed(process: "subprocess.Popen[bytes]", calls: _Calls) -> None:
    """Give a helper one call after the other, as long as it answers."""
    assert process.stdin is not None
    assert process.stdout is not None
    answer = process.stdout.read(1)
    while answer and (call := calls.take(helps=True)):
        answer = b""
        with suppress(Exception):  # it has died, or this call can't be pickled
            packed = pickle.dumps(call)
            process.stdin.write(len(packed).to_bytes(8, "little") + packed)
            process.stdin.flush()
            answer = process.stdout.read(1)
        calls.over.put(None)


_is_helper = False


def help_out() -> None:
    """Make the calls that come through stdin, and say so on stdout: what a helper does."""
    global _is_helper
    _is_helper = True
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    calls = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a call prints is nobody's business
    answers.write(_ANSWER)
    while size := calls.read(8):
        packed = calls.read(int.from_bytes(size, "little"))
        with suppress(Exception):  # who has given it calls it, too
            call: Any = pickle.loads(packed)
            call()
        answers.write(_ANSWER)

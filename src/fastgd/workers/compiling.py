"""Parallel compilation: several processes compile code into the cache on disk.

Numba compiles one function after the other, whatever the number of threads. So calls that serve to
compile code are distributed: this process makes some of them and helper processes make others, and
at the end this process loads the code that the helpers have written. A helper is a fresh
interpreter that reads calls from a pipe. It inherits no threads and no locks, and it doesn't import
the caller's script, which so needs no main guard. If its caller dies, the pipe closes, and the
helper ends after its current call.

A helper takes a second to start (1.0 s of CPU) and a kernel 1.3 to 1.7 s to compile. Two kernels
are compiled in this process one after the other, as a helper would save 0.3 s of 2.7 and cost a
second of another processor.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from fastgd.engine.devices import CodeLackingError, asking, available_threads
from fastgd.engine.devices import place as code_place
from fastgd.engine.progress import Advance, unreported

ShortCall = Callable[[], object]
"""A short training, for example, that compiles the code of a long one. A ``functools.partial`` of a
module's function can be sent to a helper; a call that can't be pickled is made in this process."""

EACH = 2
"""Calls per process: with fewer, a further process isn't worth its start."""

MOST = 8
"""Maximum number of processes: each takes about 200 MB."""

_ANSWER = b"."

_START = """
import sys
sys.path[:] = {path!r}
from fastgd.workers.compiling import help_out
help_out()
"""


def compile_all(calls: Iterable[ShortCall], advance: Advance = unreported) -> int:
    """Make all calls in this process, after helpers have compiled some of the missing code.

    Without helpers (few calls, a single processor, no cache folder, a worker of a pool) the calls
    are made one after the other. ``advance`` is called for each call whose code is compiled.

    Returns
    -------
    int
        How many of the calls had to compile code.
    """
    waiting, count = list(calls), 0
    while waiting:
        missing: dict[str, ShortCall] = {}
        again = []
        for call in waiting:
            try:
                with asking():
                    call()
                advance(1)
            except CodeLackingError as error:
                if error.name in missing:  # the first of them compiles it for all
                    again.append(call)
                else:
                    missing[error.name] = call
        count += len(missing)
        _share_out(list(missing.values()), advance)
        waiting = again
    return count


def _share_out(given: Sequence[ShortCall], advance: Advance) -> None:
    left, over = iter(given), SimpleQueue[ShortCall]()
    here = 0
    is_python = Path(sys.executable or "").name.lower().startswith("python")
    helpers = min(available_threads(), MOST, -(-len(given) // EACH)) - 1
    # A worker of a pool shares the processors with others. Without a cache, helpers are useless.
    if len(given) <= EACH or not is_python or _is_helper or parent_process() or not code_place():
        helpers = 0
    with _helpers(helpers, left, over):
        while call := next(left, None):
            call()
            advance(1)
            here += 1
        there: list[ShortCall] = []
        while here + len(there) < len(given):
            there.append(over.get())
            advance(1)
    # Loads what helpers have compiled, and compiles what they couldn't compile for this process.
    for call in there:
        call()


@contextmanager
def _helpers(
    count: int, left: Iterator[ShortCall], over: "SimpleQueue[ShortCall]"
) -> Iterator[None]:
    """Run this number of helper processes, which take calls; they are always stopped at the end."""
    processes: list[subprocess.Popen[bytes]] = []
    threads: list[Thread] = []
    try:
        for _ in range(count):
            with suppress(OSError):  # no more processes allowed: continue with fewer helpers
                processes.append(_start())
                given = processes[-1], left, over
                threads.append(Thread(target=_feed, args=given, daemon=True))
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


def _feed(
    process: "subprocess.Popen[bytes]", left: Iterator[ShortCall], over: "SimpleQueue[ShortCall]"
) -> None:
    """Send one call after the other to a helper, as long as it answers."""
    assert process.stdin is not None
    assert process.stdout is not None
    answer = process.stdout.read(1)
    while answer and (call := next(left, None)):
        answer = b""
        with suppress(Exception):  # it has died, or this call can't be pickled
            packed = pickle.dumps(call)
            process.stdin.write(len(packed).to_bytes(8, "little") + packed)
            process.stdin.flush()
            answer = process.stdout.read(1)
        over.put(call)


_is_helper = False


def help_out() -> None:
    """Run a helper: make the calls that arrive on stdin, and acknowledge each on stdout."""
    global _is_helper
    _is_helper = True
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    calls = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a call prints must not get among the acknowledgments
    answers.write(_ANSWER)
    while size := calls.read(8):
        packed = calls.read(int.from_bytes(size, "little"))
        with suppress(Exception):  # the caller makes the same call, and sees its errors
            call: Any = pickle.loads(packed)
            call()
        answers.write(_ANSWER)

"""Tune how many threads share the work of an update: all of them or one, by timing.

Threads that share an update wait for each other twice in it. On a machine that is busy with other
work, each wait may last as long as the other processes' time slices: with two more processes on two
cores, an update of 64-64-10 with 256 samples took 15 ms on two threads and 0.3 ms on one. So both
ways are tried from time to time, briefly. The choice never changes a bit of the results.
"""

from math import inf

TRIAL_SECONDS = 2e-3
"""Approximate length of a trial, measured by the time of one thread."""

FIRST_SECONDS = 1.0
"""Time from a trial to the next one ..."""

LAST_SECONDS = 32.0
"""... which doubles, up to this, as long as the same way stays the faster one."""


class ThreadTuning:
    """Chooses the number of threads of the next call.

    Parameters
    ----------
    threads : int
        Available threads.
    seconds : float
        Estimated time of one iteration on one thread.

    Examples
    --------
    >>> pace = ThreadTuning(2, seconds=1e-4)
    >>> for _ in range(4):  # the first call of each way may have to compile
    ...     threads, most = pace.next()
    ...     print(threads, most)
    ...     pace.took(threads, most, 1e-4 * most / threads)
    2 1
    2 20
    1 1
    1 20
    >>> pace.next()
    (2, None)
    """

    def __init__(self, threads: int, seconds: float) -> None:
        self._threads = threads
        length = max(1, int(TRIAL_SECONDS / seconds))
        self._trials = [(1, length), (1, 1), (threads, length), (threads, 1)]
        self._speeds = {1: 0.0, threads: inf}
        self._best = threads
        self._wait, self._due = FIRST_SECONDS, FIRST_SECONDS
        if threads == 1:
            self._trials, self._due = [], inf

    def next(self) -> tuple[int, int | None]:
        """Threads of the next call, and the most iterations that it may have if it is a trial."""
        if not self._trials and self._due <= 0.0:
            self._due = self._wait
            other = 1 if self._best > 1 else self._threads
            length = max(1, int(TRIAL_SECONDS * self._speeds[1]))
            self._trials = [(other, length)]
        return self._trials[-1] if self._trials else (self._best, None)

    def took(self, threads: int, iterations: int, seconds: float) -> None:
        """Register the time that a call took."""
        self._speeds[threads] = iterations / max(seconds, 1e-9)
        self._due -= seconds
        if self._trials:
            self._trials.pop()
        if not self._trials:
            best = max(self._speeds, key=lambda way: self._speeds[way])
            self._wait = FIRST_SECONDS if best != self._best else min(2 * self._wait, LAST_SECONDS)
            self._best = best

"""Progress and cancellation of long computations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import nan
from threading import Event, Lock, get_ident
from time import monotonic
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastgd.checks.messages import shown

EVERY = 0.2
"""Fewest seconds between two events."""

_stop: ContextVar[Event | None] = ContextVar("_stop", default=None)


class StoppedError(Exception):
    """The computation was canceled: nobody waits for its result any more."""


class Progress(NamedTuple):
    """What a function given as ``progress`` is called with: how far the work of a call is.

    It is called in the thread of the call: first before the work, then up to five times a second,
    and last when all is kept. If it returns False before that, the call raises KeyboardInterrupt;
    if it raises, that. As after Ctrl-C, the same call resumes from its folder or checkpoint.

    Attributes
    ----------
    done, total : int
        Updates of all networks, points, pixels, ...: done, now or by an earlier call, and of all.
        What is in a folder counts from the second event.
    best_error : float
        The smallest error recorded so far; NaN if there is none, as in maps. Those of GPUs and
        executors come in chunks, those of a resumed result at the end.
    elapsed : float
        Seconds since the start.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> events = []
    >>> sweep = fastgd.sweep(X, y, alpha=[1, 10], iterations=500, progress=events.append)
    >>> events[0].done, events[-1].done, events[-1].total
    (0, 1000, 1000)
    >>> events[-1].best_error == float(sweep.final_error.min())
    True
    """

    done: int
    total: int
    best_error: float
    elapsed: float


ProgressHook = Callable[[Progress], object]

Advance = Callable[..., None]
"""Takes the amount of work since its last call, in any thread, and maybe a function that returns
an array of its errors. In the thread of the public call it may raise, to stop the work: there 0 is
reported meanwhile.
"""


def check_progress(value: object) -> bool | ProgressHook:
    """Return value if it is True, False or a function that takes events."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"progress must be True, False or a function, got {shown(value)}")
    return value


def unreported(_done: int, _errors: object = None, /) -> None:
    """Only stop if that is asked for; processes that help to compile are sent this function."""
    if (stop := _stop.get()) is not None and stop.is_set():
        raise StoppedError


@contextmanager
def stopped_by(event: Event) -> Iterator[None]:
    """Make work in this thread raise :class:`StoppedError` soon after the event is set."""
    token = _stop.set(event)
    try:
        yield
    finally:
        _stop.reset(token)


@contextmanager
def reporting(
    progress: bool | ProgressHook,
    total: int,
    unit: str = "it",
    done: int = 0,
    errors: ArrayLike = (),
) -> Iterator[Advance]:
    """Yield a function to call with the amount of work done since its last call.

    ``done`` is how much of the total had been done before, with these ``errors``: it counts, but
    not for the speed.

    Raises
    ------
    ImportError
        If a bar is to be shown and tqdm is not installed (``pip install tqdm``).
    """
    if progress is False:
        yield unreported
    elif progress is True:
        try:
            from tqdm import tqdm
        except ImportError as error:
            raise ImportError("progress=True needs tqdm: pip install tqdm") from error
        with (
            tqdm(total=total, initial=done, unit=unit, unit_scale=True) as bar,
            reporting(lambda event: bar.update(event.done - bar.n), total, done=done) as advance,
        ):
            yield lambda done, _errors=None: advance(done)
    else:
        reporter = _Reporter(progress, total, done, errors)
        yield reporter
        if reporter.told != reporter.done:
            reporter.tell()


class _Reporter:
    """Adds up what all threads report, and calls the hook in the thread that made it."""

    def __init__(self, hook: ProgressHook, total: int, done: int, errors: ArrayLike) -> None:
        self._hook, self._total, self.done = hook, total, done
        self._best = float(np.fmin.reduce(errors, axis=None, initial=nan))
        self._lock, self._thread, self._start = Lock(), get_ident(), monotonic()
        self.tell()

    def __call__(self, done: int, errors: Callable[[], ArrayLike] | None = None, /) -> None:
        with self._lock:
            self.done = min(self.done + done, self._total)  # a chunk may be computed twice
            if errors is not None:
                self._best = float(np.fmin.reduce(errors(), axis=None, initial=self._best))
        is_due = monotonic() >= self._due and self.done < self._total  # the last comes later
        if is_due and get_ident() == self._thread:
            self.tell()

    def tell(self) -> None:
        """Call the hook, which may stop all work that is left."""
        self.told, elapsed = self.done, monotonic() - self._start
        answer = self._hook(Progress(self.told, self._total, self._best, elapsed))
        self._due = monotonic() + EVERY
        is_no = isinstance(answer, (bool, np.bool_)) and not answer
        if is_no and self.told < self._total:
            raise KeyboardInterrupt("progress returned False")

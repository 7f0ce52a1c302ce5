"""Progress and cancellation of long computations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_stop: ContextVar[Event | None] = ContextVar("_stop", default=None)


class StoppedError(Exception):
    """The computation was canceled: nobody waits for its result any more."""


@contextmanager
def stopped_by(event: Event) -> Iterator[None]:
    """Make work in this thread raise :class:`StoppedError` soon after the event is set."""
    token = _stop.set(event)
    try:
        yield
    finally:
        _stop.reset(token)


@contextmanager
def progress_bar(
    shown: bool, total: int, unit: str = "it", done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the amount of work done since its last call.

    ``done`` is how much of the total had been done before: it counts, but not for the speed.

    Raises
    ------
    ImportError
        If a bar is to be shown and tqdm is not installed (``pip install tqdm``).
    """
    if not shown:
        stop = _stop.get()
        yield _unshown if stop is None else lambda done: _unshown(done, stop)
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from error
    with tqdm(total=total, initial=done, unit=unit, unit_scale=True) as bar:
        yield bar.update


def _unshown(_done: int, stop: Event | None = None) -> None:
    if stop is not None and stop.is_set():
        raise StoppedError

"""Of work that is done in parts: how far it is, and that it is to stop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_stop: ContextVar[Event | None] = ContextVar("_stop", default=None)


class StoppedError(Exception):
    """Nobody waits any more for what was computed."""


@contextmanager
def stopped_by(event: Event) -> Iterator[None]:
    """Let work in this thread end with :class:`StoppedError` once the event is set."""
    token = _stop.set(event)
    try:
        yield
    finally:
        _stop.reset(token)


@contextmanager
def progress_bar(
    shown: bool, total: int, unit: str = "it", done: int = 0
) -> Iterator[Callable[[int], None]]:
    """Hand out what to call with the size of each part that is done.

    So much of the total may have been ``done`` before: it counts, but not for the speed.

    Raises
    ------
    ImportError
        If a bar is to be shown and tqdm is not installed (``pip install "fastgd[cli]"``).
    """
    if not shown:
        stop = _stop.get()
        yield _unshown if stop is None else lambda done: _unshown(done, stop)
        return
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError('progress=True needs tqdm: pip install "fastgd[cli]"') from error
    with tqdm(total=total, initial=done, unit=unit, unit_scale=True) as bar:
        yield bar.update


def _unshown(_done: int, stop: Event | None = None) -> None:
    if stop is not None and stop.is_set():
        raise StoppedError

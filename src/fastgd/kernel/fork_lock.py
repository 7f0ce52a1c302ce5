"""A lock that is never left held in a forked process."""

import os
import sys
import threading
from functools import cached_property
from weakref import WeakSet

# Otherwise NumPy imports it during the first kernel call, ours or Numba's, and a child forked
# meanwhile would wait for the module forever.
import numpy.ma  # noqa: F401


class ForkSafeLock:
    """A lock that is free in a forked child, even if it was held in the parent.

    At a fork another thread may hold the lock, and that thread does not exist in the child, so a
    plain lock would never be released there.

    Examples
    --------
    >>> lock = ForkSafeLock()
    >>> with lock:
    ...     print("alone")
    alone
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _all.add(self)

    def __enter__(self) -> None:
        """Acquire the lock."""
        lock = self._lock
        lock.acquire()
        self._held = lock

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        # Not self._lock, which has been replaced if this thread forked while holding it.
        self._held.release()


_all: WeakSet[ForkSafeLock] = WeakSet()


def _renew_all() -> None:
    for lock in _all:
        lock._lock = threading.Lock()
    # Python 3.11 holds the locks of cached properties during a computation: those of ours, too.
    for name, module in list(sys.modules.items()) if sys.version_info < (3, 12) else ():
        if name.partition(".")[0] == "fastgd":
            for kind in list(vars(module).values()):
                for member in list(vars(kind).values()) if isinstance(kind, type) else ():
                    if isinstance(member, cached_property):
                        vars(member)["lock"] = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_renew_all)

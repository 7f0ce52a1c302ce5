"""A lock that no fork leaves held."""

import os
import sys
import threading
from functools import cached_property
from weakref import WeakSet

# Else NumPy imports it in the first call, ours or Numba's, and a child that is forked meanwhile
# waits for the module forever.
import numpy.ma  # noqa: F401


class ForkSafeLock:
    """A lock that is free in a forked child, whoever held it in the parent.

    At a fork another thread may be inside, and that thread is not in the child: who waits there for
    an ordinary lock waits for ever.

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
        """Wait until nobody else is inside."""
        lock = self._lock
        lock.acquire()
        self._held = lock

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        # Not self._lock, which is another one if this very thread has forked inside.
        self._held.release()

    def _renew(self) -> None:
        self._lock = threading.Lock()


_all: WeakSet[ForkSafeLock] = WeakSet()


def _renew_all() -> None:
    for lock in _all:
        lock._renew()
    if sys.version_info < (3, 12):
        _renew_properties()


def _renew_properties() -> None:
    """Free the locks of our cached properties, which Python 3.11 holds while a value is made."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "fastgd":
            for kind in list(vars(module).values()):
                for member in list(vars(kind).values()) if isinstance(kind, type) else ():
                    if isinstance(member, cached_property):
                        vars(member)["lock"] = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_renew_all)

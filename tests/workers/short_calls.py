"""Calls that pretend to compile, to test which process does; helpers import this file.

A file stands for code in the cache, and contains the ID of the process that wrote it.
"""

import os
import signal
import time
from pathlib import Path

from fastgd.engine.devices import CodeLackingError
from fastgd.kernel.language import cache


def pretend(folder, name):
    """Use the code of this name, or compile it."""
    path = Path(folder, name)
    with open(Path(folder, f"made-by-{os.getpid()}"), "a") as file:
        print(name, file=file)
    if not path.exists():
        if cache._asks.get():
            raise CodeLackingError(name)
        path.write_text(str(os.getpid()))


def pretend_beside(folder, name):
    """As pretend, but not before another process has compiled something."""
    if not cache._asks.get() and not Path(folder, name).exists():
        wait_for(lambda: maker_of(folder) - {os.getpid()})
    pretend(folder, name)


def pretend_here(folder, name, caller, how):
    """As pretend, but it fails in helpers."""
    if os.getpid() != caller:
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        pretend(folder, f"tried-{name}")
        raise ValueError(how)
    if not cache._asks.get() and not Path(folder, name).exists():
        wait_for(lambda: how == "dies" or list(Path(folder).glob("tried-*")))
    pretend(folder, name)


def interrupt_beside(folder, name):
    """Press Ctrl-C once a helper is at work."""
    pretend_beside(folder, name)
    raise KeyboardInterrupt


def maker_of(folder):
    """The IDs of the processes that have compiled something."""
    codes = [path for path in Path(folder).iterdir() if not path.name.startswith("made-by-")]
    return {int(text) for path in codes if (text := path.read_text())}


def wait_for(found):
    """Wait until the condition holds."""
    end = time.monotonic() + 120
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)

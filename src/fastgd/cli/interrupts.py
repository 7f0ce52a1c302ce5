"""Ctrl-C at any moment: exit code 130, one line, no leftovers.

Python makes a KeyboardInterrupt of it wherever the program is: amid an import, which ends in a
traceback; in a destructor or a callback of C, which drop it; in a library that swallows it. So a
process that is the command has a handler of its own. Before the work begins there is nothing to
clean up, and the handler ends the process. The work gets a KeyboardInterrupt, and another one if
half a second later nothing is handling the first.

Out of reach are the start of Python itself and the millisecond until this file is read: it imports
next to nothing.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys

TYPE_CHECKING = False  # as in typing, which takes longer to import than all else here
if TYPE_CHECKING:
    from types import FrameType

INTERRUPTED = 130

AGAIN = 0.01
"""Seconds until a KeyboardInterrupt that was dropped is raised once more."""

LATER = 0.5
"""Seconds from one check of what has become of it to the next."""


class Interrupts:
    """How a command handles Ctrl-C. The work runs ``with`` it and cleans up after itself."""

    def __init__(self) -> None:
        self.received = False
        self.code: int | None = None  # that of a command that has ended
        self._working = False

    def __enter__(self) -> None:
        self._working = True

    def __exit__(self, *_: object) -> None:
        self._working = False
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def take_over(self) -> None:
        """Handle it until the process ends, unless it is ignored, as in background jobs."""
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return
        signal.signal(signal.SIGINT, self._answer)
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._look_again)
            sys.unraisablehook = self._dropped
        atexit.register(self._end)  # as the first one: it is called last

    def _answer(self, _number: int, _frame: FrameType | None) -> None:
        again, self.received = self.received, True
        if self._working:
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, LATER)
            raise KeyboardInterrupt
        if not again:
            try:  # noqa: SIM105  contextlib may be half imported
                os.write(sys.stderr.fileno(), b"fastgd: interrupted\n")
            except (AttributeError, OSError, ValueError):  # there is no stderr, or it is full
                pass
        os._exit(INTERRUPTED)

    def _look_again(self, number: int, frame: FrameType | None) -> None:
        """Raise it once more, unless the work is cleaning up because of it."""
        handled = sys.exception()
        while handled is not None and not isinstance(handled, KeyboardInterrupt):
            handled = handled.__context__
        if handled is None:
            self._answer(number, frame)
        else:
            signal.setitimer(signal.ITIMER_REAL, LATER)

    def _end(self) -> None:
        """End the process. Python takes half a second to take down all modules, deaf to Ctrl-C.

        A KeyboardInterrupt that has passed an exec() would also have it end itself by the signal.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = INTERRUPTED if self.received else self.code
        if code is not None:
            from contextlib import suppress

            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError, OSError, ValueError):  # it isn't there, or is full
                    stream.flush()
            os._exit(code)

    def _dropped(self, what: sys.UnraisableHookArgs) -> None:
        if what.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        else:
            sys.__unraisablehook__(what)

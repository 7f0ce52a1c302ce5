"""The fastgd command: the article's experiments, and training on a CSV file.

`app` parses, `main` runs: a command only hands back a job, so that all that can go wrong is met in
one place. Nothing is imported before `main` is called and Ctrl-C has its answer: at any moment exit
code 130, one line, no leftovers.

Python makes a KeyboardInterrupt of Ctrl-C wherever the program is: amid an import, which ends in a
traceback; in a destructor or a callback of C, which drop it; in a library that swallows it. So a
process that is the command has a handler of its own. Before the work begins there is nothing to
clean up, and the handler ends the process. The work gets a KeyboardInterrupt, and another one if
half a second later nothing is handling the first. Out of reach are the start of Python itself and
the millisecond until this file is read: it imports next to nothing.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys

TYPE_CHECKING = False  # as in typing, which takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType
    from typing import Any

INTERRUPTED, REFUSED, UNWRITTEN = 130, 2, 1
"""Exit codes of a command that has not done what was asked."""

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    That is 0, 2 if it was refused, 1 if its output, or a file after the work, could not be written
    (nothing is said if its reader has left: ``| head``), 130 after Ctrl-C.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default: this is then the process's command, and Ctrl-C ends it,
        whatever it is doing. Else Ctrl-C is the caller's, and a KeyboardInterrupt ends the command.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    fastgd ...
    0
    """
    interrupts = Interrupts()
    if arguments is None:
        interrupts.take_over()
    from fastgd.cli.terminal import complain, give_up, open_streams

    if sys.stdout is None:
        complain("error: standard output can't be written: it is closed")
        return UNWRITTEN
    open_streams()
    try:
        code = _run_or_stop(arguments, interrupts)
        sys.stdout.flush()
    except BrokenPipeError:
        code = UNWRITTEN
        give_up(sys.stdout)
    except OSError as error:
        # Files were met by `refusing`: what has no name is the stream that all is written to.
        if error.filename is not None:
            raise
        code = UNWRITTEN
        give_up(sys.stdout)
        complain(f"error: standard output can't be written: {error.strerror}")
    interrupts.code = code
    return code


def _run_or_stop(arguments: Sequence[str] | None, interrupts: Interrupts) -> int:
    """Run the command, which was interrupted whatever has become of the KeyboardInterrupt."""
    stop: BaseException | None = None
    try:
        code = _run(arguments, interrupts)
    except BaseException as error:
        stop = error if isinstance(error, KeyboardInterrupt) else error.__cause__
        if not (interrupts.received or isinstance(stop, KeyboardInterrupt)):
            raise
    else:
        if not interrupts.received:
            return code
    from fastgd.cli.terminal import complain

    kept = str(stop) if isinstance(stop, KeyboardInterrupt) else ""
    complain(f"interrupted: {kept}" if kept else "interrupted")
    return INTERRUPTED


def _run(arguments: Sequence[str] | None, interrupts: Interrupts) -> int:
    from fastgd.cli.terminal import complain, warning_in_lines

    try:
        # An extra: all else that needs them is below.
        import rich  # noqa: F401  Typer does without, but the commands don't
        import typer  # noqa: F401

        job = _job(arguments)
        if job == INTERRUPTED:  # Typer's answer to a KeyboardInterrupt
            raise KeyboardInterrupt
        if callable(job):
            with interrupts, warning_in_lines():
                job()
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "typer"):
            raise
        return _run_without(error.name, sys.argv[1:] if arguments is None else arguments)
    except SystemExit as stop:  # Typer's own end
        if isinstance(stop.__context__, OSError):  # the reader of its help has left
            raise BrokenPipeError from stop
        return int(stop.code or 0)  # it has answered a shell that completes a line
    except Exception as error:
        # Older versions of Typer raise click's usage errors, newer ones their own.
        if interrupts.received or not hasattr(error, "format_message"):
            raise
        from fastgd.cli.refusals import UnwrittenError, said_by

        complain(f"error: {said_by(error)}")
        return UNWRITTEN if isinstance(error, UnwrittenError) else REFUSED
    return 0


def _job(arguments: Sequence[str] | None) -> Any:
    """What is left to do when Typer has parsed, shown a help, or installed a shell's completion."""
    from fastgd.cli.app import app
    from fastgd.cli.refusals import UnwrittenError

    try:
        return app(arguments, prog_name="fastgd", standalone_mode=False)
    except OSError as error:
        if error.filename is None:  # a stream
            raise
        raise UnwrittenError(f"{error.filename} can't be written: {error.strerror}") from error


HELP = """\
Usage: fastgd [-h | --help] [-V | --version [--json]] COMMAND ...

Train small neural networks by gradient descent, very fast.

All commands, and their list, need"""
"""Where the extra is missing."""


def _run_without(missing: str, arguments: Sequence[str]) -> int:
    """Answer what can be answered without the extra ``cli``; else say how to install it."""
    from fastgd.cli.machine_output import print_version
    from fastgd.cli.terminal import complain

    typed, version = set(arguments), {"-V", "--version"}
    needed = f'{missing}: pip install "fastgd[cli]"'
    if typed & version and typed <= {*version, "--json"}:
        print_version("--json" in typed)
    elif typed <= {*version, "-h", "--help"} and "_FASTGD_COMPLETE" not in os.environ:
        print(HELP, needed)
    else:
        complain(f"error: the command needs {needed}")
        return REFUSED
    return 0

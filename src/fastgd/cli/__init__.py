"""The fastgd command: the article's experiments, and training on a CSV file.

`app` parses, `main` runs: a command only hands back a job, so that all that can go wrong is met in
one place. Nothing is imported before `main` is called and Ctrl-C has its answer.
"""

from __future__ import annotations

import sys

from fastgd.cli.interrupts import INTERRUPTED, Interrupts

TYPE_CHECKING = False  # as in fastgd.cli.interrupts
if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSED = 2
UNWRITTEN = 1


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

        from fastgd.cli.app import app

        job = app(arguments, prog_name="fastgd", standalone_mode=False)
        if job == INTERRUPTED:  # Typer's answer to a KeyboardInterrupt
            raise KeyboardInterrupt
        if callable(job):
            with interrupts, warning_in_lines():
                job()
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "tqdm", "typer"):
            raise
        complain(f'error: the command needs {error.name}: pip install "fastgd[cli]"')
        return REFUSED
    except SystemExit as stop:  # Typer's own end if the reader of its help has left
        raise BrokenPipeError from stop
    except Exception as error:
        # Older versions of Typer raise click's usage errors, newer ones their own.
        if interrupts.received or not hasattr(error, "format_message"):
            raise
        from fastgd.cli.terminal import UnwrittenError, said_by

        complain(f"error: {said_by(error)}")
        return UNWRITTEN if isinstance(error, UnwrittenError) else REFUSED
    return 0

"""The fastgd command: the article's experiments, and training on a CSV file.

`app` parses, `main` runs: a command only hands back a job, so that all that can go wrong is met in
one place. Typer and rich are an extra: nothing that needs them is imported before `main` is called.
"""

import sys
from collections.abc import Sequence

from fastgd.cli.terminal import complain, give_up, open_streams

REFUSED = 2
UNWRITTEN = 1
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    That is 0, 2 if it was refused, 1 if its output could not be written (nothing is said if its
    reader has left: ``| head``), 130 after Ctrl-C.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    fastgd ...
    0
    """
    if sys.stdout is None:
        complain("error: standard output can't be written: it is closed")
        return UNWRITTEN
    open_streams()
    try:
        code = _run(arguments)
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
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        import rich  # noqa: F401  Typer does without, but the commands don't
        import typer  # noqa: F401

        from fastgd.cli.app import app

        job = app(arguments, prog_name="fastgd", standalone_mode=False)
        if callable(job):
            job()
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "tqdm", "typer"):
            raise
        complain(f'error: the command needs {error.name}: pip install "fastgd[cli]"')
        return REFUSED
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except SystemExit as stop:  # Typer's own end if the reader of its help has left
        raise BrokenPipeError from stop
    except Exception as error:
        # Older versions of Typer raise click's usage errors, newer ones their own.
        if not hasattr(error, "format_message"):
            raise
        from fastgd.cli.refusal import said_by

        complain(f"error: {said_by(error)}")
        return REFUSED
    return 0

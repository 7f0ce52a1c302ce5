"""Where a command writes to: it may be full, closed or know ASCII only, and text may be foreign."""

import codecs
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_IN_ASCII = {"±": "+-", "²": "^2", "…": "..."}


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """What a stream writes for a character that it can't: something like it, or its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(c) or ascii(c)[1:-1] for c in characters), error.end


codecs.register_error("fastgd", _replaced)


def open_streams() -> None:
    """Let stdout and stderr write something for each character, whatever their encoding."""
    for stream in (sys.stdout, sys.stderr):
        if (getattr(stream, "encoding", None) or "utf").lower().replace("-", "") != "utf8":
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="fastgd")


def escaped(text: object) -> str:
    r"""Text of others (names in a file, paths), safe to be shown.

    What is no printable character is written as Python would: ``\x1b``, which would else move the
    cursor or colour what follows.

    Examples
    --------
    >>> escaped("height\x1b[31m")
    'height\\x1b[31m'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def complain(message: str) -> None:
    """Say one line on stderr, if there is one."""
    if sys.stderr is not None:
        try:
            print("fastgd:", escaped(" ".join(message.split())), file=sys.stderr, flush=True)
        except OSError:
            give_up(sys.stderr)


@contextmanager
def saying_how_to_resume(kept: Callable[[], str]) -> Iterator[None]:
    """Say after Ctrl-C what is kept, unless nothing is: the same command resumes from there."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if what := kept():
            stop.args = (f"{what}; the same command resumes from there",)
        raise


def give_up(stream: TextIO) -> None:
    """Let what is still to be written go nowhere: Python would complain about it on its way out."""
    with suppress(OSError, ValueError):  # a stream of tests may have no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

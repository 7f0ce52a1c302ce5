"""Output streams: they may be full, closed or ASCII only, and text may contain anything."""

import codecs
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from fastgd.checks.messages import escaped

_LONG = re.compile(r"(?<![^\s(])'[^']{200,}'|\([^()]{200,}\)|(?<!\S)[^\s/]{200,}")
"""What was typed, if it is long and no path, which one may want to copy."""

_IN_ASCII = {"±": "+-", "²": "^2", "…": "..."}


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """A substitute for a character that a stream can't encode."""
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


def complain(message: str) -> None:
    """Print one line to stderr, if there is one."""
    line = _LONG.sub(lambda typed: f"{typed[0][:28]}...{typed[0][-29:]}", " ".join(message.split()))
    if sys.stderr is not None:
        try:
            print("fastgd:", escaped(line), file=sys.stderr, flush=True)
        except OSError:
            give_up(sys.stderr)


@contextmanager
def warning_in_lines() -> Iterator[None]:
    """Print warnings as one line, without a line of source code."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: complain(f"warning: {message}")
        yield


@contextmanager
def saying_how_to_resume(kept: Callable[[], str]) -> Iterator[None]:
    """After Ctrl-C, print what is kept, if anything: the same command resumes from there."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if what := kept():
            stop.args = (f"{what}; the same command resumes from there",)
        raise


def give_up(stream: TextIO) -> None:
    """Discard output that is still buffered: Python would complain about it at exit."""
    with suppress(OSError, ValueError):  # a stream of tests may have no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

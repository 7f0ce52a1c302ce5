"""What the user asked for can't be done: said in one line, without a traceback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastgd import optimizers, schedules
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.messages import called_here, called_otherwise
from fastgd.arguments.numbers import OWNED


class RefusedError(Exception):
    """What the user asked for can't be done, in one line."""

    def format_message(self) -> str:
        """What it says: the name that Typer's usage errors have for it."""
        return str(self)


_TYPED = {
    "keep_weights=False": "--out FILE.csv, or no --out,",
    "with resume": "with --resume",
    "most_categories": "--categories",
    "a fastgd.Function": "an expression such as 'a*sigmoid(a)'",
    "a fastgd.Loss": "an expression such as '(y - v)**2'",
    "patience, tolerance, summary or": "--patience, --tolerance, --summary or",
}
"""What is typed for an argument that the library speaks of."""

_OPTIONS = {
    *DECLARED,
    *OWNED,
    *(f for kind in (*optimizers.ALL, *schedules.ALL) for f in kind.hyperparameters),
    *("hidden_size", "alpha", "iterations", "record_every", "record_weights", "seed", "threads"),
    *("resume", "validation", "folds", "groups", "hold_out"),
    *("target", "drop", "sep", "decimal"),
}
_FIRST = re.compile(r"^\w+(?= )")
_QUOTES = "'\""
_VALUE = re.compile(r"\b([a-z_]+)=(True\b|'[^']*'|\"[^\"]*\"|[\w.]+)")
_SPACED = re.compile(r"(?<![\w'\"./-])[a-z]+(?:_[a-z]+)+(?![\w'\"./])")


def in_typed_words(message: str) -> str:
    """A message of the library with the names of options as they are typed.

    Examples
    --------
    >>> in_typed_words("alpha must be above 0 with optimizer='adam' and batch_norm=True")
    '--alpha must be above 0 with --optimizer adam and --batch-norm'
    """
    for argument, typed in _TYPED.items():
        message = message.replace(argument, typed)
    first = _FIRST.match(message)
    if first and first[0] in _OPTIONS:
        message = _flag(first[0]) + message[first.end() :]
    message = _VALUE.sub(_with_value, message)
    return _SPACED.sub(lambda found: _flag(found[0]) if found[0] in _OPTIONS else found[0], message)


def _with_value(found: re.Match[str]) -> str:
    name, value = found.groups()
    if name not in _OPTIONS:
        return found[0]
    return _flag(name) if value == "True" else f"{_flag(name)} {value.strip(_QUOTES)}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def said_by(error: Any) -> str:
    """What a usage error says; of an option of other libraries also what it is called here."""
    word = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    name, _, value = called_here(word).partition("=")
    if not name or error.ctx is None:
        return str(error.format_message())
    error.possibilities = None  # what looks alike is not what was meant
    has = {flag for parameter in error.ctx.command.params for flag in parameter.opts}
    flag = next((one for one in (_flag(name), f"{_flag(name)}s") if one in has), "")
    method = getattr(optimizers, value.removesuffix("()"), None)
    ours = f"{flag} {method.command}" if method else flag
    return f"{error.format_message()}{called_otherwise(word, ours) if flag else ''}"


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the library or the file system objects to into one line."""
    try:
        yield
    except (ImportError, TypeError, ValueError) as error:
        raise RefusedError(in_typed_words(str(error))) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RefusedError(f"{where}{error.strerror}") from error


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Name the file in what the library objects to, which knows its columns only."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        raise ValueError(text if str(path) in text else f"{path}: {text}") from error

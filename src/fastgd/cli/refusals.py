"""Errors of a command: one line, without a traceback."""

import errno
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from fastgd import DeviceError, optimizers, schedules
from fastgd.checks.messages import NO_VALUE, called_here, called_otherwise
from fastgd.checks.numbers import TooLargeError


class RefusedError(Exception):
    """A request that can't be fulfilled; the message is one line."""

    def format_message(self) -> str:
        """The message, under the name that Typer's usage errors use."""
        return str(self)


class UnwrittenError(RefusedError):
    """Something can't be written: a file after the work, or any on a full disk."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What reading never meets."""

TYPED: ContextVar[frozenset[str]] = ContextVar("TYPED", default=frozenset())
"""The options of the running command, as they are typed."""

_PHRASES = {
    "keep_weights=False needs": "a sweep without --save and --out needs",
    "with resume": "with --resume",
    "the layers of one network are a tuple": "the layers of one network are typed as 8x4",
    "max_categories": "--max-categories",
    "max_classes": "--max-classes",
    "sample_weight": "--weight",
    "test_group": "--test-group",
    "without test_last": "without --test-last",
    "without lags": "without --lags",
    "a fastgd.Function": "an expression such as 'a*sigmoid(a)'",
    "from fastgd.optimizers or a Rule": "or a --rule",
    "a fastgd.Penalty": "an expression such as 'strength*log1p(w*w)'",
    "from fastgd.schedules or a Schedule": "or an expression such as 'exp(-k*t)'",
    "a fastgd.Loss": "an expression such as '(y - v)**2'",
    "patience, tolerance, summary or evaluate_every": (
        "--patience, --tolerance, --summary or --evaluate-every"
    ),
    "(record_every)": "(--record-every)",
}
"""How arguments are typed that messages of the library mention."""

_ALSO = {"hold_out": ("validation_fraction",), "every": ("schedule_step_size",)}
"""What else an old name may be here, by command."""

_CLASSES = {f"{kind.__name__}()": kind.command for kind in (*optimizers.ALL, *schedules.ALL)}

_FIRST = re.compile(r"^(\w+)(?=(?:\[\d+\])*(?:'s| must| needs)\b| '[^']*' must\b)")
"""The argument that a message is about."""

_NAMED = r"(?:^|(?<=[a-z] )|(?<=\())([a-z_0-9]+)=('[^']*'|\"[^\"]*\"|\w+\(\)|[\w.+-]+)"
_PHRASE = rf"(?<![\w'\"./-])({'|'.join(map(re.escape, _PHRASES))})(?![\w'\"./])"
_QUOTES = "'\""
_OBJECT = r"\w+\((?:[^()]|\([^()]*\))*\)"
_QUOTED = r"(?<!\w)(?:'[^']*'|\"[^\"]*\")(?!\w)"
_AMID = re.compile("|".join((_PHRASE, _NAMED, _OBJECT, _QUOTED)))
"""What may be replaced within a message, and what never is: Adam(epsilon=1e-8), user input."""


def flag_of(name: str) -> str:
    """An argument as it is typed."""
    return f"--{name.replace('_', '-')}"


def in_typed_words(message: str, flags: Collection[str]) -> str:
    """A message of the library with arguments renamed to the command's flags.

    They are the first word, and what has a value: "with batch_norm=True". Any other word may be one
    of the user's, or of English.

    Examples
    --------
    >>> flags = {"--alpha", "--optimizer", "--batch-norm"}
    >>> in_typed_words("alpha must be above 0 with optimizer='adam' and batch_norm=True", flags)
    '--alpha must be above 0 with --optimizer adam and --batch-norm'
    """

    def typed(found: re.Match[str]) -> str:
        phrase, name, value = found.groups()
        if phrase:
            return _PHRASES[phrase]
        flag = _flag_among(name, flags) if name else ""
        if not flag:
            return _CLASSES.get(found[0], found[0])
        if value in ("True", "False"):
            return flag_of(name if value == "True" else f"no_{name}")
        return f"{flag} {_CLASSES.get(value, value.strip(_QUOTES))}"

    first = _FIRST.match(message)
    flag = _flag_among(first[1], flags) if first else ""
    if first and flag:
        rest = _AMID.sub(typed, message[first.end() :])
        if nothing := NO_VALUE.get(first[1]):
            rest = re.sub(r"(must be|got) None\b", rf"\1 {nothing}", rest)
        return flag + rest
    return _AMID.sub(typed, message)


def _flag_among(name: str, flags: Collection[str]) -> str:
    """The flag of an argument or of a schedule's field; empty if the command has none."""
    return next((f for f in (flag_of(name), flag_of(f"schedule_{name}")) if f in flags), "")


def said_by(error: Any) -> str:
    """The message of a usage error, with our name for an option of another library."""
    word = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    name, _, value = called_here(word).partition("=")
    if not name or error.ctx is None:
        return str(error.format_message())
    error.possibilities = None  # what looks alike is not what was meant
    has = {flag for parameter in error.ctx.command.params for flag in parameter.opts}
    names = (name, f"{name}s", *_ALSO.get(word, ()))
    flag = next((one for one in map(flag_of, names) if one in has), "")
    method = getattr(optimizers, value.removesuffix("()"), None)
    ours = f"{flag} {method.command}" if method else flag
    return f"{error.format_message()}{called_otherwise(word, ours) if flag else ''}"


@contextmanager
def refusing(*, writes: bool = False) -> Iterator[None]:
    """Turn errors of the library and the file system into one line."""
    flags = TYPED.get()
    try:
        yield
    except TooLargeError as error:  # with only the remedies that this command offers
        ways = [in_typed_words(way, flags) for way in error.ways]
        ours = [way for way in ways if flags.issuperset(re.findall(r"--[a-z][a-z-]*", way))]
        rule = in_typed_words(error.rule, flags)
        raise RefusedError(str(TooLargeError(rule, ours))) from error
    except (DeviceError, ImportError, TypeError, ValueError) as error:
        raise RefusedError(in_typed_words(str(error), flags)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        kind = UnwrittenError if writes or error.errno in _FULL else RefusedError
        raise kind(f"{where}{error.strerror}") from error

"""Options of commands as data: each is declared once, and says which argument it becomes."""

import inspect
import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from fastgd.checks.messages import shown
from fastgd.cli.refusals import RefusedError

T = TypeVar("T")

_RULES = {int: "a whole number", float: "a number"}


def option(
    typed: str,
    text: str,
    kind: Any = str,
    *,
    default: Any = None,
    name: str = "",
    read: Callable[[str], Any] | None = None,
    rule: str = "",
    panel: str | None = None,
    callback: Callable[..., Any] | None = None,
) -> inspect.Parameter:
    """Declare an option by how it is typed: ``--seed N``, or ``--json`` without a value.

    Its name is that of the argument that it becomes; with an ellipsis as the default it must be
    given. ``read`` reads its value, which ``rule`` describes in an error message; whole and other
    numbers need neither.
    """
    flags, _, metavar = typed.partition(" ")
    first = flags.partition("/")[0]
    if read is None and kind in _RULES:
        read, rule = kind, rule or _RULES[kind]
    parser = read and (lambda value: read_one(first, value, read, rule))
    how = typer.Option(
        flags, metavar=metavar, help=text, parser=parser, rich_help_panel=panel, callback=callback
    )
    if typed == first and kind is bool and default is None:
        default = False
    return _parameter(name or first.lstrip("-").replace("-", "_"), kind, how, default)


def argument(
    name: str, metavar: str, text: str, kind: Any = str, default: Any = None
) -> inspect.Parameter:
    """Declare an argument."""
    return _parameter(name, kind, typer.Argument(metavar=metavar, help=text), default)


def _parameter(name: str, kind: Any, how: Any, default: Any) -> inspect.Parameter:
    """A parameter of a signature, which is where Typer reads what it knows about an option."""
    required = default is ...
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else default,
        annotation=Annotated[kind if required else kind | None, how],
    )


def takes(
    *options: inspect.Parameter,
) -> Callable[[Callable[..., None]], Callable[..., Callable[[], None]]]:
    """Let a command take these options, after those of its own signature.

    Called by Typer it becomes a job: the work that is left when all options have been checked. That
    gets all that its signature names, and as further keyword arguments the other options that were
    given.
    """

    def declare(command: Callable[..., None]) -> Callable[..., Callable[[], None]]:
        signature = inspect.signature(command)
        own = {p.name: p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD}

        @wraps(command)
        def job(**typed: Any) -> Callable[[], None]:
            # Typer gives an empty list in place of None where an option may be repeated.
            given = {k: v for k, v in typed.items() if k in own or v not in (None, [])}
            return partial(command, **given)

        names = {one.name for one in options}
        parameters = [*(p for p in own.values() if p.name not in names), *options]
        job.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return job

    return declare


# ---------------------------------------------------------------- values


def read_one(flag: str, text: str, read: Callable[[str], T], rule: str) -> T:
    """Read one value; the rule says in a message what it must be."""
    try:
        return read(text)
    except (KeyError, ValueError) as error:
        raise RefusedError(f"{flag} must be {rule}, got {shown(text)}") from error


def read_list(flag: str, text: str, read: Callable[[str], T], rule: str = "numbers") -> list[T]:
    """Read several values; the rule says in a message what they must be."""

    def several(text: str) -> list[T]:
        return [read(part) for part in text.split(",")]

    return read_one(flag, text, several, f"{rule} separated by ','")


def read_network(text: str) -> tuple[int, ...]:
    """Read the units of one network's hidden layers: 8, 8x4, none."""
    if text.strip() == "none":
        return ()
    try:
        return tuple(map(int, text.split("x")))
    except ValueError as error:
        commas = text.replace(",", "x")
        hint = f": two layers are {commas}" if "," in text and "x" not in text else ""
        network = "the units of a hidden layer, such as 8, of several, 8x4, or none"
        raise RefusedError(f"--hidden-size must be {network}, got {shown(text)}{hint}") from error


def read_networks(text: str) -> list[tuple[int, ...]]:
    """Read several networks: 8,8x4,none."""
    return [read_network(network) for network in text.split(",")]


def read_alpha(text: str) -> float | tuple[float, ...]:
    """Read one learning rate, or one for each layer."""
    hint = f": one for each layer is {text.replace(',', '/')}" if "," in text else ""
    try:
        values = tuple(map(float, text.split("/")))
    except ValueError as error:
        raise RefusedError(
            f"--alpha must be a number, or one for each layer: 1/0.1, got {shown(text)}{hint}"
        ) from error
    return values[0] if len(values) == 1 else values


def column_name(typed: str) -> str:
    """Return a name as it was typed: without a UTF-8 locale (LC_ALL=C) it arrives as bytes."""
    try:
        typed.encode()
    except UnicodeEncodeError:
        return os.fsencode(typed).decode(errors="surrogateescape")
    return typed


# ---------------------------------------------------------------- options of several commands

THREADS = option("--threads N", "Threads to use (default: all).", int)
DEVICE = option(
    "--device NAME",
    "Where to train: cpu (default), cuda (all GPUs), cuda:0 (one of them) or auto. Results are the "
    "same; fastgd devices lists what there is.",
)
PLOT = option("--plot FILE", "Draw a figure to this file: .png, .svg or .pdf.", Path)
JSON = option("--json", "Print one JSON object and nothing else.", bool)
PROGRESS = option(
    "--progress/--no-progress",
    "Show a progress bar (default: if stderr is a terminal).",
    bool,
    callback=lambda typed: bool(sys.stderr and sys.stderr.isatty()) if typed is None else typed,
)

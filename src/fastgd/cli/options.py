"""Options of commands as data: each is declared once, and says which argument it becomes."""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from fastgd.cli.command_options import column_name, or_terminal, read_one
from fastgd.cli.terminal import Job, RefusedError
from fastgd.tables import targets
from fastgd.tables.columns import MOST_CATEGORIES, Decisions
from fastgd.tables.table_samples import LARGEST, Reading

_RULES = {int: "a whole number", float: "a number"}


class Declared(NamedTuple):
    """An option of a command, or an argument."""

    name: str
    kind: Any
    how: Any  # what Typer knows about it
    default: Any = None  # an ellipsis if it must be given

    def parameter(self) -> inspect.Parameter:
        """As a parameter of a signature, which is where Typer reads it."""
        required = self.default is ...
        return inspect.Parameter(
            self.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if required else self.default,
            annotation=Annotated[self.kind if required else self.kind | None, self.how],
        )


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
) -> Declared:
    """Declare an option by how it is typed: ``--seed N``, or ``--json`` without a value.

    Its name is that of the argument that it becomes. ``read`` reads its value, which ``rule``
    describes in an error message; whole and other numbers need neither.
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
    return Declared(name or first.lstrip("-").replace("-", "_"), kind, how, default)


def argument(name: str, metavar: str, text: str, kind: Any = str, default: Any = None) -> Declared:
    """Declare an argument."""
    return Declared(name, kind, typer.Argument(metavar=metavar, help=text), default)


def takes(*options: Declared) -> Callable[[Callable[..., None]], Callable[..., Job]]:
    """Let a command take these options, after those of its own signature.

    Called by Typer it becomes a job. That gets all that its signature names, and as further keyword
    arguments the other options that were given.
    """

    def declare(command: Callable[..., None]) -> Callable[..., Job]:
        signature = inspect.signature(command)
        own = {p.name: p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD}
        declared = {one.name: one.parameter() for one in options}

        @wraps(command)
        def job(**typed: Any) -> Job:
            # Typer gives an empty list in place of None where an option may be repeated.
            given = {k: v for k, v in typed.items() if k in own or v not in (None, [])}
            return partial(command, **given)

        parameters = [p for p in own.values() if p.name not in declared]
        parameters += declared.values()
        job.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return job

    return declare


TARGET = option(
    "--target NAME",
    "Column to learn (needed); repeat it for several. The others are inputs.",
    list[str],
    read=column_name,
)
ITERATIONS = option(
    "--iterations N",
    "Updates of the weights (default: 60000, or 1000 with --optimizer lm; of a prepared table: "
    "1000, or 100 with it).",
    int,
)
SEED = option("--seed N", "Seed of the initial weights.", int, default=1)
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
    callback=or_terminal,
)


# ---------------------------------------------------------------- tables

PANEL = "The table"

TABLE_FILE = argument(
    "file",
    "FILE",
    "A table with a header line: CSV, TSV, both also with .gz, or Parquet.",
    Path,
    default=...,
)
SEP = option("--sep SEP", "Separator of cells: , ; tab or | (default: detected).", panel=PANEL)
DECIMAL = option("--decimal SIGN", "Decimal sign: . or , (default: detected).", panel=PANEL)
DROP = option(
    "--drop NAME",
    "Column to leave out; repeat it for several.",
    list[str],
    read=column_name,
    panel=PANEL,
)
KEEP = option(
    "--keep NAME",
    "Column to use though it numbers or names the rows; repeat it for several.",
    list[str],
    read=column_name,
    panel=PANEL,
)
MAX_CATEGORIES = option(
    "--max-categories N",
    "Strings of a column that have an input each, the most frequent ones; others share one.",
    int,
    default=MOST_CATEGORIES,
    panel=PANEL,
)
ENCODING = option(
    "--encoding WAY",
    "Columns with more strings than that: one-hot, or target (the mean of the target).",
    default="one-hot",
    panel=PANEL,
)
STANDARDIZE = option(
    "--no-standardize",
    "Leave numbers as they are.",
    bool,
    name="standardize",
    callback=lambda typed: not typed,
    panel=PANEL,
)
CLASSIFICATION = option(
    "--classification/--regression",
    "Whether the target is categorical (default: strings, booleans, and numbers that are all "
    "0 or 1, are).",
    bool,
    panel=PANEL,
)
MAX_CLASSES = option(
    "--max-classes N",
    "Reject a target with more than N classes.",
    int,
    default=targets.MAX_CLASSES,
    panel=PANEL,
)
RAW = option(
    "--raw/--prepare",
    "Take a CSV file of numbers as it is, or prepare any table. Without either a table is taken as "
    f"it is if it has numbers only, none missing and no input beyond {LARGEST:g}.",
    bool,
    panel=PANEL,
)
READING = (RAW, SEP, DECIMAL, DROP, KEEP, MAX_CATEGORIES, ENCODING, STANDARDIZE)

LEARNING = "--drop, --keep, --max-categories, --encoding and --no-standardize"
"""The options that say how a preparation is learned."""


def take_reading(typed: dict[str, Any]) -> Reading:
    """Take these options out of what was typed; options of prepared tables require one."""
    given: dict[str, Any] = {one.name: typed.pop(one.name) for one in READING if one.name in typed}
    file = {name: given.pop(name) for name in ("raw", "sep", "decimal") if name in given}
    given |= {name: tuple(given.get(name, ())) for name in ("drop", "keep")}
    reading = Reading(**file, decisions=Decisions(**given))
    if not reading.prepares:
        return reading
    if reading.raw:
        raise RefusedError(
            f"--raw takes a table as it is: --sep, --decimal, {LEARNING} don't go with it"
        )
    return reading._replace(raw=False)

"""Options of commands as data: each is declared once, and says which argument it becomes."""

import inspect
import os
import re
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, TypeVar

import typer

from fastgd.article.experiments import EXPERIMENTS
from fastgd.checks.messages import shown
from fastgd.cli.refusals import RefusedError
from fastgd.tables.columns import MOST_CATEGORIES
from fastgd.tables.table_samples import LARGEST
from fastgd.tables.targets import MAX_CLASSES

T = TypeVar("T")

_RULES = {int: "a whole number", float: "a number"}


_KINDS = {"N": int, "K": int, "X": float, "T": float, "SHARE": float, "ERROR": float}
_KINDS |= {"SECONDS": float, "": bool}
_KINDS |= dict.fromkeys(("FILE", "FOLDER", "MODEL", "RESULT", "RUN"), Path)
"""What is typed, by the metavar up to a point; anything else is a string."""


def option_table(text: str, kinds: dict[str, Any]) -> list[inspect.Parameter]:
    r"""Declare options as a table: in each line how one is typed and, after two spaces, its help.

    An option's name is that of the argument that it becomes; an argument of the command has it in
    front. Help continues in indented lines; a line that ends in a colon is the heading of what
    follows, and one without help has options of several commands. What is typed follows from the
    metavar, or from ``kinds``, out of which names are taken: it has a type, a function that reads
    it, the default, or a dict of what else there is to say: kind, read, rule (which describes in a
    message what must be typed), default (an ellipsis if it must be given), name, callback.

    Examples
    --------
    >>> (seed,) = option_table("\n--seed N  Seed of the\n  weights.", {"seed": 1})
    >>> seed.name, seed.default, seed.annotation.__metadata__[0].help
    ('seed', 1, 'Seed of the weights.')
    """
    found: list[inspect.Parameter] = []
    panel = None
    for line in re.sub(r"\n +", " ", inspect.cleandoc(text)).splitlines():
        typed, _, words = line.partition("  ")
        if typed.endswith(":"):
            panel = typed[:-1]
        elif not words:
            found += [COMMON[flag] for flag in typed.split()]
        else:
            flags, _, metavar = typed.partition(" ")
            first = flags.partition("/")[0]
            name = first.lstrip("-").replace("-", "_")
            given = kinds.pop(name, {})
            if isinstance(given, type | GenericAlias):
                given = {"kind": given}
            elif callable(given):
                given = {"kind": str, "read": given}
            elif not isinstance(given, dict):
                given = {"kind": type(given), "default": given}
            kind = given.get("kind", _KINDS.get(metavar.partition(".")[0], str))
            read = given.get("read", kind if kind in _RULES else None)
            how = typer.Option if first.startswith("-") else typer.Argument
            default = given.get("default", False if kind is bool and flags == first else None)
            required = default is ...
            says = how(
                *([flags] if how is typer.Option else []),
                metavar=metavar,
                help=words,
                parser=read and _parser(first, read, given.get("rule", _RULES.get(kind, ""))),
                rich_help_panel=panel,
                callback=given.get("callback"),
            )
            # Typer reads what it knows about an option in a signature.
            parameter = inspect.Parameter(
                given.get("name", name),
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if required else default,
                annotation=Annotated[kind if required else kind | None, says],
            )
            found.append(parameter)
    return found


def _parser(flag: str, read: Callable[[str], T], rule: str) -> Callable[[str], T]:
    return lambda text: read_one(flag, text, read, rule)


def takes(
    *options: inspect.Parameter | str, **kinds: Any
) -> Callable[[Callable[..., None]], Callable[..., Callable[[], None]]]:
    """Let a command take these options, after those of its own signature.

    A string is an `option_table`. Called by Typer the command becomes a job: the work that is left
    when all options have been checked. That gets all that its signature names, and as further
    keyword arguments the other options that were given.
    """
    declared: list[inspect.Parameter] = []
    for one in options:
        declared += option_table(one, kinds) if isinstance(one, str) else [one]
    if kinds:
        raise TypeError(f"options must be in a table, got {next(iter(kinds))}")

    def declare(command: Callable[..., None]) -> Callable[..., Callable[[], None]]:
        signature = inspect.signature(command)
        own = {p.name: p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD}

        @wraps(command)
        def job(**typed: Any) -> Callable[[], None]:
            # Typer gives an empty list in place of None where an option may be repeated.
            given = {k: v for k, v in typed.items() if k in own or v not in (None, [])}
            return partial(command, **given)

        names = {one.name for one in declared}
        parameters = [*(p for p in own.values() if p.name not in names), *declared]
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


def parts_of(text: str) -> list[str]:
    """Split several formulas at the commas outside of brackets.

    Examples
    --------
    >>> parts_of("tanh,where(a > 0, a, 0)")
    ['tanh', 'where(a > 0, a, 0)']
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def read_list(flag: str, text: str, read: Callable[[str], T], rule: str = "numbers") -> list[T]:
    """Read several values; the rule says in a message what they must be."""

    def several(text: str) -> list[T]:
        return [read(part) for part in parts_of(text)]

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


def _or_terminal(progress: bool | None) -> bool:
    """Whether to show a progress bar: as requested, by default if stderr is a terminal."""
    return bool(sys.stderr and sys.stderr.isatty()) if progress is None else progress


COLUMNS: dict[str, Any] = {"kind": list[str], "read": column_name}
"""Of an option that may be repeated: names of columns."""

NAMED = {one.name: one for one in EXPERIMENTS}
EXPERIMENT = {"read": NAMED.__getitem__, "rule": f"one of {', '.join(NAMED)}"}
"""Of an option that names an experiment of the article."""


# ---------------------------------------------------------------- options of several commands

_COMMON = f"""
file FILE  A table with a header line: CSV, TSV, both also with .gz, or Parquet.
--threads N  Threads to use (default: all).
--device NAME  Where to train: cpu (default), cuda (all GPUs), cuda:0 (one of them) or auto. Results
    are the same; fastgd devices lists what there is.
--plot FILE  Draw a figure to this file: .png, .svg or .pdf.
--json  Print one JSON object and nothing else.
--progress/--no-progress  Show a progress bar (default: if stderr is a terminal).
--target NAME  Column to learn (needed); repeat it for several. The others are inputs.
--iterations N  Updates of the weights (default: 60000, or 1000 with --optimizer lm; of a prepared
    table: 1000, or 100 with it).
--record-every N  Record the error every N iterations (default: 10000; of a prepared table: 100, or
    10 with --optimizer lm).
--raw-text  Leave cells in FILE.csv that a spreadsheet would run as a formula (default: with a '
    before them).
--groups NAME  Column of labels, which is then no input: each group of rows has networks of its own.
The table:
--sep SEP  Separator of cells: , ; tab or | (default: detected).
--decimal SIGN  Decimal sign: . or , (default: detected).
--drop NAME  Column to leave out; repeat it for several.
--keep NAME  Column to use though it numbers or names the rows; repeat it for several.
--max-categories N  Strings of a column that have an input each, the most frequent ones; others
    share one.
--encoding WAY  Columns with more strings than that: one-hot, or target (the mean of the target).
--no-standardize  Leave numbers as they are.
--classification/--regression  Whether the target is categorical (default: strings, booleans, and
    numbers that are all 0 or 1, are).
--max-classes N  Reject a target with more than N classes.
--raw/--prepare  Take a CSV file of numbers as it is, or prepare any table. Without either a table
    is taken as it is if it has numbers only, none missing and no input beyond {LARGEST:g}.
Validation:
--validation FILE.csv  Validation set, with the same columns: its error is measured and monitored.
--validation-fraction SHARE  Use this share of the rows, drawn at random, as the validation set:
    0.2.
--split-seed N  Seed of the split; none keeps the rows in their order and takes the last ones, or
    each fold in turn (default: 0).
--folds K  Cross-validation: train K times, each time with another K-th of the rows (of each group)
    as the validation set.
"""
COMMON = dict(
    zip(
        re.findall(r"^[a-z-]+", _COMMON, re.MULTILINE),
        option_table(
            _COMMON,
            {
                "file": {"default": ...},
                "progress": {"callback": _or_terminal},
                "target": COLUMNS,
                "groups": column_name,
                "drop": COLUMNS,
                "keep": COLUMNS,
                "max_categories": MOST_CATEGORIES,
                "encoding": "one-hot",
                "no_standardize": {"name": "standardize", "callback": lambda typed: not typed},
                "max_classes": MAX_CLASSES,
                "split_seed": str,
            },
        ),
        strict=True,
    )
)
"""Options of several commands, by their flags."""

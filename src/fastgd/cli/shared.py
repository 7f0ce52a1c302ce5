"""Options that several commands have, declared once."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fastgd.cli.option_values import column_name, read_one

option = typer.Option


def _read(flag: str, read: Callable[[Any], Any], rule: str) -> Callable[[Any], Any]:
    """A parser for Typer with our error messages."""
    return lambda typed: read_one(flag, typed, read, rule)


def whole(
    flag: str,
    text: str,
    rule: str = "a whole number",
    *,
    metavar: str = "N",
    panel: str | None = None,
) -> Any:
    """Declare an option that takes a whole number."""
    read = _read(flag, int, rule)
    return option(flag, metavar=metavar, help=text, parser=read, rich_help_panel=panel)


def number(flag: str, metavar: str, text: str, *, panel: str | None = None) -> Any:
    """Declare an option that takes a number."""
    read = _read(flag, float, "a number")
    return option(flag, metavar=metavar, help=text, parser=read, rich_help_panel=panel)


def flag(names: str, text: str, *, panel: str | None = None) -> Any:
    """Declare an option without a value."""
    return option(names, metavar="", help=text, rich_help_panel=panel)


Target = Annotated[
    list[str] | None,
    option(
        metavar="NAME",
        parser=column_name,
        help="Column to learn (needed); repeat it for several. The others are inputs.",
    ),
]
Iterations = Annotated[int, whole("--iterations", "Updates of the weights.")]
RecordEvery = Annotated[int, whole("--record-every", "Record the error every N iterations.")]
Seed = Annotated[int, whole("--seed", "Seed of the initial weights.")]
Threads = Annotated[int | None, whole("--threads", "Threads to use (default: all).")]
Json = Annotated[bool, flag("--json", "Print one JSON object and nothing else.")]
Progress = Annotated[
    bool | None,
    flag("--progress/--no-progress", "Show a progress bar (default: if stderr is a terminal)."),
]
Plot = Annotated[
    Path | None, option(metavar="FILE", help="Draw a figure to this file: .png, .svg or .pdf.")
]

# A CSV file, or the data of one of the article's experiments: see fastgd.cli.inputs.
ProblemFile = Annotated[
    Path | None, typer.Argument(metavar="FILE.csv", help="Numbers, with a header line.")
]
ProblemTarget = Annotated[
    list[str] | None,
    option(metavar="NAME", parser=column_name, help="Column to learn; repeat it for several."),
]
ProblemHiddenSize = Annotated[
    str | None,
    option(
        metavar="SIZE",
        help="Units of the hidden layer (default: the experiment's, or 4 for a file); 8x4 has two "
        "layers, none has none.",
    ),
]

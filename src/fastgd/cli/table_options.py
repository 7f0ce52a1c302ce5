"""Options for reading and preparing a table."""

from pathlib import Path
from typing import Annotated

import typer

from fastgd.cli.errors import RefusedError
from fastgd.cli.option_values import column_name
from fastgd.cli.shared import flag, option, whole
from fastgd.tables.samples import LARGEST, Reading

PANEL = "The table"

TableFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="A table with a header line: CSV, TSV, both also with .gz, or Parquet."
    ),
]
Sep = Annotated[
    str | None,
    option(
        metavar="SEP",
        help="Separator of cells: , ; tab or | (default: detected).",
        rich_help_panel=PANEL,
    ),
]
Decimal = Annotated[
    str | None,
    option(
        metavar="SIGN",
        help="Decimal sign: . or , (default: detected).",
        rich_help_panel=PANEL,
    ),
]
Drop = Annotated[
    list[str] | None,
    option(
        metavar="NAME",
        parser=column_name,
        help="Column to leave out; repeat it for several.",
        rich_help_panel=PANEL,
    ),
]
MaxCategories = Annotated[
    int,
    whole(
        "--max-categories",
        "Leave out string columns with more than N different values.",
        panel=PANEL,
    ),
]
NoStandardize = Annotated[bool, flag("--no-standardize", "Leave numbers as they are.", panel=PANEL)]
Classification = Annotated[
    bool | None,
    flag(
        "--classification/--regression",
        "Whether the target is categorical (default: strings, booleans, and numbers that are all "
        "0 or 1, are).",
        panel=PANEL,
    ),
]
Raw = Annotated[
    bool | None,
    flag(
        "--raw/--prepare",
        "Take a CSV file of numbers as it is, or prepare any table. Without "
        "either a table is taken as it is if it has numbers only, none missing and no input "
        f"beyond {LARGEST:g}.",
        panel=PANEL,
    ),
]


def reading_of(
    raw: bool | None,
    sep: str | None,
    decimal: str | None,
    drop: list[str] | None,
    max_categories: int,
    no_standardize: bool,
) -> Reading:
    """Return how to read a table; options of prepared tables require one."""
    reading = Reading(raw, sep, decimal, tuple(drop or ()), max_categories, not no_standardize)
    if reading[1:6] == Reading()[1:6]:
        return reading
    if raw:
        raise RefusedError(
            "--raw takes a table as it is: --sep, --decimal, --drop, --max-categories and "
            "--no-standardize don't go with it"
        )
    return reading._replace(raw=False)

"""Options for reading and preparing a table."""

from pathlib import Path
from typing import Any

from fastgd.cli.errors import RefusedError
from fastgd.cli.option_values import column_name
from fastgd.cli.options import argument, option
from fastgd.tables import targets
from fastgd.tables.column_learning import MOST_CATEGORIES, Decisions
from fastgd.tables.samples import LARGEST, Reading

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

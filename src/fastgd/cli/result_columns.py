"""Columns as a CSV file, for a spreadsheet or another program."""

import csv
import re
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from math import isnan
from pathlib import Path
from typing import Any

from fastgd import Sweep
from fastgd.checks.messages import many, value_text
from fastgd.cli.refusals import RefusedError
from fastgd.cli.terminal import complain
from fastgd.store.files import whole_file

# https://owasp.org/www-community/attacks/CSV_Injection. What begins with quotes before such a sign
# gets one more, so that it is known what to remove: one.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@]|[\t\r\n])")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def check_raw_text(raw_text: bool, csv: Path | None) -> None:
    """Reject ``--raw-text`` without a CSV file to write."""
    if raw_text and csv is None:
        raise RefusedError("--raw-text needs --csv FILE.csv")


def write_columns(path: Path, columns: Mapping[str, Iterable[Any]], *, raw_text: bool) -> None:
    """Write columns with a header line; cells that a spreadsheet would run are quoted."""
    quoted = 0

    def harmless(cell: Any) -> Any:
        nonlocal quoted
        if raw_text or not isinstance(cell, str) or not _FORMULA.match(cell):
            return cell
        if _NUMBER.fullmatch(cell):
            return cell
        quoted += 1
        return f"'{cell}"

    with whole_file(path) as file:
        text = TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow(map(harmless, columns))
        writer.writerows(map(harmless, row) for row in zip(*columns.values(), strict=True))
        text.detach()  # flushed, but left open: it is not ours
    if quoted:
        complain(
            f"note: {many(quoted, 'cell')} in {path} might be run by a spreadsheet, and "
            f"{'has' if quoted == 1 else 'have'} a ' in front (--raw-text leaves them as they are)"
        )


def write_table(sweep: Sweep, path: Path, *, raw_text: bool) -> None:
    """Write the columns of a sweep; NaN becomes an empty cell."""
    columns = {
        name: [_cell(name, value) for value in values] for name, values in sweep.columns().items()
    }
    write_columns(path, columns, raw_text=raw_text)


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return "" if isnan(value) else value
    return value if isinstance(value, int | str) else value_text(name, value)

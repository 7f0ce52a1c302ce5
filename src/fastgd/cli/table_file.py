"""A sweep as a table in a file, for a spreadsheet or another program."""

import csv
from io import TextIOWrapper
from math import isnan
from pathlib import Path
from typing import Any

from fastgd import Sweep
from fastgd.arguments.wording import value_text
from fastgd.store.files import whole_file


def write_table(sweep: Sweep, path: Path) -> None:
    """Write the columns of a sweep with a header line; what is no number there stays empty."""
    columns = sweep.columns()
    with whole_file(path) as file:
        text = TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow(columns)
        cells = ([_cell(name, value) for value in values] for name, values in columns.items())
        writer.writerows(zip(*cells, strict=True))
        text.detach()  # flushed, but left open: it is not ours


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return "" if isnan(value) else value
    return value if isinstance(value, int | str) else value_text(name, value)

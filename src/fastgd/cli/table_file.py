"""A sweep as a table in a file, for a spreadsheet or another program."""

import csv
from io import TextIOWrapper
from itertools import product
from pathlib import Path
from typing import Any

from fastgd import Sweep
from fastgd.arguments.wording import value_text
from fastgd.training.files import whole_file

NUMBERS = ("final_error", "status", "iterations", "total_changes")


def write_table(sweep: Sweep, path: Path) -> None:
    """Write a line for each run: its values on the axes, and what became of it.

    The columns are those of :meth:`fastgd.Sweep.to_dataframe`; an optimizer has a name, as on the
    command line, and a column for each of its hyperparameters, empty where it has none.
    """
    cells = [_cells(name, axis) for name, axis in sweep.axes.items()]
    with whole_file(path) as file:
        text = TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow([name for axis in cells for name in axis[0]] + list(NUMBERS))
        numbers = zip(*(getattr(sweep, name).ravel().tolist() for name in NUMBERS), strict=True)
        for place, line in zip(product(*cells), numbers, strict=True):
            writer.writerow([cell for axis in place for cell in axis.values()] + list(line))
        text.detach()  # flushed, but left open: it is not ours


def _cells(name: str, axis: list[Any]) -> list[dict[str, Any]]:
    """For each value of an axis, its cells by their columns."""
    if name != "optimizer":
        return [
            {name: value if isinstance(value, int | float) else value_text(name, value)}
            for value in axis
        ]
    fields = dict.fromkeys(field for optimizer in axis for field in optimizer._fields)
    return [
        {name: optimizer.command} | {field: getattr(optimizer, field, "") for field in fields}
        for optimizer in axis
    ]

"""Warnings about samples, with the names of their file."""

from typing import TYPE_CHECKING

from fastgd.arguments.samples import unreached, unreached_text
from fastgd.cli.console import print_plain
from fastgd.tables.samples import Samples
from fastgd.tables.table_selection import names_text

if TYPE_CHECKING:
    from rich.console import Console


def note_unreached(console: "Console", samples: Samples, outputs: set[str]) -> None:
    """Print which targets these output units never reach."""
    for output in sorted(outputs):
        outside = [samples.targets[column] for column in unreached(output, samples.y)]
        if outside:
            note = f"Note: {unreached_text(output, names_text(outside))}."
            print_plain(console, note, style="yellow")

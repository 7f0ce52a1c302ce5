"""Options that several commands have, declared once.

Typer is an extra: this module is imported where commands are declared, not before.
"""

from pathlib import Path
from typing import Annotated

import typer

_option = typer.Option

Iterations = Annotated[int, _option(metavar="N", help="Updates of the weights.")]
NoHidden = Annotated[bool, _option("--no-hidden", help="No hidden layer.")]
Threads = Annotated[int | None, _option(metavar="N", help="Threads to use (default: all).")]
Json = Annotated[bool, _option("--json", help="Print one JSON object and nothing else.")]
Progress = Annotated[
    bool | None, _option(help="Show a progress bar (default: if stderr is a terminal).")
]
Picture = Annotated[
    Path | None, _option(metavar="FILE", help="Draw the picture: .png, .svg or .pdf.")
]

# A CSV file, or the data of one of the article's experiments: see fastgd.cli.problems.
ProblemFile = Annotated[
    Path | None, typer.Argument(metavar="FILE.csv", help="Numbers, with a header line.")
]
ProblemTarget = Annotated[
    list[str] | None, _option(metavar="NAME", help="Column to learn; repeat it for several.")
]
ProblemHiddenSize = Annotated[
    str | None,
    _option(
        metavar="SIZE",
        help="Units of the hidden layer (default: the experiment's, or 4 for a file), or of "
        "several: 8,8.",
    ),
]

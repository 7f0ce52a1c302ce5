"""Input data of a command: a CSV file, or one of the article's experiments."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastgd.arguments.samples import unreached, unreached_text
from fastgd.article.experiments import EXPERIMENTS
from fastgd.cli.command_options import Declared, argument, column_name, option, read_network
from fastgd.cli.terminal import RefusedError, print_plain
from fastgd.tables.preparation import names_text
from fastgd.tables.table_samples import Samples, read_samples

if TYPE_CHECKING:
    from rich.console import Console


class CommandData(NamedTuple):
    """Samples, their origin, and the default hidden layers."""

    name: str
    samples: Samples
    hidden_size: tuple[int, ...]


class InputOptions(NamedTuple):
    """The options `problem`; no file is read before all options are checked."""

    file: Path | None
    targets: list[str]
    experiment: str
    hidden_size: tuple[int, ...] | None

    def read(self, settings: Mapping[str, Any]) -> CommandData:
        """Read the file, or take the experiment's data; ``settings`` are those of the training.

        Raises
        ------
        OSError, ValueError
            As :func:`fastgd.tables.table_samples.read_samples`.
        """
        if self.file is not None:
            samples = read_samples(self.file, self.targets, settings=settings)
            data = CommandData(str(self.file), samples, (4,))
        else:
            data = _of_article(self.experiment)
        return data if self.hidden_size is None else data._replace(hidden_size=self.hidden_size)


def problem(default: str) -> tuple[Declared, ...]:
    """Declare the options for samples, of a file or of an experiment, and for the network."""
    return (
        argument("file", "FILE.csv", "Numbers, with a header line.", Path),
        option(
            "--target NAME",
            "Column to learn; repeat it for several.",
            list[str],
            read=column_name,
        ),
        option(
            "--experiment NAME",
            f"Data of the article in place of a file: {default} (default), alpha, ...",
        ),
        option(
            "--hidden-size SIZE",
            "Units of the hidden layer (default: the experiment's, or 4 for a file); 8x4 has two "
            "layers, none has none.",
            read=read_network,
        ),
    )


def take_problem(typed: dict[str, Any], default: str) -> InputOptions:
    """Take these options out of what was typed, and reject those that exclude each other."""
    file, targets = typed.pop("file", None), typed.pop("target", [])
    experiment = typed.pop("experiment", None)
    if file is not None and experiment is not None:
        raise RefusedError("FILE.csv and --experiment exclude each other")
    if file is None and targets:
        raise RefusedError("--target needs FILE.csv")
    known = [known.name for known in EXPERIMENTS]
    if experiment is not None and experiment not in known:
        raise RefusedError(f"--experiment must be one of {', '.join(known)}, got {experiment!r}")
    return InputOptions(file, targets, experiment or default, typed.pop("hidden_size", None))


def _of_article(name: str) -> CommandData:
    chosen = next(known for known in EXPERIMENTS if known.name == name)
    X = np.array(chosen.X, dtype=float)
    y = np.array(chosen.y, dtype=float)[:, None]
    inputs = [f"input {i + 1}" for i in range(X.shape[1])]
    return CommandData(
        f"The article's data ({name})", Samples(inputs, ["y"], X, y), chosen.hidden_size
    )


# ---------------------------------------------------------------- notes


def note_unreached(console: "Console", samples: Samples, outputs: set[str]) -> None:
    """Print which targets these output units never reach."""
    for output in sorted(outputs):
        outside = [samples.targets[column] for column in unreached(output, samples.y)]
        if outside:
            note = f"Note: {unreached_text(output, names_text(outside))}."
            print_plain(console, note, style="yellow")

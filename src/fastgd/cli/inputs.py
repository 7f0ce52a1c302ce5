"""Input data of a command: a CSV file, or one of the article's experiments."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastgd.article.experiments import EXPERIMENTS
from fastgd.cli.errors import RefusedError
from fastgd.cli.option_values import read_network
from fastgd.tables.samples import Samples, read_samples


@dataclass(frozen=True)
class CommandData:
    """Samples, their origin, and the default hidden layers."""

    name: str
    samples: Samples
    hidden_size: tuple[int, ...]


@dataclass(frozen=True)
class InputOptions:
    """The parsed options; no file is read before all of them are checked."""

    file: Path | None
    targets: list[str]
    experiment: str
    hidden_size: tuple[int, ...] | None

    def read(self, settings: Mapping[str, Any]) -> CommandData:
        """Read the file, or take the experiment's data; ``settings`` are those of the training.

        Raises
        ------
        OSError, ValueError
            As :func:`fastgd.tables.samples.read_samples`.
        """
        if self.file is not None:
            samples = read_samples(self.file, self.targets, settings=settings)
            problem = CommandData(str(self.file), samples, (4,))
        else:
            problem = _of_article(self.experiment)
        if self.hidden_size is None:
            return problem
        return CommandData(problem.name, problem.samples, self.hidden_size)


def check_asked(
    file: Path | None,
    targets: list[str] | None,
    experiment: str | None,
    hidden_size: str | None,
    default: str,
) -> InputOptions:
    """Reject options that exclude each other."""
    if file is not None and experiment is not None:
        raise RefusedError("FILE.csv and --experiment exclude each other")
    if file is None and targets:
        raise RefusedError("--target needs FILE.csv")
    known = [known.name for known in EXPERIMENTS]
    if experiment is not None and experiment not in known:
        raise RefusedError(f"--experiment must be one of {', '.join(known)}, got {experiment!r}")
    network = None if hidden_size is None else read_network(hidden_size)
    return InputOptions(file, targets or [], experiment or default, network)


def _of_article(name: str) -> CommandData:
    chosen = next(known for known in EXPERIMENTS if known.name == name)
    X = np.array(chosen.X, dtype=float)
    y = np.array(chosen.y, dtype=float)[:, None]
    inputs = [f"input {i + 1}" for i in range(X.shape[1])]
    return CommandData(
        f"The article's data ({name})", Samples(inputs, ["y"], X, y), chosen.hidden_size
    )

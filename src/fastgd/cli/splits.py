"""Validation rows, folds and groups: from options to arguments of the library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import many
from fastgd.cli.command_options import column_name, option
from fastgd.cli.terminal import RefusedError
from fastgd.models.row_splits import ShuffledFolds, held_out
from fastgd.tables.preparation import names_text
from fastgd.tables.reading import NotANumberError
from fastgd.tables.table_samples import RAW, Reading, Samples, read_more, read_samples

PANEL = "Validation"

VALIDATION = (
    option(
        "--validation FILE.csv",
        "Validation set, with the same columns: its error is measured and monitored.",
        Path,
        panel=PANEL,
    ),
    option(
        "--validation-fraction SHARE",
        "Use this share of the rows, drawn at random, as the validation set: 0.2.",
        float,
        panel=PANEL,
    ),
    option(
        "--split-seed N",
        "Seed of the split; none keeps the rows in their order and takes the last ones, or each "
        "fold in turn (default: 0).",
        panel=PANEL,
    ),
)
FOLDS = option(
    "--folds K",
    "Cross-validation: train K times, each time with another K-th of the rows (of each group) as "
    "the validation set.",
    int,
    panel=PANEL,
)
GROUPS = option(
    "--groups NAME",
    "Column of labels, which is then no input: each group of rows has networks of its own.",
    read=column_name,
)


class Given(NamedTuple):
    """Arguments for the library, notes to print, and facts for JSON."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    arguments: dict[str, Any]
    notes: list[str]
    facts: dict[str, Any]


class RowSplit(NamedTuple):
    """The split that was requested."""

    validation: Path | None
    validation_fraction: float | None
    split_seed: int | None  # None: in order
    folds: int | None
    groups: str | None
    takes_groups: bool

    @property
    def how(self) -> str:
        """How rows are drawn, for a note."""
        return f"drawn with seed {self.split_seed} (--split-seed)"

    def read(
        self,
        file: Path,
        targets: list[str],
        reading: Reading = RAW,
        settings: Mapping[str, Any] | None = None,
    ) -> tuple[Samples, Given]:
        """Read the samples and split them; ``settings`` are those of the training.

        Raises
        ------
        OSError, ValueError, TypeError
            As :func:`fastgd.tables.table_samples.read_samples`, or if there are too few rows to split.
        """
        try:
            samples = read_samples(
                file,
                targets,
                self.groups,
                reading=reading,
                settings=settings,
                learned_from=lambda rows: ~self._held_out(rows),
            )
        except NotANumberError as error:
            raise ValueError(self._advised(error, targets)) from error
        X, y = samples.X, samples.y
        arguments: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        notes, sizes = [], np.array([len(X)])
        if self.validation is not None:
            *validation, remarks = read_more(self.validation, samples, file, reading)
            arguments["validation"] = tuple(validation)
            facts["validation_samples"] = len(validation[0])
            rows = many(len(validation[0]), "sample")
            notes += [f"Validation: {rows} of {self.validation}", *remarks]
        if self.validation_fraction is not None:
            held = self._held_out(len(X))
            arguments["validation"] = (X[held], y[held])
            facts |= {"validation_samples": int(held.sum()), "split_seed": self.split_seed}
            how = "the last ones" if self.split_seed is None else self.how
            notes.append(f"Validation: {held.sum():,} of {many(len(X), 'row')}, {how}")
            X, y = X[~held], y[~held]
        if samples.labels is not None:
            labels, sizes = np.unique(samples.labels, return_counts=True)
            arguments["groups"] = samples.labels
            facts["groups_of"] = self.groups
            notes.append(
                f"{many(len(labels), 'group')} by {names_text([str(self.groups)])}, of "
                f"{_range(sizes)}"
            )
        if self.folds is not None:
            if sizes.min() < self.folds:
                needs, whose = f"{self.folds:,} rows", str(file)
                if samples.labels is not None:
                    needs += " in each group"
                    whose = f"group {names_text([str(labels[sizes.argmin()])])}"
                raise ValueError(
                    f"--folds {self.folds} needs at least {needs}, and {whose} has {sizes.min():,}"
                )
            seed, how = self.split_seed, "in their order" if self.split_seed is None else self.how
            arguments["folds"] = self.folds if seed is None else ShuffledFolds(self.folds, seed)
            facts |= {"folds": self.folds, "split_seed": seed}
            each = "" if samples.labels is None else " of every group"
            notes.append(f"Validation: each row once, in {self.folds} folds{each}, {how}")
        return samples, Given(X, y, arguments, notes, facts)

    def _advised(self, error: NotANumberError, targets: list[str]) -> str:
        """The error of a strict reading, with the option that would accept the cell."""
        if targets == [error.column]:
            return f"{error}; --output softmax --loss cross_entropy takes a target of labels"
        if error.column and self.takes_groups and error.column not in targets:
            return f"{error}; --groups NAME takes one column of labels"
        return str(error)

    def _held_out(self, rows: int) -> NDArray[np.bool_]:
        """The rows of --validation-fraction, from which no preparation is learned."""
        if self.validation_fraction is None:
            return np.zeros(rows, dtype=bool)
        held = held_out(rows, self.validation_fraction, self.split_seed)
        if held.all():
            raise ValueError(
                "--validation-fraction must leave a row to train on, got "
                f"{self.validation_fraction:g} of {many(rows, 'row')}"
            )
        return held


def take_split(typed: dict[str, Any], *, takes_groups: bool = False) -> RowSplit:
    """Take these options out of what was typed, and reject those that exclude each other."""
    given = {one.name: typed.pop(one.name, None) for one in (*VALIDATION, FOLDS, GROUPS)}
    seed = given.pop("split_seed")
    split = RowSplit(**given, split_seed=_seed(seed), takes_groups=takes_groups)
    ways = ("validation", "validation_fraction", "folds")
    flags = [f"--{name.replace('_', '-')}" for name in ways if given[name] is not None]
    if len(flags) > 1:
        raise RefusedError(f"{flags[0]} and {flags[1]} exclude each other")
    if split.groups is not None and flags and split.folds is None:
        raise RefusedError(f"--groups and {flags[0]} exclude each other: --folds K goes with both")
    share = split.validation_fraction
    if share is not None and not 0 < share < 1:
        raise RefusedError(
            f"--validation-fraction must be a share above 0 and below 1, got {share:g}"
        )
    if split.folds is not None and split.folds < 2:
        raise RefusedError(f"--folds must be at least 2, got {split.folds}")
    if seed is not None and flags in ([], ["--validation"]):
        raise RefusedError("--split-seed needs --validation-fraction or --folds")
    return split


def _seed(text: str | None) -> int | None:
    if text is None:
        return 0
    if text.strip().lower() == "none":
        return None
    seed = int(text) if text.strip().isdecimal() else -1
    if not 0 <= seed < 2**32:
        raise RefusedError(
            f"--split-seed must be a whole number in [0, 2**32) or none, got {text!r}"
        )
    return seed


def _range(sizes: NDArray[np.int64]) -> str:
    low, high = int(sizes.min()), int(sizes.max())
    return many(high, "row") if low == high else f"{low:,} to {many(high, 'row')}"

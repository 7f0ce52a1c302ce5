"""Validation rows, folds and groups: from options to arguments of the library."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.formatting import many
from fastgd.cli.csv_samples import (
    CsvSamples,
    NotANumberError,
    names_typed,
    no_target,
    read_more,
    read_samples,
)
from fastgd.cli.errors import RefusedError, about
from fastgd.cli.preprocessing import LARGEST, Reading, prepare
from fastgd.cli.shared import number, option, whole
from fastgd.tables.csv_lines import NamelessError, names_text
from fastgd.tables.reading import PARQUET, read_columns
from fastgd.tables.targets import ClassTarget

PANEL = "Validation"

Validation = Annotated[
    Path | None,
    option(
        metavar="FILE.csv",
        help="Validation set, with the same columns: its error is measured and monitored.",
        rich_help_panel=PANEL,
    ),
]
ValidationFraction = Annotated[
    float | None,
    number(
        "--validation-fraction",
        "SHARE",
        "Use this share of the rows, drawn at random, as the validation set: 0.2.",
        panel=PANEL,
    ),
]
Folds = Annotated[
    int | None,
    whole(
        "--folds",
        "Cross-validation: train K times, each time with another K-th of the rows (of each group) "
        "as the validation set.",
        metavar="K",
        panel=PANEL,
    ),
]
SplitSeed = Annotated[
    str | None,
    option(
        metavar="N",
        help="Seed of the split; none keeps the rows in their order and takes the last ones, or "
        "each fold in turn (default: 0).",
        rich_help_panel=PANEL,
    ),
]
Groups = Annotated[
    str | None,
    option(
        metavar="NAME",
        help="Column of labels, which is then no input: each group of rows has networks of its "
        "own.",
    ),
]


STRICT = Reading(raw=True)


class Given(NamedTuple):
    """Arguments for the library, notes to print, and facts for JSON."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    arguments: dict[str, Any]
    notes: list[str]
    facts: dict[str, Any]


class Shuffled:
    """Folds of shuffled rows: those of scikit-learn's KFold(folds, shuffle=True, random_state)."""

    def __init__(self, folds: int, seed: int) -> None:
        self.folds = folds
        self.seed = seed

    def split(self, X: Any, y: Any = None) -> Iterator[tuple[Any, Any]]:  # noqa: ARG002
        """Yield the rows to train on and those held out, for each fold."""
        order = drawn(len(X), self.seed)
        for held in np.array_split(order, self.folds):
            yield np.setdiff1d(order, held), np.sort(held)


class RowSplit(NamedTuple):
    """The split that was requested."""

    validation: Path | None
    validation_fraction: float | None
    seed: int | None  # None: in order
    folds: int | None = None
    groups: str | None = None
    takes_groups: bool = False

    def read(
        self,
        file: Path,
        targets: list[str],
        *,
        in_classes: bool = False,
        reading: Reading = STRICT,
    ) -> tuple[CsvSamples, Given]:
        """Read the samples and split them; ``in_classes`` is whether the target has labels.

        Raises
        ------
        OSError, ValueError
            As :func:`fastgd.cli.csv_samples.read_samples`, or if there are too few rows to split.
        """
        samples = self._samples(file, targets, in_classes, reading)
        X, y = samples.X, samples.y
        if self.validation is not None:
            return samples, self._validated(self.validation, samples, file, reading)
        if self.validation_fraction is not None:
            return samples, self._one_part(X, y, self.validation_fraction)
        arguments: dict[str, Any] = {}
        facts: dict[str, Any] = {}
        notes, sizes = [], np.array([len(X)])
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
            seed = self.seed
            arguments["folds"] = self.folds if seed is None else Shuffled(self.folds, seed)
            facts |= {"folds": self.folds, "split_seed": seed}
            how = "in their order" if seed is None else f"drawn with seed {seed} (--split-seed)"
            each = "" if samples.labels is None else " of every group"
            notes.append(f"Validation: each row once, in {self.folds} folds{each}, {how}")
        return samples, Given(X, y, arguments, notes, facts)

    def _samples(
        self, file: Path, targets: list[str], in_classes: bool, reading: Reading
    ) -> CsvSamples:
        """Plain numbers if the file has them, else a table that is prepared."""
        if file.suffix.lower() in PARQUET and reading.raw:
            raise RefusedError(f"--raw reads CSV only, got {file}")
        if reading.raw is not False and file.suffix.lower() not in PARQUET:
            try:
                samples = read_samples(file, targets, self.groups, in_classes=in_classes)
                if reading.raw or np.abs(samples.X).max() <= LARGEST:
                    return samples
            except NotANumberError as error:
                if reading.raw:
                    raise ValueError(self._advised(error, targets)) from error
            except NamelessError:
                if reading.raw:
                    raise
        if not targets:
            raise ValueError(
                no_target(file, list(read_columns(file, reading.sep, reading.decimal)))
            )
        targets, groups = names_typed(targets, self.groups)
        with about(file):
            table = prepare(file, targets, groups, reading, self._learned_from)
        classes = None
        if isinstance(table.targets[0], ClassTarget):
            classes = list(table.targets[0].classes)
        return CsvSamples(
            list(table.preparation.names), targets, table.X, table.y, table.labels, classes, table
        )

    def _advised(self, error: NotANumberError, targets: list[str]) -> str:
        """The error of a strict reading, with the option that would accept the cell."""
        if error.a_text and targets == [error.column]:
            return f"{error}; --output softmax --loss cross_entropy takes a target of labels"
        if error.a_text and self.takes_groups and error.column not in targets:
            return f"{error}; --groups NAME takes one column of labels"
        return str(error)

    def _validated(self, path: Path, samples: CsvSamples, file: Path, reading: Reading) -> Given:
        notes: list[str] = []
        if samples.prepared is None:
            held = read_more(path, samples, file)
            X, y = held.X, held.y
        else:
            texts = samples.prepared.preparation.texts
            columns = read_columns(path, reading.sep, reading.decimal, texts)
            with about(path):
                X, y, notes = samples.prepared.more(columns)
        notes = [f"Validation: {many(len(X), 'sample')} of {path}", *notes]
        return Given(
            samples.X, samples.y, {"validation": (X, y)}, notes, {"validation_samples": len(X)}
        )

    def _one_part(self, X: Any, y: Any, share: float) -> Given:
        held = self._held_out(len(X), share)
        how = "the last ones"
        if self.seed is not None:
            how = f"drawn with seed {self.seed} (--split-seed)"
        note = f"Validation: {held.sum():,} of {many(len(X), 'row')}, {how}"
        facts = {"validation_samples": int(held.sum()), "split_seed": self.seed}
        arguments = {"validation": (X[held], y[held])}
        return Given(X[~held], y[~held], arguments, [note], facts)

    def _learned_from(self, rows: int) -> NDArray[np.bool_]:
        """The rows that the preparation is learned from: not those of --validation-fraction."""
        if self.validation_fraction is None:
            return np.ones(rows, dtype=bool)
        return ~self._held_out(rows, self.validation_fraction)

    def _held_out(self, rows: int, share: float) -> NDArray[np.bool_]:
        count = ceil(share * rows)
        if count >= rows:
            raise ValueError(
                f"--validation-fraction must leave a row to train on, got {share:g} of "
                f"{many(rows, 'row')}"
            )
        held = np.zeros(rows, dtype=bool)
        order = np.arange(rows)[::-1] if self.seed is None else drawn(rows, self.seed)
        held[order[:count]] = True
        return held


def drawn(rows: int, seed: int) -> NDArray[np.int64]:
    """A permutation of the rows: NumPy never changes this stream."""
    return np.random.RandomState(seed).permutation(rows)


def check_split(
    validation: Path | None,
    validation_fraction: float | None,
    split_seed: str | None,
    folds: int | None = None,
    groups: str | None = None,
    *,
    takes_groups: bool = False,
) -> RowSplit:
    """Reject options that exclude each other."""
    ways = {
        "--validation": validation,
        "--validation-fraction": validation_fraction,
        "--folds": folds,
    }
    given = [flag for flag, value in ways.items() if value is not None]
    if len(given) > 1:
        raise RefusedError(f"{given[0]} and {given[1]} exclude each other")
    if groups is not None and given and folds is None:
        raise RefusedError(f"--groups and {given[0]} exclude each other: --folds K goes with both")
    if validation_fraction is not None and not 0 < validation_fraction < 1:
        raise RefusedError(
            f"--validation-fraction must be a share above 0 and below 1, got "
            f"{validation_fraction:g}"
        )
    if folds is not None and folds < 2:
        raise RefusedError(f"--folds must be at least 2, got {folds}")
    if split_seed is not None and validation_fraction is None and folds is None:
        raise RefusedError("--split-seed needs --validation-fraction or --folds")
    return RowSplit(validation, validation_fraction, _seed(split_seed), folds, groups, takes_groups)


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

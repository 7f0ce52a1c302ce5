"""Options of tables: how one is read, prepared and split, and the samples of it for the library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.samples import unreached, unreached_text
from fastgd.checks.messages import many
from fastgd.cli.command_options import COMMON
from fastgd.cli.refusals import TYPED, RefusedError, flag_of
from fastgd.cli.terminal import print_plain
from fastgd.models.row_splits import ShuffledFolds, held_out
from fastgd.tables.columns import Decisions
from fastgd.tables.preparation import names_text
from fastgd.tables.reading import NotANumberError
from fastgd.tables.table_samples import Samples, read_more, read_samples

READING = "--raw --sep --decimal --drop --keep --max-categories --encoding --no-standardize"
VALIDATION = "--validation --validation-fraction --split-seed"

LEARNING = "--drop, --keep, --max-categories, --encoding and --no-standardize"
"""The options that say how a preparation is learned."""


def take_reading(typed: dict[str, Any]) -> dict[str, Any]:
    """Take these options out of what was typed; options of prepared tables require one.

    Returns arguments of :func:`fastgd.tables.table_samples.read_samples`, without its defaults.
    """
    names = [COMMON[flag].name for flag in READING.split()]
    usual = {name: Decisions._field_defaults.get(name) for name in names}
    given = {name: typed.pop(name, default) for name, default in usual.items()}
    reading = {name: value for name, value in given.items() if value != usual[name]}
    if reading.keys() <= {"raw"}:
        return {"raw": None, **reading}
    if reading.get("raw"):
        raise RefusedError(
            f"--raw takes a table as it is: --sep, --decimal, {LEARNING} don't go with it"
        )
    return reading | {"raw": False}


# ---------------------------------------------------------------- splits


def take_split(typed: dict[str, Any]) -> dict[str, Any]:
    """Take these options out of what was typed, and reject those that exclude each other."""
    ways = ("validation", "validation_fraction", "folds")
    split = {name: typed.pop(name, None) for name in (*ways, "split_seed", "groups")}
    flags = [flag_of(name) for name in ways if split[name] is not None]
    seed, share, folds = split["split_seed"], split["validation_fraction"], split["folds"]
    text = "0" if seed is None else seed.strip().lower()
    split["split_seed"] = int(text) if text.isdecimal() else None
    if text != "none" and not (text.isdecimal() and int(text) < 2**32):
        raise RefusedError(
            f"--split-seed must be a whole number in [0, 2**32) or none, got {seed!r}"
        )
    if len(flags) > 1:
        raise RefusedError(f"{flags[0]} and {flags[1]} exclude each other")
    if split["groups"] is not None and flags and folds is None:
        raise RefusedError(f"--groups and {flags[0]} exclude each other: --folds K goes with both")
    if share is not None and not 0 < share < 1:
        raise RefusedError(
            f"--validation-fraction must be a share above 0 and below 1, got {share:g}"
        )
    if folds is not None and folds < 2:
        raise RefusedError(f"--folds must be at least 2, got {folds}")
    if seed is not None and flags in ([], ["--validation"]):
        raise RefusedError("--split-seed needs --validation-fraction or --folds")
    return split


# ---------------------------------------------------------------- samples


def read_rows(
    file: Path,
    targets: list[str],
    split: Mapping[str, Any],
    reading: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[Samples, dict[str, Any], dict[str, Any], list[str]]:
    """Read the samples of a table and split them; ``settings`` are those of the training.

    Returns the samples, the arguments of a training that are data (X, y, and the validation set,
    folds or groups), facts for JSON, and notes.

    Raises
    ------
    OSError, ValueError, TypeError
        As :func:`fastgd.tables.table_samples.read_samples`, or if there are too few rows to split.
    """
    share, seed, folds = (split[name] for name in ("validation_fraction", "split_seed", "folds"))
    groups = split["groups"]
    try:
        samples = read_samples(
            file,
            targets,
            groups,
            **reading,
            settings=settings,
            learned_from=lambda rows: ~_held_out(rows, share, seed),
        )
    except NotANumberError as error:
        advice = ""
        if targets == [error.column]:
            advice = "; --output softmax --loss cross_entropy takes a target of labels"
        elif error.column and error.column not in targets and "--groups" in TYPED.get():
            advice = "; --groups NAME takes one column of labels"
        raise ValueError(f"{error}{advice}") from error
    X, y = samples.X, samples.y
    data: dict[str, Any] = {"X": X, "y": y}
    facts: dict[str, Any] = {}
    notes, sizes, drawn = [], np.array([len(X)]), f"drawn with seed {seed} (--split-seed)"
    if split["validation"] is not None:
        form = {name: reading.get(name) for name in ("sep", "decimal")}
        *validation, remarks = read_more(split["validation"], samples, file, **form)
        data["validation"] = tuple(validation)
        facts["validation_samples"] = len(validation[0])
        rows = many(len(validation[0]), "sample")
        notes += [f"Validation: {rows} of {split['validation']}", *remarks]
    if share is not None:
        held = _held_out(len(X), share, seed)
        data = {"X": X[~held], "y": y[~held], "validation": (X[held], y[held])}
        facts |= {"validation_samples": int(held.sum()), "split_seed": seed}
        how = "the last ones" if seed is None else drawn
        notes.append(f"Validation: {held.sum():,} of {many(len(X), 'row')}, {how}")
    if samples.labels is not None:
        labels, sizes = np.unique(samples.labels, return_counts=True)
        data["groups"] = samples.labels
        facts["groups_of"] = groups
        low, high = int(sizes.min()), int(sizes.max())
        each = many(high, "row") if low == high else f"{low:,} to {many(high, 'row')}"
        notes.append(f"{many(len(labels), 'group')} by {names_text([str(groups)])}, of {each}")
    if folds is not None:
        if sizes.min() < folds:
            needs, whose = f"{folds:,} rows", str(file)
            if samples.labels is not None:
                needs += " in each group"
                whose = f"group {names_text([str(labels[sizes.argmin()])])}"
            raise ValueError(
                f"--folds {folds} needs at least {needs}, and {whose} has {sizes.min():,}"
            )
        data["folds"] = folds if seed is None else ShuffledFolds(folds, seed)
        facts |= {"folds": folds, "split_seed": seed}
        each = "" if samples.labels is None else " of every group"
        how = "in their order" if seed is None else drawn
        notes.append(f"Validation: each row once, in {folds} folds{each}, {how}")
    return samples, data, facts, notes


def _held_out(rows: int, share: float | None, seed: int | None) -> NDArray[np.bool_]:
    """The rows of --validation-fraction, from which no preparation is learned."""
    if share is None:
        return np.zeros(rows, dtype=bool)
    held = held_out(rows, share, seed)
    if held.all():
        raise ValueError(
            "--validation-fraction must leave a row to train on, got "
            f"{share:g} of {many(rows, 'row')}"
        )
    return held


def note_unreached(samples: Samples, outputs: set[str]) -> None:
    """Print which targets these output units never reach."""
    for output in sorted(outputs):
        outside = [samples.targets[column] for column in unreached(output, samples.y)]
        if outside:
            note = f"Note: {unreached_text(output, names_text(outside))}."
            print_plain(note, style="yellow")

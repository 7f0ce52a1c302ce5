"""Hashes of the samples that a result was trained on: whoever resumes it must have the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastgd.arguments.samples import TrainingData
from fastgd.arguments.subsets import Partition
from fastgd.checks.messages import warn
from fastgd.checks.numbers import FloatArray
from fastgd.store import described
from fastgd.training.codec import need

Hashes = dict[str, str]
"""For each array of :attr:`TrainingData.samples` its dtype, shape and SHA-256, as in a manifest."""

ANY_SAMPLES: Hashes = {}
"""In place of a run's hashes: it may be resumed with other samples, as estimators do."""

_NAMES = ("X", "y", "gradients", "validation_X", "validation_y", "validation_weight")

_HASH = re.compile(r"float64 \((\d+,|\d+(, \d+)+)\) [0-9a-f]{64}")


def hashes_of(samples: Mapping[str, FloatArray]) -> Hashes:
    """The hashes of these arrays."""
    return {name: described(array) for name, array in samples.items()}


def with_hashes(partition: Partition | None, task: TrainingData) -> Partition | None:
    """A partition with the hashes of each (group, fold), but for the weights of validation."""
    if partition is None or partition.hashes:
        return partition
    parts = map(partition.part, range(0, len(partition), partition.weightings))
    each = (hashes_of(task.of(part._replace(held_weight=None)).samples) for part in parts)
    return replace(partition, hashes=tuple(each))


def check_same_samples(before: Hashes | None, now: Hashes, whose: str) -> None:
    """Raise unless the samples are those of the resumed result; warn if its file has no hashes."""
    if before is None:
        warn(
            f"{whose} has no hashes of its samples, as fastgd 0.2.0 or older made it: whether X, "
            "y, gradients and validation are the same is not checked"
        )
        return
    names = before and [name for name in _NAMES if before.get(name) != now.get(name)]
    if names:
        both = [(name, before.get(name, "none "), now.get(name, "none ")) for name in names]
        found = (f"{name.replace('_', ' ')} {_difference(old, new)}" for name, old, new in both)
        raise ValueError(
            f"resume needs the samples that {whose} was trained on (X, y, gradients and validation "
            f"as they were), got {' and '.join(found)}"
        )


def _difference(old: str, new: str) -> str:
    """How an array differs, by its hashes: in its shape, or in its values only."""
    (was, _), (shape, _) = (each.removeprefix("float64 ").rsplit(" ", 1) for each in (old, new))
    return "of other values" if was == shape else f"of shape {shape}, not {was}"


def check_hashes(value: Any) -> Hashes:
    """Check hashes that were read from a file."""
    hashes = dict(value)
    need({"X", "y"} <= hashes.keys() <= {*_NAMES})
    need(all(map(_HASH.fullmatch, hashes.values())))
    return hashes

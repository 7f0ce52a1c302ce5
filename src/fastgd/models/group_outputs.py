"""Outputs and errors of the networks of groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.groups import Integers, rows_of
from fastgd.engine.prediction import predict_parts
from fastgd.engine.session import available_threads
from fastgd.models.group_training import BoolArray, TrainedGroups
from fastgd.models.scaling import Scaling
from fastgd.tables.targets import NumberTarget, Target


def outputs_of(
    trained: TrainedGroups, inputs: Scaling, outputs: Scaling, prepared: FloatArray, codes: Integers
) -> FloatArray:
    """Outputs (rows, outputs) for prepared rows of these groups.

    A group without a network gets the mean of its targets; rows without a group (-1) get NaN.
    """
    result = np.full((len(codes), outputs.mean.shape[1]), np.nan)
    known = np.flatnonzero(codes >= 0)
    result[known] = outputs.mean[codes[known]]
    number = np.full(len(codes), -1)
    number[known] = trained.places[codes[known], 0]
    for k, sweep in enumerate(trained.sweeps):
        mine = np.flatnonzero(number == k)
        if not len(mine):
            continue
        own = codes[mine]
        present, sizes = np.unique(own, return_counts=True)
        [network], [kept] = sweep.networks, sweep.kept_weights or ()
        found = np.empty((1, len(mine), result.shape[1]))
        predict_parts(
            network,
            sweep.method,
            kept[trained.places[present, 1]][:, None],
            inputs.apply(prepared[mine], own),
            rows_of(np.argsort(own, kind="stable"), sizes),
            {},
            available_threads(),
            found,
        )
        result[mine] = outputs.undo(found[0], own)
    return result


def measured(
    target: Target,
    outputs: FloatArray,
    targets: FloatArray,
    codes: Integers,
    held: BoolArray,
    trained: TrainedGroups,
) -> dict[str, NDArray[Any]]:
    """Number of rows, errors and status of each group."""
    if isinstance(target, NumberTarget):
        wrong = np.abs(outputs[:, 0] - targets[:, 0]) * target.scale
    else:
        wrong = (outputs.argmax(axis=1) != targets.argmax(axis=1)).astype(float)
        wrong[np.isnan(outputs).any(axis=1)] = np.nan
    groups = len(trained.places)
    counts = {part: np.bincount(codes[held == part], minlength=groups) for part in (False, True)}
    with np.errstate(invalid="ignore"):
        errors = {
            part: np.bincount(codes[held == part], wrong[held == part], groups) / count
            for part, count in counts.items()
        }
    status = np.full(groups, "constant", dtype="U16")
    for k, sweep in enumerate(trained.sweeps):
        mine = trained.places[:, 0] == k
        status[mine] = sweep.status.ravel()[trained.places[mine, 1]]
    return {
        "rows": counts[False] + counts[True],
        "validation_rows": counts[True],
        "training_error": errors[False],
        "validation_error": errors[True],
        "status": status,
    }

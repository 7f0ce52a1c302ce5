"""sweep(): the loop over all combinations of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.axes import as_axis
from fastgd.arguments.declarations import FIELDED
from fastgd.arguments.options import axes
from fastgd.arguments.samples import check_samples
from fastgd.arguments.subsets import Subset, check_partition
from fastgd.optimizers import Hyperparameters
from fastgd.reference.training import train
from fastgd.training.run import Run
from fastgd.training.sweep_axes import COMBINATION, SweepAxes

_NO_OPTIONS = (
    *("iterations", "record_every", "record_weights", "record_predictions"),
    *("weights", "biases"),
)


def sweep(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: Any = 4,
    gradients: ArrayLike | None = None,
    groups: Any = None,
    folds: Any = None,
    sample_weight: Any = None,
    alpha: Any = 1.0,
    seed: Any = 1,
    combinations: Any = None,
    validation: Sequence[ArrayLike | None] | None = None,
    **given: Any,
) -> dict[tuple[int, ...], Run]:
    """Train the runs of a sweep one by one with `train`, each with its own rows and values.

    Parameters
    ----------
    X, y, gradients
        As in `train`.
    hidden_size, alpha, seed
        As in `train`, or an axis of such values.
    combinations
        As in :func:`fastgd.sweep`.
    groups, folds, sample_weight
        As in :func:`fastgd.sweep`: each makes an axis, ``sample_weight`` only if it is 2-D.
    validation
        As in `train`, for all networks; not with groups or folds.
    **given
        Everything else that `train` takes; options may be axes as in :func:`fastgd.sweep`.

    Returns
    -------
    dict of Run
        Keyed by the indices along the axes, which are those of :func:`fastgd.sweep`, in their
        order.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Examples
    --------
    >>> from fastgd import reference
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> runs = reference.sweep(X, y, folds=2, alpha=[1, 10], iterations=50)
    >>> list(runs)
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    >>> round(runs[1, 0].final_validation_error, 6)
    0.623433
    """
    X, y = check_samples(X, y, given)
    partition = check_partition(X, y, groups=groups, folds=folds, sample_weight=sample_weight)
    if validation is not None and not (groups is None and folds is None):
        raise ValueError("validation must be None with groups or folds, got both")
    structures, values = axes({name: v for name, v in given.items() if name not in _NO_OPTIONS})
    single = {"hidden_size": hidden_size, "alpha": alpha, "seed": seed, **given}
    sweep_axes = SweepAxes.of(
        {name: as_axis(name, single[name]) for name in ("hidden_size", "alpha", "seed")}
        | structures
        | values
        | (partition.axes if partition else {})
        | {COMBINATION: combinations}
    )
    runs = {}
    for place in np.ndindex(*sweep_axes.shape):
        chosen = sweep_axes.values(place)
        rows, weight, held, held_weight = Subset(np.arange(len(X)), sample_weight, None, None)
        if partition:
            along = [axis.index(chosen.pop(name)) for name, axis in partition.axes.items()]
            lengths = [len(axis) for axis in partition.axes.values()]
            rows, weight, held, held_weight = partition.part(
                int(np.ravel_multi_index(along, lengths))
            )
        measured = validation if held is None else (X[held], y[held], held_weight)
        runs[place] = train(
            X[rows],
            y[rows],
            gradients=None if gradients is None else np.asarray(gradients)[rows],
            sample_weight=weight,
            validation=measured,
            **_with_fields(single, chosen),
        )
    return runs


def _with_fields(single: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """The arguments of one run; fields of an optimizer or schedule are put into it."""
    own = single | chosen
    for option in FIELDED:
        holder = own.get(option)
        if isinstance(holder, Hyperparameters):
            fields = {name: own.pop(name) for name in holder.hyperparameters if name in own}
            own[option] = holder._replace(**fields)
    return own

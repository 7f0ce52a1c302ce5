"""fit_groups(): train a network for each group of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.values import (
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_path,
    check_seed,
    rule_of,
)
from fastgd.hyperparameters import Hyperparameters
from fastgd.models.group_models import GroupModels
from fastgd.models.group_outputs import measured, outputs_of
from fastgd.models.group_settings import check_batch, check_settings, completed
from fastgd.models.group_table import GroupTable, read_groups
from fastgd.models.group_training import (
    HOLDING_OUT,
    TOO_SMALL,
    GroupRows,
    TrainedGroups,
    hold_out,
    train_all_rows,
    train_groups,
)
from fastgd.models.scaling import Scaling
from fastgd.store.files import PathLike, is_file, is_folder
from fastgd.store.folder import Folder
from fastgd.store.manifest import described
from fastgd.store.npz import Arrays
from fastgd.tables.targets import ClassTarget
from fastgd.training.stored_options import as_json
from fastgd.workers.worker_options import check_worker_options

if TYPE_CHECKING:
    import pandas

_START, _UNKNOWN = "start.npz", "unknown.npz"
"""File names of the networks of all groups, in a folder."""


def fit_groups(
    df: pandas.DataFrame | Mapping[str, Any],
    by: str | Sequence[str],
    target: str,
    *,
    inputs: Sequence[str] | None = None,
    classification: bool | None = None,
    unknown: str = "nan",
    start: str = "global",
    standardize: str = "group",
    validation_fraction: float = 0.2,
    min_rows: int = 10,
    split_seed: int = 0,
    hidden_size: Any = 16,
    alpha: Any = 0.01,
    iterations: int = 500,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
    progress: bool = False,
    **options: Any,
) -> GroupModels:
    """Train a network for each group of a table, all of them in one sweep.

    Columns are prepared: numbers are standardized, strings and booleans are one-hot encoded,
    missing numbers are flagged. A validation set is drawn from each group; it stops the group's
    training, and the weights with the smallest validation error are kept.

    Parameters
    ----------
    df : pandas.DataFrame or mapping of str to (rows,) arrays
    by : str or sequence of str
        The column, or columns, whose labels define the groups. Rows without a label are left out.
    target : str
        The column to predict: numbers, or classes. Rows without it are left out.
    inputs : sequence of str, optional
        The columns to learn from; all others by default.
    classification : bool, optional
        Whether to predict classes. By default, if the target holds strings, booleans, or only the
        numbers 0 and 1.
    unknown : {"nan", "global"}
        What :meth:`GroupModels.predict` returns for unknown groups: NaN, or the prediction of a
        network trained on the rows of all groups (at most 20,000, drawn).
    start : {"global", "own"}
        What the networks start from: a network trained on the rows of all groups (at most 20,000,
        drawn), or initial weights drawn with ``seed``. Groups have few rows: starting from the
        global network, they needn't learn again what they have in common.
    standardize : {"group", "global"}
        Whether inputs, and a numeric target, are standardized to mean 0 and standard deviation 1
        within each group, or over the whole table.
    validation_fraction : float
        Fraction of the rows of each group in its validation set, in [0, 1).
    min_rows : int
        A group with fewer rows has no validation set: it is trained on all its rows, for the median
        number of iterations that were best for the other groups. At least 2.
    split_seed : int
        Seed of the draw of the validation sets.
    hidden_size, iterations, executor, threads, threads_per_worker, progress
        As in :func:`fastgd.sweep`. The network that all groups start from is trained in this
        process.
    out : path, optional
        A folder where networks are saved as soon as they are trained: if the call is interrupted,
        the same call resumes. The folder is created if needed, and not deleted; the result doesn't
        depend on it.
    alpha : float or list of float
        As in :func:`fastgd.train`. ``alpha``, ``l1``, ``l2`` and ``dropout`` may be lists: each
        group keeps the combination with the smallest validation error.
    **options
        See :class:`fastgd.arguments.options.Options`. Some defaults differ here: tanh, bias, Glorot
        initialization, Adam, ``reduction="mean"``, and with a validation set ``patience=30`` and
        ``restore_best=True``; outputs are ``"identity"`` for numbers, and ``"softmax"`` with
        ``loss="cross_entropy"`` for classes.

    Returns
    -------
    GroupModels

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or a column or the folder holds something else; the
        message states the rule and what came.
    OSError
        If the folder can't be created, read or written to.

    Notes
    -----
    If all training targets of a group are the same (as in a group of one row), that value is
    predicted, without a network; the status of the group is "constant". The scaling of inputs and
    targets of a group is computed from its training rows.

    A group's network is bit-identical to :func:`fastgd.train` on its prepared rows alone.

    Examples
    --------
    >>> import fastgd
    >>> import numpy as np
    >>> table = {"shop": ["Bonn", "Oslo", "Rome"] * 40, "price": np.linspace(1, 2, 120)}
    >>> table["sales"] = np.array([30, 20, 10] * 40) - 5 * table["price"]
    >>> models = fastgd.fit_groups(table, by="shop", target="sales")
    >>> models
    GroupModels(sales by shop: 3 groups, 120 rows; median validation error 0.0143447)
    >>> models.predict({"shop": ["Rome", "Bonn", "Lima"], "price": [1.6, 1.4, 1.5]}).round()
    array([ 2., 23., nan])
    >>> list(models.errors)
    ['shop', 'rows', 'validation_rows', 'training_error', 'validation_error', 'status']
    """
    check_choice("unknown", unknown, ("nan", "global"))
    check_choice("start", start, ("global", "own"))
    check_choice("standardize", standardize, ("group", "global"))
    share = check_number("validation_fraction", validation_fraction, rule_of("[0, 1)"))
    least = check_count("min_rows", min_rows, minimum=2)
    draw = check_seed(split_seed, "split_seed")
    check_worker_options(executor, threads, threads_per_worker)
    how = {
        "executor": executor,
        "threads": threads,
        "threads_per_worker": threads_per_worker,
        "progress": check_flag("progress", progress),
    }
    path = None if out is None else check_path("out", out)
    given = {"hidden_size": hidden_size, "alpha": alpha, "iterations": iterations}
    given |= {"record_every": iterations} | options
    given = check_settings(given, watching=share > 0)
    if classification is not None:
        classification = check_flag("classification", classification)
    table = read_groups(
        df, by, target, inputs, classification, lambda c, n: hold_out(c, n, share, least, draw)
    )
    is_class = isinstance(table.target, ClassTarget)
    settings = completed(given, is_class=is_class, watching=share > 0)

    groups, codes = len(table.keys), table.codes
    held = table.held
    check_batch(given.get("batch_size"), table)
    if path is not None:
        own_arguments: dict[str, Any] = {
            "validation_fraction": share,
            "min_rows": least,
            "split_seed": draw,
        }
        own_arguments |= {"unknown": unknown, "start": start, "standardize": standardize}
        _settle(path, table, target, own_arguments | settings)
    own = Scaling.of_groups(table.targets[~held], codes[~held], groups)
    constant = (own.scale == 0).all(axis=1)
    by_group = standardize == "group"
    of_inputs = _inputs(table, ~held, by_group=by_group, shared=start == "global")
    of_outputs = _outputs(own, constant, by_group=by_group and not is_class)
    whole = GroupRows(table.inputs, table.targets, codes, held)
    varied = ~constant[codes]
    rows = GroupRows(
        of_inputs.apply(table.inputs[varied], codes[varied]),
        of_outputs.apply(table.targets[varied], codes[varied]),
        codes[varied],
        held[varied],
    )
    trained = TrainedGroups((), np.full((groups, 2), -1))
    if varied.any():
        file = path and path / _START
        shared = train_all_rows(rows, settings, draw, file) if start == "global" else None
        trained = train_groups(rows, groups, settings, shared, path, **how)
    outputs = outputs_of(trained, of_inputs, of_outputs, table.inputs, codes)
    fallback = None
    if unknown == "global":
        fallback = train_all_rows(whole, settings, draw, path and path / _UNKNOWN)
    return GroupModels(
        keys=table.keys,
        preparation=table.preparation,
        target=table.target,
        inputs=of_inputs,
        outputs=of_outputs,
        trained=trained,
        fallback=fallback,
        measured=measured(table.target, outputs, table.targets, codes, held, trained),
        notes=table.notes,
    )


def _settle(path: Path, table: GroupTable, target: str, arguments: dict[str, Any]) -> None:
    """Create or check the folder for this table and these arguments."""
    arrays: Arrays = {}
    rows = {"groups": table.codes, "inputs": table.inputs, "targets": table.targets}
    asked = {
        "by": table.keys.names,
        "target": target,
        **{name: as_json(_listed(value), arrays) for name, value in arguments.items()},
        **{name: described(array) for name, array in (rows | {"held": table.held}).items()},
    }
    Folder.create(path, "models of groups", asked, {}, arrays, chunk_count=0)
    for file in (_START, _UNKNOWN):
        is_file(path / file, path)
    for folder in (HOLDING_OUT, TOO_SMALL):
        is_folder(path / folder)


def _listed(value: Any) -> Any:
    """Convert NumPy numbers and arrays to Python's, for JSON."""
    if isinstance(value, Hyperparameters):
        return value
    if isinstance(value, (list, tuple)):
        return [_listed(one) for one in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _inputs(
    table: GroupTable, learned: NDArray[np.bool_], *, by_group: bool, shared: bool
) -> Scaling:
    """The scaling of inputs in each group."""
    groups, codes = len(table.keys), table.codes[learned]
    if not by_group:
        return Scaling.none(groups, table.inputs.shape[1])
    mean, scale = Scaling.of_groups(table.inputs[learned], codes, groups)
    # An input that is constant within a group tells nothing there. The global network, if all start
    # from it, knows its effect elsewhere; a network of its own would have random, untrained weights
    # for it, so its scale is infinite.
    within = Scaling(mean, scale).within(codes)
    idle = np.where(within > 0, within, np.inf) if shared else np.inf
    return Scaling(mean, np.where(scale > 0, scale, idle))


def _outputs(own: Scaling, constant: NDArray[np.bool_], *, by_group: bool) -> Scaling:
    """The scaling of outputs in each group; constant groups get their constant."""
    if by_group:
        return own
    fixed = constant[:, None]
    return Scaling(np.where(fixed, own.mean, 0.0), np.where(fixed, 0.0, np.ones_like(own.scale)))

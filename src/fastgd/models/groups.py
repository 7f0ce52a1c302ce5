"""fit_groups(): train a network for each group of a table."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from fastgd.arguments import options
from fastgd.arguments.axes import axes_among
from fastgd.arguments.initial_network import check_alphas, check_hidden_size
from fastgd.arguments.signatures import taking
from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    FloatArray,
    Seed,
    check_choice,
    check_count,
    check_flag,
    check_memory,
    check_number,
    check_path,
    check_seed,
    rule_of,
)
from fastgd.engine.devices import CPU
from fastgd.engine.progress import ProgressHook, check_progress
from fastgd.formulas.named import loss_of
from fastgd.models.changes import last_value, learns_changes
from fastgd.models.cutoffs import (
    CUTOFFS,
    Cutoffs,
    Forecasts,
    Judged,
    Split,
    naive_forecasts,
    seasons_of,
)
from fastgd.models.fit_choices import check_lags
from fastgd.models.group_keys import Keys
from fastgd.models.group_models import GroupModels
from fastgd.models.group_training import (
    SELECTED,
    START,
    GroupRows,
    Scaling,
    Stages,
    errors_of,
    train_all_rows,
)
from fastgd.models.intervals import JUDGED_AT, Intervals
from fastgd.models.lags import Lags
from fastgd.models.model import Table
from fastgd.models.row_splits import RowOrder, complete, encode_rows, hold_out, time_order
from fastgd.optimizers import Adam, Axis, Hyperparameters
from fastgd.store import Arrays, PathLike, hashes_of
from fastgd.store.files import is_file
from fastgd.store.folder import Folder
from fastgd.tables.columns import MOST_CATEGORIES, Decisions, Encoding
from fastgd.tables.notations import numbers_written
from fastgd.tables.preparation import (
    Preparation,
    column_name,
    column_names,
    some_rows,
    with_targets,
    without,
)
from fastgd.tables.reading import columns_from
from fastgd.tables.targets import ClassTarget, NumberTarget, Target, leaks, learn_target, notes_of
from fastgd.training.codec import JsonValues
from fastgd.training.stored_results import as_json
from fastgd.workers.run_job import check_worker_options

_DEFAULTS: dict[str, Any] = {
    "activation": "tanh",
    "bias": True,
    "init": "glorot",
    "optimizer": Adam(),
    "reduction": "mean",
}
_WATCHING = {"patience": 30, "restore_best": True}

_NOT_TAKEN = (
    "groups", "folds", "validation", "weights", "biases", "sample_weight", "resume", "samples",
    "change", "keep_weights", "keep_state", "record_weights", "record_predictions", "summary",
    "measure", "measure_every", "measure_layers", "stop",
)  # fmt: skip

_OF_A_TRAINING = ("hidden_size", "alpha", "iterations", "record_every", "seed")
"""Arguments that a training names itself; all other settings are its options."""


def check_settings(given: dict[str, Any], *, watching: bool) -> dict[str, Any]:
    """Return the settings, with lists where groups select; no table has been read yet.

    They are checked whether or not any group uses them. ``watching`` is whether rows are held out.
    """
    for name in _NOT_TAKEN:
        if name in given:
            raise ValueError(f"{name} must be left out of fit_groups, got {shown(given[name])}")
    chosen = {name: value for name, value in given.items() if name not in _OF_A_TRAINING}
    structures, values = options.axes(
        chosen, arguments=("validation_fraction", "test_fraction", "classification")
    )
    lists = axes_among({name: given[name] for name in _OF_A_TRAINING if name in given})
    lists |= structures | values
    for name, axis in lists.items():
        why = "" if watching else " without a validation set to select by"
        if name not in SELECTED:
            why = f": each group selects among lists of {', '.join(SELECTED)} only"
        if why:
            raise ValueError(f"{name} must be one value{why}, got {shown(given.get(name, axis))}")
    hidden = check_hidden_size(given["hidden_size"])
    check_alphas(lists.get("alpha", [given["alpha"]]), len(hidden) + 1)
    iterations = check_count("iterations", given["iterations"])
    check_count("record_every", given["record_every"])
    given = given | {"seed": check_seed(given["seed"])}
    all_of_them = _DEFAULTS | (_WATCHING if watching else {}) | chosen
    found = options.check_sweep(
        all_of_them, options.axes(all_of_them), [hidden], None, holds_out=watching
    )
    options.check_updates(found.methods, iterations)
    units = loss_of(chosen.get("loss", "squared")).units
    if units > 1:
        raise ValueError(
            f"loss must have one output for each target, got one with {units}: "
            f"{shown(chosen['loss'])}"
        )
    return given | lists


def completed(settings: dict[str, Any], *, is_class: bool, watching: bool) -> dict[str, Any]:
    """Return the settings completed with defaults, some of which depend on the target."""
    unit = {"output": "softmax", "loss": "cross_entropy"} if is_class else {"output": "identity"}
    found = _DEFAULTS | unit | (_WATCHING if watching else {}) | settings
    if not is_class and found["output"] != "identity":
        raise ValueError(
            "output must be 'identity' for a numeric target, which is standardized, "
            f"got {shown(found['output'])}"
        )
    if not is_class and found.get("loss") in ("cross_entropy", "poisson"):
        raise ValueError(
            "loss must allow numbers below and above 0, since a numeric target is standardized, "
            f"got {shown(found['loss'])}"
        )
    return found


# ---------------------------------------------------------------- fit_groups()


_UNKNOWN = "unknown.npz"
"""File of the network for unknown groups."""


@taking(without=_NOT_TAKEN, defaults=_DEFAULTS | _WATCHING | {"output": "identity"}, axes=SELECTED)
def fit_groups(
    df: Table,
    by: str | Sequence[str],
    target: str,
    *,
    inputs: Sequence[str] | None = None,
    drop: Collection[str] = (),
    keep: Collection[str] = (),
    max_categories: int = MOST_CATEGORIES,
    encoding: Encoding = "one-hot",
    classification: bool | None = None,
    unknown: Literal["nan", "global"] = "nan",
    start: Literal["global", "own"] = "global",
    standardize: Literal["group", "global"] = "group",
    model: Literal["network", "best"] = "network",
    validation_fraction: float = 0.2,
    test_fraction: float = 0.2,
    test_last: str | int | None = None,
    horizon: int | None = None,
    cutoffs: int | None = None,
    lags: int = 0,
    min_rows: int = 10,
    split_seed: Seed = 0,
    hidden_size: int | tuple[int, ...] = 16,
    alpha: float | tuple[float, ...] | Axis[float] | None = None,
    iterations: int = 500,
    seed: Seed = 1,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    threads_per_worker: int = 1,
    device: str = CPU,
    progress: bool | ProgressHook = False,
    **options: Any,
) -> GroupModels:
    """Train a network for each group of a table, all of them in one sweep.

    Columns are prepared: numbers are standardized, strings and booleans are one-hot encoded,
    missing numbers are flagged. From each group a validation set and a test set are drawn. The
    validation set finds the iteration, and the setting, with the smallest error. Then the networks
    are trained again for as many iterations on all rows but the test set, which judges them; and
    once more on all rows: these networks are returned.

    Parameters
    ----------
    df : DataFrame, mapping of str to (rows,) arrays, or path
        A path is that of a CSV or TSV file, also compressed (.gz), or a Parquet file.
    by : str or sequence of str
        The column, or columns, whose labels define the groups. Rows without a label are left out.
    target : str
        The column to predict: numbers, or classes. Rows without it are left out.
    inputs : sequence of str, optional
        The columns to learn from, even those that only number or name the rows. By default all
        others, except such ones.
    drop, keep, max_categories, encoding
        As in :func:`fastgd.fit`.
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
    model : {"network", "best"}
        What predicts: each group's network; or the one of four with the smallest error on the
        group's validation set, averaged with those of all groups if it has few rows: the group's
        network, the network of all groups, a ridge (a linear model with an L2 penalty) or the mean.
    validation_fraction, test_fraction : float
        Fractions of the rows of each group in its validation set and its test set, in [0, 1). Their
        sum must be below 1. Without test sets there are no test errors.
    test_last : str, optional
        A column of numbers or dates that orders the rows of each group in time. Then the models are
        judged as forecasts (rolling origin: Tashman, International Journal of Forecasting 2000):
        for each of several cutoffs everything is learned from rows before it, and judged on the
        steps after it; errors are means over the cutoffs. It takes about ``cutoffs`` + 1 times as
        long. The column stays an input.
    horizon : int, optional
        With ``test_last``: how many steps (different values of that column in a group) a forecast
        reaches. By default the cutoffs together cover about ``test_fraction`` of a group.
    cutoffs : int, optional
        With ``test_last``: their number, by default 3. They are ``horizon`` steps apart, or fewer
        if less than a third of a group would be left before the first one.
    lags : int
        With ``test_last``: the last values of the target in the group, this many, become inputs, as
        in :func:`fastgd.fit`; after a cutoff those known at the cutoff.
    min_rows : int
        A group with fewer rows is trained with the setting that was best for all other groups, for
        the median of their iterations. At least 2.
    split_seed : int, Generator or SeedSequence
        Seed of the draw of the validation and test sets; see ``seed`` of :func:`fastgd.train`.
    hidden_size, iterations, seed, executor, threads, threads_per_worker, device, progress
        As in :func:`fastgd.sweep`. The network that all groups start from is trained in this
        process, on the CPU: for a single one a GPU is slower.
    out : path, optional
        A folder where networks are saved as soon as they are trained: if the call is interrupted,
        the same call resumes. The folder is created if needed, and not deleted; the result doesn't
        depend on it.
    alpha : float or list of float, optional
        As in :func:`fastgd.train`; by default 0.01, or 1 with ``optimizer=LevenbergMarquardt()``,
        which is for groups with hardly any noise. ``alpha``, ``l1``, ``l2`` and ``dropout`` may be
        lists: each group keeps the combination with the smallest validation error.
    OPTIONS
    **parameters : float
        As in :func:`fastgd.train`, with some other defaults. Without a validation set there are no
        ``patience`` and ``restore_best``. For classes ``output`` is "softmax" and ``loss``
        "cross_entropy".

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
    DeviceError
        If there is no such GPU, or it can't be used.

    Notes
    -----
    If all targets of a group are the same (as in a group of one row), that value is predicted,
    without a network; the status of the group is "constant". Preparation and scaling are learned
    from the rows that the networks learn from: those that judge have no part in it. Only the
    scaling of the groups is learned again from all rows.

    The numbers of iterations found best are rounded to powers of two (the groups with the same
    number are trained together). A group's network is bit-identical to :func:`fastgd.train` on its
    prepared rows alone.

    Examples
    --------
    >>> import fastgd
    >>> import numpy as np
    >>> table = {"shop": ["Bonn", "Oslo", "Rome"] * 40, "price": np.linspace(1, 2, 120)}
    >>> table["sales"] = np.array([30, 20, 10] * 40) - 5 * table["price"]
    >>> models = fastgd.fit_groups(table, by="shop", target="sales")
    >>> models
    GroupModels(sales by shop: 3 groups, 120 rows; median test error 0.00986351; best: ridge 3)
    >>> models.predict({"shop": ["Rome", "Bonn", "Lima"], "price": [1.6, 1.4, 1.5]}).round()
    array([ 2., 23., nan])
    >>> list(models.errors)
    ['shop', 'rows', 'test_rows', 'training_error', 'test_error', 'status']
    """
    check_choice("unknown", unknown, ("nan", "global"))
    check_choice("start", start, ("global", "own"))
    check_choice("standardize", standardize, ("group", "global"))
    check_choice("model", model, ("network", "best"))
    share, test_share = _checked_shares(validation_fraction, test_fraction, model)
    least = check_count("min_rows", min_rows, minimum=2)
    draw = check_seed(split_seed, "split_seed")
    most = check_count("max_categories", max_categories, minimum=0)
    decisions = Decisions(drop, most, keep=keep, encoding=encoding, seed=draw)
    decisions.check()
    check_worker_options(executor, threads, threads_per_worker, device=device)
    how: dict[str, Any] = {"executor": executor, "device": device, "threads": threads}
    how |= {"threads_per_worker": threads_per_worker, "progress": check_progress(progress)}
    path = None if out is None else check_path("out", out)
    if alpha is None:
        alpha = 1.0 if getattr(options.get("optimizer"), "second_order", False) else 0.01
    given = {"hidden_size": hidden_size, "alpha": alpha, "iterations": iterations}
    given |= {"record_every": iterations, "seed": seed} | options
    given = check_settings(given, watching=share > 0)
    if classification is not None:
        classification = check_flag("classification", classification)
    count = _checked_cutoffs(test_last, horizon, cutoffs, test_share)
    lags = check_lags(lags, test_last)
    table = _read(columns_from(df), by, target, inputs, decisions, classification, test_last)
    keys, order, shares = table.keys, table.order, (share, test_share)
    plan: Cutoffs | None = None
    if order is not None and table.time is not None:
        plan = Cutoffs.of(
            order, table.time, table.codes, keys, test_share, horizon, count,
            lambda codes: hold_out(codes, len(keys), (share, 0.0), least, draw)[0], lags,
        )  # fmt: skip
        table = table.with_lags(lags, plan, draw) if lags else table
    drawn = Split.random(*hold_out(table.codes, len(keys), shares, least, draw))
    splits = plan.splits if plan else (drawn,)
    preparation, encoder, rows, notes = table.encoded(splits[-1])
    is_class = isinstance(encoder, ClassTarget)
    settings = completed(given, is_class=is_class, watching=share > 0)
    learned = [np.bincount(table.codes[one.learned], minlength=len(keys)) for one in splits]
    _check_batch(given, np.min(learned, axis=0), keys)
    if path is not None:
        asked: JsonValues = {"validation_fraction": share, "test_fraction": test_share}
        asked |= {"min_rows": least, "split_seed": draw, "unknown": unknown, "start": start}
        # A seed that was left out is not in folders of version 0.2.0.
        own = {n: v for n, v in settings.items() if n != "seed" or v != 1}
        asked |= {"standardize": standardize, **own, **(plan.arguments if plan else {})}
        asked |= {"lags": lags} if lags else {}
        _settle(path, rows, {"by": keys.names, "target": target}, asked)
    notes += _notes_of_rows(rows, plan, model, test_share)
    asked_for = settings, start, standardize, model, least, draw, path, how
    stages = Stages(encoder, len(keys), *asked_for, table.base(preparation, encoder))
    cutoffs_judged = _judged(stages, table, plan) if plan else None
    found = stages.fit(rows)
    measured, compared, judged = found.measured, found.compared, {}
    if cutoffs_judged:
        measured = measured | cutoffs_judged.measured
        compared, judged = cutoffs_judged.compared, cutoffs_judged.cutoffs
        notes += cutoffs_judged.notes
    fallback = None
    if unknown == "global":
        fallback = train_all_rows(rows, settings, draw, path and path / _UNKNOWN)
    unseen = rows.where(rows.test if rows.test.any() else rows.held)
    forecasts = found.judged, unseen.targets, unseen.codes, np.zeros_like(unseen.codes)
    if cutoffs_judged:
        after = cutoffs_judged.forecasts
        forecasts = after.outputs, after.targets, after.codes, after.cutoff
    spread = Scaling.of_groups(rows.targets, rows.codes, len(keys)).scale[:, 0]
    intervals = Intervals.of_groups(encoder, spread, *forecasts)
    notes = [*notes, *(intervals.remarks(JUDGED_AT) if intervals else ())]
    known = (keys, preparation, encoder, found.fits, found.chosen, fallback)
    lags_kept = table.lags and table.lags.latest
    return GroupModels(
        *known, measured, tuple(notes), compared, order, judged, intervals, lags_kept
    )


def _checked_shares(validation: float, test: float, model: str) -> tuple[float, float]:
    """Check the fractions of rows that are held out."""
    share = check_number("validation_fraction", validation, rule_of("[0, 1)"))
    test_share = check_number("test_fraction", test, rule_of("[0, 1)"))
    if share + test_share >= 1:
        raise ValueError(
            f"validation_fraction and test_fraction must be below 1 together, got {share:g} and "
            f"{test_share:g}"
        )
    if model == "best" and not share:
        raise ValueError("model='best' needs validation rows, got validation_fraction 0")
    return share, test_share


def _notes_of_rows(
    rows: GroupRows, plan: Cutoffs | None, model: str, test_share: float
) -> list[str]:
    """Say which rows the models are chosen and judged by."""
    notes = [plan.note] if plan else []
    if plan is None and (rows.held.any() or rows.test.any()):
        notes.append(
            f"rows: {rows.held.sum():,} in validation sets and {rows.test.sum():,} in test sets of "
            "groups; the networks have then learned from all rows"
        )
    if model == "best" and not rows.held.any():
        notes.append(
            "model='best': no group has enough rows for a validation set, so all are predicted by "
            "their networks" + ("; with test_fraction=0 more rows are left" if test_share else "")
        )
    return notes


def _checked_cutoffs(
    test_last: object, horizon: int | None, cutoffs: int | None, test_fraction: float
) -> int:
    """Check the arguments of a rolling origin, and return the number of cutoffs."""
    for name, value in {"horizon": horizon, "cutoffs": cutoffs}.items():
        if value is not None and test_last is None:
            raise ValueError(f"{name} must be left out without test_last, got {shown(value)}")
        if value is not None:
            check_count(name, value)
    if test_last is not None and not test_fraction:
        rule = "test_last must be left out with test_fraction=0"
        raise ValueError(f"{rule}, got {shown(test_last)}")
    return CUTOFFS if cutoffs is None else cutoffs


def _check_batch(given: Mapping[str, Any], sizes: Integers, keys: Keys) -> None:
    """Raise if a batch has more rows than a group is trained on."""
    batch = given.get("batch_size")
    if batch is not None and check_count("batch_size", batch) > sizes.min():
        raise ValueError(
            f"batch_size must be at most the number of training rows of each group "
            f"({sizes.min()} in {shown(list(keys)[int(sizes.argmin())])}), got {batch}"
        )


def _judged(stages: Stages, table: GroupTable, plan: Cutoffs) -> Judged:
    """Fit and judge at each cutoff: the errors of each are kept, and their means are those of all.

    The errors of a group without a test set are NaN.
    """
    assert table.time is not None
    fits, forecasts = [], []
    season = seasons_of(plan.order, table.time, table.codes)
    for k, split in enumerate(plan.splits[:-1]):
        preparation, encoder, rows, _ = table.encoded(split)
        path = stages.path and stages.path / f"cutoff-{k}"
        if path is not None:
            path.mkdir(exist_ok=True)
        base = table.base(preparation, encoder)
        found = stages._replace(target=encoder, path=path, base=base).fit(rows)
        test, outputs = rows.where(rows.test), found.judged
        own = None if season is None else season[split.some]
        rivals = naive_forecasts(rows, table.time[split.some], own, stages.groups)
        for name, forecast in rivals.items():
            found.compared[name] = errors_of(encoder, forecast, test, stages.groups)
        fits.append(found)
        step = plan.step[split.test] - plan.starts[k][test.codes]
        targets = test.targets
        if isinstance(encoder, NumberTarget) and isinstance(stages.target, NumberTarget):
            last = stages.target  # in units of the last preparation
            outputs, targets = (
                (one * encoder.scale + (encoder.mean - last.mean)) / last.scale
                for one in (outputs, targets)
            )
        forecasts.append(Forecasts(test.codes, np.full(len(step), k), step, outputs, targets))
    errors, rows_of_each = (
        np.stack([one.measured[name] for one in fits], axis=1)
        for name in ("test_error", "test_rows")
    )
    names = [name for name in fits[0].compared if all(name in one.compared for one in fits)]
    return Judged(
        {
            "test_rows": rows_of_each.sum(axis=1),
            "training_error": _mean([one.measured["training_error"] for one in fits]),
            "test_error": _mean(list(errors.T)),
        },
        {name: _mean([one.compared[name] for one in fits]) for name in names},
        {"after": plan.after.T.copy(), "test_rows": rows_of_each, "test_error": errors},
        Forecasts(*(np.concatenate(parts) for parts in zip(*forecasts, strict=True))),
    )


def _mean(errors: list[FloatArray]) -> FloatArray:
    """The mean over cutoffs, added in their order."""
    return np.asarray(sum(errors[1:], errors[0]) / len(errors))


class GroupTable(NamedTuple):
    """The rows of a table that have a label and a target."""

    keys: Keys
    codes: Integers
    cells: dict[str, Any]
    wanted: Any  # cells
    target: Target
    decisions: Decisions
    notes: tuple[str, ...]
    order: RowOrder | None
    time: FloatArray | None  # (rows,), if there is an order
    lags: Lags | None = None  # with the values of all rows, and
    drawn: Integers | None = None  # the steps of each from the last values known
    changes: bool = False  # whether networks learn the change since the first lag

    def with_lags(self, lags: int, plan: Cutoffs, seed: int) -> GroupTable:
        """Return it with its lags as columns."""
        if self.wanted.kind != "numbers" or isinstance(self.target, ClassTarget):
            raise ValueError(f"lags must be 0 for a target of classes, got {lags}")
        assert self.order is not None
        assert self.time is not None
        rows = (self.codes, self.time, self.wanted.values)
        size, labels = (lags, plan.horizon), list(self.keys)
        found, drawn = Lags.learn(self.order, self.target.name, size, rows, seed, labels)
        columns, _ = found.columns(*rows[:2], drawn)
        learned = np.flatnonzero(plan.splits[0].learned)
        known: dict[str, Any] = {
            "notes": (*self.notes, found.note),
            "decisions": self.decisions._replace(keep=[*self.decisions.keep, *found.names]),
            "changes": learns_changes(found, columns, rows[2], learned, self.codes),
        }
        return self._replace(**known, lags=found, drawn=drawn)

    def base(self, preparation: Preparation, target: Target) -> FloatArray | None:
        """What is added to the outputs of models, if these learn changes."""
        return last_value(self.lags, preparation, target) if self.changes else None

    def encoded(self, split: Split) -> tuple[Preparation, Target, GroupRows, list[str]]:
        """Prepare some rows, learned from those that aren't held out."""
        some, held, test = split.some, split.held[split.some], split.test[split.some]
        cells, wanted, learned = some_rows(self.cells, some), self.wanted[some], ~(held | test)
        if self.lags is not None and self.drawn is not None and self.time is not None:
            # What is known at the cutoff: lags are made of nothing else.
            end, before = np.full(len(self.keys), -np.inf), some & ~split.test
            np.maximum.at(end, self.codes[before], self.time[before])
            known = self.lags.where(self.time <= end[self.codes])
            own, _ = known.columns(self.codes[some], self.time[some], self.drawn[some])
            cells = own | cells
        encoder, y, preparation, X = encode_rows(
            cells, wanted, self.target, learned, self.decisions
        )
        check_memory(32 * X.size, "the table", also="fewer inputs")
        rows = GroupRows(X, y, self.codes[some], held, test)
        # There is no command that fits groups.
        told = [re.sub(r" or --keep .* uses it\)$", " uses it)", n) for n in preparation.notes]
        numbers = preparation.numbers(cells)
        leaked = leaks(preparation, numbers[learned], encoder, y[learned])
        leaked = [line for line in leaked if not (self.lags and self.lags.has(line))]
        told += [*leaked, *notes_of(encoder, wanted)]
        name = (
            ""
            if self.order or not test.any()
            else time_order(preparation.columns, numbers, rows.codes)
        )
        if name:
            told.append(
                f"{name}: orders the rows of groups in time: the errors are those of rows in "
                f"between; test_last={name!r} judges by later ones"
            )
        # The networks learn from all rows in the end.
        return preparation.reaching(numbers), encoder, rows, [*self.notes, *told]


def _read(
    columns: Mapping[str, Any],
    by: str | Sequence[str],
    target: str,
    inputs: Sequence[str] | None,
    decisions: Decisions,
    classification: bool | None,
    test_last: str | int | None,
) -> GroupTable:
    """Read the rows that have a label and a target."""
    by = column_names("by", [by] if isinstance(by, str) else by, columns)
    if not by:
        raise ValueError("by must name a column, got none")
    [target] = column_names("target", [target], columns)
    if target in by:
        raise ValueError(f"target must not be one of the columns of by, got {shown(target)}")
    used = [name for name in columns if name not in (*by, target)]
    if inputs is not None:
        used = column_names("inputs", inputs, columns)
        if target in used:
            raise ValueError(f"inputs must not include the target, got {shown(target)}")
        for name in (name for name in used if name in by):
            raise ValueError(
                f"inputs must not include a column of by, which is constant within each group, "
                f"got {shown(name)}"
            )
    last = None if test_last is None else column_name("test_last", test_last)
    if last is not None:
        columns = {**columns, last: complete("test_last", last, columns)}
        if last in (*by, target):
            what = "the target" if last == target else "a column of by"
            raise ValueError(f"test_last must not name {what}, got {shown(last)}")
    drop, keep = (column_names(n, getattr(decisions, n), used) for n in ("drop", "keep"))
    if inputs is not None:
        keep = [name for name in used if name not in drop]
    more = [] if last is None or last in used else [last]
    chosen = {name: columns[name] for name in (*by, target, *used, *more)}
    chosen, notes = with_targets(chosen, [target], unparsed=[*by, *used, *more])
    keys, codes = Keys.learn(chosen, by)
    chosen, unlabeled = without(chosen, codes < 0, by)
    codes = codes[codes >= 0]
    check_memory(48 * len(codes) * len(used), "the table", also="fewer inputs")
    order: RowOrder | None = None
    time: FloatArray | None = None
    if last is not None:
        chosen[last] = numbers_written(last, chosen[last])
        order = RowOrder.learn("test_last", last, chosen[last])
        time = order.values(chosen[last])
    cells = {n: chosen[n] if n in drop else numbers_written(n, chosen[n]) for n in used}
    wanted: Any = chosen[target]  # cells
    encoder = learn_target(target, wanted, classification=classification)
    decisions = decisions._replace(drop=drop, keep=keep)
    told = (*notes, *unlabeled)
    return GroupTable(keys, codes, cells, wanted, encoder, decisions, told, order, time)


def _settle(path: Path, rows: GroupRows, columns: JsonValues, arguments: JsonValues) -> None:
    """Create or check the folder for this table and these arguments."""
    arrays: Arrays = {}
    asked = {name: as_json(_listed(value), arrays) for name, value in arguments.items()}
    asked |= hashes_of(rows._asdict())
    Folder.create(path, "models of groups", columns | asked, {}, arrays, chunk_count=0)
    for file in (START, _UNKNOWN):
        is_file(path / file, path)


def _listed(value: Any) -> Any:
    """Convert NumPy numbers and arrays to Python's, for JSON."""
    if isinstance(value, Hyperparameters):
        return value
    if isinstance(value, (list, tuple)):
        return [_listed(one) for one in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

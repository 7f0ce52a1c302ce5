"""The table of :func:`fastgd.fit_groups`: groups, inputs and targets, as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.groups import Integers
from fastgd.checks.formatting import first_names
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import did_you_mean, shown
from fastgd.checks.values import each_of
from fastgd.models.group_keys import Columns, Keys
from fastgd.tables.column_values import cells_of
from fastgd.tables.frames import columns_of
from fastgd.tables.preparation import Preparation
from fastgd.tables.row_selection import with_targets, without
from fastgd.tables.targets import Target, learn_target

BoolArray = NDArray[np.bool_]


class GroupTable(NamedTuple):
    """The prepared table of all groups."""

    keys: Keys
    codes: Integers  # (rows,): the group index of each row
    preparation: Preparation
    inputs: FloatArray  # (rows, inputs)
    target: Target
    targets: FloatArray  # (rows, outputs)
    held: BoolArray  # (rows,): in the validation set
    notes: tuple[str, ...]


def read_groups(
    df: Any,
    by: str | Sequence[str],
    target: str,
    inputs: Sequence[str] | None,
    classification: bool | None,
    hold_out: Callable[[Integers, int], BoolArray],
) -> GroupTable:
    """Learn how to prepare a table, and prepare its rows that have a label and a target.

    ``hold_out(codes, groups)`` takes the group index of each row and the number of groups, and
    returns which rows are held out for validation: nothing is learned from their inputs.

    Raises
    ------
    ValueError, TypeError
        If a column is missing, named twice or holds another kind of values.
    """
    columns = columns_of(df)
    by, used = _names(columns, by, target, inputs)
    chosen: dict[str, Any] = {name: columns[name] for name in by}
    chosen |= {name: cells_of(name, columns[name]) for name in (target, *used)}
    chosen, notes = with_targets(chosen, [target])
    keys, codes = Keys.learn(chosen, by)
    chosen, more = without(chosen, codes < 0, by)
    codes = codes[codes >= 0]
    check_memory(48 * len(codes) * len(used), "the table", also="fewer inputs")
    held = hold_out(codes, len(keys))
    preparation = Preparation.learn({name: chosen[name][~held] for name in used})
    check_memory(40 * len(codes) * len(preparation.names), "the table", also="fewer inputs")
    encoder = learn_target(target, chosen[target], classification=classification)
    return GroupTable(
        keys,
        codes,
        preparation,
        preparation.transform(chosen),
        encoder,
        encoder.encode(chosen[target]),
        held,
        (*notes, *more, *preparation.notes, encoder.note),
    )


def _names(
    columns: Columns, by: str | Sequence[str], target: str, inputs: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Names of the group columns, and of the input columns."""
    labels = _listed("by", [by] if isinstance(by, str) else by, columns)
    _listed("target", [target], columns)
    if target in labels:
        raise ValueError(f"target must not be one of the columns of by, got {shown(target)}")
    if inputs is None:
        return labels, [name for name in columns if name not in (*labels, target)]
    used = _listed("inputs", inputs, columns)
    if target in used:
        raise ValueError(f"inputs must not include the target, got {shown(target)}")
    for name in used:
        if name in labels:
            raise ValueError(
                f"inputs must not include a column of by, which is constant within each group, "
                f"got {shown(name)}"
            )
    return labels, used


def _listed(name: str, given: Sequence[str], columns: Columns) -> list[str]:
    """Names of existing columns, each once."""
    rule = f"{name} must be a list of column names"
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise TypeError(f"{rule}, got {shown(given)}")
    names: dict[str, None] = {}
    for one in each_of(given, rule):  # an endless iterable fails at its first repeat
        if not isinstance(one, str) or one not in columns:
            near = did_you_mean(one, columns) if isinstance(one, str) else ""
            raise ValueError(
                f"{name} must be a column of the table ({first_names(list(columns))}), "
                f"got {shown(one)}{near}"
            )
        if one in names:
            raise ValueError(f"{name} must name each column once, got {shown(one)} twice")
        names[one] = None
    if not names:
        raise ValueError(f"{name} must name a column, got {shown(given)}")
    return list(names)

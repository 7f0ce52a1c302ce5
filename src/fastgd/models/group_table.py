"""The table of :func:`fastgd.fit_groups`: groups, inputs and targets, as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.groups import Integers
from fastgd.checks.memory import check_memory
from fastgd.checks.messages import shown
from fastgd.models.group_keys import Columns, Keys
from fastgd.tables.frames import columns_of
from fastgd.tables.preparation import Preparation
from fastgd.tables.table_selection import column_names, with_targets, without
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
    chosen = {name: columns[name] for name in (*by, target, *used)}
    chosen, notes = with_targets(chosen, [target], unparsed=by)
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
    labels = column_names("by", [by] if isinstance(by, str) else by, columns)
    if not labels:
        raise ValueError(f"by must name a column, got {shown(by)}")
    column_names("target", [target], columns)
    if target in labels:
        raise ValueError(f"target must not be one of the columns of by, got {shown(target)}")
    if inputs is None:
        return labels, [name for name in columns if name not in (*labels, target)]
    used = column_names("inputs", inputs, columns)
    if target in used:
        raise ValueError(f"inputs must not include the target, got {shown(target)}")
    for name in used:
        if name in labels:
            raise ValueError(
                f"inputs must not include a column of by, which is constant within each group, "
                f"got {shown(name)}"
            )
    return labels, used

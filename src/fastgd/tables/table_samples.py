"""A table as inputs and targets of a network: its numbers as they are, or prepared."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray
from fastgd.tables.column_values import Cells, cells_of, number_of
from fastgd.tables.columns import Decisions
from fastgd.tables.preparation import Preparation, column_names, names_text, with_targets
from fastgd.tables.reading import PARQUET, NotANumberError, TextTable, about, read_table
from fastgd.tables.targets import ClassTarget, NumberTarget, Target, check_classes

LARGEST = 10.0
"""A table of numbers within this magnitude is taken as it is."""

_WHOLE = r"(0|-?[1-9][0-9]{0,17})"


@dataclass(frozen=True, eq=False)
class Samples:
    """A table as inputs and targets of a network."""

    inputs: list[str]  # their names
    targets: list[str]  # names of the columns to learn
    X: FloatArray  # (samples, inputs)
    y: FloatArray  # (samples, outputs): a target with classes has an output for each class
    labels: NDArray[Any] | None = None  # (samples,) of groups: whole numbers if all are, or strings
    encoded: tuple[Target, ...] = ()  # how the targets were encoded
    preparation: Preparation | None = None  # how the inputs were, if they aren't plain numbers
    settings: dict[str, str] = field(default_factory=dict)  # of the training, due to the targets
    notes: list[str] = field(default_factory=list)  # what was done to the table, a line each

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, if the target is categorical."""
        return next((one.classes for one in self.encoded if isinstance(one, ClassTarget)), None)


def read_samples(
    path: Path,
    targets: Sequence[str],
    groups: str | None = None,
    *,
    raw: bool | None = True,
    sep: str | None = None,
    decimal: str | None = None,
    preparation: Preparation | None = None,
    encoded: tuple[Target, ...] = (),
    settings: Mapping[str, Any] | None = None,
    learned_from: Callable[[int], NDArray[np.bool_]] = lambda rows: np.ones(rows, dtype=bool),
    **decisions: Any,
) -> Samples:
    r"""Read a table, and take its numbers as they are or prepare them.

    ``groups`` is a column of labels; it is no input. With ``raw=None`` numbers are taken as they
    are if they are ready for a network. A ``preparation`` that has been learned already comes with
    its ``encoded`` targets; one is learned with these ``decisions``, from the rows that
    ``learned_from`` selects, given their number. ``settings`` are those of the training: a single
    target has classes with softmax outputs.

    Raises
    ------
    OSError, ValueError, TypeError
        If the file can't be read, or is no such table; the message says where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     print("x;y\n0;1\n1;0", file=file, flush=True)
    ...     read_samples(Path(file.name), ["y"]).X.tolist()
    [[0.0], [1.0]]
    """
    settings = settings or {}
    table = _read_raw(path) if raw else read_table(path, sep, decimal)
    names = list(table.columns if isinstance(table, TextTable) else table)
    decided = Decisions(**decisions)
    inputs = _input_names(path, names, targets, groups, decided)
    known = [target.name for target in encoded]
    if known and known != list(targets):
        rule = f"target must be {names_text(known)}, which the network has learned"
        raise ValueError(f"{rule}, got {names_text(targets)}")
    if isinstance(table, TextTable) and raw is not False and not table.nameless:
        plain: tuple[Target, ...] = tuple(NumberTarget(name, 0.0, 1.0) for name in targets)
        try:
            if len(targets) == 1 and _outputs(settings) == ["softmax"]:
                cells = cells_of(targets[0], _labels(table, targets[0]))
                plain = (_classes(targets[0], cells),)
            X, y = _numbers(table, inputs, plain)
            if raw or np.abs(X).max() <= LARGEST:
                labels = None if groups is None else np.array(table.labels(groups))
                labels = labels if labels is None else _group_labels(str(groups), labels)
                return Samples(inputs, list(targets), X, y, labels, plain)
        except NotANumberError:
            if raw:
                raise
    with about(path):
        return _prepared(
            table, targets, groups, decided, preparation, encoded, settings, learned_from
        )


def read_more(
    path: Path, like: Samples, of: Path, sep: str | None = None, decimal: str | None = None
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Read samples with the columns of others, in any order, and what is new about them.

    ``of`` is the file of the others. It raises what :func:`read_samples` does.
    """
    if like.preparation is not None:
        known: dict[str, Any] = {"preparation": like.preparation, "encoded": like.encoded}
        with about(path):
            again = read_samples(path, like.targets, raw=False, sep=sep, decimal=decimal, **known)
        return again.X, again.y, again.notes
    table = _read_raw(path)
    expected, rule = (*like.inputs, *like.targets), f"{path} must have the columns of {of}"
    if absent := [name for name in expected if name not in table.columns]:
        raise ValueError(f"{rule}, and has no {shown(absent[0])}")
    if more := [*(table.columns.keys() - expected)]:
        raise ValueError(f"{rule}, got {shown(min(more))}, too")
    with about(path):
        return (*_numbers(table, like.inputs, like.encoded), [])


def _read_raw(path: Path) -> TextTable:
    table = None if path.suffix.lower() in PARQUET else read_table(path)
    if not isinstance(table, TextTable):
        raise ValueError(f"raw needs a CSV file, got {path}")
    if table.nameless:
        raise ValueError(f"{path}, header line: column {table.nameless} has no name")
    return table


def _input_names(
    path: Path, names: Sequence[str], targets: Sequence[str], groups: str | None, how: Decisions
) -> list[str]:
    """The names of the columns that are neither targets nor groups."""
    if not targets:
        raise ValueError(
            f"target must name the column to learn; {path} has these: {names_text(names)}"
        )
    roles = dict.fromkeys(column_names("target", targets, names), "target")
    own = column_names("groups", [] if groups is None else [groups], names)
    for option, given in (("groups", own), ("drop", how.drop), ("keep", how.keep)):
        for name in column_names(option, given, names):
            if name in roles:
                raise ValueError(f"{option} must not name the {roles[name]}, got {shown(name)}")
        roles |= dict.fromkeys(own, "groups")
    if how.encoding == "target" and len(targets) > 1:
        raise ValueError("encoding must be 'one-hot' for several targets, got 'target'")
    inputs = [name for name in names if name not in roles]
    if not inputs:
        besides = " and the ".join(dict.fromkeys(roles.values()))
        raise ValueError(f"{path} has no column besides the {besides}, and a network needs inputs")
    return inputs


def _numbers(
    table: TextTable, inputs: list[str], encoded: Sequence[Target]
) -> tuple[FloatArray, FloatArray]:
    """Inputs and targets of a table of numbers, in which only a target may have labels."""
    if isinstance(encoded[0], ClassTarget):
        name, is_text = encoded[0].name, encoded[0].labels == "texts"
        y = encoded[0].encode(_labels(table, name, is_text=is_text))
        return table.numbers(inputs), y
    numbers = table.numbers([*inputs, *(target.name for target in encoded)])
    return numbers[:, : len(inputs)], numbers[:, len(inputs) :]


def _labels(table: TextTable, name: str, *, is_text: bool = False) -> NDArray[Any]:
    """The labels of classes as they are written, or their numbers if all are finite."""
    labels = table.labels(name)
    numbers = [number_of(label) for label in labels]
    if is_text or not all(number is not None and isfinite(number) for number in numbers):
        return np.array(labels)
    return np.array(numbers)


def _prepared(
    table: TextTable | dict[str, NDArray[Any]],
    targets: Sequence[str],
    groups: str | None,
    decisions: Decisions,
    preparation: Preparation | None,
    encoded: tuple[Target, ...],
    settings: Mapping[str, Any],
    learned_from: Callable[[int], NDArray[np.bool_]],
) -> Samples:
    """A table whose columns are encoded, as learned from some of its rows or before."""
    columns: dict[str, Any] = table if isinstance(table, dict) else {}
    if isinstance(table, TextTable):
        columns = table.typed(preparation.texts if preparation else ())
        if groups is not None:
            columns[groups] = np.arange(len(table.columns[groups]))  # the labels follow
    apart = [] if groups is None else [groups]
    if preparation is not None:
        others = {name: columns[name] for name in (*targets, *apart)}
        columns = preparation.used(columns) | others
    columns, notes = with_targets(
        columns, targets, [*decisions.drop, *apart], learning=preparation is None
    )
    labels = None
    if groups is not None:
        labels = columns.pop(groups)
        if isinstance(table, TextTable):
            labels = np.array(table.labels(groups, labels))
        labels = _group_labels(groups, labels, rf"{_WHOLE}([.,]0)?")
    wanted = {name: columns.pop(name) for name in targets}
    follows: dict[str, str] = {}
    if preparation is not None:
        notes += preparation.remarks(columns)
        X, y = preparation.transform(columns), _encoded(encoded, wanted)
    else:
        learn = learned_from(len(wanted[targets[0]].values))
        alone = len(targets) == 1
        learned = [_learned(name, wanted[name], learn, settings, alone) for name in targets]
        encoded = tuple(target for target, _, _ in learned)
        y = _encoded(encoded, wanted)
        preparation, X = Preparation.learn_from(columns, learn, decisions._replace(y=y))
        follows = learned[0][1]  # several targets are numbers, and nothing follows
        notes += [*preparation.notes, *(note for *_, note in learned)]
    inputs = list(preparation.names)
    return Samples(inputs, list(targets), X, y, labels, encoded, preparation, follows, notes)


def _learned(
    name: str, cells: Cells, learn: NDArray[np.bool_], settings: Mapping[str, Any], alone: bool
) -> tuple[Target, dict[str, str], str]:
    """A target, the options that follow from it, and a note about both.

    Classes have softmax outputs. Numbers in [0, 1], and those for which output units or a loss were
    asked for, stay as they are; other ones are standardized, and have identity outputs.
    """
    outputs = _outputs(settings)
    asked = bool(outputs) or "loss" in settings
    if outputs == ["softmax"] and alone:
        classes = _classes(name, cells)
        return classes, {}, classes.note
    if cells.kind != "numbers":
        if asked or not alone:
            raise ValueError(
                f"target {shown(name)} must be numbers, or alone and with output='softmax' and "
                f"loss='cross_entropy', got {shown(next(filter(None, cells.values), None))}"
            )
        check_classes(name, cells, otherwise="output='softmax' and loss='cross_entropy'")
        classes = ClassTarget.learn(name, cells)
        follows = {"output": "softmax", "loss": "cross_entropy"}
        return classes, follows, f"{classes.note}: output softmax, loss cross_entropy"
    within = cells.values.min() >= 0 and cells.values.max() <= 1
    identity = outputs == ["identity"] and "loss" not in settings
    if not identity and (asked or not alone or within):
        target = NumberTarget(name, 0.0, 1.0, cells.notation, cells.decimal)
        return target, {}, f"{name}: numbers to learn, as they are"
    target = NumberTarget.learn(name, cells[learn])
    note = f"{target.note}: standardized, so that errors are in deviations"
    if identity:
        return target, {}, note
    return target, {"output": "identity"}, f"{note}; output identity"


def _classes(name: str, cells: Cells) -> ClassTarget:
    """The classes of softmax outputs: labels, or whole numbers."""
    odd = cells.values[cells.values % 1 != 0] if cells.kind == "numbers" else []
    if len(odd):
        rule = "must be labels or whole numbers with output='softmax'"
        raise ValueError(f"target {shown(name)} {rule}, got {odd[0]:g}")
    return ClassTarget.learn(name, cells)


def _outputs(settings: Mapping[str, Any]) -> list[Any]:
    """The output units that were asked for."""
    outputs = settings.get("output", [])
    return outputs if isinstance(outputs, list) else [outputs]


def _encoded(targets: Sequence[Target], cells: Mapping[str, Cells]) -> FloatArray:
    return np.hstack([target.encode(cells[target.name]) for target in targets])


def _group_labels(name: str, column: NDArray[Any], whole: str = _WHOLE) -> NDArray[Any]:
    """Whole numbers, which have an order, if all are written so; 007 is a text."""
    if column.dtype.kind in "iu":
        return column
    cells = cells_of(name, column)
    if cells.missing.any():
        row = int(cells.missing.argmax()) + 1
        raise ValueError(f"column {shown(name)}: the label is missing in row {row:,}")
    texts = list(map(str, cells.texts))
    found = [re.fullmatch(whole, text) for text in texts]
    return np.array([int(one[1]) for one in found if one] if all(found) else texts)

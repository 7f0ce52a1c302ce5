"""Trained networks as a WebAssembly module that imports nothing: of any size, with any preparation.

It exports:

- ``memory``;
- ``rows``, a number (i32): the address of the rows to predict, ``width`` doubles each. Without a
  preparation these are the inputs. With one they are the columns of the table: numbers, the number
  of a category, also of an unknown one, days since 1970-01-01; NaN for a missing cell;
- ``results``, a number: the address of their results, ``results`` doubles each: the mean of the
  networks' outputs, for numeric targets in their units, for classes the probability of each;
- ``capacity``, a number: the most rows of a call;
- ``predict``, a function (i32) -> i32: predicts the given number of rows, and returns how many it
  has predicted. That is less if the next one has a number far too large for the standardization. It
  traps if the number is below 0 or above the capacity.

A custom section ``fastgd`` holds JSON: the ``version`` of fastgd, the numbers ``width`` and
``results``, and where there is a preparation, ``columns`` with their ``name`` and ``categories``
(the number of each string) and ``unknown`` (that of all others), or ``dates`` (true), the names of
the ``targets``, and the labels of the ``classes``: the label of a row is that of its largest
result, and of the first of them.
"""

import json
from collections.abc import Iterator
from importlib.metadata import version
from itertools import accumulate
from typing import Any

import numpy as np

from fastgd.engine.prediction import call_for
from fastgd.export.exported import Exported, Part
from fastgd.formulas.calendar import TOLERANCES
from fastgd.kernel.language.wasm_linking import STACK, linked
from fastgd.kernel.predictor import InputEncoding, OutputDecoding, Predictor, predictor_code
from fastgd.tables.columns import DateColumn, TargetColumn, TextColumn
from fastgd.tables.targets import ClassTarget, NumberTarget

CAPACITY = 32
"""Rows of a call: as many as the forward pass takes at a time."""


def wasm_module(exported: Exported) -> bytes:
    """Return the module of these networks.

    Raises
    ------
    TargetError
        If this machine can't emit WebAssembly.
    """
    network = exported.network
    parameters = np.array([network.row(parts) for parts in exported.members])
    call = call_for(network, exported.methods, parameters, CAPACITY)
    code = predictor_code(call.shapes, call.recipe, STACK)
    decodings = [
        OutputDecoding(target.scale, target.mean)
        for target in exported.targets
        if isinstance(target, NumberTarget)
    ]
    width, inputs = _width(exported), network.sizes[0]
    parts = exported.parts if exported.preparation else [Part(k, np.nan) for k in range(inputs)]
    tables = [part.table for part in parts if part.table is not None]
    places = accumulate((table.size for table in tables), initial=CAPACITY * width)
    encodings = [_encoding(part, width, places) for part in parts]
    made = Predictor.of(call, width, encodings, tables, decodings, exported.outputs, STACK)
    return linked(
        code,
        "predict",
        memory=made.memory.tobytes(),
        numbers={"rows": made.rows, "results": made.results, "capacity": made.capacity},
        facts={"fastgd": json.dumps(facts_of(exported)).encode()},
    )


def _width(exported: Exported) -> int:
    """The numbers of a row."""
    preparation = exported.preparation
    return len(preparation.columns) if preparation else exported.network.sizes[0]


def _encoding(part: Part, columns: int, places: Iterator[int]) -> InputEncoding:
    """An encoding; if it has a table, this is at the next place."""
    return InputEncoding(
        column=part.column,
        columns=columns,
        field=int(part.field),
        flags=int(part.flags),
        categories=part.categories,
        table=0 if part.table is None else next(places),
        height=0 if part.table is None else len(part.table),
        width=part.width,
        missing=part.missing,
        mean=part.mean,
        scale=part.scale,
        tolerance=TOLERANCES[8],
    )


def facts_of(exported: Exported) -> dict[str, Any]:
    """What the section ``fastgd`` holds."""
    preparation, targets = exported.preparation, exported.targets
    facts: dict[str, Any] = {
        "version": version("fastgd"),
        "width": _width(exported),
        "results": exported.outputs,
    }
    if preparation is not None:
        columns: list[dict[str, Any]] = []
        facts["columns"] = columns
        for column in preparation.columns:
            columns.append({"name": column.name})
            if isinstance(column, DateColumn):
                columns[-1] |= {"dates": True}
            elif isinstance(column, TextColumn | TargetColumn):
                columns[-1] |= {"categories": column.places, "unknown": column.unknown_code}
    if targets:
        facts["targets"] = [target.name for target in targets]
    if isinstance(target := next(iter(targets), None), ClassTarget):
        facts["classes"] = target.decode(np.eye(len(target.classes))).tolist()
    return facts

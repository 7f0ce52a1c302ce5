"""Trained networks as a WebAssembly module that imports nothing: of any size, with any preparation.

It exports:

- ``memory``;
- ``rows``, a number (i32): the address of the rows to predict, ``width`` doubles each. Without a
  preparation these are the inputs. With one they are the columns of the table: numbers, or the
  number of a category, -1 for an unknown one; NaN for a missing cell;
- ``results``, a number: the address of their results, ``results`` doubles each: the mean of the
  networks' outputs, for numeric targets in their units, for classes the probability of each;
- ``capacity``, a number: the most rows of a call;
- ``predict``, a function (i32) -> i32: predicts the given number of rows, and returns how many it
  has predicted. That is less if the next one has a number far too large for the standardization. It
  traps if the number is below 0 or above the capacity.

A custom section ``fastgd`` holds JSON: the ``version`` of fastgd, the numbers ``width`` and
``results``, and where there is a preparation, ``columns`` with their ``name`` and ``categories``
(the number of each string), the names of the ``targets``, and the labels of the ``classes``: the
label of a row is that of its largest result, and of the first of them.
"""

import json
from importlib.metadata import version
from typing import Any

import numpy as np

from fastgd.engine.prediction import call_for
from fastgd.export.network import Exported
from fastgd.kernel.language.webassembly import STACK, linked
from fastgd.kernel.predictor import ColumnEncoding, OutputDecoding, Predictor, predictor_code
from fastgd.tables.columns import Column, NumberColumn, TextColumn
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
    made = Predictor.of(call, _encodings(exported), decodings, exported.outputs, STACK)
    return linked(
        code,
        "predict",
        memory=made.memory.tobytes(),
        numbers={"rows": made.rows, "results": made.results, "capacity": made.capacity},
        facts={"fastgd": json.dumps(facts_of(exported)).encode()},
    )


def _encodings(exported: Exported) -> list[ColumnEncoding]:
    if exported.preparation is None:
        return [ColumnEncoding(0, 0, np.nan, 0.0, 1.0)] * exported.network.sizes[0]
    return list(map(_encoding, exported.preparation.columns))


def _encoding(column: Column) -> ColumnEncoding:
    if isinstance(column, NumberColumn):
        return ColumnEncoding(0, int(column.flagged), column.median, column.mean, column.scale)
    return ColumnEncoding(len(column.categories), int(column.flagged), 0.0, 0.0, 1.0)


def facts_of(exported: Exported) -> dict[str, Any]:
    """What the section ``fastgd`` holds."""
    preparation, targets = exported.preparation, exported.targets
    width = exported.network.sizes[0] if preparation is None else len(preparation.columns)
    facts: dict[str, Any] = {
        "version": version("fastgd"),
        "width": width,
        "results": exported.outputs,
    }
    if preparation is not None:
        facts["columns"] = [
            {"name": column.name}
            | ({"categories": _codes(column)} if isinstance(column, TextColumn) else {})
            for column in preparation.columns
        ]
    if targets:
        facts["targets"] = [target.name for target in targets]
    if isinstance(target := next(iter(targets), None), ClassTarget):
        facts["classes"] = target.decode(np.eye(len(target.classes))).tolist()
    return facts


def _codes(column: TextColumn) -> dict[str, int]:
    """The number of each string; NaN stands for a missing cell."""
    return {text: k for text, k in column.places.items() if text is not None}

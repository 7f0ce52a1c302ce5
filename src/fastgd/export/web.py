"""Trained networks for browsers: a WebAssembly module, and an ES module around it.

The WebAssembly module imports nothing, and may be of any size, with any preparation. It exports:

- ``memory``;
- ``rows``, a number (i32): the address of the rows to predict, ``width`` doubles each. Without a
  preparation these are the inputs. With one they are the columns of the table: numbers, the number
  of a category, also of an unknown one, days since 1970-01-01; NaN for a missing cell;
- ``results``, a number: the address of their results, ``results`` doubles each: the mean of the
  networks' outputs, for numeric targets in their units, for classes the probability of each; with
  an interval its bounds behind them;
- ``capacity``, a number: the most rows of a call;
- ``predict``, a function (i32) -> i32: predicts the given number of rows, and returns how many it
  has predicted. That is less if the next one has a number far too large for the standardization. It
  traps if the number is below 0 or above the capacity.

A custom section ``fastgd`` holds JSON: the ``version`` of fastgd, the numbers ``width`` and
``results``, the coverage of an ``interval``, and where there is a preparation, ``columns`` with
their ``name`` and ``categories`` (the number of each string) and ``unknown`` (that of all others),
or ``dates`` (true, or "time" for times of day, which are fractions of a day), the names of the
``targets``, and the labels of the ``classes``: the label of a row is that of its largest result,
and of the first of them.

The ES module is for browsers, Node 18 and newer, Deno and Bun. The bytes of its WebAssembly are in
it, and it needs nothing else. It exports ``predict(rows)``, for a model also ``columns``, and for
classes ``classes`` and ``probabilities(rows)``. It refuses values that don't fit with a TypeError
or RangeError. Its template is ``es_module.js``: parts that begin with ``//!``, of which some are
left out, with words between @ that are replaced.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from itertools import accumulate
from typing import Any

import numpy as np

from fastgd.engine.prediction import call_for
from fastgd.export.exported import EncodingStep, Exported, standardized
from fastgd.formulas.calendar import TOLERANCES
from fastgd.kernel.language.wasm_linking import STACK, linked
from fastgd.kernel.predictor import InputEncoding, OutputDecoding, Predictor, predictor_code
from fastgd.tables.columns import DateColumn, TargetColumn, TextColumn
from fastgd.tables.targets import ClassTarget, NumberTarget

CAPACITY = 32
"""Rows of a call: as many as the forward pass takes at a time."""


def wasm_module(exported: Exported) -> bytes:
    """Return the module of these networks; raise TargetError if this machine can't emit it."""
    network = exported.network
    parameters = np.array([network.row(parts) for parts in exported.members])
    call = call_for(network, exported.methods, parameters, CAPACITY)
    code = predictor_code(call.shapes, call.recipe, STACK)
    numbers = [target for target in exported.targets if isinstance(target, NumberTarget)]
    decodings = [OutputDecoding(target.scale, target.mean) for target in numbers]
    bounds, width = exported.bounds, _width(exported)
    given = exported.encodings
    if not exported.preparation:
        pieces = standardized(0.0, 1.0)
        given = [EncodingStep(k, pieces=pieces) for k in range(width)]
    tables = {id(known): known for each in given if (known := each.numbers) is not None}
    sizes = (table.size for table in tables.values())
    *starts, end = accumulate(sizes, initial=CAPACITY * width)
    places = dict(zip(tables, starts, strict=True))
    encodings = [_encoding(each, width, places.get(id(each.numbers), 0)) for each in given]
    if bounds:
        own = (bounds.spread, *bounds.ends, bounds.least)
        decodings = [OutputDecoding(*decodings[0][:2], end, len(bounds.pieces), *own)]
        tables[0] = bounds.pieces
    put = encodings, [*tables.values()], decodings
    made = Predictor.of(call, width, *put, exported.results, STACK)
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


def _encoding(encoding: EncodingStep, columns: int, at: int) -> InputEncoding:
    """An encoding for the kernel; if it has a table or pieces, these are at this place."""
    height = 0 if encoding.table is None else len(encoding.table)
    known = encoding._asdict() | {"table": at, "flags": int(encoding.flags), "columns": columns}
    del known["pieces"]
    return InputEncoding(**known, height=height, width=encoding.width, tolerance=TOLERANCES[8])


def facts_of(exported: Exported) -> dict[str, Any]:
    """What the section ``fastgd`` holds."""
    preparation, targets = exported.preparation, exported.targets
    facts: dict[str, Any] = {"version": version("fastgd"), "width": _width(exported)}
    facts["results"] = exported.results
    if exported.bounds:
        facts["interval"] = exported.bounds.coverage
    if preparation is not None:
        columns: list[dict[str, Any]] = []
        facts["columns"] = columns
        for column in preparation.columns:
            columns.append({"name": column.name})
            if isinstance(column, DateColumn):
                columns[-1] |= {"dates": "time" if column.order == "time" else True}
            elif isinstance(column, TextColumn | TargetColumn):
                columns[-1] |= {"categories": column.places, "unknown": column.unknown_code}
    if targets:
        facts["targets"] = [target.name for target in targets]
    if isinstance(target := next(iter(targets), None), ClassTarget):
        facts["classes"] = target.decode(np.eye(len(target.classes))).tolist()
    return facts


# ---------------------------------------------------------------- the ES module


def es_module(exported: Exported) -> str:
    """Return the text of an ES module with the bits of ``predict``, as :func:`wasm_module`."""
    facts = facts_of(exported)
    columns, classes = facts.get("columns"), facts.get("classes")
    categories = [column.get("categories") for column in columns or ()]
    source = files(__package__).joinpath("es_module.js").read_text("utf-8")
    head, lists, table, labels, function = re.split("^//! .*\n", source, flags=re.MULTILINE)
    text = _filled(
        head + (lists if columns is None else table) + (labels if classes else ""),
        VERSION=facts["version"],
        CODE=_literal(b64encode(wasm_module(exported)).decode()),
        ROW=_example(facts),
        WIDTH=str(facts["width"]),
        RESULTS=str(facts["results"]),
        COLUMNS=_literal([column["name"] for column in columns or ()]),
        # What a Map is made of: keys of an object may have a meaning, such as __proto__.
        CATEGORIES=_literal([known if known is None else [*known.items()] for known in categories]),
        UNKNOWN=_literal([column.get("unknown") for column in columns or ()]),
        DATES=_literal([column.get("dates", False) for column in columns or ()]),
        LABELS=_literal(classes),
    )
    return text + "".join(_functions(function, exported))


def _functions(function: str, exported: Exported) -> Iterator[str]:
    """Yield the functions that predict rows."""
    each = {"NAME": "predict", "RETURNED": "number[][]", "THEN": ""}

    def named(summary: str, **words: str) -> str:
        return _filled(function, **each | words | {"SUMMARY": summary})

    match exported.targets:
        case [ClassTarget()]:
            kind, then = (
                "(string | number | boolean)[]",
                ".map((values) => classes[largest(values)])",
            )
            yield named("The most probable class of each row.", RETURNED=kind, THEN=then)
            what = "The probability of each class, in the order of `classes`, for each row."
            yield named(what, NAME="probabilities")
        case [NumberTarget()]:
            then = ".map(([value]) => value)"
            yield named("The prediction for each row.", RETURNED="number[]", THEN=then)
            if bounds := exported.bounds:
                what = f"The bounds of an interval of {100 * bounds.coverage:g} % for each row."
                yield named(what, NAME="interval", THEN=".map(([, low, high]) => [low, high])")
        case _:
            yield named("The outputs for each row.")


def _example(facts: dict[str, Any]) -> str:
    """A row as the comment shows it, or the beginning of a long one."""
    values, (left, right) = ["0"] * facts["width"], "[]"
    if "columns" in facts:
        left, right = "{ ", " }"
        values = []
        for column in facts["columns"]:  # with a cell that it may have
            cell = next(iter(column.get("categories", [0])), "")
            cell = {True: "2026-11-26", "time": "11:57"}.get(column.get("dates"), cell)
            values.append(f"{_literal(column['name'])}: {_literal(cell)}")
    shown = ", ".join([*values[:5], *["..."] * (len(values) > 5)])
    return f"{left}{shown}{right}".replace("*/", "*\\/")


def _literal(value: object) -> str:
    """Return JSON that may also stand in a script within HTML, which "<!--" would change, too."""
    return json.dumps(value).replace("<", "\\u003c")


def _filled(template: str, **words: str) -> str:
    """Replace @WORD@ by its text, in one pass: a text may look like a word."""
    return re.sub("@([A-Z]+)@", lambda found: words[found[1]], template)

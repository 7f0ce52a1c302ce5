"""An ES module in Node and in a browser: the bits of predict, and what it says of odd rows."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

import fastgd
from chromium import needs_chromium
from exports import MODELS, RUNS, assert_same_bits, expected, inputs, run_of, table_of
from fastgd.export.web import es_module, facts_of
from thinning import some

NODE = shutil.which("node")
FEW, MANY = 3_000, 100_000

pytestmark = pytest.mark.filterwarnings("ignore:.*(not in|never in) the training table")
needs_node = pytest.mark.skipif(NODE is None, reason="needs Node.js")

READS_NUMBERS = """
import { readFileSync, writeFileSync } from "node:fs";
import { predict } from "./model.js";
const read = readFileSync("rows");
const all = new Float64Array(read.buffer, read.byteOffset, read.length / 8);
const rows = [];
for (let at = 0; at < all.length; at += WIDTH) rows.push(all.subarray(at, at + WIDTH));
writeFileSync("found", Float64Array.from(predict(rows).flat()));
"""

READS_TABLE = """
import { readFileSync, writeFileSync } from "node:fs";
import * as model from "./model.js";
const rows = JSON.parse(readFileSync("rows"));
writeFileSync("found", Float64Array.from((model.probabilities ?? model.predict)(rows).flat()));
const lists = rows.slice(0, 40).map((row) => model.columns.map((column) => row[column]));
const { columns, classes } = model;
const bounds = model.interval?.(rows);
const predicted = { rows: model.predict(rows), lists: model.predict(lists), bounds };
console.log(JSON.stringify({ columns, classes, ...predicted }));
"""


def write(exportable, folder, interval=None):
    text = es_module(exportable._with_bounds("to_javascript", interval))
    (folder / "model.js").write_text(text, encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}')


def in_node(script, folder):
    """Run a script next to the module; gives back what it prints."""
    (folder / "script.js").write_text(script)
    made = subprocess.run(
        [NODE, "script.js"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def rows_of(table):
    """A table as rows of cells by column."""
    cells = [
        [None if c is None or c != c else str(c) if isinstance(c, datetime) else c for c in column]
        for column in (values.tolist() for values in table.values())
    ]
    return [dict(zip(table, row, strict=True)) for row in zip(*cells, strict=True)]


@needs_node
@pytest.mark.parametrize(
    ("name", "rows"),
    some(
        [(name, rows) for name in RUNS for rows in (FEW, MANY)],
        [
            rows == FEW and name in ("3-4-1", "silu, softmax")
            for name in RUNS
            for rows in (FEW, MANY)
        ],
    ),
)
def test_run(tmp_path, name, rows):
    X = inputs(name, rows)
    (tmp_path / "rows").write_bytes(X.tobytes())
    write(run_of(name), tmp_path)
    in_node(READS_NUMBERS.replace("WIDTH", str(X.shape[1])), tmp_path)
    outputs = run_of(name).predict(X)
    found = np.frombuffer((tmp_path / "found").read_bytes()).reshape(outputs.shape)
    assert_same_bits(found, outputs)


@needs_node
@pytest.mark.parametrize(
    ("name", "rows"),
    some(
        [(name, rows) for name in MODELS for rows in (FEW, MANY)],
        [
            rows == FEW and name in ("a number", "several numbers", "classes", "booleans")
            for name in MODELS
            for rows in (FEW, MANY)
        ],
    ),
)
def test_model(tmp_path, name, rows):
    model, table = MODELS[name](), table_of(rows)
    (tmp_path / "rows").write_text(json.dumps(rows_of(table)))
    coverage = 0.8 if name == "a number" else None
    write(model, tmp_path, coverage)
    said = json.loads(in_node(READS_TABLE, tmp_path))
    numbers, predicted = expected(model, table), model.predict(table).tolist()
    found = np.frombuffer((tmp_path / "found").read_bytes()).reshape(numbers.shape)
    assert_same_bits(found, numbers)
    assert said["columns"] == list(table)
    assert said["rows"] == predicted
    if coverage:
        known = model.predict_interval(table, coverage)
        np.testing.assert_allclose(said["bounds"], known, rtol=1e-12)
    assert ("bounds" in said) == (coverage is not None)
    assert said["lists"] == predicted[:40]
    assert said.get("classes") == facts_of(model._exported("to_wasm")).get("classes")


CELLS = """
import { predict } from "./model.js";
const row = {size: 50, built: 1960, city: "Oslo", heating: "gas", garden: true,
  sold: 15000.25, street: "street 0", opened: "7:30", owner: "owner 0"};
const of = (changes) => predict([{...row, ...changes}])[0];
const same = (...changes) => new Set(changes.map(of)).size === 1;
console.log(JSON.stringify([
  same({}, {city: " Oslo "}, {garden: "True"}, {garden: "true"}, {garden: "TRUE"}),
  same({size: null}, {size: undefined}, {size: NaN}),
  same({heating: null}, {heating: undefined}, {heating: NaN}, {heating: ""}, {heating: "  "}),
  same({heating: 7}, {heating: "7"}),
  same({heating: 0.00001}, {heating: "1e-05"}, {heating: "coal"}),
  same({city: "Bonn"}, {city: "oslo"}, {city: 7}, {city: "constructor"}, {city: null}),
  same({heating: "gas"}, {heating: "7"}),
  same({}, {sold: "2011-01-26T06:00"}, {sold: new Date(15000.25 * 864e5)}, {note: "unused"}),
  same({sold: "2011-01-26 07:30:00.000+0130"}, {sold: " 2011-01-26T05:30:00-00:30 "}, {}),
  same({sold: ""}, {sold: null}),
  same({}, {opened: " 07:30:00"}, {opened: 0.3125}),
  same({sold: "2011-01-27"}, {}),
  same({city: "Oslo"}, {city: "__proto__"}),
  same({size: 50}, {size: null}),
]));
"""


@needs_node
def test_cells_are_those_of_a_table(tmp_path):
    write(MODELS["a number"](), tmp_path)
    said = json.loads(in_node(CELLS, tmp_path))
    assert said == [True] * 6 + [False] + [True] * 4 + [False] * 3


ALIKE = """
import { predict } from "./model.js";
const row = {size: 50, built: 1960, city: "Oslo", heating: "gas", garden: true,
  sold: null, street: null, opened: null, owner: null};
class House {
  get size() { return 50; }
  get city() { return "Oslo"; }
}
const {size, city, ...others} = row;
const house = Object.assign(new House(), others);
const asking = {...row, get city() { predict([{...row, size: 9, city: null}]); return "Oslo"; }};
let reads = 0;
const list = Object.values(row);
Object.defineProperty(list, 0, {get: () => reads++ ? "no number" : 50});
console.log(JSON.stringify(predict([row, house, Object.create(row), asking, row, list])));
"""


@needs_node
def test_rows_may_inherit_compute_and_predict(tmp_path):
    write(MODELS["a number"](), tmp_path)
    found = json.loads(in_node(ALIKE, tmp_path))
    assert len(set(found)) == 1


ASKING = """
import { predict } from "./model.js";
const asking = [0, 1, 1];
Object.defineProperty(asking, 0, {get: () => (predict([[5, 5, 5], [6, 6, 6]]), 0)});
console.log(JSON.stringify(predict([[1, 0, 1], [0, 0, 1], asking])));
"""


@needs_node
def test_a_list_may_predict_while_it_is_read(tmp_path):
    write(run_of("3-4-1"), tmp_path)
    found = json.loads(in_node(ASKING, tmp_path))
    assert found == run_of("3-4-1").predict([[1, 0, 1], [0, 0, 1], [0, 1, 1]]).tolist()


@needs_node
def test_white_space_is_that_of_python(tmp_path):
    spaces = [chr(k) for k in range(0x11000) if chr(k).isspace()]
    texts = [f"{space}gas{space}" for space in [*spaces, "\ufeff", "\u180e", "\u200b", "\0"]]
    texts += [*spaces, "".join(spaces), f"gas{' ' * 100_000}x", "\tg a\ns ", "\ufeff"]
    table = {name: [cells[0]] * len(texts) for name, cells in table_of(FEW).items()}
    table["heating"] = texts
    write(MODELS["a number"](), tmp_path)
    (tmp_path / "rows").write_text(json.dumps(rows_of({k: np.array(v) for k, v in table.items()})))
    said = json.loads(in_node(READS_TABLE, tmp_path))
    assert said["rows"] == MODELS["a number"]().predict(table).tolist()
    assert len(set(said["rows"])) == 3


REFUSED = """
import * as model from "./model.js";
const say = (call) => {
  try { return `no error: ${JSON.stringify(call())}`; }
  catch (error) { return `${error.name}: ${error.message}`; }
};
console.log(JSON.stringify([CALLS].map((call) => say(() => call(model)))));
"""

WRONG_NUMBERS = {
    "predict()": "TypeError: rows must be an array of rows, got undefined",
    "predict('abc')": 'TypeError: rows must be an array of rows, got "abc"',
    "predict({0: [0, 0, 1], length: 1})": "TypeError: rows must be an array of rows, got object",
    "predict([0, 0, 1])": "TypeError: rows[0] must be an array of 3 numbers, got 0",
    "predict([null])": "TypeError: rows[0] must be an array of 3 numbers, got null",
    "predict([[0, 0, 1], [0, 1]])": "RangeError: rows[1] must have 3 values, got 2",
    "predict([[0, '0', 1]])": 'TypeError: rows[0][1] must be a number, got "0"',
    "predict([[0, [1, 2], 1]])": (
        "TypeError: rows[0][1] must be a number, got an array of length 2"
    ),
    "predict([[0, () => 1, 1n]])": "TypeError: rows[0][1] must be a number, got function",
    "predict([[0, , 1]])": "TypeError: rows[0][1] must be a number, got undefined",
    "predict([[0, NaN, 1]])": "RangeError: rows[0][1] must be finite, got NaN",
    "predict([[-Infinity, 0, 1]])": "RangeError: rows[0][0] must be finite, got -Infinity",
    "predict([...Array(40).fill([0, 0, 1]), [0]])": (
        "RangeError: rows[40] must have 3 values, got 1"
    ),
    "predict([])": "no error: []",
    "probabilities([[0, 0, 1]])": "TypeError: model.probabilities is not a function",
}
ROW = """{size: 50, built: 1960, city: "Oslo", heating: "gas", garden: true,
  sold: null, street: null, opened: null, owner: null}"""
WRONG_CELLS = {
    "predict([5])": "TypeError: rows[0] must be an object or an array, got 5",
    "predict([null])": "TypeError: rows[0] must be an object or an array, got null",
    "predict([[50, 1960]])": "RangeError: rows[0] must have 9 values, got 2",
    "predict([{}])": 'TypeError: rows[0] must have the column "size", got no columns',
    "predict([new Map([['size', 50]])])": (
        "TypeError: rows[0] must be an object or an array, got a Map"
    ),
    "predict([{0: row, length: 1}])": (
        'TypeError: rows[0] must have the column "size", got "0", "length"'
    ),
    "predict([{...row, size: 1n}])": (
        'TypeError: column "size" of rows[0] must be a number, got 1n'
    ),
    'predict([{size: 50, built: 1, "City": "Oslo"}])': (
        'TypeError: rows[0] must have the column "city", got "size", "built", "City"'
    ),
    "predict([{...row, size: '50'}])": (
        'TypeError: column "size" of rows[0] must be a number, got "50"'
    ),
    "predict([{...row, size: true}])": (
        'TypeError: column "size" of rows[0] must be a number, got true'
    ),
    "predict([row, {...row, size: 1 / 0}])": (
        'RangeError: column "size" of rows[1] must be finite, got Infinity'
    ),
    "predict([{...row, city: 1 / 0}])": (
        'RangeError: column "city" of rows[0] must be finite, got Infinity'
    ),
    "predict([{...row, city: new Date(0)}])": (
        'TypeError: column "city" of rows[0] must be a string, a number or a boolean, got object'
    ),
    **{
        f"predict([{{...row, sold: {sold}}}])": (
            f'TypeError: column "sold" of rows[0] must be a Date or like 2026-11-26, got {came}'
        )
        for sold, came in {
            "'26.11.2026'": '"26.11.2026"',
            "'2026-02-30'": '"2026-02-30"',
            "'2026-11-26T25:00'": '"2026-11-26T25:00"',
            "new Date('?')": "object",
            "true": "true",
        }.items()
    },
    "predict([{...row, opened: '24:00'}])": (
        'TypeError: column "opened" of rows[0] must be a number of days or like 11:57, got "24:00"'
    ),
    "predict([{...row, sold: 1e10}])": (
        "RangeError: rows[0] must have numbers like the training table's, got one far too large"
    ),
    "predict([row, {...row, size: 1.7e308, built: -1.7e308}])": "no error",
    "predict(Array(40).fill(row).concat({...row, tiny: 1e300}))": "no error",
}


@needs_node
@pytest.mark.parametrize(
    ("exportable", "wrong"),
    [(lambda: run_of("3-4-1"), WRONG_NUMBERS), (MODELS["a number"], WRONG_CELLS)],
    ids=["numbers", "cells"],
)
def test_what_does_not_fit_is_refused(tmp_path, exportable, wrong):
    write(exportable(), tmp_path)
    calls = ",\n".join(f"(model) => model.{call}" for call in wrong)
    script = f"const row = {ROW};\n{REFUSED.replace('CALLS', calls)}"
    said = json.loads(in_node(script, tmp_path))
    for found, message in zip(said, wrong.values(), strict=True):
        assert found == message or (message == "no error" and found.startswith(message))


@needs_node
def test_a_number_that_is_far_too_large_is_refused(tmp_path):
    model = MODELS["a number"]()
    exported = model._exported("to_javascript")
    size, *others = exported.preparation.columns
    narrow = type(size)(**(vars(size) | {"scale": 1e-3, "clip": 0.0}))
    preparation = type(exported.preparation)((narrow, *others))
    (tmp_path / "model.js").write_text(es_module(exported._replace(preparation=preparation)))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    call = "(model) => model.predict(Array(40).fill(row).concat({...row, size: 1e307}))"
    [said] = json.loads(in_node(f"const row = {ROW};\n{REFUSED.replace('CALLS', call)}", tmp_path))
    assert said == (
        "RangeError: rows[40] must have numbers like the training table's, got one far too large"
    )


@needs_node
def test_columns_are_not_those_of_every_object(tmp_path):
    names = ["constructor", "toString", "__proto__"]
    exported = MODELS["a number"]()._exported("to_javascript")
    columns = [replace(exported.preparation.columns[0], name=name) for name in names]
    columns += exported.preparation.columns[3:]
    preparation = replace(exported.preparation, columns=tuple(columns))
    (tmp_path / "model.js").write_text(es_module(exported._replace(preparation=preparation)))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    row = dict(zip(names, [1, 2, 3], strict=True)) | {
        "heating": "gas",
        "garden": True,
        "sold": 1,
        "street": "",
        "opened": "",
        "owner": "",
    }
    rows = [{name: row[name] for name in row if name != left_out} for left_out in names]
    calls = [f"(model) => model.predict([JSON.parse('{json.dumps(one)}')])" for one in [*rows, row]]
    *said, last = json.loads(in_node(REFUSED.replace("CALLS", ",\n".join(calls)), tmp_path))
    for name, found in zip(names, said, strict=True):
        assert found.startswith(f'TypeError: rows[0] must have the column "{name}", got "')
    assert last.startswith("no error")


PAGE = """<!DOCTYPE html>
<pre id="found"></pre>
<script type="module">
{module}
const found = predict({rows});
document.getElementById("found").textContent = JSON.stringify(found);
</script>
"""
"""A module within a page: a browser imports no file from file://."""


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("name", ["a number", "classes"])
def test_in_a_page_without_a_server(visit, tmp_path, name):
    model, table = MODELS[name](), table_of(200)
    page = tmp_path / "page.html"
    rows = json.dumps(rows_of(table)).replace("<", "\\u003c")
    module = es_module(model._exported("to_javascript"))
    page.write_text(PAGE.format(module=module, rows=rows), encoding="utf-8")
    found = visit(page).page.locator("#found").text_content()
    assert json.loads(found) == model.predict(table).tolist()


def test_a_small_network_is_small():
    assert len(es_module(run_of("3-4-1")._exported("to_javascript"))) < 12_500
    # 400 bytes of it are five inputs: times of day and bins are columns of this table.
    assert len(es_module(MODELS["a number"]()._exported("to_javascript"))) < 32_500


def test_it_may_stand_within_html():
    text = es_module(MODELS["a number"]()._exported("to_javascript"))
    assert "script>" in text
    assert not re.search("</script|<script|<!--", text)


@needs_node
def test_the_example_in_its_comment_runs(tmp_path):
    exported = MODELS["classes"]()._exported("to_javascript")
    column, _, _, _, *others = exported.preparation.columns
    columns = (replace(column, name="a */ b"), *others[:3], others[4])
    preparation = replace(exported.preparation, columns=columns)
    text = es_module(exported._replace(preparation=preparation))
    assert 'predict([{ "a *\\/ b": 0, "garden": "False", "sold": "2026-11-26", "street": ' in text
    (tmp_path / "model.js").write_text(text, encoding="utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    comment = text.partition("*/")[0]
    script = "\n".join(re.findall(r"^ \* {5}(.*)$", comment, re.MULTILINE))
    assert re.match(r"\[ .kind \d. \]", in_node(script, tmp_path))


def test_the_example_of_a_wide_network_is_short():
    run = fastgd.train(np.zeros((2, 8)), [0, 1], iterations=1)
    assert "predict([[0, 0, 0, 0, 0, ...]])" in es_module(run._exported("to_javascript"))

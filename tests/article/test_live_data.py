"""Rows that a reader pastes into the live page: what they are, and what can't be."""

import numpy as np
import pytest

from fastgd.article.page.live import INPUTS, SAMPLES, XOR
from live import in_node, needs_node

pytestmark = needs_node

READS = """
import { rowsOf } from "./live/rows.js";
answer(given.map((text) => {
  try { return rowsOf(text); } catch (error) { return error.message; }
}));
"""

GOOD = {
    "0,1,1\n1,0,0": [[0, 1, 1], [1, 0, 0]],
    "a, b, y\n0.1, -2e3, 1\n\n+.5, 3., 0.30000000000000004": [
        [0.1, -2e3, 1],
        [0.5, 3, 0.1 + 0.2],
    ],
    "0  1 1\r\n 1 0 0 ": [[0, 1, 1], [1, 0, 0]],
    "x;y\n0,5;1\n1.5;0": [[0.5, 1], [1.5, 0]],
    "x\ty\r0,5\t1\r1\t0,25": [[0.5, 1], [1, 0.25]],
    "\n" + "1 " * INPUTS + "1\n": [[1] * (INPUTS + 1)],
    "1 1\n" * SAMPLES: [[1, 1]] * SAMPLES,
    "\u22121;1.000,5\n60\u00a0000;\u20130,5": [[-1, 1000.5], [60_000, -0.5]],
}

BAD = {
    "": "data must have at least one row of numbers",
    "a,b\n": "data must have at least one row of numbers",
    "0,1\n1,x": 'line 2 must consist of finite numbers, got "x" in column 2',
    "0,1\nx,y": 'line 2 must consist of finite numbers, got "x" in column 1',
    "0,b,1": 'line 1 must consist of finite numbers, got "b" in column 2',
    "0x1,0x0,0x1\n0,1,1": 'line 1 must consist of finite numbers, got "0x1" in column 1',
    "1e,\u22121,+\n0,1,1": 'line 1 must consist of finite numbers, got "1e" in column 1',
    "\u22121,y\n0,1": 'line 1 must consist of finite numbers, got "y" in column 2',
    "0,1,": 'line 1 must consist of finite numbers, got "" in column 3',
    "0\t1\n1\t": 'line 2 must consist of finite numbers, got "" in column 2',
    "0,1\n\n1e999,1": 'line 3 must consist of finite numbers, got "1e999" in column 1',
    "0,1\n0x10,1": 'line 2 must consist of finite numbers, got "0x10" in column 1',
    "1;1.00,5": 'line 1 must consist of finite numbers, got "1.00,5" in column 2',
    "y\n1": "line 2 must have 1 to 8 inputs and then a target, got 1 in all",
    "1 " * (INPUTS + 1) + "1": "line 1 must have 1 to 8 inputs and then a target, got 10 in all",
    "a,b\n0,0,1\n0,1": "line 3 must have 3 numbers, as line 2 has, got 2",
    "a b\n" + "1 1\n" * (SAMPLES + 1): "data must have at most 64 rows, and line 66 is one more",
    "0 " + "0" * 19_998 + "1": "data must have at most 20000 characters, got 20001",
}


def test_rows(tmp_path):
    found = in_node(READS, tmp_path, given=list(GOOD))
    rows = [np.c_[one["X"], one["y"]].tolist() for one in found]
    assert rows == list(GOOD.values())
    first_letters = [text[0] for text, one in zip(GOOD, found, strict=True) if one["hasHeader"]]
    assert first_letters == ["a", "x", "x"]


def test_as_many_rows_as_fit_have_room_for_all_their_digits(tmp_path):
    row = ["-1.2345678901234567e-300"] * INPUTS + ["0.12345678901234567"]
    (found,) = in_node(READS, tmp_path, given=["\r\n".join(["; ".join(row)] * SAMPLES)])
    assert np.shape(found["X"]) == (SAMPLES, INPUTS)


def test_what_cannot_be_is_told_with_its_line(tmp_path):
    found = in_node(READS, tmp_path, given=list(BAD))
    assert found == list(BAD.values())


STATES = """
import { State } from "./live/state.js";
import { EXAMPLES, dataField, samplesOf } from "./live/own_data.js";
const state = new State({ data: dataField });
const found = { first: samplesOf(state) };
state.read("data", "1 2 0.5\\n");
found.own = samplesOf(state);
found.address = state.address;
state.read("data", "1 2 x");
found.kept = samplesOf(state);
found.problem = state.problem("data");
state.take(found.address);
found.taken = samplesOf(state);
found.again = state.problem("data");
state.read("data", given);
found.same = samplesOf(state).isArticle;
state.read("data", "  ");
found.last = samplesOf(state);
found.examples = Object.values(EXAMPLES).map((text) => dataField.read(text) === text);
answer(found);
"""


def test_the_state_keeps_the_last_good_rows(tmp_path):
    own = {"X": [[1, 2]], "y": [0.5], "hasHeader": False, "isArticle": False}
    X, y = XOR
    pasted = "\n".join(f"{a} {b} {c} {target}" for (a, b, c), target in zip(X, y, strict=True))
    found = in_node(STATES, tmp_path, given=pasted)
    article = {"X": X, "y": y, "hasHeader": False, "isArticle": True}
    assert found == {
        "first": article,
        "own": own,
        "address": "data=1%202%200.5",
        "kept": own,
        "problem": 'line 1 must consist of finite numbers, got "x" in column 3',
        "taken": own,
        "again": None,
        "same": True,
        "last": article,
        "examples": [True] * 6,
    }


@pytest.mark.parametrize(("name", "value"), [("MOST_ROWS", SAMPLES), ("MOST_INPUTS", INPUTS)])
def test_as_many_as_the_programs_have_room_for(tmp_path, name, value):
    script = f'import {{ {name} }} from "./live/rows.js";\nanswer({name});'
    assert in_node(script, tmp_path) == value


def test_numbers_are_read_as_people_type_them(tmp_path):
    """A text may be two numbers: that of a decimal comma is the first."""
    meant = {
        "0,5": [0.5],
        " \u22122e-3 ": [-0.002],
        "1.000,5": [1000.5],
        "60 000": [60_000],
        "1,125": [1.125, 1125],
        "60,000.5": [60_000.5],
        "1,2,3": [],
        "1 2": [],
        "--1": [],
        "much": [],
    }
    whole = {"60,000": 60_000, "60.000": 60_000, "60 000": 60_000, "600": 600, "6,00": None}
    script = """
import { readingsOf, wholeOf } from "./live/typed.js";
answer([given[0].map(readingsOf), given[1].map(wholeOf)]);
"""
    found = in_node(script, tmp_path, given=[list(meant), list(whole)])
    assert found == [list(meant.values()), list(whole.values())]


def test_scaled_columns_lie_between_0_and_1_and_the_sentence_tells_why(tmp_path):
    script = """
import { hindranceOf, scaledSamples } from "./live/rows.js";
const scaled = given.map(scaledSamples);
const told = (samples) => ({ ...samples, after: hindranceOf(samples) });
answer(given.map((samples, n) => ({ ...told(scaled[n]), why: hindranceOf(samples) })));
"""
    given = [
        {"X": [[1e5, 1], [2e5, 1], [1.25e5, 1]], "y": [0, 1, 0.5]},
        {"X": [[1, 0], [1.001, 1]], "y": [0, 1]},
        {"X": [[0], [1]], "y": [-1, 3]},
        {"X": [[-1.5e308], [1.5e308]], "y": [0, 1]},
        {"X": [[0, 1], [1, 1]], "y": [0, 1]},
    ]
    found = in_node(script, tmp_path, given=given)
    for samples, each in zip(given, found, strict=True):
        for name, was in samples.items():
            values = np.longdouble(was)
            low, high = values.min(axis=0), values.max(axis=0)
            unit = (values - low) / np.where(low < high, high - low, 1)
            expected = np.where(low < high, unit, values)
            np.testing.assert_allclose(np.longdouble(each[name]), expected, rtol=1e-12, atol=1e-15)
        assert each["after"] == ""
    assert [each["why"].split(":")[0] for each in found] == [
        "With an input of 200,000 units saturate easily",
        "The numbers of input 1 differ by at most 0.001",
        "An output lies between 0 and 1",
        "With an input of -1.5e+308 units saturate easily",
        "",
    ]

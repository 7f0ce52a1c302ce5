"""The live page's maps: which training is which cell, and what is said next to its final error."""

import numpy as np
import pytest

from fastgd.article.page.live import ALPHAS, AXES, Packing
from live import in_node, needs_node

pytestmark = needs_node

HEAD = """
import { learningFields } from "./live/learning.js";
import { cellBeside, Maps } from "./live/map_cells.js";
import { samplesOf } from "./live/own_data.js";
import { Pack } from "./live/pack.js";
import { ARTICLE_SETTINGS } from "./live/presets.js";
import { State } from "./live/state.js";

const pack = await Pack.decode(readFileSync("pack", "utf-8"));
const data = new Maps(pack);
const state = new State(learningFields(pack));
const cellOf = (field) => {
  const names = Object.keys(ARTICLE_SETTINGS);
  const settings = Object.fromEntries(names.map((name) => [name, state.get(name)]));
  return data.cellOf(field, settings, samplesOf(state).isArticle);
};
"""

ERRORS = {
    name: np.random.RandomState(k).random_sample((len(AXES[name]), len(ALPHAS)))
    for k, name in enumerate(AXES)
}


@pytest.fixture
def folder(tmp_path):
    packing = Packing()
    packing.add("odd", b"1")  # so that doubles begin anywhere
    for name, errors in ERRORS.items():
        packing.add(f"map {name}", errors.tobytes())
    packing.add_json("maps", {"alphas": ALPHAS, "axes": AXES})
    packing.add_json("optimizers", {"GradientDescent": 10, "Adam": 0.1})
    (tmp_path / "pack").write_text(packing.text())
    return tmp_path


def test_each_cell_is_trained_with_its_settings(folder):
    script = """
const cells = (field, cell) => data.rows[field].map((_value, row) => data.alphas.map(
  (_alpha, column) => cell(row, column)));
answer(["seed", "hidden"].map((field) => cells(field, (row, column) => {
  state.set(data.settingsAt(field, { row, column }));
  const back = cellOf(field);
  const { alpha, [field]: value } = data.settingsAt(field, { row, column });
  return [alpha, value, data.errorAt(field, { row, column }), back.row, back.column];
})));
"""
    for (name, errors), cells in zip(ERRORS.items(), in_node(HEAD + script, folder), strict=True):
        for row, value in enumerate(AXES[name]):
            for column, alpha in enumerate(ALPHAS):
                assert cells[row][column] == [alpha, value, errors[row, column], row, column]


def test_other_trainings_have_no_cell(folder):
    given = {
        "": [{"row": 0, "column": 12}, {"row": 3, "column": 12}],
        "hidden=32": [None, {"row": 19, "column": 12}],
        "hidden=17": [None, None],
        "seed=32&alpha=1000": [{"row": 31, "column": 24}, None],
        "seed=33": [None, None],
        "hidden=0": [None, None],
        "alpha=0.2": [None, None],
        "iterations=59999": [None, None],
        "bias=on": [None, None],
        "dropout=0.5": [None, None],
        "optimizer=Adam": [None, None],
        "data=1 1\n0 0": [None, None],
        "data=0 0 1 0\n0 1 1 1\n1 0 1 1\n1 1 1 0": [
            {"row": 0, "column": 12},
            {"row": 3, "column": 12},
        ],
    }
    script = """
answer(given.map((address) => {
  state.take(`${address}&alpha=1`); // unless the address has another alpha
  return [cellOf("seed"), cellOf("hidden"), state.problems];
}));
"""
    found = in_node(HEAD + script, folder, given=list(given))
    assert found == [[*cells, {}] for cells in given.values()]


def test_the_best_cell_and_keys(folder):
    script = """
const keys = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "a"];
answer({
  lowest: [data.lowest("seed"), data.lowest("hidden")],
  beside: keys.map((key) => cellBeside({ row: 0, column: 24 }, key, 32, 25) ?? null),
});
"""
    found = in_node(HEAD + script, folder)
    lowest = [divmod(int(errors.argmin()), 25) for errors in ERRORS.values()]
    assert found["lowest"] == [{"row": row, "column": column} for row, column in lowest]
    moved = [(1, 24), (0, 24), (0, 23), (0, 24)]
    assert found["beside"] == [*({"row": r, "column": c} for r, c in moved), None]

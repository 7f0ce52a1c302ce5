"""The live page's settings to try do what their sentences say."""

from importlib.resources import files

import pytest

import fastgd
from fastgd.article.page import lessons
from fastgd.optimizers import FIRST_ORDER
from live import in_node, needs_node

pytestmark = needs_node

FILE = files("fastgd.article.page").joinpath(lessons.FILE)

SCRIPT = """
import { learningFields, settingsOf } from "./live/learning.js";
import { ARTICLE_SETTINGS, areSettings } from "./live/presets.js";
import { State } from "./live/state.js";

const { optimizers, states } = given;
const state = new State(learningFields({ json: () => optimizers }));
const valueOf = (name) => state.get(name);
const presetOf = () => states.find(({ settings }) => areSettings(settings, valueOf));
const first = settingsOf(state);
const found = states.map((preset) => {
  state.set({ ...ARTICLE_SETTINGS, ...preset.settings });
  const { address } = state;
  const settings = settingsOf(state);
  state.take("");
  state.take(address); // all values can be read again
  return { name: preset.name, settings, problems: state.problems, again: presetOf().name };
});
state.set({ seed: 77 });
answer({ first, found, none: presetOf() ?? null });
"""


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    optimizers = {kind.__name__: kind.race_alpha for kind in FIRST_ORDER}
    states = lessons.read(FILE.read_text("utf-8"))["presets"]
    given = {"optimizers": optimizers, "states": states}
    return in_node(SCRIPT, tmp_path_factory.mktemp("presets"), given=given)


def test_each_can_be_sent_as_a_link_and_is_known_again(presets):
    assert presets["none"] is None
    assert len(presets["found"]) == 15
    for preset in presets["found"]:
        assert preset["problems"] == {}
        assert preset["again"] == preset["name"]


def test_the_page_begins_with_one(presets):
    found = {preset["name"]: preset["settings"] for preset in presets["found"]}
    assert found["The 13 lines"] == presets["first"]


@pytest.mark.slow
def test_they_end_where_their_sentences_say(presets):
    runs = {}
    for preset in presets["found"]:
        given = preset["settings"]
        runs[preset["name"]] = fastgd.train(
            given["X"],
            given["y"],
            hidden_size=given["hidden"] or (),
            alpha=given["alpha"],
            seed=given["seed"],
            iterations=given["iterations"],
            bias=given["bias"],
            dropout=given["dropout"],
            optimizer=next(kind for kind in FIRST_ORDER if kind.__name__ == given["optimizer"])(),
        )
    errors = {name: run.final_error for name, run in runs.items()}
    changes = {name: sum(c.sum() for c in run.direction_changes) for name, run in runs.items()}
    alphas = ("Tiny alpha", "Alpha 1", "Best alpha", "Too large", "Divergence")
    assert errors["Tiny alpha"] > 0.48
    assert changes["Tiny alpha"] <= 10
    assert min(alphas, key=errors.get) == max(alphas, key=changes.get) == "Best alpha"
    assert errors["Too large"] == pytest.approx(0.125, abs=1e-3)
    assert errors["Divergence"] == pytest.approx(0.5, abs=1e-3)
    assert abs(runs["Divergence"].weights[1]).max() > 100
    assert errors["32 hidden units"] < errors["Best alpha"]
    assert errors["3 units"] < 0.0014
    assert errors["Stuck"] == pytest.approx(0.25, abs=1e-3)
    assert errors["Another start"] < 0.004
    assert errors["1 unit"] > 0.37
    first, second = runs["Part 4"].weights[0].ravel()
    assert first > 5
    assert second < -5
    assert errors["Adam"] < errors["Best alpha"] / 900
    assert errors["Dropout"] < 0.001
    assert errors["Bias"] < 0.002

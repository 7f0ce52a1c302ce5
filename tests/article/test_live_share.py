"""What the live page lets one copy trains the same network: as Python, and as a command."""

import json
import shlex
from functools import cache

import numpy as np
import pytest

from chromium import needs_chromium
from fastgd.article.page.live import XOR, Packing, Program, add_programs
from fastgd.optimizers import FIRST_ORDER, Adam, GradientDescent
from fastgd.tables.table_samples import LARGEST
from live import in_node, needs_node
from thinning import only

pytestmark = needs_node

ROWS = "a;b;y\n0,1;-2e-7;1\n1;0,30000000000000004;0,25\n-0;1e300;0"
PARITY = "\n".join(f"{k:04b}{k.bit_count() & 1}".replace("", " ") for k in range(16))
PARITY_STATE = f"data={PARITY}&hidden=8&iterations=2000&alpha=0.1"
PROGRAMS = [
    Program(GradientDescent, fixed=True),
    Program(GradientDescent),
    Program(GradientDescent, layers=1),
    Program(GradientDescent, dropout=True),
    Program(Adam),
]
STATES = [
    "",
    "alpha=10",
    "alpha=1000&seed=4294967295",
    "alpha=0.001&seed=0&iterations=1",
    "hidden=32&alpha=31.6&iterations=500",
    "hidden=0&bias=on&iterations=1000",
    "hidden=0&dropout=0.5&iterations=1000",
    "dropout=0.15&iterations=700&seed=3",
    "dropout=0.9&bias=on&iterations=700&hidden=8",
    "optimizer=Adam&alpha=0.0123&iterations=999",
    "optimizer=Adam&alpha=100&bias=on&iterations=999",
    f"data={ROWS.replace(';', '%3B')}&hidden=3&iterations=200",
    "data=5 1\n-10 0&hidden=2&iterations=100",
    PARITY_STATE,
]
EQUAL = "start=equal&hidden=6&bias=on&iterations=300&alpha=10"
EQUALS = [
    EQUAL,
    "start=equal",
    "start=equal&hidden=0&iterations=300",
    "start=equal&hidden=5&dropout=0.5&seed=7&iterations=300",
]
"""These can't be said as a command."""
ALWAYS = [
    "",  # in Python, and every second one
    "alpha=0.001&seed=0&iterations=1",  # as a command, and every second one
    "optimizer=Adam&alpha=100&bias=on&iterations=999",
    PARITY_STATE,
    f"data={ROWS.replace(';', '%3B')}&hidden=3&iterations=200",
    EQUAL,  # in Python only
]
"""What is trained always."""
FEW = [PROGRAMS[0], PROGRAMS[1], PROGRAMS[-1]]
"""The programs of these."""

SCRIPT = """
import { learningFields, settingsOf } from "./live/learning.js";
import { Pack } from "./live/pack.js";
import { commandOf, pythonOf, tableOf } from "./live/share.js";
import { State } from "./live/state.js";
import { Programs, programOf } from "./live/worker.js";

const pack = await Pack.decode(readFileSync("pack", "utf-8"));
const programs = await Programs.open(pack);
const state = new State(learningFields(pack));
const found = [];
for (const address of given) {
  state.take(address);
  const settings = settingsOf(state);
  const training = await programs.training(programOf(settings));
  training.begin({ ...settings, dropout: settings.hidden ? settings.dropout : 0 });
  while (!training.finished) training.advance(settings.iterations);
  found.push({
    problems: state.problems,
    error: training.finalError,
    weights: training.layers.weights.map(({ values }) => [...values]),
    python: pythonOf(settings),
    command: commandOf(settings, pack.json("commands")),
    table: tableOf(settings),
  });
}
answer(found);
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What the page trains and copies in each state; of those that are slow if one is asked for."""
    slow_too = cache(lambda: trained(tmp_path_factory.mktemp("all"), PROGRAMS, STATES + EQUALS))
    always = cache(lambda: trained(tmp_path_factory.mktemp("few"), FEW, ALWAYS))
    return lambda state: (always if state in ALWAYS else slow_too)()[state]


def trained(folder, programs, states):
    packing = Packing()
    add_programs(packing, programs)
    packing.add_json("optimizers", {kind.__name__: kind.race_alpha for kind in FIRST_ORDER})
    packing.add_json("commands", {kind.__name__: kind.command for kind in FIRST_ORDER})
    (folder / "pack").write_text(packing.text())
    found = in_node(SCRIPT, folder, given=states)
    assert all(not each["problems"] for each in found)
    return dict(zip(states, found, strict=True))


def same_bits(ours, theirs):
    return [np.ravel(x).tobytes() for x in ours] == [np.ravel(x).tobytes() for x in theirs]


@pytest.mark.parametrize("state", only(STATES + EQUALS, *ALWAYS[::2], EQUAL))
def test_python_has_the_bits_of_the_page(shared, state, capsys):
    names, found = {}, shared(state)
    exec(found["python"], names)
    run = names["run"]
    assert run.final_error == found["error"]
    assert capsys.readouterr().out == f"{found['error']!r}\n"
    assert same_bits(run.weights, found["weights"])
    if state in EQUALS:
        assert "copy this training as Python" in found["command"]


@pytest.mark.parametrize("state", only(STATES, *ALWAYS[1:-1:2]))
def test_the_command_has_the_bits_of_the_page(shared, state, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = shared(state)
    (tmp_path / "data.csv").write_text(found["table"], encoding="utf-8")
    command, *words = shlex.split(found["command"])
    assert command == "fastgd"
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "")
    made = json.loads(out)
    assert made["final_error"] == found["error"]
    assert same_bits(made["weights"], found["weights"])


def test_what_is_copied_says_only_what_is_chosen(shared):
    first = shared("")
    assert first["python"] == (
        "import fastgd\n\n"
        f"X = {XOR[0]}\ny = {XOR[1]}\n"
        "run = fastgd.train(X, y, hidden_size=4, alpha=0.5)\n"
        "print(run.final_error)\n"
    )
    assert first["command"] == "fastgd train data.csv --target y --hidden-size 4 --alpha 0.5\n"
    assert first["table"] == "x1,x2,x3,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n"
    assert max(map(len, shared(PARITY_STATE)["python"].splitlines())) < 100


ONE_INPUT = """
import { commandOf } from "./live/share.js";
const settings = { hidden: 0, alpha: 1, optimizer: "GradientDescent", iterations: 60000, seed: 1 };
answer(given.map((x) => commandOf({ ...settings, X: [[0], [x]], bias: false }, {})));
"""


def test_large_inputs_are_not_standardized_whatever_their_sign(tmp_path):
    """As the command takes a table as it is only if no input is beyond LARGEST."""
    inputs = [LARGEST, -LARGEST, LARGEST + 0.5, -LARGEST - 0.5]
    commands = in_node(ONE_INPUT, tmp_path, given=inputs)
    assert [command.endswith(" --raw\n") for command in commands] == [False, False, True, True]


NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"


@pytest.mark.slow
@needs_chromium
def test_without_a_clipboard_the_text_is_selected(visit, article_page):
    page = visit(article_page, "#alpha=10", script=NO_CLIPBOARD).page
    page.click("#copy-python")
    page.wait_for_selector("#copied:not(:empty)")
    assert page.inner_text("#copied").startswith("Press Ctrl+C")
    text = page.input_value("#copied-text")
    assert "alpha=10" in text
    assert page.evaluate("String(getSelection())").strip() == text.strip()

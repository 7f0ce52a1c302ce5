"""The settings of the live page: what is in its address, and what can't be."""

from live import in_node, needs_node

FIELDS = """
import { State, choice, count, flag, number } from "./live/state.js";
const state = new State({
  alpha: number("alpha", 0.5, 0.001, 1000),
  hidden: count("hidden", 4, 0, 32),
  optimizer: choice("optimizer", "GradientDescent", ["GradientDescent", "Adam"]),
  bias: flag("bias", false),
  data: { initial: "", read: String, write: String },
});
"""


@needs_node
def test_the_address_has_what_is_not_as_at_first_and_restores_it(tmp_path):
    script = """
const first = state.address;
state.set({ alpha: 1e-3, hidden: 32, bias: true, data: "a,b\\n1+1,é&=#%" });
const address = state.address;
state.take("");
const again = state.address;
state.take(`#${address}`);
answer({ first, address, again, values: state.values });
"""
    found = in_node(FIELDS + script, tmp_path)
    assert found["first"] == found["again"] == ""
    assert found["address"].startswith("alpha=0.001&hidden=32&bias=on&data=a%2Cb%0A1%2B1")
    assert found["values"] == {
        "alpha": 0.001,
        "hidden": 32,
        "optimizer": "GradientDescent",
        "bias": True,
        "data": "a,b\n1+1,é&=#%",
    }


@needs_node
def test_an_address_that_can_not_be_leaves_the_last_good_values(tmp_path):
    script = """
state.set({ alpha: 10, hidden: 7 });
state.take("#alpha=0&hidden=1000000000&optimizer=Magic&bias=maybe&other=1&data=x");
answer({ values: state.values, problems: state.problems });
"""
    found = in_node(FIELDS + script, tmp_path)
    assert found["values"] == {
        "alpha": 10,
        "hidden": 7,
        "optimizer": "GradientDescent",
        "bias": False,
        "data": "x",
    }
    assert found["problems"] == {
        "alpha": 'alpha must be a number from 0.001 to 1000, got "0"',
        "hidden": 'hidden must be a whole number from 0 to 32, got "1000000000"',
        "optimizer": 'optimizer must be one of GradientDescent, Adam, got "Magic"',
        "bias": 'bias must be on or off, got "maybe"',
    }


@needs_node
def test_who_wants_to_know_is_told_once(tmp_path):
    script = """
const told = [];
const both = () => told.push(["both", state.get("alpha"), state.problem("alpha")]);
state.on(["alpha", "hidden"], both);
state.on(["bias"], () => told.push(["bias"]));
state.set({ alpha: 1, hidden: 2 });
state.read("alpha", "much");
state.read("alpha", " 2 ");
state.read("bias", "on");
state.take("");
answer(told);
"""
    assert in_node(FIELDS + script, tmp_path) == [
        ["both", 1, None],
        ["both", 1, 'alpha must be a number from 0.001 to 1000, got "much"'],
        ["both", 2, None],
        ["bias"],
        ["both", 0.5, None],
        ["bias"],
    ]


@needs_node
def test_numbers_that_are_none(tmp_path):
    given = ["", " ", "1e", "nan", "Infinity", "-1", "0x10", "1,5", "x" * 100]
    script = "answer(given.map((text) => [state.read('hidden', text), state.problem('hidden')]));"
    found = in_node(FIELDS + script, tmp_path, given=given)
    for text, (could, problem) in zip(given, found, strict=True):
        shown = f"{text[:40]}..." if len(text) > 40 else text
        assert not could
        assert problem == f'hidden must be a whole number from 0 to 32, got "{shown}"'


BOXES = """
const made = [];
globalThis.document = {
  getElementById: () => null,
  createElement(tag) {
    const [on, attributes] = [{}, {}];
    const setAttribute = (name, value) => (attributes[name] = value);
    const addEventListener = (name, call) => (on[name] = call);
    made.push({ tag, on, setAttribute, addEventListener, append() {} });
    return made.at(-1);
  },
};
const { textControl } = await import("./live/controls.js");
const boxOf = (own, field) => {
  textControl({ state: own, field, label: field });
  return made.findLast(({ tag }) => tag === "input");
};
"""


@needs_node
def test_what_is_typed_is_read_once(tmp_path):
    script = """
const texts = [];
const own = new State({
  seen: {
    initial: "x",
    read(text) {
      texts.push(text);
      if (text === "2x") throw new Error("can't be");
      return text;
    },
    write: String,
  },
});
const box = boxOf(own, "seen");
for (const text of ["2", "2x", "2*x"]) {
  box.value = text;
  box.on.input();
}
answer({ texts, value: own.get("seen"), problem: own.problem("seen"), box: box.value });
"""
    assert in_node(FIELDS + BOXES + script, tmp_path) == {
        "texts": ["2", "2x", "2*x"],
        "value": "2*x",
        "problem": None,
        "box": "2*x",
    }


@needs_node
def test_what_can_not_be_leaves_the_value_from_before_it_was_typed(tmp_path):
    """Not that of a prefix which could be; another control may have set it meanwhile."""
    script = """
const box = boxOf(state, "alpha");
const found = [];
const type = (text) => {
  for (let end = 1; end <= text.length; end++) {
    box.value = text.slice(0, end);
    box.on.input();
  }
  const whileTyping = state.get("alpha");
  box.on.change();
  found.push([whileTyping, state.get("alpha"), state.problem("alpha") !== null, box.value]);
};
type("50000");
type("50001");
type(" 2 ");
type("30e4");
state.set({ alpha: 7 });
type("1x");
answer(found);
"""
    assert in_node(FIELDS + BOXES + script, tmp_path) == [
        [500, 0.5, True, "50000"],
        [500, 0.5, True, "50001"],
        [2, 2, False, "2"],
        [30, 2, True, "30e4"],
        [1, 7, True, "1x"],
    ]


WRITES = """
const waiting = [];
globalThis.setTimeout = (call, wait) => waiting.push([call, wait]);
const waits = [];
const later = () => {
  const [call, wait] = waiting.shift();
  waits.push(wait);
  call();
};
const written = [];
let isPatient = true;
const replaceState = (_state, _title, address) => {
  if (!isPatient) {
    throw new Error("SecurityError: 100 times per 30 seconds");
  }
  written.push(address);
};
const location = { hash: "", href: "/page.html?a", pathname: "/page.html", search: "?a" };
state.follow({ location, history: { replaceState }, addEventListener: () => {} });
"""


@needs_node
def test_the_address_is_not_written_more_often_than_browsers_allow(tmp_path):
    """And where one throws, the last settings are written later."""
    script = """
const first = { ...state.values };
state.set({ alpha: 1 });
state.set({ alpha: 2 });
later();
isPatient = false;
state.set({ alpha: 3 });
later();
state.set({ alpha: 4 });
later();
isPatient = true;
later();
state.set(first);
later();
answer({ written, waits, waiting });
"""
    found = in_node(FIELDS + WRITES + script, tmp_path)
    assert found["written"] == ["/page.html?a", "#alpha=2", "#alpha=4", "/page.html?a"]
    assert found["waiting"] == []
    usual, long = min(found["waits"]), max(found["waits"])
    assert found["waits"] == [usual, usual, long, long, usual]
    assert usual > 30_000 / 100
    assert long > 5_000

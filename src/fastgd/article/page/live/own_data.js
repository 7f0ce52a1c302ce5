/** Own data: a box into which one pastes a few rows, from which the page's network then learns. */

import { button } from "./controls.js";
import { el } from "./dom.js";
import { MOST_INPUTS, MOST_ROWS, hindranceOf, rowsOf, scaledSamples } from "./rows.js";

/** The article's four samples: exclusive or, with a constant third input. */
export const ARTICLE = {
  X: [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]],
  y: [0, 1, 1, 0],
};

const OF_TWO = [[0, 0], [0, 1], [1, 0], [1, 1]];
const OF_FOUR = Array.from({ length: 16 }, (_, k) => [k >> 3, (k >> 2) & 1, (k >> 1) & 1, k & 1]);

/** The article's samples of part 4, and exclusive or without a constant input, as text. */
export const PART_FOUR = textOf([[0, 1, 0], [0, 1, 0], [1, 0, 1], [1, 0, 1]]);
export const TWO_INPUTS = textOf(OF_TWO.map(([a, b]) => [a, b, a ^ b]));

const SCALED = "The least number of each column is 0 now, and the largest 1; a column of equal numbers is as it was.";

const PAUSE = 700; // milliseconds: what can't be is told once one types no more

/** Data to choose, as text; the article's own is "". The third input of the first ones is constant, as in the article. */
export const EXAMPLES = {
  "XOR: the article's four samples": "",
  AND: textOf(OF_TWO.map(([a, b]) => [a, b, 1, a & b])),
  OR: textOf(OF_TWO.map(([a, b]) => [a, b, 1, a | b])),
  "Parity of four inputs": textOf(OF_FOUR.map((row) => [...row, 1, row.reduce((a, b) => a ^ b)])),
  "XOR without the constant third input": TWO_INPUTS,
  "Part 4 of the article: the output is the first input": PART_FOUR,
};

function textOf(rows) {
  return rows.map((row) => row.join(",")).join("\n");
}

/** The state's field `data`: the pasted text, or "" for the article's samples. */
export const dataField = {
  initial: "",
  read: (text) => {
    if (text.trim() !== "") {
      rowsOf(text);
      return text.trimEnd();
    }
    return "";
  },
  write: (text) => text,
};

/** What the page's network learns from: X (samples, inputs), y (samples), and whether they have a header or are the article's; scaled if they are to be. */
export function samplesOf(state) {
  const text = state.get("data");
  const { hasHeader = false, ...given } = text === "" ? ARTICLE : rowsOf(text);
  const { X, y } = state.get("scaled") ? scaledSamples(given) : given;
  return { X, y, hasHeader, isArticle: JSON.stringify({ X, y }) === JSON.stringify(ARTICLE) };
}

/** The box, with examples to choose. */
export function ownData({ state }) {
  let timer = null;
  let isTyping = false; // what the reader types stays as typed; what comes from elsewhere is shown
  const typed = () => {
    isTyping = true;
    state.read("data", box.value);
    isTyping = false;
  };
  const box = el("textarea", {
    id: "control-data",
    rows: 5,
    spellcheck: "false",
    autocomplete: "off",
    "aria-describedby": "told-data problem-data",
    on: { input: typed, change: () => tell() },
  });
  const names = Object.keys(EXAMPLES);
  const chosen = el(
    "select",
    { id: "control-data-example", on: { change: () => state.set({ data: EXAMPLES[chosen.value] }) } },
    ...names.map((name) => el("option", { value: name }, name)),
    el("option", { value: "own", disabled: true }, "Your own rows"),
  );
  const scale = button("Scale to 0..1", () => state.set({ scaled: !state.get("scaled") }), { id: "scale-data" });
  const scaling = el("span", { id: "scaling-data", class: "note", role: "status" });
  const told = el("p", { id: "told-data", class: "note" });
  const problem = el("p", { id: "problem-data", class: "problem", role: "status" });
  const most = `up to ${MOST_ROWS} rows, each with up to ${MOST_INPUTS} inputs and then the target, from 0 to 1`;
  const details = el(
    "details",
    { class: "own-data" },
    el("summary", {}, "Your own data"),
    el("p", {}, el("label", { for: "control-data-example" }, "Data "), chosen),
    el("p", {}, el("label", { for: "control-data" }, `Paste ${most}; the text may begin with a header line`)),
    box,
    el("p", { class: "scaling" }, scale, scaling),
    el("div", { class: "told" }, problem, told),
  );
  const tell = () => {
    clearTimeout(timer);
    const sentence = state.problem("data");
    problem.textContent = sentence ?? "";
    box.setAttribute("aria-invalid", String(sentence !== null));
    const hindrance = hindranceOf(samplesOf(state));
    scaling.textContent = hindrance || (state.get("scaled") ? SCALED : "");
    scale.setAttribute("aria-pressed", String(state.get("scaled")));
    told.textContent = `${sentence === null ? "The" : "Until that is mended, the"} network learns from ${summary(samplesOf(state))}.`;
  };
  state.on(["data", "scaled"], () => {
    const text = state.get("data");
    const sentence = state.problem("data");
    const { X, y } = samplesOf(state);
    clearTimeout(timer);
    if (isTyping && sentence !== null) {
      timer = setTimeout(tell, PAUSE);
    } else {
      tell();
    }
    chosen.value = sentence === null ? (names.find((name) => EXAMPLES[name] === text) ?? "own") : "own";
    box.placeholder = textOf(X.map((row, n) => [...row, y[n]]));
    if (!isTyping) {
      box.value = text;
      details.open ||= text !== "" || sentence !== null;
    }
  });
  return details;
}

function summary({ X, hasHeader }) {
  const plural = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;
  return `${plural(X.length, "row")} of ${plural(X[0].length, "input")}${hasHeader ? ", without the header line" : ""}`;
}

/** The page's training to take along: as a call in Python, as a command, as a link. */

import { button } from "./controls.js";
import { el, repr } from "./dom.js";
import { EQUAL_START } from "./memory.js";

const WIDTH = 88; // of a line of Python

/** A number as code: whole numbers without a point, all others as Python prints them. */
function codeOf(number) {
  return Number.isSafeInteger(number) && !Object.is(number, -0) ? String(number) : repr(number);
}

function rowCode(numbers) {
  return `[${numbers.map(codeOf).join(", ")}]`;
}

/** Options that aren't as in fastgd.train, as [name, value]; dropout concerns hidden units only. */
function optionsOf({ hidden, seed, iterations, bias, dropout }) {
  return [
    ["iterations", iterations, 60000],
    ["seed", seed, 1],
    ["bias", bias, false],
    ["dropout", hidden ? dropout : 0, 0],
  ].filter(([, value, initial]) => value !== initial);
}

/** The settings of trainings on the same samples as Python, which has their bits. */
export function pythonOf(...runs) {
  const [{ X, y }] = runs;
  const rows = X.map(rowCode);
  const line = `X = [${rows.join(", ")}]`;
  return [
    "import fastgd",
    "",
    ...(line.length <= WIDTH ? [line] : ["X = [", ...rows.map((row) => `    ${row},`), "]"]),
    `y = ${rowCode(y)}`,
    ...runs.flatMap((settings) => [`run = ${trainCall(settings)}`, "print(run.final_error)"]),
    "",
  ].join("\n");
}

function trainCall(settings) {
  const { hidden, alpha, optimizer, start } = settings;
  const words = [
    ...(start === "equal" ? equalStart(settings) : [`hidden_size=${hidden || "()"}`]),
    `alpha=${codeOf(alpha)}`,
    ...optionsOf(settings).map(([name, value]) => `${name}=${value === true ? "True" : codeOf(value)}`),
  ];
  if (optimizer !== "GradientDescent") {
    words.push(`optimizer=fastgd.optimizers.${optimizer}()`);
  }
  return `fastgd.train(X, y, ${words.join(", ")})`;
}

/** A network whose weights are all equal, and whose biases are 0, as arguments of fastgd.train. */
function equalStart({ X, hidden, bias }) {
  const sizes = hidden ? [X[0].length, hidden, 1] : [X[0].length, 1];
  const layers = sizes.slice(1).map((outputs, k) => `[[${EQUAL_START}] * ${outputs}] * ${sizes[k]}`);
  const biases = sizes.slice(1).map((outputs) => `[0] * ${outputs}`);
  return [`weights=[${layers.join(", ")}]`, ...(bias ? [`biases=[${biases.join(", ")}]`] : [])];
}

/** The file that the command reads. */
export const FILE = "data.csv";

/** A command that trains on that file; `commands` has the names of optimizers there. */
export function commandOf(settings, commands) {
  const { X, hidden, alpha, optimizer, start } = settings;
  if (start === "equal") {
    return "# The command has no option for equal initial weights: copy this training as Python.\n";
  }
  const words = [`fastgd train ${FILE} --target y --hidden-size ${hidden || "none"} --alpha ${codeOf(alpha)}`];
  for (const [name, value] of optionsOf(settings)) {
    words.push(value === true ? `--${name}` : `--${name} ${codeOf(value)}`);
  }
  if (optimizer !== "GradientDescent") {
    words.push(`--optimizer ${commands[optimizer]}`);
  }
  if (X.flat().some((x) => Math.abs(x) > 10)) {
    words.push("--raw"); // large inputs would be standardized
  }
  return `${words.join(" ")}\n`;
}

/** The samples as a table with a header line. */
export function tableOf({ X, y }) {
  const head = [...X[0].map((_, k) => `x${k + 1}`), "y"];
  const rows = X.map((row, n) => [...row, y[n]].map(codeOf));
  return [head, ...rows].map((row) => `${row.join(",")}\n`).join("");
}

/** Buttons that copy the experiment; `settings` gives what is trained, when one is pressed. */
export function share({ state, pack, settings }) {
  const commands = pack.json("commands");
  const more = `It reads ${FILE} in its folder: the next button copies what is in there.`;
  const link = () => `${window.location.href.split("#")[0]}#${state.address}`;
  return el(
    "div",
    { class: "share" },
    el("p", {}, "Train it elsewhere, with the same bits, or send it to someone:"),
    copyButtons("", [
      { id: "copy-python", label: "Copy as Python", text: () => pythonOf(settings()) },
      { id: "copy-command", label: "Copy as command", text: () => commandOf(settings(), commands), more },
      { id: "copy-table", label: `Copy ${FILE}`, text: () => tableOf(settings()) },
      { id: "copy-link", label: "Copy link", text: link },
    ]),
  );
}

/**
 * Buttons that copy, and below them what was copied, where one can mark it if the browser forbids
 * to copy. A button has a `label`, an `id` and a `text()`; `more` is a remark. `prefix` is that of ids.
 */
export function copyButtons(prefix, copies) {
  const said = el("p", { id: `${prefix}copied`, role: "status" });
  const box = el("textarea", { id: `${prefix}copied-text`, readonly: true, wrap: "off", "aria-label": "What was copied" });
  const shown = el("div", { class: "copied", hidden: true }, said, box);
  const copy = async (content, more) => {
    box.value = content;
    box.rows = Math.min(content.split("\n").length, 12);
    shown.hidden = false;
    try {
      await navigator.clipboard.writeText(content);
      said.textContent = `Copied. ${more}`;
    } catch {
      box.select(); // there is no clipboard, or the reader forbids it
      said.textContent = `Press Ctrl+C, or the Command key and C, to copy this. ${more}`;
    }
  };
  const buttons = copies.map(({ id, label, text, more = "" }) => button(label, () => copy(text(), more), { id: prefix + id }));
  return el("div", {}, el("div", { class: "row" }, ...buttons), shown);
}

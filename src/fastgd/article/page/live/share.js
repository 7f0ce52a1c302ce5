/** The page's training to take along: as a call in Python, as a command, as a link. */

import { button } from "./controls.js";
import { el, repr } from "./dom.js";

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

/** The settings of a training as Python, which has its bits. */
export function pythonOf(settings) {
  const { X, y, hidden, alpha, optimizer } = settings;
  const rows = X.map(rowCode);
  const line = `X = [${rows.join(", ")}]`;
  const words = [
    `hidden_size=${hidden || "()"}`,
    `alpha=${codeOf(alpha)}`,
    ...optionsOf(settings).map(([name, value]) => `${name}=${value === true ? "True" : codeOf(value)}`),
  ];
  if (optimizer !== "GradientDescent") {
    words.push(`optimizer=fastgd.optimizers.${optimizer}()`);
  }
  return [
    "import fastgd",
    "",
    ...(line.length <= WIDTH ? [line] : ["X = [", ...rows.map((row) => `    ${row},`), "]"]),
    `y = ${rowCode(y)}`,
    `run = fastgd.train(X, y, ${words.join(", ")})`,
    "print(run.final_error)",
    "",
  ].join("\n");
}

/** The file that the command reads. */
export const FILE = "data.csv";

/** A command that trains on that file; `commands` has the names of optimizers there. */
export function commandOf(settings, commands) {
  const { X, hidden, alpha, optimizer } = settings;
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

/** Buttons that copy; `settings` gives what is trained, when one is pressed. */
export function share({ state, pack, settings }) {
  const commands = pack.json("commands");
  const said = el("p", { id: "copied", role: "status" });
  const text = el("textarea", { id: "copied-text", readonly: true, rows: 8, wrap: "off", "aria-label": "What was copied" });
  const shown = el("div", { class: "copied", hidden: true }, said, text);
  const copy = async (content, more = "") => {
    text.value = content;
    text.rows = Math.min(content.split("\n").length, 12);
    shown.hidden = false;
    const could = await isCopied(content);
    if (!could) {
      text.select();
    }
    said.textContent = `${could ? "Copied." : "Press Ctrl+C, or the Command key and C, to copy this."} ${more}`;
  };
  const needs = `It reads ${FILE} in its folder: the next button copies what is in there.`;
  const link = () => `${window.location.href.split("#")[0]}#${state.address}`;
  return el(
    "div",
    { class: "share" },
    el("p", {}, "Train it elsewhere, with the same bits, or send it to someone:"),
    el(
      "div",
      { class: "row" },
      button("Copy as Python", () => copy(pythonOf(settings())), { id: "copy-python" }),
      button("Copy as command", () => copy(commandOf(settings(), commands), needs), { id: "copy-command" }),
      button(`Copy ${FILE}`, () => copy(tableOf(settings())), { id: "copy-table" }),
      button("Copy link", () => copy(link()), { id: "copy-link" }),
    ),
    shown,
  );
}

/** Copy a text, and say whether the browser let us. */
export async function isCopied(content) {
  try {
    await navigator.clipboard.writeText(content);
    return true;
  } catch {
    return false; // there is no clipboard, or the reader forbids it
  }
}

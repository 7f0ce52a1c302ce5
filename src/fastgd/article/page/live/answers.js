/** What the network answers to each sample, and which of them is chosen. */

import { readable } from "./charts.js";
import { el } from "./dom.js";
import { hasConstant, outputsOf, short } from "./forward.js";

/** How near an output is to its target: a mark and a word. */
export function verdictOf(output, target) {
  const error = Math.abs(target - output);
  return error < 0.25 ? ["✓", "right"] : error > 0.75 ? ["✗", "wrong"] : ["?", "undecided"];
}

/** A tile per sample, which is a button; `onChoose(n)` gets the chosen one, or null. */
export class Answers {
  constructor({ onChoose }) {
    this.onChoose = onChoose;
    this.element = el("div", { class: "answers", role: "group", "aria-label": "Answers of the network; choose one to see its units" });
  }

  show(run, moment, chosen = null) {
    if (!moment) {
      return;
    }
    const { X, y } = run.samples;
    if (run.samples !== this.samples) {
      this.samples = run.samples;
      this.#build(run.samples);
    }
    outputsOf(X, moment.weights).forEach((output, n) => {
      const [mark, word] = verdictOf(output, y[n]);
      const { button, answer, verdict, inputs } = this.tiles[n];
      answer.textContent = short(output);
      verdict.textContent = mark;
      button.dataset.verdict = word;
      button.setAttribute("aria-pressed", String(n === chosen));
      button.setAttribute("aria-label", `Inputs ${inputs}: output ${short(output)}, target ${readable(y[n])}, ${word}`);
      button.style.setProperty("--share", `${100 * output}%`);
    });
    this.chosen = chosen;
  }

  #build({ X, y }) {
    const inputs = hasConstant(X) ? -1 : X[0].length; // a constant one says nothing here
    this.tiles = X.map((row, n) => {
      const shown = row.slice(0, inputs).map((x) => readable(x)).join(" ");
      const [answer, verdict] = [el("strong"), el("span", { class: "verdict" })];
      const button = el(
        "button",
        { type: "button", on: { click: () => this.onChoose(n === this.chosen ? null : n) } },
        el("span", { class: "asked" }, el("span", { title: shown }, shown), verdict),
        answer,
        el("span", { class: "target" }, "target ", readable(y[n])),
        el("span", { class: "bar", "aria-hidden": "true" }),
      );
      button.style.setProperty("--target", `${100 * y[n]}%`);
      return { button, answer, verdict, inputs: shown };
    });
    this.element.replaceChildren(...this.tiles.map(({ button }) => button));
  }
}

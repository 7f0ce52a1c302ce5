/** The article's thirteen lines beside the network: each with its numbers, one after the other as they act in a step. */

import { button } from "./controls.js";
import { el, isStill, termButton } from "./dom.js";
import { Matrix } from "./matrix.js";
import { stepOf } from "./step.js";

const LIT = 800; // milliseconds for a line when one steps through them
const LIT_SHORT = 150; // and while the iterations play
const MOST_SHOWN = 4; // as the article has: rows and columns of a matrix
const STEP_THROUGH = "Step through the lines";
const LOOP = 7; // the line with which an iteration begins
const OF_HIDDEN = [5, 8, 11, 14]; // what drops out without a hidden layer

/** What the lines do, by their numbers in the article; line 12 ends line 11. Words in [] are explained on tap. */
const SAYS = {
  1: "NumPy computes with whole matrices: one line does it for all samples and units.",
  2: "X has the inputs: a row for each sample.",
  3: "y has the targets: what the network should answer to each sample.",
  4: "alpha is the learning rate, hidden_dim the number of hidden units.",
  5: "The initial weights from the inputs to the hidden units.",
  6: "The initial weights to the output unit.",
  7: "The next iteration begins, with these weights.",
  8: "Forward: each hidden unit adds up its inputs times their weights, and the [sigmoid] turns the sum into a number from 0 to 1.",
  9: "Forward: the output unit does the same with layer_1; this is the network's answer to each sample.",
  10: "Error: output minus target, times the [derivative] of the sigmoid; positive where the output should be lower, negative where higher.",
  11: "[Backpropagation]: each hidden unit gets the output's delta times its weight, times its own derivative; positive where it should be lower.",
  13: "Update: the [gradient] has each weight's derivative, summed over the samples; a weight moves the other way, by alpha times its own.",
  14: "Update: the same for the weights from the inputs to the hidden units, whose gradient is X.T.dot(layer_1_delta).",
};

/** The part of the network that acts. */
const PARTS = { 5: "synapse_0", 6: "synapse_1", 8: "layer_1", 9: "layer_2", 10: "layer_2", 11: "layer_1", 13: "synapse_1", 14: "synapse_0" };

/** What the lines make, of the variables of a step; an optimizer makes its own use of the gradient. */
const MAKES = {
  2: "X",
  3: "y",
  5: "synapse_0",
  6: "synapse_1",
  7: "synapse_0 synapse_1",
  8: "layer_1",
  9: "layer_2",
  10: "error × slope_2 = layer_2_delta",
  11: "layer_1_error × slope_1 = layer_1_delta",
  13: "synapse_1 − move_1 = next_1",
  14: "synapse_0 − move_0 = next_0",
};
const OF_OPTIMIZER = { 13: "gradient_1", 14: "gradient_0" };

/** How variables of a step are named, other than in the code. */
const NAMES = {
  error: "layer_2 - y",
  slope_2: "layer_2*(1-layer_2)",
  layer_1_error: "layer_2_delta.dot(synapse_1.T)",
  slope_1: "layer_1 * (1-layer_1)",
  gradient_1: "gradient",
  gradient_0: "gradient",
  move_1: "alpha * gradient",
  move_0: "alpha * gradient",
  next_1: "new synapse_1",
  next_0: "new synapse_0",
};

/** The printed lines for these settings, whose numbers stand between bars. */
export function linesOf({ X, y, hidden, alpha, iterations, start }) {
  const some = (texts) => (texts.length > 4 ? [...texts.slice(0, 4), "..."] : texts).join(",");
  const weights = (rows, columns) => (start === "equal" ? `|0.5|*np.ones((${rows},${columns}))` : `2*np.random.random((${rows},${columns})) - 1`);
  return [
    "import numpy as np",
    `X = np.array([ ${some(X.map((row) => `[${row}]`))} ])`,
    `y = np.array([[${some(y)}]]).T`,
    `alpha,hidden_dim = (|${alpha}|,|${hidden}|)`,
    `synapse_0 = ${weights(X[0].length, "hidden_dim")}`,
    `synapse_1 = ${weights(hidden ? "hidden_dim" : X[0].length, 1)}`,
    `for j in xrange(|${iterations}|):`,
    "    layer_1 = 1/(1+np.exp(-(np.dot(X,synapse_0))))",
    "    layer_2 = 1/(1+np.exp(-(np.dot(layer_1,synapse_1))))",
    "    layer_2_delta = (layer_2 - y)*(layer_2*(1-layer_2))",
    "    layer_1_delta = layer_2_delta.dot(synapse_1.T) * (layer_1 * (1-",
    "        layer_1))",
    "    synapse_1 -= (alpha * layer_1.T.dot(layer_2_delta))",
    "    synapse_0 -= (alpha * X.T.dot(layer_1_delta))",
  ];
}

/** What the lines don't say of a training: a sentence or none for each of its settings. */
export function differencesOf({ hidden, seed, start, bias, dropout, optimizer }) {
  return [
    start !== "equal" && `The initial weights are those of np.random.seed(${seed}).`,
    !hidden && "Without a hidden layer layer_1 is X itself: lines 5, 8, 11, 12 and 14 drop out.",
    bias && "With bias, each sum of lines 8 and 9 also has a bias, which is trained like a weight whose input is 1.",
    hidden && dropout > 0 && "Dropout leaves out hidden units at random in each iteration: lines 8 and 9 have the numbers with all units, and the step isn't shown.",
    optimizer !== "GradientDescent" && `${optimizer} makes its own use of the gradient, which lines 13 and 14 show: it is explained below, where it is chosen.`,
  ].filter(Boolean);
}

/** A number with four significant digits. */
export function fourDigits(x) {
  const size = Math.abs(x);
  return Number.isInteger(x) && size < 1e4 ? String(x) : size >= 1e4 || size < 1e-3 ? x.toExponential(3) : x.toPrecision(4);
}

/**
 * The matrices that a line makes, as [sign that stands before it, name, rows]: with dropout none from line 10 on.
 */
export function madeBy(number, samples, settings, moment) {
  if (!(number in MAKES) || isOff(number, settings) || (number >= 10 && settings.hidden && settings.dropout)) {
    return [];
  }
  const step = stepOf(samples, settings, moment);
  const formula = (settings.optimizer !== "GradientDescent" && OF_OPTIMIZER[number]) || MAKES[number];
  const made = [...formula.matchAll(/([×−=]?) ?(\w+)/g)].map(([, sign, name]) => [sign, NAMES[name] ?? name, step[name]]);
  return made.filter(([, , rows]) => rows);
}

function isOff(number, { hidden }) {
  return !hidden && OF_HIDDEN.includes(number);
}

/**
 * The view: the lines at the left, `beside` (elements) at the right, the numbers below both.
 *
 * `onPart` gets what acts in the network ("synapse_0", "layer_1", ... or null), `onNext` is called to go to
 * the next moment after the last line, and `isPlaying` tells whether moments follow each other by themselves.
 */
export class Listing {
  constructor({ beside = [], onPart = () => {}, onNext = () => {}, isPlaying = () => false }) {
    Object.assign(this, { onPart, onNext, isPlaying, chosen: LOOP, held: null, timer: null });
    this.numbers = Object.keys(SAYS).map(Number);
    this.lines = new Map(this.numbers.map((number) => [number, this.#line(number)]));
    this.play = button(STEP_THROUGH, () => this.#playOrPause(), { id: "listing-play", hidden: isStill(), disabled: true });
    this.next = button("Next line", () => this.#pause().#next(), { id: "listing-next", disabled: true });
    this.when = el("strong", { id: "listing-when" });
    this.sentence = el("p", { id: "listing-sentence", "aria-live": "polite" });
    this.tables = [0, 1, 2].map(() => new Matrix({ caption: "", write: fourDigits }));
    this.signs = this.tables.map(() => el("span"));
    this.difference = el("p", { class: "note", id: "listing-difference" });
    const pieces = this.tables.flatMap(({ table }, k) => [this.signs[k], table]);
    const region = { class: "scroll", id: "listing-numbers", tabindex: 0, role: "region", "aria-label": "The line's numbers" };
    this.element = el(
      "div",
      { class: "listing" },
      el("div", { class: "row" }, this.play, this.next, this.when),
      el("div", { class: "listing-code scroll", role: "group", "aria-label": "The thirteen lines" }, ...this.lines.values()),
      el("div", { class: "listing-beside" }, ...beside),
      this.sentence,
      el("div", region, el("div", {}, ...pieces), this.difference),
    );
  }

  show(run, moment) {
    if (!moment) {
      return;
    }
    const { settings } = run;
    if (settings !== this.run?.settings) {
      const texts = linesOf(settings);
      for (const [number, { lastChild, classList }] of this.lines) {
        const text = number === 11 ? `${texts[10]}\n${texts[11]}` : texts[number - 1];
        lastChild.replaceChildren(...text.split("|").map((piece, n) => (n % 2 ? el("b", {}, piece) : piece)));
        classList.toggle("off", isOff(number, settings));
      }
      this.difference.textContent = differencesOf(settings).join(" ");
    }
    Object.assign(this, { run, moment });
    this.play.disabled = this.next.disabled = false;
    const count = moment.iteration.toLocaleString("en-US");
    this.when.textContent = this.#isOver && run.finished ? `After ${count} iterations` : `Iteration ${count}`;
    this.#turn();
  }

  /** A line as a button: the pointer or the focus shows its numbers for a while, a click keeps them. */
  #line(number) {
    const hold = (held) => () => this.#turn({ held });
    const keep = () => this.#pause().#turn({ chosen: number });
    const on = { pointerenter: hold(number), pointerleave: hold(null), focus: hold(number), blur: hold(null), click: keep };
    const printed = number === 11 ? "11.\n12." : `${String(number).padStart(2, "0")}.`;
    return el("button", { type: "button", class: "line", on }, el("span", { "aria-hidden": "true" }, printed), el("code"));
  }

  #playOrPause() {
    if (this.timer !== null) {
      this.#pause();
      return;
    }
    this.play.textContent = "Pause";
    this.timer = setInterval(() => (this.chosen === this.#steps.at(-1) ? this.#pause() : this.#next()), LIT);
    this.#next();
  }

  #pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = STEP_THROUGH;
    return this;
  }

  /** Go to the next line that acts; after the last one, and at the end of the training, to the next moment. */
  #next() {
    const next = this.#isOver ? undefined : this.#steps.find((number) => number > this.chosen);
    if (next === undefined) {
      this.onNext();
    }
    this.#turn({ chosen: next ?? LOOP });
  }

  get #isOver() {
    return this.moment === this.run.moments.at(-1);
  }

  /** The lines of an iteration. */
  get #steps() {
    return this.numbers.filter((number) => number >= LOOP && !isOff(number, this.run.settings));
  }

  /** Show another line, or the same one at another moment. */
  #turn(changed = {}) {
    Object.assign(this, changed);
    if (this.run) {
      this.#light();
      this.#fill(this.held ?? this.chosen);
    }
  }

  /** Mark the line that acts, here and in the network: one after the other while iterations play. */
  #light() {
    const [, ...acting] = this.#steps;
    const playing = this.held === null && this.isPlaying();
    const lit = playing ? acting[Math.floor(performance.now() / LIT_SHORT) % acting.length] : (this.held ?? this.chosen);
    if (lit !== this.lit) {
      this.lines.get(this.lit)?.classList.remove("lit");
      this.lines.get(lit).classList.add("lit");
      this.lit = lit;
      this.onPart(isOff(lit, this.run.settings) ? null : (PARTS[lit] ?? null));
    }
  }

  /** Write what a line does, and its numbers. */
  #fill(number) {
    const { run: { samples, settings, moments }, moment } = this;
    const says = isOff(number, settings) ? "This drops out, as there is no hidden layer." : SAYS[number];
    const sentence = `${number === 11 ? "Lines 11 and 12" : `Line ${number}`}. ${says}`;
    if (sentence !== this.told) {
      this.told = sentence;
      this.sentence.replaceChildren(...sentence.split(/[[\]]/).map((piece, n) => (n % 2 && termButton(piece, piece)) || piece));
    }
    const made = madeBy(number, samples, settings, number < LOOP ? moments[0] : moment);
    this.tables.forEach((table, k) => {
      const [sign = "", name, rows] = made[k] ?? [];
      this.signs[k].textContent = sign;
      table.table.hidden = !name;
      if (name) {
        const [height, width] = [rows.length, rows[0].length];
        const cut = Math.max(height, width) > MOST_SHOWN ? `, at most ${MOST_SHOWN} of each shown` : "";
        table.caption.textContent = `${name} (${height} x ${width}${cut})`;
        table.showRows(rows.slice(0, MOST_SHOWN).map((row) => ({ values: row.slice(0, MOST_SHOWN) })));
      }
    });
  }
}

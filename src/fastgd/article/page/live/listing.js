/** The article's thirteen lines beside the network: each with its numbers, one after the other as they act in a step. */

import { button } from "./controls.js";
import { el, isStill } from "./dom.js";
import { Matrix } from "./matrix.js";
import { placewise, sigmoidSlope, stepOf } from "./step.js";

const LIT = 800; // milliseconds for a line when one steps through them
const LIT_SHORT = 150; // and while the iterations play
const MOST_SHOWN = 8; // rows and columns of a matrix
const STEP_THROUGH = "Step through the lines";

/** The step of a line that changes weights: with another optimizer than gradient descent only the gradient is that of the line. */
function update(k) {
  const [synapse, gradient, next] = [`synapse_${k}`, `gradient_${k}`, `next_${k}`];
  return ({ step, settings: { alpha, optimizer } }) =>
    optimizer === "GradientDescent"
      ? [
          [`old ${synapse}`, step[synapse], "−"],
          ["alpha * gradient", placewise((slope) => alpha * slope, step[gradient]), "="],
          [`new ${synapse}`, step[next]],
        ]
      : [["gradient", step[gradient]]];
}

/**
 * The lines by their numbers in the article; line 12 ends line 11. `part` is what acts in the network, and
 * `makes` gives the matrices, as name, rows, and the sign that follows. Words in [] are explained on tap.
 */
const LINES = [
  { number: 1, says: "NumPy computes with whole matrices: a line for all samples and units." },
  { number: 2, says: "X has the inputs: a row for each sample.", makes: ({ samples: { X } }) => [["X", X]] },
  { number: 3, says: "y has the targets: what the network should answer to each sample.", makes: ({ samples: { y } }) => [["y", y.map((target) => [target])]] },
  { number: 4, says: "alpha is the learning rate, hidden_dim the number of hidden units." },
  { number: 5, part: "synapse_0", says: "The initial weights from the inputs to the hidden units.", makes: ({ step }) => [["synapse_0", step.synapse_0]] },
  { number: 6, part: "synapse_1", says: "The initial weights to the output unit.", makes: ({ step }) => [["synapse_1", step.synapse_1]] },
  {
    number: 7,
    says: "The next iteration begins, with these weights.",
    makes: ({ step }) => [...(step.synapse_0 ? [["synapse_0", step.synapse_0]] : []), ["synapse_1", step.synapse_1]],
  },
  {
    number: 8,
    part: "layer_1",
    says: "Forward: each hidden unit adds up its inputs times their weights, and the [sigmoid] turns the sum into a number from 0 to 1.",
    makes: ({ step }) => [["layer_1", step.layer_1]],
  },
  {
    number: 9,
    part: "layer_2",
    says: "Forward: the output unit does the same with the hidden units' numbers; that is the network's answer to each sample.",
    makes: ({ step }) => [["layer_2", step.layer_2]],
  },
  {
    number: 10,
    part: "layer_2",
    trains: true,
    says: "Error: output minus target, times the [derivative] of the sigmoid; positive where the output should be lower, negative where higher.",
    makes: ({ step }) => [
      ["layer_2 - y", step.error, "×"],
      ["layer_2*(1-layer_2)", placewise(sigmoidSlope, step.layer_2), "="],
      ["layer_2_delta", step.layer_2_delta],
    ],
  },
  {
    number: 11,
    part: "layer_1",
    trains: true,
    says: "[Backward]: each hidden unit gets the output's delta times its weight, times its own derivative; positive where it should be lower.",
    makes: ({ step }) => [
      ["layer_2_delta.dot(synapse_1.T)", step.layer_1_error, "×"],
      ["layer_1 * (1-layer_1)", placewise(sigmoidSlope, step.layer_1), "="],
      ["layer_1_delta", step.layer_1_delta],
    ],
  },
  {
    number: 13,
    part: "synapse_1",
    trains: true,
    says: "Update: layer_1.T.dot(layer_2_delta) is the [gradient], each weight's derivative, summed over the samples; a weight moves the other way, by alpha times its own.",
    makes: update(1),
  },
  {
    number: 14,
    part: "synapse_0",
    trains: true,
    says: "Update: the same for the weights from the inputs to the hidden units, whose gradient is X.T.dot(layer_1_delta).",
    makes: update(0),
  },
];
const LOOP = 6; // the place of line 7
const OF_HIDDEN = [5, 8, 11, 14]; // what drops out without a hidden layer

const OPTIMIZERS = {
  Momentum: "adds to alpha times the gradient 0.9 of the previous step",
  Nesterov: "takes the step that Momentum would take after one more update with the same gradient",
  AdaGrad: "divides each weight's step by the root of the sum of its squared gradients so far",
  AdaDelta: "scales each weight's step by the sizes of its recent steps and gradients",
  RMSProp: "divides each weight's step by the root of a running mean of its squared gradients",
  Adam: "divides a running mean of each weight's gradients by the root of the mean of their squares",
  AdamW: "takes Adam's step, and makes each weight a little smaller",
  Rprop: "uses only the sign of each derivative: a weight's steps grow while it stays, and shrink when it changes",
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
    !hidden && "Without a hidden layer layer_1 is X itself: lines 5, 8, 11 and 14 drop out.",
    bias && "With bias, each sum of lines 8 and 9 also has a bias, which is trained like a weight whose input is 1.",
    hidden && dropout > 0 && "Dropout leaves out hidden units at random in each iteration: lines 8 and 9 have the numbers with all units, and the step isn't shown.",
    optimizer in OPTIMIZERS && `${optimizer} ${OPTIMIZERS[optimizer]}: of lines 13 and 14 only the gradient is shown.`,
  ].filter(Boolean);
}

/** A number with four significant digits. */
export function fourDigits(x) {
  const size = Math.abs(x);
  return Number.isInteger(x) && size < 1e4 ? String(x) : size >= 1e4 || size < 1e-3 ? x.toExponential(3) : x.toPrecision(4);
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
    this.lines = LINES.map((_, k) => this.#line(k));
    this.play = button(STEP_THROUGH, () => this.#playOrPause(), { id: "listing-play", hidden: isStill() });
    const next = button("Next line", () => this.#pause().#next(), { id: "listing-next" });
    this.when = el("strong", { id: "listing-when" });
    this.sentence = el("p", { class: "listing-sentence", id: "listing-sentence", "aria-live": "polite" });
    this.tables = [0, 1, 2].map(() => new Matrix({ caption: "", write: fourDigits }));
    this.signs = this.tables.map(() => el("span", { class: "sign" }));
    this.difference = el("p", { class: "note", id: "listing-difference" });
    const numbers = { class: "listing-numbers scroll", id: "listing-numbers", tabindex: 0, role: "region", "aria-label": "The line's numbers" };
    this.element = el(
      "div",
      { class: "listing" },
      el("div", { class: "row" }, this.play, next, this.when),
      el("div", { class: "listing-code scroll", role: "group", "aria-label": "The thirteen lines" }, ...this.lines),
      el("div", { class: "listing-beside" }, ...beside),
      this.sentence,
      el("div", numbers, el("div", {}, ...this.tables.flatMap(({ table }, k) => [table, this.signs[k]])), this.difference),
    );
  }

  show(run, moment) {
    if (!moment) {
      return;
    }
    const { settings } = run;
    if (settings !== this.run?.settings) {
      const texts = linesOf(settings);
      this.lines.forEach(({ lastChild, classList }, k) => {
        const text = LINES[k].number === 11 ? `${texts[10]}\n${texts[11]}` : texts[LINES[k].number - 1];
        lastChild.replaceChildren(...text.split("|").map((piece, n) => (n % 2 ? el("b", {}, piece) : piece)));
        classList.toggle("off", isOff(k, settings));
      });
      this.difference.textContent = differencesOf(settings).join(" ");
    }
    Object.assign(this, { run, moment });
    const count = moment.iteration.toLocaleString("en-US");
    this.when.textContent = this.#isOver && run.finished ? `After ${count} iterations` : `Iteration ${count}`;
    this.#light();
    this.#fill();
  }

  /** A line as a button: the pointer or the focus shows its numbers for a while, a click keeps them. */
  #line(k) {
    const { number } = LINES[k];
    const hold = (line) => () => {
      this.held = line;
      this.#turn();
    };
    const keep = () => {
      this.#pause().chosen = k;
      this.#turn();
    };
    const on = { pointerenter: hold(k), pointerleave: hold(null), focus: hold(k), blur: hold(null), click: keep };
    const numbers = number === 11 ? "11.\n12." : `${String(number).padStart(2, "0")}.`;
    return el("button", { type: "button", class: "line", on }, el("span", { "aria-hidden": "true" }, numbers), el("code"));
  }

  #playOrPause() {
    if (this.timer !== null) {
      this.#pause();
      return;
    }
    this.play.textContent = "Pause";
    this.timer = setInterval(() => (this.chosen === LINES.length - 1 ? this.#pause() : this.#next()), LIT);
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
    const next = this.#isOver ? undefined : this.#steps().find((k) => k > this.chosen);
    if (next === undefined) {
      this.onNext();
    }
    this.chosen = next ?? LOOP;
    this.#turn();
  }

  get #isOver() {
    return this.moment === this.run.moments.at(-1);
  }

  #steps() {
    return LINES.map((_, k) => k).filter((k) => k >= LOOP && !isOff(k, this.run.settings));
  }

  /** Show another line. */
  #turn() {
    if (this.run) {
      this.#light();
      this.#fill();
    }
  }

  /** Mark the line that acts, here and in the network: while iterations play one after the other. */
  #light() {
    const steps = this.#steps().slice(1);
    const playing = this.held === null && this.isPlaying();
    const lit = playing ? steps[Math.floor(performance.now() / LIT_SHORT) % steps.length] : (this.held ?? this.chosen);
    if (lit !== this.lit) {
      this.lines[this.lit]?.classList.remove("lit");
      this.lines[lit].classList.add("lit");
      this.lit = lit;
      this.onPart(isOff(lit, this.run.settings) ? null : (LINES[lit].part ?? null));
    }
  }

  /** Write what the line does, and its numbers. */
  #fill() {
    const { run: { samples, settings, moments }, moment } = this;
    const k = this.held ?? this.chosen;
    const { number, says, trains, makes } = LINES[k];
    const off = isOff(k, settings);
    const sentence = `${number === 11 ? "Lines 11 and 12" : `Line ${number}`}. ${off ? "Without a hidden layer this line drops out." : says}`;
    if (sentence !== this.told) {
      this.told = sentence;
      this.sentence.replaceChildren(...sentence.split(/[[\]]/));
    }
    const isShown = makes && !off && !(trains && settings.hidden && settings.dropout);
    const step = isShown && stepOf(samples, settings, k < LOOP ? moments[0] : moment);
    const made = isShown ? makes({ samples, settings, step }) : [];
    this.tables.forEach((table, n) => {
      const [name, rows, sign = ""] = made[n] ?? [];
      table.table.hidden = !name;
      this.signs[n].textContent = sign;
      if (name) {
        table.caption.textContent = `${name} (${rows.length} x ${rows[0].length})`;
        table.showRows(rows.slice(0, MOST_SHOWN).map((row) => ({ values: row.slice(0, MOST_SHOWN) })));
      }
    });
  }
}

function isOff(k, { hidden }) {
  return !hidden && OF_HIDDEN.includes(LINES[k].number);
}

/** The thirteen lines, live: controls, and a network that trains anew at each change. */

import { button, choiceControl, flagControl, sliderControl, textControl } from "./controls.js";
import { el } from "./dom.js";
import { dataField, ownData, samplesOf } from "./own_data.js";
import { presets } from "./presets.js";
import { Scale } from "./scales.js";
import { share } from "./share.js";
import { Stage } from "./stage.js";
import { choice, count, flag, number } from "./state.js";

const ALPHAS = [0.001, 0.01, 0.1, 1, 10, 100, 1000];
const MOST_SEED = 2 ** 32 - 1;
const MOST_RECORDS = 600;
const TRAINED_BY = ["alpha", "hidden", "seed", "iterations", "optimizer", "bias", "dropout", "data"];

const INVITATION =
  "This network learns XOR: to answer 1 if exactly one of its first two inputs is 1, and 0 otherwise. " +
  "Move a slider, and it trains anew in your browser, with the very numbers that Python gets. " +
  "Break it with an alpha of 1000, then mend it.";

/** The live section of the article's network. */
export const experiment = {
  name: "experiment",

  fields: (pack) => ({
    alpha: number("alpha", 0.5, 0.001, 1000),
    hidden: count("hidden units", 4, 0, 32),
    seed: count("seed", 1, 0, MOST_SEED),
    iterations: count("iterations", 60000, 1, 1000000),
    optimizer: choice("optimizer", "GradientDescent", Object.keys(pack.json("optimizers"))),
    bias: flag("bias", false),
    dropout: rate("dropout", 0, 0.9, 0.05),
    data: dataField,
    logError: flag("logarithmic axis", true),
  }),

  async start({ state, trainer, pack, root }) {
    const settings = () => settingsOf(state);
    const stage = new Stage({ state, trainer, pack, settings });
    const controls = controlsOf(state, pack.json("optimizers"));
    stage.results.prepend(ownData({ state }), share({ state, pack, settings }));
    root.append(
      el("p", { class: "lead" }, INVITATION),
      presets({ state }),
      el("div", { class: "experiment" }, el("div", { class: "bench" }, stage.element, stage.tools, controls), stage.results),
    );
    state.on(TRAINED_BY, () => stage.train());
    state.on(["logError"], () => stage.curve.chart.draw());
  },
};

/** A multiple of `step`, from 0 to `high`. */
function rate(name, initial, high, step) {
  const inInterval = number(name, initial, 0, high);
  return {
    ...inInterval,
    read: (text) => {
      const value = inInterval.read(text);
      const multiple = Number((Math.round(value / step) * step).toPrecision(6));
      if (multiple !== value) {
        throw new Error(`${name} must be a multiple of ${step}, got "${text}"`);
      }
      return value;
    },
  };
}

/** What the page trains: the settings of Trainer.train. */
export function settingsOf(state) {
  const { X, y } = samplesOf(state);
  const iterations = state.get("iterations");
  const recordEvery = Math.max(1, Math.ceil(iterations / MOST_RECORDS));
  const given = Object.fromEntries(TRAINED_BY.map((name) => [name, state.get(name)]));
  return { ...given, X, y, recordEvery, path: false };
}

function controlsOf(state, optimizers) {
  const suits = el("span");
  const use = button("use it", () => state.set({ alpha: optimizers[state.get("optimizer")] }), { id: "use-race-alpha" });
  const suiting = el("p", { class: "suits" }, suits, use);
  const show = () => {
    const alpha = optimizers[state.get("optimizer")];
    suits.textContent = `Alpha that suits it in the race: ${alpha}`;
    use.hidden = alpha === state.get("alpha");
  };
  state.on(["optimizer", "alpha"], show);
  show();
  const next = button("Next seed", () => state.set({ seed: (state.get("seed") + 1) % (MOST_SEED + 1) }), { id: "next-seed" });
  return el(
    "div",
    { class: "controls" },
    sliderControl({
      state,
      field: "alpha",
      label: "Alpha",
      hint: "the learning rate",
      scale: new Scale({ low: 0.001, high: 1000, log: true, ticks: ALPHAS }),
    }),
    sliderControl({
      state,
      field: "hidden",
      label: "Hidden units",
      scale: new Scale({ low: 0, high: 32, step: 1, whole: true, ticks: [0, 4, 8, 16, 32] }),
    }),
    sliderControl({
      state,
      field: "iterations",
      label: "Iterations",
      scale: new Scale({ low: 1, high: 1000000, log: true, digits: 2, whole: true, ticks: [1, 100, 1000, 10000, 60000, 1000000] }),
      name: (tick) => (tick < 1000 ? String(tick) : tick < 1e6 ? `${tick / 1000}k` : "1M"),
    }),
    textControl({ state, field: "seed", label: "Seed", hint: "initial weights", extra: [next] }),
    choiceControl({ state, field: "optimizer", label: "Optimizer", choices: Object.keys(optimizers), below: [suiting] }),
    sliderControl({
      state,
      field: "dropout",
      label: "Dropout",
      hint: "share of hidden units left out",
      scale: new Scale({ low: 0, high: 0.9, step: 0.05, ticks: [0, 0.5] }),
    }),
    flagControl({ state, field: "bias", label: "Bias: a constant input for each layer" }),
  );
}

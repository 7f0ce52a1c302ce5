/** The thirteen lines, live: controls, and a network that trains anew at each change. */

import { Chart, readable } from "./charts.js";
import { button, choiceControl, flagControl, sliderControl, textControl } from "./controls.js";
import { Diagram, Outputs } from "./diagram.js";
import { el, repr } from "./dom.js";
import { MapNote } from "./map_note.js";
import { Matrix, totalOf } from "./matrix.js";
import { dataField, ownData, samplesOf } from "./own_data.js";
import { presets } from "./presets.js";
import { Published } from "./published.js";
import { Scale } from "./scales.js";
import { share } from "./share.js";
import { choice, count, flag, number } from "./state.js";

const ALPHAS = [0.001, 0.01, 0.1, 1, 10, 100, 1000];
const MOST_SEED = 2 ** 32 - 1;
const MOST_RECORDS = 600;
const MOST_KEPT = 6;
const TRAINED_BY = ["alpha", "hidden", "seed", "iterations", "optimizer", "bias", "dropout", "data"];

const INVITATION =
  "Move a slider: this network trains anew in your browser, with the very numbers that Python gets. " +
  "Break it with an alpha of 1000, then mend it.";

/** The live section of the article's network. */
export const experiment = {
  name: "experiment",

  fields: (pack) => ({
    alpha: number("alpha", 1, 0.001, 1000),
    hidden: count("hidden size", 4, 0, 32),
    seed: count("seed", 1, 0, MOST_SEED),
    iterations: count("iterations", 60000, 1, 1000000),
    optimizer: choice("optimizer", "GradientDescent", Object.keys(pack.json("optimizers"))),
    bias: flag("bias", false),
    dropout: rate("dropout", 0, 0.9, 0.05),
    data: dataField,
    logError: flag("logarithmic axis", true),
  }),

  async start({ state, trainer, pack, root }) {
    const stage = new Stage(state, trainer, pack);
    const controls = controlsOf(state, pack.json("optimizers"));
    stage.results.prepend(share({ state, pack, settings: () => settingsOf(state) }));
    root.append(
      el("p", { class: "lead" }, INVITATION),
      presets({ state }),
      el("div", { class: "experiment" }, el("div", { class: "bench" }, stage.element, stage.tools, controls), stage.results),
    );
    state.on(TRAINED_BY, () => stage.train());
    state.on(["logError"], () => stage.chart.draw());
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

/** What tells a setting from the first one, for labels of curves: "alpha 10, 8 hidden". */
function labelOf({ alpha, hidden, seed, iterations, optimizer, bias, dropout, data }) {
  const parts = [
    `alpha ${alpha}`,
    hidden !== 4 && `${hidden} hidden`,
    seed !== 1 && `seed ${seed}`,
    optimizer !== "GradientDescent" && optimizer,
    bias && "bias",
    dropout > 0 && `dropout ${dropout}`,
    iterations !== 60000 && `${readable(iterations)} iterations`,
    data !== "" && "other data",
  ];
  return parts.filter(Boolean).join(", ");
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
    ownData({ state }),
  );
}

/** The curve and what belongs to it. */
class Stage {
  constructor(state, trainer, pack) {
    Object.assign(this, { state, trainer, result: null, kept: [], isStopped: false });
    this.chart = new Chart(() => this.#paint());
    this.chart.element.id = "experiment-chart";
    this.chart.element.setAttribute("aria-label", "Error curve");
    this.label = el("span", {}, "Final error");
    this.final = el("strong", { id: "experiment-final-error" });
    this.progress = el("progress", { id: "experiment-progress", max: 1, value: 0, "aria-label": "Iterations done" });
    this.note = el("p", { id: "experiment-note", class: "note" });
    this.spoken = el("p", { id: "experiment-status", class: "spoken", role: "status" });
    this.stop = button("Stop", () => this.#stopOrTrain(), { id: "experiment-stop" });
    this.keep = button("Keep this curve", () => this.#keep(), { id: "experiment-keep" });
    this.clear = button("Clear", () => this.#clear(), { id: "experiment-clear", hidden: true });
    this.legend = el("ul", { class: "legend", id: "experiment-legend" });
    this.diagram = new Diagram();
    this.outputs = new Outputs();
    this.weights = new Matrix({ caption: "Weights", write: shortWeight });
    this.changes = new Matrix({ caption: "Direction changes of the derivatives", write: String });
    this.changes.element.id = "experiment-changes";
    this.weights.element.id = "experiment-weights";
    this.total = el("p", { id: "experiment-total", class: "note" });
    this.published = new Published(pack.json("published"));
    this.mapNote = new MapNote(pack);
    this.element = el(
      "div",
      { class: "stage" },
      el("p", { class: "final" }, this.label, this.final),
      this.chart.element,
      this.progress,
    );
    this.tools = this.#tools();
    this.results = this.#results();
  }

  #tools() {
    return el(
      "div",
      { class: "tools" },
      this.legend,
      el(
        "div",
        { class: "row" },
        this.stop,
        this.keep,
        this.clear,
        flagControl({ state: this.state, field: "logError", label: "Log axis" }),
      ),
      this.note,
      this.mapNote.element,
      this.spoken,
    );
  }

  #results() {
    return el(
      "div",
      { class: "results" },
      el(
        "div",
        { class: "pieces" },
        this.diagram.element,
        this.outputs.element,
        el("div", {}, this.changes.element, this.total),
        this.weights.element,
      ),
      this.published.element,
    );
  }

  /** Train with the settings of the page, unless these are being trained already. */
  train(again = false) {
    const settings = settingsOf(this.state);
    const key = JSON.stringify(settings);
    if (key === this.key && !again) {
      return;
    }
    Object.assign(this, { key, settings, isStopped: false });
    this.samples = samplesOf(this.state);
    this.#tell("");
    this.trainer.train("experiment", settings, (result) => this.#take(result));
    this.stop.textContent = "Stop";
    this.stop.disabled = false;
  }

  #take(result) {
    if (result.failed) {
      this.note.textContent = `Training failed: ${result.failed}`;
      return;
    }
    this.result = result;
    this.stop.disabled = result.finished;
    this.progress.classList.toggle("done", result.finished);
    this.progress.value = result.finished ? 1 : result.done / result.settings.iterations;
    this.#showKept();
    this.#numbers();
  }

  #numbers() {
    const { result, samples } = this;
    const { settings, finished, diverged, done, weights } = result;
    const error = finished ? result.finalError : result.errors.at(-1);
    this.final.textContent = error === undefined ? "" : repr(error);
    this.label.textContent = finished ? "Final error" : "Error so far";
    this.final.dataset.finished = String(finished);
    this.final.classList.toggle("waits", !finished);
    this.note.textContent = noteOf(result, this.trainer.fused, this.isStopped);
    this.diagram.show(weights);
    this.outputs.show(samples, weights);
    this.changes.show(result.changes);
    this.weights.show(weights);
    const { sum, average } = totalOf(result.changes);
    this.total.textContent = `Together ${readable(sum)} changes, ${average.toFixed(1)} per weight.`;
    this.published.show(result, samples.isArticle);
    this.mapNote.show(result, samples.isArticle);
    if (finished) {
      const outcome = diverged ? `the weights overflow after ${readable(done)} iterations` : `final error ${repr(error)}`;
      this.chart.element.setAttribute("aria-label", `Error curve, ${labelOf(settings)}: ${outcome}`);
      this.#tell(`${labelOf(settings)}: ${outcome}`);
    }
  }

  /** Say it to screen readers, once nothing has changed for a moment. */
  #tell(sentence) {
    clearTimeout(this.timer);
    if (sentence) {
      this.timer = setTimeout(() => (this.spoken.textContent = sentence), 700);
    }
  }

  #stopOrTrain() {
    if (this.isStopped) {
      this.train(true);
      return;
    }
    this.trainer.stop("experiment");
    this.isStopped = true;
    this.stop.textContent = "Train again";
    this.note.textContent = this.result ? noteOf(this.result, this.trainer.fused, true) : "";
  }

  #keep() {
    const label = labelOf(this.result.settings);
    const curve = { label, ...curveOf(this.result) };
    this.kept = [...this.kept.filter((other) => other.label !== label), curve].slice(-MOST_KEPT);
    this.#showKept();
  }

  #clear() {
    this.kept = [];
    this.#showKept();
  }

  #showKept() {
    this.clear.hidden = this.kept.length === 0;
    const item = (label, color) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--color", `var(--${color})`);
      return el("li", {}, swatch, label);
    };
    const items = this.kept.map(({ label }, k) => item(label, `series-${k + 1}`));
    const now = items.length ? [item(`now: ${labelOf(this.result.settings)}`, "accent")] : [];
    this.legend.replaceChildren(...now, ...items);
    this.chart.draw();
  }

  #paint() {
    const { chart, result, kept, state } = this;
    if (!result) {
      return;
    }
    const { across, upward } = curveOf(result);
    const longest = Math.max(result.settings.iterations, ...kept.map((curve) => curve.across.at(-1)));
    chart.axes({
      x: new Scale({ low: 0, high: longest }),
      y: errorScale([upward, ...kept.map((curve) => curve.upward)], state.get("logError")),
      across: "iterations",
      upward: "mean absolute error",
    });
    const { series, accent } = chart.colors;
    kept.forEach((curve, k) => chart.line(curve.across, curve.upward, series[k + 1], 1.5));
    chart.line(across, upward, accent, 2.5);
    if (upward.length) {
      chart.dot(across.at(-1), upward.at(-1), accent);
    }
    this.#point(across, upward);
  }

  /** The error where the pointer is. */
  #point(across, upward) {
    const { chart } = this;
    if (chart.pointer !== null && upward.length) {
      const away = (k) => Math.abs(chart.left(across[k]) - chart.pointer);
      const nearest = across.reduce((best, _, k) => (away(k) < away(best) ? k : best), 0);
      chart.dot(across[nearest], upward[nearest], chart.colors.ink, 3.5);
      chart.label(`${across[nearest].toLocaleString("en-US")}: ${readable(upward[nearest], 4)}`, across[nearest], upward[nearest], chart.colors.ink);
    }
  }
}

/** The recorded errors of a result, and at its end the final one. */
export function curveOf({ recorded, errors, done, finished, finalError }) {
  const isWhole = finished && Number.isFinite(finalError);
  return isWhole ? { across: [...recorded, done], upward: [...errors, finalError] } : { across: recorded, upward: errors };
}

/** The axis of errors: logarithmic from 0.001 or half a power of ten below the least of them; otherwise from 0. */
export function errorScale(curves, log) {
  const all = curves.flat().filter((error) => Number.isFinite(error) && error > 0);
  if (log) {
    const least = all.reduce((low, error) => Math.min(low, error), 1);
    return new Scale({ low: Math.min(1e-3, 10 ** (Math.floor(2 * Math.log10(least)) / 2)), high: 1, log });
  }
  const most = all.reduce((high, error) => Math.max(high, error), 0.1);
  return new Scale({ low: 0, high: Math.ceil(10 * most) / 10 });
}

/** A weight in four characters or so: 4.6, -14.9, -117, 2e-4. */
export function shortWeight(x) {
  const size = Math.abs(x);
  if (size < 0.05 && size > 0) {
    return size < 0.005 ? x.toExponential(0) : x.toFixed(2);
  }
  return x.toFixed(size < 99.95 ? 1 : 0);
}

/** What there is to say about a training: how far, how fast, and how it is computed. */
export function noteOf({ done, finished, diverged, seconds, settings: { iterations } }, fused, isStopped) {
  const time = seconds < 1 ? `${readable(1000 * seconds, 2)} ms` : `${readable(seconds)} s`;
  const way = fused ? "multiply-adds fused by the processor" : "multiply-adds computed exactly, which is slower in this browser";
  const count = (n) => n.toLocaleString("en-US");
  if (diverged) {
    return `The weights overflowed after ${count(done)} iterations: alpha is too large. (${way})`;
  }
  const many = finished ? `${count(iterations)} iterations` : `${count(done)} of ${count(iterations)} iterations`;
  return `${many} in ${time}${isStopped && !finished ? ", then stopped" : ""} (${way}).`;
}

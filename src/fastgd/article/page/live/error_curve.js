/** The error curve, and those that the reader keeps for comparison. */

import { Chart, readable, ticksOf } from "./charts.js";
import { button } from "./controls.js";
import { el, repr } from "./dom.js";
import { Scale } from "./scales.js";
import { labelOf } from "./wording.js";

const MOST_KEPT = 6;
const BEGINNING = 0.5; // where iteration 0 stands on a logarithmic axis

/** The chart of a training, with buttons to keep its curve; `isLog()` tells whether the axis of errors is logarithmic. */
export class ErrorCurve {
  constructor(isLog) {
    Object.assign(this, { isLog, run: null, moment: null, kept: [] });
    this.chart = new Chart(() => this.#paint());
    this.chart.element.setAttribute("aria-label", "Error curve");
    this.legend = el("ul", { class: "legend", id: "experiment-legend" });
    this.keep = button("Keep this curve", () => this.#keep(), { id: "experiment-keep", disabled: true });
    this.clear = button("Clear", () => this.#clear(), { id: "experiment-clear", hidden: true });
  }

  show(run, moment) {
    const isOther = run !== this.run;
    Object.assign(this, { run, moment });
    this.keep.disabled = !moment;
    if (isOther) {
      this.#showKept();
      const error = run.finished ? `final error ${repr(run.finalError)}` : "training";
      this.chart.element.setAttribute("aria-label", `Error curve, ${labelOf(run.settings)}: ${error}`);
    }
    this.chart.draw();
  }

  #keep() {
    const label = labelOf(this.run.settings);
    const curve = { label, ...curveOf(this.run) };
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
    const now = items.length ? [item(`now: ${labelOf(this.run.settings)}`, "accent")] : [];
    this.legend.replaceChildren(...now, ...items);
    this.chart.draw();
  }

  #paint() {
    const { chart, run, moment, kept } = this;
    if (!moment) {
      return;
    }
    const now = curveOf(run);
    const longest = Math.max(run.settings.iterations, ...kept.map((curve) => curve.across.at(-1)));
    const y = errorScale([now, ...kept].map((curve) => curve.upward), this.isLog());
    const x = new Scale({ low: BEGINNING, high: longest, log: true });
    chart.axes({
      x,
      y,
      across: "iterations",
      upward: "mean absolute error",
      stops: [BEGINNING, ...ticksOf(x)],
      stop: (iteration) => (iteration === BEGINNING ? "0" : readable(iteration)),
    });
    const { series, accent, ink } = chart.colors;
    const heights = ({ upward }) => upward.map((error) => Math.max(error, y.low)); // 0 is below all of a logarithmic axis
    kept.forEach((curve, k) => chart.line(curve.across, heights(curve), series[k + 1], 1.5));
    const until = run.moments.indexOf(moment) + 1;
    chart.line(now.across, heights(now), accent, 1);
    chart.line(now.across.slice(0, until), heights(now).slice(0, until), accent, 2.5);
    const pointed = this.#pointed(now) ?? moment;
    const place = [Math.max(pointed.iteration, BEGINNING), Math.max(pointed.error, y.low)];
    chart.dot(...place, pointed === moment ? accent : ink, 5);
    if (pointed !== run.moments.at(-1)) {
      chart.label(`${pointed.iteration.toLocaleString("en-US")}: ${readable(pointed.error, 4)}`, ...place, ink);
    }
  }

  /** The moment where the pointer is. */
  #pointed({ across }) {
    const { chart, run } = this;
    if (chart.pointer === null) {
      return null;
    }
    const away = (k) => Math.abs(chart.left(across[k]) - chart.pointer);
    return run.moments[across.reduce((best, _, k) => (away(k) < away(best) ? k : best), 0)];
  }
}

/** The errors of a training's moments; where the axis is logarithmic, iteration 0 stands at its beginning. */
export function curveOf({ moments }) {
  return {
    across: moments.map(({ iteration }) => Math.max(iteration, BEGINNING)),
    upward: moments.map(({ error }) => error),
  };
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

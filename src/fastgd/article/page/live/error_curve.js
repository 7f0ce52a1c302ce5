/** The error curve, and those that the reader keeps for comparison. */

import { Chart, readable } from "./charts.js";
import { button } from "./controls.js";
import { el } from "./dom.js";
import { Scale } from "./scales.js";
import { labelOf } from "./wording.js";

const MOST_KEPT = 6;

/** The chart of a result, with buttons to keep its curve; `isLog()` tells whether the axis of errors is logarithmic. */
export class ErrorCurve {
  constructor(isLog) {
    Object.assign(this, { isLog, result: null, kept: [] });
    this.chart = new Chart(() => this.#paint());
    this.chart.element.id = "experiment-chart";
    this.chart.element.setAttribute("aria-label", "Error curve");
    this.legend = el("ul", { class: "legend", id: "experiment-legend" });
    this.keep = button("Keep this curve", () => this.#keep(), { id: "experiment-keep", disabled: true });
    this.clear = button("Clear", () => this.#clear(), { id: "experiment-clear", hidden: true });
  }

  show(result) {
    this.result = result;
    this.keep.disabled = result.errors.length === 0;
    this.#showKept();
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
    const { chart, result, kept } = this;
    if (!result) {
      return;
    }
    const now = curveOf(result);
    const longest = Math.max(result.settings.iterations, ...kept.map((curve) => curve.across.at(-1)));
    const y = errorScale([now, ...kept].map((curve) => curve.upward), this.isLog());
    chart.axes({
      x: new Scale({ low: 0, high: longest }),
      y,
      across: "iterations",
      upward: "mean absolute error",
    });
    const { series, accent } = chart.colors;
    const heights = ({ upward }) => upward.map((error) => Math.max(error, y.low)); // 0 is below all of a logarithmic axis
    kept.forEach((curve, k) => chart.line(curve.across, heights(curve), series[k + 1], 1.5));
    chart.line(now.across, heights(now), accent, 2.5);
    if (now.upward.length) {
      chart.dot(now.across.at(-1), heights(now).at(-1), accent);
    }
    this.#point(now, heights(now));
  }

  /** The error where the pointer is. */
  #point({ across, upward }, heights) {
    const { chart } = this;
    if (chart.pointer !== null && upward.length) {
      const away = (k) => Math.abs(chart.left(across[k]) - chart.pointer);
      const nearest = across.reduce((best, _, k) => (away(k) < away(best) ? k : best), 0);
      chart.dot(across[nearest], heights[nearest], chart.colors.ink, 3.5);
      const text = `${across[nearest].toLocaleString("en-US")}: ${readable(upward[nearest], 4)}`;
      chart.label(text, across[nearest], heights[nearest], chart.colors.ink);
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

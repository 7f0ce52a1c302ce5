/** The error curve, and others for comparison. */

import { Chart, readable, ticksOf } from "./charts.js";
import { repr } from "./dom.js";
import { Scale } from "./scales.js";
import { labelOf } from "./wording.js";

const BEGINNING = 0.5; // where iteration 0 stands on a logarithmic axis

/** The chart of a training: `isLog()` tells whether the axis of errors is logarithmic, `others()` are runs to compare with. */
export class ErrorCurve {
  constructor(isLog, others = () => []) {
    Object.assign(this, { isLog, others, run: null, moment: null });
    this.chart = new Chart(() => this.#paint(), { "aria-label": "Error curve" });
  }

  show(run, moment) {
    Object.assign(this, { run, moment });
    const error = run.finished ? `final error ${repr(run.finalError)}` : "training";
    this.chart.element.setAttribute("aria-label", `Error curve, ${labelOf(run.settings)}: ${error}`);
    this.chart.draw();
  }

  #paint() {
    const { chart, run, moment } = this;
    if (!moment) {
      return;
    }
    const now = curveOf(run);
    const kept = this.others().map(curveOf);
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

/** What the network thinks: its output over two inputs as colors, with the samples in it. */

import { Chart } from "./charts.js";
import { contour } from "./contours.js";
import { el } from "./dom.js";
import { NO_SLOPE, answerOf, hasConstant, outputsOf, saturationOf, saturationSentence, short } from "./forward.js";
import { Scale } from "./scales.js";

const GRID = 49; // places across and upward, between which the canvas smooths
const MARGIN = 0.25; // around the samples, as a share of their range
const STRENGTH = 0.7; // of the colors of 0 and 1, so that lines are seen on them
const HATCH = 4; // places from one line of the hatching to the next

const OVER = "The picture's colors: the output of the network, ";
const SHOWN = " 1; the line is where it is 0.5, rings are samples in the color of their target. ";
const HATCHED = `Hatched: all derivatives of the output with respect to the weights are below ${NO_SLOPE}, so it hardly learns there. `;
const MEANS = "Other inputs are held at their means. ";
const CONSTANT =
  "The last input is always 1: its weights let a unit answer 0.5 elsewhere than where all inputs are 0. Without it (or a bias), " +
  "a sample of zeros would get 0.5 from each hidden unit, whatever the weights.";

/**
 * The view over the first two inputs that vary: their `axes`, as indices, with their `ends`, the means of all inputs, and
 * whether more of them vary. Where fewer do, an axis is an input after the last one, which is 0 and on which no output depends.
 */
export function windowOf(X) {
  const columns = X[0].map((_, k) => X.map((row) => row[k]));
  const varying = columns.flatMap((column, k) => (column.some((x) => x !== column[0]) ? [k] : []));
  const axes = [...varying, columns.length, columns.length].slice(0, 2);
  const ends = axes.map((k) => {
    const [low, high] = [Math.min, Math.max].map((end) => end(...(columns[k] ?? [0])));
    const margin = MARGIN * (high - low) || 1;
    return [low - margin, high + margin];
  });
  const means = columns.map((column) => column.reduce((sum, x) => sum + x, 0) / column.length);
  return { axes, ends, means, hasMore: varying.length > 2 };
}

/** Outputs on size x size places of a window, row by row from its bottom, and whether they are flat. */
export function outputsOver({ axes, ends, means }, layers, size) {
  const at = ([low, high], step) => low + ((high - low) * step) / (size - 1);
  const answers = Array.from({ length: size * size }, (_, n) => {
    const [x, y] = [at(ends[0], n % size), at(ends[1], Math.floor(n / size))];
    return answerOf(layers, means.map((mean, k) => (k === axes[0] ? x : k === axes[1] ? y : mean)));
  });
  return { outputs: answers.map(({ output }) => output), flat: answers.map(({ effect }) => effect < NO_SLOPE) };
}

/** How much of the color of 0 or 1 an output has, from 0 to 1; none if it is no number. */
export function strengthOf(output) {
  return STRENGTH * Math.abs(2 * output - 1) || 0;
}

/** The picture; `words` are what is saturated, and what the picture shows. */
export class Picture {
  constructor() {
    this.chart = new Chart(() => this.moment && this.#paint());
    this.element = this.chart.element;
    this.element.classList.add("picture");
    this.pixels = el("canvas", { width: GRID, height: GRID });
    this.note = el("p", { class: "note" });
    this.means = el("span", {}, MEANS);
    this.constant = el("span", {}, CONSTANT);
    const shades = el("span", { class: "shades", "aria-hidden": "true" });
    const shown = el("p", {}, OVER, "0 ", shades, SHOWN, this.means, HATCHED, this.constant);
    this.words = el("div", { class: "thought" }, this.note, shown);
  }

  show({ samples, settings }, moment, chosen) {
    if (!moment) {
      return;
    }
    if (samples !== this.samples) {
      this.window = windowOf(samples.X);
      this.means.hidden = !this.window.hasMore;
      this.constant.hidden = !hasConstant(samples.X);
    }
    Object.assign(this, { samples, moment, chosen });
    this.note.textContent = saturationSentence(saturationOf(samples, moment.weights), settings, moment.error);
    const outputs = outputsOf(samples.X, moment.weights).slice(0, 8).map(short).join(", ");
    this.element.setAttribute("aria-label", `Output of the network over its inputs; for the samples: ${outputs}`);
    this.chart.draw();
  }

  #paint() {
    const { chart, samples, moment, window: { axes, ends, means } } = this;
    const [x, y] = ends.map(([low, high]) => new Scale({ low, high }));
    const [across, upward] = axes.map((k) => (k < means.length ? `input ${k + 1}` : ""));
    chart.axes({ x, y, across, upward, ticks: upward ? undefined : [] });
    const { context, box, colors: { ink, soft } } = chart;
    const { outputs, flat } = outputsOver(this.window, moment.weights, GRID);
    this.#color(outputs);
    // The middles of the outermost pixels are the edges of the box.
    const [wide, high] = [box.width / (GRID - 1), box.height / (GRID - 1)];
    const bottom = box.top + box.height;
    const placed = ([column, row, toColumn, toRow]) =>
      [box.left + column * wide, bottom - row * high, box.left + toColumn * wide, bottom - toRow * high];
    chart.inside(() => {
      context.drawImage(this.pixels, box.left - wide / 2, box.top - high / 2, GRID * wide, GRID * high);
      chart.segments(hatching(flat).map(placed), ink, 0.75);
      chart.segments(contour(outputs, GRID, 0.5).map(placed), ink, 1.5);
      samples.X.forEach((row, n) => this.#sample(axes.map((k) => row[k] ?? 0), samples.y[n], n));
    });
    context.strokeStyle = soft;
    context.lineWidth = 1;
    context.strokeRect(box.left, box.top, box.width, box.height);
  }

  /** Draw in the color of an output, on paper. */
  #shaded(context, output, draw) {
    const { paper, negative, accent } = this.chart.colors;
    draw(paper);
    context.globalAlpha = strengthOf(output);
    draw(output < 0.5 ? negative : accent);
    context.globalAlpha = 1;
  }

  /** The outputs as pixels, the highest row first. */
  #color(outputs) {
    const context = this.pixels.getContext("2d");
    outputs.forEach((output, n) =>
      this.#shaded(context, output, (color) => {
        context.fillStyle = color;
        context.fillRect(n % GRID, GRID - 1 - Math.floor(n / GRID), 1, 1);
      }),
    );
  }

  /** A sample: a circle in the color of its target, larger if it is chosen. */
  #sample(place, target, n) {
    const { chart, chart: { colors: { paper, ink } } } = this;
    const radius = n === this.chosen ? 9 : 6;
    chart.dot(...place, paper, radius + 3, 0);
    chart.dot(...place, ink, radius + 1.5, 0);
    this.#shaded(chart.context, target, (color) => chart.dot(...place, color, radius, 0));
  }
}

/** Lines upward to the right through the flat places, each through one cell of the grid. */
function hatching(flat) {
  const places = flat.map((isFlat, n) => [n % GRID, Math.floor(n / GRID), isFlat]);
  const isThere = ([column, row, isFlat]) => isFlat && (row + GRID - column) % HATCH === 0 && Math.max(row, column) < GRID - 1;
  return places.filter(isThere).map(([column, row]) => [column, row, column + 1, row + 1]);
}

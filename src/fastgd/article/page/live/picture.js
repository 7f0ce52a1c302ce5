/** What the network thinks: its output over two inputs as colors, with the samples in it. */

import { Chart } from "./charts.js";
import { contour } from "./contours.js";
import { el } from "./dom.js";
import { NO_SLOPE, answerOf, outputsOf, saturationOf, saturationSentence, short } from "./forward.js";
import { Scale } from "./scales.js";

const GRID = 49; // places across and upward, between which the canvas smooths
const MARGIN = 0.25; // around the samples, as a share of their range
const STRENGTH = 0.7; // of the colors of 0 and 1, so that lines are seen on them
const HATCH = 4; // places from one line of the hatching to the next

const OVER = "The picture's colors: the output of the network, ";
const HATCHED = ` Hatched: all derivatives of the output with respect to the weights are below ${NO_SLOPE}, so it hardly learns there.`;
const CONSTANT =
  "The last input is always 1: its weights let a unit answer 0.5 elsewhere than where all inputs are 0. Without it (or a bias), " +
  "a sample of zeros would get 0.5 from each hidden unit, whatever the weights.";

/** The view over the first two inputs that vary, or one: their indices, ends, and the means of all inputs. */
export function windowOf(X) {
  const columns = X[0].map((_, k) => X.map((row) => row[k]));
  const varies = columns.flatMap((column, k) => (column.some((x) => x !== column[0]) ? [k] : []));
  const axes = (varies.length ? varies : [0]).slice(0, 2);
  const ends = axes.map((k) => {
    const [low, high] = [Math.min(...columns[k]), Math.max(...columns[k])];
    const margin = MARGIN * (high - low) || 1;
    return [low - margin, high + margin];
  });
  return { axes, ends, means: columns.map((column) => column.reduce((sum, x) => sum + x, 0) / column.length) };
}

/** Outputs on size x size places of a window, row by row from its bottom, and whether they are flat. */
export function outputsOver({ axes, ends, means }, layers, size) {
  const row = [...means];
  const [outputs, flat] = [new Float64Array(size * size), new Uint8Array(size * size)];
  for (let n = 0; n < size * size; n++) {
    const steps = [n % size, Math.floor(n / size)];
    axes.forEach((axis, k) => (row[axis] = ends[k][0] + ((ends[k][1] - ends[k][0]) * steps[k]) / (size - 1)));
    const { output, effect } = answerOf(layers, row);
    outputs[n] = output;
    flat[n] = Number(effect < NO_SLOPE);
  }
  return { outputs, flat };
}

/** Parts of red, green and blue from 0 to 255 of an output: from the color of 0 over that of the paper to that of 1. */
export function shadeOf(output, { negative, paper, accent }) {
  const share = STRENGTH * Math.abs(2 * output - 1);
  const parts = (color) => [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
  const [from, to] = [parts(paper), parts(output < 0.5 ? negative : accent)];
  return from.map((part, k) => Math.round(part + share * (to[k] - part)));
}

/** The picture; `words` are what is saturated, and what the picture shows. */
export class Picture {
  constructor() {
    this.chart = new Chart(() => this.#paint());
    this.chart.element.classList.add("picture");
    this.pixels = el("canvas", { width: GRID, height: GRID });
    this.place = null;
    const point = ({ offsetX, offsetY }) => (this.place = [offsetX, offsetY]);
    this.chart.element.addEventListener("pointermove", point);
    this.chart.element.addEventListener("pointerdown", point);
    this.chart.element.addEventListener("pointerleave", ({ pointerType }) => {
      if (pointerType === "mouse") {
        this.place = null; // what was tapped stays
      }
    });
    this.note = el("p", { class: "note saturation" });
    this.over = el("span");
    this.constant = el("span");
    const shades = el("span", { class: "shades", "aria-hidden": "true" });
    this.element = this.chart.element;
    this.words = el("div", { class: "thought" }, this.note, el("p", {}, OVER, "0 ", shades, " 1; ", this.over, HATCHED, this.constant));
  }

  show(run, moment, chosen) {
    if (!moment) {
      return;
    }
    const { samples, settings } = run;
    if (samples !== this.run?.samples) {
      this.window = windowOf(samples.X);
      this.#describe(samples);
    }
    Object.assign(this, { run, moment, chosen });
    this.note.textContent = saturationSentence(saturationOf(samples, moment.weights), settings, moment.error);
    const outputs = outputsOf(samples.X, moment.weights).slice(0, 8).map(short).join(", ");
    this.chart.element.setAttribute("aria-label", `Output of the network over its inputs; for the samples: ${outputs}`);
    this.chart.draw();
  }

  #describe({ X }) {
    const { axes } = this.window;
    const last = X[0].length - 1;
    const isConstant = last > 0 && X.every((row) => row[last] === 1);
    const hasMore = X[0].some((_, k) => !axes.includes(k) && X.some((row) => row[k] !== X[0][k]));
    const line = axes.length === 2 ? "the line is where it is 0.5" : "the line is its height";
    this.over.textContent = `${line}, rings are samples in the color of their target.${hasMore ? " Other inputs are held at their means." : ""}`;
    this.constant.textContent = isConstant ? ` ${CONSTANT}` : "";
  }

  #paint() {
    const { chart, run, moment, window } = this;
    if (!moment) {
      return;
    }
    const { axes, ends } = window;
    const scale = ([low, high]) => new Scale({ low, high });
    const upward = axes.length === 2 ? `input ${axes[1] + 1}` : "output";
    chart.axes({ x: scale(ends[0]), y: scale(ends[1] ?? [-MARGIN, 1 + MARGIN]), across: `input ${axes[0] + 1}`, upward });
    const { context, box, colors } = chart;
    const { outputs, flat } = outputsOver(window, moment.weights, GRID);
    this.#color(outputs);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    // The middles of the outermost pixels are the edges of the box.
    const [wide, high] = [box.width / (GRID - 1), box.height / (GRID - 1)];
    context.drawImage(this.pixels, box.left - wide / 2, box.top - high / 2, GRID * wide, GRID * high);
    const line = (pieces, width) => {
      context.strokeStyle = colors.ink;
      context.lineWidth = width;
      context.beginPath();
      for (const [x, y, toX, toY] of pieces) {
        context.moveTo(box.left + x * wide, box.top + box.height - y * high);
        context.lineTo(box.left + toX * wide, box.top + box.height - toY * high);
      }
      context.stroke();
    };
    line(hatching(flat), 0.75);
    if (axes.length === 2) {
      line(contour(outputs, GRID, 0.5), 1.5);
    } else {
      const first = [...outputs.slice(0, GRID)];
      chart.line(first.map((_, k) => ends[0][0] + ((ends[0][1] - ends[0][0]) * k) / (GRID - 1)), first, colors.ink);
    }
    run.samples.X.forEach((row, n) => this.#sample(row, run.samples.y[n], n));
    context.restore();
    context.strokeStyle = colors.soft;
    context.lineWidth = 1;
    context.strokeRect(box.left, box.top, box.width, box.height);
    this.#point();
  }

  /** The outputs as pixels, the highest row first. */
  #color(outputs) {
    const { colors } = this.chart;
    if (this.shades?.paper !== colors.paper) {
      const table = Array.from({ length: 256 }, (_, k) => [...shadeOf(k / 255, colors), 255]);
      this.shades = { paper: colors.paper, table };
    }
    const context = this.pixels.getContext("2d");
    const image = context.createImageData(GRID, GRID);
    for (let n = 0; n < GRID * GRID; n++) {
      const from = (GRID - 1 - Math.floor(n / GRID)) * GRID + (n % GRID);
      image.data.set(this.shades.table[Math.round(255 * outputs[from])] ?? [], 4 * n); // nothing where it is no number
    }
    context.putImageData(image, 0, 0);
  }

  /** A sample: a circle in the color of its target, larger if it is chosen. */
  #sample(row, target, n) {
    const { chart, chosen, window: { axes } } = this;
    const { context, colors } = chart;
    const place = [chart.left(row[axes[0]]), chart.top(axes.length === 2 ? row[axes[1]] : target)];
    const radius = n === chosen ? 9 : 6;
    for (const [size, color] of [[radius + 3, colors.paper], [radius + 1.5, colors.ink], [radius, `rgb(${shadeOf(target, colors)})`]]) {
      context.fillStyle = color;
      context.beginPath();
      context.arc(...place, size, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** The output where the pointer is. */
  #point() {
    const { chart, place, moment, window: { axes, ends, means } } = this;
    const { left, top, width, height } = chart.box;
    const shares = place ? [(place[0] - left) / width, 1 - (place[1] - top) / height] : [-1];
    if (shares.every((share) => share >= 0 && share <= 1)) {
      const row = [...means];
      axes.forEach((axis, k) => (row[axis] = ends[k][0] + shares[k] * (ends[k][1] - ends[k][0])));
      const { output } = answerOf(moment.weights, row);
      const at = [row[axes[0]], axes.length === 2 ? row[axes[1]] : output];
      chart.dot(...at, chart.colors.ink, 3.5);
      chart.label(`${axes.map((axis) => row[axis].toFixed(2)).join(", ")}: ${short(output)}`, ...at, chart.colors.ink);
    }
  }
}

/** Lines upward to the right through the flat places, each through one cell of the grid. */
function hatching(flat) {
  const places = Array.from(flat, (isFlat, n) => [n % GRID, Math.floor(n / GRID), isFlat]);
  const isThere = ([column, row, isFlat]) => isFlat && (row + GRID - column) % HATCH === 0 && Math.max(row, column) < GRID - 1;
  return places.filter(isThere).map(([column, row]) => [column, row, column + 1, row + 1]);
}

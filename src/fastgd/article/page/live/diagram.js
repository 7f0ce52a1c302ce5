/** The network as a picture: its weights, and what its units answer to a sample. */

import { readable } from "./charts.js";
import { el, repr, svg } from "./dom.js";
import { NO_SLOPE, answerOf, short } from "./forward.js";

const DIAGRAM_WIDTH = 320;
const NEURONS_APART = 44; // units of the picture between neurons of a layer, where there are few
const DIAGRAM_TALLEST = 340;

/** Values and slopes of each layer's units, inputs first, for the chosen sample, or the means and largest slopes of all. */
export function unitsOf({ X }, layers, chosen) {
  const rows = X.filter((_, n) => chosen === null || n === chosen);
  const answers = rows.map((row) => answerOf(layers, row));
  const over = (lists, join) => Array.from(lists[0], (_, k) => join(lists.map((list) => list[k])));
  const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const most = (numbers) => Math.max(...numbers);
  const values = [rows, answers.map(({ hidden }) => hidden), answers.map(({ output }) => [output])];
  const slopes = [null, answers.map((answer) => answer.slopes), answers.map(({ slope }) => [slope])];
  return values
    .map((lists, k) => ({ values: over(lists, mean), slopes: slopes[k] && over(slopes[k], most) }))
    .filter((layer) => layer.values.length);
}

/**
 * Inputs, hidden units and the output as circles, with the color of their value; the lines between them are as thick
 * as weights are large.
 */
export class Diagram {
  constructor() {
    this.picture = svg("svg", { class: "diagram", role: "img" });
    this.told = el("span");
    const swatch = (name) => el("span", { class: `swatch ${name}`, "aria-hidden": "true" });
    const legend = ["Weights: ", swatch("positive"), " positive, ", swatch("negative"), " negative; inputs left, the output right."];
    this.element = el("figure", {}, this.picture, el("figcaption", {}, ...legend, this.told));
    this.shape = "";
    this.lit = null;
  }

  show(run, moment, chosen = null) {
    if (!moment) {
      return;
    }
    const { weights: layers } = moment;
    const shape = layers.map(({ rows, columns }) => `${rows} ${columns}`).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.#build(layers);
    }
    const largest = Math.max(...layers.flatMap(({ values }) => [...values].map(Math.abs)), 1e-300);
    layers.forEach(({ values }, k) =>
      values.forEach((weight, n) => {
        const line = this.lines[k][n];
        line.setAttribute("stroke-width", 0.4 + 5.6 * Math.min(Math.abs(weight) / largest, 1));
        line.setAttribute("class", weight < 0 ? "negative" : "positive");
        line.firstChild.textContent = `${line.dataset.name}: ${repr(weight)}`;
      }),
    );
    this.#fill(unitsOf(run.samples, layers, chosen), chosen === null ? "on average over the samples" : `for sample ${chosen + 1}`);
    const sizes = [...layers.map(({ rows }) => rows), 1].join(", ");
    this.picture.setAttribute("aria-label", `A network with layers of ${sizes}; its largest weight is ${readable(largest)} in size`);
  }

  /** Let one part stand out: "synapse_0", "synapse_1", "layer_1", "layer_2"; null for none. */
  highlight(part) {
    this.lit = part;
    for (const group of this.picture.children) {
      group.classList.toggle("faint", part !== null && group.dataset.part !== part);
    }
  }

  /** Circles in the colors of their values; a dashed ring if saturated. */
  #fill(units, when) {
    units.forEach(({ values, slopes }, k) =>
      values.forEach((value, n) => {
        const circle = this.circles[k][n];
        const isSaturated = slopes !== null && slopes[n] < NO_SLOPE;
        circle.style.setProperty("--share", `${70 * Math.min(Math.abs(2 * value - 1), 1)}%`);
        circle.setAttribute("class", `${value < 0.5 ? "negative" : "positive"}${isSaturated ? " saturated" : ""}`);
        const slope = slopes ? `; slope ${when.startsWith("on") ? "at most " : ""}${short(slopes[n])}` : "";
        circle.firstChild.textContent = `${circle.dataset.name}: ${short(value)} ${when}${slope}${isSaturated ? ": saturated" : ""}`;
      }),
    );
    this.told.textContent = ` Circles: values ${when}, orange 0, blue 1; dashed: saturated, with a slope below ${NO_SLOPE}.`;
  }

  #build(layers) {
    const sizes = [...layers.map(({ rows }) => rows), 1];
    const height = Math.min(NEURONS_APART * Math.max(...sizes), DIAGRAM_TALLEST);
    const places = sizes.map((size, k) =>
      Array.from({ length: size }, (_, n) => [
        30 + ((DIAGRAM_WIDTH - 60) * k) / (sizes.length - 1),
        (height * (n + 0.5)) / size,
      ]),
    );
    const names = sizes.map((_, k) => (k === 0 ? "input" : k === sizes.length - 1 ? "output" : "hidden unit"));
    const nameOf = (k, n) => (sizes[k] === 1 && names[k] === "output" ? "output" : `${names[k]} ${n + 1}`);
    this.lines = layers.map(({ rows, columns }, k) =>
      Array.from({ length: rows * columns }, (_, n) => {
        const [from, to] = [Math.floor(n / columns), n % columns];
        const [[x1, y1], [x2, y2]] = [places[k][from], places[k + 1][to]];
        const line = svg("line", { x1, y1, x2, y2 }, svg("title"));
        line.dataset.name = `${nameOf(k, from)} to ${nameOf(k + 1, to)}`;
        return line;
      }),
    );
    this.circles = places.map((layer, k) => {
      const r = Math.min(11, (0.42 * height) / layer.length);
      return layer.map(([cx, cy], n) => {
        const circle = svg("circle", { cx, cy, r }, svg("title"));
        circle.dataset.name = nameOf(k, n);
        return circle;
      });
    });
    const group = (name) => (parts, k) => svg("g", { "data-part": `${name}_${k}` }, ...parts);
    this.picture.setAttribute("viewBox", `0 0 ${DIAGRAM_WIDTH} ${height}`);
    this.picture.replaceChildren(...this.lines.map(group("synapse")), ...this.circles.map(group("layer")));
    this.highlight(this.lit);
  }
}

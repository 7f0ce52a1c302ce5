/** The network as a picture, and what it answers to each sample. */

import { el, repr, svg } from "./dom.js";
import { readable } from "./charts.js";

const DIAGRAM_WIDTH = 320;
const NEURONS_APART = 44; // units of the picture between neurons of a layer, where there are few
const DIAGRAM_TALLEST = 340;

/** The outputs of a network for each row of X; only for people, as Math.exp may differ in the last bit. */
export function outputsOf(X, layers) {
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  return X.map((row) =>
    layers.reduce(
      (inputs, { columns, values, bias }) =>
        Array.from({ length: columns }, (_, j) =>
          sigmoid(inputs.reduce((sum, x, k) => sum + x * values[k * columns + j], bias ? bias[j] : 0)),
        ),
      row,
    ),
  ).map(([output]) => output);
}

/** Inputs, hidden units and the output as circles; the lines between them are as thick as weights are large. */
export class Diagram {
  constructor() {
    this.picture = svg("svg", { class: "diagram", role: "img" });
    this.element = el("figure", {}, this.picture, el("figcaption", {}, ...weightLegend()));
    this.shape = "";
  }

  show(layers) {
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
    const sizes = [...layers.map(({ rows }) => rows), 1].join(", ");
    this.picture.setAttribute("aria-label", `A network with layers of ${sizes}; its largest weight is ${readable(largest)} in size`);
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
    const names = sizes.map((_, k) => (k === 0 ? "input" : k === sizes.length - 1 ? "output" : "unit"));
    this.lines = layers.map(({ rows, columns }, k) =>
      Array.from({ length: rows * columns }, (_, n) => {
        const [from, to] = [Math.floor(n / columns), n % columns];
        const [[x1, y1], [x2, y2]] = [places[k][from], places[k + 1][to]];
        const line = svg("line", { x1, y1, x2, y2 }, svg("title"));
        line.dataset.name = `${names[k]} ${from + 1} to ${names[k + 1]} ${to + 1}`;
        return line;
      }),
    );
    const circles = places.flatMap((layer) => {
      const r = Math.min(9, (0.42 * height) / layer.length);
      return layer.map(([cx, cy]) => svg("circle", { cx, cy, r }));
    });
    this.picture.setAttribute("viewBox", `0 0 ${DIAGRAM_WIDTH} ${height}`);
    this.picture.replaceChildren(...this.lines.flat(), ...circles);
  }
}

function weightLegend() {
  const mark = (name) => el("span", { class: `swatch ${name}`, "aria-hidden": "true" });
  return ["Weights: ", mark("positive"), " positive, ", mark("negative"), " negative; inputs left, the output right"];
}

/** A table of samples: inputs, target and output, with a bar. */
export class Outputs {
  constructor() {
    this.body = el("tbody");
    const head = el("tr", {}, ...["inputs", "target", "output", ""].map((text) => el("th", { scope: "col" }, text)));
    const table = el("table", {}, el("caption", {}, "What the network answers"), el("thead", {}, head), this.body);
    this.element = el("div", { class: "scroll outputs", tabindex: 0, role: "region", "aria-label": "Outputs" }, table);
  }

  show({ X, y }, layers) {
    const rows = outputsOf(X, layers).map((output, n) => {
      const bar = el("span", { class: "bar", "aria-hidden": "true" });
      bar.style.setProperty("--share", `${Math.round(100 * output)}%`);
      bar.style.setProperty("--target", `${Math.round(100 * y[n])}%`);
      const cells = [X[n].map((x) => readable(x)).join(", "), readable(y[n]), output.toFixed(4)];
      return el("tr", {}, ...cells.map((text) => el("td", {}, text)), el("td", {}, bar));
    });
    this.body.replaceChildren(...rows);
  }
}

/** Matrices as tables of colored cells, as the article prints its weights and direction changes. */

import { el } from "./dom.js";

/**
 * Rows of a network's numbers by hidden unit: its inputs, and at the end what leads to the output.
 *
 * `layers` are those of a result. The second layer, a column in the article, is a row here, so that
 * all numbers of a hidden unit are in its column. Without a hidden layer there is one column.
 */
export function rowsByUnit(layers) {
  const [first, second] = layers;
  const rows = Array.from({ length: first.rows }, (_, k) => ({
    name: `input ${k + 1}`,
    values: [...first.values.subarray(k * first.columns, (k + 1) * first.columns)],
  }));
  if (first.bias) {
    rows.push({ name: "bias", values: [...first.bias] });
  }
  if (second) {
    rows.push({ name: "to output", values: [...second.values], apart: true });
    if (second.bias) {
      rows.push({ name: "output's bias", values: [...second.bias] });
    }
  }
  return rows;
}

/** Sum and average of the numbers of all layers, biases included. */
export function totalOf(layers) {
  const all = layers.flatMap(({ values, bias }) => [...values, ...(bias ?? [])]);
  const sum = all.reduce((total, value) => total + value, 0);
  return { sum, average: sum / all.length };
}

/** How much of a number's cell is color, in percent: never so much that one can't read the number on it. */
export function colored(value, largest) {
  return largest > 0 ? Math.round(50 * Math.min(Math.sqrt(Math.abs(value) / largest), 1)) : 0;
}

/**
 * A table of these rows; `write` turns a number into text. Cells are the more colored the larger the
 * number is, in another color where it is negative.
 */
export class Matrix {
  constructor({ caption, write }) {
    this.write = write;
    this.caption = el("caption", {}, caption);
    this.table = el("table", { class: "matrix" }, this.caption);
    this.element = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, this.table);
    this.shape = "";
  }

  show(layers) {
    this.showRows(rowsByUnit(layers));
  }

  /** Rows of `values`, each with a `name` or without. */
  showRows(rows) {
    const shape = rows.map(({ name, values }) => `${name} ${values.length}`).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.#build(rows);
    }
    const largest = Math.max(...rows.flatMap(({ values }) => values.map(Math.abs)));
    rows.forEach(({ values }, k) =>
      values.forEach((value, column) => {
        const cell = this.cells[k][column];
        cell.textContent = this.write(value);
        cell.style.setProperty("--share", `${colored(value, largest)}%`);
        cell.classList.toggle("negative", value < 0);
      }),
    );
  }

  #build(rows) {
    const units = rows[0].values.map((_, k) => el("th", { scope: "col" }, String(k + 1)));
    const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "hidden unit"), ...units));
    const bodies = [el("tbody")];
    this.cells = rows.map(({ name, values, apart }) => {
      const cells = values.map(() => el("td"));
      if (apart) {
        bodies.push(el("tbody"));
      }
      bodies.at(-1).append(el("tr", {}, ...(name ? [el("th", { scope: "row" }, name)] : []), ...cells));
      return cells;
    });
    this.table.replaceChildren(this.caption, ...(rows.some(({ apart }) => apart) ? [head] : []), ...bodies);
  }
}

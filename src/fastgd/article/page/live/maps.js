/** The map behind the sliders: final errors of a whole sweep, each cell of which trains at a click. */

import { Chart, readable } from "./charts.js";
import { choiceControl } from "./controls.js";
import { el, repr } from "./dom.js";
import { Maps, cellBeside } from "./map_cells.js";
import { goToExperiment } from "./map_note.js";
import { samplesOf } from "./own_data.js";
import { ARTICLE_SETTINGS } from "./presets.js";
import { rampColor, rampLegend } from "./ramp.js";
import { Scale } from "./scales.js";
import { choice } from "./state.js";

const BEST = 1e-4; // errors from here on are as bright as can be
const WORST = 0.5;
const CHOICES = [["seed", "seed, with 4 hidden units"], ["hidden", "hidden units, with seed 1"]];
const LABELS = { seed: "seed", hidden: "hidden units" };

const ABOUT =
  "Each cell is a whole training of 60,000 iterations, as Python computed it when this page was made: bright cells " +
  "have learned XOR. Click one, and your browser trains it in front of you, to the number in the map.";

/** The live section of the maps. */
export const maps = {
  name: "maps",

  fields: () => ({ mapAxis: choice("map", "seed", Object.keys(LABELS)) }),

  async start({ state, pack, root }) {
    const view = new MapView(state, Maps.of(pack));
    root.append(view.element);
    state.on(["mapAxis", ...Object.keys(ARTICLE_SETTINGS)], () => view.show());
  },
};

/** Where an error stands on the ramp of colors: 0 is the worst. */
function brightness(error) {
  return Math.log(WORST / error) / Math.log(WORST / BEST);
}

class MapView {
  constructor(state, data) {
    Object.assign(this, { state, data, cursor: null });
    const leave = () => this.#move(null);
    this.chart = new Chart(() => this.#paint(), {
      id: "map-canvas",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "map",
      "aria-label": "Final errors by alpha and by seed or hidden units: arrow keys move, Enter trains",
      "aria-describedby": "map-told",
      on: {
        pointermove: (event) => this.#move(this.#cellAt(event)),
        pointerleave: leave,
        blur: leave,
        click: (event) => this.#train(this.#cellAt(event)),
        keydown: (event) => this.#press(event),
      },
    });
    this.told = el("p", { id: "map-told" });
    this.spoken = el("p", { id: "map-spoken", class: "spoken", role: "status" }); // only keys make it speak
    const marks = [WORST, 0.1, 0.01, 0.001, BEST].map((error) => [brightness(error), String(error)]);
    this.element = el(
      "div",
      { class: "map" },
      el("h3", {}, "The map behind the sliders"),
      el("p", {}, ABOUT),
      choiceControl({ state, field: "mapAxis", label: "Alpha against", choices: CHOICES }),
      el("div", { class: "map-stage" }, this.chart.element, el("div", {}, this.told, this.spoken, rampLegend("Final error", marks))),
    );
  }

  /** Which map is shown: the field that varies besides alpha. */
  get field() {
    return this.state.get("mapAxis");
  }

  /** The cell of what the experiment trains. */
  get chosen() {
    const { state, data } = this;
    const settings = Object.fromEntries(Object.keys(ARTICLE_SETTINGS).map((name) => [name, state.get(name)]));
    return data.cellOf(this.field, settings, samplesOf(state).isArticle);
  }

  show() {
    this.told.textContent = this.#sentence();
    this.chart.draw();
  }

  #sentence() {
    const { data, field, cursor, chosen } = this;
    const cell = cursor ?? chosen;
    const best = data.lowest(field);
    const name = (at) => `alpha ${data.alphas[at.column]}, ${LABELS[field]} ${data.rows[field][at.row]}`;
    return cell
      ? `${name(cell)}: final error ${repr(data.errorAt(field, cell))}`
      : `The best of these ${data.errors[field].length} trainings is ${name(best)}: ${readable(data.errorAt(field, best))}`;
  }

  #cellAt({ offsetX, offsetY }) {
    const { chart, data, field } = this;
    const { left, top, width, height } = chart.box;
    const column = Math.floor(((offsetX - left) / width) * data.alphas.length);
    const row = Math.floor((1 - (offsetY - top) / height) * data.rows[field].length);
    const isInside = column >= 0 && column < data.alphas.length && row >= 0 && row < data.rows[field].length;
    return isInside ? { row, column } : null;
  }

  #move(cell) {
    this.cursor = cell;
    this.show();
  }

  #press(event) {
    const { data, field, cursor, chosen } = this;
    const at = cursor ?? chosen ?? data.lowest(field);
    const next = cellBeside(at, event.key, data.rows[field].length, data.alphas.length);
    if (next) {
      this.#move(next);
      this.spoken.textContent = this.#sentence();
    } else if (event.key === "Enter" || event.key === " ") {
      this.#train(at);
    } else {
      return;
    }
    event.preventDefault();
  }

  #train(cell) {
    if (cell) {
      this.state.set(this.data.settingsAt(this.field, cell));
      goToExperiment();
    }
  }

  #paint() {
    const { chart, data, field, cursor, chosen } = this;
    const [columns, rows] = [data.alphas.length, data.rows[field].length];
    const half = (data.alphas[1] / data.alphas[0]) ** 0.5; // of a column, so that ticks are in the middle of theirs
    chart.axes({
      x: new Scale({ low: data.alphas[0] / half, high: data.alphas.at(-1) * half, log: true }),
      y: new Scale({ low: 0.5, high: rows + 0.5 }),
      across: "alpha",
      upward: LABELS[field],
      ticks: data.rows[field].flatMap((value, row) => (value % 4 === 0 ? [row + 1] : [])),
      label: (tick) => String(data.rows[field][tick - 1]),
    });
    const { context, colors } = chart;
    const rectangle = ({ row, column }) => {
      const [left, right] = [1 / half, half].map((by) => Math.round(chart.left(data.alphas[column] * by)));
      const [top, bottom] = [row + 1.5, row + 0.5].map((at) => Math.round(chart.top(at)));
      return [left, top, right - left, bottom - top];
    };
    data.errors[field].forEach((error, k) => {
      context.fillStyle = rampColor(brightness(error));
      context.fillRect(...rectangle({ row: Math.floor(k / columns), column: k % columns }));
    });
    for (const cell of [chosen, cursor].filter(Boolean)) {
      for (const [color, width] of [[colors.paper, 5], [colors.ink, 2]]) {
        context.strokeStyle = color;
        context.lineWidth = width;
        context.strokeRect(...rectangle(cell));
      }
    }
  }
}

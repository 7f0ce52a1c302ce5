/** The error plane of the article's part 4, on which two optimizers descend side by side. */

import { Chart, readable } from "./charts.js";
import { contour } from "./contours.js";
import { choiceControl, sliderControl, textControl } from "./controls.js";
import { el, repr } from "./dom.js";
import { Player } from "./player.js";
import { Scale } from "./scales.js";
import { copyButtons, pythonOf } from "./share.js";
import { choice, count, number } from "./state.js";
import { stepOf } from "./step.js";

const CONTOURS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const WIDTHS = [4.5, 2]; // of the paths, so that one is seen below the other
const LONGER = 10; // arrows than the steps that they show, which are short

const ON_THE_PLANE =
  "Each place is a pair of weights; its height is the error. Lines join places of the same error: it is highest at the top " +
  "left, lowest at the bottom right. Both optimizers start from the same weights, at the ring, and know nothing of the " +
  "surface but the gradient at their place: the slopes along both weights, of half the squared errors, as in the article's " +
  `code. An arrow is the step that follows, ${LONGER} times as long.`;

/** The live section of the error plane. */
export const plane = {
  name: "plane",

  fields: (pack) => {
    const names = Object.keys(pack.json("optimizers"));
    return {
      planeFirst: choice("optimizer", "GradientDescent", names),
      planeAlphaFirst: number("alpha", 1, 0.001, 1000),
      planeSecond: choice("optimizer", "Adam", names),
      planeAlphaSecond: number("alpha", 0.1, 0.001, 1000),
      planeSeed: count("seed", 11, 0, 2 ** 32 - 1), // from here the two take different ways
      planeIterations: count("iterations", 600, 1, 60000),
    };
  },

  async start({ state, trainer, pack, root }) {
    root.append(new PlaneView(state, trainer, pack).element);
  },
};

/** What is trained on one side: the settings of Trainer.train. */
export function planeSettings(state, side, { X, y }) {
  return {
    X,
    y,
    hidden: 0,
    alpha: state.get(`planeAlpha${side}`),
    seed: state.get("planeSeed"),
    iterations: state.get("planeIterations"),
    optimizer: state.get(`plane${side}`),
    bias: false,
    dropout: 0,
  };
}

/** The weights at a moment of a training. */
export function weightsAt({ weights: [{ values }] }) {
  return [...values];
}

/**
 * What happens after the moment k of a training: the `gradient`, and the `step` of gradient descent; of
 * another optimizer, its mean one until the next moment.
 */
export function stepAt({ settings, moments }, k) {
  const [now, next] = [moments[k], moments[k + 1]];
  const { gradient_1: gradient, move_1: move } = stepOf(settings, settings, now);
  const [from, to] = [now, next].map(weightsAt);
  const isPlain = settings.optimizer === "GradientDescent";
  const mean = (weight, input) => (weight - from[input]) / (next.iteration - now.iteration);
  return { gradient: gradient.flat(), step: isPlain ? move.flat().map((by) => -by) : to.map(mean) };
}

/** What happens there, in words; at the end, where that is: outside of the map, whose ends are `low` and `high`, or in it. */
export function momentTold(run, k, [low, high]) {
  const { settings: { optimizer, alpha }, moments } = run;
  const pair = (values) => values.map((value) => readable(value)).join(" and ");
  const weights = weightsAt(moments[k]);
  if (k === moments.length - 1) {
    const isInside = weights.every((weight) => weight >= low && weight <= high);
    return `It ${isInside ? "" : "leaves this map and "}ends at the weights ${pair(weights)}.`;
  }
  const { gradient, step } = stepAt(run, k);
  return [
    `Weights ${pair(weights)}, error ${readable(moments[k].error)}`,
    `Gradient ${pair(gradient)}`,
    `Step ${optimizer === "GradientDescent" ? `-${alpha} × gradient =` : `of ${optimizer}`} ${pair(step)}`,
  ].join("\n");
}

/** One of the two optimizers: its controls, its newest training, and what is said of the moment that is shown. */
class Descent {
  constructor({ state, trainer, pack, side, color, onRun }) {
    const optimizers = pack.json("optimizers");
    const { X, y, span } = pack.json("plane facts");
    Object.assign(this, { span, settings: () => planeSettings(state, side, { X, y }) });
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--color", `var(--${color})`);
    const optimizer = choiceControl({ state, field: `plane${side}`, label: side, choices: Object.keys(optimizers) });
    optimizer.querySelector("label").prepend(swatch);
    // Another optimizer begins with the alpha of the race.
    optimizer.addEventListener("change", ({ target }) => state.set({ [`planeAlpha${side}`]: optimizers[target.value] }));
    const scale = new Scale({ low: 0.001, high: 1000, log: true, ticks: [0.001, 0.01, 0.1, 1, 10, 100, 1000] });
    this.final = el("strong", { id: `plane-final-${side.toLowerCase()}` });
    this.told = el("p", { class: "note", id: `plane-end-${side.toLowerCase()}` });
    this.element = el(
      "div",
      { class: "plane-side" },
      optimizer,
      sliderControl({ state, field: `planeAlpha${side}`, label: "Alpha", scale }),
      el("p", { class: "final" }, el("span", {}, "Final error "), this.final),
      this.told,
    );
    state.on([`plane${side}`, `planeAlpha${side}`, "planeSeed", "planeIterations"], () => {
      const settings = this.settings();
      const key = JSON.stringify(settings);
      if (key !== this.key) {
        this.key = key;
        trainer.train(`plane${side}`, settings, (run) => this.#take(run, onRun));
      }
    });
  }

  #take(run, onRun) {
    if (run.failed) {
      this.told.textContent = `Training failed: ${run.failed}`;
    } else if (run.finished) {
      const isFirst = !this.run;
      this.run = { ...run, places: run.moments.map(weightsAt) };
      this.final.textContent = repr(run.finalError);
      onRun(isFirst);
    }
  }

  get last() {
    return this.run ? this.run.moments.length - 1 : 0;
  }

  /** The iteration of the moment at a position of the player: the last one if this training ended before the other. */
  iterationAt(position) {
    return this.run?.moments[Math.min(Math.floor(position), this.last)].iteration ?? 0;
  }

  show(position) {
    if (this.run) {
      this.told.textContent = momentTold(this.run, Math.min(Math.floor(position), this.last), this.span);
    }
  }

  /** A path up to the moment that is shown, perhaps between two of them, with the step that follows. */
  paint(chart, position, color, width) {
    if (!this.run) {
      return;
    }
    const { run, run: { places } } = this;
    const k = Math.min(Math.floor(position), this.last);
    const next = places[k + 1] ?? places[k];
    const now = places[k].map((weight, input) => weight + (position - k) * (next[input] - weight));
    const [across, upward] = [0, 1].map((input) => [...places.slice(0, k + 1), now].map((place) => place[input]));
    chart.line(across, upward, chart.colors.paper, width + 2.5);
    chart.line(across, upward, color, width);
    chart.dot(...now, color, 6, 0);
    if (k < this.last) {
      const [x, y] = stepAt(run, k).step.map((by, input) => places[k][input] + LONGER * by);
      chart.arrow([chart.left(now[0]), chart.top(now[1])], [chart.left(x), chart.top(y)], color);
    }
  }
}

class PlaneView {
  constructor(state, trainer, pack) {
    const { span: [low, high], resolution } = pack.json("plane facts");
    const heights = new Float64Array(pack.bytes("plane").slice().buffer);
    const weight = (steps) => low + (steps * (high - low)) / (resolution - 1);
    const contours = CONTOURS.map((level) => contour(heights, resolution, level).map((piece) => piece.map(weight)));
    Object.assign(this, { scale: new Scale({ low, high }), resolution, heights, contours });
    this.chart = new Chart(() => this.#paint());
    this.chart.element.id = "plane-canvas";
    this.player = new Player({
      name: "Iteration of both that is shown",
      last: () => Math.max(...this.descents.map(({ last }) => last)),
      label: (position) => `iteration ${readable(Math.max(...this.descents.map((each) => each.iterationAt(position))))}`,
      onMove: (position) => this.#show(position),
    });
    const onRun = (isFirst) => {
      this.player.seek(Infinity);
      if (!isFirst) {
        this.player.playSoon();
      }
    };
    this.descents = ["First", "Second"].map((side, k) => new Descent({ state, trainer, pack, side, color: `series-${k}`, onRun }));
    const code = () => pythonOf(...this.descents.map(({ settings }) => settings()));
    this.element = el(
      "div",
      { class: "plane" },
      el("h3", {}, "Two optimizers side by side"),
      el("p", {}, ON_THE_PLANE),
      el(
        "div",
        { class: "plane-stage" },
        el("div", { class: "plane-figure" }, this.chart.element, this.player.bar()),
        el(
          "div",
          { class: "plane-controls" },
          ...this.descents.map(({ element }) => element),
          textControl({ state, field: "planeSeed", label: "Seed of both" }),
          textControl({ state, field: "planeIterations", label: "Iterations of both" }),
          copyButtons("plane-", [{ id: "copy-python", label: "Copy as Python", text: code }]),
        ),
      ),
    );
  }

  #show(position) {
    this.descents.forEach((descent) => descent.show(position));
    const names = this.descents.map(({ settings }) => settings().optimizer);
    this.chart.element.setAttribute("aria-label", `The error plane with the paths of ${names.join(" and ")}`);
    this.chart.draw();
  }

  #paint() {
    const { chart, scale, contours, descents, player: { position } } = this;
    chart.axes({ x: scale, y: scale, across: "weight of input 1", upward: "weight of input 2" });
    const { context, box, colors } = chart;
    const placed = ([x, y, toX, toY]) => [chart.left(x), chart.top(y), chart.left(toX), chart.top(toY)];
    chart.inside(() => {
      context.drawImage(this.#picture(), box.left, box.top, box.width, box.height);
      contours.forEach((pieces, k) => chart.segments(pieces.map(placed), colors.soft, CONTOURS[k] === 0.5 ? 1.5 : 0.75));
      const [start] = descents.flatMap(({ run }) => run?.places.slice(0, 1) ?? []);
      if (start) {
        chart.dot(...start, colors.ink, 9);
        chart.dot(...start, colors.paper, 7, 0);
      }
      descents.forEach((descent, k) => descent.paint(chart, position, colors.series[k], WIDTHS[k]));
    });
  }

  /** The heights as pixels: from the color of the paper, low, toward that of faint text. */
  #picture() {
    const { resolution, heights, chart: { colors: { paper, soft } } } = this;
    if (this.picture?.paper !== paper) {
      const element = el("canvas", { width: resolution, height: resolution });
      const context = element.getContext("2d");
      context.fillStyle = paper;
      context.fillRect(0, 0, resolution, resolution);
      context.fillStyle = soft;
      heights.forEach((height, k) => {
        context.globalAlpha = 0.75 * height;
        context.fillRect(k % resolution, resolution - 1 - Math.floor(k / resolution), 1, 1);
      });
      this.picture = { paper, element };
    }
    return this.picture.element;
  }
}

/** The error plane of the article's part 4, on which two optimizers descend side by side. */

import { Chart, readable } from "./charts.js";
import { contour } from "./contours.js";
import { choiceControl, sliderControl, textControl } from "./controls.js";
import { el, repr } from "./dom.js";
import { Player } from "./player.js";
import { Scale } from "./scales.js";
import { copyButtons, pythonOf } from "./share.js";
import { choice, count, number } from "./state.js";

const SIDES = ["First", "Second"];
const WIDTHS = [4.5, 2]; // of the paths, so that one is seen below the other
const CONTOURS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const LONGER = 10; // arrows than the steps that they show, which are short
const QUICK = 700; // changes that follow each other faster, as those of a slider, aren't animated

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
    const view = new PlaneView(state, trainer, pack);
    root.append(view.element);
    for (const side of SIDES) {
      const fields = [`plane${side}`, `planeAlpha${side}`, "planeSeed", "planeIterations"];
      state.on(fields, () => view.train(side));
    }
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

/** The places of a training: its pairs of weights. */
export function pathOf({ moments }) {
  return moments.map(({ weights: [{ values }] }) => [...values]);
}

/** The gradient that gradient descent goes against, at a pair of weights: of half the squared errors, as in the article's code. */
export function gradientOf({ X, y }, weights) {
  const outputs = X.map((row) => 1 / (1 + Math.exp(-row[0] * weights[0] - row[1] * weights[1])));
  return weights.map((_weight, input) =>
    outputs.reduce((sum, output, n) => sum + X[n][input] * (output - y[n]) * output * (1 - output), 0),
  );
}

/** The step of gradient descent after the moment k of a training; of another optimizer, its mean one until the next moment. */
export function pathStep({ moments, settings }, k) {
  const [now, next] = [moments[k], moments[k + 1]];
  const [from, to] = pathOf({ moments: [now, next] });
  return settings.optimizer === "GradientDescent"
    ? gradientOf(settings, from).map((slope) => -settings.alpha * slope)
    : to.map((weight, input) => (weight - from[input]) / (next.iteration - now.iteration));
}

/** What happens after the moment k, in numbers. */
export function momentTold(run, k) {
  const { settings: { optimizer, alpha }, moments } = run;
  const pair = (values) => values.map((value) => readable(value)).join(" and ");
  const [weights] = pathOf({ moments: [moments[k]] });
  return [
    `Weights ${pair(weights)}, error ${readable(moments[k].error)}`,
    `Gradient ${pair(gradientOf(run.settings, weights))}`,
    `Step ${optimizer === "GradientDescent" ? `-${alpha} × gradient =` : `of ${optimizer}`} ${pair(pathStep(run, k))}`,
  ].join("\n");
}

/** Where a path ends, in words. */
export function endOf(places, [low, high]) {
  const last = places.at(-1);
  const isOutside = last.some((weight) => !(weight >= low && weight <= high));
  return `It ${isOutside ? "leaves this map and " : ""}ends at the weights ${last.map((weight) => readable(weight)).join(" and ")}.`;
}

/** Which moment of a training is shown: the last one if it ended before the other training. */
function placeIn({ moments }, position) {
  return Math.min(Math.floor(position), moments.length - 1);
}

class PlaneView {
  constructor(state, trainer, pack) {
    this.facts = pack.json("plane facts");
    this.heights = new Float64Array(pack.bytes("plane").slice().buffer);
    const { span, resolution } = this.facts;
    const step = (span[1] - span[0]) / (resolution - 1);
    const weight = (steps) => span[0] + steps * step;
    this.contours = CONTOURS.map((level) => contour(this.heights, resolution, level).map((piece) => piece.map(weight)));
    Object.assign(this, { state, trainer, results: {}, keys: {}, changed: -Infinity, isSeen: false });
    this.optimizers = pack.json("optimizers");
    this.chart = new Chart(() => this.#paint());
    this.chart.element.id = "plane-canvas";
    this.player = new Player({
      name: "Iteration of both that is shown",
      last: () => Math.max(0, ...this.#runs().map(({ moments }) => moments.length - 1)),
      label: (position) => `iteration ${readable(Math.max(0, ...this.#runs().map((run) => run.moments[placeIn(run, position)].iteration)))}`,
      onMove: () => this.#show(),
    });
    new IntersectionObserver(([{ isIntersecting }]) => this.#see(isIntersecting), { threshold: 0.5 }).observe(this.chart.element);
    this.final = Object.fromEntries(SIDES.map((side) => [side, el("strong", { id: `plane-final-${side.toLowerCase()}` })]));
    this.ends = Object.fromEntries(SIDES.map((side) => [side, el("p", { class: "note", id: `plane-end-${side.toLowerCase()}` })]));
    this.element = this.#layout();
  }

  #layout() {
    const { state } = this;
    return el(
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
          ...SIDES.map((side, k) => this.#side(side, k)),
          textControl({ state, field: "planeSeed", label: "Seed of both" }),
          textControl({ state, field: "planeIterations", label: "Iterations of both" }),
          copyButtons("plane-", [{ id: "copy-python", label: "Copy as Python", text: () => pythonOf(...this.#settings()) }]),
        ),
      ),
    );
  }

  #side(side, k) {
    const { state } = this;
    const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.setProperty("--color", `var(--series-${k})`);
    const optimizer = choiceControl({ state, field: `plane${side}`, label: side, choices: Object.keys(this.optimizers) });
    optimizer.querySelector("label").prepend(swatch);
    // A reader who chooses another optimizer wants to see it descend: with the alpha of the race.
    optimizer.addEventListener("change", ({ target }) => state.set({ [`planeAlpha${side}`]: this.optimizers[target.value] }));
    return el(
      "div",
      { class: "plane-side" },
      optimizer,
      sliderControl({
        state,
        field: `planeAlpha${side}`,
        label: "Alpha",
        scale: new Scale({ low: 0.001, high: 1000, log: true, ticks: [0.001, 0.01, 0.1, 1, 10, 100, 1000] }),
      }),
      el("p", { class: "final" }, el("span", {}, "Final error "), this.final[side]),
      this.ends[side],
    );
  }

  /** Of both sides. */
  #settings() {
    return SIDES.map((side) => planeSettings(this.state, side, this.facts));
  }

  train(side) {
    const settings = planeSettings(this.state, side, this.facts);
    const key = JSON.stringify(settings);
    if (key !== this.keys[side]) {
      this.keys[side] = key;
      this.trainer.train(`plane${side}`, settings, (result) => this.#take(side, result));
    }
  }

  #take(side, result) {
    if (result.failed) {
      this.ends[side].textContent = `Training failed: ${result.failed}`;
    } else if (result.finished) {
      this.results[side] = { ...result, places: pathOf(result) };
      this.final[side].textContent = repr(result.finalError);
      const now = performance.now();
      const isQuick = now - this.changed < QUICK;
      this.changed = now;
      if (isQuick || !this.isSeen) {
        this.player.seek(Infinity);
      } else {
        this.player.run();
      }
    }
  }

  #runs() {
    return Object.values(this.results);
  }

  /** The first descent waits until the reader sees it. */
  #see(isSeen) {
    if (isSeen && !this.wasSeen) {
      this.wasSeen = true;
      this.player.run();
    }
    this.isSeen = isSeen;
  }

  #show() {
    for (const [side, run] of Object.entries(this.results)) {
      const k = placeIn(run, this.player.position);
      const isEnd = k === run.moments.length - 1;
      this.ends[side].textContent = isEnd ? endOf(run.places, this.facts.span) : momentTold(run, k);
    }
    this.chart.draw();
  }

  #paint() {
    const { chart, facts, contours, results } = this;
    const [low, high] = facts.span;
    chart.axes({
      x: new Scale({ low, high }),
      y: new Scale({ low, high }),
      across: "weight of input 1",
      upward: "weight of input 2",
    });
    const { context, box, colors } = chart;
    context.drawImage(this.#picture(), box.left, box.top, box.width, box.height);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    contours.forEach((pieces, k) => this.#contour(pieces, colors.soft, CONTOURS[k] === 0.5 ? 1.5 : 0.75));
    SIDES.forEach((side, k) => results[side] && this.#path(results[side], colors.series[k], WIDTHS[k]));
    context.restore();
    const names = SIDES.map((side) => results[side]?.settings.optimizer).filter(Boolean);
    chart.element.setAttribute("aria-label", `The error plane with the paths of ${names.join(" and ")}`);
  }

  /** The heights as pixels: from the color of the paper, low, toward that of faint text. */
  #picture() {
    const { chart, facts: { resolution }, heights } = this;
    const { paper, soft } = chart.colors;
    if (this.picture?.paper !== paper) {
      const element = el("canvas", { width: resolution, height: resolution });
      const context = element.getContext("2d");
      heights.forEach((height, k) => {
        const [row, column] = [Math.floor(k / resolution), k % resolution];
        context.globalAlpha = 1;
        context.fillStyle = paper;
        context.fillRect(column, resolution - 1 - row, 1, 1);
        context.globalAlpha = 0.75 * height;
        context.fillStyle = soft;
        context.fillRect(column, resolution - 1 - row, 1, 1);
      });
      this.picture = { paper, element };
    }
    return this.picture.element;
  }

  #contour(pieces, color, width) {
    const { chart } = this;
    const { context } = chart;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    for (const [x, y, toX, toY] of pieces) {
      context.moveTo(chart.left(x), chart.top(y));
      context.lineTo(chart.left(toX), chart.top(toY));
    }
    context.stroke();
  }

  /** A path up to the moment that is shown, perhaps between two of them, with the step that follows. */
  #path(run, color, width) {
    const { chart, player: { position } } = this;
    const { context } = chart;
    const { places } = run;
    const k = placeIn(run, position);
    const next = places[k + 1];
    const share = next ? position - k : 0;
    const shown = [...places.slice(0, k + 1), ...(share ? [places[k].map((weight, axis) => weight + share * (next[axis] - weight))] : [])];
    const points = shown.map(([x, y]) => [chart.left(x), chart.top(y)]);
    const dot = ([x, y], radius) => {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    };
    for (const [style, wide] of [[chart.colors.paper, width + 2.5], [color, width]]) {
      context.strokeStyle = style;
      context.lineWidth = wide;
      context.lineJoin = "round";
      context.beginPath();
      points.forEach((point) => context.lineTo(...point));
      context.stroke();
    }
    context.fillStyle = color;
    points.forEach((point) => dot(point, width * 0.8));
    dot(points.at(-1), 6);
    if (next) {
      const [x, y] = pathStep(run, k).map((step, axis) => places[k][axis] + LONGER * step);
      chart.arrow(points.at(-1), [chart.left(x), chart.top(y)], color);
    }
    for (const [style, wide] of [[chart.colors.paper, 5], [chart.colors.ink, 2]]) {
      context.strokeStyle = style;
      context.lineWidth = wide;
      context.beginPath();
      context.arc(...points[0], 7, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

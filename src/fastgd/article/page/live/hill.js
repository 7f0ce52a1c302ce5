/** The curve with its ball, on a canvas: it is dragged to its start, and rolls step by step. */

import { Chart, readable } from "./charts.js";
import { Scale } from "./scales.js";

const BALL = 8; // radius, in CSS pixels
const MOST_DOTS = 300;
const TANGENT = 75; // CSS pixels to each side of the ball
const BALL_LABEL = { below: 30, width: 110 }; // of the ball, where the tangent rises above it
const OUTWARD = 22; // of the arrow to a ball that has left the picture

/** The part of the heights that is shown: without the few highest and lowest ones, as near a pole. */
export function heightsShown(heights) {
  const sorted = [...heights].filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) {
    return [-1, 1];
  }
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, high] = [at(0), at(1)];
  const [usual, most] = [at(0.97) - at(0.03), high - low];
  const [from, to] = most > 10 * usual && usual > 0 ? [at(0.03), at(0.97)] : [low, high];
  const margin = to > from ? 0.07 * (to - from) : Math.abs(from) || 1;
  return [from - margin, to + margin];
}

/** How many steps are over after a share of the time: the first ones are slow, if there are many. */
export function stepsAfter(share, steps) {
  return steps * share ** (1 + 1.5 * Math.min(1, steps / 100));
}

/**
 * The canvas. `onStart(x)` is called with each place to which the ball is dragged, by a pointer or
 * by arrow keys; `onDrop()` when it is let go.
 */
export class Hill {
  constructor({ onStart, onDrop }) {
    Object.assign(this, { onStart, onDrop, scene: null, isDragged: false, wasTaken: false });
    this.chart = new Chart(() => this.scene && this.#paint());
    this.element = this.chart.element;
    this.element.classList.add("hill");
    this.#describe({ role: "slider", tabindex: 0, "aria-label": "Start of the ball" });
    this.element.addEventListener("pointerdown", (event) => this.#take(event));
    this.element.addEventListener("pointermove", (event) => this.isDragged && this.#drag(event));
    this.element.addEventListener("lostpointercapture", () => this.#drop());
    this.element.addEventListener("keydown", (event) => this.#press(event));
  }

  /**
   * Show a scene: the ends of the `window`, the curve's `xs` and `heights`, the `ball` with its path,
   * how many steps are `done`, perhaps a part of one, and the `slope` where that step begins; and
   * `others`, places where more balls are, with `othersHeights`.
   */
  show(scene) {
    this.scene = scene;
    const { window: [low, high], ball: { start, pathHeights } } = scene;
    const text = `x ${start}, height ${readable(pathHeights[0])}`;
    this.#describe({ "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": start, "aria-valuetext": text });
    this.chart.draw();
  }

  #describe(attributes) {
    Object.entries(attributes).forEach(([name, value]) => this.element.setAttribute(name, value));
  }

  #take(event) {
    if (event.button === 0) {
      this.element.setPointerCapture(event.pointerId);
      this.isDragged = true;
      this.#drag(event);
    }
  }

  #drag(event) {
    const { box } = this.chart;
    const [low, high] = this.scene.window;
    this.#start(low + ((event.offsetX - box.left) / box.width) * (high - low));
  }

  #drop() {
    this.isDragged = false;
    this.onDrop();
  }

  #press(event) {
    const { window: [low, high], ball: { start } } = this.scene;
    const step = (high - low) / (event.shiftKey ? 10 : 100);
    const [less, more] = [start - step, start + step];
    const place = { ArrowLeft: less, ArrowDown: less, ArrowRight: more, ArrowUp: more, Home: low, End: high }[event.key];
    if (place !== undefined) {
      event.preventDefault();
      this.#start(place);
    }
  }

  /** Start there or at the end of the window, with as many digits as pixels can tell apart. */
  #start(x) {
    const [low, high] = this.scene.window;
    this.wasTaken = true;
    const digits = Math.max(0, Math.ceil(3 - Math.log10(high - low)));
    this.onStart(Number(Math.min(Math.max(x, low), high).toFixed(digits)));
  }

  #paint() {
    const { chart, scene: { window: [low, high], xs, heights, others, othersHeights } } = this;
    const [bottom, top] = heightsShown(heights);
    chart.axes({ x: new Scale({ low, high }), y: new Scale({ low: bottom, high: top }), across: "x", upward: "height" });
    chart.inside(() => {
      chart.line(xs, heights, chart.colors.ink);
      this.#trail();
      this.#step();
      others.forEach((x, k) => chart.dot(x, othersHeights[k], chart.colors.series[2]));
    });
    this.#ball();
  }

  /** The places before each step, and the jumps between them; what is to come is faint. */
  #trail() {
    const { chart, scene: { ball: { path, pathHeights }, done } } = this;
    const { context, colors: { accent } } = chart;
    const until = Math.floor(done) + 1;
    const [x, height] = this.#now();
    context.globalAlpha = 0.35;
    chart.line(path, pathHeights, accent, 1);
    context.globalAlpha = 1;
    chart.line([...path.slice(0, until), x], [...pathHeights.slice(0, until), height], accent, 1.5);
    path.slice(0, MOST_DOTS).forEach((place, k) => {
      context.globalAlpha = k < until ? 1 : 0.45;
      chart.dot(place, pathHeights[k], accent, 2.5, 0);
    });
    context.globalAlpha = 1;
  }

  /** The tangent where a step begins; and the step, as an arrow along x, from whose tip one falls onto the curve. */
  #step() {
    const { chart, scene: { ball: { path, pathHeights }, slope, done } } = this;
    const { box, colors, context } = chart;
    const [[x, next], [height, nextHeight]] = [path, pathHeights].map((values) => values.slice(Math.floor(done)));
    if (!(chart.x.isIn(x) && Number.isFinite(slope))) {
      return;
    }
    const [left, top] = [chart.left(x), chart.top(height)];
    const rise = (-slope * box.height * (chart.x.high - chart.x.low)) / (box.width * (chart.y.high - chart.y.low));
    const [across, down] = [TANGENT * Math.cos(Math.atan(rise)), TANGENT * Math.sin(Math.atan(rise))];
    chart.segment(left - across, top - down, left + across, top + down, colors.series[1], 2);
    if (next !== undefined) {
      const tip = Math.min(Math.max(chart.left(next), box.left), box.left + box.width);
      context.setLineDash([2, 3]);
      chart.segment(tip, top, tip, chart.x.isIn(next) ? chart.top(nextHeight) : top, colors.soft, 1.5);
      context.setLineDash([]);
      chart.arrow([left, top], [tip, top], colors.series[3]);
    }
  }

  /** Where the ball is, perhaps between two steps. */
  #now() {
    const { ball: { path, pathHeights }, done } = this.scene;
    const k = Math.floor(done);
    return [path, pathHeights].map((values) => (done > k ? values[k] + (done - k) * (values[k + 1] - values[k]) : values[k]));
  }

  /** The ball; one that has left the picture, at its edge, with an arrow to where it is. */
  #ball() {
    const { chart, scene: { done, slope } } = this;
    const { box, colors: { accent, ink } } = chart;
    const [x, height] = this.#now();
    const onto = (scale, value) => (Number.isNaN(value) ? 0 : Math.min(Math.max(value, scale.low), scale.high));
    const place = [onto(chart.x, x), onto(chart.y, height)];
    const at = [chart.left(place[0]), chart.top(place[1])];
    const across = Math.sign(x - place[0]);
    const down = across ? 0 : Math.sign(place[1] - height);
    if (across || down) {
      chart.arrow(at, [at[0] + across * OUTWARD, at[1] + down * OUTWARD], accent);
    }
    chart.dot(...place, accent, BALL);
    if (done === 0) {
      const isBelow = slope > 0 && at[0] + BALL_LABEL.width < box.left + box.width;
      const lower = isBelow ? (BALL_LABEL.below * (chart.y.high - chart.y.low)) / box.height : 0;
      chart.label(this.wasTaken ? `start ${readable(x, 4)}` : "drag the ball", place[0], place[1] - lower, ink);
    }
  }
}

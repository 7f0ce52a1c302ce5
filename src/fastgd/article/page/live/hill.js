/** The curve with its ball, on a canvas: it is dragged to its start, and rolls step by step. */

import { Chart, readable } from "./charts.js";
import { Scale } from "./scales.js";

const BALL = 8; // radius, in CSS pixels
const MOST_DOTS = 300;
const TANGENT = 75; // CSS pixels to each side of the ball
const BALL_LABEL = { below: 30, width: 110 }; // of the ball, where the tangent rises above it
const OUTWARD = 22; // of the arrow to a ball that has left the picture
const [NEAREST, FARTHEST] = [1e-6, 1.1e6]; // half of what is shown; all starts that may be are in it

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

/**
 * The ends of the part of a curve that is shown: `zoom` times as far apart as usual, but with the
 * start between them; and the zoom that they really have.
 */
export function endsShown([low, high], start, zoom) {
  const [middle, usual] = [(low + high) / 2, (high - low) / 2];
  const wanted = Math.min(Math.max(zoom * usual, NEAREST), FARTHEST);
  const away = Math.abs(start - middle);
  const half = away <= 1.001 * wanted ? wanted : 1.05 * away;
  return { ends: [middle - half, middle + half], zoom: half / usual };
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
    this.chart = new Chart(() => this.#paint());
    this.element = this.chart.element;
    this.element.classList.add("hill");
    const attributes = { role: "slider", tabindex: "0", "aria-label": "Start of the ball" };
    for (const [name, value] of Object.entries(attributes)) {
      this.element.setAttribute(name, value);
    }
    this.element.addEventListener("pointerdown", (event) => this.#take(event));
    this.element.addEventListener("pointermove", (event) => this.isDragged && this.#drag(event));
    for (const over of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(over, () => this.#drop());
    }
    this.element.addEventListener("keydown", (event) => this.#press(event));
  }

  /**
   * Show a scene: the ends of the `window`, the curve's `xs` and `heights`, the ball's `start`, `path`
   * and `pathHeights`, how many steps are `done`, perhaps a part of one, and the `slope` where that
   * step begins; and `others`, places where more balls ended, with `othersHeights`.
   */
  show(scene) {
    this.scene = scene;
    const { window, start, pathHeights } = scene;
    const values = { min: window[0], max: window[1], now: start };
    for (const [name, value] of Object.entries(values)) {
      this.element.setAttribute(`aria-value${name}`, value);
    }
    this.element.setAttribute("aria-valuetext", `x ${start}, height ${readable(pathHeights[0])}`);
    this.chart.draw();
  }

  #take(event) {
    if (event.button === 0) {
      this.wasTaken = true;
      this.element.setPointerCapture(event.pointerId);
      this.isDragged = true;
      this.#drag(event);
    }
  }

  #drag(event) {
    const { box } = this.chart;
    const [low, high] = this.scene.window;
    const share = Math.min(1, Math.max(0, (event.offsetX - box.left) / box.width));
    this.onStart(this.#rounded(low + share * (high - low)));
  }

  #drop() {
    if (this.isDragged) {
      this.isDragged = false;
      this.onDrop();
    }
  }

  #press(event) {
    const [low, high] = this.scene.window;
    const { start } = this.scene;
    const step = (high - low) / (event.shiftKey ? 10 : 100);
    const places = { ArrowLeft: start - step, ArrowRight: start + step, Home: low, End: high };
    const { [event.key]: place } = { ...places, ArrowDown: start - step, ArrowUp: start + step };
    if (place !== undefined) {
      event.preventDefault();
      this.wasTaken = true;
      this.onStart(this.#rounded(Math.min(high, Math.max(low, place))));
      this.onDrop();
    }
  }

  /** With as many digits as pixels can tell apart. */
  #rounded(x) {
    const [low, high] = this.scene.window;
    const digits = Math.max(0, Math.ceil(-Math.log10((high - low) / 1000)));
    return Number(x.toFixed(Math.min(digits, 20)));
  }

  #paint() {
    const { chart, scene } = this;
    if (!scene) {
      return;
    }
    const [low, high] = scene.window;
    const [bottom, top] = heightsShown(scene.heights);
    const [x, y] = [new Scale({ low, high }), new Scale({ low: bottom, high: top })];
    chart.axes({ x, y, across: "x", upward: "height" });
    const { context, box, colors } = chart;
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    this.#line(scene.xs, scene.heights, colors.ink, 2);
    this.#trail();
    this.#step();
    scene.others.forEach((place, k) => chart.dot(place, scene.othersHeights[k], colors.series[2], 4));
    context.restore();
    this.#ball();
  }

  /** The places before each step, and the jumps between them; what is to come is faint. */
  #trail() {
    const { path, pathHeights } = this.scene;
    const { chart } = this;
    const { context, colors } = chart;
    const until = Math.floor(this.scene.done) + 1;
    const [x, height] = this.#now();
    context.globalAlpha = 0.35;
    this.#line(path, pathHeights, colors.accent, 1);
    context.globalAlpha = 1;
    const past = (values, last) => [...values.slice(0, until), last];
    this.#line(past(path, x), past(pathHeights, height), colors.accent, 1.5);
    context.fillStyle = colors.accent;
    for (let k = 0; k < Math.min(path.length, MOST_DOTS); k++) {
      context.globalAlpha = k < until ? 1 : 0.45;
      context.beginPath();
      context.arc(chart.left(path[k]), chart.top(pathHeights[k]), 2.5, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  /** The tangent where a step begins; and the step, as an arrow along x, from whose tip one falls onto the curve. */
  #step() {
    const { chart, scene: { path, pathHeights, slope, done } } = this;
    const { box, colors, context } = chart;
    const k = Math.floor(done);
    if (!(chart.x.isIn(path[k]) && Number.isFinite(slope))) {
      return;
    }
    const place = [chart.left(path[k]), chart.top(pathHeights[k])];
    const [across, upward] = [box.width / (chart.x.high - chart.x.low), box.height / (chart.y.high - chart.y.low)];
    const angle = Math.atan(-slope * (upward / across));
    const along = [TANGENT * Math.cos(angle), TANGENT * Math.sin(angle)];
    chart.segment(...place.map((at, axis) => at - along[axis]), ...place.map((at, axis) => at + along[axis]), colors.series[1], 2);
    if (k + 1 < path.length) {
      const tip = Math.min(Math.max(chart.left(path[k + 1]), box.left), box.left + box.width);
      context.setLineDash([2, 3]);
      chart.segment(tip, place[1], tip, chart.top(chart.x.isIn(path[k + 1]) ? pathHeights[k + 1] : pathHeights[k]), colors.soft, 1.5);
      context.setLineDash([]);
      chart.arrow(place, [tip, place[1]], colors.series[3]);
    }
  }

  /** Where the ball is, perhaps between two steps. */
  #now() {
    const { path, pathHeights, done } = this.scene;
    const k = Math.min(Math.floor(done), path.length - 1);
    const next = Math.min(k + 1, path.length - 1);
    const share = done - k;
    return [path, pathHeights].map((values) =>
      share > 0 && next > k ? values[k] + share * (values[next] - values[k]) : values[k],
    );
  }

  /** The ball; if it has left the picture, at its edge, with an arrow to where it is. */
  #ball() {
    const { chart, scene: { done, slope } } = this;
    const [x, height] = this.#now();
    const onto = ({ low, high }, value) => (Number.isNaN(value) ? 0 : Math.min(Math.max(value, low), high));
    const place = [onto(chart.x, x), onto(chart.y, height)];
    const at = [chart.left(place[0]), chart.top(place[1])];
    const outward = Math.sign(x - place[0]);
    if (outward) {
      chart.arrow(at, [at[0] + outward * OUTWARD, at[1]], chart.colors.accent);
    } else if (height !== place[1]) {
      chart.arrow(at, [at[0], at[1] - Math.sign(height - place[1]) * OUTWARD], chart.colors.accent);
    }
    chart.dot(...place, chart.colors.accent, BALL);
    if (done === 0) {
      const label = this.wasTaken ? `start ${readable(x, 4)}` : "drag the ball";
      const isBelow = slope > 0 && at[0] + BALL_LABEL.width < chart.box.left + chart.box.width;
      const lower = isBelow ? (BALL_LABEL.below * (chart.y.high - chart.y.low)) / chart.box.height : 0;
      chart.label(label, place[0], place[1] - lower, chart.colors.ink);
    }
  }

  /** A line through the points; where one isn't a number there is a gap. */
  #line(xs, heights, color, width) {
    const { chart } = this;
    const { context } = chart;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.beginPath();
    let draws = false;
    xs.forEach((x, k) => {
      const place = [chart.left(x), chart.top(heights[k])];
      const isThere = !place.some(Number.isNaN);
      if (isThere) {
        context[draws ? "lineTo" : "moveTo"](...place);
      }
      draws = isThere;
    });
    context.stroke();
  }
}

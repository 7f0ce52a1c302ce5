/** Charts on a canvas: axes, curves, and what the pointer is at. */

import { colors, el, onColors } from "./dom.js";

const CHART_MARGIN = { left: 62, right: 24, top: 14, bottom: 42 };
const FAR = 1e5; // pixels: canvases can't draw a line to infinity

/** Round numbers on a scale: powers of ten if it is logarithmic, otherwise about `most` of them. */
export function ticksOf(scale, most = 6) {
  const { low, high, log } = scale;
  if (log) {
    const first = Math.ceil(Math.log10(low) - 1e-9);
    const last = Math.floor(Math.log10(high) + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, k) => Number(`1e${first + k}`));
  }
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9));
  const count = Math.floor(high / step + 1e-9) - Math.ceil(low / step - 1e-9) + 1;
  return Array.from({ length: count }, (_, k) => Number(((Math.ceil(low / step - 1e-9) + k) * step).toPrecision(12)));
}

/** Every label, or every second one and so on, until there is room between their middles `at` for their widths. */
export function spread(labels, gap = 6) {
  const isApart = ({ at, width }, k, all) => k === 0 || at - all[k - 1].at >= (width + all[k - 1].width) / 2 + gap;
  let some = labels;
  for (let n = 2; !some.every(isApart); n++) {
    some = labels.filter((_label, k) => k % n === 0);
  }
  return some;
}

function near(pixel) {
  return Math.min(Math.max(pixel, -FAR), FAR);
}

/** A number for people: 60,000, 0.0012 or 1.5e+20. */
export function readable(x, digits = 3) {
  return Math.abs(x) >= 1000 && Math.abs(x) < 1e15 ? Math.round(x).toLocaleString("en-US") : String(Number(x.toPrecision(digits)));
}

/**
 * A canvas that follows the size of its element and the colors of the page.
 *
 * `paint(chart)` draws it: first `axes`, then lines. `pointer` is where the pointer is, in CSS pixels
 * from the left of the canvas, or null; when it moves, the chart is drawn again. `attributes` are those
 * of the canvas, as `el` takes them.
 */
export class Chart {
  constructor(paint, attributes = {}) {
    this.paint = paint;
    this.pointer = null;
    this.asked = false;
    this.element = el("canvas", {
      class: "chart",
      role: "img",
      on: {
        pointermove: (event) => this.#point(event.offsetX),
        pointerdown: (event) => this.#point(event.offsetX),
        pointerleave: () => this.#point(null),
      },
      ...attributes,
    });
    new ResizeObserver(() => this.draw()).observe(this.element);
    onColors(() => this.draw());
  }

  /** Draw before the next frame, however often this is called until then. */
  draw() {
    if (!this.asked) {
      this.asked = true;
      requestAnimationFrame(() => this.#draw());
    }
  }

  #point(pointer) {
    this.pointer = pointer;
    this.draw();
  }

  #draw() {
    this.asked = false;
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = devicePixelRatio || 1;
    this.element.width = Math.round(width * ratio);
    this.element.height = Math.round(height * ratio);
    this.context = this.element.getContext("2d");
    this.context.scale(ratio, ratio);
    this.font = `12px ${getComputedStyle(this.element).fontFamily}`;
    this.colors = colors();
    this.box = {
      left: CHART_MARGIN.left,
      top: CHART_MARGIN.top,
      width: Math.max(width - CHART_MARGIN.left - CHART_MARGIN.right, 1),
      height: Math.max(height - CHART_MARGIN.top - CHART_MARGIN.bottom, 1),
    };
    this.paint(this);
  }

  /** Scales of both axes (see scales.js), with their names; `ticks` of the one upward are numbers, which `label` writes, as `stop` those of the other one, `stops`. */
  axes({ x, y, across, upward, ticks = ticksOf(y, 5), label = readable, stops, stop = readable }) {
    Object.assign(this, { x, y });
    const { context, box, colors: { grid, soft } } = this;
    context.font = this.font;
    context.fillStyle = soft;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const tick of ticks) {
      const top = Math.round(this.top(tick)) + 0.5;
      this.segment(box.left, top, box.left + box.width, top, grid);
      context.fillText(label(tick), box.left - 8, top);
    }
    context.textAlign = "center";
    const right = box.left + box.width + CHART_MARGIN.right;
    const labels = (stops ?? ticksOf(x, box.width / 90)).map((tick) => {
      const text = stop(tick);
      const { width } = context.measureText(text);
      return { text, width, at: Math.min(this.left(tick), right - width / 2) };
    });
    spread(labels).forEach(({ text, at }) => context.fillText(text, at, box.top + box.height + 14));
    context.fillText(across, box.left + box.width / 2, box.top + box.height + 32);
    context.save();
    context.translate(10, box.top + box.height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(upward, 0, 0);
    context.restore();
    this.segment(box.left, box.top + box.height + 0.5, box.left + box.width, box.top + box.height + 0.5, soft);
  }

  /** Where a number of the axis to the right stands, in CSS pixels, also outside of the axes. */
  left(value) {
    return near(this.box.left + this.box.width * this.x.place(value));
  }

  /** The same upward. */
  top(value) {
    return near(this.box.top + this.box.height * (1 - this.y.place(value)));
  }

  /** Draw what is inside the axes: call `draw`, and leave out the rest of it. */
  inside(draw) {
    const { context, box } = this;
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    draw();
    context.restore();
  }

  /** A curve through points; where one isn't a number there is a gap. */
  line(across, upward, color, width = 2) {
    const { context } = this;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.beginPath();
    let isGap = true;
    upward.forEach((value, k) => {
      const place = [this.left(across[k]), this.top(value)];
      context[isGap ? "moveTo" : "lineTo"](...place); // which do nothing if one isn't a number
      isGap = place.some(Number.isNaN);
    });
    context.stroke();
  }

  /** A filled circle, with a ring that lifts it off the curve. */
  dot(across, upward, color, radius = 4, ring = 2) {
    const { context } = this;
    context.fillStyle = color;
    context.strokeStyle = this.colors.paper;
    context.lineWidth = ring;
    context.beginPath();
    context.arc(this.left(across), this.top(upward), radius, 0, 2 * Math.PI);
    context.fill();
    if (ring) {
      context.stroke();
    }
  }

  /** A label at the right of a point, where falling curves leave room, or else at its left. */
  label(text, across, upward, color) {
    const { context, box } = this;
    const [left, top] = [this.left(across), this.top(upward)];
    context.font = `600 ${this.font}`;
    const isRight = left + context.measureText(text).width + 12 > box.left + box.width;
    context.textBaseline = "alphabetic";
    context.textAlign = isRight ? "right" : "left";
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = this.colors.paper;
    context.fillStyle = color;
    const place = [left + (isRight ? -8 : 8), Math.max(top - 8, box.top + 10)];
    context.strokeText(text, ...place);
    context.fillText(text, ...place);
  }

  /** A straight line between two places, in CSS pixels as in what follows. */
  segment(left, top, right, bottom, color, width) {
    this.segments([[left, top, right, bottom]], color, width);
  }

  /** Some of them at once. */
  segments(pieces, color, width = 1) {
    const { context } = this;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    for (const [left, top, right, bottom] of pieces) {
      context.moveTo(left, top);
      context.lineTo(right, bottom);
    }
    context.stroke();
  }

  /** An arrow, which has no shaft if it is short. */
  arrow(from, to, color) {
    const { context } = this;
    const [across, down] = [to[0] - from[0], to[1] - from[1]];
    const length = Math.hypot(across, down) || 1;
    const head = Math.min(10, length) / length;
    const neck = [to[0] - head * across, to[1] - head * down];
    this.segment(...from, ...neck, color, 3);
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(...to);
    for (const side of [0.5, -0.5]) {
      context.lineTo(neck[0] - side * head * down, neck[1] + side * head * across);
    }
    context.fill();
  }
}

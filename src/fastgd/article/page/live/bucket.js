/** The ball in the bucket: drag it, turn alpha, choose a curve or write one; the kernel rolls it. */

import { programsOf } from "./bytecode.js";
import { readable } from "./charts.js";
import { button, choiceControl, sliderControl, textControl } from "./controls.js";
import { el, repr } from "./dom.js";
import { endsShown, heightsShown, Hill, stepsAfter } from "./hill.js";
import { Parts } from "./parts.js";
import { Player } from "./player.js";
import { RandomState } from "./random.js";
import { ITERATIONS, Roller } from "./roller.js";
import { ballCommand, ballPython, basinsTold, meaningOf, outsideTold, placeTold, stepTold } from "./rolls.js";
import { Scale } from "./scales.js";
import { copyButtons } from "./share.js";
import { choice, number } from "./state.js";

const POINTS = 600; // of the curve that is drawn
const FARTHEST_START = 1e6;
const RANDOM_BALLS = 100;
const OWN_WINDOW = [-3, 3];
const SETTLES = 400; // milliseconds after the last change, then the ball rolls

const STEPS = {
  alpha: "Improved: x = x - (alpha * slope)",
  naive: "Naive: x = x - slope",
  sign: "Oversimplified: alpha to the left or right",
};

/** The live section of the bucket. */
export const bucket = {
  name: "bucket",

  fields: (pack) => {
    const facts = pack.json("bucket");
    return {
      curve: {
        initial: facts.examples[0].curve,
        read: (text) => programsOf("curve", text, facts).text,
        write: String,
      },
      ballStart: number("start", 1, -FARTHEST_START, FARTHEST_START),
      ballAlpha: number("alpha", 0.1, 1e-6, 1e6),
      ballRule: choice("rule", "alpha", facts.rules),
    };
  },

  async start({ state, trainer, pack, root }) {
    const facts = pack.json("bucket");
    const name = trainer.fused ? "relaxed" : "exact";
    const roller = await Roller.start(pack.bytes(`${name} roller`), facts);
    const stage = new BucketStage(state, facts, roller);
    root.append(el("div", { class: "experiment bucket" }, stage.element, stage.tools, stage.controls));
    state.on(["curve", "ballStart", "ballAlpha", "ballRule"], () => stage.change());
    stage.change();
  },
};

function countOf(steps) {
  return `${steps.toLocaleString("en-US")} iteration${steps === 1 ? "" : "s"}`;
}

class BucketStage {
  constructor(state, facts, roller) {
    Object.assign(this, { state, facts, roller, zoom: 1, timer: null });
    Object.assign(this, { others: [], othersHeights: [], rolling: new Parts(), rollingMany: new Parts() });
    this.hill = new Hill({
      onStart: (x) => state.set({ ballStart: Math.min(Math.max(x, -FARTHEST_START), FARTHEST_START) }),
      onDrop: () => this.#settle(),
    });
    this.hill.element.id = "bucket-chart";
    this.player = new Player({
      name: "Step of the ball that is shown",
      last: () => this.ball?.iterations ?? 0,
      label: (position) => `step ${readable(Math.floor(position), 4)}`,
      lasts: (steps) => Math.min(6, 0.4 * steps),
      pace: stepsAfter,
      onMove: () => this.#show(),
    });
    this.result = el("strong", { id: "bucket-x", class: "digits", tabindex: 0 }); // no live region: it changes with each step
    this.slope = el("span", { id: "bucket-slope" });
    this.step = el("span", { id: "bucket-step" });
    this.status = el("p", { id: "bucket-status", class: "note" });
    this.spoken = el("p", { class: "spoken", role: "status" });
    this.takeaway = el("p", { id: "bucket-takeaway" });
    this.balls = el("div", { class: "chips", role: "group", "aria-label": "Balls of the article" });
    this.many = el("p", { id: "bucket-places", class: "note" });
    this.curves = facts.examples.map((example) =>
      button(example.title, () => this.#choose(example), { "aria-pressed": "false" }),
    );
    const chips = el("div", { class: "chips", role: "group", "aria-label": "Curves of the article" }, ...this.curves);
    this.element = this.#stage();
    this.tools = el("div", { class: "tools" }, this.status, this.spoken, chips, this.takeaway, this.balls);
    this.controls = this.#controls();
  }

  #stage() {
    const bar = this.player.bar();
    ["click", "input"].forEach((used) => bar.addEventListener(used, () => clearTimeout(this.timer)));
    const swatch = (color) => el("span", { class: `swatch ${color}`, "aria-hidden": "true" });
    return el(
      "div",
      { class: "stage" },
      el("p", { class: "final" }, this.result),
      this.hill.element,
      el("p", { class: "step" }, el("span", {}, swatch("of-slope"), "slope ", this.slope), el("span", {}, swatch("of-step"), this.step)),
      bar,
    );
  }

  #controls() {
    const { state } = this;
    const zoomBy = (factor) => {
      this.zoom = factor * this.#shown.zoom;
      this.zoom = this.#shown.zoom; // a press that shows nothing else has no other effect
      this.#show();
    };
    return el(
      "div",
      { class: "controls" },
      sliderControl({
        state,
        field: "ballAlpha",
        label: "Alpha",
        scale: new Scale({ low: 0.001, high: 10, log: true, ticks: [0.001, 0.01, 0.1, 1, 10] }),
      }),
      textControl({ state, field: "ballStart", label: "Start", hint: "Or drag the ball." }),
      el(
        "div",
        { class: "whole" },
        choiceControl({
          state,
          field: "ballRule",
          label: "A step",
          choices: Object.entries(STEPS),
        }),
      ),
      el("div", { class: "whole formula" }, textControl({ state, field: "curve", label: "The curve, a formula of x" })),
      el(
        "div",
        { class: "row" },
        button("100 random balls", () => this.#rollMany(), { id: "bucket-many" }),
        button("−", () => zoomBy(2), { "aria-label": "Show more of the curve" }),
        button("+", () => zoomBy(0.5), { "aria-label": "Show less of the curve" }),
      ),
      this.many,
      copyButtons("bucket-", [
        { id: "copy-python", label: "Copy as Python", text: () => ballPython(this.#settings) },
        { id: "copy-command", label: "Copy as command", text: () => ballCommand(this.#settings) },
      ]),
    );
  }

  get #settings() {
    const { state, example } = this;
    const [curve, start, alpha, rule] = ["curve", "ballStart", "ballAlpha", "ballRule"].map((name) => state.get(name));
    return { curve, start, alpha, rule, iterations: example?.iterations ?? ITERATIONS };
  }

  /** Something has changed: roll the ball, and show its whole path, at once if that is quick. */
  change() {
    const { state, facts, roller } = this;
    const curve = state.get("curve");
    if (this.example?.curve !== curve) {
      this.example = facts.examples.find((example) => example.curve === curve);
    }
    const key = JSON.stringify(this.#settings);
    if (key === this.key) {
      this.#examples();
      return;
    }
    if (curve !== this.curve) {
      this.programs = programsOf("curve", curve, facts);
      Object.assign(this, { curve, zoom: 1 });
    }
    const { start, alpha, rule, iterations } = this.#settings;
    const method = JSON.stringify([curve, alpha, rule]);
    if (method !== this.method) {
      this.rollingMany.stop();
      this.others = []; // they rolled by another one
      this.many.textContent = "";
    }
    this.method = method;
    this.isNowhere = roller.withoutSlope(this.programs, [start]) !== undefined;
    this.status.classList.toggle("problem", this.isNowhere);
    this.#examples();
    const options = { programs: this.programs, rule, iterations, recordPath: true };
    this.ball = null;
    this.rolling.begin(roller.rollInParts({ starts: [start], alphas: [alpha], ...options }), ([ball]) => {
      const isFirst = !this.ball;
      this.ball = ball;
      if (isFirst) {
        this.player.seek(0);
      } else {
        this.player.moved();
      }
    });
    clearTimeout(this.timer);
    if (this.key && !this.hill.isDragged) {
      this.#settle();
    }
    this.key = key;
  }

  #show() {
    const { ball, others, othersHeights, player } = this;
    const { start, path, pathHeights } = ball;
    const done = player.position;
    const k = Math.floor(done);
    const [slope] = this.roller.slopes(this.programs, path.slice(k, k + 1));
    const drawn = this.#drawn();
    this.hill.show({ ...drawn, start, path, pathHeights, others, othersHeights, done, slope });
    const [x, height, next] = [path[k], pathHeights[k], path[k + 1]];
    const { window: ends, heights } = drawn;
    this.result.textContent = placeTold(x, ends[1] - ends[0]);
    this.result.title = repr(x);
    const told = stepTold({ x, slope, next }, this.#settings);
    this.slope.textContent = told.slope;
    this.step.textContent = told.step;
    const isEnd = this.rolling.isOver && next === undefined;
    this.status.textContent = [isEnd && this.ending, outsideTold(x, height, ends, heightsShown(heights))].filter(Boolean).join(" ");
    this.status.dataset.status = isEnd ? ball.status : "";
  }

  /** The curve in its window. */
  #drawn() {
    const [low, high] = this.#shown.ends;
    const key = JSON.stringify([this.curve, low, high]);
    if (key !== this.drawn?.key) {
      const xs = Float64Array.from({ length: POINTS + 1 }, (_, k) => low + ((high - low) * k) / POINTS);
      this.drawn = { key, window: [low, high], xs, heights: this.roller.heights(this.programs, xs) };
    }
    return this.drawn;
  }

  /** The ends of what is shown of the curve, the example's or our own, with the start in it, and the zoom. */
  get #shown() {
    return endsShown(this.example?.window ?? OWN_WINDOW, this.state.get("ballStart"), this.zoom);
  }

  /** How the ball ended, in words. */
  get ending() {
    const { start, status, iterations } = this.ball;
    return this.isNowhere
      ? `The curve has no slope at x = ${start}.`
      : `${status} after ${countOf(iterations)}: ${meaningOf(this.ball)}.`;
  }

  /** Roll soon, unless something changes until then; the path must be known. */
  #settle() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.rolling.isOver) {
        this.#settle();
        return;
      }
      this.player.run();
      this.spoken.textContent = `x ${repr(this.ball.x)}, ${this.ending}`;
    }, SETTLES);
  }

  /** Those of fastgd.bucket.basins: from random places of the window. */
  #rollMany() {
    const { alpha, rule, iterations } = this.#settings;
    const [low, high] = this.#shown.ends;
    const random = new RandomState(1);
    const starts = Array.from({ length: RANDOM_BALLS }, () => low + (high - low) * random.random());
    const alphas = starts.map(() => alpha);
    const work = this.roller.rollInParts({ programs: this.programs, starts, alphas, rule, iterations });
    this.rollingMany.begin(work, (balls, isOver) => {
      if (isOver) {
        this.#tellMany(balls, low, high);
      } else {
        const over = balls.filter(({ status }) => status !== "rolling").length;
        this.many.textContent = `${RANDOM_BALLS} random balls roll, ${over} of them have ended ...`;
      }
    });
  }

  #tellMany(balls, low, high) {
    this.many.textContent = basinsTold(balls, high - low);
    this.others = balls.map(({ x }) => x).filter((x) => x >= low && x <= high);
    this.othersHeights = this.roller.heights(this.programs, this.others);
    this.#show();
  }

  #choose(example) {
    const { curve, start, alpha } = example;
    this.example = example;
    this.state.set({ curve, ballStart: start[0], ballAlpha: alpha[0], ballRule: "alpha" });
  }

  /** Which curve of the article this is, its sentence, and its balls to choose. */
  #examples() {
    const { example, facts, state } = this;
    facts.examples.forEach((each, k) => this.curves[k].setAttribute("aria-pressed", String(each === example)));
    const { start: from, alpha: rate, rule } = this.#settings;
    const isOfExample = rule === "alpha" && example?.start.some((start, k) => start === from && example.alpha[k] === rate);
    this.takeaway.textContent = isOfExample ? example.takeaway : "This is a ball of your own: where will it end?";
    const balls = (example?.start ?? []).map((start, k) => {
      const alpha = example.alpha[k];
      const pick = () => state.set({ ballStart: start, ballAlpha: alpha, ballRule: "alpha" });
      const isNow = rule === "alpha" && from === start && rate === alpha;
      return button(`start ${start}, alpha ${alpha}`, pick, { "aria-pressed": String(isNow) });
    });
    this.balls.replaceChildren(...(balls.length > 1 ? balls : []));
  }
}

/** The ball in the bucket: drag it, turn alpha, choose a curve or write one; the kernel rolls it. */

import { programsOf } from "./bytecode.js";
import { readable } from "./charts.js";
import { button, choiceControl, sliderControl, textControl } from "./controls.js";
import { el, repr } from "./dom.js";
import { heightsShown, Hill, stepsAfter } from "./hill.js";
import { Parts } from "./parts.js";
import { Player } from "./player.js";
import { RandomState } from "./random.js";
import { Roller } from "./roller.js";
import { ballCommand, ballPython, basinsTold, endTold, outsideTold, placeTold, stepTold } from "./rolls.js";
import { Scale } from "./scales.js";
import { copyButtons } from "./share.js";
import { choice, number } from "./state.js";

const POINTS = 600; // of the curve that is drawn
const FARTHEST_START = 1e6;
const OWN_WINDOW = [-3, 3];

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
    const module = pack.bytes(`${trainer.fused ? "relaxed" : "exact"} roller`);
    const [roller, rollerOfMany] = [await Roller.start(module, facts), await Roller.start(module, facts)];
    const stage = new BucketStage({ state, facts, roller, rollerOfMany });
    root.append(el("div", { class: "experiment bucket" }, stage.element, stage.tools, stage.controls));
    state.on(["curve", "ballStart", "ballAlpha", "ballRule"], () => stage.change());
    stage.change();
  },
};

class BucketStage {
  constructor({ state, facts, roller, rollerOfMany }) {
    Object.assign(this, { state, facts, roller, rollerOfMany, others: [], rolling: new Parts(), rollingMany: new Parts() });
    this.hill = new Hill({
      onStart: (x) => state.set({ ballStart: Math.min(Math.max(x, -FARTHEST_START), FARTHEST_START) }),
      onDrop: () => this.#playSoon(),
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
    this.curves = facts.examples.map((example) => button(example.title, () => this.#choose(example, 0)));
    const chips = el("div", { class: "chips", role: "group", "aria-label": "Curves of the article" }, ...this.curves);
    const swatch = (color) => el("span", { class: `swatch ${color}`, "aria-hidden": "true" });
    this.element = el(
      "div",
      { class: "stage" },
      el("p", { class: "final" }, this.result),
      this.hill.element,
      el("p", { class: "step" }, el("span", {}, swatch("of-slope"), "slope ", this.slope), el("span", {}, swatch("of-step"), this.step)),
      this.player.bar(),
    );
    this.tools = el("div", { class: "tools" }, this.status, this.spoken, chips, this.takeaway, this.balls);
    const scale = new Scale({ low: 0.001, high: 10, log: true, ticks: [0.001, 0.01, 0.1, 1, 10] });
    this.controls = el(
      "div",
      { class: "controls" },
      sliderControl({ state, field: "ballAlpha", label: "Alpha", scale }),
      textControl({ state, field: "ballStart", label: "Start", hint: "Or drag the ball." }),
      el("div", { class: "whole" }, choiceControl({ state, field: "ballRule", label: "A step", choices: Object.entries(STEPS) })),
      el("div", { class: "whole formula" }, textControl({ state, field: "curve", label: "The curve, a formula of x" })),
      el("div", { class: "row" }, button(`${facts.randomBalls} random balls`, () => this.#rollMany(), { id: "bucket-many" })),
      this.many,
      copyButtons("bucket-", [
        { id: "copy-python", label: "Copy as Python", text: () => ballPython(this.#settings) },
        { id: "copy-command", label: "Copy as command", text: () => ballCommand(this.#settings) },
      ]),
    );
  }

  get #settings() {
    const { state, example, facts } = this;
    const [curve, start, alpha, rule] = ["curve", "ballStart", "ballAlpha", "ballRule"].map((name) => state.get(name));
    return { curve, start, alpha, rule, iterations: (example ?? facts).iterations };
  }

  /** The ends of what is shown of the curve, the example's or our own, with the start between them. */
  get #window() {
    const [low, high] = this.example?.window ?? OWN_WINDOW;
    const [middle, half] = [(low + high) / 2, (high - low) / 2];
    const away = Math.abs(this.state.get("ballStart") - middle);
    const shown = away <= 1.001 * half ? half : 1.05 * away;
    return [middle - shown, middle + shown];
  }

  /** Something has changed: roll the ball, and show its whole path, at once if that is quick. */
  change() {
    const { state, facts, hill, player } = this;
    const curve = state.get("curve");
    if (this.example?.curve !== curve) {
      this.example = facts.examples.find((example) => example.curve === curve);
    }
    this.#showExamples();
    const key = JSON.stringify(this.#settings);
    if (key === this.key) {
      return;
    }
    const isFirst = !this.key;
    Object.assign(this, { key, ball: null, others: [], programs: programsOf("curve", curve, facts) });
    this.rollingMany.stop();
    this.many.textContent = "";
    this.rolling.begin(this.#roll(this.roller, [state.get("ballStart")], true), ([ball], isOver) => {
      const isNew = !this.ball;
      this.ball = ball;
      if (isNew) {
        player.seek(0);
      } else {
        player.moved();
      }
      if (isOver && !isFirst && !hill.isDragged) {
        this.#playSoon();
      }
    });
  }

  #roll(roller, starts, recordPath) {
    return roller.roll({ ...this.#settings, programs: this.programs, starts, recordPath });
  }

  #playSoon() {
    this.player.playSoon(() => (this.spoken.textContent = `x ${repr(this.ball.x)}, ${endTold(this.ball)}`));
  }

  #show() {
    const { ball, roller, programs, others, player: { position: done } } = this;
    const k = Math.floor(done);
    const [x, height, next] = [ball.path[k], ball.pathHeights[k], ball.path[k + 1]];
    const [slope] = roller.slopes(programs, [x]);
    const [low, high] = this.#window;
    const xs = Array.from({ length: POINTS + 1 }, (_, point) => low + ((high - low) * point) / POINTS);
    const heights = roller.heights(programs, xs);
    this.hill.show({ window: [low, high], xs, heights, ball, others, othersHeights: roller.heights(programs, others), done, slope });
    this.result.textContent = placeTold(x, high - low);
    this.result.title = repr(x);
    const told = stepTold({ x, slope, next }, this.#settings);
    this.slope.textContent = told.slope;
    this.step.textContent = told.step;
    const isEnd = this.rolling.isOver && next === undefined;
    this.status.textContent = `${isEnd ? endTold(ball) : ""} ${outsideTold(x, height, [low, high], heightsShown(heights))}`.trim();
    this.status.dataset.status = isEnd ? ball.status : "";
  }

  /** Those of fastgd.bucket.basins: from random places of the window. */
  #rollMany() {
    const [low, high] = this.#window;
    const random = new RandomState(1);
    const starts = Array.from({ length: this.facts.randomBalls }, () => low + (high - low) * random.random());
    this.rollingMany.begin(this.#roll(this.rollerOfMany, starts, false), (balls, isOver) => {
      this.many.textContent = isOver ? basinsTold(balls, high - low) : `${balls.length} random balls roll ...`;
      this.others = balls.map(({ x }) => x);
      this.#show();
    });
  }

  #choose(example, k) {
    const { curve, start, alpha } = example;
    this.example = example;
    this.state.set({ curve, ballStart: start[k], ballAlpha: alpha[k], ballRule: "alpha" });
  }

  /** Which curve of the article this is, its sentence, and its balls to choose. */
  #showExamples() {
    const { example, facts } = this;
    const { start, alpha, rule } = this.#settings;
    const starts = example?.start ?? [];
    const isNow = starts.map((from, k) => rule === "alpha" && from === start && example.alpha[k] === alpha);
    const balls = starts.map((from, k) => button(`start ${from}, alpha ${example.alpha[k]}`, () => this.#choose(example, k)));
    balls.forEach((ball, k) => ball.setAttribute("aria-pressed", String(isNow[k])));
    this.curves.forEach((curve, k) => curve.setAttribute("aria-pressed", String(facts.examples[k] === example)));
    this.balls.replaceChildren(...(balls.length > 1 ? balls : []));
    this.takeaway.textContent = isNow.includes(true) ? example.takeaway : "This is a ball of your own: where will it end?";
  }
}

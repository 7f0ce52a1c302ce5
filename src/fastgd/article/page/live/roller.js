/**
 * The kernel's own roller: balls roll as `fastgd.bucket.roll` lets them roll, with the same bits.
 * It runs on the page's thread: ten thousand steps of a ball take some milliseconds, but seconds if
 * there are many balls or the formula is long, so they are rolled in parts.
 */

import { ImageMemory } from "./memory.js";

const LASTS = 8; // milliseconds: a part, about

/** A module of the kernel in a memory of its own, where some balls roll at a time. */
export class Roller {
  /** Start a module from its bytes; `facts` are Python's about programs and the memory. */
  static async start(bytes, facts) {
    const image = new ImageMemory(facts.image, facts.image.head);
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory: image.memory } });
    image.reset();
    return new Roller(() => instance.exports.roll(image.base), image, facts);
  }

  constructor(run, image, facts) {
    Object.assign(this, { run, image, facts });
  }

  /** Heights of a curve, given its programs. */
  heights(programs, xs) {
    return this.#evaluate(programs.height, xs);
  }

  /** Its slopes. */
  slopes(programs, xs) {
    return this.#evaluate(programs.slope, xs);
  }

  #evaluate(program, xs) {
    const { block, rows } = this.facts;
    const results = new Float64Array(xs.length);
    const work = this.#load(program);
    for (let begin = 0; begin < xs.length; begin += block) {
      const part = xs.slice(begin, begin + block);
      work.set(part, rows.x * block);
      this.image.set("header.values", part.length);
      this.run();
      results.set(work.subarray(rows.result * block, rows.result * block + part.length), begin);
    }
    return results;
  }

  /**
   * Roll balls, at most `facts.randomBalls`, by a `rule`: "alpha", "naive" or "sign". It is done in parts that
   * last some milliseconds each: yields the balls so far after each of them, and returns them at the end. In
   * between one may evaluate curves.
   *
   * Of a ball there are its `start`, `x` where it is, `status`, the number of `iterations`, and, if
   * `recordPath` is set, which is for one ball, `path`, the places before each step and at the end, and `pathHeights`.
   */
  *roll({ programs, starts, alpha, rule, iterations, recordPath = false, lasts = LASTS }) {
    const { image } = this;
    image.reset();
    image.floats("x").set(starts);
    image.floats("start").set(starts);
    image.floats("alpha").fill(rule === "naive" ? 1 : alpha);
    image.floats("path")[0] = starts[0];
    image.set("balls.x.length", starts.length);
    image.set("rules.by_sign", rule === "sign");
    image.set("rules.length", recordPath ? iterations + 1 : 0);
    const [path, pathHeights] = [[], []];
    let steps = 1;
    for (let last = 0; ; ) {
      const from = performance.now();
      this.#load(programs.slope, starts[0]);
      image.set("header.values", 0);
      image.set("rules.first", last);
      last = Math.min(last + steps, iterations);
      image.set("rules.last", last);
      this.run();
      steps = Math.max(1, Math.floor(steps * Math.min(4, lasts / (performance.now() - from))));
      const balls = this.#balls(starts);
      if (recordPath) {
        const more = image.floats("path").slice(path.length, balls[0].iterations + 1);
        path.push(...more);
        pathHeights.push(...this.heights(programs, more));
        Object.assign(balls[0], { path, pathHeights });
      }
      if (last === iterations || balls.every(({ status }) => status !== "rolling")) {
        return balls;
      }
      yield balls;
    }
  }

  #balls(starts) {
    const [places, done, outcomes] = [this.image.floats("x"), this.image.integers("iterations"), this.image.integers("outcome")];
    return Array.from(starts, (start, ball) => {
      const status = this.facts.statuses[outcomes[ball]];
      return { start, x: places[ball], status, iterations: Number(done[ball]) };
    });
  }

  /**
   * Write a program behind the image, and its working memory, which is returned. There x is `unused` next
   * to the last ball: multiply-adds that are computed take much longer for 0.
   */
  #load({ words, constants, rows }, unused = 0) {
    const { image, facts: { block, rows: known } } = this;
    const program = image.base + image.bytes;
    const work = program + 64 * Math.ceil(words.length / 8);
    const missing = work + 8 * rows * block - image.memory.buffer.byteLength;
    if (missing > 0) {
      image.memory.grow(Math.ceil(missing / 65536));
    }
    image.set("evaluators.program", program);
    image.set("evaluators.program.length", words.length);
    image.set("evaluators.work", work);
    new BigInt64Array(image.memory.buffer, program, words.length).set(words.map(BigInt));
    const numbers = new Float64Array(image.memory.buffer, work, rows * block).fill(unused, 0, block);
    constants.forEach((value, k) => numbers.fill(value, (known.constants + k) * block, (known.constants + k + 1) * block));
    return numbers;
  }
}

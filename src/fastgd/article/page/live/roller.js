/**
 * The kernel's own roller: balls roll as `fastgd.bucket.roll` lets them roll, with the same bits.
 * It runs on the page's thread: ten thousand steps of a ball take some milliseconds, but seconds if
 * there are many balls or the formula is long, so they are rolled in parts.
 */

/** The most steps of a ball, unless an example of the article has another number. */
export const ITERATIONS = 10_000;

/** From its start: a ball that gets farther diverges, as in fastgd.bucket.roll. */
export const FARTHEST_BALL = 1e9;

const LASTS = 8; // milliseconds: a part, about
const FIRST_STEPS = 32; // in the first part, which shows how long a step takes
const TOGETHER = 16; // balls: few enough that a step of theirs is quick

/** A module of the kernel in a memory of its own. */
export class Roller {
  /** Start a module from its bytes; `facts` are Python's about programs and the memory. */
  static async start(bytes, facts) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
    return new Roller(instance.exports.roll, memory, facts);
  }

  constructor(run, memory, facts) {
    this.run = run;
    this.memory = memory;
    this.facts = facts;
  }

  /** Heights of a curve, given its programs. */
  heights(programs, xs) {
    return this.evaluate(programs.height, xs);
  }

  /** Its slopes. */
  slopes(programs, xs) {
    return this.evaluate(programs.slope, xs);
  }

  /** The first of the starts where the curve has no slope, or undefined; a pole is allowed. */
  withoutSlope(programs, starts) {
    const [heights, slopes] = [this.heights(programs, starts), this.slopes(programs, starts)];
    return starts.find((_, ball) => Number.isNaN(slopes[ball]) && Math.abs(heights[ball]) !== Infinity);
  }

  evaluate(program, xs) {
    const { block, rows } = this.facts;
    const results = new Float64Array(xs.length);
    const image = new RollerImage(this.facts);
    const work = image.evaluator(program);
    const header = image.header({ values: block });
    image.write(this.memory);
    const numbers = new Float64Array(this.memory.buffer, work, program.rows * block);
    for (let begin = 0; begin < xs.length; begin += block) {
      const part = xs.slice(begin, begin + block);
      numbers.set(part, rows.x * block);
      this.run(header);
      const found = numbers.subarray(rows.result * block, rows.result * block + part.length);
      results.set(found, begin);
    }
    return results;
  }

  /**
   * Roll a ball from each start with the alpha at the same place; `rule` is "alpha", "naive" or
   * "sign". For each ball: `x` where it ended, `status`, the number of `iterations`, and, if
   * `recordPath` is set, its `path`, the places before each step and at the end, and their
   * `pathHeights`.
   */
  roll(options) {
    const work = this.rollInParts({ ...options, lasts: Infinity });
    for (;;) {
      const { value, done } = work.next();
      if (done) return value;
    }
  }

  /**
   * The same in parts that last some milliseconds each: yields the balls so far after each part, and
   * returns them at the end. Between parts others may roll.
   */
  *rollInParts({ starts, alphas, iterations = ITERATIONS, lasts = LASTS, ...options }) {
    const over = [];
    let steps = FIRST_STEPS;
    for (let begin = 0; begin < starts.length; begin += TOGETHER) {
      const some = (values) => Float64Array.from(values.slice(begin, begin + TOGETHER));
      const group = new Group(this, { ...options, starts: some(starts), alphas: some(alphas), iterations });
      for (let first = 0; first < iterations && group.isRolling; ) {
        const last = Math.min(first + steps, iterations);
        const from = performance.now();
        group.roll(first, last);
        if (group.isRolling) { // else it may have ended early: that says little of a step
          steps = Math.max(1, Math.floor(steps * Math.min(4, lasts / (performance.now() - from))));
        }
        first = last;
        yield [...over, ...group.balls];
      }
      over.push(...group.balls);
    }
    return over;
  }
}

/** Balls that roll side by side, some iterations at a time. */
class Group {
  constructor(roller, { programs, starts, alphas, iterations, rule = "alpha", tolerance = 1e-9, farthest = FARTHEST_BALL, recordPath = false }) {
    const count = starts.length;
    const length = recordPath ? iterations + 1 : 0;
    const path = new Float64Array(count * length).fill(NaN);
    if (recordPath) starts.forEach((start, ball) => (path[ball * length] = start));
    Object.assign(this, { roller, programs, pathHeights: path.slice(), known: new Array(count).fill(0) });
    this.rules = { by_sign: Number(rule === "sign"), length, tolerance, farthest };
    this.fields = {
      x: starts,
      start: starts,
      alpha: rule === "naive" ? starts.map(() => 1) : alphas,
      iterations: new Array(count).fill(0),
      outcome: new Array(count).fill(0),
      path,
    };
  }

  get isRolling() {
    return this.fields.outcome.includes(0);
  }

  /** Roll on, from one iteration until another: all that a call needs is written to the memory. */
  roll(first, last) {
    const { roller, programs, fields, rules } = this;
    const image = new RollerImage(roller.facts);
    image.evaluator(programs.slope, fields.start[0]);
    const placed = Object.entries(fields).map(([name, values]) => [name, image.array(values)]);
    const header = image.header({
      values: 0,
      balls: image.struct("balls", Object.fromEntries(placed)),
      rules: image.struct("rules", { ...rules, first, last }),
    });
    image.write(roller.memory);
    roller.run(header);
    this.fields = Object.fromEntries(placed.map(([name, part]) => [name, image.read(roller.memory, part)]));
    if (rules.length) this.#climb();
  }

  /** Compute the heights of the new places of all paths. */
  #climb() {
    const { roller, programs, fields, rules, known } = this;
    fields.iterations.forEach((done, ball) => {
      const from = ball * rules.length;
      const places = fields.path.subarray(from + known[ball], from + done + 1);
      this.pathHeights.set(roller.heights(programs, places), from + known[ball]);
      known[ball] = done + 1;
    });
  }

  get balls() {
    const { fields, pathHeights, rules: { length } } = this;
    const { statuses } = this.roller.facts;
    return Array.from(fields.start, (start, ball) => {
      const done = fields.iterations[ball];
      const recorded = (values) => (length ? values.subarray(ball * length, ball * length + done + 1) : null);
      return {
        start,
        x: fields.x[ball],
        status: statuses[fields.outcome[ball]],
        iterations: done,
        path: recorded(fields.path),
        pathHeights: recorded(pathHeights),
      };
    });
  }
}

/** What a call of the module reads and writes: arrays and structs, one behind the other. */
class RollerImage {
  constructor(facts) {
    this.facts = facts;
    this.parts = [];
    this.end = facts.base;
    this.words = {};
  }

  /** A place for an array: of numbers if it is a Float64Array, else of whole numbers. */
  array(content) {
    const part = { at: this.end, size: content.length, content };
    this.parts.push(part);
    this.end += Math.ceil((8 * content.length) / 64) * 64;
    return part;
  }

  /** The words of a struct, whose fields that are arrays are given by their places. */
  struct(name, fields) {
    const words = this.facts.structs[name].flatMap(([field, kind]) => {
      const value = fields[field];
      if (!kind.startsWith("Buffer")) return [[kind, value]];
      return [["int64", value?.at ?? 0], ["int64", value?.size ?? 0]];
    });
    return { ...this.array(words), fields };
  }

  /**
   * The evaluator of a program; returns the address of its working memory. There x is `unused` next
   * to the last ball: multiply-adds that are computed take much longer for 0.
   */
  evaluator({ words, constants, rows }, unused = 0) {
    const { block, rows: known } = this.facts;
    const work = new Float64Array(rows * block).fill(unused, 0, block);
    constants.forEach((value, place) => {
      const first = (known.constants + place) * block;
      work.fill(value, first, first + block);
    });
    const placed = this.array(work);
    const fields = { program: this.array(words), work: placed };
    this.words.evaluators = this.struct("evaluator", fields);
    return placed.at;
  }

  header(fields) {
    return this.struct("header", { ...this.words, ...fields }).at;
  }

  /** What an array holds after a call. */
  read(memory, { at, content }) {
    if (content instanceof Float64Array) {
      return new Float64Array(memory.buffer, at, content.length).slice();
    }
    return Array.from(new BigInt64Array(memory.buffer, at, content.length), Number);
  }

  /** Write everything to a memory, which grows if it is too small. */
  write(memory) {
    const missing = this.end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    const view = new DataView(memory.buffer);
    for (const { at, content } of this.parts) {
      if (content instanceof Float64Array) {
        new Float64Array(memory.buffer, at, content.length).set(content);
        continue;
      }
      content.forEach((word, place) => {
        const [kind, value] = Array.isArray(word) ? word : ["int64", word];
        if (kind === "float64") view.setFloat64(at + 8 * place, value, true);
        else view.setBigInt64(at + 8 * place, BigInt(value), true);
      });
    }
  }
}

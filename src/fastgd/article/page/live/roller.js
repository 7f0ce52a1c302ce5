/**
 * The kernel's own roller: balls roll as `fastgd.bucket.roll` lets them roll, with the same bits.
 * It runs on the page's thread: ten thousand steps of a ball take some milliseconds.
 */

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
   * "sign". For each ball: `x` where it ended, `status`, the number of `iterations`, and `path`,
   * its places before each step and at the end, if `recordPath` is set.
   */
  roll({
    programs,
    starts,
    alphas,
    rule = "alpha",
    iterations = 10_000,
    tolerance = 1e-9,
    farthest = 1e9,
    recordPath = false,
  }) {
    const { statuses } = this.facts;
    const count = starts.length;
    const length = recordPath ? iterations + 1 : 0;
    const path = new Float64Array(count * length).fill(NaN);
    if (recordPath) starts.forEach((start, ball) => (path[ball * length] = start));
    const image = new RollerImage(this.facts);
    image.evaluator(programs.slope, starts[0]);
    const balls = image.struct("balls", {
      x: image.array(Float64Array.from(starts)),
      start: image.array(Float64Array.from(starts)),
      alpha: image.array(Float64Array.from(rule === "naive" ? starts.map(() => 1) : alphas)),
      iterations: image.array(new Array(count).fill(0)),
      outcome: image.array(new Array(count).fill(0)),
      path: image.array(path),
    });
    const rules = image.struct("rules", {
      first: 0,
      last: iterations,
      by_sign: Number(rule === "sign"),
      length,
      tolerance,
      farthest,
    });
    const header = image.header({ values: 0, balls, rules });
    image.write(this.memory);
    this.run(header);
    const numbers = ({ at, size }) => new Float64Array(this.memory.buffer, at, size).slice();
    const integers = ({ at, size }) =>
      [...new Int32Array(this.memory.buffer, at, 2 * size)].filter((_, place) => place % 2 === 0);
    const { fields } = balls;
    const [x, places] = [numbers(fields.x), numbers(fields.path)];
    const [done, outcomes] = [integers(fields.iterations), integers(fields.outcome)];
    return starts.map((start, ball) => ({
      start,
      x: x[ball],
      status: statuses[outcomes[ball]],
      iterations: done[ball],
      path: recordPath ? places.slice(ball * length, ball * length + done[ball] + 1) : null,
    }));
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
    const fields = { program: this.array(words), work: placed, wants_slope: 0 };
    this.words.evaluators = this.struct("evaluator", fields);
    return placed.at;
  }

  header(fields) {
    return this.struct("header", { ...this.words, ...fields }).at;
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

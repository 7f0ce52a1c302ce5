/** A training in WebAssembly, in as many slices as one likes. Its numbers have the bits of fastgd.train. */

import { TrainingMemory } from "./memory.js";

const PER_DECADE = 40; // moments of each power of ten
const NEVER = 2 ** 53;

/**
 * The iterations of which everything is kept: all of the first ones, then about as many in each power
 * of ten, among them its multiples 1 to 9, and the last one.
 */
export function momentsOf(iterations) {
  const some = new Set([0]);
  for (let power = 0; 10 ** power < iterations; power++) {
    for (let k = 0; k < PER_DECADE; k++) {
      some.add(Math.round(10 ** (power + k / PER_DECADE)));
    }
    for (let k = 1; k < 10; k++) {
      some.add(k * 10 ** power);
    }
  }
  return [...some].filter((iteration) => iteration < iterations).sort((a, b) => a - b);
}

/** One program: the compiled code of an optimizer, with memory for a training. */
export class Training {
  static async start(program, image, module) {
    const memory = new TrainingMemory(program, image);
    const { exports } = await WebAssembly.instantiate(module, { env: { memory: memory.memory } });
    return new Training(memory, exports.train);
  }

  constructor(memory, code) {
    this.memory = memory;
    this.code = code;
  }

  /** Begin a training: X (samples, inputs), y (samples), hidden units (0 for no hidden layer), ... */
  begin({ X, y, hidden, ...settings }) {
    const sizes = hidden ? [X[0].length, hidden, 1] : [X[0].length, 1];
    this.memory.load({ X, y, sizes, ...settings });
    this.iterations = settings.iterations;
    this.marks = momentsOf(this.iterations);
    this.passed = 0; // of the marks
    this.done = 0;
  }

  /**
   * Train up to `last` updates, or to the next moment; with all of them the final error is measured, too.
   *
   * Returns the moments that are over, with the error, the weights and the direction changes at each:
   * that at which it begins, if it is one, and at the end of the training the last one.
   */
  advance(last) {
    const { memory, iterations, marks, done } = this;
    const isMoment = marks[this.passed] === done;
    const layers = isMoment && this.layers;
    this.passed += Number(isMoment);
    this.done = Math.min(last, marks[this.passed] ?? iterations);
    memory.set("span.first", done);
    memory.set("span.last", this.done < iterations ? this.done : iterations + 1);
    // The kernel records an error in each of these iterations, in their order: the first after 0 is the second.
    memory.set("span.record_every", isMoment ? Math.max(done, 1) : NEVER);
    this.code(memory.base);
    const moments = isMoment ? [{ iteration: done, error: memory.floats("errors")[Math.min(done, 1)], ...layers }] : [];
    if (this.finished) {
      moments.push({ iteration: this.updates, error: this.finalError, ...this.layers });
    }
    return moments;
  }

  /** Whether no update is left: all are done, or the weights have overflowed. */
  get finished() {
    return this.done >= this.iterations || this.diverged;
  }

  /** Whether the weights have overflowed. */
  get diverged() {
    return this.memory.integers("ended")[0] >= 0n;
  }

  /** Updates after which the weights overflowed, or those that are done. */
  get updates() {
    return this.diverged ? Number(this.memory.integers("ended")[0]) : this.done;
  }

  /** The error after the last update; NaN before that. */
  get finalError() {
    if (this.diverged) {
      return this.memory.floats("final")[0];
    }
    return this.finished ? this.memory.floats("errors").at(-1) : NaN;
  }

  /** Weights, and how often their derivatives have changed their direction, each by layer. */
  get layers() {
    const of = (kind) => this.memory.sizes.slice(1).map((_, k) => this.memory.layer(kind, k, this.diverged));
    return { weights: of("weights"), changes: of("changes") };
  }
}

/** A training in WebAssembly, in as many slices as one likes. Its numbers have the bits of fastgd.train. */

import { TrainingMemory } from "./memory.js";

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
  begin({ X, y, hidden, bias, alpha, seed, iterations, recordEvery, dropout }) {
    const sizes = hidden ? [X[0].length, hidden, 1] : [X[0].length, 1];
    this.memory.load({ X, y, sizes, bias, alpha, seed, iterations, recordEvery, dropout });
    this.iterations = iterations;
    this.recordEvery = recordEvery;
    this.done = 0;
  }

  /** Train up to `last` updates; with all of them the final error is measured, too. */
  advance(last) {
    const { memory, iterations } = this;
    memory.set("span.first", this.done);
    memory.set("span.last", last < iterations ? last : iterations + 1);
    this.code(memory.base);
    this.done = Math.min(last, iterations);
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

  /** The errors recorded so far: mean absolute errors before the updates 0, recordEvery, ... */
  get errors() {
    const count = Math.ceil(this.updates / this.recordEvery);
    return this.memory.floats("errors").slice(0, count);
  }

  /** The error after the last update; NaN before that. */
  get finalError() {
    if (this.diverged) {
      return this.memory.floats("final")[0];
    }
    return this.finished ? this.memory.floats("errors").at(-1) : NaN;
  }

  /** Weights, or the direction changes of their derivatives, by layer. */
  layers(kind) {
    const count = this.memory.sizes.length - 1;
    return Array.from({ length: count }, (_, k) => this.memory.layer(kind, k, this.diverged));
  }
}

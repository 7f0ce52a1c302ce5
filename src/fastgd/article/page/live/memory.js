/**
 * The memory of a training: an image of a network of the largest size, cut to a smaller one.
 *
 * An image is what fastgd.engine.training_image makes of a training in Python. Its tables say how large the
 * layers are and where their arrays begin. A smaller network leaves the rest of each array unused,
 * so only the sizes in the tables change.
 */

import { RandomState } from "./random.js";

/** Rows of the kernel's tiles: samples are padded to a multiple of this. */
const ROWS = 4;

/** All initial weights of a network that starts with equal ones. */
export const EQUAL_START = 0.5;

/** Initial weights, layer by layer, (inputs, outputs) rows: uniform in [-1, 1) as in the article, or all equal. */
export function initialWeights(sizes, seed, start) {
  const random = new RandomState(seed);
  const weight = start === "equal" ? () => EQUAL_START : () => 2 * random.random() - 1;
  return sizes.slice(1).map((outputs, k) => new Float64Array(sizes[k] * outputs).map(weight));
}

/** What Python has laid out in a WebAssembly.Memory: arrays and words, found by their names. */
export class ImageMemory {
  /** `facts` are its `base`, its size in `bytes` and its `fields`; `image` are its first bytes, the others are 0. */
  constructor(facts, image) {
    Object.assign(this, facts, { image });
    this.memory = new WebAssembly.Memory({ initial: Math.ceil((facts.base + facts.bytes) / 65536) });
  }

  /** Write it as it is at first. */
  reset() {
    new Uint8Array(this.memory.buffer, this.base, this.bytes).fill(0).set(this.image);
  }

  /** A word of the tables. */
  get(name) {
    return Number(this.integers(name)[0]);
  }

  set(name, number) {
    this.integers(name)[0] = BigInt(number);
  }

  /** A view of an array of doubles, or of 64-bit integers. */
  floats(name) {
    const { offset, length } = this.fields[name];
    return new Float64Array(this.memory.buffer, this.base + offset, length);
  }

  integers(name) {
    const { offset, length } = this.fields[name];
    return new BigInt64Array(this.memory.buffer, this.base + offset, length);
  }
}

/** The image of one program, which fastgd.article.page.live describes. */
export class TrainingMemory extends ImageMemory {
  /** Write a training before its first iteration. */
  load({ X, y, sizes, bias, alpha, seed, start, iterations, dropout }) {
    this.reset();
    this.sizes = sizes;
    this.bias = Number(bias);
    const padded = Math.ceil(X.length / ROWS) * ROWS;
    this.#samples(X, y, padded);
    sizes.slice(1).forEach((_outputs, k) => this.#layer(k, padded));
    initialWeights(sizes, seed, start).forEach((weights, k) => this.floats(`weights.${k}`).set(weights));
    this.floats("alpha").fill(alpha);
    this.integers("seeds")[0] = BigInt(seed);
    if (dropout) {
      const { threshold, factor } = this.rates[dropout];
      this.integers("integers")[this.dropout.threshold] = BigInt(threshold);
      this.floats("values")[this.dropout.factor] = factor;
    }
    this.set("span.iterations", iterations);
  }

  #samples(X, y, padded) {
    const X_ = this.floats("data.X");
    const width = this.sizes[0] + this.bias;
    X.forEach((row, n) => X_.set(this.bias ? [...row, 1] : row, n * width));
    this.floats("data.y").set(y);
    this.floats("data.importance").fill(1, 0, X.length);
    this.floats("total").fill(X.length);
    this.set("data.samples", X.length);
    this.set("data.X.length", padded * width);
    this.set("data.y.length", padded);
    this.set("data.importance.length", padded);
  }

  #layer(k, padded) {
    const { wide } = this;
    const below = this.sizes[k];
    const outputs = this.sizes[k + 1];
    const inputs = below + this.bias;
    const isLast = k === this.sizes.length - 2;
    const stride = outputs + (isLast ? 0 : this.bias);
    const words = {
      inputs,
      outputs,
      stride,
      units_below: below,
      full_inputs: below - (below % ROWS),
      wide_inputs: below - (below % wide),
      wide_outputs: outputs - (outputs % wide),
      scale: this.get(`layers.${k}.weights`) + inputs * outputs,
    };
    for (const [name, word] of Object.entries(words)) {
      this.set(`layers.${k}.${name}`, word);
    }
    if (this.bias && !isLast) {
      const units = this.floats("numbers").subarray(this.get(`layers.${k}.units`));
      for (let n = 0; n < padded; n++) {
        units[n * stride + outputs] = 1; // the constant input of the next layer
      }
    }
  }

  /**
   * The parameters of layer k, or their direction changes: weights (inputs, outputs) row by row, and
   * biases or null. Of a run that has diverged they are those that were kept at its end.
   */
  layer(kind, k, diverged) {
    const rows = this.sizes[k];
    const columns = this.sizes[k + 1];
    const count = (rows + this.bias) * columns;
    const { fields } = this;
    let { offset } = fields[`${kind}.${k}`];
    if (diverged) {
      const [now, then] = kind === "weights" ? ["numbers", "kept"] : ["changes.0", "kept_changes"];
      offset += fields[then].offset - fields[now].offset;
    }
    const View = kind === "weights" ? Float64Array : BigInt64Array;
    const all = Float64Array.from(new View(this.memory.buffer, this.base + offset, count), Number);
    const values = all.slice(0, rows * columns);
    return { rows, columns, values, bias: this.bias ? all.slice(rows * columns) : null };
  }
}

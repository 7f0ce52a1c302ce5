/**
 * Derivatives of formulas, by the rules of `fastgd.formulas.derivation`: the same operations in the
 * same order, so that numbers have the same bits.
 */

import { FOLDED } from "./formulas.js";

/** Powers with whole exponents up to this become multiplications. */
const SHORT = 64;

/** The functions whose derivative is 0. */
const FLAT = ["sign", "floor"];

/**
 * A list of nodes in which each follows its operands, and no two are equal: `["number", value]`,
 * `["variable", "x"]`, or an operation and the indices of its operands. A pair of indices, of a
 * value and its derivative (null if constant), stands for a part of the formula.
 */
export class Derivation {
  /** `ofValue` are the functions whose derivative is computed from their value. */
  constructor(ofValue) {
    this.nodes = [];
    this.ofValue = ofValue;
    this.known = new Map();
  }

  /** Value and derivative of a tree. */
  of(tree) {
    if (typeof tree === "number") return [this.number(tree), null];
    if (typeof tree === "string") return [this.node("variable", tree), this.number(1)];
    const [operation, ...operands] = tree;
    if (operation === "pow") return this.power(...operands);
    if (operation === "where") return this.where(...operands);
    const parts = operands.map((each) => this.of(each));
    return operation in OWN_RULES ? OWN_RULES[operation](this, ...parts) : this.apply(operation, ...parts);
  }

  number(value) {
    return this.node("number", value);
  }

  node(...node) {
    const key = Object.is(node[1], -0) ? "-0" : node.join();
    if (!this.known.has(key)) {
      this.known.set(key, this.nodes.length);
      this.nodes.push(node);
    }
    return this.known.get(key);
  }

  /** An operation on two nodes; two constants are folded, factors of 1 left out. */
  make(operation, first, second) {
    const [a, b] = [this.nodes[first], this.nodes[second]];
    const [ofNumber, byNumber] = [a[0] === "number", b[0] === "number"];
    if (operation in FOLDED && ofNumber && byNumber) {
      const folded = FOLDED[operation](a[1], b[1]);
      if (Number.isFinite(folded)) return this.number(folded);
    }
    if (operation === "mul" && ofNumber && a[1] === 1) return second;
    if ((operation === "mul" || operation === "div") && byNumber && b[1] === 1) return first;
    if (operation === "div" && byNumber && isPowerOfTwo(b[1])) {
      return this.make("mul", first, this.number(1 / b[1]));
    }
    return this.node(operation, first, second);
  }

  plus(a, b) {
    if (a === null || b === null) return a === null ? b : a;
    return this.make("add", a, b);
  }

  /** The derivative of the chosen operand; a jump at the condition is ignored. */
  where([comparison, ...sides], a, b) {
    const holds = this.node(comparison, ...sides.map((side) => this.of(side)[0]));
    return this.chosen(holds, this.of(a), this.of(b));
  }

  chosen(holds, a, b, value = this.node("where", holds, a[0], b[0])) {
    if (a[1] === null && b[1] === null) return [value, null];
    const derivatives = [a, b].map((part) => (part[1] === null ? this.number(0) : part[1]));
    return [value, this.node("where", holds, ...derivatives)];
  }

  /** Of two equal operands, the left one's derivative. */
  extreme(name, keepsLeft, a, b) {
    const value = this.node(name, a[0], b[0]);
    return this.chosen(this.node(keepsLeft, a[0], b[0]), a, b, value);
  }

  apply(name, a) {
    const value = this.node(name, a[0]);
    if (a[1] === null || FLAT.includes(name)) return [value, null];
    const operand = this.ofValue.includes(name) ? value : a[0];
    const derivative = this.node(`derivative of ${name}`, operand);
    return [value, this.make("mul", derivative, a[1])];
  }

  power(base, exponent) {
    const a = this.of(base);
    if (typeof exponent === "number") return this.fixedPower(a, exponent);
    const b = this.of(exponent);
    const power = this.make("pow", a[0], b[0]);
    const times = (due, change) =>
      change === null ? null : this.make("times_derivative", due(), change);
    const less = () => this.make("pow", a[0], this.make("sub", b[0], this.number(1)));
    const byBase = times(() => this.make("mul", b[0], less()), a[1]);
    return [power, this.plus(byBase, times(() => this.make("log_term", a[0], power), b[1]))];
  }

  fixedPower(a, p) {
    if (p === 0) return [this.number(1), null];
    const value = this.raised(a[0], p);
    if (a[1] === null) return [value, null];
    const derivative = this.make("mul", this.number(p), this.raised(a[0], p - 1));
    return [value, this.make("mul", derivative, a[1])];
  }

  raised(a, p) {
    if (!Number.isInteger(p) || Math.abs(p) > SHORT) return this.make("pow", a, this.number(p));
    if (p < 0) return this.make("div", this.number(1), this.raised(a, -p));
    let [result, square] = [this.number(1), a];
    for (let left = p; left; ) {
      if (left % 2) result = this.make("mul", result, square);
      left = Math.floor(left / 2);
      if (left) square = this.make("mul", square, square);
    }
    return result;
  }
}

/** The operations with rules of their own; a and b are pairs. */
const OWN_RULES = {
  neg: (to, a) => OWN_RULES.mul(to, a, [to.number(-1), null]),
  add: (to, a, b) => [to.make("add", a[0], b[0]), to.plus(a[1], b[1])],
  sub(to, a, b) {
    const value = to.make("sub", a[0], b[0]);
    if (b[1] === null) return [value, a[1]];
    if (a[1] === null) return [value, to.make("mul", to.number(-1), b[1])];
    return [value, to.make("sub", a[1], b[1])];
  },
  mul(to, a, b) {
    const value = to.make("mul", a[0], b[0]);
    const left = a[1] === null ? null : to.make("mul", a[1], b[0]);
    const right = b[1] === null ? null : to.make("mul", a[0], b[1]);
    return [value, to.plus(left, right)];
  },
  fma(to, a, b, c) {
    const product = OWN_RULES.mul(to, a, b);
    return [to.node("fma", a[0], b[0], c[0]), to.plus(product[1], c[1])];
  },
  div(to, a, b) {
    const value = to.make("div", a[0], b[0]);
    if (b[1] === null) return [value, a[1] === null ? null : to.make("div", a[1], b[0])];
    let change = to.make("mul", value, b[1]);
    if (a[1] === null) change = to.make("mul", to.number(-1), change);
    else change = to.make("sub", a[1], change);
    return [value, to.make("div", change, b[0])];
  },
  maximum: (to, a, b) => to.extreme("maximum", "ge", a, b),
  minimum: (to, a, b) => to.extreme("minimum", "le", a, b),
};

/** Whether the reciprocal is exact: dividing by it and multiplying give the same bits. */
function isPowerOfTwo(value) {
  const power = Math.log2(Math.abs(value));
  return Math.abs(power) < 1000 && 2 ** Math.round(power) === Math.abs(value);
}

/**
 * Formulas of x as trees of operations, read as `fastgd.formulas.expressions.parse` reads them: a
 * tree is a number, "x", or a list of an operation and its operands.
 */

import { parseSyntax } from "./syntax.js";
import { nearest } from "./spelling.js";
import { plainText } from "./typed.js";

const LONGEST = 10_000; // characters: a longer text takes seconds to be read, and stalls the page

/** What is wrong with a formula, in one sentence. */
export class FormulaError extends Error {}

/**
 * The tree of a formula. `name` is what it is called in sentences; `facts` are the names of
 * functions and constants, from Python.
 */
export function parseFormula(name, given, facts) {
  const text = plainText(given);
  const stripped = text.trim();
  if (stripped.length > LONGEST) {
    throw new FormulaError(`${name} must have at most ${LONGEST} characters, got ${stripped.length}`);
  }
  let syntax;
  try {
    syntax = parseSyntax(stripped);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    const [, called] = text.match(new RegExp(facts.bareCall)) ?? [];
    if (called) {
      throw new FormulaError(`${name}: ${called} is a function, write ${facts.otherWords[called] ?? called}(x)`);
    }
    throw new FormulaError(
      error.cause === "product"
        ? `${name}: ${PRODUCT}, got ${quoted(text)}`
        : `${name} must be an expression of x such as 'x**2 - cos(3*x)', got ${quoted(text)}`
    );
  }
  if (syntax.size > facts.largest) {
    throw new FormulaError(`${name} must have at most ${facts.largest} numbers, names and operations, got ${syntax.size}`);
  }
  return new FormulaReader(name, stripped, facts).read(syntax);
}

const PRODUCT = "a product is written *";

/** A text as Python's messages show it: in quotes, on one line, cut to 60 characters. */
export function quoted(text) {
  const limit = 60;
  const inQuotes = (part) => {
    const quote = part.includes("'") && !part.includes('"') ? '"' : "'";
    const escaped = part
      .replaceAll("\\", "\\\\")
      .replaceAll(quote, `\\${quote}`)
      .replaceAll("\n", "\\n")
      .replaceAll("\t", "\\t");
    return quote + escaped + quote;
  };
  let shown = inQuotes(text);
  if (shown.length > limit) {
    const left = Math.floor((limit - 3) / 2);
    const right = limit - 3 - left;
    shown = inQuotes(text.slice(0, left) + text.slice(text.length - right));
    shown = `${shown.slice(0, left)}...${shown.slice(shown.length - right)}`;
  }
  return shown.split(/\s+/).join(" ");
}

const OPERATIONS_OF_SIGNS = { "+": "add", "-": "sub", "*": "mul", "/": "div", "**": "pow" };
const COMPARISONS = { "<": "lt", "<=": "le", ">": "gt", ">=": "ge" };

/** The operations on numbers that are computed as they are read; each rounds once, as in Python. */
export const FOLDED = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  neg: (a) => -a,
};

/** By which it is seen whether a part without x is finite; their last digits don't matter. */
const CHECKED = {
  ...FOLDED,
  ...Object.fromEntries(
    ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "expm1", "log"]
      .concat(["log1p", "sqrt", "abs", "floor", "pow"])
      .map((name) => [name, Math[name]])
  ),
  fma: (a, b, c) => a * b + c,
};

function approximate(tree) {
  if (!Array.isArray(tree)) return tree;
  const compute = CHECKED[tree[0]];
  return compute ? compute(...tree.slice(1).map(approximate)) : 0;
}

function dependsOnX(tree) {
  return Array.isArray(tree) ? tree.slice(1).some(dependsOnX) : tree === "x";
}

/** Converts syntax to a tree, or to a number if it is constant. */
class FormulaReader {
  constructor(name, text, facts) {
    this.name = name;
    this.text = text;
    this.facts = facts;
  }

  read(node) {
    switch (node.kind) {
      case "number":
        return this.finite(node.value);
      case "name":
        return this.readName(node.name);
      case "sign":
        if (node.sign === "+") return this.read(node.operand);
        if (node.sign === "-") return this.apply("neg", [node.operand]);
        break;
      case "operation":
        if (node.sign in OPERATIONS_OF_SIGNS) {
          return this.apply(OPERATIONS_OF_SIGNS[node.sign], [node.left, node.right]);
        }
        if (node.sign === "^") this.refuse(`a power is written **, got ${this.source(node)}`);
        break;
      case "call":
        if (node.name === "x" || Object.hasOwn(this.facts.constants, node.name)) break;
        return this.readCall(node);
      case "comparison":
        this.refuse(`a comparison may only stand in where(condition, a, b), got ${this.source(node)}`);
    }
    if (node.kind.endsWith("call")) this.refuse(`${PRODUCT}, got ${this.source(node)}`);
    throw new FormulaError(`${this.name} must be made of numbers, + - * / ** and ${this.known}, got ${this.source(node)}`);
  }

  get known() {
    const functions = Object.keys(this.facts.functions).map((name) => `${name}()`);
    return ["x", ...Object.keys(this.facts.constants), ...functions].join(", ");
  }

  readName(word) {
    const { constants, functions } = this.facts;
    if (word === "x") return word;
    if (Object.hasOwn(constants, word)) return constants[word];
    if (Object.hasOwn(functions, word)) this.refuse(`${word} is a function, write ${word}(x)`);
    this.refuseName(word, nearest(word, ["x", ...Object.keys(constants)]));
  }

  readCall(node) {
    const { functions, otherWords } = this.facts;
    if (!Object.hasOwn(functions, node.name)) {
      const ours = Object.hasOwn(otherWords, node.name) && otherWords[node.name];
      const written = Object.hasOwn(functions, ours || "") ? `${ours}(x)` : ours;
      const names = Object.keys(functions).map((name) => `${name}()`);
      this.refuseName(node.name, ours ? `: ${node.name}(x) is written ${written}` : nearest(`${node.name}()`, names));
    }
    const count = functions[node.name];
    if (node.operands.length !== count) {
      const several = node.name === "where" ? "a condition and two numbers" : "three arguments";
      const takes = ["one argument", "two arguments", several][count - 1];
      this.refuse(`${node.name}() takes ${takes}, got ${this.source(node)}`);
    }
    if (node.name !== "where") return this.apply(node.name, node.operands);
    const [condition, ...rest] = node.operands;
    return ["where", this.readCondition(condition), ...rest.map((each) => this.read(each))];
  }

  readCondition(node) {
    if (node.kind === "comparison" && node.signs.length === 1 && node.signs[0] in COMPARISONS) {
      return [COMPARISONS[node.signs[0]], ...node.operands.map((each) => this.read(each))];
    }
    this.refuse(`a condition must be one comparison by <, <=, > or >=, got ${this.source(node)}`);
  }

  apply(operation, operands) {
    const read = operands.map((each) => this.read(each));
    const tree = [operation, ...read];
    if (!dependsOnX(tree)) {
      const value = this.finite(approximate(tree));
      if (operation in FOLDED && read.every((part) => typeof part === "number")) return value;
    }
    return tree;
  }

  finite(value) {
    if (Number.isFinite(value)) return value;
    throw new FormulaError(`${this.name} must have finite real numbers only, got ${quoted(this.text)}`);
  }

  source(node) {
    return quoted(this.text.slice(node.begin, node.end));
  }

  refuse(sentence) {
    throw new FormulaError(`${this.name}: ${sentence}`);
  }

  refuseName(word, hint) {
    this.refuse(`unknown name ${quoted(word)}, known are ${this.known}${hint}`);
  }
}

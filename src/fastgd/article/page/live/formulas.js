/**
 * Formulas of x as trees of operations, read as `fastgd.formulas.expressions.parse` reads them: a
 * tree is a number, "x", or a list of an operation and its operands.
 */

import { plainText } from "./typed.js";

const LONGEST = 10_000; // characters: a longer text takes seconds to be read, and stalls the page
const PRODUCT = "a product is written *";

/** What is wrong with a formula, in one sentence. */
export class FormulaError extends Error {}

/**
 * The tree of a formula. `name` is what it is called in sentences; `facts` are the names of
 * functions and constants, from Python.
 */
export function parseFormula(name, given, facts) {
  const text = plainText(given);
  const refuse = (sentence) => {
    throw new FormulaError(name + sentence);
  };
  const { length } = text.trim();
  if (length > LONGEST) refuse(` must have at most ${LONGEST} characters, got ${length}`);
  const reader = new FormulaReader(text.trim(), facts, refuse);
  let syntax;
  try {
    syntax = reader.whole();
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    const [, called] = text.match(new RegExp(facts.bareCall)) ?? [];
    if (called) refuse(`: ${called} is a function, write ${facts.otherWords[called] ?? called}(x)`);
    if (error.cause === "product") refuse(`: ${PRODUCT}, got ${quoted(text)}`);
    refuse(` must be an expression of x such as 'x**2 - cos(3*x)', got ${quoted(text)}`);
  }
  if (reader.size > facts.largest) {
    refuse(` must have at most ${facts.largest} numbers, names and operations, got ${reader.size}`);
  }
  return reader.read(syntax);
}

/** A text as Python's messages show it: in quotes, on one line, cut to 60 characters. */
function quoted(text) {
  const [left, right] = [28, 29];
  const inQuotes = (part) => {
    const quote = part.includes("'") && !part.includes('"') ? '"' : "'";
    const escaped = part.replace(/[\\\n\t]/g, (sign) => ({ "\n": "\\n", "\t": "\\t" })[sign] ?? "\\\\");
    return quote + escaped.replaceAll(quote, `\\${quote}`) + quote;
  };
  let shown = inQuotes(text);
  if (shown.length > left + 3 + right) {
    shown = inQuotes(text.slice(0, left) + text.slice(-right));
    shown = `${shown.slice(0, left)}...${shown.slice(-right)}`;
  }
  return shown.split(/\s+/).join(" ");
}

const DIGITS = String.raw`\d(?:_?\d)*`;

/** As in Python; no whole number begins with 0. */
const TOKEN = new RegExp(
  [
    String.raw`[ \t\f]+|#[^\n]*`,
    String.raw`(?<number>(?!0[\d_]*[1-9][\d_]*(?![\d_.eE]))(?:0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+`,
    String.raw`(?:(?:${DIGITS})?\.${DIGITS}|${DIGITS}\.?)(?:[eE][+-]?${DIGITS})?))`,
    String.raw`(?<word>[\p{XID_Start}_]\p{XID_Continue}*)`,
    String.raw`(?<sign>\*\*|\/\/|<<|>>|<=|>=|==|!=|[\-+*\/%@&\|^~<>\(\),])`,
  ].join("|"),
  "uy"
);

const RESERVED = new Set(
  ("False None True and as assert async await break class continue def del elif else except " +
    "finally for from global if import in is lambda nonlocal not or pass raise return try while " +
    "with yield").split(" ")
);

/** Operators by how tightly they bind; all but ** group from the left. */
const LEVELS = ["< <= > >= == !=", "|", "^", "&", "<< >>", "+ -", "* / // % @", "", "**"];
const BINDING = Object.fromEntries(
  LEVELS.flatMap((signs, level) => signs.split(" ").map((sign) => [sign, level]))
);
const OF_A_SIGN = 7;

function tokensOf(text) {
  const tokens = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
    const begin = TOKEN.lastIndex;
    const { number, word, sign } = TOKEN.exec(text)?.groups ?? {};
    const end = TOKEN.lastIndex;
    if (end === 0 || RESERVED.has(word)) throw new SyntaxError("what no formula has");
    if (number || word || sign) tokens.push({ number, word: word?.normalize("NFKC"), sign, begin, end });
  }
  return tokens;
}

const OPERATIONS = { "+": "add", "-": "sub", "*": "mul", "/": "div", "**": "pow" };
const COMPARISONS = { "<": "lt", "<=": "le", ">": "gt", ">=": "ge" };

/** The operations on numbers that are computed as they are read; each rounds once, as in Python. */
export const FOLDED = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  neg: (a) => -a,
};

/** By which, and by Math, it is seen whether a part without x is finite; last digits don't matter. */
const CHECKED = { ...FOLDED, fma: (a, b, c) => a * b + c, sign: () => 0 };

function approximate(tree) {
  if (!Array.isArray(tree)) return tree;
  const compute = CHECKED[tree[0]] ?? Math[tree[0]];
  return compute ? compute(...tree.slice(1).map(approximate)) : 0;
}

function dependsOnX(tree) {
  return Array.isArray(tree) ? tree.slice(1).some(dependsOnX) : tree === "x";
}

/**
 * Reads syntax first, then its meaning: what Python's syntax refuses has the first word. Nodes have
 * a `sign`, a `word` or a `number`, perhaps `operands`, and `begin` and `end` in the text; `size`
 * counts them.
 */
class FormulaReader {
  constructor(text, facts, refuse) {
    Object.assign(this, { text, facts, refuse, at: 0, size: 0 });
    const functions = Object.keys(facts.functions).map((name) => `${name}()`);
    this.known = ["x", ...Object.keys(facts.constants), ...functions].join(", ");
  }

  // ---------------------------------------------------------------- syntax

  /** The node of the text. Throws a SyntaxError, whose cause is "product" where * seems missing. */
  whole() {
    this.tokens = tokensOf(this.text);
    const node = this.expression(0);
    if (this.at < this.tokens.length) this.fail("more than an expression");
    return node;
  }

  get next() {
    return this.tokens[this.at] ?? {};
  }

  /** Go past a sign if it is one of these. */
  take(...signs) {
    return signs.includes(this.next.sign) ? this.tokens[this.at++].sign : undefined;
  }

  fail(reason) {
    const misses = this.at > 0 && (this.next.word || this.next.sign === "(");
    throw new SyntaxError(reason, { cause: misses ? "product" : undefined });
  }

  node(begin, fields) {
    this.size += 1;
    return { ...fields, begin, end: this.tokens[this.at - 1].end };
  }

  /** Operations that bind at least so tightly. */
  expression(least) {
    const { begin } = this.next;
    let left;
    const prefix = this.take("+", "-", "~");
    if (prefix) {
      const operand = this.expression(OF_A_SIGN);
      if (operand.number) this.size -= 1; // the sign of a number isn't counted
      left = this.node(begin, { sign: prefix, operands: [operand] });
    } else left = this.primary();
    for (let sign; BINDING[(sign = this.next.sign)] >= least; ) {
      this.at += 1;
      const right = this.expression(sign === "**" ? OF_A_SIGN : BINDING[sign] + 1);
      left = this.node(begin, { sign, operands: [left, right] });
    }
    return left;
  }

  /** A number, a name, an expression in parentheses, or calls of these. */
  primary() {
    const { number, word, begin } = this.next;
    let node;
    if (this.take("(")) {
      node = this.expression(0);
      if (!this.take(")")) this.fail("no )");
    } else {
      if (!number && !word) throw new SyntaxError("no number, name or (");
      this.at += 1;
      node = this.node(begin, { number, word });
    }
    while (this.take("(")) {
      const operands = [];
      while (!this.take(")")) {
        operands.push(this.expression(0));
        if (this.next.sign !== ")" && !this.take(",")) this.fail("no ,");
      }
      if (node.word) this.size -= 1; // nor is the name of a function
      node = this.node(begin, { word: node.operands ? "" : node.word, isCall: true, operands });
    }
    return node;
  }

  // ---------------------------------------------------------------- meaning

  /** The tree of a node, or a number if it is constant. */
  read(node) {
    const { number, word, sign, operands } = node;
    if (number) return this.finite(Number(number.replaceAll("_", "")));
    if (node.isCall) return this.call(node);
    if (word) return this.name(word);
    if (sign in COMPARISONS || sign === "==" || sign === "!=") {
      this.refuse(`: a comparison may only stand in where(condition, a, b), got ${this.source(node)}`);
    }
    if (sign === "^") this.refuse(`: a power is written **, got ${this.source(node)}`);
    if (operands.length === 1 && sign === "+") return this.read(operands[0]);
    const operation = operands.length === 1 && sign === "-" ? "neg" : OPERATIONS[sign];
    if (operation) return this.apply(operation, operands);
    this.refuse(` must be made of numbers, + - * / ** and ${this.known}, got ${this.source(node)}`);
  }

  name(word) {
    const { constants, functions } = this.facts;
    if (word === "x") return word;
    if (Object.hasOwn(constants, word)) return constants[word];
    if (Object.hasOwn(functions, word)) this.refuse(`: ${word} is a function, write ${word}(x)`);
    this.refuse(`: unknown name ${quoted(word)}, known are ${this.known}`);
  }

  call(node) {
    const { constants, functions, otherWords } = this.facts;
    const { word, operands } = node;
    if (!word || word === "x" || Object.hasOwn(constants, word)) {
      this.refuse(`: ${PRODUCT}, got ${this.source(node)}`);
    }
    if (!Object.hasOwn(functions, word)) {
      const ours = Object.hasOwn(otherWords, word) ? otherWords[word] : "";
      const written = Object.hasOwn(functions, ours) ? `${ours}(x)` : ours;
      const hint = ours ? `: ${word}(x) is written ${written}` : "";
      this.refuse(`: unknown name ${quoted(word)}, known are ${this.known}${hint}`);
    }
    const count = functions[word];
    if (operands.length !== count) {
      const several = word === "where" ? "a condition and two numbers" : "three arguments";
      const takes = ["one argument", "two arguments", several][count - 1];
      this.refuse(`: ${word}() takes ${takes}, got ${this.source(node)}`);
    }
    if (word !== "where") return this.apply(word, operands);
    const [condition, ...rest] = operands;
    return [word, this.condition(condition), ...rest.map((each) => this.read(each))];
  }

  condition(node) {
    const isChain = node.operands?.[0].sign in COMPARISONS;
    if (!(node.sign in COMPARISONS) || isChain) {
      this.refuse(`: a condition must be one comparison by <, <=, > or >=, got ${this.source(node)}`);
    }
    return [COMPARISONS[node.sign], ...node.operands.map((each) => this.read(each))];
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
    this.refuse(` must have finite real numbers only, got ${quoted(this.text)}`);
  }

  source({ begin, end }) {
    return quoted(this.text.slice(begin, end));
  }
}

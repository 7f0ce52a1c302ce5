/**
 * The syntax of Python's expressions, as far as formulas need it: numbers, names, calls, signs,
 * operators and comparisons, with Python's precedence.
 */

const TOKEN = new RegExp(
  [
    /(?<blank>[ \t\f]+|#[^\n]*)/,
    /(?<number>0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:(?:\d(?:_?\d)*)?\.\d(?:_?\d)*|\d(?:_?\d)*\.?)(?:[eE][+-]?\d(?:_?\d)*)?)/,
    /(?<name>[\p{XID_Start}_]\p{XID_Continue}*)/,
    /(?<sign>\*\*|\/\/|<<|>>|<=|>=|==|!=|[-+*/%@&|^~<>(),.])/,
  ]
    .map((part) => part.source)
    .join("|"),
  "uy"
);

const RESERVED = new Set(
  ("False None True and as assert async await break class continue def del elif else except " +
    "finally for from global if import in is lambda nonlocal not or pass raise return try while " +
    "with yield").split(" ")
);

const COMPARING = new Set(["<", "<=", ">", ">=", "==", "!="]);

/** How tightly operators bind; a sign binds more than a product and less than a power. */
const BINDS = { "|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "@": 6, "**": 8 };
const SIGN_BINDS = 7;

/**
 * The syntax tree of an expression. Nodes have a `kind`, and `begin` and `end` in the text; the
 * root has a `size`, the count of its numbers, names and operations. Throws a SyntaxError, whose
 * cause is "product" where a sign of multiplication seems to be missing.
 */
export function parseSyntax(text) {
  const reader = new SyntaxReader(tokensOf(text));
  const node = reader.comparison();
  reader.expectEnd();
  return { ...node, size: reader.size };
}

function tokensOf(text) {
  const tokens = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
    const begin = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) throw new SyntaxError("an unknown character");
    const end = TOKEN.lastIndex;
    const { number, name, sign } = groups;
    if (name && RESERVED.has(name)) throw new SyntaxError("a word of Python's statements");
    const token = { number, name: name?.normalize("NFKC"), sign, begin, end };
    if (number || name || sign) tokens.push(token);
  }
  return tokens;
}

function valueOf(digits) {
  if (/^0\d/.test(digits.replaceAll("_", "")) && /^[\d_]*$/.test(digits) && /[1-9]/.test(digits)) {
    throw new SyntaxError("a whole number that begins with 0");
  }
  return Number(digits.replaceAll("_", ""));
}

class SyntaxReader {
  constructor(tokens) {
    this.tokens = tokens;
    this.at = 0;
    this.size = 0;
  }

  get next() {
    return this.tokens[this.at] ?? {};
  }

  get end() {
    return this.tokens[this.at - 1].end;
  }

  /** Go past a sign if it is one of these. */
  take(...signs) {
    if (!signs.includes(this.next.sign)) return undefined;
    return this.tokens[this.at++].sign;
  }

  expect(sign) {
    if (!this.take(sign)) this.expectEnd(`no ${sign}`);
  }

  expectEnd(reason = "more than an expression") {
    const { name, sign } = this.next;
    if (this.at > 0 && (name || sign === "(")) throw new SyntaxError(reason, { cause: "product" });
    if (this.at < this.tokens.length || reason !== "more than an expression") {
      throw new SyntaxError(reason);
    }
  }

  node(begin, fields) {
    this.size += 1;
    return { ...fields, begin, end: this.end };
  }

  comparison() {
    const { begin } = this.next;
    const operands = [this.operation()];
    const signs = [];
    for (let sign; (sign = this.take(...COMPARING)); ) {
      signs.push(sign);
      operands.push(this.operation());
    }
    return signs.length === 0 ? operands[0] : this.node(begin, { kind: "comparison", signs, operands });
  }

  /** An operand, with the operators after it that bind at least so tightly. */
  operation(least = 0) {
    const { begin } = this.next;
    const sign = this.take("+", "-", "~");
    let left = sign ? this.signed(sign, begin) : this.primary();
    while (BINDS[this.next.sign] >= least) {
      const { sign: operator } = this.tokens[this.at++];
      const right = this.operation(operator === "**" ? SIGN_BINDS : BINDS[operator] + 1); // only ** groups from the right
      left = this.node(begin, { kind: "operation", sign: operator, left, right });
    }
    return left;
  }

  signed(sign, begin) {
    const operand = this.operation(SIGN_BINDS);
    if (operand.kind === "number") this.size -= 1; // the sign of a number isn't counted
    return this.node(begin, { kind: "sign", sign, operand });
  }

  primary() {
    const { begin } = this.next;
    let node = this.atom();
    for (let sign; (sign = this.take("(", ".")); ) {
      if (sign === ".") {
        if (!this.next.name) throw new SyntaxError("no name after .");
        this.at += 1;
        node = this.node(begin, { kind: "attribute" });
      } else {
        const operands = this.operands();
        if (node.kind === "name") this.size -= 1; // nor is the name of a function
        const kind = { name: "call", attribute: "attribute" }[node.kind] ?? "other call";
        node = this.node(begin, { kind, name: node.name, operands });
      }
    }
    return node;
  }

  operands() {
    const found = [];
    while (!this.take(")")) {
      found.push(this.comparison());
      if (this.take(")")) break;
      this.expect(",");
    }
    return found;
  }

  atom() {
    const { number, name, begin } = this.next;
    if (this.take("(")) {
      const inside = this.comparison();
      this.expect(")");
      return inside;
    }
    if (!number && !name) throw new SyntaxError("no number, name or (");
    this.at += 1;
    if (name) return this.node(begin, { kind: "name", name });
    return this.node(begin, { kind: "number", value: valueOf(number) });
  }
}

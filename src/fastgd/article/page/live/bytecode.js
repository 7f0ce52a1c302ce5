/**
 * Programs of the kernel's interpreter: from a formula to the words that Python's would be, so that
 * a ball rolls by the same operations.
 */

import { Derivation } from "./derivation.js";
import { parseFormula } from "./formulas.js";
import { plainText } from "./typed.js";

/**
 * The programs of a curve's height and slope. A program has `words`, the `constants` that rows of
 * the working memory are filled with, and the number of `rows`. `facts` are Python's; throws a
 * FormulaError.
 */
export function programsOf(name, text, facts) {
  const derivation = new Derivation(facts.ofValue);
  const [value, derivative] = derivation.of(parseFormula(name, text, facts));
  const slope = derivative === null ? derivation.number(0) : derivative;
  const [height, slopes] = [value, slope].map((node) => instructionsOf(derivation.nodes, node, facts));
  return { text: plainText(text).trim(), height, slope: slopes };
}

/** The program that computes a node; rows are reused after their last use. */
function instructionsOf(nodes, result, { codes, block, words: length, rows: known }) {
  const last = lastUses(nodes, result);
  const needed = [...new Set([...last.keys(), result])].sort((a, b) => a - b);
  const constants = needed.filter((k) => nodes[k][0] === "number");
  const row = new Map(constants.map((k, place) => [k, known.constants + place]));
  for (const k of needed) if (nodes[k][0] === "variable") row.set(k, known.x);
  let rows = known.constants + constants.length;
  const free = [];
  const words = [];
  const add = (operation, target, places) => {
    while (places.length < length - 2) places.push(places[0]);
    words.push(codes[operation], ...[target, ...places].map((each) => each * block));
  };
  for (const k of needed) {
    const operands = operandsOf(nodes[k]);
    if (operands.length === 0) continue;
    const places = operands.map((each) => row.get(each));
    const over = operands.filter(
      (each, place) =>
        operands.indexOf(each) === place && last.get(each) === k && operandsOf(nodes[each]).length
    );
    free.push(...over.sort((a, b) => a - b).map((each) => row.get(each)));
    if (k === result) row.set(k, known.result);
    else if (free.length) row.set(k, free.pop());
    else row.set(k, rows++);
    add(nodes[k][0], row.get(k), places);
  }
  if (row.get(result) !== known.result) add("copy", known.result, [row.get(result)]);
  return { words, constants: constants.map((k) => nodes[k][1]), rows };
}

/** For each node that the result depends on, the last node that uses it. */
function lastUses(nodes, result) {
  const last = new Map();
  for (let k = result; k >= 0; k -= 1) {
    if (k !== result && !last.has(k)) continue;
    for (const operand of operandsOf(nodes[k])) if (!last.has(operand)) last.set(operand, k);
  }
  return last;
}

function operandsOf(node) {
  return node[0] === "variable" || node[0] === "number" ? [] : node.slice(1);
}

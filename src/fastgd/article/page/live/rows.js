/** Samples from pasted text: a row per line, inputs first, the target last. */

import { readable } from "./charts.js";
import { shortened } from "./state.js";
import { plainText, readingsOf } from "./typed.js";

/** The most rows and inputs of a network on the page: see programs.py. */
export const MOST_ROWS = 64;
export const MOST_INPUTS = 8;

/** The most characters: such rows with all their digits have fewer, and the page's address has them all. */
export const MOST_CHARACTERS = 20000;

const LARGE = 10; // inputs beyond this: as fastgd.tables, which standardizes tables with such
const NARROW = 0.01;
const LIKE_NUMBER = /^[\d.+-]/;

/**
 * The samples in a text: X (samples, inputs) and y (samples), and whether it has a header.
 *
 * Numbers are separated by semicolons, tabs, commas or spaces, the first of these that occurs. A
 * first line is a header if nothing in it begins as numbers do. Throws an Error that names the line
 * that can't be.
 */
export function rowsOf(given) {
  const text = plainText(given);
  if (text.length > MOST_CHARACTERS) {
    throw new Error(`data must have at most ${MOST_CHARACTERS} characters, got ${text.length}`);
  }
  const separator = [";", "\t", ","].find((one) => text.includes(one)) ?? /\s+/;
  const lines = text
    .split(/\r\n|\r|\n/)
    .map((line, k) => ({ line: k + 1, cells: line.trim() === "" ? [] : cellsOf(line, separator) }))
    .filter(({ cells }) => cells.length > 0);
  const hasHeader = lines.length > 0 && !lines[0].cells.some((cell) => LIKE_NUMBER.test(cell));
  const rows = hasHeader ? lines.slice(1) : lines;
  if (rows.length === 0) {
    throw new Error("data must have at least one row of numbers");
  }
  if (rows.length > MOST_ROWS) {
    throw new Error(`data must have at most ${MOST_ROWS} rows, and line ${rows[MOST_ROWS].line} is one more`);
  }
  const samples = rows.map(({ line, cells }) => {
    checkWidth(line, cells.length, rows[0].line, rows[0].cells.length);
    return cells.map((cell, k) => checked(cell, line, k));
  });
  return { X: samples.map((row) => row.slice(0, -1)), y: samples.map((row) => row.at(-1)), hasHeader };
}

/** The cells of a line; with semicolons and such an empty one is kept, to be told. */
function cellsOf(line, separator) {
  // A tab at the end of a line is an empty cell, so only spaces are cut off there.
  const cut = separator === "\t" ? line.replace(/^ +| +$/g, "") : line.trim();
  return cut.split(separator).map((cell) => cell.trim());
}

function checkWidth(line, width, first, firstWidth) {
  if (width !== firstWidth) {
    throw new Error(`line ${line} must have ${firstWidth} numbers, as line ${first} has, got ${width}`);
  }
  if (width < 2 || width > MOST_INPUTS + 1) {
    throw new Error(`line ${line} must have 1 to ${MOST_INPUTS} inputs and then a target, got ${width} in all`);
  }
}

/** The number in a cell; a comma in it is a decimal one, where it may be that. */
function checked(cell, line, column) {
  const [value] = readingsOf(cell);
  if (!Number.isFinite(value)) {
    throw new Error(`line ${line} must consist of finite numbers, got ${shortened(cell)} in column ${column + 1}`);
  }
  return value;
}

/** The samples with each column scaled: its least number is 0 and its largest 1; one of equal numbers stays. */
export function scaledSamples({ X, y }) {
  const columns = [...X[0].keys()].map((k) => scaledColumn(X.map((row) => row[k])));
  return { X: X.map((row, n) => row.map((_x, k) => columns[k][n])), y: scaledColumn(y) };
}

function scaledColumn(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const unit = Number.isFinite(high - low) ? 1 : 2; // halves don't overflow
  return values.map((x) => (low < high ? (x / unit - low / unit) / (high / unit - low / unit) : x));
}

/** Why a network learns little from such samples, in one sentence; "" if nothing is known. */
export function hindranceOf({ X, y }) {
  const target = y.find((each) => each < 0 || each > 1);
  if (target !== undefined) {
    return `An output lies between 0 and 1: it can't reach the target ${readable(target)}.`;
  }
  const large = X.flat().reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
  if (Math.abs(large) > LARGE) {
    return (
      `With an input of ${readable(large)} units saturate easily: the sigmoid is nearly 0 or 1, ` +
      "its derivative nearly 0, and the weights hardly change."
    );
  }
  const spread = (k) => Math.max(...X.map((row) => row[k])) - Math.min(...X.map((row) => row[k]));
  const narrow = [...X[0].keys()].find((k) => spread(k) > 0 && spread(k) < NARROW);
  return narrow === undefined
    ? ""
    : `The numbers of input ${narrow + 1} differ by at most ${readable(spread(narrow))}: units answer nearly the same to all of them.`;
}

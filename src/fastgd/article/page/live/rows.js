/** Samples from pasted text: a row per line, inputs first, the target last. */

import { shortened } from "./state.js";

/** The most rows and inputs of a network on the page: see programs.py. */
export const MOST_ROWS = 64;
export const MOST_INPUTS = 8;

/** The most characters: such rows with all their digits have fewer, and the page's address has them all. */
export const MOST_CHARACTERS = 20000;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const LIKE_NUMBER = /^[\d.+\u2212-]/;

/**
 * The samples in a text: X (samples, inputs) and y (samples), and whether it has a header.
 *
 * Numbers are separated by semicolons, tabs, commas or spaces, the first of these that occurs. A
 * first line is a header if nothing in it begins as numbers do. Throws an Error that names the line
 * that can't be.
 */
export function rowsOf(text) {
  if (text.length > MOST_CHARACTERS) {
    throw new Error(`data must have at most ${MOST_CHARACTERS} characters, got ${text.length}`);
  }
  const separator = [";", "\t", ","].find((one) => text.includes(one)) ?? /\s+/;
  const hasDecimalCommas = separator === ";" || separator === "\t";
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
    return cells.map((cell, k) => checked(cell, hasDecimalCommas, line, k, cells.length));
  });
  return { X: samples.map((row) => row.slice(0, -1)), y: samples.map((row) => row.at(-1)), hasHeader };
}

/** The cells of a line; with semicolons and such an empty one is kept, to be told. */
function cellsOf(line, separator) {
  // A tab at the end of a line is an empty cell, so only spaces are cut off there.
  const cut = separator === "\t" ? line.replace(/^ +| +$/g, "") : line.trim();
  return cut.split(separator).map((cell) => cell.trim());
}

function numberOf(cell, hasDecimalCommas) {
  const text = hasDecimalCommas ? cell.replace(",", ".") : cell;
  return NUMBER.test(text) ? Number(text) : NaN;
}

function checkWidth(line, width, first, firstWidth) {
  if (width !== firstWidth) {
    throw new Error(`line ${line} must have ${firstWidth} numbers, as line ${first} has, got ${width}`);
  }
  if (width < 2 || width > MOST_INPUTS + 1) {
    throw new Error(`line ${line} must have 1 to ${MOST_INPUTS} inputs and then a target, got ${width} in all`);
  }
}

function checked(cell, hasDecimalCommas, line, column, width) {
  const value = numberOf(cell, hasDecimalCommas);
  if (!Number.isFinite(value)) {
    throw new Error(`line ${line} must consist of finite numbers, got ${shortened(cell)} in column ${column + 1}`);
  }
  if (column === width - 1 && !(value >= 0 && value <= 1)) {
    throw new Error(`line ${line} must end with a target from 0 to 1, got ${shortened(cell)}`);
  }
  return value;
}

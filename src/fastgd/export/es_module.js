/**
 * A neural network, written by fastgd @VERSION@. Predictions are bit-identical to those in Python.
 *
 *     import { predict } from "./model.js";
 *     console.log(predict([@ROW@]));
 */

const CODE = @CODE@;
const bytes = Uint8Array.from(atob(CODE), (letter) => letter.charCodeAt(0));
const network = (await WebAssembly.instantiate(bytes)).instance.exports;
const capacity = network.capacity.value;
const place = (first, width) =>
  new Float64Array(network.memory.buffer, first.value, capacity * width);
const WIDTH = @WIDTH@;
const RESULTS = @RESULTS@;
const input = place(network.rows, WIDTH);
const output = place(network.results, RESULTS);

/** @typedef {ArrayBufferView & ArrayLike<number>} Numbers a typed array */

const isList = (value) =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

function shown(value) {
  if (isList(value)) return `an array of length ${value.length}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Map) return "a Map";
  return value !== null && /object|function/.test(typeof value) ? typeof value : String(value);
}

function refuse(value, name, kind) {
  if (typeof value === "number") throw new RangeError(`${name} must be finite, got ${value}`);
  throw new TypeError(`${name} must be ${kind}, got ${shown(value)}`);
}

function checkWidth(row, r) {
  if (row.length !== WIDTH)
    throw new RangeError(`rows[${r}] must have ${WIDTH} values, got ${row.length}`);
}

function outputsOf(rows) {
  if (!isList(rows)) throw new TypeError(`rows must be an array of rows, got ${shown(rows)}`);
  const found = [];
  for (let first = 0; first < rows.length; first += capacity) {
    const count = Math.min(capacity, rows.length - first);
    const chunk = []; // reading a row may call predict again
    for (let n = 0; n < count; n++) put(rows[first + n], first + n, chunk);
    input.set(chunk);
    const done = network.predict(count);
    if (done < count)
      throw new RangeError(
        `rows[${first + done}] must have numbers like the training table's, got one far too large`,
      );
    for (let n = 0; n < count; n++) {
      const results = [];
      for (let h = 0; h < RESULTS; h++) results.push(output[n * RESULTS + h]);
      found.push(results);
    }
  }
  return found;
}
//! rows of numbers

/** @typedef {ReadonlyArray<number> | Numbers} Row */

function put(row, r, chunk) {
  if (!isList(row))
    throw new TypeError(`rows[${r}] must be an array of ${WIDTH} numbers, got ${shown(row)}`);
  checkWidth(row, r);
  for (let c = 0; c < WIDTH; c++) {
    const value = row[c];
    if (!Number.isFinite(value)) refuse(value, `rows[${r}][${c}]`, "a number");
    chunk.push(value);
  }
}
//! rows of a table

/** @typedef {number | string | boolean | Date | null | undefined} Cell null, NaN: missing */
/**
 * By column, or in the order of `columns`. Columns of an object may be inherited, except those of
 * Object.prototype.
 *
 * @typedef {Record<string, Cell> | ReadonlyArray<Cell> | Numbers} Row
 */

/** The columns of a row, in the order of a row that is an array. */
export const columns = @COLUMNS@;
const categories = @CATEGORIES@.map((known) => known && new Map(known));
const unknown = @UNKNOWN@;
const dates = @DATES@;

/** A text without the white space around it: Python's, which is not that of trim(). */
const INNER = /[^\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000](.*[^\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?/s;

/** The text of a cell, as Python writes it. */
function textOf(value) {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return INNER.exec(value)?.[0] ?? "";
  if (Number.isInteger(value)) return String(BigInt(value));
  return Math.abs(value) < 1e-4 ? value.toExponential().replace(/-(\d)$/, "-0$1") : String(value);
}

const ISO = /^\s*(\d{4}-\d\d-\d\d)(?:[T ]([\d:.]+) ?(?:Z|([+-]\d\d):?(\d\d))?)?\s*$/;

/** A Date, or a string that is UTC unless it has a time zone, as days since 1970-01-01 UTC. */
function daysOf(value) {
  if (typeof value === "number") return value;
  let time = value instanceof Date ? value.getTime() : NaN;
  const found = typeof value === "string" && ISO.exec(value);
  if (found) {
    const [, date, clock = "00:00", hours = "+00", minutes = "00"] = found;
    const utc = new Date(`${date}T${clock}Z`); // 02-30 becomes 03-02
    if (!Number.isNaN(utc.getTime()) && utc.toISOString().startsWith(date))
      time = utc - 6e4 * (60 * hours + Number(hours[0] + minutes));
  }
  const day = Math.floor(time / 864e5);
  return day + (time - day * 864e5) / 864e5;
}

function numberOf(value, c, r) {
  if (value === null || value === undefined || Number.isNaN(value)) return NaN;
  const name = `column ${shown(columns[c])} of rows[${r}]`;
  if (dates[c]) {
    if (value === "") return NaN;
    const isTime = dates[c] === "time";
    const clock = isTime && typeof value === "string" && value.trim().replace(/^(?=\d:)/, "0");
    const days = daysOf(clock ? `1970-01-01 ${clock}` : value);
    const kind = isTime ? "a number of days or like 11:57" : "a Date or like 2026-11-26";
    if (!Number.isFinite(days)) refuse(value, name, kind);
    return days;
  }
  const kind = categories[c] ? "a string, a number or a boolean" : "a number";
  if (!Number.isFinite(value) && !(categories[c] && /string|boolean/.test(typeof value)))
    refuse(value, name, kind);
  if (!categories[c]) return value;
  const text = textOf(value);
  return text === "" ? NaN : (categories[c].get(text) ?? unknown[c]);
}

const isEverywhere = columns.map((column) => column in Object.prototype);

function put(row, r, chunk) {
  const isArray = isList(row);
  if (isArray) checkWidth(row, r);
  else if (row === null || typeof row !== "object" || row instanceof Map) // it has a size
    throw new TypeError(`rows[${r}] must be an object or an array, got ${shown(row)}`);
  for (let c = 0; c < WIDTH; c++) {
    const column = columns[c];
    if (!isArray && !(isEverywhere[c] ? Object.hasOwn(row, column) : column in row)) {
      const found = Object.keys(row).slice(0, 10).map(shown).join(", ") || "no columns";
      throw new TypeError(`rows[${r}] must have the column ${shown(column)}, got ${found}`);
    }
    chunk.push(numberOf(row[isArray ? c : column], c, r));
  }
}
//! the labels of classes

/** The labels that are predicted. */
export const classes = @LABELS@;

/** The index of the largest value: of the first one, or of the first NaN. */
const largest = (values) =>
  values.reduce((k, v, i) => (!Number.isNaN(values[k]) && !(v <= values[k]) ? i : k), 0);
//! a function that predicts

/**
 * @SUMMARY@
 *
 * @param {ReadonlyArray<Row>} rows
 * @returns {@RETURNED@}
 */
export function @NAME@(rows) {
  return outputsOf(rows)@THEN@;
}

/** The maps of final errors that Python computed: which training is which cell. */

import { ARTICLE_SETTINGS } from "./presets.js";

/** What a map varies besides alpha: fields of the state, with their names in Python. */
const VARIED = { seed: "seed", hidden: "hidden_size" };

/** What is the article's on a map, except what it varies. */
const FIXED = Object.keys(ARTICLE_SETTINGS).filter((name) => !["alpha", "data", "scaled"].includes(name));

/** Final errors by map: a row per seed or hidden size, a column per alpha. */
export class Maps {
  /** The maps of a pack, which are made once. */
  static of(pack) {
    return (pack.maps ??= new Maps(pack));
  }

  constructor(pack) {
    const { alphas, axes } = pack.json("maps");
    this.alphas = alphas;
    this.rows = Object.fromEntries(Object.entries(VARIED).map(([field, name]) => [field, axes[name]]));
    // A copy begins where an array of doubles may begin.
    const doubles = (name) => new Float64Array(pack.bytes(`map ${name}`).slice().buffer);
    this.errors = Object.fromEntries(Object.entries(VARIED).map(([field, name]) => [field, doubles(name)]));
  }

  /** The final error of a cell of the map that varies `field`. */
  errorAt(field, { row, column }) {
    return this.errors[field][row * this.alphas.length + column];
  }

  /** The fields of the state with which a cell is trained. */
  settingsAt(field, { row, column }) {
    return { ...ARTICLE_SETTINGS, alpha: this.alphas[column], [field]: this.rows[field][row] };
  }

  /** The cell of a training, given its settings and whether it learns the article's samples; null if there is none. */
  cellOf(field, settings, isArticle) {
    const cell = { row: this.rows[field].indexOf(settings[field]), column: this.alphas.indexOf(settings.alpha) };
    const isOurs = isArticle && FIXED.every((name) => name === field || settings[name] === ARTICLE_SETTINGS[name]);
    return isOurs && cell.row >= 0 && cell.column >= 0 ? cell : null;
  }

  /** The cell with the smallest error. */
  lowest(field) {
    const errors = this.errors[field];
    const k = errors.indexOf(Math.min(...errors));
    return { row: Math.floor(k / this.alphas.length), column: k % this.alphas.length };
  }
}

/** The cell next to another, by the name of a key; undefined for keys that don't move. */
export function cellBeside({ row, column }, key, rows, columns) {
  const step = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  const within = (k, count) => Math.min(Math.max(k, 0), count - 1);
  return step && { row: within(row + step[0], rows), column: within(column + step[1], columns) };
}

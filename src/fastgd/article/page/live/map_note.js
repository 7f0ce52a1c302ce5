/** Next to the experiment's final error: what the map has there. */

import { el } from "./dom.js";
import { Maps } from "./map_cells.js";

/** What the map says of a training that has finished: shown next to its final error. */
export class MapNote {
  constructor(pack) {
    this.data = new Maps(pack);
    this.element = el("p", { class: "note map-note", id: "map-note" });
  }

  show({ finished, finalError, settings }, isArticle) {
    const { data } = this;
    const field = Object.keys(data.rows).find((name) => data.cellOf(name, settings, isArticle));
    const error = field && data.errorAt(field, data.cellOf(field, settings, isArticle));
    const isSame = Object.is(error, finalError);
    const known = `The map below has ${isSame ? "the same number" : `another number, ${error}`}, computed by Python.`;
    this.element.textContent = finished && field ? known : "";
    this.element.dataset.same = finished && field ? String(isSame) : "";
  }
}

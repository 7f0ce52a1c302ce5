/** Next to the experiment's final error: what the map has there, and ways between the two. */

import { button } from "./controls.js";
import { el, isStill } from "./dom.js";
import { Maps } from "./map_cells.js";

const BACK = "back-to-map";

function goTo(element, focused) {
  element.scrollIntoView({ behavior: isStill() ? "auto" : "smooth" });
  focused.focus({ preventScroll: true });
}

/** From the map to the experiment, which then offers the way back. */
export function goToExperiment() {
  const back = document.getElementById(BACK);
  back.hidden = false;
  goTo(document.querySelector("#live-opening .opening"), back);
}

function goToMap(event) {
  event.preventDefault(); // the address keeps the settings
  goTo(document.getElementById("live-maps"), document.getElementById("map-canvas"));
}

/** What the map says of a training that has finished: shown next to its final error. */
export class MapNote {
  constructor(pack) {
    this.data = Maps.of(pack);
    this.said = el("span", { id: "map-note" });
    this.back = button("Back to the map", goToMap, { id: BACK, hidden: true });
    this.element = el("div", { class: "note map-note" }, this.said, this.back);
  }

  show({ finished, finalError, settings }, isArticle) {
    const { data } = this;
    const field = Object.keys(data.rows).find((name) => data.cellOf(name, settings, isArticle));
    const error = field && data.errorAt(field, data.cellOf(field, settings, isArticle));
    const isSame = Object.is(error, finalError);
    const isKnown = finished && field;
    const link = el("a", { href: "#live-maps", on: { click: goToMap } }, "The map");
    const known = ` has ${isSame ? "the same number" : `another number, ${error}`}, computed by Python.`;
    this.said.replaceChildren(...(isKnown ? [link, known] : []));
    this.said.dataset.same = isKnown ? String(isSame) : "";
  }
}

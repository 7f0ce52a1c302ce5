/** Next to the experiment's final error: what the map has there, and ways between the two. */

import { el, isStill } from "./dom.js";
import { Maps } from "./map_cells.js";

const LINK = "to-map";
const OTHERS = " has the final errors of other trainings.";

function goTo(element, focused) {
  element.scrollIntoView({ behavior: isStill() ? "auto" : "smooth" });
  focused.focus({ preventScroll: true });
}

/** From the map to the experiment, where the link back has the focus. */
export function goToExperiment() {
  goTo(document.querySelector("#live-opening .opening"), document.getElementById(LINK));
}

function goToMap(event) {
  event.preventDefault(); // the address keeps the settings
  goTo(document.getElementById("live-maps"), document.getElementById("map-canvas"));
}

/** What the map says of a training that has finished: shown next to its final error. */
export class MapNote {
  constructor(pack) {
    this.data = Maps.of(pack);
    this.said = el("span", {}, OTHERS);
    const link = el("a", { href: "#live-maps", id: LINK, on: { click: goToMap } }, "The map");
    this.element = el("p", { class: "note", id: "map-note" }, link, this.said);
  }

  show({ finalError, settings }, isArticle) {
    const { data } = this;
    const [error] = Object.keys(data.rows).flatMap((field) => {
      const cell = data.cellOf(field, settings, isArticle);
      return cell ? [data.errorAt(field, cell)] : [];
    });
    const known = Object.is(error, finalError) ? "the same number" : `another number, ${error}`;
    this.said.textContent = error === undefined ? OTHERS : ` has ${known}, computed by Python.`;
  }
}

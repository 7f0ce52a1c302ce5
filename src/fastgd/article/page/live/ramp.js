/** The color of errors on maps: viridis, which is bright where it is high, to all eyes. */

import { el } from "./dom.js";

const STOPS = [
  [68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37],
];

/** The color at a place from 0 (dark) to 1 (bright). */
export function rampColor(place) {
  const at = Math.min(Math.max(place, 0), 1) * (STOPS.length - 1);
  const k = Math.min(Math.floor(at), STOPS.length - 2);
  const mixed = STOPS[k].map((low, c) => Math.round(low + (at - k) * (STOPS[k + 1][c] - low)));
  return `rgb(${mixed.join(" ")})`;
}

/** A bar with the colors, and labels at places from 0 to 1. */
export function rampLegend(title, labels) {
  const bar = el("div", { class: "ramp" });
  bar.style.background = `linear-gradient(to right, ${STOPS.map((stop) => `rgb(${stop.join(" ")})`).join(", ")})`;
  const marks = labels.map(([place, text]) => {
    const mark = el("span", {}, text);
    mark.style.setProperty("--place", place);
    return mark;
  });
  return el("div", { class: "ramp-legend" }, el("span", {}, title), bar, el("div", { class: "ramp-marks" }, ...marks));
}

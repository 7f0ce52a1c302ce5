/** The article's errors next to ours, where the settings are the article's. */

import { el, repr } from "./dom.js";
import { areSettings } from "./presets.js";

/** What the article published for these settings, from the pack's "published"; undefined where that is nothing. */
export function publishedOf(facts, { isArticle, ...settings }) {
  const { alpha, hidden, data, scaled } = settings;
  const isPublished = isArticle && areSettings({ alpha, hidden, data, scaled }, (name) => settings[name]);
  return isPublished ? facts[hidden]?.[repr(alpha)] : undefined;
}

/** Our errors at the published iterations, and whether they, and the final one, have the bits of those that Python computed. */
export function comparedWith({ rows, final }, { moments, finalError }) {
  const errors = rows.map(([iteration]) => repr(moments.find((moment) => moment.iteration === iteration).error));
  return { errors, same: final === repr(finalError) && rows.every(([, , computed], k) => computed === errors[k]) };
}

/** The table: a view of the network that is trained. */
export class Published {
  constructor(facts) {
    this.facts = facts;
    this.element = el("div", { class: "published" });
  }

  show(run) {
    if (run === this.run) {
      return; // only the iteration that is shown is another one
    }
    this.run = run;
    const { finished, samples: { isArticle }, settings } = run;
    const fact = finished && publishedOf(this.facts, { isArticle, ...settings });
    this.element.replaceChildren(...(fact ? errorsTable(fact, comparedWith(fact, run), settings) : []));
  }
}

function errorsTable({ rows }, { errors, same }, { alpha, hidden }) {
  const cell = (content) => el("td", { class: "right" }, content);
  const body = rows.map(([iteration, published, , mark], k) => {
    const marked = same ? el("span", { class: mark.split(" ")[0] }, mark) : "";
    const head = el("th", { scope: "row", class: "right" }, iteration.toLocaleString("en-US"));
    return el("tr", {}, head, ...[published, errors[k], marked].map(cell));
  });
  const title = `The article's errors for alpha ${alpha} and ${hidden} hidden units`;
  const head = ["iteration", "published", "here", ""].map((text) => el("th", { scope: "col", class: "right" }, text));
  const table = el("table", {}, el("caption", {}, el("span", {}, title)), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
  const verdict = same
    ? "These errors have the same bits as in Python."
    : "These errors don't have the bits of those that Python computed, so marks are left out.";
  return [
    el("h3", {}, "The published numbers"),
    el("p", { id: "experiment-same", "data-same": String(same) }, verdict),
    el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title, id: "experiment-published-errors" }, table),
  ];
}

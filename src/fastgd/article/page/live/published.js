/** The article's numbers next to ours, where the setting is one of the article's. */

import { digits12, el, repr } from "./dom.js";

const CLASS_OF = { agrees: "agrees", "within the spread": "within", differs: "differs" };

/** What the article published for these settings, from the pack's "published"; undefined where that is nothing. */
export function publishedOf(facts, { isArticle, hidden, alpha, seed, start, iterations, optimizer, bias, dropout }) {
  const isPublished =
    isArticle && seed === 1 && start === "random" && optimizer === "GradientDescent" && !bias && !dropout && iterations === 60000;
  return isPublished ? facts[hidden]?.[repr(alpha)] : undefined;
}

/**
 * Our numbers in the order of what was published, from a finished training: errors, weights, changes.
 *
 * `same` tells whether all of them, and the final error, have the bits of those that Python computed.
 */
export function comparedWith(fact, { moments, finalError }) {
  const { weights, changes } = moments.at(-1);
  const ours = {
    errors: fact.iterations.map((iteration) => moments.find((moment) => moment.iteration === iteration).error),
    weights: fact.weights.map((_layer, k) => [...weights[k].values]),
    changes: fact.changes.map((_layer, k) => [...changes[k].values]),
  };
  const equal = (computed, values) => computed.every((value, k) => Object.is(value, values[k]));
  const same =
    finalError === fact.final &&
    equal(fact.errors.computed, ours.errors) &&
    fact.weights.every(({ computed }, k) => equal(computed, ours.weights[k])) &&
    fact.changes.every(({ computed }, k) => equal(computed, ours.changes[k]));
  return { ...ours, same };
}

/** The tables: a view of the network that is trained. */
export class Published {
  constructor(facts) {
    this.facts = facts;
    this.element = el("div", { class: "published", id: "experiment-published", hidden: true });
  }

  show(run) {
    if (run === this.run) {
      return; // only the iteration that is shown is another one
    }
    this.run = run;
    const { finished, samples: { isArticle }, settings } = run;
    const fact = finished && publishedOf(this.facts, { isArticle, ...settings });
    this.element.hidden = !fact;
    this.element.replaceChildren(...(fact ? publishedTables(fact, comparedWith(fact, run), settings) : []));
  }
}

function publishedTables(fact, ours, { hidden, alpha }) {
  const { iterations, errors, weights, changes } = fact;
  const verdict = ours.same
    ? `All numbers have the same bits as in Python. Of the article's errors, ${tallyOf([errors])}.`
    : "These numbers don't have the bits of those that Python computed, so marks are left out.";
  const errorRows = iterations.map((iteration, k) => [
    iteration.toLocaleString("en-US"),
    ...comparedCells(digits12(errors.published[k]), repr(ours.errors[k]), errors.marks[k], ours.same),
  ]);
  const title = `The article's errors for alpha ${alpha} and ${hidden} hidden units`;
  const parts = [
    el("h3", {}, "The published numbers"),
    el("p", { id: "experiment-same", "data-same": String(ours.same) }, verdict),
    numbersTable(title, ["iteration", "published", "here", ""], errorRows, "experiment-published-errors"),
  ];
  if (weights.length) {
    const rows = weights.flatMap((layer, k) =>
      layer.published.map((weight, n) => [
        weightName(k, n, hidden),
        ...comparedCells(String(weight), repr(ours.weights[k][n]), layer.marks[n], ours.same),
        ...comparedCells(String(changes[k].published[n]), String(ours.changes[k][n]), changes[k].marks[n], ours.same),
      ]),
    );
    const headings = ["weight", "published", "here", "", "changes published", "here", ""];
    parts.push(
      el(
        "details",
        {},
        el("summary", {}, `All ${rows.length} weights and their direction changes`),
        el("p", {}, ours.same ? `Of these numbers, ${tallyOf([...weights, ...changes])}.` : ""),
        numbersTable("Weights at the end, and how often the derivative of each changed its direction", headings, rows, "experiment-published-weights"),
      ),
    );
  }
  return parts;
}

/** How many marks of each kind there are: "5 of 6 agree, 1 is within the spread". */
export function tallyOf(compared) {
  const marks = compared.flatMap((each) => each.marks);
  const of = (wanted) => marks.filter((mark) => mark === wanted).length;
  const [agreeing, within, differing] = ["agrees", "within the spread", "differs"].map(of);
  const parts = [
    `${agreeing} of ${marks.length} ${agreeing === 1 ? "agrees" : "agree"}`,
    within > 0 && `${within} ${within === 1 ? "is" : "are"} within the spread`,
    differing > 0 && `${differing} ${differing === 1 ? "differs" : "differ"}`,
  ];
  return parts.filter(Boolean).join(", ");
}

function weightName(layer, n, hidden) {
  const [from, to] = [Math.floor(n / hidden) + 1, (n % hidden) + 1];
  return layer === 0 ? `input ${from} to unit ${to}` : `unit ${n + 1} to output`;
}

function comparedCells(published, here, mark, same) {
  return [published, here, same ? el("span", { class: CLASS_OF[mark] }, mark) : ""];
}

function numbersTable(caption, headings, rows, id) {
  const head = el("tr", {}, ...headings.map((text) => el("th", { scope: "col", class: "right" }, text)));
  const body = rows.map(([name, ...cells]) =>
    el("tr", {}, el("th", { scope: "row", class: "right" }, name), ...cells.map((cell) => el("td", { class: "right" }, cell))),
  );
  const made = el("table", { id }, el("caption", {}, el("span", {}, caption)), el("thead", {}, head), el("tbody", {}, ...body));
  return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption }, made);
}

/** Where the experiment trains: its error curve, and all that is said about the network. */

import { readable } from "./charts.js";
import { button, flagControl } from "./controls.js";
import { Diagram, Outputs } from "./diagram.js";
import { el, repr } from "./dom.js";
import { ErrorCurve } from "./error_curve.js";
import { MapNote } from "./map_note.js";
import { Matrix, totalOf } from "./matrix.js";
import { samplesOf } from "./own_data.js";
import { Published } from "./published.js";
import { labelOf, noteOf, shortWeight } from "./wording.js";

const ONE_DIGIT = { minimumFractionDigits: 1, maximumFractionDigits: 1 };

/**
 * Trains with the `settings()` of the page: `element` has the curve, `tools` what belongs to it, and
 * `results` the numbers of the network.
 */
export class Stage {
  constructor({ state, trainer, pack, settings }) {
    Object.assign(this, { state, trainer, settings, result: null, isStopped: false });
    this.curve = new ErrorCurve(() => state.get("logError"));
    this.label = el("span", {}, "Final error");
    this.final = el("strong", { id: "experiment-final-error" });
    this.progress = el("progress", { id: "experiment-progress", max: 1, value: 0, "aria-label": "Iterations done" });
    this.note = el("p", { id: "experiment-note", class: "note" });
    this.spoken = el("p", { id: "experiment-status", class: "spoken", role: "status" });
    this.stop = button("Stop", () => this.#stopOrTrain(), { id: "experiment-stop" });
    this.diagram = new Diagram();
    this.outputs = new Outputs();
    this.weights = new Matrix({ caption: "Weights", write: shortWeight });
    this.changes = new Matrix({ caption: "Direction changes of the derivatives", write: String });
    this.changes.element.id = "experiment-changes";
    this.weights.element.id = "experiment-weights";
    this.total = el("p", { id: "experiment-total", class: "note" });
    this.published = new Published(pack.json("published"));
    this.mapNote = new MapNote(pack);
    this.element = el(
      "div",
      { class: "stage" },
      el("p", { class: "final" }, this.label, this.final),
      this.curve.chart.element,
      this.progress,
    );
    this.tools = this.#tools();
    this.results = this.#results();
  }

  #tools() {
    return el(
      "div",
      { class: "tools" },
      this.curve.legend,
      el(
        "div",
        { class: "row" },
        this.stop,
        this.curve.keep,
        this.curve.clear,
        flagControl({ state: this.state, field: "logError", label: "Log axis" }),
      ),
      this.note,
      this.mapNote.element,
      this.spoken,
    );
  }

  #results() {
    return el(
      "div",
      { class: "results" },
      el(
        "div",
        { class: "pieces" },
        this.diagram.element,
        this.outputs.element,
        el("div", {}, this.changes.element, this.total),
        this.weights.element,
      ),
      this.published.element,
    );
  }

  /** Train with the settings of the page, unless these are being trained already. */
  train(again = false) {
    const settings = this.settings();
    const key = JSON.stringify(settings);
    if (key === this.key && !again) {
      return;
    }
    Object.assign(this, { key, isStopped: false, result: null });
    this.samples = samplesOf(this.state);
    this.final.dataset.finished = "false";
    this.final.classList.add("waits"); // what stands there is an older training's
    this.note.textContent = "";
    this.#tell("");
    this.trainer.train("experiment", settings, (result) => this.#take(result));
    this.stop.textContent = "Stop";
    this.stop.disabled = false;
  }

  #take(result) {
    if (result.failed) {
      this.note.textContent = `Training failed: ${result.failed}`;
      this.stop.disabled = true;
      return;
    }
    this.result = result;
    this.stop.disabled = result.finished;
    this.progress.classList.toggle("done", result.finished);
    this.progress.value = result.finished ? 1 : result.done / result.settings.iterations;
    this.curve.show(result);
    this.#numbers();
  }

  #numbers() {
    const { result, samples } = this;
    const { settings, finished, diverged, done, weights } = result;
    const error = finished ? result.finalError : result.errors.at(-1);
    this.final.textContent = error === undefined ? "" : repr(error);
    this.label.textContent = finished ? "Final error" : "Error so far";
    this.final.dataset.finished = String(finished);
    this.final.classList.toggle("waits", !finished);
    this.note.textContent = noteOf(result, this.trainer.fused, this.isStopped);
    this.diagram.show(weights);
    this.outputs.show(samples, weights);
    this.changes.show(result.changes);
    this.weights.show(weights);
    const { sum, average } = totalOf(result.changes);
    this.total.textContent = `Together ${readable(sum)} changes, ${average.toLocaleString("en-US", ONE_DIGIT)} per weight.`;
    this.published.show(result, samples.isArticle);
    this.mapNote.show(result, samples.isArticle);
    if (finished) {
      const outcome = diverged ? `the weights overflow after ${readable(done)} iterations` : `final error ${repr(error)}`;
      this.curve.chart.element.setAttribute("aria-label", `Error curve, ${labelOf(settings)}: ${outcome}`);
      this.#tell(`${labelOf(settings)}: ${outcome}`);
    }
  }

  /** Say it to screen readers, once nothing has changed for a moment. */
  #tell(sentence) {
    clearTimeout(this.timer);
    if (sentence) {
      this.timer = setTimeout(() => (this.spoken.textContent = sentence), 700);
    }
  }

  #stopOrTrain() {
    if (this.isStopped) {
      this.train(true);
      return;
    }
    this.trainer.stop("experiment");
    this.isStopped = true;
    this.stop.textContent = "Train again";
    this.note.textContent = this.result ? noteOf(this.result, this.trainer.fused, true) : "";
  }
}

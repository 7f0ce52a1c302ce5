/** The first screen: alpha, the error curve, time, and what the network answers. */

import { Answers } from "./answers.js";
import { readable } from "./charts.js";
import { button, flagControl, sliderControl } from "./controls.js";
import { el, repr } from "./dom.js";
import { ErrorCurve } from "./error_curve.js";
import { Kept, keptField } from "./kept.js";
import { MapNote } from "./map_note.js";
import { Picture } from "./picture.js";
import { Scale } from "./scales.js";
import { flag } from "./state.js";
import { labelOf, noteOf } from "./wording.js";

const ALPHAS = [0.001, 0.01, 0.1, 1, 10, 100, 1000];

/** The slider of alpha; `id` tells several of them from each other. */
export function alphaControl(state, id) {
  return sliderControl({
    state,
    field: "alpha",
    id,
    label: "Alpha",
    hint: "the learning rate: a step is alpha × slope",
    scale: new Scale({ low: 0.001, high: 1000, log: true, ticks: ALPHAS }),
  });
}

/** The live part at the top of the page. */
export const opening = {
  name: "opening",

  fields: (pack) => ({ logError: flag("logarithmic axis", true), kept: keptField(pack) }),

  async start({ state, trainer, pack, root, learning }) {
    const curve = new ErrorCurve(() => state.get("logError"), () => kept.runs);
    const kept = new Kept({ state, pack, trainer, onChange: () => curve.chart.draw() });
    curve.chart.element.id = "experiment-chart";
    const answers = new Answers({ onChoose: (n) => learning.choose(n) });
    const picture = new Picture();
    const told = new Told(learning, pack);
    root.append(
      el(
        "div",
        { class: "opening" },
        el("div", { class: "opening-stage" }, alphaControl(state), told.headline, curve.chart.element, told.progress, learning.player.bar()),
        el("div", {}, answers.element, picture.element),
        picture.words,
        el(
          "div",
          { class: "opening-tools" },
          el("div", { class: "row" }, told.stop, kept.keep, kept.clear, flagControl({ state, field: "logError", label: "Log axis" })),
          kept.legend,
          told.element,
        ),
      ),
    );
    [told, kept, curve, answers, picture].forEach((view) => learning.add(view));
    state.on(["logError"], () => curve.chart.draw());
  },
};

/** What there is to say of a training: its final error, how far it is, and to screen readers once how it ended. */
class Told {
  constructor(learning, pack) {
    this.learning = learning;
    this.label = el("span", {}, "Final error");
    this.final = el("strong", { id: "experiment-final-error" });
    this.headline = el("p", { class: "final" }, this.label, this.final);
    this.progress = el("progress", { id: "experiment-progress", max: 1, value: 0, "aria-label": "Iterations done" });
    this.note = el("p", { id: "experiment-note", class: "note" });
    this.spoken = el("p", { id: "experiment-status", class: "spoken", role: "status" });
    this.stop = button("Stop", () => this.#stopOrTrain(), { id: "experiment-stop" });
    this.mapNote = new MapNote(pack);
    this.element = el("div", {}, this.note, this.mapNote.element, this.spoken);
  }

  begin() {
    this.final.dataset.finished = "false";
    this.final.classList.add("waits"); // what stands there is an older training's
    this.stop.textContent = "Stop";
    this.stop.disabled = false;
    this.#tell("");
  }

  show(run) {
    if (run.failed) {
      this.note.textContent = `Training failed: ${run.failed}`;
      this.stop.disabled = true;
      return;
    }
    const { settings, samples, moments, finished, diverged, done } = run;
    const { isStopped, trainer } = this.learning;
    const error = repr(finished ? run.finalError : moments.at(-1).error);
    this.final.textContent = error;
    this.label.textContent = finished ? "Final error" : "Error so far";
    this.final.dataset.finished = String(finished);
    this.final.classList.toggle("waits", !finished);
    this.progress.classList.toggle("done", finished);
    this.progress.value = finished ? 1 : done / settings.iterations;
    this.stop.disabled = finished;
    this.stop.textContent = isStopped ? "Train again" : "Stop";
    this.note.textContent = noteOf(run, trainer.fused, isStopped);
    if (finished && run !== this.run) {
      this.mapNote.show(run, samples.isArticle);
      const outcome = diverged ? `the weights overflow after ${readable(done)} iterations` : `final error ${error}`;
      this.#tell(`${labelOf(settings)}: ${outcome}`);
    }
    this.run = run;
  }

  /** Say it to screen readers, once nothing has changed for a moment. */
  #tell(sentence) {
    clearTimeout(this.timer);
    if (sentence) {
      this.timer = setTimeout(() => (this.spoken.textContent = sentence), 700);
    }
  }

  #stopOrTrain() {
    if (this.learning.isStopped) {
      this.learning.train(true);
    } else {
      this.learning.stop();
    }
  }
}

/** The network of the thirteen lines: what it is made of, with all its controls. */

import { button, choiceControl, flagControl, sliderControl, textControl } from "./controls.js";
import { readable } from "./charts.js";
import { Diagram } from "./diagram.js";
import { el, termButton } from "./dom.js";
import { ErrorCurve } from "./error_curve.js";
import { MOST_SEED } from "./learning.js";
import { Listing } from "./listing.js";
import { Matrix, totalOf } from "./matrix.js";
import { alphaControl } from "./opening.js";
import { ownData } from "./own_data.js";
import { presets } from "./presets.js";
import { Published } from "./published.js";
import { Scale } from "./scales.js";
import { share } from "./share.js";
import { shortWeight } from "./wording.js";

const ONE_DIGIT = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
const STARTS = [["random", "random weights, by seed"], ["equal", "equal weights, all 0.5"]];

/** The live section of the article's network. */
export const network = {
  name: "network",

  fields: () => ({}),

  async start({ state, pack, root, learning }) {
    const curve = new ErrorCurve(() => state.get("logError"));
    const diagram = new Diagram();
    const { player } = learning;
    const listing = new Listing({
      beside: [diagram.element, player.bar()],
      onPart: (part) => diagram.highlight?.(part),
      onNext: () => player.seek(player.position < player.last() ? Math.floor(player.position) + 1 : 0),
      isPlaying: () => player.isPlaying,
    });
    const weights = new Matrix({ caption: "Weights", write: shortWeight });
    const changes = new Matrix({ caption: "Direction changes of the derivatives", write: String });
    weights.element.id = "experiment-weights";
    changes.element.id = "experiment-changes";
    const total = el("p", { id: "experiment-total", class: "note" });
    const published = new Published(pack.json("published"));
    root.append(
      presets({ state, pack }),
      listing.element,
      el(
        "div",
        { class: "experiment" },
        el("div", { class: "stage" }, curve.chart.element, player.bar()),
        controlsOf(state, pack.json("optimizers")),
        el(
          "div",
          { class: "results" },
          el("div", { class: "pieces" }, el("div", {}, total, changes.element), weights.element),
          ownData({ state }),
          share({ state, pack, settings: () => learning.settings }),
          published.element,
        ),
      ),
    );
    const numbers = {
      show: (run, moment) => {
        weights.show(moment.weights);
        changes.show(moment.changes);
        const { sum, average } = totalOf(moment.changes);
        total.textContent = `Together ${readable(sum)} changes, ${average.toLocaleString("en-US", ONE_DIGIT)} per weight.`;
      },
    };
    [curve, diagram, listing, numbers, published].forEach((view) => learning.add(view));
    state.on(["logError"], () => curve.chart.draw());
  },
};

function controlsOf(state, optimizers) {
  const suits = el("span");
  const use = button("use it", () => state.set({ alpha: optimizers[state.get("optimizer")] }), { id: "use-race-alpha" });
  const chosen = el("span");
  const suiting = el("p", { class: "suits" }, chosen, suits, use);
  const show = () => {
    chosen.replaceChildren(termButton(state.get("optimizer"), `What ${state.get("optimizer")} does`));
    const alpha = optimizers[state.get("optimizer")];
    suits.textContent = `Alpha that suits it in the race: ${alpha}`;
    use.hidden = alpha === state.get("alpha");
  };
  state.on(["optimizer", "alpha"], show);
  show();
  const next = button("Next seed", () => state.set({ seed: (state.get("seed") + 1) % (MOST_SEED + 1) }), { id: "next-seed" });
  return el(
    "div",
    { class: "controls" },
    alphaControl(state, "network-alpha"),
    sliderControl({
      state,
      field: "hidden",
      label: "Hidden units",
      scale: new Scale({ low: 0, high: 32, step: 1, whole: true, ticks: [0, 4, 8, 16, 32] }),
    }),
    sliderControl({
      state,
      field: "iterations",
      label: "Iterations",
      scale: new Scale({ low: 1, high: 1000000, log: true, digits: 2, whole: true, ticks: [1, 100, 1000, 10000, 60000, 1000000] }),
      name: (tick) => (tick < 1000 ? String(tick) : tick < 1e6 ? `${tick / 1000}k` : "1M"),
    }),
    textControl({ state, field: "seed", label: "Seed", hint: "initial weights", extra: [next] }),
    choiceControl({ state, field: "start", label: "Start", choices: STARTS }),
    choiceControl({ state, field: "optimizer", label: "Optimizer", choices: Object.keys(optimizers), below: [suiting] }),
    sliderControl({
      state,
      field: "dropout",
      label: "Dropout",
      hint: "share of hidden units left out",
      scale: new Scale({ low: 0, high: 0.9, step: 0.05, ticks: [0, 0.5] }),
    }),
    flagControl({ state, field: "bias", label: "Bias: a constant input for each layer" }),
  );
}

/** Curves that the reader keeps for comparison. */

import { button } from "./controls.js";
import { el } from "./dom.js";
import { learningFields, settingsOf } from "./learning.js";
import { State } from "./state.js";
import { labelOf } from "./wording.js";

const MOST_KEPT = 6;

/** The state's field `kept`: an address of the settings of each curve. */
export const keptField = (pack) => ({
  initial: [],
  read: (text) => text.split(";").slice(0, -1).slice(-MOST_KEPT).map((each) => stateOf(pack, each).address),
  write: (all) => all.map((each) => `${each};`).join(""),
});

function stateOf(pack, address) {
  const own = new State(learningFields(pack));
  own.take(address);
  const [problem] = Object.values(own.problems);
  if (problem) {
    throw new Error(`kept: ${problem}`);
  }
  return own;
}

/** The runs that are kept, with buttons and a legend: they are trained again where their address is opened. */
export class Kept {
  constructor({ state, pack, trainer, onChange }) {
    Object.assign(this, { state, pack, trainer, onChange, run: null, trained: new Map() });
    this.legend = el("ul", { class: "legend", id: "experiment-legend" });
    this.keep = button("Keep this curve", () => this.#keep(), { id: "experiment-keep", disabled: true });
    this.clear = button("Clear", () => state.set({ kept: [] }), { id: "experiment-clear", hidden: true });
    state.on(["kept"], () => this.#show());
  }

  /** Those of them that have begun. */
  get runs() {
    return this.state.get("kept").map((address) => this.trained.get(address)).filter(Boolean);
  }

  show(run) {
    if (run !== this.run) {
      this.run = run;
      this.keep.disabled = !run.finished;
      this.#show();
    }
  }

  #keep() {
    const { state, trained, run } = this;
    const own = new State(learningFields(this.pack));
    own.set({ ...Object.fromEntries(Object.keys(own.fields).map((name) => [name, state.get(name)])), at: null });
    trained.set(own.address, run);
    const others = state.get("kept").filter((each) => each !== own.address);
    state.set({ kept: [...others, own.address].slice(-MOST_KEPT) });
  }

  #show() {
    const { state, trained, run } = this;
    const kept = state.get("kept");
    for (const address of kept.filter((each) => !trained.has(each))) {
      trained.set(address, null);
      this.trainer.train(`kept ${address}`, settingsOf(stateOf(this.pack, address)), (result) => {
        trained.set(address, result);
        this.#show();
      });
    }
    this.clear.hidden = kept.length === 0;
    const item = (label, color) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--color", `var(--${color})`);
      return el("li", {}, swatch, label);
    };
    const items = this.runs.map(({ settings }, k) => item(labelOf(settings), `series-${k + 1}`));
    this.legend.replaceChildren(...(items.length && run ? [item(`now: ${labelOf(run.settings)}`, "accent")] : []), ...items);
    this.onChange();
  }
}

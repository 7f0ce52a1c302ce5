/** Good settings to try: each with a sentence of the article that it shows. They are in lessons.json, as the lessons. */

import { button } from "./controls.js";
import { el } from "./dom.js";

/** The article's network; a lesson or a preset has what differs. */
export const ARTICLE_SETTINGS = {
  alpha: 1,
  hidden: 4,
  seed: 1,
  start: "random",
  iterations: 60000,
  optimizer: "GradientDescent",
  bias: false,
  dropout: 0,
  data: "",
  scaled: false,
};

/** Whether a value of each name is that of these settings; those left out are the article's. */
export function areSettings(settings, valueOf) {
  return Object.entries({ ...ARTICLE_SETTINGS, ...settings }).every(([name, value]) => valueOf(name) === value);
}

/** Their buttons, and the sentence of the one that is chosen. */
export function presets({ state, pack }) {
  const { presets: all } = pack.json("lessons");
  const buttons = all.map(({ name, settings, quote, so }, k) =>
    button(name, () => state.set({ ...ARTICLE_SETTINGS, ...settings }), { id: `preset-${k}`, title: quote ?? so }),
  );
  const sentence = el("p", { id: "preset-sentence", class: "sentence", role: "status" });
  let shown = null;
  const show = () => {
    const chosen = all.find(({ settings }) => areSettings(settings, (name) => state.get(name)));
    if (chosen === shown) {
      return; // and so screen readers don't say it again
    }
    shown = chosen;
    all.forEach((preset, k) => buttons[k].setAttribute("aria-pressed", String(preset === chosen)));
    const { quote, so } = chosen ?? { so: "None of these: a setting of your own." };
    sentence.replaceChildren(...(quote ? [el("q", {}, quote), " "] : []), so);
  };
  state.on(Object.keys(ARTICLE_SETTINGS), show);
  show();
  return el(
    "div",
    { class: "presets", role: "group", "aria-label": "Good settings to try" },
    el("p", { class: "chips" }, el("span", {}, "Good settings to try: "), ...buttons),
    sentence,
  );
}

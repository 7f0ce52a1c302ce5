/** Good settings to try: each with a sentence of the article that it shows. */

import { button } from "./controls.js";
import { el } from "./dom.js";
import { PART_FOUR, TWO_INPUTS } from "./own_data.js";

/** The article's network; a preset has what differs. */
export const ARTICLE_SETTINGS = {
  alpha: 1,
  hidden: 4,
  seed: 1,
  iterations: 60000,
  optimizer: "GradientDescent",
  bias: false,
  dropout: 0,
  data: "",
  scaled: false,
};

/** Presets: `sets` differs from the article's network, `quote` is the article's, `so` is ours. */
export const PRESETS = [
  {
    name: "The 13 lines",
    sets: { alpha: 0.5 },
    quote: "I learn best with toy code that I can play with.",
    so: "The network of the thirteen lines. For the seven alphas that the slider marks, the article's numbers stand next to yours.",
  },
  {
    name: "Tiny alpha",
    sets: { alpha: 0.001 },
    quote: "The network with a crazy small alpha didn't hardly converge!",
    so: "The curve hardly falls, and derivatives hardly ever change direction.",
  },
  {
    name: "Alpha 1",
    sets: {},
    quote: "this had the exact convergence as if we had no alpha at all!",
    so: "A factor of 1 changes nothing.",
  },
  {
    name: "Best alpha",
    sets: { alpha: 10 },
    quote: "Perhaps you were surprised that an alpha that was greater than 1 achieved the best score after only 10,000 iterations!",
    so: "The smallest error of the seven, and the most direction changes.",
  },
  {
    name: "Too large",
    sets: { alpha: 100 },
    quote: "The network's steps are so large that it can't find a reasonable lowpoint in the error plane.",
    so: "The error stays at 0.125: one of four samples is half wrong.",
  },
  {
    name: "Divergence",
    sets: { alpha: 1000 },
    quote: "When the alpha was huge, the weights got huge too!",
    so: "The error stays at 0.5, no better than a coin.",
  },
  {
    name: "32 hidden units",
    sets: { alpha: 10, hidden: 32 },
    quote: "Notice that the best error with 32 nodes is 0.0009 whereas the best error with 4 hidden nodes was only 0.0013.",
    so: "To compare them: Best alpha, Keep this curve, and this again.",
  },
  {
    name: "3 units",
    sets: { alpha: 10, hidden: 3 },
    quote: "do not need any more than 3 nodes to represent this dataset",
    so: "As good as with 4, from this seed.",
  },
  {
    name: "Stuck",
    sets: { alpha: 10, hidden: 2 },
    quote: "This is by far the most difficult problem with gradient descent.",
    so: "A local minimum: with 2 units this seed ends at 0.25, and more iterations don't help.",
  },
  {
    name: "Another start",
    sets: { alpha: 10, hidden: 2, seed: 2 },
    quote: "Generally speaking, they all involve an element of random searching to try lots of different parts of the bucket.",
    so: "The same 2 units from another seed learn XOR.",
  },
  {
    name: "1 unit",
    sets: { alpha: 10, hidden: 1 },
    so: "Beyond the article: no seed helps, as a single unit can't represent XOR.",
  },
  {
    name: "Part 4",
    sets: { hidden: 0, iterations: 10000, data: PART_FOUR },
    quote: "our output data is positively correlated with the first input data",
    so: "No hidden layer is needed: the first weight ends high, the second one low.",
  },
  {
    name: "Adam",
    sets: { alpha: 0.1, optimizer: "Adam" },
    quote: "We actually have a plethora of different nonlinear optimization methods that we could use with backpropagation",
    so: "After 60,000 iterations Adam is a thousand times nearer to the targets than the best alpha.",
  },
  {
    name: "Dropout",
    sets: { hidden: 32, dropout: 0.1 },
    quote: "The current state-of-the-art approaches to avoiding hidden nodes coming up with the same answer (by searching the same space) are Dropout and Drop-Connect",
    so: "The article leaves it to a later post: here a tenth of the hidden units is left out, anew in each iteration.",
  },
  {
    name: "Bias",
    sets: { alpha: 10, bias: true, data: TWO_INPUTS },
    quote: "This toy example still needs quite a few bells and whistles",
    so: "The first on the article's list: with bias units, XOR needs no constant third input.",
  },
];

/** The preset that the settings are, if they are one. */
export function presetOf(state) {
  const isSet = ({ sets }) =>
    Object.entries({ ...ARTICLE_SETTINGS, ...sets }).every(([name, value]) => state.get(name) === value);
  return PRESETS.find(isSet);
}

/** Their buttons, and the sentence of the one that is chosen. */
export function presets({ state }) {
  const buttons = PRESETS.map(({ name, sets, quote, so }, k) =>
    button(name, () => state.set({ ...ARTICLE_SETTINGS, ...sets }), { id: `preset-${k}`, title: quote ?? so }),
  );
  const sentence = el("p", { id: "preset-sentence", class: "sentence", role: "status" });
  let shown = null;
  const show = () => {
    const chosen = presetOf(state);
    if (chosen === shown) {
      return; // and so screen readers don't say it again
    }
    shown = chosen;
    PRESETS.forEach((preset, k) => buttons[k].setAttribute("aria-pressed", String(preset === chosen)));
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

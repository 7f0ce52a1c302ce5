/**
 * Controls tied to fields of the state: whatever changes a field, its control shows it.
 *
 * Elements have ids by field: `control-...` is the text box, list or checkbox, `slider-...` the
 * slider next to it, `problem-...` the sentence about what can't be. A field's second slider has an
 * `id` of its own.
 */

import { el, termButton } from "./dom.js";

/**
 * A slider on a `scale` (see scales.js), with a text box for exactly the number that one types.
 * `hint` is a remark under the label.
 *
 * Ticks can be clicked; `name` turns their numbers into labels. A pointer snaps to ticks, keys don't.
 */
export function sliderControl({ state, field, id = field, label, scale, hint, name = String }) {
  let snap = false;
  let own = false; // whether the change comes from the slider: then its thumb stays where the hand has it
  const slider = el("input", {
    type: "range",
    id: `slider-${id}`,
    min: 0,
    max: scale.steps,
    step: 1,
    "aria-label": `${label}, slider`,
    on: {
      pointerdown: () => (snap = true),
      keydown: () => (snap = false),
      input: () => {
        own = true;
        state.set({ [field]: scale.at(Number(slider.value), snap) });
        own = false;
      },
      change: () => snap && (slider.value = scale.stepOf(state.get(field))),
    },
  });
  const ticks = scale.ticks.map((tick) => {
    const pick = () => state.set({ [field]: tick });
    const mark = el("button", { type: "button", tabindex: -1, "aria-label": `${label} ${tick}`, on: { click: pick } }, name(tick));
    mark.style.setProperty("--place", scale.place(tick));
    return mark;
  });
  const show = () => {
    const value = state.get(field);
    if (!own) {
      slider.value = scale.stepOf(value);
    }
    slider.setAttribute("aria-valuetext", String(value));
    slider.style.setProperty("--place", scale.stepOf(value) / scale.steps);
    scale.ticks.forEach((tick, k) => ticks[k].classList.toggle("chosen", tick === value));
  };
  state.on([field], show);
  show();
  const marks = ticks.length ? [el("div", { class: "ticks" }, ...ticks)] : [];
  return controlGroup(state, field, label, hint, [textBox(state, field, hint, id)], [slider, ...marks], id);
}

/** A text box for a number or a short text; `extra` are elements that stand next to it. */
export function textControl({ state, field, label, hint, extra = [] }) {
  return controlGroup(state, field, label, hint, [textBox(state, field, hint), ...extra], []);
}

/** A list to choose from; `choices` are texts, or pairs of a text and its label; `below` are elements. */
export function choiceControl({ state, field, label, choices, below = [] }) {
  const options = choices.map((given) => {
    const [value, text] = Array.isArray(given) ? given : [given, given];
    return el("option", { value }, text);
  });
  const read = () => state.read(field, list.value);
  const list = el("select", { ...namesOf(field), on: { change: read } }, ...options);
  const show = () => (list.value = state.fields[field].write(state.get(field)));
  state.on([field], show);
  show();
  return controlGroup(state, field, label, null, [list], below);
}

/** A checkbox. */
export function flagControl({ state, field, label }) {
  const set = () => state.set({ [field]: box.checked });
  const box = el("input", { type: "checkbox", ...namesOf(field), on: { change: set } });
  const show = () => (box.checked = state.get(field));
  state.on([field], show);
  show();
  const line = el("label", { class: "flag" }, box, el("span", {}, label));
  return el("div", { class: "control" }, el("div", { class: "beside" }, line, termButton(label)), problemOf(state, field, box));
}

/** A button with an action. */
export function button(text, action, attributes = {}) {
  return el("button", { type: "button", ...attributes, on: { click: action } }, text);
}

/**
 * What is typed counts at once where it can be; what can't be is told when the box is left. Then what
 * it began with, which may have counted, counts no more: an alpha of 50000 isn't one of 500.
 */
function textBox(state, field, hint, id = field) {
  let own = false;
  let before;
  const { read, write } = state.fields[field];
  const box = el("input", {
    type: "text",
    ...namesOf(id, hint),
    size: 9,
    autocomplete: "off",
    spellcheck: "false",
    inputmode: typeof state.fields[field].initial === "number" ? "decimal" : null,
    on: {
      input: () => {
        let value;
        try {
          value = read(box.value);
        } catch {
          return; // perhaps not yet typed to its end
        }
        own = true;
        state.set({ [field]: value });
        own = false;
      },
      change: () => {
        const text = box.value;
        if (!state.read(field, text)) {
          own = true;
          state.set({ [field]: before });
          state.read(field, text);
          own = false;
        }
      },
    },
  });
  const show = () => {
    if (!own && !state.problem(field)) {
      before = state.get(field);
      box.value = write(state.get(field));
    }
  };
  state.on([field], show);
  show();
  return box;
}

function namesOf(id, hint) {
  return { id: `control-${id}`, "aria-describedby": `problem-${id}${hint ? ` hint-${id}` : ""}` };
}

function hintOf(id, hint) {
  return hint ? [el("p", { class: "hint", id: `hint-${id}` }, hint)] : [];
}

function controlGroup(state, field, label, hint, inLine, below, id = field) {
  return el(
    "div",
    { class: "control" },
    el("div", {}, el("label", { for: `control-${id}` }, label), termButton(label), ...hintOf(id, hint)),
    el("div", { class: "beside" }, ...inLine),
    ...below,
    problemOf(state, field, inLine[0], id),
  );
}

/** The sentence about a field; its box is marked as long as there is one. */
function problemOf(state, field, box, id = field) {
  const sentence = el("p", { class: "problem", id: `problem-${id}`, role: "status" });
  const show = () => {
    const problem = state.problem(field);
    sentence.textContent = problem ?? "";
    box.setAttribute("aria-invalid", String(problem !== null));
  };
  state.on([field], show);
  show();
  return sentence;
}

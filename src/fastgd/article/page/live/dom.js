/** Elements, colors and numbers. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children (nodes or text).
 *
 * Attributes that are null, undefined or false are left out; `on` has event handlers by name.
 */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  for (const [event, handler] of Object.entries(on)) {
    element.addEventListener(event, handler);
  }
  element.append(...children);
  return element;
}

/** The button that opens the sentence about a word (see words.py), or about its singular; nothing if there is none. */
export function termButton(word, text = "?") {
  const letters = word.split(":")[0].toLowerCase().replace(/[^a-z]/g, "");
  const id = [letters, letters.replace(/s$/, "")].map((each) => `term-${each}`).find((each) => document.getElementById(each));
  return id ? el("button", { type: "button", class: "term", popovertarget: id, "aria-label": text === "?" && `${word}, explained` }, text) : "";
}

/** The colors of the style sheet, by name: ink, soft, paper, grid, accent, negative, and a list of series. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const [ink, soft, paper, grid, accent, negative] = ["ink", "soft", "paper", "grid", "accent", "negative"].map(of);
  return { ink, soft, paper, grid, accent, negative, series: Array.from({ length: 9 }, (_, k) => of(`series-${k}`)) };
}

/** Call this whenever colors change, as the reader's system turns dark or light. */
export function onColors(call) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", call);
}

/** Whether the reader wants no animations. */
export function isStill() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** A number as Python's repr has it: the shortest digits that give the same number. */
export function repr(x) {
  if (Number.isNaN(x)) {
    return "nan";
  }
  if (!Number.isFinite(x)) {
    return x > 0 ? "inf" : "-inf";
  }
  if (Object.is(x, -0)) {
    return "-0.0";
  }
  const [digits, power] = x.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    const two = String(Math.abs(exponent)).padStart(2, "0");
    return `${digits}e${exponent < 0 ? "-" : "+"}${two}`;
  }
  if (exponent < 0) {
    const sign = x < 0 ? "-" : "";
    return `${sign}0.${"0".repeat(-exponent - 1)}${digits.replace(/[-.]/g, "")}`;
  }
  const text = x.toFixed(0).length > 15 && Number.isInteger(x) ? BigInt(x).toString() : String(x);
  return text.includes(".") ? text : `${text}.0`;
}

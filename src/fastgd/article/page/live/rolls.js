/** What is said of balls: how they ended, where, and the same in Python. */

import { repr } from "./dom.js";

const APART = 1e-3; // of the window: balls that end nearer to each other are in one minimum
const MOST_LISTED = 12;
const FARTHEST_BALL = 1e9; // from its start, as in fastgd.bucket.roll

const ENDS = {
  converged: "the slope is at most 0.000000001, which counts as 0, and the curve rises on both sides",
  stuck: "the slope is at most 0.000000001, which counts as 0, but this is no minimum: a flat stretch or a maximum",
  rolling: "it has not arrived",
};

/** A place in a window of this width, with as many digits as one can see there. */
export function placeTold(x, width) {
  if (!Number.isFinite(x)) {
    return `x = ${repr(x)}`;
  }
  const digits = Math.min(Math.max(6 - Math.floor(Math.log10(width)), 0), 20);
  const text = Math.abs(x) < 1e6 ? x.toFixed(digits) : shortNumber(x);
  return isWritten(x, text) ? `x = ${Number(text)}` : `x ≈ ${text.replace(/^-(?=[0.]+$)/, "")}`;
}

/** Whether a text has all digits of a number, but for its last bits. */
function isWritten(x, text) {
  return Math.abs(Number(text) - x) <= 1e-12 * Math.abs(x);
}

/** A number with four digits or so. */
function shortNumber(x) {
  const size = Math.abs(x);
  return (size > 0 && size < 1e-3) || size >= 1e6 ? x.toExponential(1).replace("+", "") : String(Number(x.toPrecision(4)));
}

/** A step in numbers: from x with this slope to the next place; "≈" if they are rounded. */
export function stepTold({ x, slope, next }, { alpha, rule }) {
  if (next === undefined) {
    return { slope: Number.isNaN(slope) ? "none" : shortNumber(slope), step: "no more steps" };
  }
  const factor = rule === "sign" ? Math.sign(slope) : slope;
  const numbers = [x, ...(rule === "naive" ? [factor] : [alpha, factor]), next];
  const texts = numbers.map(shortNumber);
  const [from, ...factors] = texts.slice(0, -1).map((text, k) => (k && text.startsWith("-") ? `(${text})` : text));
  const isExact = numbers.every((value, k) => isWritten(value, texts[k]));
  const result = `${isExact ? "=" : "≈"} ${texts.at(-1)}`;
  return { slope: shortNumber(slope), step: `x = ${from} - ${factors.join(" × ")} ${result}` };
}

/** Where a ball is that has left the picture, or nothing. */
export function outsideTold(x, height, [low, high], [bottom, top]) {
  const side = x < low ? "left of" : x > high ? "right of" : height > top ? "above" : height < bottom ? "below" : "";
  return side && `The ball is at x = ${shortNumber(x)}, ${side} the picture.`;
}

/** How a ball ended. */
export function endTold({ start, x, status, iterations }) {
  const isFar = Math.abs(x - start) > FARTHEST_BALL;
  const meaning = ENDS[status] ?? (isFar ? "it is farther than 1,000,000,000 from its start" : "the curve has no slope there");
  return `${status} after ${iterations.toLocaleString("en-US")} iteration${iterations === 1 ? "" : "s"}: ${meaning}.`;
}

/** How a ball rolls, as [name, value]: without what is as usual, but for the iterations. */
function optionsOfBall({ start, alpha, rule, iterations }) {
  const rate = rule === "naive" ? [] : [["alpha", repr(alpha)]];
  const other = rule === "alpha" ? [] : [["rule", rule]];
  return [["start", repr(start)], ...rate, ...other, ["iterations", iterations]];
}

/** Python that rolls the same ball, with the same bits. */
export function ballPython(settings) {
  const options = optionsOfBall(settings).map(([name, value]) => `, ${name}=${name === "rule" ? `"${value}"` : value}`);
  return `import fastgd\n\nball = fastgd.bucket.roll(curve=${JSON.stringify(settings.curve)}${options.join("")})\nprint(ball.x)\n`;
}

/** The command that does: its curve comes last, behind --, as it may begin with a minus. */
export function ballCommand(settings) {
  const options = optionsOfBall(settings).map(([name, value]) => ` --${name} ${value}`);
  return `fastgd bucket${options.join("")} -- "${settings.curve}"\n`;
}

/** How many of the balls ended in which minimums, from left to right; `width` is that of the window. */
export function basinsTold(balls, width) {
  const ends = balls.filter(({ status }) => status === "converged").map(({ x }) => x);
  const groups = [];
  for (const x of ends.sort((a, b) => a - b)) {
    if (!(x - groups.at(-1)?.at(-1) <= APART * width)) {
      groups.push([]);
    }
    groups.at(-1).push(x);
  }
  const middle = (group) => Number(Number(group[group.length >> 1].toFixed(6)).toPrecision(6));
  const listed = groups.slice(0, MOST_LISTED).map((group) => `${group.length} at ${middle(group)}`);
  const more = groups.length > MOST_LISTED ? ["more in other minimums"] : [];
  const none = ends.length < balls.length ? [`${balls.length - ends.length} in no minimum`] : [];
  return `Where ${balls.length} random balls end: ${[...listed, ...more, ...none].join(", ")}.`;
}

/** What the experiment says of its settings and numbers. */

import { readable } from "./charts.js";

/** What tells a setting from the first one, for labels of curves: "alpha 10, 8 hidden". */
export function labelOf({ alpha, hidden, seed, start, iterations, optimizer, bias, dropout, data }) {
  const parts = [
    `alpha ${alpha}`,
    hidden !== 4 && `${hidden} hidden`,
    seed !== 1 && `seed ${seed}`,
    start === "equal" && "equal start",
    optimizer !== "GradientDescent" && optimizer,
    bias && "bias",
    hidden > 0 && dropout > 0 && `dropout ${dropout}`,
    iterations !== 60000 && `${readable(iterations)} iterations`,
    data !== "" && "other data",
  ];
  return parts.filter(Boolean).join(", ");
}

/** A weight in four characters or so: 4.6, -14.9, -117, 2e-4. */
export function shortWeight(x) {
  const size = Math.abs(x);
  if (size < 0.05 && size > 0) {
    return size < 0.005 ? x.toExponential(0) : x.toFixed(2);
  }
  return x.toFixed(size < 99.95 ? 1 : 0);
}

/** Why training takes longer in some browsers; see fastgd.kernel.call_image. */
const UNFUSED =
  " This browser has no fused multiply-add, so each one is computed exactly in steps, which takes about 12 times as long.";

/** What there is to say about a training: how far, how fast, and whether the browser is slow at it. */
export function noteOf({ done, finished, diverged, seconds, settings: { iterations } }, fused, isStopped) {
  const time = seconds < 1 ? `${readable(1000 * seconds, 2)} ms` : `${readable(seconds)} s`;
  const way = fused ? "" : UNFUSED;
  const count = (n) => `${n.toLocaleString("en-US")} iteration${n === 1 ? "" : "s"}`;
  if (diverged) {
    return `The weights overflowed after ${count(done)}: alpha is too large.${way}`;
  }
  const many = finished ? count(iterations) : `${done.toLocaleString("en-US")} of ${count(iterations)}`;
  return `${many} in ${time}${isStopped && !finished ? ", then stopped" : ""}.${way}`;
}

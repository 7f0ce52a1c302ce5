/** What is said of balls: how they ended, where, and the same in Python. */

import { repr } from "./dom.js";

/** The most steps of a ball, unless an example of the article has another number. */
export const ITERATIONS = 10_000;

const FARTHEST_BALL = 1e9; // from the start, as in fastgd.bucket.roll

const ENDS = {
  converged: "the slope is 0 to nine digits, and the curve rises on both sides",
  stuck: "the slope is 0 to nine digits, but this is no minimum: a flat stretch or a maximum",
  rolling: "it has not arrived",
};

/** What a ball's status means. */
export function meaningOf({ start, x, status }) {
  const isFar = Math.abs(x - start) > FARTHEST_BALL;
  return ENDS[status] ?? (isFar ? "it is farther than 1,000,000,000 from its start" : "the curve has no slope there");
}

/** The call of fastgd that rolls the same ball, with the same bits. */
export function rollCall({ curve, start, alpha, rule, iterations }) {
  const parts = [
    `curve=${JSON.stringify(curve)}`,
    `start=${repr(start)}`,
    rule !== "naive" && `alpha=${repr(alpha)}`,
    rule !== "alpha" && `rule="${rule}"`,
    iterations !== ITERATIONS && `iterations=${iterations}`,
  ];
  return `fastgd.bucket.roll(${parts.filter(Boolean).join(", ")})`;
}

/** How many balls ended in each place, from left to right. */
export function placesOf(balls, apart) {
  const ends = balls.filter(({ status }) => status === "converged").map(({ x }) => x);
  const groups = [];
  for (const x of ends.sort((a, b) => a - b)) {
    const last = groups.at(-1);
    if (last && x - last.at(-1) <= apart) {
      last.push(x);
    } else {
      groups.push([x]);
    }
  }
  return groups.map((group) => ({ x: group[group.length >> 1], count: group.length }));
}

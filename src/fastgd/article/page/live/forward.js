/** What a network answers, and where it is saturated; only for people, as Math.exp may differ in the last bit. */

/**
 * Derivatives below this count as flat. A unit is saturated for a sample if the slope of its sigmoid is
 * below it: 9.2 or more from the middle. No unit and no place of networks that learn XOR with alphas up to 10
 * is; each sample at which alpha 100 and 1000 fail is, for the seeds 1 to 5.
 */
export const NO_SLOPE = 1e-4;

const UNLEARNED = 0.25; // errors from here on count as not learned

/** The slope of the sigmoid where the weighted sum is this: output * (1 - output), also where one of them rounds to 0. */
function slopeAt(sum) {
  const small = Math.exp(-Math.abs(sum));
  return small / (1 + small) ** 2;
}

/**
 * What a network of one or two layers answers to a row: its `output`; values and slopes of its `hidden` units; the
 * `slope` of the output; and `effect`, the largest size of the output's derivatives with respect to the weights.
 */
export function answerOf([first, second], row) {
  const bias = first.bias ? 1 : 0;
  const widest = Math.max(bias, ...row.map(Math.abs));
  const sums = second ? Array.from({ length: first.columns }, (_, unit) => weightedSum(first, row, unit)) : [];
  const [hidden, slopes] = [sums.map(sigmoid), sums.map(slopeAt)];
  const sum = second ? weightedSum(second, hidden, 0) : weightedSum(first, row, 0);
  // The largest derivative of that sum with respect to a weight.
  const reach = second ? Math.max(bias, ...hidden, ...slopes.map((slope, j) => Math.abs(second.values[j]) * slope * widest)) : widest;
  return { output: sigmoid(sum), slope: slopeAt(sum), effect: slopeAt(sum) * reach, hidden, slopes };
}

function sigmoid(sum) {
  return 1 / (1 + Math.exp(-sum));
}

function weightedSum({ rows, columns, values, bias }, inputs, unit) {
  let sum = bias ? bias[unit] : 0;
  for (let k = 0; k < rows; k++) {
    sum += inputs[k] * values[k * columns + unit];
  }
  return sum;
}

/** Whether the last of several inputs is always 1. */
export function hasConstant(X) {
  const last = X[0].length - 1;
  return last > 0 && X.every((row) => row[last] === 1);
}

/** The outputs of a network for each row of X. */
export function outputsOf(X, layers) {
  return X.map((row) => answerOf(layers, row).output);
}

/**
 * What is saturated: `units` tells of each hidden unit and at last the output whether it is for every
 * sample, `stuck` has the samples that aren't learned and at which the output depends on no weight.
 */
export function saturationOf({ X, y }, layers) {
  const answers = X.map((row) => answerOf(layers, row));
  const samples = answers.map((answer, n) => ({ ...answer, error: Math.abs(y[n] - answer.output) }));
  const slopes = samples.map((sample) => [...sample.slopes, sample.slope]);
  return {
    samples,
    units: slopes[0].map((_, j) => slopes.every((each) => each[j] < NO_SLOPE)),
    stuck: samples.filter(({ error, effect }) => error >= UNLEARNED && effect < NO_SLOPE),
  };
}

/** What a saturation means, in words: for a training with these settings, and its error at that moment. */
export function saturationSentence({ units, samples, stuck }, { alpha, optimizer, dropout, iterations }, error) {
  if (!samples.every(({ output }) => Number.isFinite(output))) {
    return "The weights are too large to compute with.";
  }
  const count = units.filter(Boolean).length;
  const saturated = count
    ? `${counted(count, units.length, "unit")} saturated: slopes below ${NO_SLOPE} for every sample hardly let weights change.`
    : `No unit is saturated: each has a slope of at least ${NO_SLOPE} for some sample, so its weights can still change.`;
  if (stuck.length === 0) {
    return `${saturated} No sample is stuck.`;
  }
  const isPlain = optimizer === "GradientDescent" && !dropout;
  const step = (some) => alpha * some.reduce((sum, sample) => sum + sample.error * sample.effect, 0);
  const moves = isPlain ? ` With alpha ${alpha} they move a weight by at most ${short(step(stuck))} in an iteration` : "";
  const stays = isPlain && step(samples) * iterations < 0.01 ? `, so the error stays at ${Number(error.toPrecision(3))}` : "";
  const also = count ? ` ${saturated}` : "";
  return `${counted(stuck.length, samples.length, "sample")} stuck: ${reasonOf(stuck)}.${moves}${stays}${moves && "."}${also}`;
}

/** Why the output for some samples depends on no weight. */
function reasonOf(stuck) {
  const most = (numbers) => Math.max(...stuck.flatMap(numbers));
  const outputs = new Set([short(-most(({ output }) => -output)), short(most(({ output }) => output))]);
  const told = `the output, ${[...outputs].join(" to ")},`;
  const slope = most((sample) => sample.slope);
  if (slope < NO_SLOPE) {
    return `${told} is where the sigmoid is flat: its slope there, a factor of each derivative, is at most ${short(slope)}`;
  }
  const answer = most(({ hidden }) => hidden);
  return `${told} hardly depends on the weights${answer > 0 && answer < 1e-3 ? `: the hidden units answer at most ${short(answer)}` : ""}`;
}

function counted(some, all, thing) {
  return `${some} of ${all} ${thing}s ${some === 1 ? "is" : "are"}`;
}

/** A number in few characters: 0.997, 0.012, 8e-50. */
export function short(x) {
  return Math.abs(x) < 9.995e-4 && x !== 0 ? x.toExponential(0) : x.toFixed(3);
}

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

/** A network that answers one row at a time: its `layers` are those of a moment, one or two. */
export class Forward {
  constructor(layers) {
    [this.first, this.second] = layers;
    const units = this.second ? this.first.columns : 0;
    this.hidden = new Float64Array(units);
    this.slopes = new Float64Array(units); // of the hidden units
    this.bias = this.first.bias ? 1 : 0;
  }

  /**
   * The output for a row. Then `hidden` and `slopes` have the hidden units' outputs and slopes, `slope` is that
   * of the output, and `effect` is the largest size of its derivatives with respect to the weights.
   */
  answer(row) {
    const { first, second, hidden, slopes, bias } = this;
    let widest = bias; // of the inputs
    for (let k = 0; k < row.length; k++) {
      widest = Math.max(widest, Math.abs(row[k]));
    }
    let sum;
    let reach = bias; // largest derivative of the sum by a weight
    if (second) {
      sum = bias ? second.bias[0] : 0;
      for (let j = 0; j < hidden.length; j++) {
        const weighted = weightedSum(first, row, j);
        const weight = second.values[j];
        hidden[j] = 1 / (1 + Math.exp(-weighted));
        slopes[j] = slopeAt(weighted);
        sum += hidden[j] * weight;
        reach = Math.max(reach, hidden[j], Math.abs(weight) * slopes[j] * widest);
      }
    } else {
      sum = weightedSum(first, row, 0);
      reach = widest;
    }
    this.slope = slopeAt(sum);
    this.effect = this.slope * reach;
    return 1 / (1 + Math.exp(-sum));
  }
}

function weightedSum({ rows, columns, values, bias }, inputs, unit) {
  let sum = bias ? bias[unit] : 0;
  for (let k = 0; k < rows; k++) {
    sum += inputs[k] * values[k * columns + unit];
  }
  return sum;
}

/** For each row of X its output, and copies of what else Forward knows of it. */
export function answersOf(X, layers) {
  const forward = new Forward(layers);
  return X.map((row) => {
    const output = forward.answer(row);
    const { slope, effect, hidden, slopes } = forward;
    return { output, slope, effect, hidden: [...hidden], slopes: [...slopes] };
  });
}

/** The outputs of a network for each row of X. */
export function outputsOf(X, layers) {
  const forward = new Forward(layers);
  return X.map((row) => forward.answer(row));
}

/**
 * What is saturated: `units` tells of each hidden unit and at last the output whether it is for every
 * sample, `stuck` has the samples that aren't learned and at which the output depends on no weight.
 */
export function saturationOf({ X, y }, layers) {
  const answers = answersOf(X, layers);
  const isFlat = (slopes) => slopes.every((slope) => slope < NO_SLOPE);
  const units = answers[0].slopes.map((_, j) => isFlat(answers.map(({ slopes }) => slopes[j])));
  const samples = answers.map((answer, n) => ({ ...answer, error: Math.abs(y[n] - answer.output) }));
  const stuck = samples.filter(({ error, effect }) => error >= UNLEARNED && effect < NO_SLOPE);
  return { units: [...units, isFlat(answers.map(({ slope }) => slope))], samples, stuck };
}

/** What a saturation means, in words: for a training with these settings, and its error at that moment. */
export function saturationSentence({ units, samples, stuck }, { alpha, optimizer, dropout, iterations }, error) {
  const count = units.filter(Boolean).length;
  const saturated = `${counted(count, units.length, "unit")} saturated: for every sample the slope is below ${NO_SLOPE}`;
  if (!samples.every(({ output }) => Number.isFinite(output))) {
    return "The weights are too large to compute with.";
  }
  if (stuck.length === 0) {
    return count === 0
      ? `No unit is saturated: each has a slope of at least ${NO_SLOPE} for some sample, so its weights can still change.`
      : `${saturated}, a factor of the derivatives by the weights into it, which hardly change. No sample is stuck.`;
  }
  const isPlain = optimizer === "GradientDescent" && !dropout;
  const step = (some) => alpha * some.reduce((sum, sample) => sum + sample.error * sample.effect, 0);
  const moves = isPlain ? ` With alpha ${alpha} they move a weight by at most ${short(step(stuck))} in an iteration.` : "";
  const stays = isPlain && step(samples) * iterations < 0.01 ? ` So the error stays at ${Number(error.toPrecision(3))}.` : "";
  const also = count > 0 ? ` ${saturated}.` : "";
  return `${counted(stuck.length, samples.length, "sample")} stuck, not learned: ${reasonOf(stuck)}${moves}${stays}${also}`;
}

/** Why the output for some samples depends on no weight. */
function reasonOf(stuck) {
  const most = (of) => short(Math.max(...stuck.flatMap(of)));
  if (stuck.every(({ slope }) => slope < NO_SLOPE)) {
    return (
      `the output, ${rangeOf(stuck.map(({ output }) => output))}, is where the sigmoid is flat. Its slope there, output × (1 − output), ` +
      `is at most ${most(({ slope }) => slope)}, and is a factor of each derivative.`
    );
  }
  if (stuck.every(({ slope, hidden }) => slope >= NO_SLOPE && hidden.every((answer) => answer < 1e-3))) {
    return (
      `all hidden units answer nearly 0 (at most ${most(({ hidden }) => hidden)}), so their weighted sum is nearly 0, and the output ` +
      "0.5. Their answers or slopes, which are as small, are factors of each derivative."
    );
  }
  return `the largest derivative of the output with respect to a weight is ${most(({ effect }) => effect)}.`;
}

function counted(some, all, thing) {
  return `${some} of ${all} ${thing}s ${some === 1 ? "is" : "are"}`;
}

function rangeOf(numbers) {
  const ends = [Math.min(...numbers), Math.max(...numbers)].map(short);
  return ends[0] === ends[1] ? ends[0] : `${ends[0]} to ${ends[1]}`;
}

/** A number in few characters: 0.997, 0.012, 8e-50. */
export function short(x) {
  return Math.abs(x) < 9.995e-4 && x !== 0 ? x.toExponential(0) : x.toFixed(3);
}

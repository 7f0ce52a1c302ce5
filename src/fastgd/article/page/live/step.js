/** One iteration of the article's code: the values of its variables, for people, as Math.exp may differ in the last bit. */

const transposed = (A) => A[0].map((_, k) => A.map((row) => row[k]));
const product = (A, B) => A.map((row) => B[0].map((_, k) => row.reduce((sum, a, n) => sum + a * B[n][k], 0)));
const placewise = (f, A, ...others) => A.map((row, n) => row.map((a, k) => f(a, ...others.map((B) => B[n][k]))));
const times = (A, B) => placewise((a, b) => a * b, A, B);
const slopes = (layer) => placewise((output) => output * (1 - output), layer);

/**
 * The variables of the lines, as lists of rows, with the weights of a moment.
 *
 * Of line 10 `error` and `slope_2` are the factors, of line 11 `layer_1_error` and `slope_1`. `gradient_1` is
 * layer_1.T.dot(layer_2_delta), `move_1` is alpha times that, and `next_1` is synapse_1 after line 13 by
 * gradient descent; those of line 14 end in 0. Without a hidden layer there is synapse_1 only, and layer_1 is X.
 */
export function stepOf({ X, y: targets }, { alpha }, { weights }) {
  const last = weights.at(-1);
  const [synapse_0, synapse_1] = weights.length > 1 ? weights.map(rowsOfLayer) : [null, rowsOfLayer(last)];
  const y = targets.map((target) => [target]);
  const layer_1 = synapse_0 ? layerOf(X, synapse_0, weights[0].bias) : X;
  const layer_2 = layerOf(layer_1, synapse_1, last.bias);
  const error = placewise((output, target) => output - target, layer_2, y);
  const slope_2 = slopes(layer_2);
  const layer_2_delta = times(error, slope_2);
  const step = { X, y, layer_1, layer_2, error, slope_2, layer_2_delta, ...updated(1, synapse_1, alpha, layer_1, layer_2_delta) };
  if (!synapse_0) {
    return step;
  }
  const layer_1_error = product(layer_2_delta, transposed(synapse_1));
  const slope_1 = slopes(layer_1);
  const layer_1_delta = times(layer_1_error, slope_1);
  return { ...step, layer_1_error, slope_1, layer_1_delta, ...updated(0, synapse_0, alpha, X, layer_1_delta) };
}

/** The weights of layer k before its update and after. */
function updated(k, synapse, alpha, inputs, delta) {
  const gradient = product(transposed(inputs), delta);
  const move = placewise((slope) => alpha * slope, gradient);
  const next = placewise((weight, by) => weight - by, synapse, move);
  return { [`synapse_${k}`]: synapse, [`gradient_${k}`]: gradient, [`move_${k}`]: move, [`next_${k}`]: next };
}

function rowsOfLayer({ rows, columns, values }) {
  return Array.from({ length: rows }, (_, n) => [...values.subarray(n * columns, (n + 1) * columns)]);
}

function layerOf(inputs, weights, bias) {
  return product(inputs, weights).map((row) => row.map((sum, k) => 1 / (1 + Math.exp(-sum - (bias ? bias[k] : 0)))));
}

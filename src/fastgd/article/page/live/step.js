/** One iteration of the article's code: the values of its variables, for people, as Math.exp may differ in the last bit. */

const transposed = (A) => A[0].map((_, k) => A.map((row) => row[k]));
const product = (A, B) => A.map((row) => B[0].map((_, k) => row.reduce((sum, a, n) => sum + a * B[n][k], 0)));

/** What `f` makes of the numbers at each place of matrices. */
export const placewise = (f, A, ...others) => A.map((row, n) => row.map((a, k) => f(a, ...others.map((B) => B[n][k]))));

/** The derivative of the sigmoid where its value is `output`. */
export const sigmoidSlope = (output) => output * (1 - output);

/**
 * The variables of lines 8 to 14, as lists of rows, with the weights of a moment.
 *
 * `gradient_1` is layer_1.T.dot(layer_2_delta), `next_1` is synapse_1 after line 13, by gradient descent;
 * `gradient_0` and `next_0` are those of line 14. Without a hidden layer there is synapse_1 only, and
 * layer_1 is X.
 */
export function stepOf({ X, y }, { alpha }, { weights }) {
  const last = weights.at(-1);
  const [synapse_0, synapse_1] = weights.length > 1 ? weights.map(rowsOfLayer) : [null, rowsOfLayer(last)];
  const layer_1 = synapse_0 ? layerOf(X, synapse_0, weights[0].bias) : X;
  const layer_2 = layerOf(layer_1, synapse_1, last.bias);
  const error = layer_2.map(([output], n) => [output - y[n]]);
  const layer_2_delta = placewise((e, output) => e * sigmoidSlope(output), error, layer_2);
  const moved = (old, gradient) => placewise((weight, slope) => weight - alpha * slope, old, gradient);
  const gradient_1 = product(transposed(layer_1), layer_2_delta);
  const step = { synapse_1, layer_1, layer_2, error, layer_2_delta, gradient_1, next_1: moved(synapse_1, gradient_1) };
  if (synapse_0) {
    const layer_1_error = product(layer_2_delta, transposed(synapse_1));
    const layer_1_delta = placewise((e, output) => e * sigmoidSlope(output), layer_1_error, layer_1);
    const gradient_0 = product(transposed(X), layer_1_delta);
    Object.assign(step, { synapse_0, layer_1_error, layer_1_delta, gradient_0, next_0: moved(synapse_0, gradient_0) });
  }
  return step;
}

function rowsOfLayer({ rows, columns, values }) {
  return Array.from({ length: rows }, (_, n) => [...values.subarray(n * columns, (n + 1) * columns)]);
}

function layerOf(inputs, weights, bias) {
  return product(inputs, weights).map((row) => row.map((sum, k) => 1 / (1 + Math.exp(-sum - (bias ? bias[k] : 0)))));
}

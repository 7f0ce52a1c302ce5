/** The known name that is most similar to another one, as Python's difflib finds it. */

/** The end of a message: the known name most similar to a word, if any is. */
export function nearest(word, known) {
  const [best, most] = known
    .filter((name) => name !== word)
    .map((name) => [name, similarity(name.toLowerCase(), word.toLowerCase())])
    .reduce((a, b) => (b[1] > a[1] || (b[1] === a[1] && b[0] > a[0]) ? b : a), ["", 0]);
  return most >= 0.6 ? `: did you mean ${best}?` : "";
}

function similarity(a, b) {
  return (2 * matches(a, b)) / (a.length + b.length);
}

/** Characters in common: the longest common part, and what matches before and after it. */
function matches(a, b) {
  let [length, inA, inB] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    for (let j = 0; j < b.length; j += 1) {
      let k = 0;
      while (i + k < a.length && j + k < b.length && a[i + k] === b[j + k]) k += 1;
      if (k > length) [length, inA, inB] = [k, i, j];
    }
  }
  if (length === 0) return 0;
  const before = matches(a.slice(0, inA), b.slice(0, inB));
  return length + before + matches(a.slice(inA + length), b.slice(inB + length));
}

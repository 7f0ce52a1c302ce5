/** Lines of equal height on a grid: marching squares. */

/**
 * The line where heights cross `level`, as pieces [left, top, right, bottom] in steps of the grid.
 *
 * `heights` are size x size numbers, row by row. In a cell whose opposite corners are on the same side
 * the mean of the corners tells which of them are connected.
 */
export function contour(heights, size, level) {
  const pieces = [];
  for (let row = 0; row + 1 < size; row++) {
    for (let column = 0; column + 1 < size; column++) {
      const at = row * size + column;
      const corners = [heights[at], heights[at + 1], heights[at + size + 1], heights[at + size]];
      for (const [from, to] of crossings(corners, level)) {
        pieces.push([...place(corners, level, from, column, row), ...place(corners, level, to, column, row)]);
      }
    }
  }
  return pieces;
}

/** Pairs of edges that a line connects; edge k goes from corner k to the next one. */
function crossings(corners, level) {
  const above = corners.map((height) => height >= level);
  const edges = [0, 1, 2, 3].filter((k) => above[k] !== above[(k + 1) % 4]);
  if (edges.length < 4) {
    return edges.length ? [edges] : [];
  }
  const isMiddleAbove = corners.reduce((sum, height) => sum + height) / 4 >= level;
  return isMiddleAbove === above[0] ? [[0, 1], [2, 3]] : [[3, 0], [1, 2]];
}

/** Where the line crosses an edge. */
function place(corners, level, edge, column, row) {
  const [from, to] = [corners[edge], corners[(edge + 1) % 4]];
  const share = (level - from) / (to - from);
  const [x, y] = [[share, 0], [1, share], [1 - share, 1], [0, 1 - share]][edge];
  return [column + x, row + y];
}

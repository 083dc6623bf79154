// Bilinear resizing between pixel centres, as `resized` of sdexplore.analysis.resizing computes it.

/** The two source cells of each target cell along one axis, and the share of the higher one. */
export function axis(from, to) {
  const low = new Uint16Array(to), high = new Uint16Array(to), share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const centre = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    low[i] = Math.min(Math.floor(centre), from - 1);
    high[i] = Math.min(low[i] + 1, from - 1);
    share[i] = centre - low[i];
  }
  return { low, high, share };
}

/** Both axes between two grids (y, x). */
export const axes = (from, to) => ({ y: axis(from[0], to[0]), x: axis(from[1], to[1]) });

/**
 * Adds `factor` × the levels that begin at `start`, resized by `between`, to `out` from `place` on.
 *
 * `from` and `to` are the grids (y, x) of the levels and of `out`.
 */
export function addResized(levels, start, from, factor, between, out, place, to) {
  const [, columns] = from, [high, wide] = to, { y, x } = between;
  for (let row = 0; row < high; row++) {
    const upper = start + y.low[row] * columns, lower = start + y.high[row] * columns, down = y.share[row];
    for (let column = 0; column < wide; column++) {
      const left = x.low[column], right = x.high[column], over = x.share[column];
      const top = levels[upper + left] * (1 - over) + levels[upper + right] * over;
      const bottom = levels[lower + left] * (1 - over) + levels[lower + right] * over;
      out[place + row * wide + column] += factor * (top * (1 - down) + bottom * down);
    }
  }
}

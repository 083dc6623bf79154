// Regions of the picture: one cell of the latent grid, or a box in pixels of the picture.
//
// A cell is { cell, row, column }. A box is { box, rows, columns, weight, top, bottom, left, right }: `rows` and
// `columns` say how much of each row and column of the grid it covers, `weight` is its area in cells, and the four
// edges bound the cells that it touches. A box that the keyboard drew has `anchor` and `head` besides: the cells
// where it began and where the cursor stands.

import { within } from "./numbers.mjs";

/** The region of one cell of the grid (y, x); places outside the grid become the nearest cell. */
export function cellRegion(row, column, grid) {
  const [y, x] = [within(row, grid[0]), within(column, grid[1])];
  return { cell: y * grid[1] + x, row: y, column: x };
}

/** Whether the region is one cell. */
export const isCell = (region) => region?.cell !== undefined;

/** Whether both regions are the same cell. */
export const sameCell = (one, other) => isCell(one) && one.cell === other?.cell;

/** How much of each cell along one axis lies between `from` and `to`, as `areas` of sdexplore.analysis.resizing. */
export function covered(cells, from, to) {
  const weights = new Float32Array(cells);
  for (let i = 0; i < cells; i++) weights[i] = Math.max(0, Math.min(i + 1, to) - Math.max(i, from));
  return weights;
}

/** The box [left, top, right, bottom] of a picture of `size` (y, x); inside the picture, and at least a pixel large. */
export function boxRegion(box, size, grid) {
  const [high, wide] = size;
  const left = Math.max(0, Math.min(box[0], wide - 1)), top = Math.max(0, Math.min(box[1], high - 1));
  const right = Math.min(wide, Math.max(box[2], left + 1)), bottom = Math.min(high, Math.max(box[3], top + 1));
  const [down, over] = [grid[0] / high, grid[1] / wide];
  const rows = covered(grid[0], top * down, bottom * down);
  const columns = covered(grid[1], left * over, right * over);
  const sum = (weights) => weights.reduce((a, b) => a + b, 0);
  const touched = (weights) => [weights.findIndex((w) => w > 0), weights.findLastIndex((w) => w > 0) + 1];
  const [firstRow, lastRow] = touched(rows), [firstColumn, lastColumn] = touched(columns);
  return {
    box: [left, top, right, bottom], rows, columns, weight: sum(rows) * sum(columns),
    top: firstRow, bottom: lastRow, left: firstColumn, right: lastColumn,
  };
}

/** The smallest box of whole pixels that holds two points (x, y) of the picture. */
export function boxBetween([x, y], [u, v]) {
  return [Math.floor(Math.min(x, u)), Math.floor(Math.min(y, v)), Math.ceil(Math.max(x, u)), Math.ceil(Math.max(y, v))];
}

/**
 * The region after an arrow key: a cell, or with `extend` the box from the anchor to the cursor.
 *
 * The first key only shows the cursor, in the middle of the picture.
 */
export function movedRegion(region, [down, over], extend, size, grid) {
  const [rows, columns] = grid;
  const middle = [rows >> 1, columns >> 1];
  const from = region?.head ?? (isCell(region) ? [region.row, region.column] : middle);
  const head = region ? [within(from[0] + down, rows), within(from[1] + over, columns)] : from;
  if (!extend) return cellRegion(...head, grid);
  const anchor = region?.anchor ?? from, scales = [size[0] / rows, size[1] / columns];
  const edges = (i) => [Math.min(anchor[i], head[i]) * scales[i], (Math.max(anchor[i], head[i]) + 1) * scales[i]];
  const [top, bottom] = edges(0), [left, right] = edges(1);
  return { ...boxRegion([left, top, right, bottom], size, grid), anchor, head };
}

/** Where the region lies, as shares of the picture: left, top, width, height. */
export function frameOf(region, size, grid) {
  const [rows, columns] = grid, [high, wide] = size;
  const [left, top, right, bottom] = isCell(region)
    ? [region.column / columns, region.row / rows, (region.column + 1) / columns, (region.row + 1) / rows]
    : [region.box[0] / wide, region.box[1] / high, region.box[2] / wide, region.box[3] / high];
  return { left, top, width: right - left, height: bottom - top };
}

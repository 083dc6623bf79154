// Regions by keyboard, pointer and frame.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as regions from "../../../sdexplore/browser/js/regions.mjs";

const { boxBetween, boxRegion, cellRegion, frameOf, isCell, movedRegion, sameCell } = regions;
const [SIZE, GRID] = [[64, 96], [8, 12]];
const [UP, DOWN, LEFT, RIGHT] = [[-1, 0], [1, 0], [0, -1], [0, 1]];

/** The region after several arrow keys. */
const moved = (region, keys, extend = false, size = SIZE, grid = GRID) =>
  keys.reduce((from, key) => movedRegion(from, key, extend, size, grid), region);

test("the first key shows the cursor in the middle, the next ones move it, and edges stop it", () => {
  assert.deepEqual(moved(null, [DOWN]), { cell: 54, row: 4, column: 6 });
  assert.deepEqual(moved(null, [UP, DOWN, DOWN, LEFT]), cellRegion(6, 5, GRID));
  assert.deepEqual(moved(cellRegion(0, 0, GRID), [UP, LEFT]), cellRegion(0, 0, GRID));
  assert.deepEqual(moved(cellRegion(7, 11, GRID), [DOWN, RIGHT]), cellRegion(7, 11, GRID));
});

test("with shift a box grows from its anchor, in every direction, and shrinks again", () => {
  const from = cellRegion(3, 4, GRID);
  assert.deepEqual(moved(from, [RIGHT, DOWN], true).box, [32, 24, 48, 40]);
  assert.deepEqual(moved(from, [LEFT, UP], true).box, [24, 16, 40, 32]);
  assert.deepEqual(moved(from, [LEFT, RIGHT, RIGHT], true).box, [32, 24, 48, 32]);
  assert.deepEqual(moved(moved(from, [RIGHT, DOWN], true), [UP]), cellRegion(3, 5, GRID)); // at the cursor
});

test("a grid of one pixel has a cursor and a box", () => {
  const one = moved(null, [UP, DOWN, LEFT, RIGHT], false, [5, 7], [1, 1]);
  assert.deepEqual(one, cellRegion(0, 0, [1, 1]));
  const box = moved(one, [RIGHT, DOWN], true, [5, 7], [1, 1]);
  assert.deepEqual([box.box, box.weight], [[0, 0, 7, 5], 1]);
});

test("places outside become the nearest cell", () => {
  assert.deepEqual(cellRegion(-1, 99.5, GRID), { cell: 11, row: 0, column: 11 });
  assert.deepEqual(cellRegion(2.9, 0, GRID), { cell: 24, row: 2, column: 0 });
});

test("a box that a pointer drew goes to whole pixels, whatever its direction", () => {
  assert.deepEqual(boxBetween([20.5, 13.2], [8.1, 50]), [8, 13, 21, 50]);
  assert.deepEqual(boxBetween([8.1, 50], [20.5, 13.2]), [8, 13, 21, 50]);
  assert.deepEqual(boxRegion(boxBetween([4, 4], [4, 4]), SIZE, GRID).box, [4, 4, 5, 5]);
  assert.deepEqual(boxRegion(boxBetween([96, 64], [96, 64]), SIZE, GRID).box, [95, 63, 96, 64]);
});

test("cells are told from boxes, and the same cell from another", () => {
  const [one, other, box] = [cellRegion(0, 0, GRID), cellRegion(0, 1, GRID), boxRegion([0, 0, 8, 8], SIZE, GRID)];
  assert.deepEqual([one, box, null].map(isCell), [true, false, false]);
  const pairs = [[one, { ...one }], [one, other], [one, box], [box, box], [one, null], [null, null]];
  assert.deepEqual(pairs.map((pair) => sameCell(...pair)), [true, false, false, false, false, false]);
});

test("the frame lies where the region is, as shares of the picture", () => {
  const cell = { left: 0.5, top: 0.5, width: 7 / 12 - 0.5, height: 0.125 };
  assert.deepEqual(frameOf(cellRegion(4, 6, GRID), SIZE, GRID), cell);
  const box = { left: 0.25, top: 0.25, width: 0.75, height: 0.75 };
  assert.deepEqual(frameOf(boxRegion([24, 16, 96, 64], SIZE, GRID), SIZE, GRID), box);
});

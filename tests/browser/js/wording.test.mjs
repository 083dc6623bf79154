// Numbers and sentences that the explorer shows, and the pixels that it paints.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Exploration } from "../../../sdexplore/browser/js/exploration.mjs";
import { percent, three, within } from "../../../sdexplore/browser/js/numbers.mjs";
import { OPAQUE, OVER, paintColours, paintMap, paintRamp } from "../../../sdexplore/browser/js/painting.mjs";
import { viewsOf } from "../../../sdexplore/browser/js/pictures.mjs";
import { boxRegion, cellRegion } from "../../../sdexplore/browser/js/regions.mjs";
import * as wording from "../../../sdexplore/browser/js/wording.mjs";
import { casesOf, contentOf, strings } from "./table.mjs";

const open = (name = "up, down and not square", change = {}) => {
  const { facts, data } = casesOf("traces")[name];
  const exploration = new Exploration({ ...facts, ...change }, contentOf({ data }), strings);
  exploration.unpack();
  return exploration;
};

test("numbers that are small, none, or not finite", () => {
  assert.deepEqual([0.00001234, -0.5, Infinity, NaN].map(three), ["1.2e-5", "-0.5", "–", "–"]);
  assert.deepEqual([0, 0.0005, 0.012, 0.5, 1].map(percent), ["0.0 %", "<0.1 %", "1.2 %", "50 %", "100 %"]);
  assert.deepEqual([-3, 0, 1.9, 2, 99].map((value) => within(value, 3)), [0, 0, 1, 2, 2]);
});

test("a map says whose it is and what it averages", () => {
  const exploration = open();
  assert.match(wording.mapInWords(exploration), /^“cat”, cond: .*4 layers, all heads and 6 steps\.$/);
  exploration.set({ step: 4, at: 4, layers: 2, word: exploration.entries.findIndex(({ kind }) => kind === "part") });
  const text = wording.mapInWords(exploration);
  assert.match(text, /^“rocket \(a token of rocketship\)”.*2 layers of side 2.* step 4\.$/);
  const twice = open("equal words");
  twice.set({ word: 0 });
  assert.match(wording.mapInWords(twice), /^“a”, all 3 summed/);
  assert.equal(wording.nameInRanking(twice, 0), "a (3×)");
});

test("where there is no map, it says why or how to get one", () => {
  const exploration = open(), [cond] = exploration.facts.roles;
  exploration.set({ word: null, view: "difference" });
  assert.match(wording.nothingToShow(exploration), /^Point at a word/);
  const none = open(undefined, { roles: [] });
  assert.match(wording.nothingToShow(none), /^No word maps/);
  const groups = cond.groups.map((group) => ({ ...group, steps: [] }));
  const seldom = open(undefined, { roles: [{ ...cond, groups }] });
  seldom.set({ step: 4, at: 4, layers: 2 });
  assert.equal(wording.nothingToShow(seldom), "No attention of layers of side 2 at step 4 was recorded.");
  assert.equal(wording.rankingInWords(seldom, 0), wording.nothingToShow(seldom));
  const unguided = open(undefined, { guidance: { ...exploration.facts.guidance, steps: [] } });
  unguided.set({ view: "difference", step: 4, at: 4 });
  assert.match(wording.nothingToShow(unguided), /step 4/);
});

test("regions, steps and ratios have their words", () => {
  const grid = [8, 12], box = boxRegion([0, 0, 48, 32], [64, 96], grid);
  assert.deepEqual([null, cellRegion(3, 4, grid), box].map((region) => wording.regionName(strings, region, grid)), [
    "Whole picture", "Pixel row 3, column 4", "Region of 25 %",
  ]);
  const step = { step: 3, timestep: 399.6, sigma: 1.4 }, facts = { num_steps: 6 };
  const at = (given) => wording.stepInWords({ strings, facts, ...given });
  assert.equal(at({ step }), "step 3 (of 0 to 5), t 400, σ 1.4");
  assert.equal(at({ step: { ...step, sigma: null } }), "step 3 (of 0 to 5), t 400");
  assert.equal(at({ step: undefined, facts: { num_steps: 0 } }), "no steps");
  const ratios = [0.2, 0.01, 0, NaN].map((outside) => wording.ratioInWords(strings, 0.3, outside));
  assert.deepEqual(ratios, ["1.5× the rest", "30× the rest", "", ""]);
  const several = [[3], [3, 4], [7, 8, 9, 10, 11, 12, 13]];
  const positions = several.map((found) => wording.positionsInWords(strings, { positions: found }));
  assert.deepEqual(positions, ["token position 3", "token positions 3, 4", "token positions 7 to 13"]);
});

test("a word written from right to left keeps its order to itself, and other words stay as they are", () => {
  for (const word of ["قطة", "חתול", "cat قطة"]) assert.equal(wording.isolated(word), `\u2068${word}\u2069`);
  for (const word of ["cat", "猫", "🐱", "кот", "แมว"]) assert.equal(wording.isolated(word), word);
});

test("a flagged picture and a reduction are told first and last", () => {
  const facts = { missing: ["Guidance: none"], reduction: ["8 bits"], flagged: true };
  const notes = wording.notesOf({ strings, facts });
  assert.equal(notes.length, 3);
  assert.match(notes[0], /safety checker/);
  assert.match(notes[2], /8 bits/);
});

test("only what was recorded can be shown beneath the map", () => {
  const names = (facts) => viewsOf(facts, strings).map(({ name }) => name);
  const none = { pictures: { image: null, x0: {}, x_t: {} }, previews: {}, guidance: null };
  assert.deepEqual(names(none), []);
  assert.deepEqual(names({ ...none, pictures: { image: {}, x0: { 3: {} }, x_t: {} } }), ["image", "x0"]);
  assert.deepEqual(names({ ...none, previews: { x_t: {} }, guidance: { difference: {} } }), ["x_t", "difference"]);
  assert.deepEqual(names({ ...none, guidance: { uncond: {}, cond: {} } }), ["uncond", "cond", "difference"]);
});

/** A canvas that remembers what was painted on it. */
function canvas() {
  return {
    width: 0, height: 0,
    getContext() {
      return { putImageData: (image) => Object.assign(this, { painted: image }) };
    },
  };
}

test("values, colours and the ramp are painted pixel for pixel", () => {
  globalThis.ImageData ??= class {
    constructor(width, height) {
      Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
    }
  };
  const one = canvas(), pixels = (found) => [...new Uint32Array(found.painted.data.buffer)];
  paintMap(one, [1, 3], [9, 0, 0.5, 2], 1, 1);
  assert.deepEqual([one.width, one.height, pixels(one)], [3, 1, [OPAQUE[0], OPAQUE[128], OPAQUE[255]]]);
  paintMap(one, [1, 2], [0, 0], 0, 0, OVER); // a word without any attention
  assert.deepEqual([one.width, pixels(one)], [2, [OVER[0], OVER[0]]]);
  paintColours(one, [1, 1], [9, 9, 9, 1, 2, 3], 3);
  assert.deepEqual([...one.painted.data], [1, 2, 3, 255]);
  paintRamp(one);
  assert.deepEqual(pixels(one), [...OPAQUE]);
});

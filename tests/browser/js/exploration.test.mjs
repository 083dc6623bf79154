// What is chosen and what follows from it, without a page: state, pointing, other roles, steps without attention.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Exploration } from "../../../sdexplore/browser/js/exploration.mjs";
import { firstWords, nothingToShow } from "../../../sdexplore/browser/js/wording.mjs";
import { casesOf, contentOf, strings } from "./table.mjs";

const { facts, data } = casesOf("traces")["up, down and not square"];

/** An exploration of the case, its facts changed, with nothing unpacked but what comes first. */
const begin = (change = {}) => new Exploration({ ...facts, ...change }, contentOf({ data }), strings);

/** The same, with every step unpacked. */
function open(change = {}) {
  const exploration = begin(change);
  exploration.unpack();
  return exploration;
}

/** Facts with a second role, of fewer entries. */
function withUncond() {
  const [cond] = facts.roles;
  const entries = cond.entries.slice(0, 1);
  const groups = cond.groups.slice(0, 1).map((group) => ({ ...group, layers: ["alone"] }));
  const sentence = [[0, entries[0].text]];
  return { roles: [cond, { ...cond, role: "uncond", entries, sentence, groups }] };
}

test("it begins with the picture, the mean over all steps and layers, and the most striking word", () => {
  const { word, role, step, layers, view, look, scale, pixel, box } = open().shown();
  assert.deepEqual({ role, step, layers, view, look, scale, pixel, box }, {
    role: "cond", step: null, layers: null, view: "image", look: "over", scale: "shared", pixel: null, box: null,
  });
  assert.equal(word, "cat");
});

test("what is shown can be shown again, and is then the same", () => {
  const one = open(), other = open();
  one.set({ step: 4, at: 4, layers: 2, view: "difference", look: "map", scale: "each" });
  one.set(one.changeTo({ word: "AND", box: [1, 2, 7, 9] }));
  other.set(other.changeTo(one.shown()));
  assert.deepEqual(other.shown(), one.shown());
  one.set(one.changeTo({ pixel: [2, 1] }));
  other.set(other.changeTo(one.shown()));
  assert.deepEqual(other.shown(), one.shown());
  assert.deepEqual(other.shown().pixel, [2, 1]);
});

test("what is not there changes nothing", () => {
  const exploration = open(), before = exploration.shown();
  const choices = { word: "dog", role: "none", step: 77, layers: 64, view: "x", look: 1, scale: {} };
  exploration.set(exploration.changeTo({ ...choices, pixel: [1], box: "all" }));
  assert.deepEqual(exploration.shown(), before);
  exploration.set(exploration.changeTo({ pixel: [Number.NaN, 0] }));
  assert.deepEqual(exploration.shown(), before);
});

test("a pixel or a box outside the picture becomes the nearest inside", () => {
  const exploration = open();
  exploration.set(exploration.changeTo({ pixel: [-4, 99] }));
  assert.deepEqual(exploration.shown().pixel, [0, 1]);
  exploration.set(exploration.changeTo({ box: [-5, -5, 99, 3] }));
  assert.deepEqual(exploration.shown().box, [0, 0, 8, 3]);
  exploration.set(exploration.changeTo({ box: [7, 9, 2, 1] }));
  assert.deepEqual(exploration.shown().box, [7, 9, 8, 10]); // at least a pixel large
});

test("another role has its own words, layers and pointed word", () => {
  const exploration = open(withUncond());
  exploration.set({ layers: 2 });
  exploration.hover.word = exploration.entries.length - 1;
  exploration.set(exploration.changeTo({ role: "uncond" }));
  assert.equal(exploration.entries.length, 1);
  assert.equal(exploration.word, 0);
  assert.deepEqual([exploration.shown().word, exploration.shown().layers], [exploration.entries[0].text, null]);
  assert.ok(exploration.available);
  exploration.set(exploration.changeTo({ role: "cond", word: "rocketship", layers: 2 }));
  assert.deepEqual([exploration.shown().word, exploration.shown().layers], ["rocketship", 2]);
});

test("a pointed word goes before the chosen one, and is the only one shown over the difference of guidance", () => {
  const exploration = open(), cat = exploration.word;
  exploration.hover.word = 0;
  assert.equal(exploration.word, 0);
  exploration.hover.word = null;
  assert.equal(exploration.word, cat);
  exploration.set({ view: "difference" });
  assert.equal(exploration.word, null);
  assert.ok(exploration.difference.there);
  exploration.hover.word = 0;
  assert.equal(exploration.word, 0);
});

test("a step without attention shows no word, and a step without guidance no difference", () => {
  const [cond] = facts.roles;
  const groups = cond.groups.map((group) => ({ ...group, steps: group.steps.map((step) => step + 1) }));
  const exploration = open({ roles: [{ ...cond, groups }], guidance: { ...facts.guidance, steps: [] } });
  exploration.set({ step: 0, at: 0 });
  assert.equal(exploration.available, false);
  assert.equal(exploration.word, null);
  assert.equal(exploration.difference.there, false);
  assert.deepEqual([...exploration.read(null).insides], exploration.entries.map(() => 0));
});

test("nothing recorded at all is an exploration too", () => {
  const nothing = { roles: [], steps: [], guidance: null, previews: {}, pictures: { image: null, x0: {}, x_t: {} } };
  const exploration = open({ ...nothing, size: null });
  const { current, word, step, views } = exploration;
  assert.deepEqual([current, word, step, views], [null, null, undefined, []]);
  assert.deepEqual(exploration.shown(), {
    word: null, role: null, step: null, layers: null, view: null, look: "over", scale: "shared", pixel: null, box: null,
  });
  exploration.set(exploration.changeTo({ word: "cat", step: null, layers: null, pixel: [0, 0] }));
  assert.deepEqual(exploration.shown().pixel, [0, 0]);
});

test("the scale is shared by words and their tokens; what was not typed has its own", () => {
  const exploration = open();
  const kinds = (own) =>
    new Set(exploration.entries.flatMap(({ kind }, i) => (exploration.scaleOf(i).own === own ? [kind] : [])));
  assert.deepEqual(kinds(false), new Set(["word", "part"]));
  assert.deepEqual(kinds(true), new Set(["start", "end", "padding"]));
  exploration.set({ scale: "each" });
  assert.equal(kinds(false).size, 0);
});

test("until a step is unpacked it waits, and is not taken for 0 or for missing", () => {
  const exploration = begin(), word = exploration.word;
  assert.ok(exploration.available);
  assert.deepEqual([...exploration.current.values], [...open().current.values]); // the mean is there at once
  exploration.set({ step: 4, at: 4 });
  assert.deepEqual([exploration.available, exploration.word, exploration.waits], [false, null, true]);
  assert.equal(exploration.difference.there, false);
  assert.match(nothingToShow(exploration), /^Unpacking step 4/);
  assert.deepEqual(firstWords(exploration, exploration.read(null), 3), [nothingToShow(exploration)]);
  let turns = 0;
  while (exploration.waits) {
    assert.equal(exploration.unpack(() => true), false);
    turns += 1;
  }
  assert.ok(turns > 1);
  assert.deepEqual([exploration.available, exploration.word], [true, word]);
  assert.ok(exploration.difference.there);
  const all = open();
  all.set({ step: 4, at: 4 });
  assert.deepEqual([...exploration.current.values], [...all.current.values]);
  exploration.set({ step: 0, at: 0 });
  assert.ok(exploration.waits); // it is unpacked last
  assert.equal(exploration.unpack(), true);
  assert.deepEqual([exploration.waits, exploration.available], [false, true]);
});

test("a role that is chosen while its step waits has its most striking word afterwards", () => {
  const exploration = begin(withUncond());
  exploration.set({ step: 0, at: 0 });
  exploration.set(exploration.changeTo({ role: "uncond" }));
  assert.equal(exploration.shown().word, null);
  exploration.unpack();
  assert.equal(exploration.shown().word, exploration.entries[0].text);
});

// Two explorations side by side: one scale of colours, and why two maps cannot be subtracted.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Exploration } from "../../../sdexplore/browser/js/exploration.mjs";
import { apart } from "../../../sdexplore/browser/js/wording.mjs";
import { casesOf, contentOf, strings } from "./table.mjs";

const { facts, data } = casesOf("traces")["up, down and not square"];

/** Two explorations, the facts of the second changed, with every step unpacked. */
function pair(change = {}) {
  const both = [facts, { ...facts, ...change }].map((one) => new Exploration(one, contentOf({ data }), strings));
  for (const one of both) one.unpack();
  const [a, b] = both;
  [a.beside, b.beside] = [b, a];
  return both;
}

test("both maps have the larger scale of the two, and alone each has its own", () => {
  const [a, b] = pair(), entry = a.state.word, alone = a.scaleOf(entry).top;
  b.set({ step: facts.steps[0].step });
  const other = b.current.shared;
  assert.notEqual(other, alone);
  assert.equal(a.scaleOf(entry).top, Math.max(alone, other));
  assert.equal(b.scaleOf(b.placeOf(a.entries[entry])).top, a.scaleOf(entry).top);
  a.beside = null;
  assert.equal(a.scaleOf(entry).top, alone);
});

test("a word that the other run has not keeps its own scale", () => {
  const [a, b] = pair(), entry = a.state.word, alone = a.current.shared;
  b.beside = null;
  a.beside = b;
  b.maps[0].role = { ...b.maps[0].role, entries: b.entries.map((one) => ({ ...one, text: `no ${one.text}` })) };
  assert.equal(a.scaleOf(entry).top, alone);
});

test("maps of one word, step and choice of layers can be subtracted, and others say why not", () => {
  const [a, b] = pair();
  assert.equal(apart(a, b), null);
  b.set({ step: facts.steps[0].step });
  assert.match(apart(a, b), /^a shows all steps, all layers, b step 0/);
  b.set({ step: null, word: b.state.word ? 0 : 1 });
  assert.match(apart(a, b), /^a shows “.*”, b “.*”/);
  assert.match(apart(a, { ...b, grid: [1, 1] }), /grid/);
});

// Likeness of features without a page: the cosines that Python computes, and when a click shows them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Exploration } from "../../../sdexplore/browser/js/exploration.mjs";
import { Likeness } from "../../../sdexplore/browser/js/likeness.mjs";
import { cellRegion } from "../../../sdexplore/browser/js/regions.mjs";
import { likenessInWords } from "../../../sdexplore/browser/js/wording.mjs";
import { casesOf, contentOf, near, strings } from "./table.mjs";

const { facts, data, found } = casesOf("likeness")["two modules"];
const [HIGH, WIDE] = facts.size;

function open() {
  const exploration = new Exploration(facts, contentOf({ data }), strings);
  exploration.unpack();
  return exploration;
}

const clicked = (exploration, row, column) =>
  exploration.set({ region: cellRegion(row, column, exploration.grid), alike: true });

test("cosines are Python's, within what the facts say, at every packed step", () => {
  const likeness = new Likeness(facts.features, contentOf({ data }), strings);
  for (const { module, step, pixel: [row, column], cosines } of found) {
    const { values, module: { error }, step: at } = likeness.of(module, step, [(row + 0.5) / HIGH, (column + 0.5) / WIDE]);
    assert.equal(at, step);
    near(values, cosines, error + 1e-6, `${module} at ${step}`);
  }
});

test("the nearest packed step stands for one that is not packed", () => {
  const likeness = new Likeness(facts.features, contentOf({ data }), strings);
  assert.deepEqual([0, 1, 3, 5].map((step) => likeness.of("mid_block", step, [0, 0]).step), [1, 1, 3, 3]);
});

test("a place is most alike to itself, and the second block up is shown first", () => {
  const exploration = open();
  assert.equal(exploration.likeness, null);
  clicked(exploration, 2, 1);
  const { module, region, values } = exploration.likeness;
  assert.equal(module.name, "up_blocks.1");
  assert.equal(values.indexOf(Math.max(...values)), region.cell);
  assert.deepEqual([region.row, region.column], [5, 3]); // the middle of the latent's pixel, on the module's grid
  assert.match(likenessInWords(exploration), /Features of up_blocks\.1, cond, step 5: cosine .* within /);
});

test("a word, pointed at or chosen, shows its map again, and no module shows words alone", () => {
  const exploration = open();
  clicked(exploration, 0, 0);
  exploration.hover.word = 0;
  assert.equal(exploration.likeness, null);
  exploration.hover.word = null;
  assert.ok(exploration.likeness);
  exploration.set({ alike: false });
  assert.equal(exploration.likeness, null);
  exploration.set({ alike: true, features: null });
  assert.equal(exploration.likeness, null);
  exploration.set({ features: "mid_block", region: null });
  assert.equal(exploration.likeness, null);
});

test("what is shown can be shown again; a trace without features names none", () => {
  const one = open(), other = open();
  one.set({ features: "mid_block", alike: true, region: cellRegion(1, 1, one.grid) });
  other.set(other.changeTo(one.shown()));
  assert.deepEqual(other.shown(), one.shown());
  assert.deepEqual([...other.likeness.values], [...one.likeness.values]);
  other.set(other.changeTo({ features: "nothing", alike: 3 }));
  assert.deepEqual(other.shown(), one.shown());
  const { features: _, ...without } = facts, bare = new Exploration(without, contentOf({ data }), strings);
  bare.unpack();
  clicked(bare, 0, 0);
  assert.equal(bare.likeness, null);
  assert.ok(!("features" in bare.shown()));
});

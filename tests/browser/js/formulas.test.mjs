// Every formula that exists in Python and in JavaScript, on the cases that Python wrote down.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Exploration } from "../../../sdexplore/browser/js/exploration.mjs";
import { three } from "../../../sdexplore/browser/js/numbers.mjs";
import { OPAQUE } from "../../../sdexplore/browser/js/painting.mjs";
import { boxRegion, covered } from "../../../sdexplore/browser/js/regions.mjs";
import { addResized, axes } from "../../../sdexplore/browser/js/resizing.mjs";
import { countedSteps } from "../../../sdexplore/browser/js/strings.mjs";
import { competes, folded, mostStriking, rank, shares } from "../../../sdexplore/browser/js/words.mjs";
import { casesOf, contentOf, near, strings } from "./table.mjs";

const EXACT = 2e-6; // what is left between 32 and 64 bits
const LEVELS = 1e-5; // half a level of 16 bits, of a probability

test("maps are resized as Python resizes them, up, down, from one pixel and to one", () => {
  for (const { from, to, values, expected } of casesOf("resizing")) {
    const out = new Float32Array(to[0] * to[1] + 2);
    addResized([9, ...values], 1, from, 1, axes(from, to), out, 1, to);
    near(out.subarray(1, -1), expected, EXACT, `${from} to ${to}`);
    assert.deepEqual([out[0], out.at(-1)], [0, 0]); // nothing is written beside the place
    addResized([9, ...values], 1, from, 0.5, axes(from, to), out, 1, to);
    near(out.subarray(1, -1), expected.map((value) => 1.5 * value), EXACT, "added with a factor");
  }
});

test("a box covers as much of each cell as Python's region does", () => {
  for (const { size, grid, box, weights } of casesOf("region weights")) {
    const region = boxRegion(box, size, grid);
    const product = [...region.rows].flatMap((row) => [...region.columns].map((column) => row * column));
    near(product, weights, EXACT, `${box} of ${size} on ${grid}`);
    near(region.weight, weights.reduce((a, b) => a + b, 0), 1e-5);
    const outside = product.filter((_, i) => {
      const [row, column] = [Math.floor(i / grid[1]), i % grid[1]];
      return row < region.top || row >= region.bottom || column < region.left || column >= region.right;
    });
    assert.ok(outside.every((weight) => weight === 0), "the four edges bound what is covered");
  }
  near(covered(3, 0, 3), [1, 1, 1], 0);
});

test("numbers and counts are written as Python writes them", () => {
  for (const { value, text } of casesOf("three digits")) assert.equal(three(value), text);
  for (const { number, text } of casesOf("counts")) assert.equal(countedSteps(strings, number), text);
});

test("words rank as Python ranks them, and equal ones keep the prompt's order", () => {
  for (const { values, order } of casesOf("ranking")) {
    assert.deepEqual(rank(values.map((_, place) => place), values), order);
    assert.deepEqual(rank(values.map((_, place) => place).reverse(), values), order);
  }
});

test("texts are the same where Python takes them for the same", () => {
  for (const { one, other, same } of casesOf("folding")) {
    assert.equal(folded(one) === folded(other), same, `${JSON.stringify(one)} and ${JSON.stringify(other)}`);
  }
});

test("the colours are matplotlib's viridis", () => {
  casesOf("viridis").forEach(([red, green, blue], i) => {
    assert.equal(OPAQUE[i], ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0, `colour ${i}`);
  });
});

for (const [name, packed] of Object.entries(casesOf("traces"))) {
  const open = () => {
    const exploration = new Exploration(packed.facts, contentOf(packed), strings);
    exploration.unpack();
    return exploration;
  };

  test(`${name}: maps of every entry, step and resolution are those of word_map`, () => {
    const exploration = open();
    for (const { step, layers, maps } of packed.maps) {
      exploration.set({ step, layers });
      assert.ok(exploration.available);
      const { values, cells, count: entries, most } = exploration.current;
      assert.equal(entries, maps.length);
      maps.forEach((expected, entry) => {
        const found = values.subarray(entry * cells, (entry + 1) * cells);
        near(found, expected, LEVELS, `${exploration.entries[entry].text}, step ${step}, layers ${layers}`);
        near(most[entry], Math.max(...expected), LEVELS);
      });
    }
  });

  if (!packed.striking) continue; // a trace without words

  test(`${name}: the words, as the prompt spells each first, are Python's`, () => {
    const words = open().entries.filter(({ kind }) => kind === "word").map(({ text }) => text);
    assert.deepEqual(words.toSorted(), packed.words.toSorted());
  });

  test(`${name}: the most striking word is Python's`, () => {
    const exploration = open();
    assert.equal(exploration.entries[exploration.state.word].text, packed.striking);
    assert.equal(mostStriking(exploration.entries, exploration.current.most), exploration.state.word);
  });

  test(`${name}: regions rank words as region_words`, () => {
    const exploration = open();
    for (const { box, words, inside, outside, area } of packed.regions) {
      const region = boxRegion(box, exploration.size, exploration.grid);
      const { insides, outsides, ranked } = exploration.read(region);
      assert.deepEqual(ranked.map((entry) => exploration.entries[entry].text), words, `box ${box}`);
      near(ranked.map((entry) => insides[entry]), inside, LEVELS);
      near(ranked.map((entry) => outsides[entry]), outside, LEVELS);
      near(region.weight / exploration.current.cells, area, EXACT);
      assert.ok(ranked.every((entry) => competes(exploration.entries[entry])));
    }
  });

  if (!packed.shares) continue; // layers of several grids: the explorer's mean is over the latent grid

  test(`${name}: all attention divides as attention_mass divides it`, () => {
    const exploration = open();
    const found = exploration.read(null).shares;
    for (const [kind, share] of Object.entries(packed.shares)) near(found[kind], share, 1e-4, kind);
    assert.deepEqual(found, shares(exploration.entries, exploration.insides));
  });
}

test("where one softmax covers the picture too, its share is the rest, and words that share a key count once", () => {
  const entry = (kind, ...positions) => ({ kind, positions });
  const entries = [entry("word", 1, 2), entry("word", 2), entry("start", 0), entry("end", 3), entry("rest")];
  const found = shares(entries, [0.2, 0.1, 0.05, 0.05, 0.7]);
  near(Object.values(found), [0.05, 0.2, 0.05, 0, 0.7], EXACT, Object.keys(found).join());
});

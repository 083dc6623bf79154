// Rows and values as Python packs them, unpacked: exactly, and within the error that is stated.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Difference } from "../../../sdexplore/browser/js/maps.mjs";
import { Rows, unpacking } from "../../../sdexplore/browser/js/unpacking.mjs";
import { casesOf, contentOf } from "./table.mjs";

for (const [name, packed] of Object.entries(casesOf("rows"))) {
  test(`${name}: every number comes back, the last row first`, () => {
    const rows = new Rows(packed.reference, contentOf(packed), packed.base);
    for (let row = rows.count - 1; row >= 0; row--) {
      assert.ok(!rows.has(row));
      rows.next();
      assert.ok(rows.has(row));
      const from = row * rows.size, to = from + rows.size;
      assert.deepEqual([...rows.numbers.subarray(from, to)], packed.numbers.slice(from, to));
    }
    assert.deepEqual([...rows.numbers], packed.numbers);
  });
}

for (const [name, { values, means, reference, mean, data }] of Object.entries(casesOf("values"))) {
  test(`${name}: no value is off by more than half a level`, () => {
    const [count, entries, high, wide] = reference.shape;
    const guidance = { steps: [...Array(count).keys()], difference: reference, mean };
    const read = new Difference(guidance, contentOf({ data }), [high, wide]);
    for (const turn of unpacking([read.levels])) assert.equal(turn, undefined);
    const within = (rows, expected) => expected.forEach((value, i) => {
      const entry = Math.floor(i / (high * wide)) % entries, scale = rows.reference.scales[entry];
      const off = Math.abs(rows.numbers[i] * scale - value);
      assert.ok(off <= (scale / 2) * 1.01 + 1e-38, `${off} of ${scale} at ${i}`);
    });
    within(read.levels, values);
    within(read.means, means);
  });
}

test("arrays take turns, the last rows first, and each row is a turn", () => {
  const { reference, data } = casesOf("rows")["noise of 8 bits"];
  const content = contentOf({ data }), [one, other] = [1, 2].map(() => new Rows(reference, content));
  const seen = [];
  for (const turn of unpacking([one, other])) seen.push([one.waiting, other.waiting, turn]);
  assert.deepEqual(seen, [[2, 3], [2, 2], [1, 2], [1, 1], [0, 1], [0, 0]].map((pair) => [...pair, undefined]));
  assert.deepEqual([...unpacking([])], []);
  assert.deepEqual([...unpacking([one])], []);
});

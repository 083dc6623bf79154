// The table of cases that Python writes and holds to its own formulas, and how numbers are compared with it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { BinaryContent } from "../../../sdexplore/browser/js/content.mjs";

const TABLE = JSON.parse(readFileSync(new URL("../cases/formulas.json", import.meta.url), "utf8"));

/** The cases of a formula. */
export function casesOf(name) {
  assert.ok(TABLE[name], `the table has no cases of ${name}`);
  return TABLE[name];
}

/** The strings of the explorer in English. */
export const strings = casesOf("strings");

/** The content of a packed trace. */
export const contentOf = ({ data }) => new BinaryContent(Buffer.from(data, "base64"));

/** Asserts that numbers are within `most` of those expected; null stands for a number that there is none of. */
export function near(found, expected, most, message = "") {
  const [one, other] = [found, expected].map((numbers) => (numbers?.length === undefined ? [numbers] : [...numbers]));
  assert.equal(one.length, other.length, message);
  one.forEach((value, i) => {
    const agrees = other[i] === null ? Number.isNaN(value) : Math.abs(value - other[i]) <= most;
    assert.ok(agrees, `${message} at ${i}: ${value} is not within ${most} of ${other[i]}`);
  });
}

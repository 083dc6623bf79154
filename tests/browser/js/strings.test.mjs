// Strings: templates are filled in as Python fills them in, and each language says everything.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Exploration } from "../../../sdexplore/browser/js/exploration.mjs";
import { countedLayers, listed, say } from "../../../sdexplore/browser/js/strings.mjs";
import * as wording from "../../../sdexplore/browser/js/wording.mjs";
import { casesOf, contentOf, strings } from "./table.mjs";

test("a template is filled in as Python fills it in", () => {
  for (const { template, fields, text } of casesOf("templates")) assert.equal(say({ key: template }, "key", fields), text);
});

test("a string or a field that is not there is an error that names it", () => {
  assert.throws(() => say(strings, "explorer.no_such"), /explorer\.no_such/);
  assert.throws(() => say({ key: "{one} {other}" }, "key", { one: 1 }), /key.*other/);
  assert.throws(() => say({ key: "{toString}" }, "key"), /toString/);
});

test("one thing and several have their own words, and names stand in a row", () => {
  assert.deepEqual([0, 1, 2].map((n) => countedLayers(strings, n)), ["0 layers", "1 layer", "2 layers"]);
  assert.equal(listed(strings, ["a", 3]), "a, 3");
});

test("what is shown has a name besides what it is called in Python", () => {
  const { facts, data } = casesOf("traces")["up, down and not square"], [cond] = facts.roles;
  const entries = cond.entries.map((entry) => (entry.kind === "padding" ? { ...entry, name: "余白" } : entry));
  const one = new Exploration({ ...facts, roles: [{ ...cond, entries }] }, contentOf({ data }), strings);
  one.set(one.changeTo({ word: "padding" }));
  assert.equal(one.shown().word, "padding");
  assert.match(wording.mapInWords(one), /^“余白”, cond/);
});

// The content that references point into: the text of a page and the bytes of a widget.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BinaryContent, printedBytes } from "../../../sdexplore/browser/js/content.mjs";
import { casesOf } from "./table.mjs";

test("any part of a text becomes the bytes that Python wrote", () => {
  for (const { data, text } of casesOf("printable")) {
    const expected = [...Buffer.from(data, "base64")];
    assert.deepEqual([...printedBytes(text, 0, expected.length)], expected);
    for (let at = 0; at <= expected.length; at++) {
      const length = Math.min(5, expected.length - at);
      assert.deepEqual([...printedBytes(text, at, length)], expected.slice(at, at + length), `${length} bytes from ${at} on`);
    }
  }
});

test("bytes that begin anywhere are read", () => {
  const bytes = Uint8Array.from([9, 9, 9, 1, 2, 3, 4]);
  for (const given of [new DataView(bytes.buffer, 3), bytes.subarray(3), bytes.slice(3).buffer]) {
    assert.deepEqual([...new BinaryContent(given).part(1, 2)], [2, 3]);
  }
});

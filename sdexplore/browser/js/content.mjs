// The buffer that references of the facts point into: bytes of a widget, or the text of a page.

const BITS = 13; // of two characters, as sdexplore.browser.printable writes them
const CHARACTERS = 91;
const VALUES = new Uint8Array(128);
for (let code = 33, value = 0; code < 127; code++) if (!"<&(".includes(String.fromCharCode(code))) VALUES[code] = value++;

/** `length` bytes from byte `at` on of what a text holds. */
export function printedBytes(text, at, length) {
  const bytes = new Uint8Array(length), pair = Math.floor((8 * at) / BITS);
  let from = 2 * pair, held = 0, kept = BITS * pair - 8 * at; // below 0: bits of the first pair that lie before `at`
  for (let i = 0; i < length; i++) {
    while (kept < 8) {
      held = (held << BITS) | (VALUES[text.charCodeAt(from)] + CHARACTERS * VALUES[text.charCodeAt(from + 1)]);
      kept += BITS;
      held &= (1 << kept) - 1;
      from += 2;
    }
    kept -= 8;
    bytes[i] = held >>> kept;
    held &= (1 << kept) - 1;
  }
  return bytes;
}

/** The buffer of a page: its first bytes in the text of #first, and those of #data as soon as the page is loaded. */
export class PageContent {
  constructor(first) {
    this.first = first;
    this.texts = [textOf("first"), ""];
    this.ready = loaded().then(() => {
      this.texts[1] = textOf("data");
    });
  }

  /** `length` bytes from byte `at` on. Only what is asked for is turned into bytes. */
  part(at, length) {
    return at < this.first
      ? printedBytes(this.texts[0], at, length)
      : printedBytes(this.texts[1], at - this.first, length);
  }
}

const textOf = (id) => document.getElementById(id).textContent;

/** Resolves when all of the page is there. */
function loaded() {
  if (document.readyState !== "loading") return Promise.resolve();
  return new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
}

/** The buffer of a widget (a DataView), or of a test (bytes). */
export class BinaryContent {
  constructor(data) {
    this.bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
    this.ready = Promise.resolve();
  }

  /** `length` bytes from byte `at` on. */
  part(at, length) {
    return this.bytes.subarray(at, at + length);
  }
}

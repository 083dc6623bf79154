// The buffer that references of the facts point into: bytes of a widget, or the text of a page.

const BITS = 13; // of two characters, as sdexplore.browser.printable writes them
const CHARACTERS = 91;
const VALUES = new Uint8Array(128);
for (let code = 33, value = 0; code < 127; code++) if (!"<&(".includes(String.fromCharCode(code))) VALUES[code] = value++;

/** The buffer of a page, from its text. Only what is asked for is turned into bytes. */
export class PrintedContent {
  constructor(text) {
    this.text = text;
  }

  /** `length` bytes from byte `at` on. */
  part(at, length) {
    const { text } = this, bytes = new Uint8Array(length), pair = Math.floor((8 * at) / BITS);
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
}

/** The buffer of a widget (a DataView), or of a test (bytes). */
export class BinaryContent {
  constructor(data) {
    this.bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  }

  /** `length` bytes from byte `at` on. */
  part(at, length) {
    return this.bytes.subarray(at, at + length);
  }
}

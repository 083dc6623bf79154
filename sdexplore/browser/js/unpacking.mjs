// Rows of whole numbers, unpacked one after the other as sdexplore.browser.row_coding packs them, from the last to the
// first: where a reader begins.

const ESCAPE = 24; // so many ones say that the 16 bits behind them are the number itself
const RAW = 16;

/** The array that a reference of the facts points at; its rows arrive one by one. */
export class Rows {
  /** `base` is what the last row resembles (an array of a row's length), null where nothing is known of it. */
  constructor(reference, content, base = null) {
    const [count, entries, high, wide] = reference.shape;
    this.reference = reference;
    this.content = content;
    this.base = base;
    this.grid = [entries, high, wide];
    this.size = entries * high * wide;
    this.numbers = new (reference.bits === 16 ? Uint16Array : Uint8Array)(count * this.size);
    this.count = count;
    this.waiting = count; // the rows before this one are packed still
    this.at = reference.at;
  }

  /** Whether a row is unpacked. */
  has(row) {
    return row >= this.waiting;
  }

  /** Unpacks the next row. */
  next() {
    const { reference, count, size, numbers } = this, place = count - this.waiting;
    if (place === 0) {
      this.changes = new Int32Array(size);
      this.differences = new Uint16Array(size);
    }
    const before = place ? numbers.subarray((count - place) * size, (count - place + 1) * size) : this.base;
    const row = numbers.subarray((count - place - 1) * size, (count - place) * size);
    const length = reference.lengths[place];
    this.#read(new Bits(this.content.part(this.at, length)), row, before, place === 0);
    this.at += length;
    this.waiting--;
    if (!this.waiting) this.changes = this.differences = this.base = null;
  }

  #read(bits, row, before, isFirst) {
    const { changes, differences, reference } = this, [entries, high, wide] = this.grid;
    const mask = 2 ** reference.bits - 1, shift = before ? 2 : 1;
    let i = 0;
    for (let entry = 0; entry < entries; entry++) {
      for (let y = 0; y < high; y++) {
        for (let x = 0; x < wide; x++, i++) {
          const left = x ? i - 1 : y ? i - wide : -1, up = y ? i - wide : left;
          let around = 0, moved = 0;
          if (left >= 0) {
            const beside = differences[left], corner = y && x < wide - 1 ? differences[up + 1] : differences[up];
            around = beside + differences[up] + corner + (isFirst ? beside : differences[i]);
            moved = (changes[left] + changes[up]) >> shift;
          } else if (!isFirst) around = differences[i];
          const difference = bits.next(31 - Math.clz32(((around + 2) >> 2) | 1));
          const known = before ? before[i] : 0;
          const number = (known + moved + ((difference >>> 1) ^ -(difference & 1))) & mask;
          differences[i] = difference;
          changes[i] = number - known;
          row[i] = number;
        }
      }
    }
  }
}

/** Rice codes, the highest bit of a byte first. */
class Bits {
  constructor(bytes) {
    this.bytes = bytes;
    this.from = 0;
    this.held = 0; // the next bits, from the highest on
    this.count = 0;
  }

  #fill() {
    while (this.count <= 24) {
      this.held |= (this.bytes[this.from++] ?? 0) << (24 - this.count);
      this.count += 8;
    }
  }

  #drop(bits) {
    this.held <<= bits;
    this.count -= bits;
  }

  /** The next number, of a code with `width` bits behind its ones. */
  next(width) {
    this.#fill();
    const ones = Math.clz32(~this.held), isLong = ones >= ESCAPE;
    this.#drop(isLong ? ESCAPE : ones + 1);
    const rest = isLong ? RAW : width;
    if (!rest) return ones;
    if (this.count < rest) this.#fill();
    const low = this.held >>> (32 - rest);
    this.#drop(rest);
    return isLong ? low : (ones << rest) | low;
  }
}

/** Takes turns: the last row of each array, then the row before it, until all are there. Yields after each row. */
export function* unpacking(arrays) {
  const most = Math.max(0, ...arrays.map(({ count }) => count));
  for (let place = 0; place < most; place++) {
    for (const rows of arrays) {
      if (rows.waiting && rows.count - rows.waiting <= place) {
        rows.next();
        yield;
      }
    }
  }
}

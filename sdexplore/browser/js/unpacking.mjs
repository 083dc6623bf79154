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
    this.#read(this.content.part(this.at, length), row, before, place === 0);
    this.at += length;
    this.waiting--;
    if (!this.waiting) this.changes = this.differences = this.base = null;
  }

  /** Reads a row's Rice codes, the highest bit of a byte first, and adds what the predictions are off. */
  #read(bytes, row, before, isFirst) {
    const { changes, differences, reference } = this, [entries, high, wide] = this.grid;
    const mask = 2 ** reference.bits - 1, shift = before ? 2 : 1, end = wide - 1;
    let held = 0, count = 0, from = 0; // the next bits, from the highest on; how many; the byte behind them
    for (let line = 0, i = 0; line < entries * high; line++) {
      const isTop = line % high === 0;
      let left = 0, leftChange = 0;
      for (let x = 0; x < wide; x++, i++) {
        let up = left, corner = left, upChange = leftChange;
        if (!isTop) {
          up = differences[i - wide];
          corner = x < end ? differences[i - wide + 1] : up;
          upChange = changes[i - wide];
          if (x === 0) [left, leftChange] = [up, upChange];
        }
        const around = left + up + corner + (isFirst ? left : differences[i]);
        while (count <= 24) {
          held |= bytes[from++] << (24 - count); // behind the end undefined, which counts as 0
          count += 8;
        }
        let difference = Math.clz32(~held); // the ones
        const isLong = difference >= ESCAPE, width = isLong ? RAW : 31 - Math.clz32(((around + 2) >> 2) | 1);
        const used = isLong ? ESCAPE : difference + 1;
        held <<= used;
        count -= used;
        if (width) {
          while (count <= 24) {
            held |= bytes[from++] << (24 - count);
            count += 8;
          }
          const low = held >>> (32 - width);
          difference = isLong ? low : (difference << width) | low;
          held <<= width;
          count -= width;
        }
        const known = before ? before[i] : 0;
        const moved = (leftChange + upChange) >> shift;
        const number = (known + moved + ((difference >>> 1) ^ -(difference & 1))) & mask;
        left = differences[i] = difference;
        leftChange = changes[i] = number - known;
        row[i] = number;
      }
    }
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

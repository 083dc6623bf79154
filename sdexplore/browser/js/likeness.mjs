// How alike the features of all places are to those of one: products of the short vectors that Python packed.

import { cellRegion } from "./regions.mjs";

/** The packed features of a trace, and the map of a cell. */
export class Likeness {
  constructor(facts, content) {
    this.role = facts.role;
    this.modules = facts.modules;
    this.content = content;
    this.isReady = false; // whether the content has arrived
    this.kept = new Map(); // the place of packed vectors -> the vectors
  }

  /** The module that is shown first: the second block up, as its features tell objects apart, or else the finest. */
  get usual() {
    const names = this.modules.map(({ name }) => name), cells = ({ grid }) => grid[0] * grid[1];
    if (names.includes("up_blocks.1")) return "up_blocks.1";
    return this.modules.reduce((best, one) => (cells(one) > cells(best) ? one : best)).name;
  }

  /** Whether a module is there. */
  has(name) {
    return this.modules.some((one) => one.name === name);
  }

  /**
   * Where features are alike to those of the cell in which a place of the picture lies, given as shares (down, over).
   *
   * The step is the packed one that is nearest. `values` are cosines from −1 to 1; NaN where a cell has no direction,
   * and all of them where the place's own has none.
   */
  of(name, step, [down, over]) {
    const module = this.modules.find((one) => one.name === name), { grid } = module;
    const nearest = module.steps.reduce((best, one) => (Math.abs(one.step - step) < Math.abs(best.step - step) ? one : best));
    const region = cellRegion(down * grid[0], over * grid[1], grid);
    return { module, region, grid, step: nearest.step, values: this.#products(nearest, grid[0] * grid[1], region.cell) };
  }

  #products({ at, length, numbers, scale }, cells, cell) {
    if (!this.kept.has(at)) {
      const bytes = this.content.part(at, length);
      this.kept.set(at, new Int8Array(bytes.buffer, bytes.byteOffset, length));
    }
    const vectors = this.kept.get(at), values = new Float32Array(cells), own = cell * numbers;
    const isNone = (start) => vectors.subarray(start, start + numbers).every((number) => number === 0);
    const lost = isNone(own);
    for (let i = 0, start = 0; i < cells; i++, start += numbers) {
      let sum = 0;
      for (let k = 0; k < numbers; k++) sum += vectors[own + k] * vectors[start + k];
      values[i] = lost || isNone(start) ? NaN : Math.max(-1, Math.min(1, sum * scale * scale));
    }
    return values;
  }
}

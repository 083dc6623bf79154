// The word maps of one role, and the means of a region over them.

import { isCell } from "./regions.mjs";
import { addResized, axes } from "./resizing.mjs";
import { Rows } from "./unpacking.mjs";
import { competes } from "./words.mjs";

/** The maps of one role for a choice of step and layers, on the latent grid, as `sdx.word_map` computes them. */
export class Maps {
  constructor(role, content, grid) {
    this.role = role;
    this.grid = grid;
    this.cells = grid[0] * grid[1];
    this.count = role.entries.length;
    this.values = new Float32Array(this.count * this.cells);
    this.most = new Float64Array(this.count);
    this.total = new Float64Array(this.count);
    this.groups = role.groups.map((group) => ({
      ...group,
      side: Math.max(...group.grid),
      ...stepsAndMean(group.maps, group.mean, content),
      axes: axes(group.grid, grid),
    }));
    this.resolutions = [...new Set(this.groups.map((group) => group.side))]; // by the longer side, as Python names them
    this.shared = 0;
    this.used = { layers: 0, steps: 0 };
    this.waits = false;
  }

  /**
   * Computes every entry's map, and returns whether there is one.
   *
   * Step null is the mean over all steps, resolution null all layers. `waits` says that there will be one, as soon as
   * it is unpacked.
   */
  choose(step, resolution) {
    this.values.fill(0);
    const chosen = [];
    for (const group of this.groups) {
      if (resolution !== null && group.side !== resolution) continue;
      const row = step === null ? 0 : group.steps.indexOf(step);
      if (row >= 0) chosen.push([group, row]);
    }
    const layers = chosen.reduce((sum, [group]) => sum + group.layers.length, 0);
    this.used = { layers, steps: step === null ? Math.max(0, ...chosen.map(([group]) => group.averaged)) : 1 };
    this.waits = step !== null && chosen.some(([{ levels }, row]) => !levels.has(row));
    if (!this.waits) for (const [group, row] of chosen) this.#add(group, row, step === null, group.layers.length / layers);
    this.#measure();
    return layers > 0 && !this.waits;
  }

  /** Adds a group's maps, each group with its share of the layers. */
  #add(group, row, ofAllSteps, share) {
    const { numbers: levels, reference: { scales } } = ofAllSteps ? group.means : group.levels;
    const size = group.grid[0] * group.grid[1];
    for (let entry = 0; entry < this.count; entry++) {
      const start = (row * this.count + entry) * size;
      const factor = scales[entry] * share;
      addResized(levels, start, group.grid, factor, group.axes, this.values, entry * this.cells, this.grid);
    }
  }

  /** Finds each map's largest value and its sum, and the largest value of all words. */
  #measure() {
    this.shared = 0;
    for (let entry = 0; entry < this.count; entry++) {
      let most = 0, total = 0;
      for (let i = entry * this.cells; i < (entry + 1) * this.cells; i++) {
        const value = this.values[i];
        total += value;
        if (value > most) most = value;
      }
      this.most[entry] = most;
      this.total[entry] = total;
      if (competes(this.role.entries[entry]) && most > this.shared) this.shared = most;
    }
  }

  /** The mean of an entry's map inside a region and outside it, as `sdx.region_words` computes them. */
  means(entry, region, into) {
    const offset = entry * this.cells;
    if (!region) {
      into.inside = this.total[entry] / this.cells;
      into.outside = NaN;
    } else if (isCell(region)) {
      into.inside = this.values[offset + region.cell];
      into.outside = this.cells > 1 ? (this.total[entry] - into.inside) / (this.cells - 1) : NaN;
    } else {
      let sum = 0;
      for (let r = region.top; r < region.bottom; r++) {
        for (let c = region.left; c < region.right; c++) {
          sum += this.values[offset + r * this.grid[1] + c] * region.rows[r] * region.columns[c];
        }
      }
      const rest = this.cells - region.weight;
      into.inside = sum / region.weight;
      into.outside = rest > 1e-6 * this.cells ? (this.total[entry] - sum) / rest : NaN;
    }
    return into;
  }
}

/** The maps of single steps, still packed, and their mean; the last step resembles the mean. */
function stepsAndMean(steps, mean, content) {
  const means = new Rows(mean, content), size = means.size / steps.scales.length;
  means.next();
  const last = 2 ** steps.bits - 1;
  const ratios = steps.scales.map((scale, entry) => (scale > 0 ? mean.scales[entry] / scale : 0));
  const base = Int32Array.from(means.numbers, (level, i) =>
    Math.min(last, Math.floor(level * ratios[Math.floor(i / size)] + 0.5)));
  return { means, levels: new Rows(steps, content, base) };
}

/** Where guidance changes the noise prediction: |cond − uncond| of a step, or its mean over all steps. */
export class Difference {
  constructor(guidance, content, grid) {
    this.guidance = guidance;
    this.values = new Float32Array(grid[0] * grid[1]);
    Object.assign(this, stepsAndMean(guidance.difference, guidance.mean, content));
    this.most = 0;
    this.there = false;
    this.waits = false;
  }

  /**
   * Computes the map of a step; null is the mean.
   *
   * `there` says whether there is one: guidance was computed at that step. `waits`: it was, and is not unpacked yet.
   */
  choose(step) {
    const { guidance, values } = this;
    const ofAllSteps = step === null, row = ofAllSteps ? 0 : guidance.steps.indexOf(step);
    const { numbers: levels, reference: { scales } } = ofAllSteps ? this.means : this.levels;
    this.waits = row >= 0 && !ofAllSteps && !this.levels.has(row);
    this.there = row >= 0 && !this.waits;
    this.most = 0;
    for (let i = 0; i < values.length; i++) {
      values[i] = !this.there ? 0 : levels[row * values.length + i] * scales[0];
      if (values[i] > this.most) this.most = values[i];
    }
  }
}

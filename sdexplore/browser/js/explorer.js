// The linked explorer: a picture, the words of its prompt, and where each step looked at which word.
//
// mount(host, facts, data) shows what sdexplore.canvas.packing packed: `facts` is its JSON, `data` its buffer. Plain
// JavaScript without build step, library or network; everything is drawn from typed arrays that are there already.
// Text that came from outside is set as textContent and nowhere else. The default export is anywidget's.

const VIRIDIS =
  "44015444025645045745055946075a46085c460a5d460b5e470d60470e6147106347116447136548146748166848176948186a481a6c" +
  "481b6d481c6e481d6f481f70482071482173482374482475482576482677482878482979472a7a472c7a472d7b472e7c472f7d46307e" +
  "46327e46337f463480453581453781453882443983443a83443b84433d84433e85423f85424086424186414287414487404588404688" +
  "3f47883f48893e49893e4a893e4c8a3d4d8a3d4e8a3c4f8a3c508b3b518b3b528b3a538b3a548c39558c39568c38588c38598c375a8c" +
  "375b8d365c8d365d8d355e8d355f8d34608d34618d33628d33638d32648e32658e31668e31678e31688e30698e306a8e2f6b8e2f6c8e" +
  "2e6d8e2e6e8e2e6f8e2d708e2d718e2c718e2c728e2c738e2b748e2b758e2a768e2a778e2a788e29798e297a8e297b8e287c8e287d8e" +
  "277e8e277f8e27808e26818e26828e26828e25838e25848e25858e24868e24878e23888e23898e238a8d228b8d228c8d228d8d218e8d" +
  "218f8d21908d21918c20928c20928c20938c1f948c1f958b1f968b1f978b1f988b1f998a1f9a8a1e9b8a1e9c891e9d891f9e891f9f88" +
  "1fa0881fa1881fa1871fa28720a38620a48621a58521a68522a78522a88423a98324aa8325ab8225ac8226ad8127ad8128ae8029af7f" +
  "2ab07f2cb17e2db27d2eb37c2fb47c31b57b32b67a34b67935b77937b87838b9773aba763bbb753dbc743fbc7340bd7242be7144bf70" +
  "46c06f48c16e4ac16d4cc26c4ec36b50c46a52c56954c56856c66758c7655ac8645cc8635ec96260ca6063cb5f65cb5e67cc5c69cd5b" +
  "6ccd5a6ece5870cf5773d05675d05477d1537ad1517cd2507fd34e81d34d84d44b86d54989d5488bd6468ed64590d74393d74195d840" +
  "98d83e9bd93c9dd93ba0da39a2da37a5db36a8db34aadc32addc30b0dd2fb2dd2db5de2bb8de29bade28bddf26c0df25c2df23c5e021" +
  "c8e020cae11fcde11dd0e11cd2e21bd5e21ad8e219dae319dde318dfe318e2e418e5e419e7e419eae51aece51befe51cf1e51df4e61e" +
  "f6e620f8e621fbe723fde725";
const RANKED = new Set(["word", "position"]); // what competes for a pixel: what Python's region_words ranks
const SHARES = ["start", "words", "end", "padding"];
const DRAG = 4; // pixels that a pointer moves before it draws a region
const THUMB = 44;

// Colours as the bytes of an ImageData: opaque, and for over the picture more transparent the smaller the value.
const OPAQUE = new Uint32Array(256), OVER = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  const byte = (at) => parseInt(VIRIDIS.substr(6 * i + at, 2), 16);
  const colour = (byte(4) << 16) | (byte(2) << 8) | byte(0);
  OPAQUE[i] = ((255 << 24) | colour) >>> 0;
  OVER[i] = (((90 + ((115 * i) >> 8)) << 24) | colour) >>> 0;
}

// ---------------------------------------------------------------------------------------------------- numbers

/** One axis of bilinear resizing between pixel centres, as sdexplore.analysis.grids does it. */
function axis(from, to) {
  const low = new Uint16Array(to), high = new Uint16Array(to), share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const centre = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    low[i] = Math.min(Math.floor(centre), from - 1);
    high[i] = Math.min(low[i] + 1, from - 1);
    share[i] = centre - low[i];
  }
  return { low, high, share };
}

/** Adds weight × the levels at `start`, resized to the latent grid, to `out` at `place`. */
function addResized(levels, start, grid, factor, axes, out, place, target) {
  const [, columns] = grid, [rows, wide] = target, { y, x } = axes;
  for (let r = 0; r < rows; r++) {
    const upper = start + y.low[r] * columns, lower = start + y.high[r] * columns, down = y.share[r];
    for (let c = 0; c < wide; c++) {
      const left = x.low[c], right = x.high[c], over = x.share[c];
      const top = levels[upper + left] * (1 - over) + levels[upper + right] * over;
      const bottom = levels[lower + left] * (1 - over) + levels[lower + right] * over;
      out[place + r * wide + c] += factor * (top * (1 - down) + bottom * down);
    }
  }
}

function typed(reference, bytes) {
  if (!reference) return null;
  const length = reference.shape.reduce((a, b) => a * b, 1);
  const Type = reference.type === "uint16" ? Uint16Array : Uint8Array;
  return new Type(bytes.buffer, bytes.byteOffset + reference.at, length);
}

const three = (value) => (Number.isFinite(value) ? (value === 0 ? "0" : value >= 1e-4 ? Number(value.toPrecision(3)).toString() : value.toExponential(1)) : "–");
const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const gridName = ([y, x]) => `${y} × ${x}`;

/** The maps of one role for a choice of step and layers, on the latent grid, as `sdx.word_map` computes them. */
class Maps {
  constructor(role, bytes, grid) {
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
      levels: typed(group.maps, bytes),
      means: typed(group.mean, bytes),
      axes: { y: axis(group.grid[0], grid[0]), x: axis(group.grid[1], grid[1]) },
    }));
    this.resolutions = [...new Set(this.groups.map((group) => group.side))]; // by the longer side, as sdexplore names them
    this.shared = 0;
    this.used = { layers: 0, steps: 0 };
  }

  /** Computes every entry's map; step null is the mean over all steps, resolution null all layers. */
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
    for (const [group, row] of chosen) {
      const levels = step === null ? group.means : group.levels;
      const scales = step === null ? group.mean.scales : group.maps.scales;
      const size = group.grid[0] * group.grid[1];
      for (let entry = 0; entry < this.count; entry++) {
        const factor = (scales[entry] * group.layers.length) / layers;
        const start = (row * this.count + entry) * size;
        addResized(levels, start, group.grid, factor, group.axes, this.values, entry * this.cells, this.grid);
      }
    }
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
      if (RANKED.has(this.role.entries[entry].kind) && most > this.shared) this.shared = most;
    }
    return layers > 0;
  }

  /** Mean of an entry's map inside weights and outside them, as `sdx.region_words` does. */
  means(entry, region, into) {
    const offset = entry * this.cells;
    if (!region) {
      into.inside = this.total[entry] / this.cells;
      into.outside = NaN;
    } else if (region.cell !== undefined) {
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

/** How much of each cell of the grid lies in the box [left, top, right, bottom] of the picture. */
function boxRegion(box, size, grid) {
  const [left, top, right, bottom] = box;
  const covered = (cells, from, to, scale) => {
    const weights = new Float32Array(cells);
    for (let i = 0; i < cells; i++) {
      weights[i] = Math.max(0, Math.min(i + 1, to * scale) - Math.max(i, from * scale));
    }
    return weights;
  };
  const rows = covered(grid[0], top, bottom, grid[0] / size[0]);
  const columns = covered(grid[1], left, right, grid[1] / size[1]);
  const sum = (weights) => weights.reduce((a, b) => a + b, 0);
  const touched = (weights) => [weights.findIndex((w) => w > 0), weights.findLastIndex((w) => w > 0) + 1];
  const [firstRow, lastRow] = touched(rows), [firstColumn, lastColumn] = touched(columns);
  return {
    box, rows, columns, weight: sum(rows) * sum(columns),
    top: firstRow, bottom: lastRow, left: firstColumn, right: lastColumn,
  };
}

// ---------------------------------------------------------------------------------------------------- elements

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

function paint(canvas, grid, colours) {
  const [rows, columns] = grid;
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
    canvas.pixels = null;
  }
  canvas.pixels ??= new ImageData(columns, rows);
  colours(canvas.pixels);
  canvas.getContext("2d").putImageData(canvas.pixels, 0, 0);
}

/** Draws values from 0 (dark blue) to `top` (yellow). */
function paintMap(canvas, grid, values, offset, top, colours = OPAQUE) {
  paint(canvas, grid, (image) => {
    const pixels = new Uint32Array(image.data.buffer), scale = top > 0 ? 255 / top : 0;
    for (let i = 0; i < pixels.length; i++) pixels[i] = colours[Math.min(255, Math.round(values[offset + i] * scale))];
  });
}

/** Draws rows of red, green, blue. */
function paintColours(canvas, grid, bytes, offset) {
  paint(canvas, grid, (image) => {
    for (let i = 0, j = offset; i < image.data.length; i += 4, j += 3) {
      image.data[i] = bytes[j];
      image.data[i + 1] = bytes[j + 1];
      image.data[i + 2] = bytes[j + 2];
      image.data[i + 3] = 255;
    }
  });
}

let instances = 0;

// ---------------------------------------------------------------------------------------------------- looks

// Colours are JupyterLab's where it is there, else the system's light or dark ones.
const STYLES = `
:host { display: block; min-width: 280px; container-type: inline-size; --own-ground: #fff; --own-ink: #1b1f24; --own-faint: #59636e; --own-line: #d1d9e0; --own-raised: #f3f5f7; --own-accent: #0969da; }
@media (prefers-color-scheme: dark) {
  :host { --own-ground: #14171b; --own-ink: #e8ecf0; --own-faint: #9aa4ae; --own-line: #39414a; --own-raised: #22272d; --own-accent: #58a6ff; }
}
.explorer {
  --ground: var(--jp-layout-color1, var(--own-ground)); --ink: var(--jp-ui-font-color1, var(--own-ink)); --faint: var(--jp-ui-font-color2, var(--own-faint));
  --line: var(--jp-border-color2, var(--own-line)); --raised: var(--jp-layout-color2, var(--own-raised)); --accent: var(--jp-brand-color1, var(--own-accent));
  box-sizing: border-box; max-width: 1080px; padding: 2px; background: var(--ground); color: var(--ink); font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
  display: grid; grid-template-columns: minmax(0, min(48%, max(330px, 440px * var(--ratio)))) minmax(0, 1fr); gap: 10px 24px; align-items: start;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
p, h3, h4, ol, ul { margin: 0; padding: 0; }
h3 { font-size: 13px; font-weight: 650; margin: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
h4 { font-size: 12px; font-weight: 600; color: var(--faint); }
button, select, input { font: inherit; color: inherit; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.left { display: grid; gap: 7px; min-width: 0; container: left / inline-size; }
.side { display: grid; gap: 8px; min-width: 0; align-content: start; }
.foot { grid-column: 1 / -1; display: grid; gap: 6px; }
.stage { position: relative; width: 100%; max-width: calc(440px * var(--ratio)); margin: 0 auto; background: var(--raised); border-radius: 4px; overflow: hidden; cursor: crosshair; touch-action: pan-y pinch-zoom; user-select: none; -webkit-user-select: none; }
.stage.drawing { touch-action: none; }
.stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.base.coarse, .heat.alone, .thumb, .mini { image-rendering: pixelated; }
.frame { position: absolute; border: 2px solid #e69f00; outline: 1px solid rgb(0 0 0 / .75); box-shadow: inset 0 0 0 1px rgb(0 0 0 / .6); pointer-events: none; min-width: 8px; min-height: 8px; }
.veil { position: absolute; inset: 0; display: grid; place-content: center; padding: 12%; text-align: center; color: var(--faint); }
.scale { display: flex; gap: 6px; align-items: center; }
.ramp-box { position: relative; flex: 1; height: 12px; }
.ramp { width: 100%; height: 100%; display: block; border-radius: 2px; }
.tick { position: absolute; top: -3px; bottom: -3px; width: 3px; margin-left: -1.5px; background: var(--ink); border: solid var(--ground); border-width: 0 1px; box-sizing: content-box; }
.number { font-variant-numeric: tabular-nums; min-width: 1ch; }
.scale .number:last-child { min-width: 7ch; }
.what { color: var(--faint); min-height: 2.9em; font-size: 12px; }
.brief { display: none; font-weight: 600; min-height: 2.9em; overflow-wrap: anywhere; }
.row { display: flex; align-items: center; gap: 8px; min-width: 0; }
.between { justify-content: space-between; }
.steps { display: grid; gap: 2px; }
.steps input[type=range] { flex: 1; min-width: 0; accent-color: var(--accent); margin: 0; }
.step-text { font-variant-numeric: tabular-nums; font-size: 12px; color: var(--faint); min-height: 1.45em; }
.check { white-space: nowrap; }
.check input { accent-color: var(--accent); vertical-align: -2px; margin: 0; }
.label { color: var(--faint); }
.views { border: 0; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 4px; min-width: 0; }
.views legend { position: absolute; clip-path: inset(50%); }
.view { position: relative; display: grid; grid-template-columns: minmax(0, 1fr); align-content: start; gap: 2px; padding: 3px; border: 2px solid transparent; border-radius: 5px; cursor: pointer; text-align: center; font-size: 11px; line-height: 1.2; min-width: 0; overflow-wrap: break-word; }
.view:hover { background: var(--raised); }
.view:has(:checked) { border-color: var(--accent); }
.view:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 1px; }
.view input { position: absolute; opacity: 0; pointer-events: none; }
.thumb { width: 100%; aspect-ratio: 1; object-fit: contain; background: var(--raised); border-radius: 2px; }
.thumb.empty { opacity: .15; }
.controls { display: flex; flex-wrap: wrap; gap: 6px 12px; }
.choice { display: inline-flex; align-items: center; gap: 5px; }
select, .quiet { background: var(--raised); border: 1px solid var(--line); border-radius: 4px; padding: 2px 6px; min-height: 26px; max-width: 100%; }
.quiet { cursor: pointer; white-space: nowrap; font-size: 12px; }
.quiet[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
.unneeded { visibility: hidden; }
.prompt { display: grid; gap: 5px; }
.chips { display: flex; flex-wrap: wrap; gap: 4px; max-height: 9.5em; overflow-y: auto; padding: 2px; }
.chip { border: 1px solid var(--line); background: var(--raised); border-radius: 5px; padding: 2px 8px; min-height: 28px; cursor: pointer; max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: pre; }
.chip:hover, .chip.hovered { border-color: var(--ink); }
.chip[aria-pressed=true] { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); font-weight: 600; }
.chip.part { font-size: 11px; margin-left: -3px; border-style: dotted; padding: 2px 5px; }
.chip.special { border-style: dashed; background: none; }
.chip.lost { color: var(--faint); cursor: default; background: none; }
.ranked { list-style: none; display: grid; gap: 1px; height: calc(var(--rows, 8) * 38px); overflow-y: auto; align-content: start; }
.ranked li { display: flex; gap: 8px; align-items: center; height: 37px; padding: 1px 4px; border-radius: 4px; cursor: pointer; border-left: 3px solid transparent; }
.ranked li:hover { background: var(--raised); }
.ranked li.chosen { border-left-color: var(--accent); }
.mini { width: 34px; height: 34px; object-fit: contain; border-radius: 2px; flex: none; }
.cells { flex: 1; min-width: 0; }
.line { display: flex; gap: 8px; align-items: baseline; }
.name { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.value { font-variant-numeric: tabular-nums; min-width: 7ch; text-align: right; }
.ratio { font-size: 11px; color: var(--faint); font-variant-numeric: tabular-nums; }
.bar { height: 5px; background: var(--raised); border-radius: 2px; overflow: hidden; }
.bar i { display: block; height: 100%; background: #0072b2; }
.note { font-size: 11.5px; color: var(--faint); }
.mass-box { display: grid; gap: 3px; }
.mass { display: flex; height: 10px; border-radius: 2px; overflow: hidden; background: var(--raised); }
.mass i.start, .mass-text i.start { background: #e69f00; }
.mass i.words, .mass-text i.words { background: #0072b2; }
.mass i.end, .mass-text i.end { background: #009e73; }
.mass i.padding, .mass-text i.padding { background: #9aa0a6; }
.mass-text { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12px; }
.mass-text i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 4px; }
.mass-text b { font-weight: 600; font-variant-numeric: tabular-nums; display: inline-block; min-width: 5ch; }
.notes { list-style: none; border-left: 3px solid #e69f00; padding: 2px 10px; display: grid; gap: 3px; font-size: 12px; }
.plain { white-space: pre-wrap; overflow-wrap: anywhere; }
details { font-size: 12px; }
summary { cursor: pointer; }
details > p { margin: 6px 0; max-width: 75ch; }
table { border-collapse: collapse; margin-top: 4px; }
th { text-align: left; font-weight: 500; color: var(--faint); padding: 1px 14px 1px 0; vertical-align: top; white-space: nowrap; }
td { padding: 1px 0; overflow-wrap: anywhere; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: no-preference) { .bar i { transition: width 60ms linear; } }
@container (max-width: 600px) {
  .brief { display: block; }
  .explorer { grid-template-columns: minmax(0, 1fr); }
}
@container left (max-width: 400px) {
  .what { min-height: 4.35em; }
  .views { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .view { grid-template-columns: 38px minmax(0, 1fr); gap: 6px; align-items: center; text-align: left; }
}
`;

// ---------------------------------------------------------------------------------------------------- explorer

class Explorer {
  constructor(host, facts, data, onState) {
    this.facts = facts;
    // Views of numbers need aligned bytes, and a widget's DataView may begin anywhere.
    const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
    this.bytes = bytes.byteOffset % 8 ? bytes.slice() : bytes;
    this.grid = facts.grid;
    this.size = facts.size ?? facts.grid;
    this.onState = onState;
    this.id = `sdx${++instances}`;
    this.maps = facts.roles.map((role) => new Maps(role, this.bytes, this.grid));
    this.pictures = new Map(); // "kind step" -> ImageBitmap
    this.state = this.#initial();
    this.hover = { word: null, region: null };
    this.scratch = { inside: 0, outside: 0 };
    this.dirty = new Set();
    this.#collectViews();
    this.#build(host);
    this.#choose();
    if (this.current?.count) this.state.word = this.#mostStriking();
    this.#decodePictures();
    this.draw();
  }

  #initial() {
    return {
      role: 0, word: null, step: null, at: this.facts.steps.length - 1, layers: null, view: null,
      look: "over", scale: "shared", region: null,
    };
  }

  get current() {
    return this.maps[this.state.role] ?? null;
  }

  get step() {
    return this.facts.steps[this.state.at];
  }

  /** The word whose map stands out most: the highest peak of all (Python's `most_striking`). */
  #mostStriking() {
    let best = null;
    this.current.role.entries.forEach((entry, i) => {
      if (RANKED.has(entry.kind) && (best === null || this.current.most[i] > this.current.most[best])) best = i;
    });
    return best;
  }

  /** What the stage can show beneath the map; each says where its pixels come from. */
  #collectViews() {
    const { pictures, previews, guidance } = this.facts;
    const views = [];
    if (pictures.image) views.push({ name: "image", label: "picture", title: "The finished picture" });
    if (previews.x0 || Object.keys(pictures.x0).length) {
      views.push({ name: "x0", label: "predicted x0", title: "What the model takes the finished picture to be, at this step" });
    }
    if (previews.x_t || Object.keys(pictures.x_t).length) {
      views.push({ name: "x_t", label: "noisy x_t", title: "The latents before this step" });
    }
    if (guidance?.uncond) {
      views.push({ name: "uncond", label: "x0 uncond", title: "x0 as the unconditional half alone predicts it" });
      views.push({ name: "cond", label: "x0 cond", title: "x0 as the conditional half alone predicts it" });
    }
    if (guidance) {
      views.push({
        name: "difference", label: "|cond − uncond|",
        title: "Where the prompt changes the noise prediction: root mean square over channels of cond − uncond",
      });
    }
    this.views = views;
    // Where nothing else can lie beneath it, a word's map stands alone.
    this.state.view = views.find((view) => view.name !== "difference" || !this.maps.length)?.name ?? null;
    this.usual = this.state.view;
    this.colours = {
      x0: typed(previews.x0, this.bytes), x_t: typed(previews.x_t, this.bytes),
      uncond: typed(guidance?.uncond, this.bytes), cond: typed(guidance?.cond, this.bytes),
    };
    if (guidance) {
      this.difference = {
        values: new Float32Array(this.grid[0] * this.grid[1]),
        levels: typed(guidance.difference, this.bytes), mean: typed(guidance.mean, this.bytes), most: 0,
      };
    }
  }

  #decodePictures() {
    const { pictures } = this.facts;
    const wanted = [["image", pictures.image]];
    for (const kind of ["x0", "x_t"]) {
      for (const [step, reference] of Object.entries(pictures[kind])) wanted.push([`${kind} ${step}`, reference]);
    }
    for (const [name, reference] of wanted) {
      if (!reference) continue;
      const content = this.bytes.subarray(reference.at, reference.at + reference.length);
      createImageBitmap(new Blob([content], { type: reference.type })).then((bitmap) => {
        if (this.gone) return bitmap.close();
        this.pictures.set(name, bitmap);
        this.#dirt("base");
      });
    }
  }

  // -------------------------------------------------------------------------------------------------- building

  #build(host) {
    this.host = host;
    // Plain keys here are not JupyterLab's (arrows would leave the cell, "d d" delete it); Ctrl+S and its like are.
    const plain = (event) => host.toggleAttribute("data-lm-suppress-shortcuts", !(event?.ctrlKey || event?.metaKey));
    host.addEventListener("keydown", plain, true);
    plain();
    const root = host.attachShadow({ mode: "open" });
    root.append(make("style", { text: STYLES }));
    this.root = make("section", { class: "explorer", "aria-label": "Linked explorer: picture, words and where they looked" });
    this.root.style.setProperty("--ratio", this.size[1] / this.size[0]);
    this.root.append(this.#buildStage(), this.#buildSide(), this.#buildFoot());
    root.append(this.root);
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#set({ region: null });
      event.stopPropagation();
    });
  }

  #buildStage() {
    const [high, wide] = this.size;
    this.base = make("canvas", { class: "base", "aria-hidden": "true" });
    this.heat = make("canvas", { class: "heat", "aria-hidden": "true" });
    this.frame = make("div", { class: "frame", hidden: true });
    this.veil = make("p", { class: "veil", hidden: true });
    this.stage = make(
      "div",
      {
        class: "stage", tabindex: "0", role: "application", "aria-roledescription": "explorable picture",
        "aria-label": this.#alt(), "aria-describedby": `${this.id}-keys`,
        style: `aspect-ratio: ${wide} / ${high}`,
      },
      this.base, this.heat, this.frame, this.veil,
    );
    this.#listen();
    this.bar = make("canvas", { class: "ramp", "aria-hidden": "true" });
    paint(this.bar, [1, 256], (image) => new Uint32Array(image.data.buffer).set(OPAQUE));
    this.tick = make("i", { class: "tick", hidden: true });
    this.top = make("span", { class: "number" });
    this.what = make("p", { class: "what" });
    this.brief = make("p", { class: "brief", "aria-hidden": "true" }); // where the list is beneath the fold
    this.scale = make("div", { class: "scale" }, make("span", { class: "number", text: "0" }),
      make("div", { class: "ramp-box" }, this.bar, this.tick), this.top);
    return make("div", { class: "left" }, this.stage, this.scale, this.brief, this.what, this.#buildSteps(), this.#buildViews());
  }

  #buildSteps() {
    const last = this.facts.steps.length - 1;
    this.slider = make("input", {
      type: "range", min: 0, max: Math.max(0, last), step: 1, "aria-label": "Step", disabled: last < 1,
      oninput: () => this.#set({ at: Number(this.slider.value), step: this.facts.steps[this.slider.value].step }),
    });
    this.slider.value = this.state.at;
    this.all = make("input", {
      type: "checkbox", onchange: () => this.#set({ step: this.all.checked ? null : this.step.step }),
    });
    this.all.checked = true;
    this.stepText = make("output", { class: "step-text" });
    return make("div", { class: "steps" },
      make("label", { class: "row" }, make("span", { class: "label", text: "Step" }), this.slider),
      make("div", { class: "row between" }, this.stepText,
        make("label", { class: "check", title: "Word maps as the mean over all recorded steps" }, this.all, " mean of all steps")));
  }

  #buildViews() {
    const name = `${this.id}-view`;
    const group = make("fieldset", { class: "views" }, make("legend", { text: "Show" }));
    this.thumbs = this.views.map((view) => {
      const canvas = make("canvas", { class: "thumb", "aria-hidden": "true" });
      const input = make("input", { type: "radio", name, value: view.name, onchange: () => this.#set({ view: view.name }) });
      input.checked = view.name === this.state.view;
      group.append(make("label", { class: "view", title: view.title }, input, canvas, make("span", { text: view.label })));
      return { ...view, canvas, input };
    });
    group.hidden = this.views.length === 0;
    return group;
  }

  #buildSide() {
    this.prompt = make("div", { class: "prompt" });
    this.promptTitle = make("h3", { id: `${this.id}-prompt` });
    this.readingTitle = make("h3");
    this.regionButton = make("button", {
      type: "button", class: "quiet", "aria-pressed": "false", text: "draw region",
      title: "Drag over the picture to draw a region (a mouse may always drag; with the keyboard: Shift and arrow keys)",
      onclick: () => this.#drawing(!this.drawing),
    });
    this.clear = make("button", {
      type: "button", class: "quiet", text: "clear", title: "Back to the whole picture (Escape)",
      onclick: () => this.#set({ region: null }),
    });
    this.list = make("ol", { class: "ranked", "aria-label": "Words ranked by how much this part of the picture looks at them" });
    this.listNote = make("p", { class: "note" });
    this.mass = make("div", { class: "mass", "aria-hidden": "true" }, ...SHARES.map((kind) => make("i", { class: kind })));
    this.massText = make("p", { class: "mass-text" }, ...SHARES.map((kind) =>
      make("span", { class: kind }, make("i", { class: kind, "aria-hidden": "true" }), `${kind} `, make("b"))));
    this.massBox = make("div", { class: "mass-box" }, make("h4", { text: "Where all attention goes here" }), this.mass, this.massText);
    this.live = make("div", { class: "hidden", "aria-live": "polite", role: "status" });
    const keys = make("p", {
      class: "hidden", id: `${this.id}-keys`,
      text: "Arrow keys move a pixel cursor and say its words. Shift with arrow keys draws a region. Escape returns to the whole picture.",
    });
    this.reading = make("div", { class: "row between" }, this.readingTitle,
      make("div", { class: "row" }, this.clear, this.regionButton));
    return make("div", { class: "side" },
      this.promptTitle, this.prompt,
      this.reading,
      this.list, this.listNote, this.massBox, this.#buildControls(), this.live, keys);
  }

  #select(label, options, value, title, change) {
    const input = make("select", { title, "aria-label": label, onchange: () => change(input.value) },
      ...options.map(([key, text]) => make("option", { value: key, text })));
    input.value = value;
    return { input, label: make("label", { class: "choice" }, make("span", { class: "label", text: label }), input) };
  }

  #buildControls() {
    const box = make("div", { class: "controls" });
    if (this.maps.length > 1) {
      const roles = this.maps.map((maps, i) => [String(i), maps.role.role]);
      this.roleChoice = this.#select("Prompt of", roles, "0", "Whose prompt and attention", (value) => this.#set({ role: Number(value), word: null, layers: null }));
      box.append(this.roleChoice.label);
    }
    this.layerChoice = this.#select("Layers", [], "", "Which layers the maps average", (value) => this.#set({ layers: value ? Number(value) : null }));
    this.lookChoice = this.#select("Map", [["over", "over the picture"], ["map", "alone"], ["none", "hidden"]], "over",
      "How the word's map is drawn", (value) => this.#set({ look: value }));
    this.scaleChoice = this.#select("Scale", [["shared", "shared by all words"], ["each", "each word its own"]], "shared",
      "Shared: colours of different words compare. Own: weak words show too", (value) => this.#set({ scale: value }));
    box.append(this.layerChoice.label, this.lookChoice.label, this.scaleChoice.label);
    box.hidden = this.maps.length === 0;
    return box;
  }

  #buildFoot() {
    const { facts } = this;
    const notes = [...facts.missing, ...facts.reduction.map((line) => `Reduced to fit its size: ${line}.`)];
    if (facts.flagged) notes.unshift("The safety checker took the picture for unsafe and made it black; the steps before it are as they were.");
    const rows = facts.provenance.map(([name, value]) => make("tr", {}, make("th", { scope: "row", text: name }), make("td", { text: value })));
    const foot = make("div", { class: "foot" });
    if (notes.length) foot.append(make("ul", { class: "notes", "aria-label": "What is missing or reduced" }, ...notes.map((text) => make("li", { text }))));
    this.numbersNote = make("p", { class: "note" });
    foot.append(make("details", {}, make("summary", { text: "How to read this, and where it comes from" }),
      make("p", { text: "A map shows the probability, 0 to 1, that a latent pixel's cross-attention gives to a word. Attention shows where a layer looked, not why the picture is as it is." }),
      make("p", { text: `A pixel here is one of the latent grid (${gridName(this.grid)}). The layers get no mask, so start, end and padding are looked at too, often most of all: the bar beneath the words says how much.` }),
      this.numbersNote, make("table", {}, make("tbody", {}, ...rows))));
    return foot;
  }

  /** Chips of the prompt and rows of the ranking: once a role, for they only change their looks afterwards. */
  #fillRole() {
    const maps = this.current;
    this.filled = maps;
    for (const part of [this.brief, this.list, this.listNote, this.massBox, this.reading, this.scale]) part.hidden = !maps;
    this.prompt.replaceChildren();
    this.list.replaceChildren();
    this.chips = [];
    this.rows = [];
    const options = [["", `all ${count(maps?.groups.reduce((n, g) => n + g.layers.length, 0) ?? 0, "layer")}`]];
    for (const side of maps?.resolutions ?? []) {
      const groups = maps.groups.filter((group) => group.side === side);
      const layers = groups.reduce((n, group) => n + group.layers.length, 0);
      options.push([side, `${gridName(groups[0].grid)} (${count(layers, "layer")})`]);
    }
    this.layerChoice.input.replaceChildren(...options.map(([value, text]) => make("option", { value, text })));
    if (!maps) {
      this.promptTitle.textContent = "Prompt";
      this.prompt.append(make("p", { class: "plain", text: this.facts.prompt ?? "This run had no prompt." }));
      return;
    }
    const { entries, sentence, lost, role, zeroed } = maps.role;
    this.promptTitle.textContent = role === "uncond" ? "Negative prompt (or none)" : role === "cond" ? "Prompt" : `Prompt of ${role}`;
    if (zeroed) this.prompt.append(make("p", { class: "plain", text: "This prompt's embeddings are all zeros: attention is uniform and means nothing." }));
    const words = make("div", { class: "chips", dir: "auto", role: "toolbar", "aria-label": "Words of the prompt" });
    for (const [index, text] of sentence) {
      if (index === null) words.append(make("s", { class: "chip lost", title: "cut off by the tokenizer", text }));
      else words.append(this.#chip(index, text));
      entries.forEach((part, i) => {
        if (part.kind === "part" && part.of === index) words.append(this.#chip(i, part.text, "part"));
      });
    }
    const others = make("div", { class: "chips", role: "toolbar", "aria-label": "The rest of the token sequence" });
    entries.forEach((entry, i) => {
      if (["start", "end", "padding"].includes(entry.kind)) others.append(this.#chip(i, entry.text, "special"));
    });
    this.prompt.append(words, others);
    for (const bar of [words, others]) this.#rove(bar);
    if (lost.length) this.prompt.append(make("p", { class: "note", text: `Cut off by ${maps.role.tokenizer}: ${lost.join(", ")}` }));
    entries.forEach((entry) => {
      if (!RANKED.has(entry.kind)) return;
      const canvas = make("canvas", { class: "mini", "aria-hidden": "true" });
      const [name, value, ratio, bar] = [make("span", { class: "name" }), make("span", { class: "value" }), make("span", { class: "ratio" }), make("i", {})];
      const row = { canvas, name, value, ratio, bar, entry: null };
      row.element = make("li", {
        onpointerenter: () => this.#hoverWord(row.entry), onpointerleave: () => this.#hoverWord(null),
        onclick: () => this.#chooseWord(row.entry),
      }, canvas, make("div", { class: "cells" }, make("div", { class: "line" }, name, ratio, value), make("div", { class: "bar", "aria-hidden": "true" }, bar)));
      this.rows.push(row);
      this.list.append(row.element);
    });
    this.list.style.setProperty("--rows", Math.min(8, Math.max(1, this.rows.length)));
    this.times = entries.map((_, i) => sentence.filter(([index]) => index === i).length);
    this.ranked = entries.flatMap((entry, i) => (RANKED.has(entry.kind) ? [i] : []));
    this.insides = new Float64Array(entries.length);
    this.outsides = new Float64Array(entries.length);
    this.minis = entries.map(() => document.createElement("canvas"));
  }

  #chip(index, text, kind = "") {
    const entry = this.current.role.entries[index];
    const positions = entry.positions.length > 6 ? `${entry.positions[0]} to ${entry.positions.at(-1)}` : entry.positions.join(", ");
    const tokens = `token position${entry.positions.length > 1 ? "s" : ""} ${positions}`;
    const chip = make("button", {
      type: "button", class: `chip ${kind}`, "aria-pressed": "false", title: tokens, text,
      onpointerenter: (event) => event.pointerType === "mouse" && this.#hoverWord(index),
      onpointerleave: () => this.#hoverWord(null),
      onfocus: () => this.#hoverWord(index), onblur: () => this.#hoverWord(null),
      onclick: () => {
        this.#chooseWord(index);
        this.#say(this.#whatInWords());
      },
    });
    this.chips.push({ chip, index });
    return chip;
  }

  /** Left and right move among the buttons of a toolbar, which is one stop of the tab key. */
  #rove(bar) {
    const buttons = [...bar.querySelectorAll("button")];
    buttons.forEach((button, i) => {
      button.tabIndex = i ? -1 : 0;
    });
    bar.addEventListener("keydown", (event) => {
      const at = buttons.indexOf(event.target);
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined || at < 0) return;
      const next = buttons[Math.max(0, Math.min(buttons.length - 1, to))];
      buttons.forEach((button) => (button.tabIndex = button === next ? 0 : -1));
      next.focus();
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // -------------------------------------------------------------------------------------------------- pointing

  #listen() {
    const { stage } = this;
    const cellAt = (event) => {
      const box = stage.getBoundingClientRect(), [rows, columns] = this.grid;
      const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      return [Math.max(0, Math.min(rows - 1, row)), Math.max(0, Math.min(columns - 1, column))];
    };
    const pixelAt = (event) => {
      const box = stage.getBoundingClientRect(), [high, wide] = this.size;
      return [
        Math.max(0, Math.min(wide, ((event.clientX - box.left) / box.width) * wide)),
        Math.max(0, Math.min(high, ((event.clientY - box.top) / box.height) * high)),
      ];
    };
    let start = null;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = { x: event.clientX, y: event.clientY, pixel: pixelAt(event), touch: event.pointerType !== "mouse", box: null };
      stage.setPointerCapture(event.pointerId);
      if (start.touch) this.#hoverRegion(this.#cellRegion(...cellAt(event)));
    });
    stage.addEventListener("pointermove", (event) => {
      const far = start && Math.hypot(event.clientX - start.x, event.clientY - start.y) > DRAG;
      if (start && far && (!start.touch || this.drawing)) {
        const [x, y] = pixelAt(event), [u, v] = start.pixel;
        start.box = [Math.floor(Math.min(x, u)), Math.floor(Math.min(y, v)), Math.ceil(Math.max(x, u)), Math.ceil(Math.max(y, v))];
        this.#hoverRegion(this.#boxRegion(start.box));
      } else if (!start || start.touch) this.#hoverRegion(this.#cellRegion(...cellAt(event)));
    });
    stage.addEventListener("pointerup", (event) => {
      if (!start) return;
      const region = start.box ? this.#boxRegion(start.box) : this.#cellRegion(...cellAt(event));
      const again = region.cell !== undefined && region.cell === this.state.region?.cell;
      start = null;
      this.hover.region = null;
      this.#set({ region: again ? null : region });
      this.#sayReading();
    });
    stage.addEventListener("pointercancel", () => {
      start = null;
      this.#hoverRegion(null);
    });
    stage.addEventListener("pointerleave", () => {
      if (!start) this.#hoverRegion(null);
    });
    stage.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
      this.#moveCursor(move, event.shiftKey);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** Whether a finger draws a region instead of pointing (and scrolling the page). */
  #drawing(on) {
    this.drawing = on;
    this.stage.classList.toggle("drawing", on);
    this.regionButton.setAttribute("aria-pressed", String(on));
  }

  #cellRegion(row, column) {
    return { cell: row * this.grid[1] + column, row, column };
  }

  #boxRegion(box) {
    const [high, wide] = this.size;
    const left = Math.max(0, Math.min(box[0], wide - 1)), top = Math.max(0, Math.min(box[1], high - 1));
    return boxRegion([left, top, Math.min(wide, Math.max(box[2], left + 1)), Math.min(high, Math.max(box[3], top + 1))], this.size, this.grid);
  }

  #moveCursor([down, over], extend) {
    const [rows, columns] = this.grid, { region } = this.state;
    const clamp = (value, most) => Math.max(0, Math.min(most - 1, value));
    const from = region?.head ?? (region?.cell !== undefined ? [region.row, region.column] : [rows >> 1, columns >> 1]);
    const head = region ? [clamp(from[0] + down, rows), clamp(from[1] + over, columns)] : from;
    if (!extend) {
      this.#set({ region: this.#cellRegion(...head) });
    } else {
      const anchor = region?.anchor ?? from, [high, wide] = [this.size[0] / rows, this.size[1] / columns];
      const edges = (a, b, scale) => [Math.min(a, b) * scale, (Math.max(a, b) + 1) * scale];
      const [top, bottom] = edges(anchor[0], head[0], high), [left, right] = edges(anchor[1], head[1], wide);
      this.#set({ region: { ...this.#boxRegion([left, top, right, bottom]), anchor, head } });
    }
    this.#sayReading();
  }

  #hoverRegion(region) {
    if (region === this.hover.region || (region && region.cell !== undefined && region.cell === this.hover.region?.cell)) return;
    this.hover.region = region;
    this.#dirt("reading");
  }

  #chooseWord(word) {
    this.#set({ word, view: this.state.view === "difference" ? this.usual : this.state.view });
  }

  #hoverWord(word) {
    if (word === this.hover.word) return;
    this.hover.word = word;
    this.#dirt("heat");
  }

  // -------------------------------------------------------------------------------------------------- state

  #set(change) {
    const before = { ...this.state };
    Object.assign(this.state, change);
    if (change.role !== undefined || change.step !== undefined || change.layers !== undefined || change.at !== undefined) {
      this.#choose();
      if (this.state.word === null && this.current?.count) this.state.word = this.#mostStriking();
      this.#dirt("base", "heat", "reading");
    } else this.#dirt(change.region === undefined || Object.keys(change).length > 1 ? "base" : "reading", "heat", "reading");
    if (this.onState && JSON.stringify(before) !== JSON.stringify(this.state)) this.onState();
  }

  /** What is shown, in the names of sdexplore's functions. */
  shownState() {
    const { state } = this, entry = this.current?.role.entries[state.word], region = state.region;
    return {
      word: entry ? entry.text : null, role: this.current?.role.role ?? null, step: state.step,
      layers: state.layers, view: state.view, look: state.look, scale: state.scale,
      pixel: region?.cell !== undefined ? [region.row, region.column] : null, box: region?.box ?? null,
    };
  }

  /** Shows what `wanted` names; what is not there stays as it is. */
  show(wanted) {
    const change = {};
    const role = this.maps.findIndex((maps) => maps.role.role === wanted.role);
    if (role >= 0 && role !== this.state.role) change.role = role;
    const entries = (this.maps[role >= 0 ? role : this.state.role]?.role.entries) ?? [];
    const folded = (text) => text.toLowerCase();
    const word = typeof wanted.word === "string" ? entries.findIndex((entry) => folded(entry.text) === folded(wanted.word)) : -1;
    if (word >= 0) change.word = word;
    if (wanted.step === null) change.step = null;
    const at = this.facts.steps.findIndex((one) => one.step === wanted.step);
    if (at >= 0) Object.assign(change, { step: wanted.step, at });
    if (wanted.layers !== undefined && (wanted.layers === null || this.current?.resolutions.includes(wanted.layers))) change.layers = wanted.layers;
    if (this.views.some((view) => view.name === wanted.view)) change.view = wanted.view;
    if (["over", "map", "none"].includes(wanted.look)) change.look = wanted.look;
    if (["shared", "each"].includes(wanted.scale)) change.scale = wanted.scale;
    if (wanted.box) change.region = this.#boxRegion(wanted.box);
    else if (wanted.pixel) change.region = this.#cellRegion(Math.min(wanted.pixel[0], this.grid[0] - 1), Math.min(wanted.pixel[1], this.grid[1] - 1));
    else if (wanted.pixel === null) change.region = null;
    const told = this.onState;
    this.onState = null;
    this.#set(change);
    this.onState = told;
  }

  #choose() {
    if (this.filled !== this.current || !this.chips) this.#fillRole();
    this.available = this.current ? this.current.choose(this.state.step, this.state.layers) : false;
    if (this.current) {
      this.minis.forEach((canvas, entry) => {
        const own = this.state.scale === "each" || !RANKED.has(this.current.role.entries[entry].kind);
        paintMap(canvas, this.grid, this.current.values, entry * this.current.cells, own ? this.current.most[entry] : this.current.shared);
      });
      this.minisOf = this.state.scale;
    }
    if (this.difference) this.#chooseDifference();
  }

  #chooseDifference() {
    const { guidance } = this.facts, { values, levels, mean } = this.difference;
    const all = this.state.step === null, row = all ? 0 : guidance.steps.indexOf(this.state.step);
    const reference = all ? guidance.mean : guidance.difference, source = all ? mean : levels;
    this.difference.there = row >= 0;
    this.difference.most = 0;
    for (let i = 0; i < values.length; i++) {
      values[i] = row < 0 ? 0 : source[row * values.length + i] * reference.scales[0];
      if (values[i] > this.difference.most) this.difference.most = values[i];
    }
  }

  // -------------------------------------------------------------------------------------------------- drawing

  #dirt(...parts) {
    if (!this.dirty.size) requestAnimationFrame(() => this.gone || this.draw());
    for (const part of parts) this.dirty.add(part);
  }

  draw() {
    const all = this.dirty.size === 0, needs = (part) => all || this.dirty.has(part);
    if (this.current && this.minisOf !== this.state.scale) this.#choose();
    if (needs("base")) this.#drawBase();
    if (needs("base") || needs("heat")) this.#drawHeat();
    this.#drawReading();
    this.dirty.clear();
  }

  /** Paints a view's pixels on a canvas; returns where they come from, or null where there are none. */
  #paintView(canvas, name) {
    if (name === "difference") {
      if (!this.difference.there) return null;
      paintMap(canvas, this.grid, this.difference.values, 0, this.difference.most);
      return "";
    }
    const { step } = this.step;
    const bitmap = this.pictures.get(name === "image" ? "image" : `${name} ${step}`);
    if (bitmap) {
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
      }
      canvas.pixels = null;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      return name === "image" ? "" : "decoded by the VAE";
    }
    const half = name === "cond" || name === "uncond";
    const row = half ? this.facts.guidance.steps.indexOf(step) : this.state.at;
    if (!this.colours[name] || row < 0) return null;
    paintColours(canvas, this.grid, this.colours[name], 3 * row * this.grid[0] * this.grid[1]);
    return "linear preview";
  }

  #drawBase() {
    const { state, facts, step } = this;
    for (const thumb of this.thumbs) {
      const source = this.#paintView(thumb.canvas, thumb.name);
      thumb.canvas.classList.toggle("empty", source === null && thumb.name !== "image");
      thumb.input.checked = thumb.name === state.view;
    }
    const under = state.view === "difference" ? this.usual : state.view;
    this.source = under === null ? null : this.#paintView(this.base, under);
    this.base.hidden = this.source === null;
    this.base.classList.toggle("coarse", this.base.width === this.grid[1]);
    this.slider.value = state.at;
    this.all.checked = state.step === null;
    const at = step ? `step ${step.step} (of 0 to ${facts.num_steps - 1}), t ${Math.round(step.timestep)}${step.sigma === null ? "" : `, σ ${three(step.sigma)}`}` : "no steps";
    const source = this.source ? `: ${this.source}` : "";
    setText(this.stepText, `${at}${state.view === "image" || state.view === "difference" ? "" : source}`);
    this.slider.setAttribute("aria-valuetext", at);
    this.layerChoice.input.value = state.layers ?? "";
    this.lookChoice.input.value = state.look;
    this.scaleChoice.input.value = state.scale;
    if (this.roleChoice) this.roleChoice.input.value = String(state.role);
  }

  get word() {
    const { hover, state, current } = this;
    const word = hover.word ?? (state.view === "difference" ? null : state.word);
    return current && this.available && word !== null ? word : null;
  }

  #drawHeat() {
    const { state, current, word } = this;
    const difference = word === null && state.view === "difference" && this.difference.there;
    this.heat.hidden = !(word !== null || difference) || state.look === "none";
    const alone = state.look === "map" || this.base.hidden, colours = alone ? OPAQUE : OVER;
    this.heat.classList.toggle("alone", alone);
    this.shownTop = 0;
    if (word !== null) {
      const own = state.scale === "each" || !["word", "position", "part"].includes(current.role.entries[word].kind);
      this.shownTop = own ? current.most[word] : current.shared;
      paintMap(this.heat, this.grid, current.values, word * current.cells, this.shownTop, colours);
      setText(this.what, `${this.#whatInWords()} Colours: ${own ? "this word's own scale" : "one scale for all words"}.`);
    } else if (difference) {
      this.shownTop = this.difference.most;
      paintMap(this.heat, this.grid, this.difference.values, 0, this.shownTop, colours);
      const { averaged } = this.facts.guidance;
      setText(this.what, `|cond − uncond| of the noise prediction, root mean square over channels, ${state.step === null ? `mean over ${count(averaged, "step")}` : `step ${state.step}`}.`);
    } else setText(this.what, this.#nothingToShow());
    this.scale.hidden = !current && !difference;
    this.scale.classList.toggle("unneeded", !this.shownTop); // hidden in its place, so that nothing jumps
    setText(this.top, this.shownTop ? three(this.shownTop) : "");
    for (const { chip, index } of this.chips) {
      chip.setAttribute("aria-pressed", String(index === state.word && state.view !== "difference"));
      chip.classList.toggle("hovered", index === this.hover.word);
    }
    this.veil.hidden = !(this.base.hidden && this.heat.hidden);
    setText(this.veil, this.#nothingToShow());
  }

  #nothingToShow() {
    const { state, current } = this;
    if (state.view === "difference" && !this.difference.there) return `Guidance was not computed at step ${state.step}.`;
    if (current && !this.available) return `No attention of ${state.layers ? `layers of side ${state.layers} at ` : ""}step ${state.step} was recorded.`;
    if (!current) return "No word maps were recorded.";
    if (!this.ranked.length) return "This prompt has no words: point at start, end or padding to see where they were looked at.";
    return "Point at a word to see where it was looked at.";
  }

  /** The map on the stage in words: whose, and the mean over what. */
  #whatInWords() {
    const { current, word } = this;
    if (word === null) return this.#nothingToShow();
    const entry = current.role.entries[word];
    const steps = this.state.step === null ? `and ${count(current.used.steps, "step")}` : `of step ${this.state.step}`;
    const layers = `${count(current.used.layers, "layer")}${this.state.layers ? ` of side ${this.state.layers}` : ""}`;
    const name = entry.kind === "part" ? `${entry.text} (a token of ${current.role.entries[entry.of].text})` : entry.text;
    const times = this.times[word] > 1 ? `, all ${this.times[word]} summed` : "";
    return `“${name}”${times}, ${current.role.role}: attention probability, mean over ${layers}, all heads ${steps}.`;
  }

  #drawReading() {
    const region = this.hover.region ?? this.state.region;
    this.#drawFrame(region);
    this.clear.classList.toggle("unneeded", this.state.region === null);
    if (!this.current) return;
    const { current, insides, outsides, ranked, rows, scratch } = this;
    setText(this.readingTitle, `${this.#regionName(region)} looks at`);
    const shares = { start: 0, words: 0, end: 0, padding: 0 };
    current.role.entries.forEach((entry, i) => {
      current.means(i, region, scratch);
      insides[i] = scratch.inside;
      outsides[i] = scratch.outside;
      const kind = { word: "words", mark: "words", start: "start", end: "end", padding: "padding" }[entry.kind];
      if (kind) shares[kind] += scratch.inside;
    });
    ranked.sort((a, b) => insides[b] - insides[a] || a - b);
    const most = ranked.length ? insides[ranked[0]] : 0;
    ranked.forEach((entry, place) => {
      const row = rows[place];
      row.entry = entry;
      setText(row.name, current.role.entries[entry].text + (this.times[entry] > 1 ? ` (${this.times[entry]}×)` : ""));
      setText(row.value, this.available ? three(insides[entry]) : "–");
      row.element.dataset.inside = insides[entry];
      row.element.dataset.outside = outsides[entry];
      const ratio = insides[entry] / outsides[entry];
      setText(row.ratio, Number.isFinite(ratio) ? `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1)}× the rest` : "");
      row.bar.style.width = `${most > 0 ? (100 * insides[entry]) / most : 0}%`;
      row.element.classList.toggle("chosen", entry === this.word);
      if (row.canvas.width !== this.grid[1] || row.canvas.height !== this.grid[0]) [row.canvas.height, row.canvas.width] = this.grid;
      row.canvas.getContext("2d").drawImage(this.minis[entry], 0, 0);
    });
    const first = ranked.slice(0, 3).map((entry) => `${current.role.entries[entry].text} ${three(insides[entry])}`);
    setText(this.brief, `${this.#regionName(region)}: ${first.join(" · ") || "no words to look at"}`);
    const scale = this.state.scale === "each" ? "each on its own colour scale" : `small maps from 0 to ${three(current.shared)}`;
    setText(this.listNote, !ranked.length ? "This prompt has no words: all attention goes to other tokens." : this.available ? `Mean probability; bars from 0 to ${three(most)}, the largest here; ${scale}.` : this.#nothingToShow());
    this.massBox.hidden = !current.role.entries.some((entry) => entry.kind === "padding" || entry.kind === "start");
    SHARES.forEach((kind, i) => {
      this.mass.children[i].style.width = `${100 * shares[kind]}%`;
      setText(this.massText.children[i].lastElementChild, this.available ? percent(shares[kind]) : "–");
    });
    this.#drawTick(region);
    const half = this.facts.bits === 16 ? 131070 : 510;
    setText(this.numbersNote, `Layers of one resolution are kept as their ${current.role.heads}, each layer with one vote. Numbers are kept within 1 part in ${half} of each word's largest value at each resolution (means over all steps: 1 in 131070).`);
  }

  #drawFrame(region) {
    this.frame.hidden = !region;
    if (!region) return;
    const [rows, columns] = this.grid, [high, wide] = this.size;
    const box = region.cell !== undefined
      ? [region.column / columns, region.row / rows, (region.column + 1) / columns, (region.row + 1) / rows]
      : [region.box[0] / wide, region.box[1] / high, region.box[2] / wide, region.box[3] / high];
    this.frame.style.left = `${100 * box[0]}%`;
    this.frame.style.top = `${100 * box[1]}%`;
    this.frame.style.width = `${100 * (box[2] - box[0])}%`;
    this.frame.style.height = `${100 * (box[3] - box[1])}%`;
  }

  /** Marks the pointed pixel's (or region's) value on the colour bar. */
  #drawTick(region) {
    const { word } = this;
    this.tick.hidden = !region || word === null || !this.shownTop;
    if (!this.tick.hidden) this.tick.style.left = `${Math.min(100, (100 * this.insides[word]) / this.shownTop)}%`;
  }

  #regionName(region) {
    if (!region) return "Whole picture";
    if (region.cell !== undefined) return `Pixel row ${region.row}, column ${region.column}`;
    return `Region of ${percent(region.weight / (this.grid[0] * this.grid[1]))}`;
  }

  // -------------------------------------------------------------------------------------------------- words

  #alt() {
    const { prompt } = this.facts;
    return prompt === null ? "Picture of a run without prompt" : `Picture of: ${prompt}`;
  }

  #say(text) {
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => setText(this.live, text), 120); // while keys repeat, only the last place is said
  }

  #sayReading() {
    if (!this.current) return;
    this.draw();
    const words = this.ranked.slice(0, 4).map((entry) => `${this.current.role.entries[entry].text} ${three(this.insides[entry])}`);
    this.#say(`${this.#regionName(this.state.region)}: ${words.join(", ")}`);
  }

  destroy() {
    this.gone = true;
    clearTimeout(this.speaking);
    for (const bitmap of this.pictures.values()) bitmap.close();
    this.pictures.clear();
  }
}

/** Shows the packed trace inside `element`; returns the explorer: `show(state)`, `shownState()`, `destroy()`. */
export function mount(element, facts, data, onState = null) {
  const host = document.createElement("div");
  element.replaceChildren(host);
  return new Explorer(host, facts, data, onState);
}

/** The explorer of a page that carries its own data: JSON in #facts, base64 in #data. */
export function mountPage() {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const text = atob(document.getElementById("data").textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return mount(document.getElementById("explorer"), facts, bytes);
}

export default {
  render({ model, el }) {
    let explorer = null;
    let waiting = null;
    const tell = () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        // Without a kernel there is nobody to tell, and nothing else is missing.
        const manager = model.widget_manager;
        if (manager && "kernel" in manager && (!manager.kernel || manager.kernel.isDisposed)) return;
        model.set("state", explorer.shownState());
        model.save_changes();
      }, 100);
    };
    const open = () => {
      explorer?.destroy();
      explorer = mount(el, model.get("facts"), model.get("data"), tell);
      const state = model.get("state") ?? {};
      explorer.show(state);
      if (!Object.keys(state).length) tell();
    };
    const follow = () => {
      const state = model.get("state") ?? {};
      if (JSON.stringify(state) !== JSON.stringify(explorer.shownState())) explorer.show(state);
    };
    open();
    model.on("change:data", open);
    model.on("change:state", follow);
    return () => {
      clearTimeout(waiting);
      model.off("change:data", open);
      model.off("change:state", follow);
      explorer.destroy();
    };
  },
};

// What is explored and what is chosen of it: everything the explorer knows without a page to show it on.

import { Likeness } from "./likeness.mjs";
import { Difference, Maps } from "./maps.mjs";
import { DIFFERENCE, viewsOf } from "./pictures.mjs";
import { boxRegion, cellRegion, isCell } from "./regions.mjs";
import { Rows, unpacking } from "./unpacking.mjs";
import { competitors, folded, mostStriking, rank, shares, sharesScale, timesInSentence } from "./words.mjs";

const LOOKS = ["over", "map", "none"];
const SCALES = ["shared", "each"];

/**
 * A packed trace (its facts and content), the strings of a language, the state of what is chosen, and the numbers that follow from it.
 *
 * At first the means over all steps are there; `unpack` makes the single steps, from the last to the first.
 */
export class Exploration {
  constructor(facts, content, strings) {
    this.facts = facts;
    this.content = content;
    this.strings = strings;
    this.grid = facts.grid;
    this.size = facts.size ?? facts.grid;
    this.maps = facts.roles.map((role) => new Maps(role, content, this.grid));
    this.difference = facts.guidance ? new Difference(facts.guidance, content, this.grid) : null;
    this.features = facts.features ? new Likeness(facts.features, content) : null;
    this.previews = previewsOf(facts, content);
    this.views = viewsOf(facts, strings);
    this.turns = unpacking([
      ...Object.values(this.previews), ...(this.difference ? [this.difference.levels] : []),
      ...this.maps.flatMap(({ groups }) => groups.map(({ levels }) => levels)),
    ]);
    // Without a picture to lie under it, a word's map stands alone.
    this.usual = this.views.find(({ name }) => name !== DIFFERENCE || !this.maps.length)?.name ?? null;
    this.state = {
      role: 0, word: null, step: null, at: facts.steps.length - 1, layers: null, view: this.usual,
      look: "over", scale: "shared", region: null,
      features: this.features?.usual ?? null, alike: false,
    };
    this.hover = { word: null, region: null };
    this.beside = null; // another exploration, whose maps have the same scale
    this.#chooseRole();
    this.#choose();
  }

  /** The maps of the chosen role; null where no attention was recorded. */
  get current() {
    return this.maps[this.state.role] ?? null;
  }

  /** The entries of the chosen role's prompt. */
  get entries() {
    return this.current?.role.entries ?? [];
  }

  /** The facts of the step that the slider is at. */
  get step() {
    return this.facts.steps[this.state.at];
  }

  /** The place of the entry whose map is shown: the pointed one, else the chosen one; null where none is shown. */
  get word() {
    const { hover, state } = this;
    const word = hover.word ?? (state.view === DIFFERENCE ? null : state.word);
    return this.available ? word : null;
  }

  /** The region whose words are ranked: the pointed one, else the chosen one; null is the whole picture. */
  get region() {
    return this.hover.region ?? this.state.region;
  }

  /** Where features are alike to those of the chosen cell; null where a word's map is shown, or none are there. */
  get likeness() {
    const { features, grid, hover, state: { alike, features: module, region } } = this;
    if (!features?.isReady || !module || !alike || !isCell(region) || hover.word !== null) return null;
    const key = [module, this.step?.step, region.cell].join(" ");
    if (this.found?.key !== key) {
      const place = [(region.row + 0.5) / grid[0], (region.column + 0.5) / grid[1]];
      this.found = { key, ...features.of(module, this.step?.step ?? 0, place) };
    }
    return this.found;
  }

  /** The value at the end of an entry's colour scale, and whether that scale is its own. */
  scaleOf(entry) {
    const own = this.state.scale === "each" || !sharesScale(this.entries[entry]), { beside } = this;
    return { own, top: Math.max(this.#topOf(entry, own), beside?.#topOf(beside.placeOf(this.entries[entry]), own) ?? 0) };
  }

  #topOf(entry, own) {
    if (!this.available || entry < 0) return 0;
    return own ? this.current.most[entry] : this.current.shared;
  }

  /** Points at a region and at the word of this text; null is none, and so is a word that is not there. */
  pointAt(region, text) {
    const word = text === null ? -1 : this.placeOf({ text });
    this.hover = { region, word: word < 0 ? null : word };
  }

  /** The place of the entry with the same text; −1 where there is none. */
  placeOf({ text }) {
    return this.entries.findIndex((one) => folded(one.text) === folded(text));
  }

  /** The row of the slider's step in a view's previews; below 0 where the view has none at that step. */
  rowOf(view) {
    const isHalf = view === "cond" || view === "uncond";
    return isHalf ? this.facts.guidance.steps.indexOf(this.step?.step) : this.state.at;
  }

  /** Whether something of what is chosen is there only once it is unpacked. */
  get waits() {
    const previews = Object.entries(this.previews);
    return Boolean(this.current?.waits || this.difference?.waits) ||
      previews.some(([view, rows]) => this.rowOf(view) >= 0 && !rows.has(this.rowOf(view)));
  }

  /** Unpacks single steps until all are there or `enough()` is true; returns whether all are there. */
  unpack(enough = () => false) {
    const { waits } = this;
    if (this.features) this.features.isReady = true; // all of the content is there
    let isDone;
    do isDone = this.turns.next().done;
    while (!isDone && !enough());
    if (waits) this.#choose();
    return isDone;
  }

  /** Changes some of the state. */
  set(change) {
    Object.assign(this.state, change);
    if (change.role !== undefined) this.#chooseRole();
    if (["role", "step", "layers", "at"].some((name) => change[name] !== undefined)) this.#choose();
  }

  /** Means of all entries inside and outside the region, the competing ones ranked, and how all attention divides. */
  read(region) {
    const { current, insides, outsides, ranked } = this, means = {};
    for (let entry = 0; entry < current.count; entry++) {
      current.means(entry, region, means);
      insides[entry] = means.inside;
      outsides[entry] = means.outside;
    }
    rank(ranked, insides);
    return { insides, outsides, ranked, shares: shares(this.entries, insides) };
  }

  #chooseRole() {
    const { entries } = this;
    this.hover.word = null; // a place among another role's entries
    this.times = timesInSentence(entries, this.current?.role.sentence ?? []);
    this.ranked = competitors(entries);
    this.insides = new Float64Array(entries.length);
    this.outsides = new Float64Array(entries.length);
  }

  #choose() {
    const { state, current } = this;
    this.available = current ? current.choose(state.step, state.layers) : false;
    if (this.available && state.word === null) state.word = mostStriking(this.entries, current.most);
    this.difference?.choose(state.step);
  }

  /** What is shown, in the names of sdexplore's functions. */
  shown() {
    const { state, current } = this, { region } = state;
    return {
      word: this.entries[state.word]?.text ?? null, role: current?.role.role ?? null, step: state.step,
      layers: state.layers, view: state.view, look: state.look, scale: state.scale,
      pixel: isCell(region) ? [region.row, region.column] : null, box: region?.box ?? null,
      ...(this.features ? { features: state.features, alike: state.alike } : {}),
    };
  }

  /** The change that shows what `wanted` names, in the names of `shown`; what is not there changes nothing. */
  changeTo(wanted) {
    const change = {};
    const role = this.maps.findIndex((maps) => maps.role.role === wanted.role);
    if (role >= 0 && role !== this.state.role) Object.assign(change, { role, word: null, layers: null });
    const maps = this.maps[change.role ?? this.state.role];
    if (typeof wanted.word === "string" && maps) {
      const word = maps.role.entries.findIndex((entry) => folded(entry.text) === folded(wanted.word));
      if (word >= 0) change.word = word;
    }
    if (wanted.step === null) change.step = null;
    const at = this.facts.steps.findIndex((one) => one.step === wanted.step);
    if (at >= 0) Object.assign(change, { step: wanted.step, at });
    if (wanted.layers === null || maps?.resolutions.includes(wanted.layers)) change.layers = wanted.layers;
    if (this.views.some(({ name }) => name === wanted.view)) change.view = wanted.view;
    if (LOOKS.includes(wanted.look)) change.look = wanted.look;
    if (SCALES.includes(wanted.scale)) change.scale = wanted.scale;
    if (this.features && (wanted.features === null || this.features.has(wanted.features))) change.features = wanted.features;
    if (this.features && typeof wanted.alike === "boolean") change.alike = wanted.alike;
    const { box, pixel } = wanted;
    if (isNumbers(box, 4)) change.region = boxRegion(box, this.size, this.grid);
    else if (isNumbers(pixel, 2)) change.region = cellRegion(...pixel, this.grid);
    else if (pixel === null) change.region = null;
    return change;
  }
}

/** The linear previews, still packed: name of the view -> rows. */
function previewsOf({ previews, guidance }, content) {
  const references = { ...previews, uncond: guidance?.uncond, cond: guidance?.cond };
  const found = Object.entries(references).filter(([, reference]) => reference);
  return Object.fromEntries(found.map(([name, reference]) => [name, new Rows(reference, content)]));
}

const isNumbers = (given, length) => Array.isArray(given) && given.length === length && given.every(Number.isFinite);

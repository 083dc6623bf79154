// The sentences that follow what is chosen. Each is a pure function of an Exploration, or of its strings and a few numbers.

import { gridName, percent, three } from "./numbers.mjs";
import { DIFFERENCE } from "./pictures.mjs";
import { isCell } from "./regions.mjs";
import { countedLayers, countedSteps, listed, say } from "./strings.mjs";
import { nameOf } from "./words.mjs";

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const ROLES = { cond: "role.cond", uncond: "role.uncond", guided: "role.guided" };

/** A word inside a sentence of ours: one that is written from right to left keeps its order to itself. */
export const isolated = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text);

/** A role's name; one that only some pipelines have is as diffusers spells it. */
export const roleName = (strings, role) => (Object.hasOwn(ROLES, role) ? say(strings, ROLES[role]) : role);

/** What the picture is, for screen readers. */
export function alt({ strings, facts: { prompt } }) {
  return prompt === null ? say(strings, "explorer.alt.none") : say(strings, "explorer.alt", { prompt });
}

/** A region's name: "Pixel row 3, column 4", "Region of 12 %", "Whole picture". */
export function regionName(strings, region, [rows, columns]) {
  if (!region) return say(strings, "explorer.region.whole");
  if (isCell(region)) return say(strings, "explorer.region.cell", { row: region.row, column: region.column });
  return say(strings, "explorer.region.share", { share: percent(region.weight / (rows * columns)) });
}

/** Why there is no map to show, or how to get one. */
export function nothingToShow({ strings, state, current, available, difference, ranked }) {
  const { step, layers: side } = state;
  if (current?.waits || (state.view === DIFFERENCE && difference.waits)) return say(strings, "explorer.unpacking", { step });
  if (state.view === DIFFERENCE && !difference.there) return say(strings, "explorer.none.guidance", { step });
  if (!current) return say(strings, "explorer.none.maps");
  if (!available && side) return say(strings, "explorer.none.layers", { step, side });
  if (!available) return say(strings, "explorer.none.step", { step });
  return ranked.length ? say(strings, "explorer.none.pointed") : say(strings, "explorer.none.words");
}

/** The word's map in words: whose it is, and which layers and steps it averages. */
export function mapInWords(exploration) {
  const { strings, current, word, state, entries, times } = exploration;
  if (word === null) return nothingToShow(exploration);
  const role = roleName(strings, current.role.role);
  const among = countedLayers(strings, current.used.layers);
  const layers = state.layers ? say(strings, "explorer.layers.side", { layers: among, side: state.layers }) : among;
  const what = { subject: subjectOf(strings, entries, word, times[word]), role, layers };
  if (state.step !== null) return say(strings, "explorer.map.step", { ...what, step: state.step });
  return say(strings, "explorer.map.mean", { ...what, steps: countedSteps(strings, current.used.steps) });
}

/** Whose a map is: a word, a token of one, or all the words that are equal. */
function subjectOf(strings, entries, place, times) {
  const entry = entries[place], word = isolated(nameOf(entry));
  const subject = entry.kind === "part"
    ? say(strings, "explorer.subject.part", { word, whole: isolated(nameOf(entries[entry.of])) })
    : say(strings, "explorer.subject", { word });
  return times > 1 ? say(strings, "explorer.subject.summed", { subject, times }) : subject;
}

/** The word's map in words, with the scale of its colours: the word's own, or that of all words. */
export function mapAndScale(exploration, own) {
  const { strings } = exploration, map = mapInWords(exploration);
  return own ? say(strings, "explorer.map.scale.own", { map }) : say(strings, "explorer.map.scale", { map });
}

/** The map of likeness in words: whose features, how alike they are, and how exactly that is known. */
export function likenessInWords({ strings, likeness: { module, step, values, region }, features }) {
  const of = { module: module.name, role: roleName(strings, features.role), step };
  if (values.every(Number.isNaN)) return say(strings, "explorer.alike.none", of);
  const alike = values.filter((value) => value > 0.5).length / values.length;
  return say(strings, "explorer.alike", {
    ...of, row: region.row, column: region.column, grid: gridName(module.grid), error: three(module.error), share: percent(alike),
  });
}

/** The map of the difference of guidance in words. */
export function differenceInWords({ strings, state: { step }, facts }) {
  if (step !== null) return say(strings, "explorer.difference.step", { step });
  return say(strings, "explorer.difference.mean", { steps: countedSteps(strings, facts.guidance.averaged) });
}

/** The step that the slider is at. */
export function stepInWords({ strings, step, facts }) {
  if (!step) return say(strings, "explorer.step.none");
  const at = { step: step.step, last: facts.num_steps - 1, t: Math.round(step.timestep) };
  if (step.sigma === null) return say(strings, "explorer.step", at);
  return say(strings, "explorer.step.noise", { ...at, sigma: three(step.sigma) });
}

/** An entry's name in the ranking, with how often it stands in the prompt. */
export function nameInRanking({ strings, entries, times }, entry) {
  const word = isolated(nameOf(entries[entry]));
  return times[entry] > 1 ? say(strings, "explorer.ranking.name", { word, times: times[entry] }) : word;
}

/** How much more the inside looks at a word than the outside does; empty where there is no outside. */
export function ratioInWords(strings, inside, outside) {
  const ratio = inside / outside;
  if (!Number.isFinite(ratio)) return "";
  return say(strings, "explorer.ranking.ratio", { ratio: ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1) });
}

/** The first words of the ranking with their values; where there are no values, why. */
export function firstWords(exploration, { ranked, insides }, most) {
  const { strings, entries, available } = exploration;
  if (!available) return [nothingToShow(exploration)];
  return ranked.slice(0, most).map((entry) =>
    say(strings, "explorer.ranking.value", { word: isolated(nameOf(entries[entry])), value: three(insides[entry]) }));
}

/** What the numbers and the bars of the ranking are. */
export function rankingInWords(exploration, longest) {
  const { strings, ranked, available, state, current } = exploration, most = three(longest);
  if (!ranked.length) return say(strings, "explorer.ranking.no_words");
  if (!available) return nothingToShow(exploration);
  if (state.scale === "each") return say(strings, "explorer.ranking.each", { most });
  return say(strings, "explorer.ranking.shared", { most, shared: three(current.shared) });
}

/** How exactly the numbers are kept. */
export function precisionInWords({ strings, facts, current }) {
  const part = facts.bits === 16 ? 131070 : 510;
  return say(strings, "explorer.foot.precision", { heads: current.role.heads, part });
}

/** How exactly pictures that were decoded on the way are kept; empty where there are none. */
export function picturesInWords({ strings, facts: { pictures } }) {
  const errors = ["x_t", "x0"].flatMap((kind) => Object.values(pictures[kind]).map(({ error }) => error));
  return errors.length ? say(strings, "explorer.foot.pictures", { error: three(Math.max(...errors)) }) : "";
}

/** The title of a role's prompt. */
export function promptTitle(strings, role) {
  if (role === "cond") return say(strings, "explorer.prompt");
  return role === "uncond" ? say(strings, "explorer.prompt.uncond") : say(strings, "explorer.prompt.of", { role });
}

/** The positions of an entry in the padded prompt. */
export function positionsInWords(strings, { positions }) {
  const places = positions.length > 6
    ? say(strings, "explorer.positions.range", { first: positions[0], last: positions.at(-1) })
    : listed(strings, positions);
  return say(strings, positions.length > 1 ? "explorer.positions.other" : "explorer.positions.one", { places });
}

/** What is missing and what was reduced, a line each. */
export function notesOf({ strings, facts }) {
  const notes = [...facts.missing, ...facts.reduction.map((what) => say(strings, "explorer.notes.reduced", { what }))];
  if (facts.flagged) notes.unshift(say(strings, "explorer.notes.black"));
  return notes;
}

/** Why the maps of two explorations cannot be subtracted; null where they can. */
export function apart(a, b) {
  const { strings } = a;
  if (gridName(a.grid) !== gridName(b.grid)) {
    return say(strings, "explorer.apart.grid", { a: gridName(a.grid), b: gridName(b.grid) });
  }
  if (a.word === null || b.word === null) return say(strings, "explorer.apart.no_word");
  const [first, second] = [a, b].map(({ entries, word }) => entries[word]);
  if (a.placeOf(second) !== a.word) {
    return say(strings, "explorer.apart.words", { a: isolated(nameOf(first)), b: isolated(nameOf(second)) });
  }
  const places = [a, b].map(({ state }) => placeInWords(strings, state));
  return places[0] === places[1] ? null : say(strings, "explorer.apart.places", { a: places[0], b: places[1] });
}

/** Which steps and layers a map is of. */
function placeInWords(strings, { step, layers: side }) {
  const steps = step === null ? say(strings, "explorer.apart.steps") : say(strings, "explorer.apart.step", { step });
  const layers = side ? say(strings, "explorer.apart.side", { side }) : say(strings, "explorer.apart.layers");
  return say(strings, "explorer.apart.place", { steps, layers });
}

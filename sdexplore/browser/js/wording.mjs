// The sentences that follow what is chosen. Each is a pure function of an Exploration or of a few numbers.

import { count, gridName, percent, three } from "./numbers.mjs";
import { DIFFERENCE } from "./pictures.mjs";
import { isCell } from "./regions.mjs";

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A word inside a sentence of ours: one that is written from right to left keeps its order to itself. */
export const isolated = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text);

/** What the picture is, for screen readers. */
export function alt({ facts: { prompt } }) {
  return prompt === null ? "Picture of a run without prompt" : `Picture of: ${prompt}`;
}

/** A region's name: "Pixel row 3, column 4", "Region of 12 %", "Whole picture". */
export function regionName(region, [rows, columns]) {
  if (!region) return "Whole picture";
  if (isCell(region)) return `Pixel row ${region.row}, column ${region.column}`;
  return `Region of ${percent(region.weight / (rows * columns))}`;
}

/** Why there is no map to show, or how to get one. */
export function nothingToShow({ state, current, available, difference, ranked }) {
  if (current?.waits || (state.view === DIFFERENCE && difference.waits)) return `Unpacking step ${state.step} …`;
  if (state.view === DIFFERENCE && !difference.there) return `Guidance was not computed at step ${state.step}.`;
  if (!current) return "No word maps were recorded.";
  if (!available) {
    const layers = state.layers ? `layers of side ${state.layers} at ` : "";
    return `No attention of ${layers}step ${state.step} was recorded.`;
  }
  if (!ranked.length) {
    return "This prompt has no words: point at start, end or padding to see where they were looked at.";
  }
  return "Point at a word to see where it was looked at.";
}

/** The word's map in words: whose it is, and which layers and steps it averages. */
export function mapInWords(exploration) {
  const { current, word, state, entries, times } = exploration;
  if (word === null) return nothingToShow(exploration);
  const entry = entries[word], name = isolated(entry.text);
  const whole = entry.kind === "part" ? ` (a token of ${isolated(entries[entry.of].text)})` : "";
  const all = times[word] > 1 ? `, all ${times[word]} summed` : "";
  const layers = `${count(current.used.layers, "layer")}${state.layers ? ` of side ${state.layers}` : ""}`;
  const steps = state.step === null ? `and ${count(current.used.steps, "step")}` : `of step ${state.step}`;
  return (
    `“${name}${whole}”${all}, ${current.role.role}: attention probability, mean over ${layers}, all heads ${steps}.`
  );
}

/** The scale of the colours of a word's map. */
export const scaleInWords = (own) => `Colours: ${own ? "this word's own scale" : "one scale for all words"}.`;

/** The map of likeness in words: whose features, how alike they are, and how exactly that is known. */
export function likenessInWords({ likeness: { module, step, values, region }, features }) {
  const of = `Features of ${module.name}, ${features.role}, step ${step}`;
  if (values.every(Number.isNaN)) return `${of}: here they are the mean of all places, so nothing is alike or unlike.`;
  const alike = values.filter((value) => value > 0.5).length / values.length;
  return (
    `${of}: cosine to those of the marked cell (row ${region.row}, column ${region.column} of ` +
    `${gridName(module.grid)}), less their mean over the picture, within ${three(module.error)}. ` +
    `${percent(alike)} of the places are above 0.5.`
  );
}

/** The map of the difference of guidance in words. */
export function differenceInWords({ state, facts }) {
  const steps = state.step === null ? `mean over ${count(facts.guidance.averaged, "step")}` : `step ${state.step}`;
  return `|cond − uncond| of the noise prediction, root mean square over channels, ${steps}.`;
}

/** The step that the slider is at. */
export function stepInWords({ step, facts }) {
  if (!step) return "no steps";
  const sigma = step.sigma === null ? "" : `, σ ${three(step.sigma)}`;
  return `step ${step.step} (of 0 to ${facts.num_steps - 1}), t ${Math.round(step.timestep)}${sigma}`;
}

/** An entry's name in the ranking, with how often it stands in the prompt. */
export function nameInRanking({ entries, times }, entry) {
  return isolated(entries[entry].text) + (times[entry] > 1 ? ` (${times[entry]}×)` : "");
}

/** How much more the inside looks at a word than the outside does; empty where there is no outside. */
export function ratioInWords(inside, outside) {
  const ratio = inside / outside;
  return Number.isFinite(ratio) ? `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1)}× the rest` : "";
}

/** The first words of the ranking with their values; where there are no values, why. */
export function firstWords(exploration, { ranked, insides }, most) {
  const { entries, available } = exploration;
  if (!available) return [nothingToShow(exploration)];
  return ranked.slice(0, most).map((entry) => `${isolated(entries[entry].text)} ${three(insides[entry])}`);
}

/** What the numbers and the bars of the ranking are. */
export function rankingInWords(exploration, most) {
  const { ranked, available, state, current } = exploration;
  if (!ranked.length) return "This prompt has no words: all attention goes to other tokens.";
  if (!available) return nothingToShow(exploration);
  const { scale: kind } = state;
  const scale = kind === "each" ? "each on its own colour scale" : `small maps from 0 to ${three(current.shared)}`;
  return `Mean probability; bars from 0 to ${three(most)}, the largest here; ${scale}.`;
}

/** How exactly the numbers are kept. */
export function precisionInWords({ facts, current }) {
  const part = facts.bits === 16 ? 131070 : 510;
  return (
    `Layers of one resolution are kept as their ${current.role.heads}, each layer with one vote. Numbers are kept ` +
    `within 1 part in ${part} of each word's largest value at each resolution (means over all steps: 1 in 131070).`
  );
}

/** How exactly pictures that were decoded on the way are kept; empty where there are none. */
export function picturesInWords({ pictures }) {
  const errors = ["x_t", "x0"].flatMap((kind) => Object.values(pictures[kind]).map(({ error }) => error));
  if (!errors.length) return "";
  return (
    "Pictures that the VAE decoded on the way are compressed: their pixels are off by at most " +
    `${three(Math.max(...errors))} of 255 (root mean square of a picture). The finished picture is exact.`
  );
}

/** The title of a role's prompt. */
export function promptTitle(role) {
  return { cond: "Prompt", uncond: "Negative prompt (or none)" }[role] ?? `Prompt of ${role}`;
}

/** The positions of an entry in the padded prompt. */
export function positionsInWords({ positions }) {
  const places = positions.length > 6 ? `${positions[0]} to ${positions.at(-1)}` : positions.join(", ");
  return `token position${positions.length > 1 ? "s" : ""} ${places}`;
}

/** What is missing and what was reduced, a line each. */
export function notesOf({ facts }) {
  const notes = [...facts.missing, ...facts.reduction.map((line) => `Reduced to fit its size: ${line}.`)];
  if (facts.flagged) {
    notes.unshift(
      "The safety checker took the picture for unsafe and made it black; the steps before it are shown unchanged.",
    );
  }
  return notes;
}

/** Why the maps of two explorations cannot be subtracted; null where they can. */
export function apart(a, b) {
  if (gridName(a.grid) !== gridName(b.grid)) return `a has a grid of ${gridName(a.grid)}, b of ${gridName(b.grid)}.`;
  if (a.word === null || b.word === null) return "No word's map is shown in both runs.";
  const [first, second] = [a, b].map(({ entries, word }) => entries[word].text);
  if (a.placeOf({ text: second }) !== a.word) return `a shows “${isolated(first)}”, b “${isolated(second)}”.`;
  const places = [a, b].map(({ state }) => `${state.step === null ? "all steps" : `step ${state.step}`}, ${state.layers ?? "all layers"}`);
  return places[0] === places[1] ? null : `a shows ${places[0]}, b ${places[1]}.`;
}

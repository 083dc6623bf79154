// Words of a prompt: which compete for a pixel, how they rank, and which part of all attention they take.

/** The parts that all attention divides into, in the order of the bar. */
export const SHARES = ["start", "words", "end", "padding", "rest"];

const COMPETING = new Set(["word", "position"]);
const SPECIAL = new Set(["start", "end", "padding", "rest"]);

/** Whether an entry competes for a pixel: those that Python's `region_words` ranks. */
export const competes = (entry) => COMPETING.has(entry.kind);

/** Whether an entry is a part of the sequence that the user did not type. */
export const isSpecial = (entry) => SPECIAL.has(entry.kind);

/** Whether an entry's map may be drawn on the scale that all words share. */
export const sharesScale = (entry) => competes(entry) || entry.kind === "part";

/** The places of the entries that compete, in the prompt's order. */
export const competitors = (entries) => entries.flatMap((entry, place) => (competes(entry) ? [place] : []));

/** What an entry is called in the reader's language; its `text` is what sdexplore's functions call it. */
export const nameOf = ({ name, text }) => name ?? text;

/** Sorts places by their value, largest first; of equal values the earlier place comes first. */
export const rank = (places, values) => places.sort((a, b) => values[b] - values[a] || a - b);

/** The place of the word whose map has the highest peak (Python's `most_striking`); null without words. */
export function mostStriking(entries, peaks) {
  let best = null;
  for (const place of competitors(entries)) if (best === null || peaks[place] > peaks[best]) best = place;
  return best;
}

/** How all attention divides, as Python's `attention_mass` sums it: marks count as words, parts are in theirs. */
export function shares(entries, insides) {
  const found = Object.fromEntries(SHARES.map((kind) => [kind, 0]));
  entries.forEach(({ kind }, place) => {
    const share = kind === "word" || kind === "mark" ? "words" : kind;
    if (share in found) found[share] += insides[place];
  });
  const positions = entries.flatMap((entry) => (["word", "mark"].includes(entry.kind) ? entry.positions : []));
  // Where two tokenizers part, a position is in several words: count it once. All attention adds up to 1.
  const others = found.start + found.end + found.padding + found.rest;
  if (others > 0 && new Set(positions).size < positions.length) found.words = 1 - others;
  return found;
}

/** How often each entry stands in the prompt. */
export function timesInSentence(entries, sentence) {
  const times = new Array(entries.length).fill(0);
  for (const [place] of sentence) if (place !== null) times[place] += 1;
  return times;
}

/** `text` as it is compared: two texts are the same where Python's `fold` makes them the same. */
export function folded(text) {
  const one = text.normalize("NFC").replace(/\s+/gu, " ").trim();
  // Lower, upper and lower again is what Unicode calls case folding (ß is ss), but for the dotless i.
  return one.split("ı").map((part) => part.toLowerCase().toUpperCase().toLowerCase()).join("ı").normalize("NFC");
}

// The foot: what is missing, how to read the maps, and where they come from.

import { make, setText } from "./dom.mjs";
import { gridName } from "./numbers.mjs";
import { notesOf, picturesInWords, precisionInWords } from "./wording.mjs";

const APART = "The layers get no mask, so start, end and padding are looked at too, often most of all: the bar beneath " +
  "the words says how much.";
const JOINT = "Words and picture share one softmax: “rest” is what a pixel gives to the picture itself, and to padding " +
  "that has no column. The bar beneath the words says how much.";

/** Notes that are always seen, and details that unfold. */
export class Foot {
  constructor(exploration) {
    const { facts, grid } = exploration, notes = notesOf(exploration);
    this.precision = make("p", { class: "note" });
    this.element = make("div", { class: "foot" });
    if (notes.length) {
      const lines = notes.map((text) => make("li", { text }));
      this.element.append(make("ul", { class: "notes", "aria-label": "What is missing or reduced" }, ...lines));
    }
    const joint = facts.roles.some(({ entries }) => entries.some((entry) => entry.kind === "rest"));
    const kind = joint ? "joint attention" : "cross-attention";
    const rows = facts.provenance.map(([name, value]) =>
      make("tr", {}, make("th", { scope: "row", text: name }), make("td", { text: value })));
    this.element.append(make("details", {},
      make("summary", { text: "How to read this, and where it comes from" }),
      make("p", {
        text: `A map shows the probability, 0 to 1, that a latent pixel's ${kind} gives to a word. ` +
          "Attention shows where a layer looked, not why the picture is as it is.",
      }),
      make("p", {
        text: `A pixel here is one of the latent grid (${gridName(grid)}). ${joint ? JOINT : APART}`,
      }),
      this.precision, make("p", { class: "note", text: picturesInWords(facts) }), make("table", {}, make("tbody", {}, ...rows))));
  }

  /** Says how exactly the numbers of the role are kept. */
  draw(exploration) {
    setText(this.precision, precisionInWords(exploration));
  }
}

// The foot: what is missing, how to read the maps, and where they come from.

import { make, setText } from "./dom.mjs";
import { gridName } from "./numbers.mjs";
import { notesOf, picturesInWords, precisionInWords } from "./wording.mjs";

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
    const rows = facts.provenance.map(([name, value]) =>
      make("tr", {}, make("th", { scope: "row", text: name }), make("td", { text: value })));
    this.element.append(make("details", {},
      make("summary", { text: "How to read this, and where it comes from" }),
      make("p", {
        text: "A map shows the probability, 0 to 1, that a latent pixel's cross-attention gives to a word. " +
          "Attention shows where a layer looked, not why the picture is as it is.",
      }),
      make("p", {
        text: `A pixel here is one of the latent grid (${gridName(grid)}). The layers get no mask, so start, end and ` +
          "padding are looked at too, often most of all: the bar beneath the words says how much.",
      }),
      this.precision, make("p", { class: "note", text: picturesInWords(facts) }), make("table", {}, make("tbody", {}, ...rows))));
  }

  /** Says how exactly the numbers of the role are kept. */
  draw(exploration) {
    setText(this.precision, precisionInWords(exploration));
  }
}

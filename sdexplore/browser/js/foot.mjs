// The foot: what is missing, how to read the maps, and where they come from.

import { make, setText } from "./dom.mjs";
import { gridName } from "./numbers.mjs";
import { say } from "./strings.mjs";
import { notesOf, picturesInWords, precisionInWords } from "./wording.mjs";

/** Notes that are always seen, and details that unfold. */
export class Foot {
  constructor(exploration) {
    const { facts, strings } = exploration, grid = gridName(exploration.grid), notes = notesOf(exploration);
    this.precision = make("p", { class: "note" });
    this.element = make("div", { class: "foot" });
    if (notes.length) {
      const lines = notes.map((text) => make("li", { text }));
      this.element.append(make("ul", { class: "notes", "aria-label": say(strings, "explorer.notes") }, ...lines));
    }
    const joint = facts.roles.some(({ entries }) => entries.some((entry) => entry.kind === "rest"));
    const rows = facts.provenance.map(([name, value]) =>
      make("tr", {}, make("th", { scope: "row", text: name }), make("td", { text: value })));
    this.element.append(make("details", {},
      make("summary", { text: say(strings, "explorer.foot") }),
      make("p", { text: say(strings, joint ? "explorer.foot.joint" : "explorer.foot.cross") }),
      make("p", { text: say(strings, joint ? "explorer.foot.grid.joint" : "explorer.foot.grid.cross", { grid }) }),
      this.precision, make("p", { class: "note", text: picturesInWords(exploration) }), make("table", {}, make("tbody", {}, ...rows))));
  }

  /** Says how exactly the numbers of the role are kept. */
  draw(exploration) {
    setText(this.precision, precisionInWords(exploration));
  }
}

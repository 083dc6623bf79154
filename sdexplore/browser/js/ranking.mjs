// The words ranked by how much a region looks at them, and how all attention divides there.

import { make, setText } from "./dom.mjs";
import { percent, three } from "./numbers.mjs";
import { paintMap, resizeCanvas } from "./painting.mjs";
import { say } from "./strings.mjs";
import { nameInRanking, rankingInWords, ratioInWords } from "./wording.mjs";
import { competes, SHARES } from "./words.mjs";

const MOST_ROWS = 8; // that are seen without scrolling

/** A row for each word that competes. `point(word)` is called where a pointer is, `choose(word)` on a press. */
export class Ranking {
  constructor(exploration, { point, choose }) {
    this.exploration = exploration;
    this.point = point;
    this.choose = choose;
    this.rows = [];
    this.list = make("ol", { class: "ranked", "aria-label": say(exploration.strings, "explorer.ranking") });
    this.note = make("p", { class: "note" });
  }

  /** Makes the rows of the role's words; afterwards only their content changes. */
  fill() {
    const { entries, ranked } = this.exploration;
    this.rows = ranked.map(() => this.#row());
    this.maps = entries.map(() => document.createElement("canvas"));
    this.list.replaceChildren(...this.rows.map(({ element }) => element));
    this.list.style.setProperty("--rows", Math.min(MOST_ROWS, Math.max(1, this.rows.length)));
  }

  #row() {
    const row = {
      word: null, canvas: make("canvas", { class: "mini", "aria-hidden": "true" }),
      name: make("span", { class: "name" }), ratio: make("span", { class: "ratio" }),
      value: make("span", { class: "value" }), bar: make("i"),
    };
    const line = make("div", { class: "line" }, row.name, row.ratio, row.value);
    const bar = make("div", { class: "bar", "aria-hidden": "true" }, row.bar);
    row.element = make("li", {
      onpointerenter: () => this.point(row.word), onpointerleave: () => this.point(null),
      onclick: () => this.choose(row.word),
    }, row.canvas, make("div", { class: "cells" }, line, bar));
    return row;
  }

  /** Paints every entry's small map. */
  paintMaps() {
    const { available, current, entries, grid, state } = this.exploration;
    this.maps?.forEach((canvas, entry) => {
      if (!available) {
        canvas.width = 0; // nothing, which is not the colour of 0
        return;
      }
      const own = state.scale === "each" || !competes(entries[entry]);
      const top = own ? current.most[entry] : current.shared;
      paintMap(canvas, grid, current.values, entry * current.cells, top);
    });
  }

  /** Shows a reading of the region. */
  draw({ insides, outsides, ranked }) {
    const { available, grid, word, strings } = this.exploration;
    const most = ranked.length ? insides[ranked[0]] : 0;
    ranked.forEach((entry, place) => {
      const row = this.rows[place], inside = insides[entry], outside = outsides[entry];
      row.word = entry;
      setText(row.name, nameInRanking(this.exploration, entry));
      setText(row.value, available ? three(inside) : "–");
      setText(row.ratio, ratioInWords(strings, inside, outside));
      row.element.dataset.inside = inside;
      row.element.dataset.outside = outside;
      row.bar.style.width = `${most > 0 ? (100 * inside) / most : 0}%`;
      row.element.classList.toggle("chosen", entry === word);
      resizeCanvas(row.canvas, grid);
      const map = this.maps[entry], drawn = row.canvas.getContext("2d");
      if (map.width) drawn.drawImage(map, 0, 0);
      else drawn.clearRect(0, 0, row.canvas.width, row.canvas.height);
    });
    setText(this.note, rankingInWords(this.exploration, most));
  }
}

/** How all attention divides among start, words, end, padding, and what is no word where one softmax covers both. */
export class Division {
  constructor(strings) {
    const names = {
      start: say(strings, "explorer.share.start"), words: say(strings, "explorer.share.words"),
      end: say(strings, "explorer.share.end"), padding: say(strings, "explorer.share.padding"),
      rest: say(strings, "explorer.share.rest"),
    };
    const patches = SHARES.map((kind) => make("i", { class: kind }));
    this.bar = make("div", { class: "mass", "aria-hidden": "true" }, ...patches);
    this.text = make("p", { class: "mass-text" }, ...SHARES.map((kind) =>
      make("span", { class: kind }, make("i", { class: kind, "aria-hidden": "true" }), `${names[kind]} `, make("b"))));
    this.element = make("div", { class: "mass-box" },
      make("h4", { text: say(strings, "explorer.division") }), this.bar, this.text);
  }

  /** Shows the shares; hidden where only words were recorded, since they would not add up to all attention. */
  draw({ entries, available }, shares) {
    const kinds = new Set(["words", ...entries.map(({ kind }) => kind)]);
    this.element.hidden = !["padding", "start", "rest"].some((kind) => kinds.has(kind));
    SHARES.forEach((kind, i) => {
      this.text.children[i].hidden = !kinds.has(kind);
      this.bar.children[i].style.width = `${100 * shares[kind]}%`;
      setText(this.text.children[i].lastElementChild, available ? percent(shares[kind]) : "–");
    });
  }
}
